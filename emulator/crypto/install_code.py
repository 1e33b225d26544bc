"""Install codes: the number on a device's label from which its first link key is made.

A code has 6, 8, 12 or 16 octets and is printed with two more, its CRC-16/X-25, least significant octet first.
The link key is the AES-MMO hash of code and CRC together (Smart Energy clause 5.4.8.1; protocol fact sheet,
section 3).

Eight octets can be read two ways: a six-octet code with its CRC, or an eight-octet code whose CRC was left
off (the DCC's request messages carry codes without CRC). The caller states which kind of text it has; nothing
is guessed and nothing is repaired.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from emulator.crypto.mmo import aes_mmo
from emulator.errors import CryptoError

CODE_OCTETS: Final = (6, 8, 12, 16)
CRC_OCTETS: Final = 2

_SEPARATORS: Final = re.compile(r"[\s:\-]")
_HEXADECIMAL: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")


class InstallCode(NamedTuple):
    """A code and its CRC, both as printed."""

    code: bytes
    crc: bytes

    @property
    def octets(self) -> bytes:
        """Code and CRC together, as printed on the label."""
        return self.code + self.crc

    @property
    def link_key(self) -> bytes:
        """The pre-configured link key, sixteen octets."""
        return install_code_link_key(self.octets)


def _table_entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (0x8408 if value & 1 else 0)
    return value


_CRC_TABLE: Final = tuple(_table_entry(value) for value in range(256))


def crc16_x25(data: bytes) -> int:
    """Return the CRC-16/X-25 of `data` (check value of "123456789": 0x906E)."""
    crc = 0xFFFF
    for octet in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ octet) & 0xFF]
    return crc ^ 0xFFFF


def code_crc(code: bytes) -> bytes:
    """Return the two CRC octets printed after `code`, least significant first."""
    return crc16_x25(code).to_bytes(CRC_OCTETS, "little")


def with_crc(code: bytes) -> bytes:
    """Return `code` (6, 8, 12 or 16 octets) followed by its CRC; raises `CryptoError` for other lengths."""
    if len(code) not in CODE_OCTETS:
        raise CryptoError(
            f"install code of {len(code)} octets without CRC: expected 6, 8, 12 or 16 octets; check the label"
        )
    return code + code_crc(code)


def check_install_code(code_with_crc: bytes) -> InstallCode:
    """Split code and CRC and check both; raises `CryptoError` naming the CRC expected."""
    length = len(code_with_crc) - CRC_OCTETS
    if length not in CODE_OCTETS:
        raise CryptoError(
            f"install code of {len(code_with_crc)} octets: expected 8, 10, 14 or 18 "
            f"(a code of 6, 8, 12 or 16 and its two CRC octets){_missing_crc(code_with_crc)}"
        )
    code, crc = code_with_crc[:length], code_with_crc[length:]
    expected = code_crc(code)
    if crc != expected:
        raise CryptoError(
            f"install code {code.hex().upper()}: CRC {crc.hex().upper()} is wrong, expected "
            f"{expected.hex().upper()}; check the label for a mistyped digit{_missing_crc(code_with_crc)}"
        )
    return InstallCode(code, crc)


def _missing_crc(octets: bytes) -> str:
    """Return the hint for octets whose length is also that of a code without its CRC."""
    if len(octets) not in CODE_OCTETS:
        return ""
    return (
        f"; if these are a {len(octets)}-octet code without its CRC, say so, or give the full code "
        f"{with_crc(octets).hex().upper()}"
    )


def parse_install_code(text: str, *, crc_present: bool = True) -> InstallCode:
    """Read a label or a request message: hexadecimal, with or without spaces, colons or hyphens.

    `crc_present` says whether the text ends in the CRC, as labels do. With False the text is the code alone
    (6, 8, 12 or 16 octets) and the CRC is computed. Eight octets are therefore a six-octet code with CRC
    unless `crc_present` is False. Raises `CryptoError` for text that is not hexadecimal, other lengths, and a
    wrong CRC.
    """
    digits = _SEPARATORS.sub("", text)
    if not _HEXADECIMAL.fullmatch(digits):
        raise CryptoError(
            f"install code {text!r}: expected hexadecimal octets, for example 83FE D340 7A93 2B70"
        )
    octets = bytes.fromhex(digits)
    return check_install_code(octets if crc_present else with_crc(octets))


def install_code_link_key(code_with_crc: bytes) -> bytes:
    """Return the sixteen-octet link key of a code and its CRC; raises `CryptoError` when the CRC is wrong."""
    check_install_code(code_with_crc)
    return aes_mmo(code_with_crc)
