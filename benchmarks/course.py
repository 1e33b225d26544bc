"""Where the processor time of one qualification run goes: run as a process of its own, it prints its stages as JSON.

    python -m benchmarks.course INSTALLATION.toml FOLDER

Each stage is charged for what is called inside it, less the stages within; the radio is what is left of the campaign
in virtual time: kernel, air, stack, devices, and the campaign's own steps.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

STARTUP, FILES, KEYS, RADIO, JOURNAL, REPORT = "startup", "files", "keys", "radio", "journal", "report"
STAGES = (STARTUP, FILES, KEYS, RADIO, JOURNAL, REPORT)


class Ledger:
    """Seconds of processor time by stage, each without the stages inside it."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        """`clock` tells the processor time of this process in seconds."""
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._clock = clock
        self._open: list[str] = []
        self._since = clock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Charge the block to a stage."""
        self._charge()
        self._open.append(name)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def _charge(self) -> None:
        now = self._clock()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def charged(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return `call`, charged to a stage each time."""

        def charging(*arguments: Any, **named: Any) -> Any:
            with self.stage(name):
                return call(*arguments, **named)

        return charging


def course(installation: Path, folder: Path) -> dict[str, float]:
    """Run a campaign with its files in `folder`; returns the processor seconds of each stage of this process's life.

    Raises `HarnessError` as `smets1 run` would.
    """
    before = time.process_time()
    ledger = Ledger()
    with ledger.stage(STARTUP):
        from emulator.crypto.authority import IssuingAuthority
        from emulator.nonvolatile import WorldStore
        from harness.campaign import runner
        from harness.journal.journal import Journal
        from harness.workspace.options import RunOptions
        from harness.workspace.workspace import Workspace
    parts: tuple[tuple[str, Any, str], ...] = (
        (FILES, runner, "check_files"),
        (FILES, Workspace, "create"),
        (KEYS, runner, "open_regime"),
        (KEYS, IssuingAuthority, "issue"),
        (RADIO, runner, "run_virtually"),
        (JOURNAL, Journal, "_append"),
        (JOURNAL, WorldStore, "sync"),
        (REPORT, runner, "close"),
        (REPORT, runner, "assemble"),
        (REPORT, Workspace, "write_report"),
    )
    with ExitStack() as stack:
        for stage, owner, name in parts:
            stack.enter_context(patch.object(owner, name, ledger.charged(stage, getattr(owner, name))))
        runner.run(RunOptions(installation=installation, out=folder))
    ledger.seconds[STARTUP] += before
    return ledger.seconds


if __name__ == "__main__":
    json.dump(course(Path(sys.argv[1]), Path(sys.argv[2])), sys.stdout)
