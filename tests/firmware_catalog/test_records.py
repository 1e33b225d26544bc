"""What a catalogue says of an image: its form in signed metadata, whom the image is for, and what is still missing."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.eui64 import format_eui64
from emulator.smart_energy.ota.file import OtaElement, OtaFile, OtaHeader, OtaTag
from firmware_catalog.errors import CatalogError
from firmware_catalog.records import Entry, Verification, checked, file_claims, from_custom, to_custom
from firmware_catalog.statements import Evidence

TODAY = date(2026, 3, 1)
USED = Evidence("Field record 17", "2019-03-01", "East Midlands", 41_000, "0f" * 32)
DEVICE = 0x00DB1234567890A1
ENTRY = Entry(
    id="0a" * 32,
    path="supplier-a/1002/image.ota",
    octets=300,
    file_name="image.ota",
    supplier="Supplier A",
    manufacturer_code=0x1002,
    image_type=0x0E01,
    version=2,
    image_octets=280,
    header_text="Meter",
    image_sha256="0b" * 32,
    verification=Verification.NONE,
    models=("meter",),
    from_versions=(1,),
    added="2026-03-01T00:00:00+00:00",
    added_by="somebody",
    findings=("integrity code right",),
    hardware_minimum=1,
    hardware_maximum=3,
    provenance="mail",
    capability_release="R1",
    destination=format_eui64(DEVICE),
)

lines = st.text(st.characters(categories=["L", "N", "P"]), max_size=40)
u16, u32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
entries = st.builds(
    replace,
    st.just(ENTRY),
    octets=u32,
    file_name=lines,
    supplier=lines,
    manufacturer_code=u16,
    image_type=u16,
    version=u32,
    image_octets=u32,
    header_text=lines,
    models=st.lists(lines, max_size=3).map(tuple),
    from_versions=st.lists(u32, max_size=3).map(tuple),
    findings=st.lists(lines, max_size=3).map(tuple),
    hardware_minimum=st.none() | u16,
    hardware_maximum=st.none() | u16,
    provenance=lines,
    verification=st.sampled_from(Verification),
    destination=st.none() | st.integers(1, 2**64 - 2).map(format_eui64),
)


@given(entries)
def test_what_is_signed_is_read_as_it_was_said(entry: Entry) -> None:
    assert from_custom(entry.path, entry.id, entry.octets, to_custom(entry)) == entry
    assert checked(entry) == entry


def refusal(custom: Any, path: str = ENTRY.path, sha256: object = ENTRY.id, octets: Any = 300) -> str:
    with pytest.raises(CatalogError) as refused:
        from_custom(path, sha256, octets, custom)
    said = str(refused.value)
    assert said.startswith("catalogue entry ")
    assert said.endswith("; its party must sign it again or withdraw it")
    assert "\n" not in said
    return said


WHOLE = to_custom(ENTRY)
OPTIONAL: dict[str, Any] = {"hardware_minimum": None, "hardware_maximum": None, "destination": None}
OPTIONAL |= {"provenance": "", "capability_release": ""}


@pytest.mark.parametrize("name", WHOLE)
def test_each_field_that_is_left_out_is_missed_unless_it_may_be(name: str) -> None:
    less = {key: value for key, value in WHOLE.items() if key != name}
    if name in OPTIONAL:
        assert from_custom(ENTRY.path, ENTRY.id, 300, less) == replace(ENTRY, **{name: OPTIONAL[name]})
    else:
        assert f"{name}: missing" in refusal(less)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", [1.5, True, b"octets", {"a": 1}, [[1]]], ids=repr)
def test_each_field_of_another_type_is_named(name: str, value: Any) -> None:
    assert name in refusal({**WHOLE, name: value})


@pytest.mark.parametrize("name", ["id", "path", "octets", "size", "Evidence"])
def test_a_field_more_is_named(name: str) -> None:
    assert f"{name}: unknown key" in refusal({**WHOLE, name: 1})


@pytest.mark.parametrize("custom", [None, [], "text", 7])
def test_a_record_that_is_no_table_is_refused(custom: Any) -> None:
    assert "custom is no table" in refusal(custom)


VALUES: list[tuple[str, Any, str]] = [
    ("supplier", "x" * 301, "one line of at most 300 printable characters"),
    ("supplier", "two\nlines", "one line of at most 300 printable characters"),
    ("file_name", "\x1b[2J", "one line of at most 300 printable characters"),
    ("manufacturer_code", 0x10000, "a number from 0 to 65535"),
    ("image_type", -1, "a number from 0 to 65535"),
    ("version", 2**32, "a number from 0 to 4294967295"),
    ("from_versions", [-1], "a number from 0 to 4294967295"),
    ("models", ["a\tb"], "one line of at most 300 printable characters"),
    ("destination", "00DB1234567890A1", "destination"),
]


@pytest.mark.parametrize(
    ("name", "value", "expected"), VALUES, ids=[f"{row[0]} {row[1]!r}"[:40] for row in VALUES]
)
def test_a_value_that_its_field_cannot_have_is_refused_with_what_it_can(
    name: str, value: Any, expected: str
) -> None:
    said = refusal({**WHOLE, name: value})
    assert name in said
    assert expected in said


@pytest.mark.parametrize(
    "path",
    [
        "",
        "image.ota",
        "/etc/passwd",
        "../1002/y",
        "A/1002/b",
        "a/b",
        "a/b/c",
        "a/1002/" + "x" * 121,
        "a/1002/\n",
    ],
)
def test_a_path_is_a_suppliers_and_a_file_name(path: str) -> None:
    assert "a path as supplier-a/1002/image.ota" in refusal(WHOLE, path=path)


@pytest.mark.parametrize("sha256", [None, "", "0A" * 32, "0a" * 31, 5])
def test_an_id_is_a_digest(sha256: object) -> None:
    assert "id" in refusal(WHOLE, sha256=sha256)


# Whom an image is for


@pytest.mark.parametrize(
    ("model", "hardware", "eui64", "fits"),
    [
        ("meter", 1, DEVICE, True),
        ("meter", 3, DEVICE, True),
        ("meter", 0, DEVICE, False),
        ("meter", 4, DEVICE, False),
        ("other", 2, DEVICE, False),
        ("meter", 2, DEVICE + 1, False),
        ("meter", 2, None, False),
    ],
)
def test_an_image_fits_a_model_of_its_hardware_and_the_one_device_it_was_made_for(
    model: str, hardware: int, eui64: int | None, fits: bool
) -> None:
    assert ENTRY.fits(model, hardware, eui64) is fits


@pytest.mark.parametrize("missing", ["models", "hardware_minimum", "hardware_maximum", "destination"])
def test_what_an_image_does_not_say_it_does_not_demand(missing: str) -> None:
    entry = replace(ENTRY, **{missing: () if missing == "models" else None})  # type: ignore[arg-type]
    model, hardware, eui64 = {
        "models": ("other", 2, DEVICE),
        "hardware_minimum": ("meter", 99, DEVICE),
        "hardware_maximum": ("meter", 99, DEVICE),
        "destination": ("meter", 2, None),
    }[missing]
    assert not ENTRY.fits(model, hardware, eui64)
    assert entry.fits(model, hardware, eui64)


@given(u32, st.lists(u32, max_size=3), u32)
def test_an_image_follows_the_versions_it_names_or_any_but_never_itself(
    version: int, allowed: list[int], running: int
) -> None:
    entry = replace(ENTRY, version=version, from_versions=tuple(allowed))
    assert entry.may_follow(running) == (running != version and (running in allowed or not allowed))
    assert not entry.may_follow(version)


# What its own header says

HEADER = OtaHeader(
    manufacturer_code=0x1002,
    image_type=0x0E01,
    file_version=2,
    header_string=b"Meter".ljust(32, b"\0"),
    hardware_minimum=1,
    hardware_maximum=3,
    destination=DEVICE,
    total_size=280,
)
FILE = OtaFile(HEADER, (OtaElement(OtaTag.UPGRADE_IMAGE, b"firmware"),))
HONEST = replace(ENTRY, **file_claims(FILE))


def test_a_record_that_says_what_the_header_says_is_honest() -> None:
    HONEST.require_file(FILE)


@pytest.mark.parametrize(
    ("name", "lie", "shown"),
    [
        ("manufacturer_code", 0x1003, "manufacturer_code 0x1003, but the file itself says 0x1002"),
        ("image_type", 0x0E02, "image_type 0x0E02, but the file itself says 0x0E01"),
        ("version", 3, "version 0x00000003, but the file itself says 0x00000002"),
        ("image_octets", 281, "image_octets 281, but the file itself says 280"),
        ("header_text", "Other", "header_text 'Other', but the file itself says 'Meter'"),
        ("hardware_minimum", None, "hardware_minimum nothing, but the file itself says 0x0001"),
        ("hardware_maximum", 9, "hardware_maximum 0x0009, but the file itself says 0x0003"),
        ("destination", None, "destination nothing, but the file itself says '00-DB-12-34-56-78-90-A1'"),
    ],
)
def test_each_lie_about_the_header_is_told_with_the_truth(name: str, lie: Any, shown: str) -> None:
    with pytest.raises(CatalogError) as refused:
        replace(HONEST, **{name: lie}).require_file(FILE)
    advice = "its supplier must sign what it is, or withdraw it"
    assert str(refused.value) == f"catalogue entry supplier-a/1002/image.ota: signed as {shown}; {advice}"


def test_every_claim_that_the_header_decides_is_held_against_it() -> None:
    names = {field.name for field in fields(Entry)}
    assert set(file_claims(FILE)) <= names
    assert len(file_claims(FILE)) == 10


# Evidence


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({}, []),
        ({"document_sha256": None}, []),
        ({"reference": "  "}, ["a reference"]),
        ({"since": "2026-03-01"}, []),
        ({"since": "2026-03-02"}, ["a date of use that is past (2026-03-02 is after 2026-03-01)"]),
        ({"where": ""}, ["where it was used"]),
        ({"reference": "", "where": ""}, ["a reference", "where it was used"]),
    ],
)
def test_what_evidence_of_field_use_still_lacks(changes: dict[str, Any], missing: list[str]) -> None:
    assert replace(USED, **changes).missing(TODAY) == missing
