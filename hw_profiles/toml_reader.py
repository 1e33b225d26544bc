"""Strict reading of TOML tables into frozen records.

A record is a dataclass whose annotations are the schema: unknown keys, missing keys, wrong types and values
out of range are refused with one line that names the file, the key, the value and what was expected.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin

from hw_profiles.errors import ProfileError
from hw_profiles.regular_file import TEXT_LIMIT, read_regular_file

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


def load_table(path: Path) -> dict[str, Any]:
    """Read a TOML file of at most `TEXT_LIMIT` octets; raises `ProfileError` when it is absent, unreadable or not
    TOML.
    """
    octets = read_regular_file(path, TEXT_LIMIT)
    try:
        return tomllib.loads(octets.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path}: not UTF-8 text at octet {error.start}; expected a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{path}: not valid TOML: {error}") from error


def refuse(source: str, key: str, value: object, expected: str) -> ProfileError:
    """Build the one-line error for a value in a file."""
    shown = repr(value)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    return ProfileError(f"{source}: {key} = {shown}: expected {expected}")


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
    return f"{key}.{name}" if key else name


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
        return value
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
    if hint is float and type(value) is int:
        return float(value)
    if hint is Any or type(value) is hint:
        return value
    raise refuse(source, key, value, _describe(hint))


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
    names = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
    return names.get(hint, "a table")
