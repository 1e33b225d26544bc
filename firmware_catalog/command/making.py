"""Making images for tests, and taking over lists of images that nobody has signed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from emulator.crypto.suite import Suite
from emulator.smart_energy.ota.file import OtaHeader
from firmware_catalog.command.options import (
    Actions,
    action,
    manufacturer,
    opened,
    staged,
    staging,
    told,
    version,
)
from firmware_catalog.errors import CatalogError
from firmware_catalog.files import IMAGE_LIMIT, read_octets, write_atomically
from firmware_catalog.indexes import UNSIGNED, Listed, read_index
from firmware_catalog.making import bump, corrupted, cut_short, synthesize, too_long
from firmware_catalog.provision import Image
from firmware_catalog.records import Claims


def register(actions: Actions[Any]) -> None:
    """Add the actions."""
    taken = staging(
        actions,
        "import",
        "stage the images of an index of zigpy or Zigbee2MQTT whose files are at hand",
        _import,
        f'Nobody has signed such an index: its images are marked "{UNSIGNED}", and go to no dormant meter before they\n'
        "are vouched for and approved. Each file must be what the index and its own header say.",
    )
    taken.add_argument("index", metavar="INDEX", type=Path, help="the index, JSON")
    taken.add_argument("--files", required=True, metavar="DIR", type=Path, help="where its files are")
    taken.add_argument(
        "--supplier", required=True, metavar="ID", help="the Installing Supplier that provides them"
    )
    synth = action(actions, "synth", "make a well-formed image for tests", _synth)
    synth.add_argument("--manufacturer", required=True, type=manufacturer, metavar="CODE", help="as 0x1002")
    synth.add_argument(
        "--type", required=True, type=manufacturer, metavar="CODE", help="the image type, as 0x0E01"
    )
    synth.add_argument(
        "--octets", type=int, default=100_000, metavar="N", help="how long the upgrade image is"
    )
    synth.add_argument("--text", default="Synthetic", metavar="TEXT", help="the header's text")
    synth.add_argument("--suite", type=int, choices=(1, 2), help="sign it in this suite, with rehearsal keys")
    again = action(actions, "bump", "make an image for tests from another, with another version", _bump)
    again.add_argument("file", metavar="FILE", type=Path, help="the image to begin with")
    for parser in (synth, again):
        parser.add_argument("--version", required=True, type=version, metavar="VERSION", help="as 0x01020000")
        parser.add_argument("--out", required=True, metavar="FILE", type=Path, help="where the image goes")
        parser.add_argument(
            "--seed", default="synthetic", metavar="TEXT", help="what content and signer follow from"
        )
        spoil = parser.add_mutually_exclusive_group()
        spoil.add_argument("--truncate", type=int, metavar="N", help="leave out the last N octets")
        spoil.add_argument("--corrupt", type=int, metavar="OFFSET", help="turn one bit of the octet there")
        spoil.add_argument("--oversize", type=int, metavar="N", help="add N octets after the declared end")


def _import(options: argparse.Namespace) -> int:
    catalogue = opened(options)
    there: list[tuple[Listed, Path]] = []
    absent: list[tuple[Listed, Path]] = []
    for listed in read_index(options.index):
        path = options.files / listed.file_name
        (there if listed.file_name and path.is_file() else absent).append((listed, path))
    images = [(listed, Image.read(path)) for listed, path in there]
    for listed, image in images:
        listed.require(image)
    for listed, image in images:
        provenance = f"{UNSIGNED} {options.index.name}: {listed.url}"[:300]
        catalogue.stage_image(image, options.supplier, Claims(provenance=provenance))
    what = f"staged {len(images)} images of an {UNSIGNED}; {len(absent)} have no file in {options.files}"
    ids = [image.sha256 for _, image in images]
    return staged(options, catalogue, what, ids=ids, absent=[listed.file_name for listed, _ in absent])


def _synth(options: argparse.Namespace) -> int:
    text: str = options.text
    if not text.isascii() or len(text) > 32:
        raise CatalogError(f"--text {text!r}: expected at most 32 ASCII characters")
    header = OtaHeader(
        manufacturer_code=options.manufacturer,
        image_type=options.type,
        file_version=options.version,
        header_string=text.encode().ljust(32, b"\x00"),
    )
    suite = None if options.suite is None else Suite(options.suite)
    return _written(options, synthesize(header, options.octets, seed=options.seed, suite=suite))


def _bump(options: argparse.Namespace) -> int:
    return _written(options, bump(read_octets(options.file, IMAGE_LIMIT), options.version, seed=options.seed))


def _written(options: argparse.Namespace, data: bytes) -> int:
    for spoil, amount in (
        (cut_short, options.truncate),
        (corrupted, options.corrupt),
        (too_long, options.oversize),
    ):
        if amount is not None:
            data = spoil(data, amount)
    write_atomically(options.out, data)
    return told(
        options, [f"made {options.out}, {len(data)} octets"], {"file": str(options.out), "octets": len(data)}
    )
