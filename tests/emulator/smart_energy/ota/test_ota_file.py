from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.errors import FrameError
from emulator.smart_energy.ota.file import (
    MAGIC,
    OtaElement,
    OtaFile,
    OtaHeader,
    OtaTag,
    build,
    findings,
    pack,
    parse,
    refusal,
)
from tests.ota_samples import each_ota_sample

# Header of the public image EmiNorwegianHan_4.0.7.zigbee (protocol facts, public images).
EMI_HEADER = bytes.fromhex("1ef1ee0b00013800000015104003070004000200" + "00" * 32 + "2d1d0300")

u16, u32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
hardware = st.none() | st.tuples(u16, u16)


@st.composite
def headers(draw: st.DrawFn) -> OtaHeader:
    least_most = draw(hardware)
    return OtaHeader(
        manufacturer_code=draw(u16),
        image_type=draw(u16),
        file_version=draw(u32),
        header_string=draw(st.binary(min_size=32, max_size=32)),
        stack_version=draw(u16),
        header_version=draw(u16),
        security_credential=draw(st.none() | st.integers(0, 255)),
        destination=draw(st.none() | st.integers(0, 2**64 - 1)),
        hardware_minimum=None if least_most is None else least_most[0],
        hardware_maximum=None if least_most is None else least_most[1],
        reserved_control=draw(st.integers(0, 0x1FFF)) << 3,
        extra=draw(st.binary(max_size=4)),
    )


elements = st.lists(st.builds(OtaElement, u16, st.binary(max_size=40)), max_size=5)


@given(headers(), elements)
def test_what_is_written_reads_back(header: OtaHeader, parts: list[OtaElement]) -> None:
    file = build(header, parts)
    assert parse(pack(file)) == file
    assert file.header.total_size == len(file.image) == len(pack(file))


@given(headers(), elements, st.binary(max_size=9), st.binary(max_size=9))
def test_vendor_octets_around_the_image_are_kept(
    header: OtaHeader, parts: list[OtaElement], before: bytes, after: bytes
) -> None:
    file = replace(build(header, parts), prefix=before.replace(MAGIC[:1], b"x"), trailing=after)
    assert parse(pack(file)) == file


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: EMI_HEADER + tail))
def test_any_octets_give_a_record_that_writes_them_back_or_a_frame_error(data: bytes) -> None:
    try:
        file = parse(data)
    except FrameError as error:
        assert "OTA file" in str(error)  # noqa: PT017
        return
    assert pack(file) == data
    findings(file)


@given(st.integers(0, len(EMI_HEADER) - 1), st.integers(0, 255))
def test_a_header_with_one_octet_changed_is_read_or_refused(place: int, octet: int) -> None:
    data = bytearray(EMI_HEADER + b"\x00\x00\x04\x00\x00\x00data")
    data[place] = octet
    with suppress(FrameError):
        assert pack(parse(bytes(data))) == bytes(data)


def test_the_public_header_reads_as_the_public_facts_say() -> None:
    header = parse(EMI_HEADER).header
    assert header.identity == "0x1015/0x0340 version 0x00040007"
    assert (header.total_size, header.octets, header.stack_version) == (204077, 56, 2)


def test_a_header_without_identifier_or_cut_short_is_a_frame_error() -> None:
    with pytest.raises(FrameError, match="no identifier"):
        parse(b"not an image")
    with pytest.raises(FrameError, match="expected a header of 56"):
        parse(EMI_HEADER[:40])
    with pytest.raises(FrameError, match="header length 55"):
        parse(EMI_HEADER[:6] + b"\x37" + EMI_HEADER[7:])
    with pytest.raises(FrameError, match="needs 4 octets of optional fields"):
        parse(EMI_HEADER[:8] + b"\x04" + EMI_HEADER[9:])


def _file(*parts: OtaElement, **header: int) -> OtaFile:
    return build(OtaHeader(0x1002, 0x0E01, 1, **header), parts)  # type: ignore[arg-type]


IMAGE = OtaElement(OtaTag.UPGRADE_IMAGE, b"firmware")


def _codes(file: OtaFile) -> list[str]:
    return [finding.code for finding in findings(file)]


def test_a_plain_file_has_no_findings() -> None:
    assert findings(_file(IMAGE)) == ()


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (parse(pack(_file(IMAGE))[:-3]), "truncated"),
        (_file(), "empty"),
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
        (_file(OtaElement(OtaTag.UPGRADE_IMAGE, EMI_HEADER)), "doubled-header"),
        (_file(IMAGE, stack_version=9), "stack-version"),
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


def test_a_gbcs_body_is_split_into_image_and_signature() -> None:
    body = build(_file().header, (), b"manufacturer image\x40" + bytes(64)).gbcs
    assert body is not None
    assert body.manufacturer_image == b"manufacturer image"
    assert body.signature == bytes(64)


def test_hardware_range_includes_both_ends() -> None:
    header = _file(IMAGE, hardware_minimum=3, hardware_maximum=5).header
    assert [header.fits_hardware(version) for version in (2, 3, 5, 6)] == [False, True, True, False]
    assert _file(IMAGE).header.fits_hardware(0xFFFF)


def test_offsets_point_at_tags() -> None:
    file = _file(IMAGE, OtaElement(OtaTag.INTEGRITY_CODE, bytes(16)))
    offset = file.offset_of(OtaTag.INTEGRITY_CODE)
    assert offset == 56 + 6 + 8
    assert file.image[offset : offset + 6] == bytes.fromhex("030010000000")
    assert file.offset_of(OtaTag.PICTURE) is None


@each_ota_sample()
def test_every_public_sample_is_read_octet_for_octet(path: Path) -> None:
    data = path.read_bytes()
    file = parse(data)
    assert pack(file) == data
    assert refusal(findings(file)) is None
