"""Make the rehearsal's firmware images and its signed catalogue again, octet for octet.

Run from the top of the project: `python -m harness.examples.make_images`. Every key follows from a seed
that is printed here, so it proves nothing about who made an image: these are rehearsal keys, never for real
devices.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from emulator.crypto.authority import Identity, IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.smart_energy.ota.file import OtaHeader, pack
from emulator.smart_energy.ota.signature import build_signed
from firmware_catalog import making
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.parties import PartyKind
from firmware_catalog.provision import Image
from firmware_catalog.records import Claims
from firmware_catalog.repository import Lifetimes
from firmware_catalog.statements import Approval, Evidence
from harness.examples import DORMANT_SEMI

SEED = "dormant-semi"
FOLDER = DORMANT_SEMI.parent
SIGNER = making.SIGNER
MADE = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LASTING = Lifetimes(timestamp=timedelta(days=3650), snapshot=timedelta(days=3650))
SUPPLIER = "90-B3-D5-1F-30-03-00-00"
APPROVER = "Rehearsal Firmware Board"
CAPABILITY_RELEASE = "Rehearsal capability release 1"


class Recipe(NamedTuple):
    """One image to make: its name, OTA identity, size of the upgrade image in octets, and what may precede
    it.
    """

    name: str
    image_type: int
    version: int
    octets: int
    model: str
    from_versions: tuple[int, ...]
    devices: int


IMAGES = (
    Recipe("esme-1.2.0", 0x0E01, 0x01020000, 150_000, "generic-electricity-meter", (0x01000000,), 41_207),
    Recipe("esme-2.0.0", 0x0E01, 0x02000000, 235_000, "generic-electricity-meter", (0x01020000,), 38_950),
    Recipe("gsme-1.4.0", 0x0601, 0x01040000, 120_000, "generic-gas-meter", (0x01010000,), 36_114),
)


def firmware_signer() -> tuple[IssuingAuthority, Identity]:
    """Return the rehearsal authority of suite 1 and the identity that signs firmware under it."""
    authority = IssuingAuthority.from_seed(Suite.SUITE_1, f"{SEED}/firmware".encode(), making.ISSUER)
    return authority, authority.issue(SIGNER)


def make(image: Recipe, signer: Identity) -> bytes:
    """Return the octets of one signed OTA file."""
    content = hashlib.shake_256(f"{SEED}/{image.name}".encode()).digest(image.octets)
    header = OtaHeader(
        manufacturer_code=0x1002,
        image_type=image.image_type,
        file_version=image.version,
        header_string=f"Rehearsal {image.name}".encode().ljust(32, b"\x00"),
        hardware_minimum=0x0001,
        hardware_maximum=0x0001,
    )
    return pack(build_signed(header, content, signer))


def evidence(image: Recipe) -> Evidence:
    """Return the (invented) evidence that the image is already used in the field."""
    return Evidence(
        reference=f"Rehearsal field record RFR-{image.version:08X}",
        since="2025-06-30",
        where="Rehearsal estate, active meters of the Installing Supplier",
        count=image.devices,
    )


def provide(catalogue: Catalogue, files: Mapping[str, Path], *, approved: bool = True) -> None:
    """Publish in one step those images whose files are named, their evidence and somebody else's approval."""
    catalogue.stage_party(PartyKind.SUPPLIER, SUPPLIER)
    catalogue.stage_party(PartyKind.APPROVER, APPROVER)
    for image in IMAGES:
        if image.name in files:
            claims = Claims((image.model,), image.from_versions, "Made by make_images.py", CAPABILITY_RELEASE)
            entry = catalogue.stage_image(Image.read(files[image.name]), SUPPLIER, claims)
            catalogue.stage_statement(PartyKind.SUPPLIER, SUPPLIER, entry.id, evidence(image))
            if approved:
                approval = Approval(f"Rehearsal board minute {image.version:08X}")
                catalogue.stage_statement(PartyKind.APPROVER, APPROVER, entry.id, approval)
    catalogue.publish()


def main(folder: Path = FOLDER) -> None:
    """Write `catalogue` anew in `folder`."""
    authority, signer = firmware_signer()
    target = folder / "catalogue"
    shutil.rmtree(target, ignore_errors=True)
    catalogue = Catalogue.create(target, now=MADE, seed=SEED, lifetimes=LASTING)
    with tempfile.TemporaryDirectory() as workshop:
        files = {image.name: Path(workshop) / f"{image.name}.ota" for image in IMAGES}
        for image in IMAGES:
            files[image.name].write_bytes(make(image, signer))
        provide(catalogue, files)
    sys.stdout.write(f"firmware authority public key {authority.public_key_octets.hex()}\n")
    sys.stdout.write(f"catalogue root SHA-256 {catalogue.root_sha256}\n")


if __name__ == "__main__":
    main()
