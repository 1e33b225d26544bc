"""Running zigbee-herdsman, from npm and unmodified, against the emulated air."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.oracles.node_packages import require_packages

FOLDER = Path(__file__).parent / "herdsman"
CHANNEL = 15
"""The channel the script forms its network on."""
RUN_TIMEOUT_S = 80

Report = dict[str, Any]


def require_herdsman() -> str:
    """Return the path of node, with the packages of the lock file in place; skips when that cannot be had."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    require_packages(FOLDER)
    return node


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
