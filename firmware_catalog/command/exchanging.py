"""Exchanging catalogues: keep a copy of a shared one, make one to share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from firmware_catalog.command.options import Actions, action, now_of, opened, path_of, told
from firmware_catalog.memory import state_folder
from firmware_catalog.mirror import export, update
from firmware_catalog.sources import source_of


def register(actions: Actions[Any]) -> None:
    """Add the actions."""
    parser = action(
        actions,
        "update",
        "bring a copy to the state of a shared catalogue",
        _update,
        "Everything is verified before the copy changes. A download that was cut off goes on where it stopped.\n"
        "The first time, give the digest of the root, as its keeper told you: later the copy itself pins it.",
    )
    parser.add_argument(
        "--from", dest="source", required=True, metavar="URL", help="http://, https:// or a folder"
    )
    parser.add_argument("--root", metavar="SHA256", help="the digest of the first root, as `init` printed it")
    export_to = action(
        actions,
        "export",
        "write what a reader needs to a new folder, for a web server or a stick",
        _export,
        "Without staged changes, without what is listed no more; `update --from FOLDER` takes it elsewhere.",
    )
    export_to.add_argument("folder", metavar="FOLDER", type=Path)


def _export(options: argparse.Namespace) -> int:
    files = export(opened(options), options.folder)
    return told(options, [f"exported {files} files to {options.folder}"], {"files": files})


def _update(options: argparse.Namespace) -> int:
    home = path_of(options)
    memory = state_folder(os.environ)
    copy = update(source_of(options.source), home, now_of(options), memory=memory, root_sha256=options.root)
    counted = f"{len(copy.list())} images, {len(copy.statements())} statements"
    table = {"catalogue": str(home), "catalogue_root_sha256": copy.root_sha256, "versions": copy.versions}
    return told(options, [f"updated {home}: {counted}", f"  root {copy.root_sha256}"], table)
