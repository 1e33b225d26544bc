"""Providing images: add one under its supplier, or take a wrong record out."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from firmware_catalog.catalogue import keys_of_catalogue
from firmware_catalog.command.options import (
    Actions,
    now_of,
    opened,
    path_of,
    staged,
    staging,
    told,
    version,
)
from firmware_catalog.memory import state_folder
from firmware_catalog.provision import Image
from firmware_catalog.records import Claims
from firmware_catalog.removal import remove
from firmware_catalog.repository import Access


def register(actions: Actions[Any]) -> None:
    """Add the actions."""
    add = staging(
        actions,
        "add",
        "stage an image under its Installing Supplier, or more of one",
        _add,
        "The supplier's keys sign it. A dormant meter gets it once it is vouched for, approved and published too.",
    )
    add.add_argument("file", metavar="FILE", type=Path, help="the OTA file, unmodified")
    add.add_argument(
        "--supplier", required=True, metavar="ID", help="the Installing Supplier that provides the image"
    )
    add.add_argument(
        "--model", action="append", default=[], metavar="MODEL", help="a model it is for; may be repeated"
    )
    add.add_argument(
        "--from-version",
        action="append",
        default=[],
        type=version,
        metavar="VERSION",
        help="an OTA version it may follow, as 0x01020000; may be repeated; none means any",
    )
    add.add_argument("--provenance", metavar="TEXT", default="", help="where the file comes from")
    add.add_argument(
        "--capability-release", metavar="TEXT", default="", help="the enrolment capability it belongs to"
    )
    removed = staging(
        actions,
        "remove",
        "take an entry or statement out, also one with a wrong record",
        _remove,
        "For mistakes, signed by the party whose it is. An image that is to be used no more is withdrawn instead.",
    )
    removed.add_argument(
        "path", metavar="PATH", help="its target path, as a refusal names it, or its SHA-256"
    )


def _add(options: argparse.Namespace) -> int:
    image = Image.read(options.file)
    catalogue = opened(options)
    claims = Claims(
        tuple(options.model),
        tuple(options.from_version),
        options.provenance,
        options.capability_release,
        os.environ.get("LOGNAME") or os.environ.get("USER") or "",
    )
    entry = catalogue.stage_image(image, options.supplier, claims)
    lines = [f"staged {entry.id[:12]}  {entry.identity}  {entry.octets} octets  for {path_of(options)}"]
    lines += [f"  {finding}" for finding in entry.findings]
    return staged(options, catalogue, "\n".join(lines), id=entry.id, path=entry.path)


def _remove(options: argparse.Namespace) -> int:
    path = path_of(options)
    access = Access(now_of(options), keys_of_catalogue(path, options.keys), memory=state_folder(os.environ))
    taken, progress = remove(path, options.path, access, publish=options.publish)
    table = {"catalogue": str(path), "removed": taken, "staged": [each._asdict() for each in progress]}
    return told(options, [f"removed {taken}  from {path}" + ("" if options.publish else ", staged")], table)
