"""The installation's course against the lifecycle's table, and the work against the notice that was given of it.

A dormant installation's suppliers are told of work on it before it begins; what is transferred to one without that, or
before the notice has run out, is a fault.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.errors import RegimeError
from harness.evidence.finding import Finding, stated
from harness.evidence.record import Record
from harness.facts.enrolment import Transition
from harness.facts.firmware import Transfer
from harness.facts.terms import Event, State
from harness.journal import told
from harness.regime.lifecycle import advance
from hw_profiles.installation import Installation

_DAY_US = 86_400_000_000
_SECOND_US = 1_000_000
"""The notification names the second."""


def check_lifecycle(record: Record, installation: Installation) -> Iterator[Finding]:
    """Yield whether every move is one of the table's, and whether no work began before its notice was over."""
    moves = list(told(record.entries, Transition))
    faults = [*_off_the_table(record), *_before_the_notice(record, installation)]
    yield from stated(
        "lifecycle", faults, f"{len(moves)} moves of the table, {_notice(record, installation)}"
    )


def _off_the_table(record: Record) -> Iterator[str]:
    state = State.DISCOVERED
    for entry, move in told(record.entries, Transition):
        if move.origin is not state:
            yield f"entry {entry.sequence}: moves on from {move.origin}, and the installation stood at {state}"
        try:
            following = advance(move.origin, move.event)
        except RegimeError as error:
            yield f"entry {entry.sequence}: {error}"
        else:
            if move.to is not following:
                yield f"entry {entry.sequence}: {move.event} leads from {move.origin} to {following}, not {move.to}"
        state = move.to


def _begins_us(record: Record, installation: Installation) -> int | None:
    """Return from when work was announced to begin, in microseconds of the scenario; None without an announcement."""
    days = installation.record.enrolment.firmware_notice_days
    for entry, move in told(record.entries, Transition):
        if move.event is Event.FIRMWARE_NOTIFIED:
            return entry.time_us + days * _DAY_US
    return None


def _before_the_notice(record: Record, installation: Installation) -> Iterator[str]:
    if not installation.record.dormant:
        return
    begins_us = _begins_us(record, installation)
    for entry, transfer in told(record.entries, Transfer):
        if begins_us is None:
            yield f"entry {entry.sequence}: firmware for {transfer.subject} of which no supplier was given notice"
        elif entry.time_us < begins_us - _SECOND_US:
            yield f"entry {entry.sequence}: firmware for {transfer.subject} before the notice of it was over"


def _notice(record: Record, installation: Installation) -> str:
    if _begins_us(record, installation) is None:
        return "no work to give notice of"
    return f"work {installation.record.enrolment.firmware_notice_days} days after its notice or later"
