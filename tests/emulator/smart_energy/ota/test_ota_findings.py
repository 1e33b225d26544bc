from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.smart_energy.ota.file import (
    MAGIC,
    OtaElement,
    OtaFile,
    OtaHeader,
    OtaTag,
    build,
    pack,
    parse,
)
from emulator.smart_energy.ota.findings import findings, refusal
from tests.ota_samples import each_ota_sample

IMAGE = OtaElement(OtaTag.UPGRADE_IMAGE, b"firmware")


def _file(*parts: OtaElement, **header: int) -> OtaFile:
    return build(OtaHeader(0x1002, 0x0E01, 1, **header), parts)  # type: ignore[arg-type]


def _bare(body: bytes, **header: int) -> OtaFile:
    return build(_file(**header).header, (), body)


def _declaring(file: OtaFile, fewer: int) -> OtaFile:
    """Read the file again as one that declares `fewer` octets than it has."""
    stated = replace(file.header, total_size=file.header.total_size - fewer)
    return parse(pack(replace(file, header=stated)))


def _codes(file: OtaFile) -> list[str]:
    return [finding.code for finding in findings(file)]


def test_a_plain_file_has_no_findings() -> None:
    assert findings(_file(IMAGE)) == ()


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (parse(pack(_file(IMAGE))[:-3]), "truncated"),
        (_file(), "empty"),
        (_file(OtaElement(OtaTag.UPGRADE_IMAGE, b"")), "empty"),
        (_file(IMAGE, OtaElement(OtaTag.UPGRADE_IMAGE, b"")), "empty"),
        (_file(OtaElement(0xF000, b"", b"\x01\x02")), "empty"),
        (_bare(b"\x00\x00\x00"), "empty"),
        (_declaring(_file(IMAGE), 14), "empty"),
        (_declaring(_file(IMAGE), 5), "element-overruns"),
        (_declaring(_file(IMAGE, OtaElement(OtaTag.PICTURE, b"picture")), 3), "element-overruns"),
        (_declaring(_file(OtaElement(0xF000, b"encrypted", b"\x01\x02")), 1), "element-damaged"),
        (_bare(bytes.fromhex("0000ffffff7f") + b"firmware"), "element-overruns"),
        (_file(OtaElement(0xF000, b"no information, so no image")), "no-image"),
        (_file(OtaElement(OtaTag.PICTURE, b"x")), "no-image"),
        (_file(IMAGE, hardware_minimum=2, hardware_maximum=1), "hardware-range"),
        (_file(IMAGE, header_version=0x0200), "header-version"),
        (_file(IMAGE, OtaElement(OtaTag.INTEGRITY_CODE, bytes(15))), "element-length"),
        (build(_file(IMAGE).header, (IMAGE,), b"\x01\x02\x03"), "element-damaged"),
        (_file(OtaElement(OtaTag.SIGNATURE_SUITE_1, bytes(50)), IMAGE), "signature-place"),
        (_file(IMAGE, OtaElement(1, bytes(50)), OtaElement(5, bytes(80))), "signatures"),
        (replace(_file(IMAGE), header=replace(_file(IMAGE).header, total_size=20)), "size-impossible"),
    ],
)
def test_damage_is_named_and_refused(file: OtaFile, code: str) -> None:
    assert code in _codes(file)
    assert refusal(findings(file)) is not None


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (replace(_file(IMAGE), trailing=bytes(4)), "trailing"),
        (replace(_file(IMAGE), prefix=b"NXP"), "prefix"),
        (_file(IMAGE, OtaElement(0xF000, b"")), "element-tag"),
        (_file(IMAGE, OtaElement(OtaTag.SIGNATURE_SUITE_2, bytes(80))), "certificate-missing"),
        (_file(OtaElement(OtaTag.UPGRADE_IMAGE, MAGIC + bytes(52))), "doubled-header"),
        (_file(IMAGE, stack_version=9), "stack-version"),
        (_file(OtaElement(0xF000, b"encrypted", b"\x01\x02")), "element-information"),
        (_file(IMAGE, destination=5), "destination"),
        (build(_file().header, (), b"body that is no sub-element"), "no-elements"),
        (build(_file().header, (), b"manufacturer image\x40" + bytes(64)), "gbcs-layout"),
    ],
)
def test_what_vendors_do_is_named_and_accepted(file: OtaFile, code: str) -> None:
    assert code in _codes(file)
    assert refusal(findings(file)) is None


def test_a_truncated_file_says_how_much_is_missing() -> None:
    text = refusal(findings(parse(pack(_file(IMAGE))[:-3])))
    assert text == "declares 70 octets but holds 67: 3 are missing; fetch it again"


def test_an_element_cut_by_the_declared_size_says_where_and_how_much_would_be_lost() -> None:
    text = refusal(findings(_declaring(_file(IMAGE), 5)))
    assert text == (
        "sub-element 0x0000 at offset 56, of 8 octets, runs 5 past the declared end: a device would lose them"
    )


parts_of_the_specification = st.lists(
    st.builds(OtaElement, st.sampled_from([OtaTag.PICTURE, 0x0100]), st.binary(max_size=20), st.just(b"")),
    max_size=3,
)


@given(parts_of_the_specification, st.binary(min_size=1, max_size=40), st.data())
def test_no_size_that_cuts_an_element_is_accepted(
    more: list[OtaElement], firmware: bytes, data: st.DataObject
) -> None:
    whole = _file(OtaElement(OtaTag.UPGRADE_IMAGE, firmware), *more)
    assert refusal(findings(whole)) is None
    cut = data.draw(st.integers(1, whole.elements[-1].octets - 1))
    assert refusal(findings(_declaring(whole, cut))) is not None


def test_a_gbcs_image_that_happens_to_begin_like_an_element_is_accepted() -> None:
    body = bytes.fromhex("0000ffffff7f") + b"manufacturer image" + b"\x00\x40" + bytes(64)
    assert _codes(_bare(body)) == ["gbcs-layout"]
    assert "element-overruns" in _codes(replace(_bare(body), trailing=bytes(4)))


@each_ota_sample()
def test_no_public_sample_is_refused(path: Path) -> None:
    assert refusal(findings(parse(path.read_bytes()))) is None
