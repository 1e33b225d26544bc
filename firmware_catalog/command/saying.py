"""What parties say of images: vouch, approve, adopt, withdraw, waive."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from firmware_catalog.command.options import Actions, day, opened, staged, staging
from firmware_catalog.files import DOCUMENT_LIMIT, read_octets
from firmware_catalog.parties import PartyKind
from firmware_catalog.statements import (
    Adoption,
    Approval,
    Evidence,
    Requirement,
    Said,
    Waiver,
    Withdrawal,
)

_Make = Callable[[argparse.Namespace], Said]


def register(actions: Actions[Any]) -> None:
    """Add the actions."""
    vouch = _saying(
        actions,
        "vouch",
        "stage evidence that an image is already used in the field",
        _evidence,
        (PartyKind.SUPPLIER, PartyKind.VOUCHER),
    )
    vouch.add_argument(
        "--reference", required=True, metavar="TEXT", help="what shows it: a record, a letter, a report"
    )
    vouch.add_argument("--since", required=True, metavar="DATE", type=day, help="since when it is used")
    vouch.add_argument("--where", required=True, metavar="TEXT", help="the estate or place")
    vouch.add_argument("--count", required=True, metavar="N", type=int, help="how many devices run it")
    vouch.add_argument("--document", metavar="FILE", type=Path, help="a document whose SHA-256 is kept")
    approvers = (PartyKind.APPROVER, PartyKind.DCC)
    approve = _saying(
        actions,
        "approve",
        "stage the approval of an image by somebody who does not provide it",
        _approval,
        approvers,
    )
    approve.add_argument("--reference", required=True, metavar="TEXT", help="where the approval is written")
    adopt = _saying(
        actions,
        "adopt",
        "stage that the DCC takes an image for homes whose own supplier does not provide it",
        lambda options: Adoption(options.reason),
        (PartyKind.DCC,),
    )
    withdraw = _saying(
        actions,
        "withdraw",
        "stage that an image is to be used no more",
        lambda options: Withdrawal(options.reason),
        (PartyKind.SUPPLIER, *approvers),
    )
    waive = _saying(
        actions, "waive", "stage that one installation need not meet a requirement", _waiver, approvers
    )
    waive.add_argument("--installation", required=True, metavar="MPAN", help="the installation, by its MPAN")
    waive.add_argument(
        "--lift",
        required=True,
        action="append",
        type=Requirement,
        choices=tuple(Requirement),
        help="what it need not meet; may be repeated",
    )
    waive.add_argument(
        "--until", required=True, metavar="DATE", type=day, help="the last day on which it holds"
    )
    for parser in (adopt, withdraw, waive):
        parser.add_argument(
            "--reason", required=True, metavar="TEXT", help="why; it is recorded and reported"
        )


def _saying(
    actions: Actions[Any], name: str, summary: str, make: _Make, kinds: tuple[PartyKind, ...]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = staging(actions, name, summary, partial(_say, make))
    parser.add_argument("id", metavar="ID", help="the first 8 or more digits of its SHA-256, or all 64")
    parser.add_argument("--by", required=True, metavar="NAME", help="the party that says so, as it was added")
    parser.add_argument(
        "--kind",
        type=PartyKind,
        choices=kinds,
        default=kinds[0],
        help=f"what the party is; default {kinds[0]}",
    )
    return parser


def _say(make: _Make, options: argparse.Namespace) -> int:
    catalogue = opened(options)
    image = catalogue.image(options.id)
    statement = catalogue.stage_statement(options.kind, options.by, image, make(options))
    what = f"staged {statement.kind} of {image[:12]} by {statement.by}, SHA-256 {statement.sha256}"
    return staged(
        options, catalogue, what, path=statement.path, sha256=statement.sha256, statement=statement.custom
    )


def _evidence(options: argparse.Namespace) -> Evidence:
    document: Path | None = options.document
    digest = None if document is None else hashlib.sha256(read_octets(document, DOCUMENT_LIMIT)).hexdigest()
    return Evidence(options.reference, options.since, options.where, options.count, digest)


def _approval(options: argparse.Namespace) -> Approval:
    return Approval(options.reference)


def _waiver(options: argparse.Namespace) -> Waiver:
    return Waiver(options.installation, tuple(options.lift), options.until, options.reason)
