"""Hosts of the npm world, unmodified: the packages of a lock file, put beside it once."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

LOCK_FILE = "package-lock.json"


def require_packages(folder: Path, *, timeout_s: float = 60) -> None:
    """Put the packages of the lock file in `folder` in place; skips, saying why, when they cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    try:
        lock = (folder / ".install.lock").open("w")
    except OSError as error:
        pytest.skip(f"no packages can be put into the project: {error}")
    with lock:
        # Test processes running side by side install once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _installed(folder):
            _install(npm, folder, timeout_s)


def _installed(folder: Path) -> bool:
    have = folder / "node_modules/.package-lock.json"
    return have.is_file() and have.stat().st_mtime >= (folder / LOCK_FILE).stat().st_mtime


def _install(npm: str, folder: Path, timeout_s: float) -> None:
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=0"]
    try:
        done = subprocess.run(
            [npm, "ci", *options], cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm registry: no packages within {timeout_s:g} s")
    if done.returncode:
        pytest.skip(f"npm registry is not reachable: {done.stderr.strip()[-300:]}")
