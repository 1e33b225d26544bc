"""Strict reading of TOML tables into frozen records.

A record is a dataclass whose annotations are the schema: unknown keys, missing keys, wrong types and values
out of range are refused with one line that names the file, the key, the value and what was expected.
"""

from __future__ import annotations

import dataclasses
import math
import re
import reprlib
import types
import typing
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin

from hw_profiles.errors import ProfileError

Record = TypeVar("Record")
Scalar = bool | int | float | str
"""A TOML value that is neither a table nor an array."""


class Range(NamedTuple):
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


class Choice(NamedTuple):
    """A closed list of values."""

    values: tuple[Any, ...]

    def accepts(self, value: Any) -> bool:
        """Say whether `value` is on the list."""
        return value in self.values

    def __str__(self) -> str:
        return "one of " + ", ".join(str(value) for value in self.values)


class Length(NamedTuple):
    """Bounds of the length of a string or array."""

    least: int
    most: int

    def accepts(self, value: Any) -> bool:
        """Say whether the length of `value` lies within the bounds."""
        return self.least <= len(value) <= self.most

    def __str__(self) -> str:
        return f"length {self.least} to {self.most}"


class Pattern(NamedTuple):
    """A regular expression that the whole string matches, and how to say it to a person."""

    expression: str
    meaning: str

    def accepts(self, value: Any) -> bool:
        """Say whether the string `value` matches."""
        return re.fullmatch(self.expression, value) is not None

    def __str__(self) -> str:
        return self.meaning


class Problem(NamedTuple):
    """A rule between fields that does not hold; records yield these from a `problems` method."""

    key: str
    value: Any
    expected: str


U8 = Annotated[int, Range(0, 0xFF)]
U16 = Annotated[int, Range(0, 0xFFFF)]
U24 = Annotated[int, Range(0, 0xFF_FFFF)]
U32 = Annotated[int, Range(0, 0xFFFF_FFFF)]
U48 = Annotated[int, Range(0, 0xFFFF_FFFF_FFFF)]
Seconds = Annotated[float, Range(0, 31_536_000)]


def refuse(source: str, key: str, value: object, expected: str) -> ProfileError:
    """Build the one-line error for a value in a file."""
    return ProfileError(f"{source}: {key} = {shown(value)}: expected {expected}")


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 80
_SHORT.maxlist = _SHORT.maxdict = 10


def shown(value: object) -> str:
    """Return a value as a message shows it: short, on one line, however long or deep it is."""
    if isinstance(value, date | time):
        return value.isoformat()
    text = _SHORT.repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def read_record(record: type[Record], table: Mapping[str, Any], source: str, key: str = "") -> Record:
    """Turn a TOML table into a `record`; raises `ProfileError` naming `source` and the dotted key."""
    hints: dict[str, Any] = _hints(record)  # type: ignore[arg-type]
    fields = {field.name: field for field in dataclasses.fields(record)}  # type: ignore[arg-type]
    for name in table:
        if name not in fields:
            raise ProfileError(
                f"{source}: {_join(key, name)}: unknown key; expected one of {', '.join(sorted(fields))}"
            )
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _convert(hints[name], table[name], source, _join(key, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ProfileError(f"{source}: {_join(key, name)}: missing; expected {_describe(hints[name])}")
    made = record(**values)
    for problem in _problems(made):
        raise refuse(source, _join(key, problem.key), problem.value, problem.expected)
    return made


def _problems(record: Any) -> Iterator[Problem]:
    check = getattr(record, "problems", None)
    if check is not None:
        yield from check()


@cache
def _hints(record: Any) -> dict[str, Any]:
    return typing.get_type_hints(record, include_extras=True)


def _join(key: str, name: str) -> str:
    plain = name if name.isprintable() and len(name) <= 80 else shown(name)
    return f"{key}.{plain}" if key else plain


def _convert(hint: Any, value: Any, source: str, key: str) -> Any:
    origin = get_origin(hint)
    if origin is Annotated:
        inner, *constraints = get_args(hint)
        made = _convert(inner, value, source, key)
        for constraint in constraints:
            if not constraint.accepts(made):
                raise refuse(source, key, value, str(constraint))
        return made
    if origin in (types.UnionType, typing.Union):
        return _convert_union(get_args(hint), value, source, key)
    if origin is tuple:
        return _convert_array(get_args(hint)[0], value, source, key)
    if origin is not None and issubclass(origin, Mapping):
        return _convert_mapping(get_args(hint), value, source, key)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise refuse(source, key, value, "a table")
        return read_record(hint, value, source, key)  # type: ignore[arg-type]
    return _convert_scalar(hint, value, source, key)


def _convert_union(hints: tuple[Any, ...], value: Any, source: str, key: str) -> Any:
    wanted = [hint for hint in hints if hint is not types.NoneType]
    if len(wanted) == 1:
        return _convert(wanted[0], value, source, key)
    if type(value) in wanted:
        return _convert_scalar(type(value), value, source, key)
    raise refuse(source, key, value, " or ".join(_describe(hint) for hint in wanted))


def _convert_array(hint: Any, value: Any, source: str, key: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise refuse(source, key, value, f"an array of {_describe(hint)}")
    return tuple(_convert(hint, item, source, f"{key}[{index}]") for index, item in enumerate(value))


def _convert_mapping(hints: tuple[Any, ...], value: Any, source: str, key: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise refuse(source, key, value, "a table")
    return types.MappingProxyType(
        {
            _convert(hints[0], name, source, key): _convert(hints[1], item, source, _join(key, name))
            for name, item in value.items()
        }
    )


def _convert_scalar(hint: Any, value: Any, source: str, key: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if not isinstance(value, str) or value not in {member.value for member in hint}:
            raise refuse(source, key, value, _describe(hint))
        return hint(value)
    if hint is str and isinstance(value, str) and not _is_one_line(value):
        raise refuse(source, key, value, "text on one line, without control characters")
    if hint is float and type(value) in (int, float):
        # An endless number satisfies no bound, or every one; none is meant here.
        if not _is_finite(value):
            raise refuse(source, key, value, "a finite number")
        return float(value)
    if hint is Any or type(value) is hint:
        return value
    raise refuse(source, key, value, _describe(hint))


def _is_one_line(text: str) -> bool:
    """Say whether a text can stand in a message, a certificate and a signed file as it is."""
    return text.isprintable() or not any(unicodedata.category(each) in _UNWELCOME for each in text)


_UNWELCOME = frozenset(("Cc", "Cn", "Cs", "Zl", "Zp"))
"""Categories of controls, of what is no character, and of separators of lines."""


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


_NAMES: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "a string",
    bool: "true or false",
    datetime: "a date and time with an offset, as 2026-03-02T08:00:00Z",
    date: "a date, as 2026-03-02",
}


def _describe(hint: Any) -> str:
    origin = get_origin(hint)
    if origin is Annotated:
        return str(get_args(hint)[1])
    if origin is tuple:
        return f"an array of {_describe(get_args(hint)[0])}"
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_describe(item) for item in get_args(hint) if item is not types.NoneType)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return "one of " + ", ".join(member.value for member in hint)
    return _NAMES.get(hint, "a table")
