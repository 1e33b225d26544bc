"""Any value that a record of the WAN may be, from the annotations of its fields."""

from __future__ import annotations

from dataclasses import fields
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from hw_profiles.records import Json


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Return any value that a field of a record may hold."""
    if annotation == Json:
        return st.none() | st.integers(-9, 9) | st.text(max_size=3)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        if arguments[0] is str:
            return st.text("0f", min_size=64, max_size=64)
        return st.integers(arguments[1].least, arguments[1].most)
    if origin in (Union, UnionType):
        return st.none() | values(next(each for each in arguments if each is not NoneType))
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if origin is not None:
        return st.dictionaries(st.text(max_size=3), values(arguments[1]), max_size=2)
    scalars: dict[type, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(0, 2**32),
        str: st.text(max_size=5),
        bytes: st.binary(max_size=5),
    }
    return scalars[annotation] if annotation in scalars else record(annotation)


def record(kind: type[Any]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{each.name: values(hints[each.name]) for each in fields(kind)})
