"""Documents like one that is right, with a few values changed, left out or doubled; and how TOML writes them."""

from __future__ import annotations

import json
import tomllib
from datetime import date, datetime, time
from typing import Any

from hypothesis import strategies as st

Way = tuple[Any, ...]

SCALARS = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([0, 1, -1, 255, 256, 65535, 2**32, 2**48 - 1])
    | st.floats()
    | st.text(max_size=8)
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.sampled_from(
        ["", "a\nb", "a\x00b", "00-00-00-00-00-00-00-00", "00-DB-12-34-56-78-90-A1", "é" * 300, "1e400"]
    )
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=8), SCALARS, max_size=3)


@st.composite
def mutants(draw: st.DrawFn, text: str) -> dict[str, Any]:
    """Return the document `text` with one to three changes."""
    table: Any = tomllib.loads(text)
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.sampled_from(ways(table) or [("",)]))
        if way == ("",):
            break
        match draw(st.sampled_from(["value", "value", "leave out", "like another"])):
            case "value":
                table = changed(table, way, draw(VALUES))
            case "leave out":
                table = without(table, way)
            case _:
                table = changed(table, way, at(table, draw(st.sampled_from(ways(table)))))
    whole: dict[str, Any] = table
    return whole


def ways(value: Any, way: Way = ()) -> list[Way]:
    """Return the way to every value inside a document, tables and arrays included."""
    found = [way] if way else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        found += ways(item, (*way, key))
    return found


def at(value: Any, way: Way) -> Any:
    """Return the value at the end of a way."""
    for key in way:
        value = value[key]
    return value


def changed(value: Any, way: Way, new: Any) -> Any:
    """Return a document with another value at the end of a way."""
    if not way:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[way[0]] = changed(value[way[0]], way[1:], new)
    return copied


def without(value: Any, way: Way) -> Any:
    """Return a document without what is at the end of a way."""
    if not way:
        return {}
    copied = dict(value) if isinstance(value, dict) else list(value)
    if len(way) == 1:
        del copied[way[0]]
    else:
        copied[way[0]] = without(value[way[0]], way[1:])
    return copied


def toml_text(table: dict[str, Any]) -> str:
    """Write a table as TOML, everything inline."""
    return "".join(f"{_text(key)} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return repr(value)
        case int():
            return str(value)
        case str():
            return _text(value)
        case datetime() | date() | time():
            return value.isoformat()
        case dict():
            return "{" + ", ".join(f"{_text(key)} = {_value(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_value, value)) + "]"
    raise AssertionError(f"{value!r} is nothing that TOML has")


def _text(text: str) -> str:
    return json.dumps(text.encode("utf-8", "ignore").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")
