"""The `smets1` command in processes of their own: whole, or killed at a chosen moment.

`Killable` runs the command in a process forked from a server that has imported everything, so that a test pays for
the run and not for starting Python; it is killed with SIGKILL like any process.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from harness.command.main import main

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["harness.command.run", "harness.homes.rehearsal", "harness.campaign.runner"])
PATIENCE_S = 180.0
_POLL_S = 0.001


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended; a negative status is the signal that ended it."""

    status: int
    output: str
    complaint: str


def smets1(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Ended:
    """Run the command in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-m", "harness.command.main", *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, **(environment or {})},
        cwd=Path(__file__).parents[2],
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def _child(arguments: list[str], output: str, complaint: str, largest_file: int | None) -> None:
    """Be the command, and end with its exit status."""
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    os._exit(be_command(arguments, output, complaint))


def be_command(arguments: list[str], output: str, complaint: str) -> int:
    """Run the command in this process, with files instead of the inherited output; returns its exit status."""
    for name, descriptor in ((output, 1), (complaint, 2)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), descriptor)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, buffering=1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status = main(arguments)
    sys.stdout.flush()
    return status


@dataclass
class Killable:
    """One command under way; `largest_file` makes every longer write fail, as a full disk does."""

    arguments: tuple[str | Path, ...]
    largest_file: int | None = None
    process: ForkServerProcess = field(init=False)
    began: float = field(init=False)

    def __post_init__(self) -> None:
        """Start it."""
        self._folder = tempfile.TemporaryDirectory()
        self._names = [str(Path(self._folder.name) / name) for name in ("output", "complaint")]
        self.process = SERVER.Process(
            target=_child, args=([*map(str, self.arguments)], *self._names, self.largest_file)
        )
        self.process.start()
        self.began = time.monotonic()

    def wait(self) -> Ended:
        """Wait for its end."""
        self.process.join(PATIENCE_S)
        assert self.process.exitcode is not None, f"{self.arguments}: still running after {PATIENCE_S} s"
        texts = [Path(name).read_text() if Path(name).exists() else "" for name in self._names]
        self._folder.cleanup()
        return Ended(self.process.exitcode, *texts)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.process.exitcode is None and self.process.pid is not None:
            os.kill(self.process.pid, number)

    def signal_when(self, due: Callable[[], bool], number: signal.Signals = signal.SIGKILL) -> bool:
        """Send a signal as soon as `due` says so; False when the command ended before."""
        while self.process.exitcode is None:
            if due():
                self.send(number)
                return True
            time.sleep(_POLL_S)
            assert time.monotonic() - self.began < PATIENCE_S, f"{self.arguments}: {due} never came"
        return False


def has_entry(folder: Path, kind: str, action: str, said: str = "") -> bool:
    """Tell whether the journal of a running command has such an entry, with `said` in its details."""
    path = folder / "journal.sqlite"
    if not path.exists():
        return False
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        query = "SELECT count(*) FROM entry WHERE kind=? AND action=? AND instr(details, ?)"
        return bool(database.execute(query, (kind, action, said)).fetchone()[0])
    except sqlite3.OperationalError:
        # Being made at this very moment.
        return False
    finally:
        database.close()


def number_of_entries(folder: Path) -> int:
    """Return how many entries the journal of a running command has."""
    path = folder / "journal.sqlite"
    if not path.exists():
        return 0
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        return int(database.execute("SELECT count(*) FROM entry").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        database.close()


def has_grown(folder: Path, entries: int) -> bool:
    """Tell whether the journal of a running command has so many entries."""
    return number_of_entries(folder) >= entries


def resume_until_done(folder: Path, choice: random.Random, kills: int = 0) -> Ended:
    """Resume a run, killing it up to `kills` more times after a few more entries; returns how it ended."""
    for _ in range(kills):
        running = Killable(("run", "--resume", folder))
        target = number_of_entries(folder) + choice.randrange(1, 40)
        if not running.signal_when(partial(has_grown, folder, target)):
            return running.wait()
        running.wait()
    return Killable(("run", "--resume", folder)).wait()
