from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_profiles.errors import ProfileError
from hw_profiles.toml_file import load_table
from hw_profiles.toml_reader import U8, Length, Pattern, Scalar, read_record


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Inner:
    level: U8


@dataclass(frozen=True, slots=True)
class Outer:
    count: int
    inner: Inner
    colour: Colour = Colour.RED
    ratio: float = 1.0
    name: Annotated[str, Pattern("[a-z]+", "lower-case letters")] = "x"
    many: Annotated[tuple[Inner, ...], Length(0, 2)] = ()
    values: Mapping[str, Scalar] | None = None


def test_a_table_becomes_a_record() -> None:
    table = {
        "count": 2,
        "inner": {"level": 3},
        "colour": "blue",
        "ratio": 2,
        "many": [{"level": 1}],
        "values": {"a": True, "b": "x"},
    }
    record = read_record(Outer, table, "f.toml")
    assert record.inner == Inner(3)
    assert record.colour is Colour.BLUE
    assert record.ratio == 2.0
    assert record.many == (Inner(1),)
    assert record.values == {"a": True, "b": "x"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cuont": 1}, "f.toml: cuont: unknown key; expected one of colour, count"),
        ({"count": "2"}, "f.toml: count = '2': expected a whole number"),
        ({"count": True}, "count = True"),
        ({"inner": {"level": 256}}, "f.toml: inner.level = 256: expected a number from 0 to 255"),
        ({"inner": {}}, "inner.level: missing; expected a number from 0 to 255"),
        ({"inner": 3}, "inner = 3: expected a table"),
        ({"colour": "green"}, "colour = 'green': expected one of red, blue"),
        ({"name": "A1"}, "name = 'A1': expected lower-case letters"),
        ({"many": {"level": 1}}, "expected an array of a table"),
        ({"many": [{"level": 1}, {"level": -1}]}, "many[1].level = -1"),
        ({"many": [{"level": 1}] * 3}, "expected length 0 to 2"),
        ({"values": {"a": [1]}}, "values.a = [1]: expected true or false or a whole number"),
    ],
)
def test_what_breaks_the_schema_is_refused_in_one_line(change: dict[str, object], words: str) -> None:
    with pytest.raises(ProfileError) as caught:
        read_record(Outer, {"count": 1, "inner": {"level": 1}, **change}, "f.toml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["/dev/zero", "pipe", "large.toml", "loop.toml", "."])
def test_what_is_no_file_of_a_sensible_size_is_refused_without_reading_it(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large.toml").open("wb") as file:
        file.truncate(1 << 34)
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    with pytest.raises(ProfileError, match=re.escape(str(tmp_path / name))):
        load_table(tmp_path / name)


def test_a_file_that_is_not_toml_is_refused_by_name(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "broken.toml"
    path.write_text("a = ")
    with pytest.raises(ProfileError, match=r"broken\.toml: not valid TOML"):
        load_table(path)
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(ProfileError, match="not UTF-8"):
        load_table(path)
    with pytest.raises(ProfileError, match="cannot be read"):
        load_table(tmp_path / "absent.toml")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["count", "inner", "colour", "ratio", "name", "many", "values", "other"]), _VALUES
    )
)
def test_any_table_gives_a_record_or_a_profile_error(table: dict[str, object]) -> None:
    try:
        record = read_record(Outer, table, "f.toml")
    except ProfileError as error:
        assert str(error).startswith("f.toml: ")  # noqa: PT017
    else:
        assert isinstance(record, Outer)
