"""What a field of a record may hold, said in its annotation: `Annotated[int, Range(0, 0xFF)]`."""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass
from datetime import date, time
from typing import Annotated, Any, NamedTuple, Protocol

Scalar = bool | int | float | str
"""A value that is neither a table nor an array."""


class Bound(Protocol):
    """A rule that a value keeps; its text is what a message says was expected."""

    def accepts(self, value: Any) -> bool:
        """Say whether `value` keeps the rule."""


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both included."""

    least: float
    most: float

    def accepts(self, value: Any) -> bool:
        """Say whether `value` lies within the bounds."""
        return bool(self.least <= value <= self.most)

    def __str__(self) -> str:
        if self.most >= 0x100 and isinstance(self.most, int):
            return f"a number from {self.least} to {self.most} (0x{self.most:X})"
        return f"a number from {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A closed list of values."""

    values: tuple[Any, ...]

    def accepts(self, value: Any) -> bool:
        """Say whether `value` is on the list."""
        return value in self.values

    def __str__(self) -> str:
        return "one of " + ", ".join(str(value) for value in self.values)


@dataclass(frozen=True, slots=True)
class Length:
    """Bounds of the length of a string or array."""

    least: int
    most: int

    def accepts(self, value: Any) -> bool:
        """Say whether the length of `value` lies within the bounds."""
        return self.least <= len(value) <= self.most

    def __str__(self) -> str:
        return f"length {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression that the whole string matches, and how to say it to a person."""

    expression: str
    meaning: str

    def accepts(self, value: Any) -> bool:
        """Say whether the string `value` matches."""
        return re.fullmatch(self.expression, value) is not None

    def __str__(self) -> str:
        return self.meaning


@dataclass(frozen=True, slots=True)
class Distinct:
    """An array of records of which no two have the same `field`."""

    field: str
    meaning: str

    def accepts(self, value: Any) -> bool:
        """Say whether every record of `value` has a `field` of its own."""
        held = [getattr(each, self.field) for each in value]
        return len(set(held)) == len(held)

    def __str__(self) -> str:
        return f"each {self.meaning} once"


class Problem(NamedTuple):
    """A rule between fields that does not hold; records yield these from a `problems` method."""

    key: str
    value: Any
    expected: str


U8 = Annotated[int, Range(0, 0xFF)]
U16 = Annotated[int, Range(0, 0xFFFF)]
U24 = Annotated[int, Range(0, 0xFF_FFFF)]
U32 = Annotated[int, Range(0, 0xFFFF_FFFF)]
Seconds = Annotated[float, Range(0, 31_536_000)]
Slug = Annotated[str, Pattern(r"[a-z0-9]+(-[a-z0-9]+)*", "lower-case words joined by hyphens")]
Sha256 = Annotated[str, Pattern(r"[0-9a-f]{64}", "a SHA-256 in lower case")]


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 80
_SHORT.maxlist = _SHORT.maxdict = 10


def shown(value: object) -> str:
    """Return a value as a message shows it: short, on one line, however long or deep it is."""
    if isinstance(value, date | time):
        return value.isoformat()
    text = _SHORT.repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
