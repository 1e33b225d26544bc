"""The OTA upgrade file: header, optional fields, sub-elements, and what vendors really ship.

Layout as in the ZigBee OTA cluster specification (15-0324-02, 11.4) and protocol facts 2.1: a little-endian
header, optional fields by field-control bits, then sub-elements of tag (16 bits), length (32 bits) and data.
`parse` keeps every octet: `pack(parse(data)) == data` for anything it reads. What is unusual or wrong,
`emulator.smart_energy.ota.findings` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from struct import Struct
from typing import NamedTuple

from emulator.errors import FrameError

MAGIC = bytes.fromhex("1ef1ee0b")
"""OTA upgrade file identifier 0x0BEEF11E, as it lies in the file."""
HEADER_VERSION = 0x0100
HEADER_OCTETS = 56
PREFIX_LIMIT = 65_536
"""How far into a file the identifier is looked for: vendor bytes before it are short (protocol facts 2.1)."""
MANUFACTURER_TAGS = 0xF000
"""First of the sub-element tags whose layout is the manufacturer's own."""
INFORMATION_OCTETS = 2
"""Octets that one chip maker puts between the length of its own sub-elements, which leaves them out, and the data."""
GBCS_SIGNATURE_OCTETS = 64

_FIXED = Struct("<4sHHHHHIH32sI")
_HARDWARE = Struct("<HH")
ELEMENT_HEADER = Struct("<HI")
"""Tag and length of a sub-element."""


class OtaTag(IntEnum):
    """Sub-element tags (protocol facts 2.1)."""

    UPGRADE_IMAGE = 0x0000
    SIGNATURE_SUITE_1 = 0x0001
    CERTIFICATE_SUITE_1 = 0x0002
    INTEGRITY_CODE = 0x0003
    PICTURE = 0x0004
    SIGNATURE_SUITE_2 = 0x0005
    CERTIFICATE_SUITE_2 = 0x0006


ELEMENT_OCTETS = {
    OtaTag.SIGNATURE_SUITE_1: 50,
    OtaTag.CERTIFICATE_SUITE_1: 48,
    OtaTag.INTEGRITY_CODE: 16,
    OtaTag.SIGNATURE_SUITE_2: 80,
    OtaTag.CERTIFICATE_SUITE_2: 74,
}
"""Length in octets of the sub-elements whose length is fixed."""


class FieldControl(IntFlag):
    """Which optional header fields are present."""

    SECURITY_CREDENTIAL = 1
    DESTINATION = 2
    HARDWARE = 4


@dataclass(frozen=True, slots=True)
class OtaHeader:
    """Header of an OTA file.

    `total_size` counts from the identifier, header included. `destination` is an EUI-64; hardware versions
    are both given or both None. `extra` holds octets that the header length covers but no field explains.
    """

    manufacturer_code: int
    image_type: int
    file_version: int
    header_string: bytes = bytes(32)
    total_size: int = HEADER_OCTETS
    stack_version: int = 2
    header_version: int = HEADER_VERSION
    security_credential: int | None = None
    destination: int | None = None
    hardware_minimum: int | None = None
    hardware_maximum: int | None = None
    reserved_control: int = 0
    extra: bytes = b""

    @property
    def field_control(self) -> int:
        """The field-control bits, as the optional fields demand."""
        control = self.reserved_control
        control |= FieldControl.SECURITY_CREDENTIAL if self.security_credential is not None else 0
        control |= FieldControl.DESTINATION if self.destination is not None else 0
        return control | (FieldControl.HARDWARE if self.hardware_minimum is not None else 0)

    @property
    def octets(self) -> int:
        """Header length in octets."""
        return len(pack_header(self))

    @property
    def text(self) -> str:
        """The header string as far as it is printable."""
        raw = self.header_string.split(b"\x00", 1)[0]
        return "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in raw).strip()

    @property
    def identity(self) -> str:
        """Manufacturer, type and version for messages: `0x1015/0x0340 version 0x00040007`."""
        return f"0x{self.manufacturer_code:04X}/0x{self.image_type:04X} version 0x{self.file_version:08X}"

    def fits_hardware(self, hardware_version: int) -> bool:
        """Say whether `hardware_version` lies in the header's range; no range fits every hardware."""
        if self.hardware_minimum is None or self.hardware_maximum is None:
            return True
        return self.hardware_minimum <= hardware_version <= self.hardware_maximum

    def is_for(self, eui64: int) -> bool:
        """Say whether the device `eui64` may have the file: it names no destination, or this one (11.4.2.10)."""
        return self.destination is None or self.destination == eui64


