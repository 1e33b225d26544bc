"""How fast a catalogue proves itself: opened with every signature and statement checked, then every stored octet read.

Opening is what each run pays; checking what is stored is what `smets1 catalog verify` pays, with each file's header,
manufacturer image and record held against one another. The peer is one SHA-256 over the same octets.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.result import Result, median, medians, timed
from emulator.smart_energy.ota.file import OtaHeader
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.making import synthesize
from firmware_catalog.parties import PartyKind
from firmware_catalog.provision import Image
from firmware_catalog.records import Claims
from firmware_catalog.statements import Evidence

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OCTETS = 241_408
"""The median of current public images (device facts 4.1)."""
USED = Evidence("Benchmark", "2025-06-30", "Nowhere", 1)


def measure(quick: bool) -> list[Result]:
    """Return images a second at opening, and megabytes a second at verifying what is stored."""
    images, rounds = (5, 1) if quick else (40, 5)
    with tempfile.TemporaryDirectory() as folder:
        home = _made(Path(folder), images)
        opening = median(lambda: _seconds(lambda: Catalogue.open(home, now=NOW)), rounds)
        opened = Catalogue.open(home, now=NOW)
        data = [path.read_bytes() for path in (home / "targets").rglob("*.ota")]
        verifying, hashing = medians(
            lambda: _seconds(opened.check_stored),
            lambda: _seconds(lambda: [hashlib.sha256(each).digest() for each in data]),
            rounds,
        )
    megabytes = sum(map(len, data)) / 1e6
    return [
        Result("catalogue opened", images / opening, "images/s", note=f"{images} images, each vouched for"),
        Result(
            "catalogue verified",
            megabytes / verifying,
            "MB/s",
            "one SHA-256 over the same octets",
            megabytes / hashing,
            note=f"{images} images of {OCTETS} octets",
        ),
    ]


def _made(folder: Path, images: int) -> Path:
    made = Catalogue.create(folder / "catalogue", now=NOW, seed="benchmark")
    made.stage_party(PartyKind.SUPPLIER, "S")
    for version in range(images):
        path = folder / f"{version}.ota"
        path.write_bytes(synthesize(OtaHeader(0x1002, 0x0E01, version), OCTETS, seed="benchmark"))
        entry = made.stage_image(Image.read(path), "S", Claims())
        made.stage_statement(PartyKind.SUPPLIER, "S", entry.id, USED)
    made.publish()
    return made.path


def _seconds(work: Callable[[], object]) -> float:
    with timed() as watch:
        work()
    return watch.seconds
