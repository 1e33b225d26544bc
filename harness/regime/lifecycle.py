"""The enrolment of one installation as a table (fact sheet 7.1): `(state, event) -> state`.

The journal keeps the transitions; a resumed campaign replays them and stands where it stood.
"""

from __future__ import annotations

from harness.errors import RegimeError
from harness.facts.terms import Event, State

TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.DISCOVERED, Event.CLASSIFIED_ACTIVE): State.ACTIVE,
    (State.DISCOVERED, Event.CLASSIFIED_DORMANT): State.DORMANT,
    (State.ACTIVE, Event.COMBINATION_LISTED): State.ELIGIBLE,
    (State.ACTIVE, Event.COMBINATION_UNLISTED): State.INELIGIBLE,
    (State.DORMANT, Event.COMBINATION_LISTED): State.ELIGIBLE,
    (State.DORMANT, Event.COMBINATION_UNLISTED): State.INELIGIBLE,
    (State.INELIGIBLE, Event.FIRMWARE_NOTIFIED): State.FIRMWARE_SCHEDULED,
    (State.INELIGIBLE, Event.COMBINATION_LISTED): State.ELIGIBLE,
    (State.INELIGIBLE, Event.EXCLUDE): State.EXCLUDED,
    (State.FIRMWARE_SCHEDULED, Event.FIRMWARE_DONE): State.ELIGIBLE,
    (State.FIRMWARE_SCHEDULED, Event.FIRMWARE_NOT_DONE): State.FIRMWARE_FAILED,
    (State.FIRMWARE_FAILED, Event.RETRY): State.INELIGIBLE,
    (State.FIRMWARE_FAILED, Event.EXCLUDE): State.EXCLUDED,
    (State.ELIGIBLE, Event.MIGRATION_NOTIFIED): State.MIGRATION_SCHEDULED,
    (State.MIGRATION_SCHEDULED, Event.AUTHORISATION_RECEIVED): State.AUTHORISED,
    (State.AUTHORISED, Event.COMMON_FILE_ISSUED): State.COMMON_FILE_SENT,
    (State.COMMON_FILE_SENT, Event.VALIDATION_PASSED): State.COMMON_VALIDATED,
    (State.COMMON_FILE_SENT, Event.VALIDATION_FAILED): State.COMMON_REJECTED,
    (State.COMMON_FILE_SENT, Event.CAPACITY_EXCEEDED): State.DEFERRED,
    (State.DEFERRED, Event.RETRY): State.ELIGIBLE,
    (State.COMMON_VALIDATED, Event.GROUP_FILES_COMPLETE): State.GROUP_FILES_RECEIVED,
    (State.GROUP_FILES_RECEIVED, Event.TESTS_PASSED): State.VIABLE,
    (State.GROUP_FILES_RECEIVED, Event.TESTS_FAILED): State.NOT_VIABLE,
    (State.VIABLE, Event.CONTROL_TRANSFERRED): State.CUT_OVER,
    # From here an enrolment only goes forward: the old head end has let go.
    (State.CUT_OVER, Event.ROTATION_COMPLETE): State.KEYS_ROTATED,
    (State.KEYS_ROTATED, Event.COMMISSIONING_REQUESTED): State.COMMISSIONING,
    (State.COMMISSIONING, Event.ALL_COMMISSIONED): State.COMMISSIONED,
    (State.COMMISSIONING, Event.GAS_EXCLUDED): State.ELECTRICITY_ONLY,
    (State.COMMON_REJECTED, Event.RETRY): State.ELIGIBLE,
    (State.COMMON_REJECTED, Event.TOO_MANY_ATTEMPTS): State.EXCLUSION_REVIEW,
    (State.COMMON_REJECTED, Event.EXCLUDE): State.EXCLUDED,
    (State.NOT_VIABLE, Event.RETRY): State.ELIGIBLE,
    (State.NOT_VIABLE, Event.TOO_MANY_ATTEMPTS): State.EXCLUSION_REVIEW,
    (State.NOT_VIABLE, Event.EXCLUDE): State.EXCLUDED,
    (State.EXCLUSION_REVIEW, Event.RETRY): State.ELIGIBLE,
    (State.EXCLUSION_REVIEW, Event.EXCLUDE): State.EXCLUDED,
}

EXCHANGING = (
    State.ELIGIBLE,
    State.MIGRATION_SCHEDULED,
    State.AUTHORISED,
    State.COMMON_FILE_SENT,
    State.COMMON_VALIDATED,
    State.GROUP_FILES_RECEIVED,
    State.VIABLE,
)
"""States in which files pass and the old head end still controls every device: a refused one ends the attempt."""
TRANSITIONS |= {(state, Event.FILE_REFUSED): State.COMMON_REJECTED for state in EXCHANGING}

FAILED = (State.COMMON_REJECTED, State.NOT_VIABLE)
"""States that end an attempt which counts towards an exclusion review."""

RESTING = (
    State.INELIGIBLE,
    State.FIRMWARE_FAILED,
    State.COMMON_REJECTED,
    State.DEFERRED,
    State.NOT_VIABLE,
    State.COMMISSIONED,
    State.ELECTRICITY_ONLY,
    State.EXCLUSION_REVIEW,
    State.EXCLUDED,
)
"""States in which an enrolment stops of itself; a new run may retry some of them."""


def advance(state: State, event: Event) -> State:
    """Return the state that follows; raises `RegimeError` for an event that has no place there."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        allowed = ", ".join(str(item) for origin, item in TRANSITIONS if origin is state) or "none"
        raise RegimeError(f"enrolment in state {state}: event {event} is not allowed; allowed: {allowed}")
    return following
