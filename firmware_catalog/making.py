"""Images made for tests: well formed, signed, of another version, too long, cut short or corrupted.

What is made follows from its arguments alone. Signatures are of rehearsal authorities, whose keys anybody can make.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.errors import FrameError
from emulator.smart_energy.ota.file import OtaElement, OtaFile, OtaHeader, OtaTag, build, pack, parse
from emulator.smart_energy.ota.integrity import with_integrity_code
from emulator.smart_energy.ota.signature import sign, signature_suite, signing_octets
from firmware_catalog.errors import CatalogError
from firmware_catalog.files import IMAGE_LIMIT

ISSUER = b"REHEARFW"
SIGNER = 0x00DB12345678_9F01
"""The EUI-64 in whose name rehearsal firmware is signed."""
_SIGNING_TAGS = (
    *(OtaTag.SIGNATURE_SUITE_1, OtaTag.CERTIFICATE_SUITE_1),
    *(OtaTag.SIGNATURE_SUITE_2, OtaTag.CERTIFICATE_SUITE_2),
)


def synthesize(header: OtaHeader, octets: int, *, seed: str, suite: Suite | None = None) -> bytes:
    """Return an OTA file of `octets` octets of upgrade image, with an integrity code, signed when a suite is given.

    Content and signer follow from `seed`. Raises `CatalogError` for an image larger than any file may be.
    """
    if not 1 <= octets <= IMAGE_LIMIT:
        raise CatalogError(f"octets = {octets}: expected 1 to {IMAGE_LIMIT}")
    content = hashlib.shake_256(f"{seed}/{header.identity}".encode()).digest(octets)
    file = build(header, (OtaElement(OtaTag.UPGRADE_IMAGE, content),))
    return pack(_finished(file, seed, suite, integrity=True))


def bump(data: bytes, version: int, *, seed: str) -> bytes:
    """Return an OTA file with another version, its integrity code and signature made anew where it had them.

    The signature is that of the rehearsal authority of `seed`. Raises `CatalogError` for a file that is none, or whose
    body is no sub-elements.
    """
    try:
        file = parse(data)
    except FrameError as error:
        raise CatalogError(str(error)) from error
    if file.rest:
        raise CatalogError(
            f"an image of {file.header.identity}: its body is no sub-elements, so nothing in it can be made anew"
        )
    integrity = file.element(OtaTag.INTEGRITY_CODE) is not None
    left = (*_SIGNING_TAGS, OtaTag.INTEGRITY_CODE)
    kept = tuple(element for element in file.elements if element.tag not in left)
    bumped = build(replace(file.header, file_version=version), kept)
    made = _finished(bumped, seed, signature_suite(file), integrity=integrity)
    return pack(replace(made, prefix=file.prefix, trailing=file.trailing))


def cut_short(data: bytes, octets: int) -> bytes:
    """Return a file without its last `octets` octets; raises `CatalogError` when it has no more."""
    if not 1 <= octets < len(data):
        raise CatalogError(f"octets = {octets}: expected 1 to {len(data) - 1}")
    return data[:-octets]


def corrupted(data: bytes, offset: int) -> bytes:
    """Return a file with the lowest bit of one octet turned; raises `CatalogError` for an offset beyond its end."""
    if not 0 <= offset < len(data):
        raise CatalogError(f"offset = {offset}: expected 0 to {len(data) - 1}")
    return data[:offset] + bytes((data[offset] ^ 1,)) + data[offset + 1 :]


def too_long(data: bytes, octets: int) -> bytes:
    """Return a file with `octets` octets after its declared end, as some vendors' tools leave them."""
    if not 1 <= octets <= IMAGE_LIMIT:
        raise CatalogError(f"octets = {octets}: expected 1 to {IMAGE_LIMIT}")
    return data + bytes(octets)


def _finished(file: OtaFile, seed: str, suite: Suite | None, *, integrity: bool) -> OtaFile:
    if integrity:
        file = with_integrity_code(file, following=0 if suite is None else signing_octets(suite))
    if suite is None:
        return file
    authority = IssuingAuthority.from_seed(suite, f"{seed}/firmware".encode(), ISSUER)
    return sign(file, authority.issue(SIGNER))
