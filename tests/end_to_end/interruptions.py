"""Runs of the quick home interrupted at chosen system calls, and how they end when they are taken up again."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.end_to_end.command import PATIENCE_S, SERVER, Ended, Killable, be_command
from tests.end_to_end.conftest import Whole
from tests.end_to_end.power import Disk, Loss
from tests.end_to_end.run_folder import assert_once, end_state
from tests.end_to_end.system_calls import KILL, Call, Number, traced

WRITES = frozenset({Number.WRITE, Number.PWRITE64, Number.WRITEV, Number.SENDFILE, Number.COPY_FILE_RANGE})
FAILING: Mapping[int, frozenset[Number]] = {
    errno.ENOSPC: WRITES | {Number.OPENAT, Number.MKDIR},
    errno.EIO: WRITES | {Number.FSYNC, Number.FDATASYNC, Number.FTRUNCATE, Number.UNLINK},
}
"""The calls that fail on a disk that is full, and on one that is broken."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens at which call, counted from 0. Pictures of the folder go to the paths given."""

    kill_at: int | None = None
    kills: Mapping[int, Path] = field(default_factory=dict)
    cuts: Mapping[int, tuple[Path, Loss]] = field(default_factory=dict)
    fails_from: int | None = None
    fails_once: bool = False
    error: int = errno.ENOSPC


class _Tracer:
    """Carries a plan out."""

    def __init__(self, plan: Plan, root: Path) -> None:
        self.calls: list[str] = []
        self.failed = 0
        self._plan = plan
        self._root = root
        self._disk = Disk(root)

    def decide(self, call: Call) -> int | None:
        number, plan = len(self.calls), self._plan
        self.calls.append(f"{call.number.name.lower()} {os.path.relpath(call.path, self._root)}")
        if plan.cuts:
            self._disk.before(call)
        if number in plan.kills:
            shutil.copytree(self._root, plan.kills[number], symlinks=True)
        if number in plan.cuts:
            self._disk.cut(*plan.cuts[number])
        if number == plan.kill_at:
            return KILL
        return plan.error if self._fails(call, number) else None

    def _fails(self, call: Call, number: int) -> bool:
        plan = self._plan
        if plan.fails_from is None or number < plan.fails_from or call.number not in FAILING[plan.error]:
            return False
        self.failed += 1
        return self.failed == 1 or not plan.fails_once


@dataclass(frozen=True, slots=True)
class Interrupted:
    """How a traced command ended, and the calls it made: their names and paths."""

    ended: Ended
    calls: tuple[str, ...]


def _trace(arguments: list[str], plan: Plan, root: Path, place: Path) -> None:
    """Be the tracer, in a process of its own."""
    tracer = _Tracer(plan, root)
    names = [str(place / name) for name in ("output", "complaint")]
    status = traced(lambda: be_command(arguments, *names), str(root), tracer.decide)
    (place / "result.json").write_text(json.dumps({"status": status, "calls": tracer.calls}))


def interrupted(arguments: tuple[str | Path, ...], plan: Plan, root: Path, place: Path) -> Interrupted:
    """Run the command, whose folder lies in `root`, by `plan`; `place` is a folder for what it says."""
    place.mkdir(parents=True)
    process = SERVER.Process(target=_trace, args=([*map(str, arguments)], plan, root, place))
    process.start()
    process.join(PATIENCE_S)
    assert process.exitcode == 0, "the tracer failed"
    result = json.loads((place / "result.json").read_text())
    texts = [(place / name).read_text() for name in ("output", "complaint")]
    return Interrupted(Ended(result["status"], *texts), tuple(result["calls"]))


def taken_up(root: Path, home: Path) -> Ended:
    """Resume the run in `root`, or start it where it had not begun, and return how it ended."""
    folder = root / "run"
    if folder.exists():
        return Killable(("run", "--resume", folder)).wait()
    return Killable(("run", home, "--out", folder)).wait()


def wrong_end(root: Path, home: Path, whole: Whole) -> str:
    """Take a run up to its end; returns what is wrong with that end, nothing when it is as it must be."""
    ended = taken_up(root, home)
    if ended.status != 0:
        return f"status {ended.status}: {ended.complaint.strip() or ended.output.strip().splitlines()[-8:]}"
    folder = root / "run"
    if end_state(folder) != end_state(whole.folder):
        return "another end state"
    try:
        assert_once(folder)
    except AssertionError as error:
        return f"a false certificate: {error}"
    proof = Killable(("verify", folder)).wait()
    if proof.status != 0:
        return f"not verified: {proof.output} {proof.complaint}"
    left = sorted(path.name for path in root.rglob("*.part"))
    return f"left behind: {left}" if left else ""
