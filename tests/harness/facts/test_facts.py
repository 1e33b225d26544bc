"""Every kind of fact survives the journal, is refused when it is not whole, has somebody who writes it and a reader."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import harness
from harness.errors import RecordError
from harness.facts import CODEC, FACTS, Act, Fact, FactCodec, Failed, Kind, Outcome, Status
from harness.facts.firmware import VersionReadBack
from harness.journal import canonical_json
from tests.harness.facts.samples import DEVICE, rotation, seen

NAMES = [each.__name__ for each in FACTS]
ACTS = [each for each in FACTS if issubclass(each, Act)]
INTEGERS = st.integers(-(2**63), 2**63)
ANY_FACT = settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])


def through_the_journal(fact: Fact) -> Fact:
    written = CODEC.write(fact)
    text = canonical_json(written.details)
    return CODEC.read(written.kind, written.subject, written.action, json.loads(text))


@pytest.mark.parametrize("kind", FACTS, ids=NAMES)
def test_every_fact_survives_the_journal(kind: type[Fact]) -> None:
    @ANY_FACT
    @given(st.from_type(kind))
    def survives(fact: Fact) -> None:
        assert through_the_journal(fact) == fact

    survives()


@pytest.mark.parametrize("act", ACTS, ids=[each.__name__ for each in ACTS])
@pytest.mark.parametrize("status", Status)
def test_every_outcome_survives_the_journal(act: type[Act], status: Status) -> None:
    result = act.RESULT if status is Status.DONE else Failed

    @ANY_FACT
    @given(st.from_type(result), st.integers(0, 2**31))
    def survives(result: Any, intent: int) -> None:
        outcome = Outcome(DEVICE, act, status, intent, result)
        assert through_the_journal(outcome) == outcome

    survives()


@pytest.mark.parametrize(
    ("details", "complaint"),
    [
        ({}, "version-read-back: version: missing; expected a whole number"),
        ({"version": "1"}, "version-read-back: version = '1': expected a whole number"),
        ({"version": True}, "version = True: expected a whole number"),
        ({"version": 1, "subject": "x"}, "version-read-back: subject: unknown key; expected one of version"),
    ],
)
def test_a_fact_that_is_not_whole_is_refused_by_field(details: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RecordError) as refused:
        CODEC.read(Kind.OBSERVATION, DEVICE, VersionReadBack.ACTION, details)
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("details", "complaint"),
    [
        ({"status": "done", "intent": 3}, "rotate-key: result: missing"),
        (
            {"status": "perhaps", "intent": 3, "result": {"generation": 1}},
            "'perhaps': expected one of done, failed",
        ),
        ({"status": "done", "intent": True, "result": {"generation": 1}}, "whole number"),
        ({"status": "done", "intent": 3, "result": {"cause": ""}}, "rotate-key: result: cause: unknown key"),
        ({"status": "failed", "intent": 3, "result": {"generation": 1}}, "result: generation: unknown key"),
    ],
)
def test_an_outcome_that_is_not_whole_is_refused_by_field(details: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RecordError) as refused:
        CODEC.read(Kind.OUTCOME, DEVICE, rotation().ACTION, details)
    assert complaint in str(refused.value)


def test_a_fact_of_the_campaign_is_about_the_campaign() -> None:
    with pytest.raises(RecordError, match="about 'somebody', expected 'campaign'"):
        CODEC.read(Kind.DECISION, "somebody", "end", {"verdict": "planned", "reason": ""})


def test_two_kinds_of_fact_never_share_an_action() -> None:
    with pytest.raises(ValueError, match="share"):
        FactCodec((VersionReadBack, VersionReadBack))
    assert through_the_journal(seen()) == seen()


# Who writes, who reads


@cache
def _uses() -> tuple[frozenset[str], frozenset[str]]:
    """Return the names called, and the names used otherwise than in a call, outside the room of facts."""
    called: set[str] = set()
    named: set[str] = set()
    for tree in _outside():
        makers = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                (called if id(node) in makers else named).add(node.id)
    return frozenset(called), frozenset(named)


def _outside() -> Iterator[ast.Module]:
    root = Path(harness.__path__[0])
    for path in sorted(root.rglob("*.py")):
        if "facts" not in path.relative_to(root).parts:
            yield ast.parse(path.read_text())


def _tells(kind: type[Fact]) -> bool:
    return kind.told is not Fact.told or (issubclass(kind, Act) and kind.told_done is not Act.told_done)


@pytest.mark.parametrize("kind", FACTS, ids=NAMES)
def test_every_fact_has_a_writer_and_a_reader(kind: type[Fact]) -> None:
    called, named = _uses()
    assert kind.__name__ in called, f"nobody writes {kind.__name__}"
    assert _tells(kind) or kind.__name__ in named, f"nobody reads or tells {kind.__name__}"


def test_no_action_is_a_literal_outside_the_room_of_facts() -> None:
    actions = {kind.ACTION for kind in FACTS if "-" in kind.ACTION}
    literals = {
        node.value
        for tree in _outside()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    # The hub's alerts have names of their own, which are the hub's.
    alerts = {
        "transfer-started",
        "transfer-progress",
        "transfer-attempt-failed",
        "job-outcome",
        "device-joined",
    }
    assert actions & literals <= alerts
