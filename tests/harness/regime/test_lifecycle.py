"""The lifecycle's table: what holds of every course through it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import RegimeError
from harness.facts.terms import Event, State, Verdict
from harness.regime.lifecycle import FAILED, LOOKING, NEW_ATTEMPT, PLACES, RESTING, Phase, advance

OLD_HEAD_END_LET_GO = (
    State.CUT_OVER,
    State.KEYS_ROTATED,
    State.LOCK_OUT_TRIED,
    State.COMMISSIONING,
    State.CERTIFICATES_AWAITED,
    State.COMMISSIONED,
    State.ELECTRICITY_ONLY,
)
WORK = (State.WORK_PLANNED, State.UPGRADED)
ROWS = [(state, event, to) for state, place in PLACES.items() for event, to in place.ways.items()]


def reached_from(start: State) -> set[State]:
    reached, ahead = {start}, [start]
    while ahead:
        place = PLACES.get(ahead.pop())
        for to in () if place is None else place.ways.values():
            if to not in reached:
                reached.add(to)
                ahead.append(to)
    return reached


@st.composite
def courses(draw: st.DrawFn) -> list[State]:
    """Any course from the beginning, of at most sixty moves."""
    course = [State.DISCOVERED]
    for _ in range(draw(st.integers(0, 60))):
        place = PLACES.get(course[-1])
        if place is None:
            break
        course.append(advance(course[-1], draw(st.sampled_from(sorted(place.ways)))))
    return course


@pytest.mark.parametrize(("state", "event", "to"), ROWS)
def test_each_row_leads_where_it_says(state: State, event: Event, to: State) -> None:
    assert advance(state, event) is to


def test_every_state_leads_on_or_is_a_rest_and_is_reached() -> None:
    assert set(PLACES) | set(RESTING) == set(State)
    assert not set(PLACES) & set(RESTING)
    assert reached_from(State.DISCOVERED) == set(State)


@pytest.mark.parametrize("state", PLACES)
def test_from_everywhere_a_rest_is_reached(state: State) -> None:
    assert reached_from(state) & set(RESTING)


def test_every_event_and_every_phase_has_a_place() -> None:
    assert {event for _, event, _ in ROWS} == set(Event)
    assert {place.phase for place in PLACES.values()} == set(Phase)


def test_a_rest_has_no_way_on() -> None:
    for state in RESTING:
        with pytest.raises(RegimeError, match=rf"in state {state}: .* allowed: none"):
            advance(state, Event.PAUSE_OVER)


def test_a_refused_event_names_what_would_be_allowed() -> None:
    with pytest.raises(
        RegimeError,
        match="in state discovered: event pause-over is not allowed; allowed: classified-active, classified-dormant",
    ):
        advance(State.DISCOVERED, Event.PAUSE_OVER)


@given(courses())
def test_once_the_old_head_end_has_let_go_there_is_no_way_back(course: list[State]) -> None:
    after = [state in OLD_HEAD_END_LET_GO for state in course]
    assert after == sorted(after)


@given(courses())
def test_a_dormant_home_is_worked_on_after_notice_only(course: list[State]) -> None:
    if State.DORMANT in course:
        for number, state in enumerate(course):
            if state in WORK:
                assert State.NOTICE_GIVEN in course[:number]


@given(courses())
def test_a_home_is_enrolled_only_as_listed_after_it_was_looked_up(course: list[State]) -> None:
    if State.CUT_OVER in course:
        assert course.index(State.PREPARED) < course.index(State.ELIGIBLE) < course.index(State.CUT_OVER)


@given(courses())
def test_an_active_home_is_never_announced(course: list[State]) -> None:
    assert not (State.ACTIVE in course and State.FIRMWARE_SCHEDULED in course)


def test_a_file_can_be_refused_as_long_as_the_old_head_end_controls() -> None:
    refused = {state for state, event, _ in ROWS if event is Event.FILE_REFUSED}
    assert not refused & set(OLD_HEAD_END_LET_GO)
    assert {State.ELIGIBLE, State.VIABLE, State.INELIGIBLE} <= refused


def test_an_attempt_fails_before_another_begins() -> None:
    for state, event, to in ROWS:
        if event in NEW_ATTEMPT:
            assert to is State.ELIGIBLE
            assert state in (State.RETRY_PAUSED, State.DEFERRED)
    assert all(Event.RETRY in PLACES[state].ways for state in FAILED)


def test_a_dry_run_goes_through_no_state_that_changes_anything() -> None:
    looked = {state for state, place in PLACES.items() if place.phase in LOOKING}
    assert not looked & {
        *WORK,
        *OLD_HEAD_END_LET_GO,
        State.INELIGIBLE,
        State.FIRMWARE_SCHEDULED,
        State.ELIGIBLE,
    }


def test_only_a_commissioned_rest_is_called_so() -> None:
    enrolled = {state for state, verdict in RESTING.items() if verdict is Verdict.COMMISSIONED}
    assert enrolled == {State.COMMISSIONED}
