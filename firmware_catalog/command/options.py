"""What the actions of `smets1 catalog` have in common: options, where things are, and how results are printed."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from firmware_catalog.catalogue import Catalogue
from firmware_catalog.draft import Signed
from firmware_catalog.memory import state_folder

CATALOGUE_VARIABLE = "SMETS1_CATALOGUE"

Actions = argparse._SubParsersAction  # the type has no public name
Handler = Callable[[argparse.Namespace], int]


def action(actions: Actions[Any], name: str, summary: str, handler: Handler, more: str = "") -> Any:
    """Add an action with the options that all have; `more` is what its help says beyond the summary."""
    parser = actions.add_parser(
        name,
        help=summary,
        description=f"{summary}.\n\n{more}" if more else f"{summary}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(handler=handler)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--catalogue", metavar="DIR", type=Path, help=f"default ${CATALOGUE_VARIABLE}, else ./catalogue"
    )
    parser.add_argument(
        "--keys",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="a folder of signing keys, instead of CATALOGUE.keys and CATALOGUE.parties; may be repeated",
    )
    parser.add_argument(
        "--at", metavar="TIME", type=moment, help="the reference time, as 2026-03-02T08:00Z; default now"
    )
    return parser


def staging(actions: Actions[Any], name: str, summary: str, handler: Handler, more: str = "") -> Any:
    """Add an action that stages a change, and can publish it at once where all keys are at hand."""
    parser = action(actions, name, summary, handler, more)
    parser.add_argument(
        "--publish", action="store_true", help="sign and publish at once what is staged; needs every key here"
    )
    return parser


def path_of(options: argparse.Namespace) -> Path:
    """Return the catalogue's folder."""
    chosen: Path | None = options.catalogue
    return chosen or Path(os.environ.get(CATALOGUE_VARIABLE, "catalogue"))


def now_of(options: argparse.Namespace) -> datetime:
    """Return the reference time."""
    chosen: datetime | None = options.at
    return chosen or datetime.now(UTC)


def opened(options: argparse.Namespace) -> Catalogue:
    """Read and verify the catalogue, and remember what was seen; raises `CatalogError`."""
    memory = state_folder(os.environ)
    return Catalogue.open(path_of(options), now=now_of(options), keys=options.keys, memory=memory)


def staged(options: argparse.Namespace, catalogue: Catalogue, what: str, **table: object) -> int:
    """Sign what was staged with the keys at hand, publish it when that was asked for, and say how far it is."""
    if options.publish:
        published = catalogue.publish()
        return told(options, [what, f"published {', '.join(published)}"], {**table, "published": published})
    progress = catalogue.draft().sign()
    table["staged"] = [signed._asdict() for signed in progress]
    return told(options, [what, *signature_lines(progress)], table)


def signature_lines(progress: Iterable[Signed]) -> list[str]:
    """Return a line for each staged role."""
    return [
        f"  {each.role} version {each.version}: {each.signatures} of {each.threshold} signatures, "
        + ("ready to publish" if each.enough else "to be signed where its keys are")
        for each in progress
    ]


def told(
    options: argparse.Namespace, lines: Iterable[str], table: dict[str, Any] | Sequence[dict[str, Any]]
) -> int:
    """Print the lines or, with --json, the table; returns exit status 0."""
    print(json.dumps(table, indent=2) if options.json else "\n".join(lines))
    return 0


def moment(text: str) -> datetime:
    """Read a time, in UTC unless it says otherwise."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a time such as 2026-03-02T08:00Z") from error
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def day(text: str) -> str:
    """Read a date, kept as text."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a date such as 2019-03-01") from error


def version(text: str) -> int:
    """Read a 32-bit OTA version."""
    return _number(text, 0xFFFF_FFFF, "a 32-bit OTA version such as 0x01020000")


def manufacturer(text: str) -> int:
    """Read a manufacturer code."""
    return _number(text, 0xFFFF, "a manufacturer code such as 0x1002")


def _number(text: str, most: int, expected: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {expected}")
    return number
