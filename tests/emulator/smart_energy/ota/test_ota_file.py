from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zigpy.ota.image import TelinkOTAImage, parse_ota_image

from emulator.errors import FrameError
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
from emulator.smart_energy.ota.findings import findings
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


plain = st.just(b"")
elements = st.lists(st.builds(OtaElement, u16, st.binary(max_size=40), plain), max_size=5)


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


@given(
    headers(),
    elements,
    st.integers(0xF000, 0xFFFF),
    st.binary(max_size=40),
    st.binary(min_size=2, max_size=2),
)
def test_information_octets_before_the_data_of_a_manufacturers_element_are_told_apart(
    header: OtaHeader, parts: list[OtaElement], tag: int, data: bytes, information: bytes
) -> None:
    parts = [part._replace(tag=part.tag & 0x0FFF) for part in parts]
    file = build(header, [*parts, OtaElement(tag, data, information)])
    assert parse(pack(file)) == file
    assert file.offset_of(tag) == len(file.image) - 8 - len(data)


informed = st.builds(
    OtaElement, st.just(0xF000) | u16, st.binary(max_size=9), st.just(b"") | st.just(b"\x01\x02")
)


@given(headers(), st.lists(informed, max_size=4), st.integers(-9, 9), st.binary(max_size=9))
def test_every_octet_of_any_mixture_is_written_back(
    header: OtaHeader, parts: list[OtaElement], longer: int, after: bytes
) -> None:
    file = build(header, parts)
    stated = replace(file.header, total_size=max(0, file.header.total_size + longer))
    data = pack(replace(file, header=stated, trailing=after))
    assert pack(parse(data)) == data


def test_a_sub_element_of_a_chip_maker_reads_as_its_47_public_images_have_it() -> None:
    # Tag 0xF000, length 16, two octets of information, sixteen of encrypted firmware; the declared size ends there.
    body = bytes.fromhex("00f0100000000102") + bytes(range(16))
    size = (len(EMI_HEADER) + len(body)).to_bytes(4, "little")
    file = parse(EMI_HEADER[:52] + size + body)
    assert file.elements == (OtaElement(0xF000, bytes(range(16)), b"\x01\x02"),)
    assert (file.rest, file.trailing) == (b"", b"")


def test_zigpy_reads_a_chip_makers_sub_element_alike() -> None:
    file = build(OtaHeader(0x1141, 0x0201, 1), [OtaElement(0xF000, bytes(range(16)), b"\x01\x02")])
    read, left = parse_ota_image(pack(file))
    assert isinstance(read, TelinkOTAImage)
    (element,) = read.subelements
    assert (int(element.tag_id), element.data, element.tag_info) == (0xF000, bytes(range(16)), 0x0201)
    assert left == b""


@pytest.mark.parametrize("tag", [OtaTag.UPGRADE_IMAGE, 0x0100])
def test_only_a_manufacturers_own_element_may_carry_information(tag: int) -> None:
    body = tag.to_bytes(2, "little") + bytes.fromhex("040000000102") + b"data"
    size = (len(EMI_HEADER) + len(body)).to_bytes(4, "little")
    file = parse(EMI_HEADER[:52] + size + body)
    assert file.elements == (OtaElement(tag, b"\x01\x02da"),)
    assert file.rest == b"ta"


@given(headers(), st.integers(0, 2**64 - 1))
def test_a_destination_is_one_device_and_none_is_every_device(header: OtaHeader, eui64: int) -> None:
    read = parse(pack(build(header, ()))).header
    assert read.is_for(eui64) is (header.destination in (None, eui64))
    assert replace(read, destination=eui64).is_for(eui64)
    assert not replace(read, destination=eui64).is_for(eui64 ^ 1)


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
    with pytest.raises(FrameError, match="OTA file: empty; expected a ZigBee OTA upgrade file"):
        parse(b"")
    with pytest.raises(FrameError, match="expected a header of 56"):
        parse(EMI_HEADER[:40])
    with pytest.raises(FrameError, match="header length 55"):
        parse(EMI_HEADER[:6] + b"\x37" + EMI_HEADER[7:])
    with pytest.raises(FrameError, match="needs 4 octets of optional fields"):
        parse(EMI_HEADER[:8] + b"\x04" + EMI_HEADER[9:])


def _file(*parts: OtaElement, **header: int) -> OtaFile:
    return build(OtaHeader(0x1002, 0x0E01, 1, **header), parts)  # type: ignore[arg-type]


IMAGE = OtaElement(OtaTag.UPGRADE_IMAGE, b"firmware")


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
