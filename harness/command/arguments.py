"""Arguments that several commands have, each parsed and checked in this one place."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from pathlib import Path

from emulator.coordinator.monikers import Moniker, MonikerError, parse
from harness.errors import HarnessError

MAX_SEED = 2**63 - 1
MAX_SPEED = 1000.0


def add_installation(parser: argparse.ArgumentParser, purpose: str, *, optional: bool = False) -> None:
    """Add the installation file, the first argument of most commands."""
    count = {"nargs": "?"} if optional else {}
    parser.add_argument("installation", type=Path, metavar="INSTALLATION.toml", help=purpose, **count)  # type: ignore[arg-type]


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add `--models`, which may be given several times."""
    parser.add_argument(
        "--models",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a folder with more device models, searched first; may be given several times",
    )


def add_json(parser: argparse.ArgumentParser, what: str = "machine-readable output") -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help=what)


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add `--seed`."""
    what = "seed of all randomness and rehearsal keys (1)"
    parser.add_argument("--seed", type=seed, default=1, metavar="N", help=what)


def add_speed(parser: argparse.ArgumentParser, what: str) -> None:
    """Add `--speed`."""
    parser.add_argument("--speed", type=speed, default=1.0, metavar="X", help=f"{what} (1)")


def seed(text: str) -> int:
    """Return a seed; raises `ArgumentTypeError`."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20) or int(text) > MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 0 to {MAX_SEED}")
    return int(text)


_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_SMALLEST = 1000


def octets(text: str) -> int:
    """Return a size in octets written as `100M`; raises `ArgumentTypeError`."""
    size = re.fullmatch(r"([0-9]{1,12})([KMG]?)", text.upper(), re.ASCII)
    number = 0 if size is None else int(size[1]) * _UNITS[size[2]]
    if number < _SMALLEST:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a size of at least {_SMALLEST} octets, as 100M or 1G"
        )
    return number


def speed(text: str) -> float:
    """Return a speed in virtual seconds per second; raises `ArgumentTypeError`."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_SPEED:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0, at most {MAX_SPEED:g}")
    return value


def duration(text: str) -> float:
    """Return a duration in seconds; raises `ArgumentTypeError`."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of seconds above 0")
    return value


def require_file(name: str, path: Path | None) -> None:
    """Raise `HarnessError` when there is nothing at `path`; what kind of file it is, its reader says."""
    if path is None:
        return
    try:
        path.stat()
    except (OSError, ValueError):
        raise HarnessError(f"{name}: {path}: no such file; check the path") from None


def require_folders(folders: Sequence[Path]) -> None:
    """Raise `HarnessError` for a `--models` folder that is not there."""
    for folder in folders:
        try:
            there = folder.is_dir()
        except OSError:
            there = False
        if not there:
            raise HarnessError(f"--models: {folder}: no such folder; check the path")


def moniker(name: str, text: str) -> Moniker:
    """Return the radio that an option names; raises `HarnessError` naming the option."""
    try:
        return parse(text)
    except MonikerError as error:
        raise HarnessError(f"{name}: {error}") from error
