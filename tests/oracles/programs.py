"""Programs that run beside a test, each for itself: started, waited for, and ended with the test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.examples import DORMANT_SEMI

START_TIMEOUT_S = 60
END_TIMEOUT_S = 15
POLL_S = 0.1
Words = tuple[str | Path, ...]


def free_port() -> int:
    """Return a TCP port of the loop-back interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def beside_python(program: str) -> Path:
    """Return the path of a program of the environment that runs the tests."""
    return Path(sys.executable).parent / program


@contextmanager
def running(
    log: Path,
    *command: str | Path,
    ready: str = "",
    stop: signal.Signals = signal.SIGTERM,
    **environment: str,
) -> Iterator[None]:
    """Keep a program running, its output in `log`, from when it has said `ready` until the block ends."""
    with log.open("w") as output:
        # Not in the project's folder: Zigbee2MQTT takes any git checkout around it for its own, and builds anew.
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env={**os.environ, **environment},
        )
        try:
            until(lambda: said(log, ready) or process.poll() is not None, log, START_TIMEOUT_S)
            assert said(log, ready), f"{command[0]} ended without saying {ready!r}: {log.read_text()}"
            yield
        finally:
            process.send_signal(stop)
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def said(log: Path, words: str) -> bool:
    """Tell whether a program's output has these words."""
    return words in log.read_text()


def until(true: Callable[[], bool], log: Path, timeout_s: float) -> None:
    """Wait until something is so; fails with the end of `log` when it is not in time."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, f"not within {timeout_s:g} s: {log.read_text()[-4000:]}"
        time.sleep(POLL_S)


def emulate(port: int, speed: float, *more: str | Path) -> Words:
    """Return the command that puts the example's home on the air, with a dongle at a TCP port."""
    command = (sys.executable, "-m", "harness.command.main", "emulate", DORMANT_SEMI)
    return (*command, "--ncp", f"tcp:127.0.0.1:{port}", "--speed", f"{speed:g}", *more)


EMULATED = "install code"
"""What `smets1 emulate` says once its dongle can be opened."""