class OtaElement(NamedTuple):
    """One sub-element. `information` is what one chip maker puts before the data, outside the stated length."""

    tag: int
    data: bytes
    information: bytes = b""

    @property
    def octets(self) -> int:
        """Octets of the whole sub-element, tag and length included."""
        return ELEMENT_HEADER.size + len(self.information) + len(self.data)

    @property
    def is_image(self) -> bool:
        """Say whether it holds the upgrade image: plain, or the chip maker's encrypted one."""
        return self.tag == OtaTag.UPGRADE_IMAGE or (self.tag == MANUFACTURER_TAGS and bool(self.information))


class GbcsBody(NamedTuple):
    """Body of a GBCS image: the manufacturer image and the 64-octet P-256 signature (device facts 4.1)."""

    manufacturer_image: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class OtaFile:
    """An OTA file, every octet accounted for.

    `prefix`: vendor octets before the identifier. `rest`: octets inside the declared size that are no
    sub-element. `trailing`: octets after the declared size. Prefix and trailing octets never go over the air.
    """

    header: OtaHeader
    elements: tuple[OtaElement, ...] = ()
    rest: bytes = b""
    prefix: bytes = b""
    trailing: bytes = b""

    @property
    def image(self) -> bytes:
        """The octets that a server serves: from the identifier to the declared end."""
        return pack_image(self)

    def element(self, tag: int) -> bytes | None:
        """Return the data of the first sub-element with `tag`, or None."""
        return next((element.data for element in self.elements if element.tag == tag), None)

    def offset_of(self, tag: int) -> int | None:
        """Return the offset in `image` of the first sub-element with `tag` (of its tag field), or None."""
        offset = self.header.octets
        for element in self.elements:
            if element.tag == tag:
                return offset
            offset += element.octets
        return None

    @property
    def gbcs(self) -> GbcsBody | None:
        """The body as a GBCS image (no sub-elements, length 0x40, 64-octet signature), or None."""
        mark = len(self.rest) - GBCS_SIGNATURE_OCTETS
        if self.elements or mark < 2 or self.rest[mark - 1] != GBCS_SIGNATURE_OCTETS:
            return None
        return GbcsBody(self.rest[: mark - 1], self.rest[mark:])


def pack_header(header: OtaHeader) -> bytes:
    """Write the header, optional fields included."""
    optional = b""
    if header.security_credential is not None:
        optional += bytes((header.security_credential,))
    if header.destination is not None:
        optional += header.destination.to_bytes(8, "little")
    if header.hardware_minimum is not None:
        optional += _HARDWARE.pack(header.hardware_minimum, header.hardware_maximum or 0)
    optional += header.extra
    return (
        _FIXED.pack(
            MAGIC,
            header.header_version,
            HEADER_OCTETS + len(optional),
            header.field_control,
            header.manufacturer_code,
            header.image_type,
            header.file_version,
            header.stack_version,
            header.header_string,
            header.total_size,
        )
        + optional
    )


def pack_elements(elements: Sequence[OtaElement]) -> bytes:
    """Write sub-elements one after another."""
    return b"".join(
        ELEMENT_HEADER.pack(element.tag, len(element.data)) + element.information + element.data
        for element in elements
    )


def pack_image(file: OtaFile) -> bytes:
    """Write the part of a file that goes over the air."""
    return pack_header(file.header) + pack_elements(file.elements) + file.rest


def pack(file: OtaFile) -> bytes:
    """Write a whole file, vendor octets before and after included."""
    return file.prefix + pack_image(file) + file.trailing


def build(header: OtaHeader, elements: Sequence[OtaElement], rest: bytes = b"") -> OtaFile:
    """Make a file of `elements` whose header states the right total size."""
    body = len(pack_elements(elements)) + len(rest)
    total = header.octets + body
    return OtaFile(replace(header, total_size=total), tuple(elements), rest)


