"""How an enrolment ended, put together from its journal and its files."""

from __future__ import annotations

from datetime import datetime

from harness.exchange.document import Document, FileKind, Row
from harness.journal import Journal, Kind
from harness.regime.case import (
    EnrolmentProblem,
    EnrolmentResult,
    HandedOver,
    Placement,
    PostCommissioningObligation,
)
from harness.regime.control import NEW_CONTROLLER, OLD_CONTROLLER, transfer_key
from harness.regime.dossier import Dossier


def result_of(dossier: Dossier) -> EnrolmentResult:
    """Return how the enrolment stands, from its journal, its files and the inventory."""
    outcome = _outcome(dossier)
    control = {
        device.name: NEW_CONTROLLER if dossier.journal.done(transfer_key(device.name)) else OLD_CONTROLLER
        for device in dossier.case.controlled()
    }
    return EnrolmentResult(
        state=dossier.standing.state,
        attempts=dossier.standing.attempt,
        control=control,
        inventory={device.name: dossier.regime.dsp.status(device.name) for device in dossier.case.devices},
        placements=tuple(map(_placement, outcome.having("Placement"))) if outcome else (),
        obligations=tuple(map(_obligation, outcome.having("Obligation"))) if outcome else (),
        problems=tuple(_problems(dossier.journal)),
        files=tuple(_files(dossier.journal)),
    )


def _outcome(dossier: Dossier) -> Document | None:
    answer = dossier.answer(FileKind.OUTCOME)
    party = dossier.regime.commissioning_party
    return None if answer is None else party.read(answer.name, FileKind.OUTCOME).document


def _problems(journal: Journal) -> list[EnrolmentProblem]:
    """Return each problem once, however often a resumed run met it."""
    problems: dict[EnrolmentProblem, None] = {}
    for entry in journal.entries(Kind.EXCEPTION):
        if entry.action == "enrolment-problem":
            details = entry.details
            code, owner, how = str(details["code"]), str(details["owner"]), str(details["retry"])
            problem = EnrolmentProblem(code, entry.subject, owner, how, str(details["text"]))
            problems[problem] = None
    return list(problems)


def _files(journal: Journal) -> list[HandedOver]:
    """Return each file with each receiver, in the order they were first received."""
    senders = {
        str(result["name"]): entry.subject
        for entry in journal.entries(Kind.OUTCOME)
        if entry.action == "publish" and isinstance(result := entry.details["result"], dict)
    }
    handed: dict[HandedOver, None] = {}
    for entry in journal.entries(Kind.FILE):
        if entry.action == "receive":
            name, sha256 = str(entry.details["name"]), str(entry.details["sha256"])
            handed[HandedOver(name, senders.get(name, ""), entry.subject, sha256)] = None
    return list(handed)


def _placement(row: Row) -> Placement:
    placed = row["placed"] == "true"
    return Placement(row["role"], row["device"], placed, row.get("holder") or "", row.get("warning") or "")


def _obligation(row: Row) -> PostCommissioningObligation:
    due = int(datetime.fromisoformat(row["due"].replace("Z", "+00:00")).timestamp())
    return PostCommissioningObligation(row["owner"], row["role"], row["device"], due)
