"""The image integrity code of an OTA file (tag 3): an AES-MMO hash, whose coverage the field reads in three
ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from emulator.crypto.mmo import AesMmo
from emulator.errors import FrameError
from emulator.smart_energy.ota.file import ELEMENT_OCTETS, OtaElement, OtaFile, OtaTag, build
from hw_profiles.model import IntegrityCoverage

_TAG_AND_LENGTH = 6
_CODE_OCTETS = ELEMENT_OCTETS[OtaTag.INTEGRITY_CODE]


class ShortPaddedMmo(AesMmo):
    """AES-MMO that ends every message with the 16-bit length padding, even one of 2^16 bits or more.

    Annex B.6 asks for 32-bit padding there; fourteen public images of one vendor do not (protocol facts 2.2).
    """

    __slots__ = ()

    def digest(self) -> bytes:
        """Return the sixteen-octet hash of everything absorbed so far."""
        bits = self._octets * 8 & 0xFFFF
        return self.copy().update(b"\x80" + bytes((13 - self._octets) % 16) + bits.to_bytes(2, "big"))._state


def integrity_code(image: bytes, offset: int, coverage: IntegrityCoverage) -> bytes:
    """Return the integrity code of `image`, whose tag 3 lies at `offset`, under one reading."""
    if coverage is IntegrityCoverage.WITH_TAG_HEADER:
        return image_digest(image[: offset + _TAG_AND_LENGTH])
    if coverage is IntegrityCoverage.SHORT_PADDING:
        return ShortPaddedMmo(image[:offset]).digest()
    return image_digest(image[:offset])


@lru_cache(maxsize=16)
def image_digest(octets: bytes) -> bytes:
    """Return the AES-MMO hash of a long message.

    The last ones are kept: an image is judged before it is sent, and again by every device that receives it.
    """
    return AesMmo(octets).digest()


def matching_coverage(
    file: OtaFile, accepted: Sequence[IntegrityCoverage] = tuple(IntegrityCoverage)
) -> IntegrityCoverage | None:
    """Return the first accepted reading under which the file's integrity code is right, or None.

    Raises `FrameError` when the file has no integrity code.
    """
    offset = file.offset_of(OtaTag.INTEGRITY_CODE)
    code = file.element(OtaTag.INTEGRITY_CODE)
    if offset is None or code is None:
        raise FrameError(f"OTA file {file.header.identity}: no integrity code (tag 0x0003)")
    image = file.image
    for coverage in accepted:
        if integrity_code(image, offset, coverage) == code:
            return coverage
    return None


def with_integrity_code(
    file: OtaFile, coverage: IntegrityCoverage = IntegrityCoverage.BEFORE_TAG, following: int = 0
) -> OtaFile:
    """Append an integrity code to a file of sub-elements.

    `following` is how many octets of sub-elements will be appended afterwards: the header's total size, which
    the code covers, counts them already. `ota_file.build` with the same elements gives that size again.
    """
    blank = OtaElement(OtaTag.INTEGRITY_CODE, bytes(_CODE_OCTETS))
    sized = build(file.header, (*file.elements, blank), bytes(following))
    image = replace(sized, rest=b"").image
    offset = len(image) - _TAG_AND_LENGTH - _CODE_OCTETS
    code = OtaElement(OtaTag.INTEGRITY_CODE, integrity_code(image, offset, coverage))
    return OtaFile(sized.header, (*file.elements, code))