def parse_header(data: bytes, offset: int = 0) -> OtaHeader:
    """Read the header at `offset`; raises `FrameError` when it is cut short or no identifier is there."""
    if data[offset : offset + 4] != MAGIC:
        raise FrameError(f"OTA file, offset {offset}: expected the identifier 1ef1ee0b")
    if len(data) < offset + HEADER_OCTETS:
        raise FrameError(
            f"OTA file, offset {offset}: {len(data) - offset} octets, expected a header of {HEADER_OCTETS}"
        )
    _, version, length, control, manufacturer, image_type, file_version, stack, text, total = (
        _FIXED.unpack_from(data, offset)
    )
    optional = data[offset + HEADER_OCTETS : offset + length]
    if length < HEADER_OCTETS or len(optional) != length - HEADER_OCTETS:
        raise FrameError(
            f"OTA file, offset {offset + 6}: header length {length}, expected {HEADER_OCTETS} or more and "
            f"at most the {len(data) - offset} octets there are"
        )
    credential, destination, least, most, extra = _optional_fields(optional, control, offset)
    return OtaHeader(
        manufacturer_code=manufacturer,
        image_type=image_type,
        file_version=file_version,
        header_string=text,
        total_size=total,
        stack_version=stack,
        header_version=version,
        security_credential=credential,
        destination=destination,
        hardware_minimum=least,
        hardware_maximum=most,
        reserved_control=control & ~0x7,
        extra=extra,
    )


def _optional_fields(
    optional: bytes, control: int, offset: int
) -> tuple[int | None, int | None, int | None, int | None, bytes]:
    needed = bool(control & 1) * 1 + bool(control & 2) * 8 + bool(control & 4) * 4
    if len(optional) < needed:
        raise FrameError(
            f"OTA file, offset {offset + 8}: field control 0x{control:04X} needs {needed} octets of optional "
            f"fields, header length leaves {len(optional)}"
        )
    position = 0
    credential = destination = least = most = None
    if control & FieldControl.SECURITY_CREDENTIAL:
        credential = optional[0]
        position = 1
    if control & FieldControl.DESTINATION:
        destination = int.from_bytes(optional[position : position + 8], "little")
        position += 8
    if control & FieldControl.HARDWARE:
        least, most = _HARDWARE.unpack_from(optional, position)
        position += _HARDWARE.size
    return credential, destination, least, most, optional[position:]


def parse(data: bytes) -> OtaFile:
    """Read an OTA file; raises `FrameError` when it is empty, has no identifier or the header is cut short.

    Anything after a readable header gives a record: damage further on is for `findings` to name.
    """
    if not data:
        raise FrameError("OTA file: empty; expected a ZigBee OTA upgrade file")
    start = data.find(MAGIC, 0, PREFIX_LIMIT)
    if start < 0:
        raise FrameError("OTA file: no identifier 1ef1ee0b; expected a ZigBee OTA upgrade file")
    header = parse_header(data, start)
    end = max(start + header.total_size, start + header.octets)
    elements, rest = _parse_elements(data[start + header.octets : end])
    return OtaFile(header, elements, rest, data[:start], data[end:])


def _parse_elements(body: bytes) -> tuple[tuple[OtaElement, ...], bytes]:
    """Read as the specification has it; failing that, as the chip maker does whose elements carry information.

    47 public images of that maker have one element 0xF000 whose length is two short of its room: the two octets
    before the data say how it is encrypted.
    """
    elements, rest = _split(body, 0)
    if rest:
        informed, left = _split(body, INFORMATION_OCTETS)
        if not left:
            return informed, left
    return elements, rest


def _split(body: bytes, information: int) -> tuple[tuple[OtaElement, ...], bytes]:
    """Split a body into elements; those of manufacturers have `information` octets before their data."""
    elements: list[OtaElement] = []
    offset = 0
    while offset + ELEMENT_HEADER.size <= len(body):
        tag, length = ELEMENT_HEADER.unpack_from(body, offset)
        start = offset + ELEMENT_HEADER.size
        data = start + (information if tag >= MANUFACTURER_TAGS else 0)
        if data + length > len(body):
            break
        elements.append(OtaElement(tag, body[data : data + length], body[start:data]))
        offset = data + length
    return tuple(elements), body[offset:]
