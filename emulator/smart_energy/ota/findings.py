"""What is unusual or wrong with an OTA file, before anybody installs it: its structure, octet for octet.

A finding that `refuses` means that the file must not be used: it is damaged, cut short, or holds no firmware. The
others describe what vendors really ship (protocol facts 2.1; fact sheet, public images).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from emulator.eui64 import format_eui64
from emulator.smart_energy.ota.file import (
    ELEMENT_HEADER,
    ELEMENT_OCTETS,
    HEADER_VERSION,
    MAGIC,
    MANUFACTURER_TAGS,
    OtaElement,
    OtaFile,
    OtaTag,
    pack_image,
)

_STACKS = {0: "ZigBee 2006", 1: "ZigBee 2007", 2: "ZigBee PRO", 3: "ZigBee IP"}
_SPECIAL_TYPES = 0xFFC0
"""Image types from here on are no firmware: credentials, configuration, logs (protocol facts 2.1)."""


class Finding(NamedTuple):
    """Something worth knowing about a file; `refuses` when the file must not be used."""

    code: str
    text: str
    refuses: bool = False


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
    elif _is_truncated(file):
        short = f"declares {declared} octets but holds {held}: {declared - held} are missing; fetch it again"
        yield Finding("truncated", short, True)
    if file.prefix:
        yield Finding("prefix", f"{len(file.prefix)} vendor octets before the identifier are not sent")
    if file.trailing:
        yield Finding("trailing", f"{len(file.trailing)} octets after the declared end are not sent")


def _is_truncated(file: OtaFile) -> bool:
    return len(pack_image(file)) < file.header.total_size


def _body_findings(file: OtaFile) -> Iterator[Finding]:
    overrun = _overrun(file)
    if overrun is not None:
        yield overrun
    elif file.elements and file.rest:
        damaged = f"{len(file.rest)} octets after the last whole sub-element are not a sub-element"
        yield Finding("element-damaged", damaged, True)
    elif not file.elements:
        yield from _bare_body_findings(file)
    if file.elements:
        yield from _element_findings(file)


def _overrun(file: OtaFile) -> Finding | None:
    """Find a sub-element that ends past the declared size: what a device fetches would lack its end.

    After other elements, anything that reads as one is taken for one. A body of nothing else may be of another
    layout, so there it must be a tag of the specification, or lie whole in the file and be cut by the size alone.
    """
    if len(file.rest) < ELEMENT_HEADER.size or _is_truncated(file) or _is_surely_gbcs(file):
        return None
    tag, length = ELEMENT_HEADER.unpack_from(file.rest)
    missing = ELEMENT_HEADER.size + length - len(file.rest)
    known = file.elements or tag <= OtaTag.CERTIFICATE_SUITE_2 or missing <= len(file.trailing)
    if not known or missing <= 0:
        return None
    start = file.header.octets + sum(element.octets for element in file.elements)
    runs = (
        f"sub-element 0x{tag:04X} at offset {start}, of {length} octets, runs {missing} past the declared end"
    )
    return Finding("element-overruns", f"{runs}: a device would lose them", True)


def _is_surely_gbcs(file: OtaFile) -> bool:
    """Say whether the body ends as a GBCS image does: the flag ForceReplace, then the signature (device facts 4.1)."""
    body = file.gbcs
    return body is not None and not file.trailing and body.manufacturer_image[-1] in (0, 1)


def _bare_body_findings(file: OtaFile) -> Iterator[Finding]:
    body = file.gbcs
    if not file.rest:
        yield Finding("empty", "there is nothing after the header", True)
    elif len(file.rest) <= ELEMENT_HEADER.size:
        short = f"{len(file.rest)} octets after the header are no firmware"
        yield Finding("empty", short, True)
    elif body is not None:
        size = len(body.manufacturer_image)
        layout = f"GBCS layout: {size} octets of manufacturer image and a P-256 signature"
        yield Finding("gbcs-layout", layout)
    else:
        yield Finding("no-elements", "the body is not made of sub-elements; its content cannot be checked")


def _element_findings(file: OtaFile) -> Iterator[Finding]:
    yield from _image_findings(file)
    for element in file.elements:
        yield from _one_element_findings(element)
    yield from _signature_findings([element.tag for element in file.elements])


def _image_findings(file: OtaFile) -> Iterator[Finding]:
    images = [element for element in file.elements if element.is_image]
    if not images and file.header.image_type < _SPECIAL_TYPES:
        yield Finding("no-image", "no upgrade image sub-element (tag 0x0000)", True)
    if any(not element.data for element in images):
        yield Finding("empty", "an upgrade image of no octets: there is no firmware in it", True)


def _one_element_findings(element: OtaElement) -> Iterator[Finding]:
    tag, held = element.tag, len(element.data)
    if tag in ELEMENT_OCTETS and held != ELEMENT_OCTETS[OtaTag(tag)]:
        wrong = f"sub-element 0x{tag:04X} of {held} octets, expected {ELEMENT_OCTETS[OtaTag(tag)]}"
        yield Finding("element-length", wrong, True)
    if element.information:
        shown = element.information.hex().upper()
        text = f"manufacturer sub-element 0x{tag:04X} of {held} octets after information 0x{shown}"
        yield Finding("element-information", text)
    elif tag > OtaTag.CERTIFICATE_SUITE_2:
        kind = "manufacturer" if tag >= MANUFACTURER_TAGS else "unknown"
        yield Finding("element-tag", f"{kind} sub-element 0x{tag:04X} of {held} octets")
    if tag == OtaTag.UPGRADE_IMAGE and element.data.startswith(MAGIC):
        yield Finding("doubled-header", "the upgrade image holds another OTA header")


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
