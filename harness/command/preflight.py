"""`smets1 preflight`: the checks before first contact with a real meter; it changes nothing."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path

from rich.table import Table
from rich.text import Text

from firmware_catalog.memory import state_folder
from harness.campaign.readiness.check import Readiness, check
from harness.campaign.readiness.finding import Weight
from harness.command.arguments import (
    add_installation,
    add_json,
    add_models,
    moniker,
    require_file,
    require_folders,
)
from harness.command.console import console_for
from harness.command.main import DONE, ENDED_WITHOUT, EXIT_STATUSES
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
from hw_profiles.records import encode

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
    add_installation(parser, "the installation to migrate")
    add("--radio", required=True, metavar="WHERE", help="serial:/dev/..., pty:/path or tcp:HOST:PORT")
    add(DECLARATION, dest="bench", action="store_true", help=DECLARATION_HELP)
    add("--out", type=Path, default=Path("out"), metavar="DIR", help="where run folders go (out)")
    add_json(parser)
    add_models(parser)
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Check, show, and say by the status whether anything failed."""
    require_file("INSTALLATION.toml", arguments.installation)
    require_folders(arguments.models)
    where = moniker("--radio", arguments.radio)
    installation = load_installation(arguments.installation, arguments.models)
    readiness = check(installation, catalogue_memory=state_folder(os.environ))
    checks = [
        *check_installation(installation),
        *check_files(readiness),
        *check_surroundings(installation, arguments.out),
        *asyncio.run(check_radio(installation, where, declared=arguments.bench)),
        *by_hand(),
    ]
    if arguments.json:
        print(json.dumps(encode(checks), indent=1))
    else:
        console_for().print(_table(checks))
    return ENDED_WITHOUT if any(each.outcome is Outcome.FAILED for each in checks) else DONE


def check_files(readiness: Readiness) -> list[Check]:
    """Return what `smets1 check` finds of the files, as checks of a preflight."""
    if not readiness.findings:
        return [Check("files", Outcome.PASSED, "nothing that can be known beforehand stands against a run")]
    return [Check("files", _OUTCOMES[finding.weight], finding.line) for finding in readiness.findings]


_OUTCOMES = {Weight.REFUSED: Outcome.FAILED, Weight.FORESEEN: Outcome.NOTE}


def _table(checks: list[Check]) -> Table:
    table = Table()
    for name in ("check", "outcome", "found"):
        table.add_column(name, overflow="fold")
    for each in checks:
        outcome = Text(each.outcome.value, _STYLES[each.outcome])
        table.add_row(Text(each.name), outcome, Text(each.text))
    return table
