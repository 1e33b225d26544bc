"""Running zigbee-herdsman, from npm and unmodified, against the emulated air."""

from __future__ import annotations

import asyncio
import fcntl
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "herdsman"
CHANNEL = 15
"""The channel the script forms its network on."""
INSTALL_TIMEOUT_S = 60
RUN_TIMEOUT_S = 80

Report = dict[str, Any]


def require_herdsman() -> str:
    """Return the path of node, with the packages of the lock file in place; skips when that cannot be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    with (Path(tempfile.gettempdir()) / "herdsman-oracle.lock").open("w") as lock:
        # Test processes running side by side install once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _installed():
            _install(npm)
    return node


def _installed() -> bool:
    have = FOLDER / "node_modules/.package-lock.json"
    return have.is_file() and have.stat().st_mtime >= (FOLDER / "package-lock.json").stat().st_mtime


def _install(npm: str) -> None:
    command = [
        npm,
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--prefer-offline",
        "--fetch-retries=0",
    ]
    try:
        done = subprocess.run(
            command, cwd=FOLDER, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm registry: no packages within {INSTALL_TIMEOUT_S} s")
    if done.returncode:
        pytest.skip(f"npm registry is not reachable: {done.stderr.strip()[-300:]}")


async def interview(
    node: str, adapter: str, path: str, *, folder: Path, on_open: Callable[[], None]
) -> list[Report]:
    """Run the script to its end; `on_open` is called when the network is open. Returns what it reported."""
    arguments = [adapter, path, str(folder)]
    process = await asyncio.create_subprocess_exec(
        node,
        str(FOLDER / "interview.mjs"),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    reports: list[Report] = []
    try:
        async with asyncio.timeout(RUN_TIMEOUT_S):
            async for line in process.stdout:
                if not line.startswith(b"{"):
                    continue
                reports.append(json.loads(line))
                if reports[-1]["event"] == "open":
                    on_open()
            errors = await process.stderr.read()
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        pytest.fail(f"the host did not end in {RUN_TIMEOUT_S} s; it reported {reports}")
    assert process.returncode == 0, f"{reports}\n{errors.decode()}\n{log_tail(folder)}"
    return reports


def log_tail(folder: Path, lines: int = 40) -> str:
    """Return the end of the host's log."""
    log = folder / "herdsman.log"
    return "\n".join(log.read_text().splitlines()[-lines:]) if log.is_file() else "(no log)"


def event(reports: list[Report], name: str) -> Report:
    """Return the last report of that name."""
    return next(report for report in reversed(reports) if report["event"] == name)
