"""What stands against an image, asked of the example's home before anything touches a device."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

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
from firmware_catalog.gate import Home
from firmware_catalog.parties import PartyKind
from firmware_catalog.records import Entry, file_claims
from firmware_catalog.standing import Standing
from firmware_catalog.statements import Approval, Evidence, Requirement, Said, Waiver, make_statement
from harness.examples import DORMANT_SEMI
from harness.examples.make_images import SIGNER, firmware_signer
from hw_profiles.installation import Installation, load_installation

TODAY = datetime.date(2026, 3, 2)
MPAN, ID = "1400001234565", "0" * 64
USED = Evidence("Field record 17", "2019-03-01", "East Midlands", 41_000)
OLD, NEW = 0x01000000, 0x01020000


@cache
def home() -> Installation:
    return load_installation(DORMANT_SEMI)


def meter(**changes: object) -> Recipient:
    installation = home()
    entry = installation.device("electricity")
    trusts = tuple(trust_of(authority) for authority in installation.record.firmware_authorities)
    made = Recipient(installation.models["electricity"], entry.address, OLD, Home(MPAN, "A", True), trusts)
    return replace(made, **changes)  # type: ignore[arg-type]


def image(**header: object) -> OtaFile:
    fields = {"manufacturer_code": 0x1002, "image_type": 0x0E01, "file_version": NEW, **header}
    return build_signed(OtaHeader(**fields), b"firmware", firmware_signer()[1])  # type: ignore[arg-type]


def record(file: OtaFile, **claims: object) -> Entry:
    fields: dict[str, object] = {
        "id": ID,
        "path": "supplier-a/1002/image.ota",
        "octets": len(file.image),
        "file_name": "image.ota",
        "supplier": "A",
        "models": (),
        "from_versions": (),
        "added": "",
        "added_by": "",
        "findings": (),
        **file_claims(file),
        **claims,
    }
    return Entry(**fields)  # type: ignore[arg-type]


def standing(file: OtaFile, used: Evidence | None = USED, **claims: object) -> Standing:
    """Return an image as supplier A provides and vouches for it, and somebody else approves it."""
    said: list[tuple[PartyKind, str, Said]] = [(PartyKind.APPROVER, "Board", Approval("Minute 1"))]
    said += [] if used is None else [(PartyKind.SUPPLIER, "A", used)]
    statements = [make_statement(kind, by, ID, TODAY, says) for kind, by, says in said]
    keys = {"supplier-a": frozenset({"a"}), "approver-board": frozenset({"b"})}
    return Standing(ID, (record(file, **claims),), tuple(statements), keys)


def kinds(file: OtaFile, recipient: Recipient, known: Standing) -> list[ObjectionKind]:
    return [objection.kind for objection in objections(file, recipient, known, TODAY)]


def test_a_signed_known_and_used_image_of_the_next_version_meets_no_objection() -> None:
    file = image()
    assert objections(file, meter(), standing(file, from_versions=(OLD,)), TODAY) == ()
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
    (objection,) = [item for item in objections(file, meter(), standing(file), TODAY) if item.kind is kind]
    assert words in objection.text


def test_an_image_made_for_this_very_device_is_for_it() -> None:
    file = image(destination=meter().eui64)
    assert kinds(file, meter(), standing(file)) == []


def test_an_image_larger_than_the_slot_is_known_beforehand() -> None:
    flash = meter().model.flash
    assert flash is not None
    small = replace(meter().model, flash=replace(flash, slot_octets=64))
    assert kinds(image(), meter(model=small), standing(image())) == [ObjectionKind.SIZE]


def test_a_model_without_an_ota_client_takes_nothing() -> None:
    assert ObjectionKind.IDENTITY in kinds(
        image(), meter(model=replace(meter().model, ota=None)), Standing(ID)
    )


@pytest.mark.parametrize(
    ("claims", "kind", "words"),
    [
        ({"from_versions": (0x00010000,)}, ObjectionKind.FROM_VERSIONS, "may follow 0x00010000 only"),
        ({"models": ("another",)}, ObjectionKind.MODEL, "recorded for another"),
        ({"used": None}, ObjectionKind.EVIDENCE, "no evidence of prior field use"),
        ({"used": replace(USED, where=" ")}, ObjectionKind.EVIDENCE, "where it was used"),
        (
            {"version": 0x02000000},
            ObjectionKind.CLAIMS,
            "signed as version 0x02000000, but the file itself",
        ),
        ({"destination": "00-DB-12-34-56-78-90-A1"}, ObjectionKind.CLAIMS, "itself says nothing"),
    ],
)
def test_what_the_record_has_against_it_is_told(
    claims: dict[str, Any], kind: ObjectionKind, words: str
) -> None:
    file = image()
    (objection,) = objections(file, meter(), standing(file, **claims), TODAY)
    assert objection.kind is kind
    assert words in objection.text


def test_an_image_in_no_catalogue_is_for_meters_that_are_not_dormant() -> None:
    missing = [ObjectionKind.PROVIDER, ObjectionKind.EVIDENCE, ObjectionKind.APPROVAL]
    assert kinds(image(), meter(), Standing(ID)) == missing
    assert kinds(image(), meter(home=Home(MPAN, "A", False)), Standing(ID)) == []


def test_a_waiver_of_the_home_lifts_what_it_names_and_nothing_of_the_device() -> None:
    file = image()
    lifts = (Requirement.FROM_VERSIONS, Requirement.EVIDENCE)
    says = Waiver(MPAN, lifts, "2026-04-01", "the step between is lost")
    waiver = make_statement(PartyKind.APPROVER, "Board", ID, TODAY, says)
    known = standing(file, None, from_versions=(0x00010000,), models=("another",))
    known = replace(known, statements=(*known.statements, waiver))
    assert kinds(file, meter(), known) == [ObjectionKind.MODEL]
    assert len(kinds(file, meter(home=Home("1400001234567", "A", True)), known)) == 3


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
