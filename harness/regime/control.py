"""Who controls a device, proved from the journal: at every instant exactly one of {SMSO, S1SP + DCO}.

Rules:

1. Every device begins under the SMSO. Control passes by a `control-transfer` whose outcome is done, once.
2. A key is rotated only after the transfer, the non-critical one by the S1SP and the critical one by the DCO.
3. No key is rotated by a party that does not control the device at that instant.
4. A device is commissioned only when both its keys were rotated, the new keys were seen to work and the old
   ones were seen to be refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.facts import Act, Outcome, Status
from harness.facts.enrolment import CommissioningOf, ControlProof, ControlTransfer, KeyRotation
from harness.facts.terms import KeyRole
from harness.journal import Entry

OLD_CONTROLLER = "SMSO"
NEW_CONTROLLER = "S1SP + DCO"
UNPROVEN = "S1SP + DCO, not proven"
"""Released to the new controllers, who were not seen to be obeyed, and alone, under new keys of their own."""
_NEW_SENDERS = {"S1SP": KeyRole.NON_CRITICAL, "DCO": KeyRole.CRITICAL}


@dataclass(slots=True)
class ControlReport:
    """Who controls each device at the end, and every breach of the rules."""

    owners: dict[str, str] = field(default_factory=dict)
    rotated: dict[str, list[KeyRole]] = field(default_factory=dict)
    commissioned: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _proved: dict[str, list[KeyRole]] = field(default_factory=dict)

    def owner(self, device: str) -> str:
        """Return who controls a device at the end, as far as the journal shows it."""
        if self.owners.get(device, OLD_CONTROLLER) == OLD_CONTROLLER:
            return OLD_CONTROLLER
        shown = set(self.rotated.get(device, ())) & set(self._proved.get(device, ()))
        return NEW_CONTROLLER if shown == set(KeyRole) else UNPROVEN


def check_control(entries: Iterable[Entry]) -> ControlReport:
    """Replay a journal's entries against the control rules; raises `JournalError` for one that is no fact."""
    report = ControlReport()
    announced: dict[str, Act] = {}
    for entry in entries:
        fact, where = entry.fact, f"entry {entry.sequence}"
        match fact:
            case ControlTransfer():
                _check_giver(fact, where, report)
            case KeyRotation():
                _check_sender(fact, where, report)
            case ControlProof():
                _take_proof(fact, where, report)
            case Outcome(status=Status.DONE) if entry.key in announced:
                _take_done(announced[entry.key], where, report)
        if isinstance(fact, Act):
            announced[entry.key] = fact
    return report


def _check_giver(transfer: ControlTransfer, where: str, report: ControlReport) -> None:
    owner = report.owners.get(transfer.subject, OLD_CONTROLLER)
    if transfer.giver != owner:
        report.faults.append(f"{where}: {transfer.giver} gives up {transfer.subject}, {owner} holds it")


def _check_sender(rotation: KeyRotation, where: str, report: ControlReport) -> None:
    device, sender = rotation.subject, rotation.sender
    owner = report.owners.get(device, OLD_CONTROLLER)
    holds = sender == OLD_CONTROLLER if owner == OLD_CONTROLLER else sender in _NEW_SENDERS
    if not holds:
        report.faults.append(f"{where}: {sender} acts on {device}, which {owner} controls")
    if _NEW_SENDERS.get(sender) is not rotation.role:
        report.faults.append(f"{where}: {sender} rotates the {rotation.role} key of {device}")


def _take_done(act: Act, where: str, report: ControlReport) -> None:
    match act:
        case ControlTransfer():
            report.owners[act.subject] = act.taker
        case KeyRotation():
            report.rotated.setdefault(act.subject, []).append(act.role)
        case CommissioningOf():
            _check_commissioned(act.subject, where, report)


def _take_proof(proof: ControlProof, where: str, report: ControlReport) -> None:
    if proof.new_key_works and proof.old_key_answer != "OK":
        report._proved.setdefault(proof.subject, []).append(proof.role)
    else:
        report.faults.append(f"{where}: {proof.subject} still obeys the old head end")


def _check_commissioned(device: str, where: str, report: ControlReport) -> None:
    report.commissioned.append(device)
    for role in KeyRole:
        if role not in report.rotated.get(device, []):
            report.faults.append(f"{where}: {device} commissioned without rotating its {role} key")
        if role not in report._proved.get(device, []):
            report.faults.append(f"{where}: {device} commissioned without proof of its {role} key")
