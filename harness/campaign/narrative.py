"""Journal entries as sentences: what the live display and the report's timeline say of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from harness.journal import Entry, Kind, Status
from harness.report.model import Severity

Details = Mapping[str, Any]


class Sentence(NamedTuple):
    """What an entry says to people."""

    text: str
    severity: Severity = Severity.INFO


def tell(entry: Entry) -> Sentence | None:
    """Return what a person is told of an entry, or None for one that is only for machines."""
    match entry.kind:
        case Kind.INTENT:
            return _from(_INTENTS, entry)
        case Kind.OUTCOME:
            return _outcome(entry)
        case Kind.OBSERVATION:
            return _from(_OBSERVATIONS, entry)
        case Kind.DECISION:
            return _from(_DECISIONS, entry)
        case Kind.EXCEPTION:
            return _exception(entry)
        case Kind.CHECKPOINT:
            return Sentence(f"Journal signed: {entry.action}")
        case Kind.FILE:
            return Sentence(f"Received {entry.details['name']}")
        case _:
            return None


def _from(table: Mapping[str, Callable[[Details], str]], entry: Entry) -> Sentence | None:
    told = table.get(entry.action)
    return (
        None if told is None else Sentence(told(entry.details), _SEVERITIES.get(entry.action, Severity.INFO))
    )


def _exception(entry: Entry) -> Sentence:
    details = entry.details
    if "what" in details:
        return Sentence(f"{details['what']}: {details['cause']}", Severity(str(details["severity"])))
    return Sentence(f"{details.get('code', entry.action)}: {details.get('text', '')}", Severity.WARNING)


def _outcome(entry: Entry) -> Sentence | None:
    details = entry.details
    result = details["result"]
    assert isinstance(result, dict)
    if entry.status is not Status.DONE:
        cause = result.get("cause") or result.get("outcome") or entry.status
        return Sentence(f"{_name(entry.action)} failed: {cause}", Severity.WARNING)
    told = _DONE.get(entry.action)
    return None if told is None else Sentence(told(result), Severity.NOTICE)


def _name(action: str) -> str:
    return action.replace("-", " ").replace("_", " ").capitalize()


def _found(details: Details) -> str:
    if not details["answered"]:
        return f"Does not answer: {details['detail']}"
    version = details["version"]
    runs = "" if version is None else f", running 0x{version:08X}"
    return f"Found: {details['model_identifier'] or 'no model name'}{runs}"


_INTENTS: Mapping[str, Callable[[Details], str]] = {
    "image-upload": lambda d: f"Image {d['name']} goes to the hub, {d['octets']} octets",
    "transfer": lambda d: f"Transfer of {d['image']} ({d['to']}) scheduled",
    "activate": lambda d: f"Activation of {d['to']} released",
    "control-transfer": lambda d: f"Control passes from {d['from']} to {d['to']}",
    "rotate-key": lambda d: f"{d['sender']} rotates the {d['role']} key",
}
_DONE: Mapping[str, Callable[[Details], str]] = {
    "image-upload": lambda _: "Image complete at the hub",
    "transfer": lambda _: "Image complete on the device, activation held",
    "activate": lambda r: f"Activated: runs 0x{r['version']:08X}",
    "write_attribute": lambda r: f"Set to {r['detail']}" if r["result"] == "applied" else "Already set",
    "send_command": lambda r: "Command carried out" if r["result"] == "applied" else "Already so",
    "check": lambda _: "Checked",
    "rotate-key": lambda r: f"Key rotated, generation {r['generation']}",
    "commission": lambda r: f"Inventory status {r['status']}",
    "publish": lambda r: f"Issued {r['name']}",
}
_OBSERVATIONS: Mapping[str, Callable[[Details], str]] = {
    "discovered": _found,
    "version-read-back": lambda d: f"Reports firmware 0x{d['version']:08X}",
    "transfer-started": lambda d: f"Download begins at octet {d['offset']}",
    "transfer-attempt-failed": lambda d: (
        f"The device gave the download up (status 0x{d['status']:02X}); it tries again"
    ),
    "job-outcome": lambda d: f"{d['outcome']}" + (f": {d['detail']}" if d.get("detail") else ""),
    "configuration-retry": lambda d: f"Step {d['step']} is tried again: {d['cause']}",
    "device-test": lambda d: "Answers the device test" if d["passed"] else "Does not answer the device test",
    "control-proof": lambda d: (
        f"{d['role']} key: {d['holder']} is obeyed, the old key gets {d['old_key_answer']}"
    ),
    "old-head-end-refused": lambda d: f"The old head end asks for the status and gets {d['answer']}",
    "certificate-placement": lambda d: (
        f"{d['role']} certificate {'placed' if d['placed'] == 'true' else 'not placed'}"
    ),
    "stopped": lambda d: f"Stopped: {d['reason']}",
}
_DECISIONS: Mapping[str, Callable[[Details], str]] = {
    "plan": lambda d: (
        f"Plan: {sum(len(item['hops']) for item in d['devices'])} upgrades, {len(d['steps'])} steps"
    ),
    "transition": lambda d: f"Enrolment: {str(d['to']).replace('-', ' ')}",
    "obligation": lambda d: f"{d['owner']} owes the {d['role']} certificate by {d['due']}",
    "end": lambda d: f"Ended: {d['verdict']}" + (f", {d['reason']}" if d["reason"] else ""),
}
_SEVERITIES = {
    "transfer-attempt-failed": Severity.WARNING,
    "configuration-retry": Severity.WARNING,
    "stopped": Severity.ERROR,
    "obligation": Severity.NOTICE,
}
