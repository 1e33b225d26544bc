"""`smets1 preflight`: the checks before first contact with a real meter; it changes nothing."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from emulator.coordinator.monikers import MonikerError, parse
from harness.command.main import DONE, ENDED_WITHOUT, EXIT_STATUSES
from harness.command.models import check_folders
from harness.errors import HarnessError
from harness.homes.preflight import (
    Check,
    Outcome,
    by_hand,
    check_installation,
    check_radio,
    check_surroundings,
)
from harness.homes.reality import DECLARATION, DECLARATION_HELP
from hw_profiles.installation import load_installation

_STYLES = {
    Outcome.PASSED: "green",
    Outcome.NOTE: "yellow",
    Outcome.FAILED: "bold red",
    Outcome.BY_HAND: "cyan",
}

_EPILOG = f"""\
examples:
  smets1 preflight home.toml --radio serial:/dev/ttyUSB0
  smets1 preflight home.toml --radio serial:/dev/ttyUSB0 --bench --json

Nothing is changed: the dongle is asked and listens, no device is addressed, no file is written.

{EXIT_STATUSES}"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `preflight` command."""
    parser = subparsers.add_parser(
        "preflight",
        help="check radio, installation and surroundings before first contact with a real meter",
        description="Check everything that can be checked before first contact with a real meter.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("installation", type=Path, metavar="INSTALLATION.toml", help="the installation to migrate")
    add("--radio", required=True, metavar="WHERE", help="serial:/dev/..., pty:/path or tcp:HOST:PORT")
    add(DECLARATION, dest="bench", action="store_true", help=DECLARATION_HELP)
    add("--out", type=Path, default=Path("out"), metavar="DIR", help="where run folders go (out)")
    add("--json", action="store_true", help="machine-readable output")
    add(
        "--models",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a folder with more device models",
    )
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Check, show, and say by the status whether anything failed."""
    if not arguments.installation.is_file():
        raise HarnessError(f"INSTALLATION.toml: {arguments.installation}: no such file; check the path")
    check_folders(arguments.models)
    try:
        moniker = parse(arguments.radio)
    except MonikerError as error:
        raise HarnessError(f"--radio: {error}") from error
    installation = load_installation(arguments.installation, arguments.models)
    checks = [
        *check_installation(installation),
        *check_surroundings(installation, arguments.out),
        *asyncio.run(check_radio(installation, moniker, declared=arguments.bench)),
        *by_hand(),
    ]
    if arguments.json:
        print(json.dumps([check.as_json() for check in checks], indent=1))
    else:
        Console(highlight=False).print(_table(checks))
    return ENDED_WITHOUT if any(check.outcome is Outcome.FAILED for check in checks) else DONE


def _table(checks: list[Check]) -> Table:
    table = Table()
    for name in ("check", "outcome", "found"):
        table.add_column(name, overflow="fold")
    for check in checks:
        table.add_row(check.name, f"[{_STYLES[check.outcome]}]{check.outcome.value}", check.text)
    return table
