"""The life of one installation as a table (fact sheet, DCC migration, 7.1): `(state, event) -> state`.

Each state that leads on has a phase, which is what people are shown, and the ways out of it; the rest are where an
installation comes to rest, with the verdict that this is. The journal keeps the transitions; a resumed run replays
them and stands where it stood. `docs/lifecycle.md` draws the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.errors import RegimeError
from harness.facts.terms import Event, State, Verdict

_S, _E = State, Event


class Phase(StrEnum):
    """A part of an installation's life, as the terminal and the report show it."""

    CLASSIFY = "classify"
    NOTIFY = "notify"
    DISCOVER = "discover"
    PLAN = "plan"
    UPGRADE = "upgrade"
    CONFIGURE = "configure"
    ENROL = "enrol"


LOOKING = (Phase.CLASSIFY, Phase.DISCOVER, Phase.PLAN)
"""Phases in which nobody is told anything and no device is changed: all that a dry run goes through."""


@dataclass(frozen=True, slots=True)
class Place:
    """A state that leads on."""

    phase: Phase
    ways: Mapping[Event, State]


def _exchanging(ways: Mapping[Event, State]) -> Place:
    """Return a state in which files pass while the old head end controls all: a refused one ends the attempt."""
    return Place(Phase.ENROL, {**ways, _E.FILE_REFUSED: _S.COMMON_REJECTED})


_CONSIDERED = {_E.RETRY: _S.RETRY_PAUSED, _E.NEEDS_RESOLUTION: _S.AWAITING_RESOLUTION} | {
    _E.TOO_MANY_ATTEMPTS: _S.EXCLUSION_REVIEW,
    _E.EXCLUDE: _S.EXCLUDED,
}
"""What may become of an installation after an attempt that failed."""
_CAME_OUT = {_E.ALL_COMMISSIONED: _S.COMMISSIONED, _E.GAS_EXCLUDED: _S.ELECTRICITY_ONLY}
_CANNOT = {_E.MODELS_DIFFER: _S.NOT_AS_RECORDED, _E.NO_WAY: _S.NO_ROUTE}

