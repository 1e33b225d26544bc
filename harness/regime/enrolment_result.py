"""How an enrolment ended, put together from its journal and its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from harness.exchange.document import Document, FileKind
from harness.facts import Kind, Outcome
from harness.facts.enrolment import (
    CredentialsUpdate,
    EnrolmentProblem,
    EnrolmentResult,
    HandedOver,
    Placement,
    PostCommissioningObligation,
)
from harness.facts.files import Published, Received
from harness.facts.terms import CertificateRole
from harness.journal import Journal
from harness.regime.control import check_control
from harness.regime.dossier import Dossier
from harness.regime.result_rows import obligation_of, placement_of


def result_of(dossier: Dossier) -> EnrolmentResult:
    """Return how the enrolment stands, from its journal, its files and the inventory."""
    outcome, late = _outcome(dossier), dict(_placed_late(dossier))
    control = check_control(dossier.journal.entries())
    return EnrolmentResult(
        state=dossier.standing.state,
        attempts=dossier.standing.attempt,
        control={device.name: control.owner(device.name) for device in dossier.case.controlled()},
        inventory={device.name: dossier.regime.dsp.status(device.name) for device in dossier.case.devices},
        firmware={device.name: dossier.regime.dsp.firmware(device.name) for device in dossier.case.devices},
        placements=tuple(_placements(dossier, outcome, late)) if outcome else (),
        obligations=tuple(_obligations(outcome, late)) if outcome else (),
        problems=_problems(dossier.journal),
        files=_files(dossier.journal),
    )


Late = Mapping[tuple[CertificateRole, str], Placement]
"""Certificates placed after the outcome was issued, by role and device."""


def _placed_late(dossier: Dossier) -> Iterator[tuple[tuple[CertificateRole, str], Placement]]:
    for update in dossier.journal.facts(CredentialsUpdate):
        if dossier.journal.done(update.key) is not None:
            place = update.role, update.subject
            yield place, Placement(*place, placed=True, holder=update.holder)


def _placements(dossier: Dossier, outcome: Document, late: Late) -> Iterator[Placement]:
    for row in outcome.having("Placement"):
        placement = placement_of(row, dossier.case.certificates)
        yield late.get((placement.role, placement.device), placement)


def _obligations(outcome: Document, late: Late) -> Iterator[PostCommissioningObligation]:
    owed = map(obligation_of, outcome.having("Obligation"))
    return (item for item in owed if (item.role, item.device) not in late)


def _outcome(dossier: Dossier) -> Document | None:
    answer = dossier.answer(FileKind.OUTCOME)
    party = dossier.regime.commissioning_party
    return None if answer is None else party.read(answer.name, FileKind.OUTCOME).document


def _problems(journal: Journal) -> tuple[EnrolmentProblem, ...]:
    """Return each problem once, however often a resumed run or another attempt met it."""
    problems: dict[EnrolmentProblem, EnrolmentProblem] = {}
    for problem in journal.facts(EnrolmentProblem):
        problems.setdefault(replace(problem, attempt=0), problem)
    return tuple(problems.values())


def _files(journal: Journal) -> tuple[HandedOver, ...]:
    """Return each file with each receiver, in the order they were first received."""
    senders = {
        fact.result.name: fact.subject
        for entry in journal.entries(Kind.OUTCOME)
        if isinstance(fact := entry.fact, Outcome) and isinstance(fact.result, Published)
    }
    handed = (
        HandedOver(file.name, senders.get(file.name, ""), file.subject, file.sha256)
        for file in journal.facts(Received)
    )
    return tuple(dict.fromkeys(handed))
