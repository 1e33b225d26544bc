"""What stands against an image, asked of the example's home before anything touches a device."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.eui64 import format_eui64
from emulator.smart_energy.ota.file import OtaElement, OtaFile, OtaHeader, OtaTag, build, pack, parse
from emulator.smart_energy.ota.signature import build_signed, trust_of
from firmware_catalog.acceptance import (
    ObjectionKind,
    Recipient,
    is_of_kind,
    listing_objections,
    objections,
)
from firmware_catalog.records import Entry, Evidence, header_claims
from harness.examples import DORMANT_SEMI
from harness.examples.make_images import SIGNER, firmware_signer
from hw_profiles.installation import Installation, load_installation

TODAY = datetime.date(2026, 3, 2)
USED = Evidence("Field record 17", "2019-03-01", "East Midlands", 41_000)
OLD, NEW = 0x01000000, 0x01020000


@cache
def home() -> Installation:
    return load_installation(DORMANT_SEMI)


def meter(**changes: object) -> Recipient:
    installation = home()
    entry = installation.device("electricity")
    trusts = tuple(trust_of(authority) for authority in installation.record.firmware_authorities)
    made = Recipient(installation.models["electricity"], entry.address, OLD, trusts, dormant=True)
    return replace(made, **changes)  # type: ignore[arg-type]


def image(**header: object) -> OtaFile:
    fields = {"manufacturer_code": 0x1002, "image_type": 0x0E01, "file_version": NEW, **header}
    return build_signed(OtaHeader(**fields), b"firmware", firmware_signer()[1])  # type: ignore[arg-type]


def record(file: OtaFile, **claims: object) -> Entry:
    fields: dict[str, object] = {
        "id": "0" * 64,
        "path": "supplier-a/image.ota",
        "octets": len(file.image),
        "file_name": "image.ota",
        "supplier": "A",
        "models": (),
        "from_versions": (),
        "evidence": USED,
        "added": "",
        "added_by": "",
        "findings": (),
        **header_claims(file.header),
        **claims,
    }
    return Entry(**fields)  # type: ignore[arg-type]


def kinds(file: OtaFile, recipient: Recipient, entry: Entry | None) -> list[ObjectionKind]:
    return [objection.kind for objection in objections(file, recipient, entry, TODAY)]


def test_a_signed_known_and_used_image_of_the_next_version_meets_no_objection() -> None:
    file = image()
    assert objections(file, meter(), record(file, from_versions=(OLD,)), TODAY) == ()
    assert is_of_kind(file.header, meter().model)


def _another_signer() -> OtaFile:
    identity = IssuingAuthority.from_seed(Suite.SUITE_1, b"somebody else", b"SOMEBODY").issue(SIGNER)
    return build_signed(OtaHeader(0x1002, 0x0E01, NEW), b"firmware", identity)


def _unsigned() -> OtaFile:
    return build(OtaHeader(0x1002, 0x0E01, NEW), (OtaElement(OtaTag.UPGRADE_IMAGE, b"firmware"),))


def _altered() -> OtaFile:
    return parse(pack(image()).replace(b"firmware", b"Firmware"))


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: image(image_type=0x0601), ObjectionKind.IDENTITY, "takes 0x1002/0x0E01"),
        (lambda: image(manufacturer_code=0x1031), ObjectionKind.IDENTITY, "an image of 0x1031/0x0E01"),
        (
            lambda: image(hardware_minimum=7, hardware_maximum=9),
            ObjectionKind.HARDWARE,
            "for hardware 0x0007 to 0x0009",
        ),
        (
            lambda: image(destination=0x00DB1234567890A2),
            ObjectionKind.DESTINATION,
            "for the device 00-DB-12-34-56-78-90-A2 only, not for 00-DB-12-34-56-78-90-A1",
        ),
        (_another_signer, ObjectionKind.VERIFICATION, "unknown certificate issuer"),
        (_unsigned, ObjectionKind.VERIFICATION, "no suite 1 signature"),
        (_altered, ObjectionKind.VERIFICATION, "integrity code is wrong"),
        (lambda: image(file_version=OLD), ObjectionKind.VERSION, "runs already"),
        (lambda: image(file_version=OLD - 1), ObjectionKind.VERSION, "is older than 0x01000000"),
        (lambda: parse(pack(image())[:-1]), ObjectionKind.DAMAGED, "1 are missing"),
    ],
)
def test_what_the_device_would_refuse_is_known_beforehand(
    make: Callable[[], OtaFile], kind: ObjectionKind, words: str
) -> None:
    file = make()
    (objection,) = [item for item in objections(file, meter(), record(file), TODAY) if item.kind is kind]
    assert words in objection.text


def test_an_image_made_for_this_very_device_is_for_it() -> None:
    file = image(destination=meter().eui64)
    assert kinds(file, meter(), record(file)) == []


def test_an_image_larger_than_the_slot_is_known_beforehand() -> None:
    flash = meter().model.flash
    assert flash is not None
    small = replace(meter().model, flash=replace(flash, slot_octets=64))
    assert kinds(image(), meter(model=small), record(image())) == [ObjectionKind.SIZE]


def test_a_model_without_an_ota_client_takes_nothing() -> None:
    assert ObjectionKind.IDENTITY in kinds(image(), meter(model=replace(meter().model, ota=None)), None)


@pytest.mark.parametrize(
    ("claims", "kind", "words"),
    [
        ({"from_versions": (0x00010000,)}, ObjectionKind.FROM_VERSIONS, "may follow 0x00010000 only"),
        ({"models": ("another",)}, ObjectionKind.MODEL, "recorded for another"),
        ({"evidence": None}, ObjectionKind.EVIDENCE, "lacks any"),
        ({"evidence": replace(USED, count=None)}, ObjectionKind.EVIDENCE, "how many devices ran it"),
        (
            {"version": 0x02000000},
            ObjectionKind.CLAIMS,
            "signed as version 0x02000000, but the file's header",
        ),
        ({"destination": "00-DB-12-34-56-78-90-A1"}, ObjectionKind.CLAIMS, "header says nothing"),
    ],
)
def test_what_the_record_has_against_it_is_told(
    claims: dict[str, object], kind: ObjectionKind, words: str
) -> None:
    file = image()
    (objection,) = objections(file, meter(), record(file, **claims), TODAY)
    assert objection.kind is kind
    assert words in objection.text


def test_an_image_in_no_catalogue_is_for_meters_that_are_not_dormant() -> None:
    assert kinds(image(), meter(), None) == [ObjectionKind.EVIDENCE]
    assert kinds(image(), meter(dormant=False), None) == []


def test_firmware_that_no_combination_lists_is_known_beforehand() -> None:
    (objection,) = listing_objections(home(), "electricity", NEW)
    assert objection == (
        ObjectionKind.LISTING,
        "version 1.2.0 (0x01020000) is in no eligible combination (RC-0001)",
    )
    assert listing_objections(home(), "electricity", 0x02000000) == ()
    assert listing_objections(home(), "electricity", 0x7F000000)[0].text.startswith("version 0x7F000000")
    assert listing_objections(home(), "display", 0x7F000000) == ()


def test_the_destination_is_shown_as_it_stands_on_a_label() -> None:
    assert record(image(destination=5)).destination == format_eui64(5)