PLACES: Mapping[State, Place] = {
    # At the desk, from what the SMSO's data say: no device is asked anything.
    _S.DISCOVERED: Place(
        Phase.CLASSIFY, {_E.CLASSIFIED_ACTIVE: _S.ACTIVE, _E.CLASSIFIED_DORMANT: _S.DORMANT}
    ),
    _S.DORMANT: Place(Phase.CLASSIFY, {_E.WORK_FORESEEN: _S.INELIGIBLE, _E.LOOK_FIRST: _S.UNSCHEDULED}),
    _S.INELIGIBLE: Place(
        Phase.NOTIFY, {_E.FIRMWARE_NOTIFIED: _S.FIRMWARE_SCHEDULED, _E.FILE_REFUSED: _S.AWAITING_RESOLUTION}
    ),
    _S.FIRMWARE_SCHEDULED: Place(Phase.NOTIFY, {_E.NOTICE_OVER: _S.NOTICE_GIVEN}),
    # At the home, looking.
    _S.ACTIVE: Place(Phase.DISCOVER, {_E.HOME_SURVEYED: _S.ACTIVE_SURVEYED}),
    _S.UNSCHEDULED: Place(Phase.DISCOVER, {_E.HOME_SURVEYED: _S.UNSCHEDULED_SURVEYED}),
    _S.NOTICE_GIVEN: Place(Phase.DISCOVER, {_E.HOME_SURVEYED: _S.SURVEYED}),
    # An active home is its supplier's to upgrade; the only work on one is what that supplier ordered.
    _S.ACTIVE_SURVEYED: Place(
        Phase.PLAN,
        {_E.WORK_DUE: _S.WORK_PLANNED, _E.NOTHING_DUE: _S.PREPARED}
        | {_E.MODELS_DIFFER: _S.NOT_AS_RECORDED, _E.COMBINATION_UNLISTED: _S.RETURNED},
    ),
    _S.UNSCHEDULED_SURVEYED: Place(
        Phase.PLAN, {_E.WORK_DUE: _S.INELIGIBLE, _E.NOTHING_DUE: _S.PREPARED, **_CANNOT}
    ),
    _S.SURVEYED: Place(Phase.PLAN, {_E.WORK_DUE: _S.WORK_PLANNED, _E.NOTHING_DUE: _S.PREPARED, **_CANNOT}),
    # At the home, working.
    _S.WORK_PLANNED: Place(
        Phase.UPGRADE, {_E.FIRMWARE_DONE: _S.UPGRADED, _E.FIRMWARE_NOT_DONE: _S.FIRMWARE_FAILED}
    ),
    _S.UPGRADED: Place(
        Phase.CONFIGURE, {_E.CONFIGURED: _S.PREPARED, _E.NOT_CONFIGURED: _S.CONFIGURATION_FAILED}
    ),
    _S.PREPARED: Place(
        Phase.CONFIGURE, {_E.COMBINATION_LISTED: _S.ELIGIBLE, _E.COMBINATION_UNLISTED: _S.NOT_LISTED}
    ),
    # Attempts at the migration; each has files of its own.
    _S.ELIGIBLE: _exchanging({_E.MIGRATION_NOTIFIED: _S.MIGRATION_SCHEDULED}),
    _S.MIGRATION_SCHEDULED: _exchanging({_E.AUTHORISATION_RECEIVED: _S.AUTHORISED}),
    _S.AUTHORISED: _exchanging({_E.COMMON_FILE_ISSUED: _S.COMMON_FILE_SENT}),
    _S.COMMON_FILE_SENT: _exchanging(
        {_E.VALIDATION_PASSED: _S.COMMON_VALIDATED, _E.VALIDATION_FAILED: _S.COMMON_REJECTED}
        | {_E.CAPACITY_EXCEEDED: _S.DEFERRED}
    ),
    _S.COMMON_VALIDATED: _exchanging({_E.GROUP_FILES_COMPLETE: _S.GROUP_FILES_RECEIVED}),
    _S.GROUP_FILES_RECEIVED: _exchanging({_E.TESTS_PASSED: _S.VIABLE, _E.TESTS_FAILED: _S.NOT_VIABLE}),
    _S.VIABLE: _exchanging({_E.CONTROL_TRANSFERRED: _S.CUT_OVER}),
    _S.COMMON_REJECTED: Place(Phase.ENROL, _CONSIDERED),
    _S.NOT_VIABLE: Place(Phase.ENROL, _CONSIDERED),
    _S.RETRY_PAUSED: Place(Phase.ENROL, {_E.PAUSE_OVER: _S.ELIGIBLE}),
    _S.DEFERRED: Place(Phase.ENROL, {_E.DAY_BEGUN: _S.ELIGIBLE, _E.PATIENCE_ENDED: _S.AWAITING_CAPACITY}),
    # From here an enrolment only goes forward: the old head end has let go.
    _S.CUT_OVER: Place(Phase.ENROL, {_E.ROTATION_COMPLETE: _S.KEYS_ROTATED}),
    _S.KEYS_ROTATED: Place(Phase.ENROL, {_E.OLD_HEAD_END_TRIED: _S.LOCK_OUT_TRIED}),
    _S.LOCK_OUT_TRIED: Place(Phase.ENROL, {_E.COMMISSIONING_REQUESTED: _S.COMMISSIONING}),
    _S.COMMISSIONING: Place(Phase.ENROL, {**_CAME_OUT, _E.CERTIFICATES_TO_FOLLOW: _S.CERTIFICATES_AWAITED}),
    _S.CERTIFICATES_AWAITED: Place(Phase.ENROL, _CAME_OUT),
}

RESTING: Mapping[State, Verdict] = {
    _S.RETURNED: Verdict.RETURNED,
    _S.NOT_AS_RECORDED: Verdict.NOT_MIGRATED,
    _S.NO_ROUTE: Verdict.NOT_MIGRATED,
    _S.FIRMWARE_FAILED: Verdict.NOT_MIGRATED,
    _S.CONFIGURATION_FAILED: Verdict.NOT_MIGRATED,
    _S.NOT_LISTED: Verdict.NOT_MIGRATED,
    _S.AWAITING_RESOLUTION: Verdict.NOT_MIGRATED,
    _S.AWAITING_CAPACITY: Verdict.NOT_MIGRATED,
    _S.EXCLUSION_REVIEW: Verdict.NOT_MIGRATED,
    _S.EXCLUDED: Verdict.NOT_MIGRATED,
    _S.COMMISSIONED: Verdict.COMMISSIONED,
    _S.ELECTRICITY_ONLY: Verdict.ELECTRICITY_ONLY,
}
"""Where an installation comes to rest, and the verdict that this is."""

FAILED = (_S.COMMON_REJECTED, _S.NOT_VIABLE)
"""States that end an attempt which counts towards an exclusion review."""

NEW_ATTEMPT = (_E.PAUSE_OVER, _E.DAY_BEGUN)
"""Events that begin another attempt."""


def advance(state: State, event: Event) -> State:
    """Return the state that follows; raises `RegimeError` for an event that has no place there."""
    ways = PLACES[state].ways if state in PLACES else {}
    if event not in ways:
        allowed = ", ".join(ways) or "none"
        raise RegimeError(f"installation in state {state}: event {event} is not allowed; allowed: {allowed}")
    return ways[event]
