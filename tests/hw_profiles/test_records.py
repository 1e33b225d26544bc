from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_profiles.bounds import U8, Distinct, Length, Pattern, Problem, Scalar
from hw_profiles.errors import ProfileError
from hw_profiles.records import Json, decode, encode
from hw_profiles.toml_file import load_table, read_record


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


class Grade(Enum):
    FIRST = 1
    SECOND = 2


class StrangeError(Exception):
    pass


class Place(NamedTuple):
    grade: Grade
    level: U8


NOWHERE = Place(Grade.FIRST, 0)


@dataclass(frozen=True, slots=True)
class Sent:
    octets: bytes
    pair: tuple[int, str]
    grade: Grade
    inner: tuple[Inner, ...]
    scores: Mapping[str, float]
    scalar: Scalar | None = None
    anything: Json = None
    note: str | None = None
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Pair:
    each: Annotated[tuple[Inner, ...], Distinct("level", "level")]
    total: int

    def problems(self) -> Iterator[Problem]:
        if self.total != sum(inner.level for inner in self.each):
            yield Problem("total", self.total, "the sum")


@dataclass(frozen=True, slots=True)
class Held:
    pair: Pair


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


@given(
    st.builds(
        Sent,
        st.binary(max_size=4),
        st.tuples(st.integers(), st.text(max_size=3)),
        st.sampled_from(Grade),
        st.lists(st.builds(Inner, st.integers(0, 255)), max_size=2).map(tuple),
        st.dictionaries(st.text(max_size=3), st.floats(allow_nan=False, allow_infinity=False), max_size=2),
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        st.none() | st.lists(st.integers(), max_size=2),
        st.none() | st.text(max_size=3),
        st.builds(Place, st.sampled_from(Grade), st.integers(0, 255)),
    ),
    st.booleans(),
)
def test_a_record_written_as_json_is_the_record_read(sent: Sent, sparse: bool) -> None:
    assert decode(Sent, json.loads(json.dumps(encode(sent, sparse=sparse))), "m") == sent


def test_a_sparse_record_leaves_out_what_is_none_by_default() -> None:
    sent = Sent(b"\1\xff", (1, "a"), Grade.SECOND, (), {})
    told = {"octets": "01ff", "pair": [1, "a"], "grade": 2, "inner": [], "scores": {}, "place": [1, 0]}
    assert encode(sent, sparse=True) == told
    assert encode(sent) == {**told, "scalar": None, "anything": None, "note": None}


def test_what_no_annotation_allows_is_not_written() -> None:
    with pytest.raises(TypeError, match="set has no place in a record"):
        encode({"a": {1}})


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"octets": "0g"}, "m: octets = '0g': expected octets in hexadecimal"),
        ({"octets": 3}, "m: octets = 3: expected octets in hexadecimal"),
        ({"pair": [1]}, "m: pair = [1]: expected an array of 2"),
        ({"pair": [1, 2]}, "m: pair[1] = 2: expected a string"),
        ({"place": [1]}, "m: place = [1]: expected an array of 2"),
        ({"place": [1, 256]}, "m: place[1] = 256: expected a number from 0 to 255"),
        ({"grade": 3}, "m: grade = 3: expected one of 1, 2"),
        ({"grade": True}, "m: grade = True: expected one of 1, 2"),
        ({"inner": [{"level": 1}, {"level": None}]}, "m: inner[1].level = None: expected a whole number"),
        ({"scores": {"a\nb": "x"}}, "m: scores.'a\\nb' = 'x': expected a number"),
        ({"scores": {"a": 2**53}}, "m: scores.a = 9007199254740992: expected a finite number"),
        ({"scores": {"a": float("inf")}}, "m: scores.a = inf: expected a finite number"),
    ],
)
def test_what_is_no_value_of_a_field_is_refused_in_the_callers_own_family(
    change: dict[str, object], line: str
) -> None:
    sent = encode(Sent(b"", (1, "a"), Grade.FIRST, (), {}))
    with pytest.raises(StrangeError) as caught:
        decode(Sent, {**sent, **change}, "m", StrangeError)
    assert str(caught.value) == line


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(ProfileError, match=r"^m: \[1\]: expected a table$"):
        decode(Sent, [1], "m")


def test_a_field_that_comes_from_elsewhere_is_unknown_to_the_table() -> None:
    assert decode(Inner, {}, "m", given={"level": 7}) == Inner(7)
    with pytest.raises(ProfileError, match="m: level: unknown key; expected one of none"):
        decode(Inner, {"level": 7}, "m", given={"level": 7})


@pytest.mark.parametrize(
    ("levels", "total", "line"),
    [
        ((1, 2, 1), 4, "m: pair.each = [1, 2, 1]: expected each level once"),
        ((1, 2), 4, "m: pair.total = 4: expected the sum"),
    ],
)
def test_rules_between_records_and_between_fields_are_kept(
    levels: tuple[int, ...], total: int, line: str
) -> None:
    with pytest.raises(ProfileError) as caught:
        decode(Held, {"pair": {"each": [{"level": level} for level in levels], "total": total}}, "m")
    assert str(caught.value) == line


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
