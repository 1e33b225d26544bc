"""The OTA upgrade file: header, optional fields, sub-elements, and what vendors really ship.

Layout as in the ZigBee OTA cluster specification (15-0324-02, 11.4) and protocol facts 2.1: a little-endian
header, optional fields by field-control bits, then sub-elements of tag (16 bits), length (32 bits) and data.
`parse` keeps every octet: `pack(parse(data)) == data` for anything it reads. `findings` says what is unusual
or wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from struct import Struct
from typing import NamedTuple

from emulator.errors import FrameError
from emulator.eui64 import format_eui64

MAGIC = bytes.fromhex("1ef1ee0b")
"""OTA upgrade file identifier 0x0BEEF11E, as it lies in the file."""
HEADER_VERSION = 0x0100
HEADER_OCTETS = 56
PREFIX_LIMIT = 65_536
"""How far into a file the identifier is looked for: vendor bytes before it are short (protocol facts 2.1)."""
MANUFACTURER_TAGS = 0xF000
GBCS_SIGNATURE_OCTETS = 64

_FIXED = Struct("<4sHHHHHIH32sI")
_HARDWARE = Struct("<HH")
_ELEMENT = Struct("<HI")
_STACKS = {0: "ZigBee 2006", 1: "ZigBee 2007", 2: "ZigBee PRO", 3: "ZigBee IP"}


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


class OtaElement(NamedTuple):
    """One sub-element."""

    tag: int
    data: bytes


class GbcsBody(NamedTuple):
    """Body of a GBCS image: the manufacturer image and the 64-octet P-256 signature (DCC facts 3.4)."""

    manufacturer_image: bytes
    signature: bytes


class Finding(NamedTuple):
    """Something worth knowing about a file; `refuses` when the file must not be used."""

    code: str
    text: str
    refuses: bool = False


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
            offset += _ELEMENT.size + len(element.data)
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
    return b"".join(_ELEMENT.pack(element.tag, len(element.data)) + element.data for element in elements)


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
    """Read an OTA file; raises `FrameError` when there is no identifier or the header is cut short.

    Anything after a readable header gives a record: damage further on is for `findings` to name.
    """
    start = data.find(MAGIC, 0, PREFIX_LIMIT)
    if start < 0:
        raise FrameError("OTA file: no identifier 1ef1ee0b; expected a ZigBee OTA upgrade file")
    header = parse_header(data, start)
    end = max(start + header.total_size, start + header.octets)
    elements, rest = _parse_elements(data[start + header.octets : end])
    return OtaFile(header, elements, rest, data[:start], data[end:])


def _parse_elements(body: bytes) -> tuple[tuple[OtaElement, ...], bytes]:
    elements: list[OtaElement] = []
    offset = 0
    while offset + _ELEMENT.size <= len(body):
        tag, length = _ELEMENT.unpack_from(body, offset)
        end = offset + _ELEMENT.size + length
        if end > len(body):
            break
        elements.append(OtaElement(tag, body[offset + _ELEMENT.size : end]))
        offset = end
    return tuple(elements), body[offset:]


def findings(file: OtaFile) -> tuple[Finding, ...]:
    """Say what is unusual or wrong with the structure of a file; empty for a plain, well-formed one."""
    return (*_header_findings(file), *_size_findings(file), *_body_findings(file))


def refusal(found: Sequence[Finding]) -> str | None:
    """Return the reason to refuse a file, the first one found, or None when it may be used."""
    return next((finding.text for finding in found if finding.refuses), None)


def _header_findings(file: OtaFile) -> Iterator[Finding]:
    header = file.header
    if header.header_version != HEADER_VERSION:
        version = f"header version 0x{header.header_version:04X}, expected 0x{HEADER_VERSION:04X}"
        yield Finding("header-version", version, True)
    if header.stack_version not in _STACKS:
        yield Finding("stack-version", f"stack version {header.stack_version} is not a known ZigBee stack")
    if header.reserved_control:
        yield Finding("field-control", f"unknown field control bits 0x{header.reserved_control:04X}")
    if header.extra:
        yield Finding("header-extra", f"{len(header.extra)} octets of the header belong to no known field")
    least, most = header.hardware_minimum, header.hardware_maximum
    if least is not None and most is not None and least > most:
        yield Finding("hardware-range", f"hardware range 0x{least:04X} to 0x{most:04X} is empty", True)
    if header.destination is not None:
        yield Finding("destination", f"for one device only: {format_eui64(header.destination)}")


def _size_findings(file: OtaFile) -> Iterator[Finding]:
    declared, held = file.header.total_size, len(pack_image(file))
    if declared < file.header.octets:
        shorter = f"declares {declared} octets in all, less than its header of {file.header.octets}"
        yield Finding("size-impossible", shorter, True)
    elif held < declared:
        short = f"declares {declared} octets but holds {held}: {declared - held} are missing; fetch it again"
        yield Finding("truncated", short, True)
    if file.prefix:
        yield Finding("prefix", f"{len(file.prefix)} vendor octets before the identifier are not sent")
    if file.trailing:
        yield Finding("trailing", f"{len(file.trailing)} octets after the declared end are not sent")


def _body_findings(file: OtaFile) -> Iterator[Finding]:
    if not file.elements:
        yield from _bare_body_findings(file)
        return
    if file.rest:
        damaged = f"{len(file.rest)} octets after the last whole sub-element are not a sub-element"
        yield Finding("element-damaged", damaged, True)
    yield from _element_findings(file)


def _bare_body_findings(file: OtaFile) -> Iterator[Finding]:
    body = file.gbcs
    if body is not None:
        size = len(body.manufacturer_image)
        yield Finding(
            "gbcs-layout", f"GBCS layout: {size} octets of manufacturer image and a P-256 signature"
        )
    elif file.rest:
        yield Finding("no-elements", "the body is not made of sub-elements; its content cannot be checked")
    else:
        yield Finding("empty", "there is nothing after the header", True)


def _element_findings(file: OtaFile) -> Iterator[Finding]:
    tags = [element.tag for element in file.elements]
    if OtaTag.UPGRADE_IMAGE not in tags and file.header.image_type < 0xFFC0:
        yield Finding("no-image", "no upgrade image sub-element (tag 0x0000)", True)
    for tag, data in file.elements:
        if tag in ELEMENT_OCTETS and len(data) != ELEMENT_OCTETS[OtaTag(tag)]:
            wrong = f"sub-element 0x{tag:04X} of {len(data)} octets, expected {ELEMENT_OCTETS[OtaTag(tag)]}"
            yield Finding("element-length", wrong, True)
        if tag > OtaTag.CERTIFICATE_SUITE_2:
            kind = "manufacturer" if tag >= MANUFACTURER_TAGS else "unknown"
            yield Finding("element-tag", f"{kind} sub-element 0x{tag:04X} of {len(data)} octets")
        if tag == OtaTag.UPGRADE_IMAGE and data.startswith(MAGIC):
            yield Finding("doubled-header", "the upgrade image holds another OTA header")
    yield from _signature_findings(tags)


def _signature_findings(tags: list[int]) -> Iterator[Finding]:
    signatures = [tag for tag in tags if tag in (OtaTag.SIGNATURE_SUITE_1, OtaTag.SIGNATURE_SUITE_2)]
    if len(signatures) > 1:
        yield Finding("signatures", f"{len(signatures)} signatures, expected one", True)
    if len(signatures) != 1:
        return
    suite = 1 if signatures[0] == OtaTag.SIGNATURE_SUITE_1 else 2
    if tags[-1] != signatures[0]:
        yield Finding("signature-place", "the signature is not the last sub-element", True)
    if signatures[0] + 1 not in tags:
        yield Finding(
            "certificate-missing", f"suite {suite} signature without a certificate: cannot be verified"
        )
