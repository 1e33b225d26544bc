"""Frozen records to and from what TOML and JSON hold, driven by the records' own annotations: the one codec of records.

A record is a dataclass; its annotations (`hw_profiles.bounds`) are the schema. Reading is strict: an unknown key, a
missing one, a wrong type or a value out of bounds is refused with one line that names the source, the key, the value
and what was expected. What reads a record is made of its annotations once. Octets are written in hexadecimal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from types import GenericAlias, MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from hw_profiles.bounds import Bound, Distinct, Problem, shown
from hw_profiles.errors import ProfileError

Json = None | bool | int | float | str | list[Any] | dict[str, Any]
"""A JSON value; a field annotated so is taken as it is."""

T = TypeVar("T")
_Reader = Callable[[Any], Any]
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_PLAIN = frozenset((NoneType, bool, int, float, str))
_EXACT = 2**53
"""Whole numbers below this are the same as floating-point numbers."""


def encode(value: object, *, sparse: bool = False) -> Any:
    """Return a record, or what a field of one holds, as a JSON value: fields as declared, mapping keys sorted.

    `sparse` leaves out what is None by default. Raises `TypeError` for a value that no annotation of a record allows.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        kind: Any = type(value)
        held = ((name, getattr(value, name), optional) for name, optional in _names(kind))
        return {
            name: item if type(item) in _PLAIN else encode(item, sparse=sparse)
            for name, item, optional in held
            if not (sparse and optional and item is None)
        }
    if isinstance(value, Mapping):
        return {key: encode(value[key], sparse=sparse) for key in sorted(value)}
    if isinstance(value, tuple | list):
        return [encode(item, sparse=sparse) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} has no place in a record")


@cache
def _names(kind: Any) -> tuple[tuple[str, bool], ...]:
    """Return the fields of a kind of record, and whether each is None by default."""
    return tuple((each.name, each.default is None) for each in fields(kind))


def decode(
    kind: type[T],
    value: object,
    source: str,
    error: type[Exception] = ProfileError,
    given: Mapping[str, Any] = _NOTHING,
) -> T:
    """Read a record of `kind` from a table or JSON object; raises `error` naming `source` and the dotted key.

    `given` are fields that come from elsewhere: they are unknown to the table.
    """
    try:
        made: T = _schema(kind).read(value, given)  # type: ignore[arg-type]
    except _RefusedError as refused:
        raise error(f"{source}: {refused.line}") from None
    return made


def refuse(source: str, key: str, value: object, expected: str) -> ProfileError:
    """Build the one-line error for a value in a file."""
    return ProfileError(f"{source}: {key} = {shown(value)}: expected {expected}")


class _RefusedError(Exception):
    """A value that is not what its annotation says; the way to it grows while the error rises."""

    def __init__(self, said: str, key: str = "") -> None:
        super().__init__(said)
        self._said = said
        self._key = key

    def within(self, place: str) -> _RefusedError:
        """Put the name of a field or the `[index]` of an item before the way."""
        joint = "." if self._key and not self._key.startswith("[") else ""
        self._key = f"{place}{joint}{self._key}"
        return self

    @property
    def line(self) -> str:
        """The way to the value, and what stands against it."""
        return self._key + self._said if self._key else self._said.removeprefix(" = ")


def _wrong(value: object, expected: str, key: str = "") -> _RefusedError:
    return _RefusedError(f" = {shown(value)}: expected {expected}", key)


class _Schema:
    """How a kind of record is read: the reader of each field, in the order declared."""

    def __init__(self, kind: Any) -> None:
        hints = get_type_hints(kind, include_extras=True)
        read = [each for each in fields(kind) if each.init]
        self._kind = kind
        self._readers = {each.name: _reader(hints[each.name]) for each in read}
        self._hints = hints
        self._required = {
            each.name for each in read if each.default is MISSING and each.default_factory is MISSING
        }
        self._checked = callable(getattr(kind, "problems", None))

    def read(self, table: Any, given: Mapping[str, Any] = _NOTHING) -> Any:
        """Return the record that a table holds; raises `_RefusedError`."""
        if not isinstance(table, dict):
            raise _wrong(table, "a table")
        if not table.keys() <= self._readers.keys() or given.keys() & table.keys():
            raise self._unknown(table, given)
        arguments = dict(given)
        for name, reader in self._readers.items():
            if name in table:
                try:
                    arguments[name] = reader(table[name])
                except _RefusedError as refused:
                    raise refused.within(name) from None
            elif name in self._required and name not in given:
                raise _RefusedError(f": missing; expected {_described(self._hints[name])}", name)
        made = self._kind(**arguments)
        if self._checked:
            for problem in _problems(made):
                raise _wrong(problem.value, problem.expected, problem.key)
        return made

    def _unknown(self, table: Mapping[str, Any], given: Mapping[str, Any]) -> _RefusedError:
        known = sorted(self._readers.keys() - given.keys())
        unknown = next(name for name in table if name not in known)
        return _RefusedError(f": unknown key; expected one of {', '.join(known) or 'none'}", _key(unknown))


