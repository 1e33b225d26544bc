"""Who controls a device, read from the journal alone: each breach of each rule, and who holds it at the end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.facts import CODEC, Act, Fact, Failed, Outcome, Result, Status
from harness.facts.enrolment import (
    Commissioned,
    CommissioningOf,
    ControlProof,
    ControlTransfer,
    KeyRotated,
    KeyRotation,
    Released,
)
from harness.facts.terms import KeyRole
from harness.journal import Entry, canonical_json
from harness.regime.control import NEW_CONTROLLER, OLD_CONTROLLER, UNPROVEN, ControlReport, check_control
from tests.harness.facts.samples import DEVICE, seen

CRITICAL, NON_CRITICAL = KeyRole.CRITICAL, KeyRole.NON_CRITICAL
Step = Fact | tuple[Act, Result]


def done(act: Act) -> Step:
    """An act that is done, with its outcome."""
    results: dict[type[Act], Result] = {
        ControlTransfer: Released(NEW_CONTROLLER),
        KeyRotation: KeyRotated(1),
        CommissioningOf: Commissioned("Commissioned", "02000000"),
    }
    return act, results[type(act)]


def failed(act: Act) -> Step:
    return act, Failed("no answer")


def transfer(giver: str = OLD_CONTROLLER, taker: str = NEW_CONTROLLER) -> ControlTransfer:
    return ControlTransfer(DEVICE, giver, taker)


def rotation(sender: str, role: KeyRole) -> KeyRotation:
    return KeyRotation(DEVICE, sender, role, 1)


def proof(role: KeyRole, works: bool = True, old: str = "BAD_TAG") -> ControlProof:
    return ControlProof(DEVICE, role, "S1SP" if role is NON_CRITICAL else "DCO", works, old)


TRANSFER, COMMISSION = done(transfer()), done(CommissioningOf(DEVICE, {}))
BY_S1SP, BY_DCO = done(rotation("S1SP", NON_CRITICAL)), done(rotation("DCO", CRITICAL))
PROOFS: list[Step] = [proof(NON_CRITICAL), proof(CRITICAL)]


def replayed(steps: Sequence[Step]) -> ControlReport:
    entries: list[Entry] = []

    def add(fact: Fact, key: str = "") -> int:
        kind, subject, action, details = CODEC.write(fact)
        number = len(entries)
        entries.append(
            Entry(number, 0, 0, kind, subject, action, key, canonical_json(details), bytes(32), bytes(32))
        )
        return number

    for step in steps:
        if isinstance(step, Fact):
            add(step)
            continue
        act, result = step
        number = add(act, act.key)
        status = Status.FAILED if isinstance(result, Failed) else Status.DONE
        add(Outcome(act.subject, type(act), status, number, result), act.key)
    return check_control(entries)


WHOLE: list[Step] = [seen(), TRANSFER, BY_S1SP, BY_DCO, *PROOFS, COMMISSION]


def test_a_whole_cut_over_breaks_no_rule() -> None:
    report = replayed(WHOLE)
    assert (report.faults, report.owner(DEVICE)) == ([], NEW_CONTROLLER)
    assert (report.commissioned, report.rotated[DEVICE]) == ([DEVICE], [NON_CRITICAL, CRITICAL])


COURSES: list[tuple[str, list[Step], str]] = [
    ("nothing happened", [], OLD_CONTROLLER),
    ("the transfer was only announced and failed", [failed(transfer())], OLD_CONTROLLER),
    ("released, no key rotated", [TRANSFER], UNPROVEN),
    ("one key rotated and proved", [TRANSFER, BY_S1SP, proof(NON_CRITICAL)], UNPROVEN),
    ("both rotated, one proved", [TRANSFER, BY_S1SP, BY_DCO, proof(CRITICAL)], UNPROVEN),
    ("both proved, one rotated", [TRANSFER, BY_S1SP, *PROOFS], UNPROVEN),
    (
        "a rotation failed, then was done",
        [TRANSFER, failed(rotation("DCO", CRITICAL)), BY_S1SP, BY_DCO, *PROOFS],
        NEW_CONTROLLER,
    ),
    ("proofs in the other order", [TRANSFER, BY_DCO, BY_S1SP, *reversed(PROOFS)], NEW_CONTROLLER),
]


@pytest.mark.parametrize(("steps", "owner"), [row[1:] for row in COURSES], ids=[row[0] for row in COURSES])
def test_who_controls_a_device_at_the_end_as_far_as_was_shown(steps: list[Step], owner: str) -> None:
    report = replayed(steps)
    assert (report.owner(DEVICE), report.faults) == (owner, [])
    assert report.owner("another device") == OLD_CONTROLLER


BREACHES: list[tuple[str, list[Step], list[str]]] = [
    (
        "rule 1: control is given up by who does not hold it",
        [done(transfer(giver="S1SP"))],
        [f"entry 0: S1SP gives up {DEVICE}, SMSO holds it"],
    ),
    (
        "rule 1: control is given up twice",
        [TRANSFER, TRANSFER],
        [f"entry 2: SMSO gives up {DEVICE}, S1SP + DCO holds it"],
    ),
    (
        "rule 2: the wrong one rotates",
        [TRANSFER, done(rotation("S1SP", CRITICAL))],
        [f"entry 2: S1SP rotates the critical key of {DEVICE}"],
    ),
    (
        "rule 2: the DCO takes the other's key",
        [TRANSFER, done(rotation("DCO", NON_CRITICAL))],
        [f"entry 2: DCO rotates the non-critical key of {DEVICE}"],
    ),
    (
        "rule 3: a new controller rotates before the transfer",
        [BY_DCO, TRANSFER],
        [f"entry 0: DCO acts on {DEVICE}, which SMSO controls"],
    ),
    (
        "rule 3: the transfer that failed gives no right",
        [failed(transfer()), BY_S1SP],
        [f"entry 2: S1SP acts on {DEVICE}, which SMSO controls"],
    ),
    (
        "rule 2: the old controller rotates for itself",
        [done(rotation("SMSO", CRITICAL))],
        [f"entry 0: SMSO rotates the critical key of {DEVICE}"],
    ),
    (
        "rule 3: the old controller rotates after the transfer",
        [TRANSFER, done(rotation("SMSO", CRITICAL))],
        [
            f"entry 2: SMSO acts on {DEVICE}, which S1SP + DCO controls",
            f"entry 2: SMSO rotates the critical key of {DEVICE}",
        ],
    ),
    (
        "rule 4: commissioned with one key not rotated",
        [TRANSFER, BY_S1SP, *PROOFS, COMMISSION],
        [f"entry 7: {DEVICE} commissioned without rotating its critical key"],
    ),
    (
        "rule 4: commissioned without a proof",
        [TRANSFER, BY_S1SP, BY_DCO, proof(CRITICAL), COMMISSION],
        [f"entry 8: {DEVICE} commissioned without proof of its non-critical key"],
    ),
    (
        "rule 4: the old key still works",
        [TRANSFER, BY_S1SP, BY_DCO, proof(NON_CRITICAL), proof(CRITICAL, old="OK")],
        [f"entry 7: {DEVICE} still obeys the old head end"],
    ),
    (
        "rule 4: the new key does not work",
        [TRANSFER, BY_S1SP, BY_DCO, proof(NON_CRITICAL, works=False), proof(CRITICAL)],
        [f"entry 6: {DEVICE} still obeys the old head end"],
    ),
]


@pytest.mark.parametrize(("steps", "faults"), [row[1:] for row in BREACHES], ids=[row[0] for row in BREACHES])
def test_each_breach_of_the_control_rules_is_found_where_it_is(steps: list[Step], faults: list[str]) -> None:
    assert replayed(steps).faults == faults


def test_a_commissioning_of_a_device_that_nobody_took_over_breaks_every_rule_of_it() -> None:
    faults = replayed([COMMISSION]).faults
    assert [fault.partition("commissioned ")[2] for fault in faults] == [
        "without rotating its critical key",
        "without proof of its critical key",
        "without rotating its non-critical key",
        "without proof of its non-critical key",
    ]


def test_a_commissioning_that_failed_is_none() -> None:
    assert replayed([failed(CommissioningOf(DEVICE, {}))]).commissioned == []
