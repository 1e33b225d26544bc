"""A fact of any kind that is not whole, or not of this version, is refused by the name of its field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harness.errors import JournalError, RecordError
from harness.facts import CODEC, FACTS, Fact, Kind
from harness.journal.canonical import canonical_json
from tests.harness.facts.samples import DEVICE

NAMES = [kind.__name__ for kind in FACTS]


def sample(kind: type[Fact]) -> tuple[str, dict[str, Any]]:
    """Return subject and details of one fact of a kind."""
    found: list[Fact] = []

    @settings(
        max_examples=1,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
    )
    @given(st.from_type(kind))
    def one(fact: Fact) -> None:
        found.append(fact)

    one()
    written = CODEC.write(found[0])
    return written.subject, json.loads(canonical_json(written.details))


def required(kind: type[Fact]) -> Iterator[str]:
    for field in fields(kind):
        if field.name != "subject" and field.default is MISSING and field.default_factory is MISSING:
            yield field.name


@pytest.mark.parametrize("kind", FACTS, ids=NAMES)
def test_each_field_that_is_left_out_is_named(kind: type[Fact]) -> None:
    subject, details = sample(kind)
    for name in required(kind):
        less = {key: value for key, value in details.items() if key != name}
        with pytest.raises(RecordError, match=f"^{kind.ACTION}: {name}: missing; expected "):
            CODEC.read(kind.KIND, subject, kind.ACTION, less)


@pytest.mark.parametrize("kind", FACTS, ids=NAMES)
def test_each_field_of_another_type_is_named(kind: type[Fact]) -> None:
    subject, details = sample(kind)
    for name in details:
        for wrong in (1.5, [[1.5]], {"no such": 1.5}):
            with pytest.raises(RecordError, match=f"^{kind.ACTION}: {name}"):
                CODEC.read(kind.KIND, subject, kind.ACTION, {**details, name: wrong})


@pytest.mark.parametrize("kind", FACTS, ids=NAMES)
def test_a_field_that_this_version_does_not_know_is_named(kind: type[Fact]) -> None:
    subject, details = sample(kind)
    with pytest.raises(RecordError, match=f"^{kind.ACTION}: afterthought: unknown key"):
        CODEC.read(kind.KIND, subject, kind.ACTION, {**details, "afterthought": 1})


@pytest.mark.parametrize("kind", FACTS, ids=NAMES)
def test_a_fact_is_not_found_under_another_kind_of_entry(kind: type[Fact]) -> None:
    subject, details = sample(kind)
    for other in set(Kind) - {kind.KIND, Kind.OUTCOME}:
        if (other, kind.ACTION) not in {(each.KIND, each.ACTION) for each in FACTS}:
            with pytest.raises(RecordError, match=f"{other} '{kind.ACTION}' is no fact this version knows"):
                CODEC.read(other, subject, kind.ACTION, details)


def test_an_outcome_of_what_is_no_act_is_refused() -> None:
    details: dict[str, Any] = {"status": "done", "intent": 1, "result": {}}
    with pytest.raises(RecordError, match="intent 'version-read-back' is no fact this version knows"):
        CODEC.read(Kind.OUTCOME, DEVICE, "version-read-back", details)


# What is written can be hashed: one text for each value, and no value that has two


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_canonical_text_is_ascii_without_spaces_and_reads_back(value: Any) -> None:
    text = canonical_json(value)
    assert text.isascii()
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text(max_size=6), st.integers(), min_size=2, max_size=6), st.randoms())
def test_the_order_in_which_a_mapping_was_filled_does_not_show(value: dict[str, int], shuffle: Any) -> None:
    items = list(value.items())
    shuffle.shuffle(items)
    assert canonical_json(dict(items)) == canonical_json(value)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (1.0, "value: 1.0"),
        ({"a": {"b": [1, 2.5]}}, "value.a.b[1]: 2.5"),
        ([{"a": float("nan")}], "value[0].a: nan"),
        ((1, float("inf")), "value[1]: inf"),
    ],
)
def test_floating_point_is_refused_where_it_stands(value: Any, where: str) -> None:
    with pytest.raises(JournalError) as refused:
        canonical_json(value)
    assert str(refused.value) == f"journal details {where} is floating point; give an integer"


@pytest.mark.parametrize("value", [b"octets", {1, 2}, object(), {"a": {3}}, {(1, 2): 3}])
def test_what_json_does_not_know_is_refused_with_what_it_does(value: Any) -> None:
    with pytest.raises(JournalError, match=r"^journal details: .*; give text, integers, lists, mappings$"):
        canonical_json(value)
