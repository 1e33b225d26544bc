"""Who controls a device, proved from the journal: at every instant exactly one of {SMSO, S1SP + DCO}.

Rules:

1. Every device begins under the SMSO. Control passes by a `control-transfer` whose outcome is done, once.
2. A key is rotated only after the transfer, the non-critical one by the S1SP and the critical one by the DCO.
3. No effect whose intent names a sender is begun by a party that does not control the device at that instant.
4. A device is commissioned only when both its keys were rotated, the new keys were seen to work and the old
   ones were seen to be refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.journal import Entry, Kind, Status

OLD_CONTROLLER = "SMSO"
NEW_CONTROLLER = "S1SP + DCO"
_NEW_SENDERS = {"S1SP": "non-critical", "DCO": "critical"}
_ROLES = ("critical", "non-critical")


def transfer_key(device: str) -> str:
    """Return the idempotency key of a device's transfer of control."""
    return f"control-transfer/{device}"


@dataclass(slots=True)
class ControlReport:
    """Who controls each device at the end, and every breach of the rules."""

    owners: dict[str, str] = field(default_factory=dict)
    rotated: dict[str, list[str]] = field(default_factory=dict)
    commissioned: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _proved: dict[str, list[str]] = field(default_factory=dict)


def check_control(entries: Iterable[Entry]) -> ControlReport:
    """Replay a journal's entries against the control rules."""
    report = ControlReport()
    for entry in entries:
        done = entry.kind is Kind.OUTCOME and entry.status is Status.DONE
        if entry.kind is Kind.INTENT:
            _check_intent(entry, report)
        elif done and entry.action == "control-transfer":
            report.owners[entry.subject] = NEW_CONTROLLER
        elif done and entry.action == "rotate-key":
            report.rotated.setdefault(entry.subject, []).append(entry.key.split("/")[1])
        elif done and entry.action == "commission":
            _check_commissioned(entry, report)
        elif entry.kind is Kind.OBSERVATION and entry.action == "control-proof":
            _take_proof(entry, report)
    return report


def _check_intent(entry: Entry, report: ControlReport) -> None:
    device, details = entry.subject, entry.details
    owner = report.owners.get(device, OLD_CONTROLLER)
    if entry.action == "control-transfer" and details.get("from") != owner:
        report.faults.append(
            f"entry {entry.sequence}: {details.get('from')} gives up {device}, {owner} holds it"
        )
    sender = details.get("sender")
    if sender is None:
        return
    name = str(sender)
    holds = name == OLD_CONTROLLER if owner == OLD_CONTROLLER else name in _NEW_SENDERS
    if not holds:
        report.faults.append(f"entry {entry.sequence}: {name} acts on {device}, which {owner} controls")
    if entry.action == "rotate-key" and _NEW_SENDERS.get(name) != details.get("role"):
        report.faults.append(
            f"entry {entry.sequence}: {name} rotates the {details.get('role')} key of {device}"
        )


def _take_proof(entry: Entry, report: ControlReport) -> None:
    details = entry.details
    if details.get("new_key_works") is True and details.get("old_key_answer") != "OK":
        report._proved.setdefault(entry.subject, []).append(str(details.get("role")))
    else:
        report.faults.append(f"entry {entry.sequence}: {entry.subject} still obeys the old head end")


def _check_commissioned(entry: Entry, report: ControlReport) -> None:
    device = entry.subject
    report.commissioned.append(device)
    for role in _ROLES:
        if role not in report.rotated.get(device, []):
            report.faults.append(
                f"entry {entry.sequence}: {device} commissioned without rotating its {role} key"
            )
        if role not in report._proved.get(device, []):
            report.faults.append(
                f"entry {entry.sequence}: {device} commissioned without proof of its {role} key"
            )
