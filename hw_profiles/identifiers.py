"""Identifiers that people type: MPAN, MPRN, EUI-64 and install codes, with their check digits; Smart Energy's own."""

from __future__ import annotations

import re

from hw_profiles.errors import ProfileError

SMART_ENERGY_PROFILE = 0x0109

_MPAN_WEIGHTS = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
_EUI64 = re.compile(r"([0-9A-Fa-f]{2}-){7}[0-9A-Fa-f]{2}")
_INSTALL_CODE_OCTETS = (6, 8, 12, 16)

DISTRIBUTORS = {
    10: "Eastern",
    11: "East Midlands",
    12: "London",
    13: "Merseyside and North Wales",
    14: "West Midlands",
    15: "North East",
    16: "North West",
    17: "North Scotland",
    18: "South Scotland",
    19: "South East",
    20: "Southern",
    21: "South Wales",
    22: "South West",
    23: "Yorkshire",
    24: "Independent Power Networks",
    25: "ESP Electricity",
    26: "Last Mile Electricity",
    27: "The Electricity Network Company",
    28: "UK Power Networks (IDNO)",
    29: "Harlaxton Energy Networks",
}
"""Distributor ids, the first two digits of an MPAN (DCC facts 5.4); 30 to 38 are further independent
networks.
"""


def mpan_check_digit(first_twelve: str) -> int:
    """Return the check digit of an MPAN core from its first twelve digits (DCC facts 5.4)."""
    total = sum(weight * int(digit) for weight, digit in zip(_MPAN_WEIGHTS, first_twelve, strict=True))
    return total % 11 % 10


def mprn_check_digits(body: str) -> str:
    """Return the two check digits of an MPRN from the digits before them (DCC facts 5.5)."""
    length = len(body)
    return f"{sum((length - place) * int(digit) for place, digit in enumerate(body)) % 11:02d}"


def parse_mpan(text: str) -> str:
    """Return the thirteen digits of an MPAN core; raises `ProfileError` when the form or check digit is
    wrong.
    """
    digits = text.replace(" ", "")
    if not re.fullmatch(r"[0-9]{13}", digits):
        raise ProfileError(f"MPAN {text!r}: expected 13 digits")
    expected = mpan_check_digit(digits[:12])
    if int(digits[12]) != expected:
        raise ProfileError(
            f"MPAN {text!r}: check digit {digits[12]}, expected {expected}; check for a typing error"
        )
    return digits


def parse_mprn(text: str) -> str:
    """Return the digits of an MPRN; raises `ProfileError` when the form or check digits are wrong."""
    digits = text.replace(" ", "")
    if not re.fullmatch(r"[0-9]{6,11}", digits):
        raise ProfileError(f"MPRN {text!r}: expected 6 to 11 digits")
    expected = mprn_check_digits(digits[:-2])
    if digits[-2:] != expected:
        raise ProfileError(
            f"MPRN {text!r}: check digits {digits[-2:]}, expected {expected}; check for a typing error"
        )
    return digits


def distributor_id(mpan: str) -> int:
    """Return the distributor id of an MPAN."""
    return int(mpan[:2])


def parse_eui64_text(text: str) -> int:
    """Return an EUI-64 written as `00-DB-12-34-56-78-90-A0` as an integer; raises `ProfileError`."""
    if not _EUI64.fullmatch(text):
        raise ProfileError(
            f"EUI-64 {text!r}: expected eight two-digit octets joined by hyphens, as 00-DB-12-34-56-78-90-A0"
        )
    return int(text.replace("-", ""), 16)


def install_code_crc(code: bytes) -> bytes:
    """Return the CRC-16/X-25 of an install code as the two octets that follow it, low octet first."""
    remainder = 0xFFFF
    for octet in code:
        remainder ^= octet
        for _ in range(8):
            remainder = remainder >> 1 ^ (0x8408 if remainder & 1 else 0)
    return (remainder ^ 0xFFFF).to_bytes(2, "little")


def parse_install_code(text: str) -> bytes:
    """Return an install code with its CRC, 8 to 18 octets, from hexadecimal; raises `ProfileError`."""
    compact = re.sub(r"[\s:-]", "", text)
    if not re.fullmatch(r"([0-9A-Fa-f]{2})+", compact):
        raise ProfileError(f"install code {text!r}: expected hexadecimal octets")
    octets = bytes.fromhex(compact)
    if len(octets) - 2 not in _INSTALL_CODE_OCTETS:
        raise ProfileError(
            f"install code {text!r}: {len(octets)} octets; expected 6, 8, 12 or 16 and then a 2-octet CRC"
        )
    expected = install_code_crc(octets[:-2])
    if octets[-2:] != expected:
        raise ProfileError(
            f"install code {text!r}: CRC {octets[-2:].hex()}, expected {expected.hex()}; check the label"
        )
    return octets