@cache
def _schema(kind: Any) -> _Schema:
    return _Schema(kind)


def _problems(record: Any) -> Iterator[Problem]:
    yield from record.problems()


def _key(name: str) -> str:
    return name if name.isprintable() and len(name) <= 80 else shown(name)


def _reader(hint: Any) -> _Reader:
    """Return what reads a value of an annotation."""
    if hint is Any or hint == Json:
        return lambda value: value
    origin = get_origin(hint)
    if origin is Annotated:
        return _bounded(*get_args(hint))
    if origin in (UnionType, Union):
        return _union(get_args(hint))
    if origin is tuple:
        return _array(hint)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(*get_args(hint))
    if is_dataclass(hint):
        kind: Any = hint
        return lambda value: _schema(kind).read(value)
    if issubclass(hint, Enum):
        return _member(hint)
    if issubclass(hint, tuple):
        return _named(hint)
    return _OF_THEIR_OWN.get(hint) or _exactly(hint)


def _bounded(hint: Any, *bounds: Bound) -> _Reader:
    reader = _reader(hint)

    def read(value: Any) -> Any:
        made = reader(value)
        for bound in bounds:
            if not bound.accepts(made):
                raise _wrong(_looked_at(bound, made, value), str(bound))
        return made

    return read


def _looked_at(bound: Bound, made: Any, value: Any) -> Any:
    return [getattr(each, bound.field) for each in made] if isinstance(bound, Distinct) else value


def _union(hints: tuple[Any, ...]) -> _Reader:
    """Return what reads a value of one of several types, or what may be None of one."""
    if len(hints) == 2 and NoneType in hints:
        only = _reader(hints[hints[0] is NoneType])
        return lambda value: None if value is None else only(value)
    readers = {each: _reader(each) for each in hints}

    def read(value: Any) -> Any:
        reader = readers.get(type(value))
        if reader is None:
            raise _wrong(value, _either(hints))
        return reader(value)

    return read


def _array(hint: Any) -> _Reader:
    hints = get_args(hint)
    readers = [_reader(each) for each in hints if each is not Ellipsis]
    endless = hints[-1] is Ellipsis

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or (not endless and len(value) != len(readers)):
            raise _wrong(value, _described(hint))
        made: list[Any] = []
        try:
            for index, item in enumerate(value):
                made.append(readers[0 if endless else index](item))
        except _RefusedError as refused:
            raise refused.within(f"[{len(made)}]") from None
        return tuple(made)

    return read


def _named(kind: Any) -> _Reader:
    """Return what reads a named tuple: an array of its fields."""
    read = _array(GenericAlias(tuple, tuple(get_type_hints(kind, include_extras=True).values())))
    return lambda value: kind(*read(value))


def _mapping(key_hint: Any, hint: Any) -> _Reader:
    keys, items = _reader(key_hint), _reader(hint)

    def read(value: Any) -> Mapping[Any, Any]:
        if not isinstance(value, dict):
            raise _wrong(value, "a table")
        made = {}
        for name, item in value.items():
            key = keys(name)
            try:
                made[key] = items(item)
            except _RefusedError as refused:
                raise refused.within(_key(name)) from None
        return MappingProxyType(made)

    return read


def _member(kind: type[Enum]) -> _Reader:
    members = {each.value: each for each in kind}
    types = {type(each) for each in members}

    def read(value: Any) -> Enum:
        if type(value) not in types or value not in members:
            raise _wrong(value, _described(kind))
        return members[value]

    return read


def _exactly(kind: type) -> _Reader:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise _wrong(value, _described(kind))
        return value

    return read


def _number(value: Any) -> float:
    # An endless number satisfies no bound, or every one; none is meant here.
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is int and -_EXACT < value < _EXACT:
        return float(value)
    raise _wrong(value, "a finite number" if type(value) in (int, float) else _described(float))


def _octets(value: Any) -> bytes:
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        raise _wrong(value, _described(bytes)) from None


_OF_THEIR_OWN: Mapping[Any, _Reader] = MappingProxyType({float: _number, bytes: _octets})
_NAMES: Mapping[Any, str] = MappingProxyType(
    {
        int: "a whole number",
        float: "a number",
        str: "a string",
        bool: "true or false",
        bytes: "octets in hexadecimal",
        datetime: "a date and time with an offset, as 2026-03-02T08:00:00Z",
        date: "a date, as 2026-03-02",
    }
)


def _described(hint: Any) -> str:
    """Return what a value of an annotation is, for messages."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return str(arguments[1])
    if origin is tuple:
        return f"an array of {_described(arguments[0]) if arguments[-1] is Ellipsis else len(arguments)}"
    if origin in (UnionType, Union):
        return _either(arguments)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "one of " + ", ".join(str(each.value) for each in hint)
    return _NAMES.get(hint, "a table")


def _either(hints: tuple[Any, ...]) -> str:
    return " or ".join(_described(each) for each in hints if each is not NoneType)
