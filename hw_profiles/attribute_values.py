"""Values of ZCL attributes as TOML writes them: which are of a type, and which an attribute of a model takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

from hw_profiles.bounds import U16, Choice, Pattern, Problem, Range, Scalar

_UNSIGNED_BITS = {
    name: bits
    for bits, names in {
        8: ("enum8", "bitmap8", "uint8"),
        16: ("bitmap16", "uint16"),
        24: ("uint24",),
        32: ("bitmap32", "uint32", "utc"),
        48: ("uint48",),
    }.items()
    for name in names
}
_SIGNED_BITS = {"int8": 8, "int16": 16, "int24": 24, "int32": 32}
INTEGERS: Mapping[str, Range] = MappingProxyType(
    {name: Range(0, (1 << bits) - 1) for name, bits in _UNSIGNED_BITS.items()}
    | {name: Range(-1 << bits - 1, (1 << bits - 1) - 1) for name, bits in _SIGNED_BITS.items()}
)
"""What a type of whole numbers holds (ZCL 2.6.2)."""
LONGEST_STRING = 254
"""Octets of a string or octet string: its length is one octet, of which 0xFF means no value (ZCL 2.6.2.12)."""
ZCL_TYPES = ("bool", "string", "octets", *INTEGERS)
"""ZCL type names that an attribute of a configuration or sequence may have."""


def expected_instead(type_name: str, value: Scalar) -> str | None:
    """Return what a value of the ZCL type must be when `value` is none, or None when it is one."""
    if type_name == "bool":
        return None if isinstance(value, bool) else "true or false, for a value of type bool"
    if type_name == "string":
        fits = isinstance(value, str) and len(value.encode("utf-8")) <= LONGEST_STRING
        return None if fits else f"a string of at most {LONGEST_STRING} octets"
    if type_name == "octets":
        fits = isinstance(value, str) and bool(re.fullmatch(r"([0-9A-Fa-f]{2})*", value))
        fits = fits and len(str(value)) <= 2 * LONGEST_STRING
        return (
            None if fits else f'a string of hexadecimal octets, as "0a1b", at most {LONGEST_STRING} of them'
        )
    bounds = INTEGERS[type_name]
    fits = isinstance(value, int) and not isinstance(value, bool) and bounds.accepts(value)
    return None if fits else f"{bounds}, for a value of type {type_name}"


TIME_OF_DAY = "time-of-day"
"""A 16-bit number whose high octet is the hour and whose low octet the minute (Smart Energy, PresetReadingTime)."""


def said(type_name: str, value: Scalar, shown_as: str = "") -> str:
    """Return a value as people read it: times of day as such, bitmaps in hexadecimal, printable octets as text."""
    if shown_as == TIME_OF_DAY and isinstance(value, int):
        return f"{value >> 8:02}:{value & 0xFF:02}"
    if type_name.startswith("bitmap") and isinstance(value, int):
        return f"0x{value:0{int(type_name.removeprefix('bitmap')) // 4}X}"
    if type_name == "octets" and isinstance(value, str):
        octets = bytes.fromhex(value)
        if octets and octets.isascii() and octets.decode("ascii").isprintable():
            return octets.decode("ascii")
    return str(value)


@dataclass(frozen=True, slots=True)
class ConfigurationAttribute:
    """An attribute that a configuration sequence can read or write, with its default and bounds.

    `type` is the ZCL type name; octet strings are written in hexadecimal. `minimum`/`maximum` bound numbers.
    `shown_as` is "time-of-day" for a number that people know as hours and minutes.
    """

    name: Annotated[str, Pattern(r"[a-z][a-z0-9_]*", "lower-case words joined by underscores")]
    cluster: U16
    attribute: U16
    type: Annotated[str, Choice(ZCL_TYPES)]
    default: Scalar
    writable: bool = True
    minimum: int | None = None
    maximum: int | None = None
    shown_as: Annotated[str, Choice(("", TIME_OF_DAY))] = ""

    def expected_instead(self, value: Scalar) -> str | None:
        """Return what a value of this attribute must be when `value` cannot be one, or None when it can."""
        expected = expected_instead(self.type, value)
        if expected is not None or self.type not in INTEGERS:
            return expected
        bounds = self._bounds()
        return None if bounds.accepts(value) else f"{bounds}, as the model's {self.name} takes"

    def problems(self) -> Iterator[Problem]:
        """Bounds are numbers of the type in their order, and the default lies within them."""
        if self.type not in INTEGERS and (self.minimum, self.maximum) != (None, None):
            yield Problem("minimum", self.minimum, f"no minimum or maximum for a value of type {self.type}")
        elif self.type in INTEGERS and self._bounds().least > self._bounds().most:
            yield Problem("minimum", self.minimum, f"at most maximum, {self.maximum}")
        else:
            expected = self.expected_instead(self.default)
            if expected is not None:
                yield Problem("default", self.default, expected)
        if self.shown_as == TIME_OF_DAY and self.type != "uint16":
            yield Problem("shown_as", self.shown_as, f"type uint16 for a {TIME_OF_DAY}, not {self.type}")

    def _bounds(self) -> Range:
        held = INTEGERS[self.type]
        return Range(
            held.least if self.minimum is None else max(held.least, self.minimum),
            held.most if self.maximum is None else min(held.most, self.maximum),
        )
