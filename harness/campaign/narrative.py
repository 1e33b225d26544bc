"""Journal entries as sentences: what the live display and the report's timeline say of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from emulator.eui64 import format_eui64
from harness.campaign.discovery import display
from harness.journal import Entry, Kind, Status
from harness.report.model import Severity
from hw_profiles.installation import Installation

Details = Mapping[str, Any]


class Sentence(NamedTuple):
    """What an entry says to people."""

    text: str
    severity: Severity = Severity.INFO


class Narrator:
    """Tells entries in their order; outcomes are told with what was announced before them."""

    def __init__(self, installation: Installation) -> None:
        """`installation` knows what people call each device's versions."""
        self._models = {
            format_eui64(entry.address): installation.models[entry.name]
            for entry in installation.record.devices
        }
        self._announced: dict[str, Details] = {}

    def version(self, subject: str, version: int) -> str:
        """Return how people call a version of a device, hexadecimal where its profile does not list it."""
        model = self._models.get(subject)
        return f"0x{version:08X}" if model is None else display(model, version)

    def tell(self, entry: Entry) -> Sentence | None:
        """Return what a person is told of an entry, or None for one that is only for machines."""
        match entry.kind:
            case Kind.INTENT:
                self._announced[entry.key] = entry.details
                return self._from(_INTENTS, entry)
            case Kind.OUTCOME:
                return self._outcome(entry)
            case Kind.OBSERVATION:
                return self._from(_OBSERVATIONS, entry)
            case Kind.DECISION:
                return self._from(_DECISIONS, entry)
            case Kind.EXCEPTION:
                return _exception(entry)
            case Kind.CHECKPOINT:
                return Sentence(f"Journal signed: {entry.action}")
            case Kind.FILE:
                return Sentence(f"Received {entry.details['name']}")
            case _:
                return None

    def _from(self, table: Mapping[str, Callable[[Details], str]], entry: Entry) -> Sentence | None:
        told = table.get(entry.action)
        if told is None:
            return None
        severity = _SEVERITIES.get(entry.action, Severity.INFO)
        return Sentence(told(self._with_version(entry.subject, entry.details)), severity)

    def _with_version(self, subject: str, details: Details) -> Details:
        """Add the display string of a version as `shown`."""
        version = details.get("version")
        return {**details, "shown": self.version(subject, version)} if isinstance(version, int) else details

    def _outcome(self, entry: Entry) -> Sentence | None:
        result = entry.details["result"]
        assert isinstance(result, dict)
        title = self._announced.get(entry.key, {}).get("title", "")
        if entry.status is not Status.DONE:
            cause = result.get("cause") or result.get("outcome") or entry.status
            return Sentence(f"{title or _name(entry.action)} failed: {cause}", Severity.WARNING)
        told = _DONE.get(entry.action)
        if told is None:
            return None
        words = told(self._with_version(entry.subject, result))
        return Sentence(f"{title}: {words}" if title else words, Severity.NOTICE)


def _exception(entry: Entry) -> Sentence:
    details = entry.details
    if "what" in details:
        return Sentence(f"{details['what']}: {details['cause']}", Severity(str(details["severity"])))
    return Sentence(f"{details.get('code', entry.action)}: {details.get('text', '')}", Severity.WARNING)


def _name(action: str) -> str:
    return action.replace("-", " ").replace("_", " ").capitalize()


def _found(details: Details) -> str:
    if not details["answered"]:
        return f"Does not answer: {details['detail']}"
    runs = f", running {details['shown']}" if "shown" in details else ""
    return f"Found: {details['model_identifier'] or 'no model name'}{runs}"


def _topology(details: Details) -> str:
    if details.get("detail"):
        return f"The hub tells no links: {details['detail']}"
    silent = details["silent"]
    unheard = f", {len(silent)} routers did not answer" if silent else ""
    return f"{len(details['links'])} links reported{unheard}"


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
    "activate": lambda r: f"Activated: runs {r['shown']}",
    "write_attribute": lambda r: (
        f"set to {r['detail']}" if r["result"] == "applied" else f"already {r['detail']}"
    ),
    "send_command": lambda r: "command carried out" if r["result"] == "applied" else "already so",
    "check": lambda _: "checked",
    "wait": lambda r: f"waited {r['detail']}",
    "update-credentials": lambda r: f"{r['role']} certificate of {r['holder']} placed",
    "rotate-key": lambda r: f"Key rotated, generation {r['generation']}",
    "commission": lambda r: f"Inventory status {r['status']}",
    "publish": lambda r: f"Issued {r['name']}",
}
_OBSERVATIONS: Mapping[str, Callable[[Details], str]] = {
    "discovered": _found,
    "version-read-back": lambda d: f"Reports firmware {d['shown']}",
    "transfer-started": lambda d: f"Download begins at octet {d['offset']}",
    "transfer-attempt-failed": lambda d: (
        f"The device gave the download up (status 0x{d['status']:02X}); it tries again"
    ),
    "job-outcome": lambda d: f"{d['outcome']}" + (f": {d['detail']}" if d.get("detail") else ""),
    "device-joined": lambda _: "Came back to the network",
    "topology": _topology,
    "battery": lambda d: (
        f"Battery does not say its charge: {d['detail']}"
        if d["half_percents"] is None
        else f"Battery at {d['half_percents'] / 2:.1f} % {d['when']} the upgrade"
    ),
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
