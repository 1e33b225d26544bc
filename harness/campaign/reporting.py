"""The report of a campaign, made from its journal alone: what the journal does not say, the report does not claim."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emulator.air.capture import read_frames
from emulator.eui64 import format_eui64
from harness.campaign.batteries import AFTER, BATTERY, BEFORE
from harness.campaign.configure import RESULT as CONFIGURATION
from harness.campaign.discovery import FOUND, TOPOLOGY, Found, display
from harness.campaign.enrol import RESULT as ENROLMENT
from harness.campaign.names import cluster_name, device_name
from harness.campaign.narrative import Narrator
from harness.campaign.plan import DevicePlan, Plan
from harness.campaign.problems import ACTION, problem_of
from harness.campaign.transfers import transfers
from harness.journal import Entry, Json, Kind, Status
from harness.product import product_version
from harness.regime.case import CONTROLLED_KINDS
from harness.regime.control import NEW_CONTROLLER, OLD_CONTROLLER, transfer_key
from harness.regime.validation import BY_CODE
from harness.report.model import (
    CampaignReport,
    CaptureSummary,
    CertificatePlacement,
    CertificateRole,
    ConfigurationResult,
    DeviceReport,
    DeviceRole,
    EndpointSummary,
    ExchangedFile,
    Link,
    Obligation,
    PhaseReport,
    ReportedException,
    Severity,
    StepResult,
    TimelineEntry,
    Verdict,
)
from harness.report.wording import named_device
from harness.workspace.workspace import Workspace
from hw_profiles.installation import DeviceEntry, Supply
from hw_profiles.model import Model

END = "end"
STOPPED = "stopped"
PHASE_STARTED = "phase-started"
PHASE_FINISHED = "phase-finished"
"""Journal actions by which a campaign marks its own course."""

_HOLDING = (StepResult.APPLIED, StepResult.ALREADY)
_IRREVERSIBLE = ("activate", "rotate-key", "commission", "control-transfer")
_SAID = (Kind.DECISION, Kind.OBSERVATION)
_ACTIONS = {
    "write_attribute": "write attribute",
    "send_command": "send command",
    "check": "check",
    "wait": "wait",
}
_CERTIFICATES = {
    "supplier": CertificateRole.SUPPLIER,
    "DNO": CertificateRole.NETWORK_OPERATOR,
    "GT": CertificateRole.GAS_TRANSPORTER,
}


def assemble(workspace: Workspace, entries: Sequence[Entry]) -> CampaignReport:
    """Return the report that follows from the journal's entries and the capture beside it."""
    return _Assembly(workspace, entries).report()


class _Assembly:
    def __init__(self, workspace: Workspace, entries: Sequence[Entry]) -> None:
        self._workspace = workspace
        self._installation = workspace.installation
        self._entries = entries
        self._done = {entry.key: entry for entry in entries if entry.status is Status.DONE}
        self._plan = next(
            (Plan.from_json(e.details) for e in entries if e.kind is Kind.DECISION and e.action == "plan"),
            None,
        )
        self._enrolment: Mapping[str, Any] = self._last(ENROLMENT) or {}
        topology: Any = self._last(TOPOLOGY) or {}
        self._links: Sequence[Mapping[str, Any]] = topology.get("links", ())
        self._narrator = Narrator(self._installation)
        self._transfers = tuple(transfers(entries, self._narrator.version))

    def _last(self, action: str) -> dict[str, Json] | None:
        found = [entry for entry in self._entries if entry.action == action and entry.kind in _SAID]
        return found[-1].details if found else None

    def report(self) -> CampaignReport:
        record, request = self._installation.record, self._workspace.request
        verdict, reason = self._verdict()
        devices = tuple(self._device(entry) for entry in record.devices)
        certificates, obligations = tuple(self._certificates()), tuple(self._obligations())
        exceptions = tuple(self._exceptions())
        last = self._entries[-1]
        return CampaignReport(
            product_version=product_version(),
            installation_id=record.id,
            mpan=record.mpan,
            mprn=record.mprn,
            seed=request.seed,
            radio=request.radio,
            result=verdict,
            result_reason=reason,
            epoch_unix_seconds=self._installation.start_unix_seconds,
            started_us=self._entries[0].time_us,
            ended_us=last.time_us,
            devices=devices,
            transfers=self._transfers,
            phases=tuple(self._phases()),
            timeline=tuple(self._timeline()),
            certificates=certificates,
            obligations=obligations,
            exceptions=exceptions,
            files=tuple(self._files()),
            journal_head=last.hash.hex(),
            journal_entries=len(self._entries),
            capture=_capture(self._workspace.capture_path),
            end_state=self._end_state(verdict, devices, certificates, obligations, exceptions),
        )

    def _verdict(self) -> tuple[Verdict, str]:
        for action, verdict in ((END, None), (STOPPED, Verdict.STOPPED)):
            details = self._last(action)
            if details is not None:
                return verdict or Verdict(str(details["verdict"])), str(details["reason"])
        return Verdict.STOPPED, "the campaign was interrupted; resume it"

    # Devices

    def _device(self, entry: DeviceEntry) -> DeviceReport:
        name = format_eui64(entry.address)
        model = self._installation.models[entry.name]
        found = self._found(name)
        plan = None if self._plan is None else self._plan.device(name)
        before = None if found is None or found.version is None else display(model, found.version)
        controlled = entry.role in CONTROLLED_KINDS
        owner = NEW_CONTROLLER if transfer_key(name) in self._done else OLD_CONTROLLER
        x, y = entry.position
        return DeviceReport(
            eui64=name,
            role=DeviceRole(entry.role.value),
            manufacturer=model.identity.manufacturer_name,
            model=model.title,
            position_m=(x, y),
            endpoints=_endpoints(found),
            parent=self._parent(name, found),
            links=tuple(self._links_of(name)),
            version_before=before,
            version_target=plan.target_display if plan is not None and plan.hops else None,
            version_after=self._version_after(name, entry, before),
            planned_hops=_hops(plan),
            configuration=tuple(self._configuration(name)),
            control_owner=owner if controlled else "",
            inventory_status=str(self._enrolment.get("inventory", {}).get(name, "")),
            smets_version=_smets_version(model, self._version_after(name, entry, before)),
            battery_before_percent=self._battery(name, BEFORE),
            battery_after_percent=self._battery(name, AFTER),
            off_air_seconds=sum(
                transfer.off_air_seconds or 0.0 for transfer in self._transfers if transfer.device == name
            ),
        )

    def _parent(self, name: str, found: Found | None) -> str | None:
        """Return the parent by what its routers say; the hub for a device that answered and is in no table."""
        hub = format_eui64(self._installation.hub.address)
        if name == hub or found is None or not found.answered:
            return None
        for link in self._links:
            if link["peer"] == name and link["relationship"] == "child":
                return str(link["device"])
            if link["device"] == name and link["relationship"] == "parent":
                return str(link["peer"])
        return hub

    def _links_of(self, name: str) -> Iterator[Link]:
        for link in self._links:
            if link["device"] == name:
                yield Link(peer=link["peer"], lqi=int(link["lqi"]), relationship=str(link["relationship"]))

    def _battery(self, name: str, when: str) -> float | None:
        for entry in self._entries:
            if entry.action == BATTERY and entry.subject == name and entry.details["when"] == when:
                halves = entry.details["half_percents"]
                return halves / 2 if isinstance(halves, int) else None
        return None

    def _found(self, name: str) -> Found | None:
        for entry in self._entries:
            if entry.action == FOUND and entry.subject == name:
                return Found.from_json(name, entry.details)
        return None

    def _version_after(self, name: str, entry: DeviceEntry, before: str | None) -> str | None:
        read = [e for e in self._entries if e.action == "version-read-back" and e.subject == name]
        if not read:
            return before
        return display(self._installation.models[entry.name], int(str(read[-1].details["version"])))

    def _configuration(self, name: str) -> Iterator[ConfigurationResult]:
        for sequence in self._installation.sequences:
            for step in sequence.steps:
                if step.target is None:
                    continue
                if name not in {format_eui64(e.address) for e in self._installation.targets(step.target)}:
                    continue
                result, detail, at_us = self._step(f"configure/{sequence.id}/{step.id}/{name}", name, step.id)
                yield ConfigurationResult(
                    step=step.title,
                    action=_ACTIONS[str(step.action)],
                    result=result,
                    detail=detail,
                    at_us=at_us,
                )

    def _step(self, key: str, name: str, step: str) -> tuple[StepResult, str, int | None]:
        done = self._done.get(key)
        if done is not None:
            result: Any = done.details["result"]
            return StepResult(result["result"]), str(result["detail"]), done.time_us
        for entry in self._entries:
            if entry.action == CONFIGURATION and entry.subject == name and entry.details["step"] == step:
                return StepResult.FAILED, str(entry.details["detail"]), entry.time_us
        return StepResult.PENDING, "", None

    # Course

    def _phases(self) -> Iterator[PhaseReport]:
        started: dict[str, int] = {}
        finished: dict[str, tuple[int, str]] = {}
        for entry in self._entries:
            if entry.action == PHASE_STARTED:
                started.setdefault(str(entry.details["name"]), entry.time_us)
                finished.pop(str(entry.details["name"]), None)
            elif entry.action == PHASE_FINISHED:
                finished[str(entry.details["name"])] = (entry.time_us, str(entry.details["result"]))
        for name, at_us in started.items():
            ended = finished.get(name, (None, ""))
            yield PhaseReport(name=name, started_us=at_us, ended_us=ended[0], result=ended[1])

    def _timeline(self) -> Iterator[TimelineEntry]:
        phase = ""
        for entry in self._entries:
            if entry.action == PHASE_STARTED:
                phase = str(entry.details["name"])
            sentence = self._narrator.tell(entry)
            if sentence is not None:
                yield TimelineEntry(
                    at_us=entry.time_us,
                    subject=entry.subject,
                    phase=phase,
                    text=sentence.text,
                    severity=sentence.severity,
                )

    # What came of it

    def _certificates(self) -> Iterator[CertificatePlacement]:
        supplied = self._installation.record.authorisation
        when = {
            "supplier": supplied.supplier_certificates,
            "DNO": supplied.dno_certificate,
            "GT": supplied.gt_certificate,
        }
        for item in self._enrolment.get("placements", ()):
            reason = str(item["warning"])
            if not item["placed"]:
                late = when[item["role"]] is Supply.AFTER_CUT_OFF
                reason = "supplied after the cut-off" if late else "not supplied with the authorisation"
            yield CertificatePlacement(
                role=_CERTIFICATES[item["role"]],
                device=item["device"],
                placed=bool(item["placed"]),
                subject=item["holder"],
                supplied_by="Responsible Supplier" if item["placed"] else "",
                reason=reason,
            )

    def _obligations(self) -> Iterator[Obligation]:
        epoch = self._installation.start_unix_seconds
        for item in self._enrolment.get("obligations", ()):
            yield Obligation(
                owner=item["owner"],
                what=f"Place the {item['role']} certificate for {self._named(item['device'])}",
                due_us=(int(item["due_unix_seconds"]) - epoch) * 1_000_000,
            )

    def _named(self, name: str) -> str:
        for entry in self._installation.record.devices:
            if format_eui64(entry.address) == name:
                return named_device(DeviceRole(entry.role.value), name)
        return name

    def _exceptions(self) -> Iterator[ReportedException]:
        told: set[tuple[str, str, str]] = set()
        for entry in self._entries:
            if entry.kind is not Kind.EXCEPTION:
                continue
            exception = _own_exception(entry) if entry.action == ACTION else _enrolment_exception(entry)
            place = (exception.subject, exception.what, exception.cause)
            if place not in told:
                told.add(place)
                yield exception

    def _files(self) -> Iterator[ExchangedFile]:
        for item in self._enrolment.get("files", ()):
            yield ExchangedFile(
                name=item["name"], sender=item["sender"], receiver=item["receiver"], sha256=item["sha256"]
            )

    def _end_state(
        self,
        verdict: Verdict,
        devices: Sequence[DeviceReport],
        certificates: Sequence[CertificatePlacement],
        obligations: Sequence[Obligation],
        exceptions: Sequence[ReportedException],
    ) -> dict[str, Json]:
        """What is true at the end, free of times and of how often anything was tried."""
        return {
            "verdict": str(verdict),
            "devices": {device.eui64: self._device_state(device) for device in devices},
            "certificates": [
                [str(item.role), item.device, item.placed, item.subject] for item in certificates
            ],
            "obligations": [[item.owner, item.what] for item in obligations],
            "exceptions": [*dict.fromkeys(f"{item.subject}: {item.what}" for item in exceptions)],
        }

    def _device_state(self, device: DeviceReport) -> dict[str, Json]:
        steps: dict[str, Json] = {
            step.step: "holds" if step.result in _HOLDING else str(step.result)
            for step in device.configuration
        }
        irreversible: list[Json] = []
        irreversible += sorted(key for key in self._done if _is_irreversible(key, device.eui64))
        return {
            "firmware": device.version_after,
            "control": device.control_owner,
            "inventory": device.inventory_status,
            "configuration": steps,
            "irreversible": irreversible,
        }


def _smets_version(model: Model, displayed: str | None) -> str:
    firmware = None if displayed is None else model.firmware_displayed(displayed)
    return (firmware.smets_version if firmware is not None else None) or model.identity.smets_version


def _is_irreversible(key: str, device: str) -> bool:
    act, *about = key.split("/")
    return act in _IRREVERSIBLE and device in about


def _endpoints(found: Found | None) -> tuple[EndpointSummary, ...]:
    return tuple(
        EndpointSummary(
            number=number,
            device=device_name(device),
            server_clusters=tuple(map(cluster_name, server)),
            client_clusters=tuple(map(cluster_name, client)),
        )
        for number, device, server, client in (() if found is None else found.endpoints)
    )


def _hops(plan: DevicePlan | None) -> tuple[str, ...]:
    if plan is None or not plan.hops:
        return ()
    return (plan.current_display, *(hop.display for hop in plan.hops))


def _own_exception(entry: Entry) -> ReportedException:
    problem = problem_of(entry)
    return ReportedException(
        at_us=entry.time_us,
        subject=problem.subject,
        what=problem.what,
        cause=problem.cause,
        action=problem.action,
        severity=problem.severity,
    )


def _enrolment_exception(entry: Entry) -> ReportedException:
    details = entry.details
    check = BY_CODE.get(str(details.get("code")))
    what = f"{details.get('code', entry.action)}: {'' if check is None else check.what}".rstrip(": ")
    how = {"automatic": "It may be tried again as it is", "never": "It cannot be tried again"}.get(
        str(details.get("retry")), "It can be tried again once this is resolved"
    )
    return ReportedException(
        at_us=entry.time_us,
        subject=entry.subject,
        what=what,
        cause=str(details.get("text", "")),
        action=f"{how}; owner: {details.get('owner', 'unknown')}",
        severity=Severity.WARNING if what.startswith("W") else Severity.ERROR,
    )


def _capture(path: Path) -> CaptureSummary | None:
    if not path.exists():
        return None
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    frames = sum(1 for _ in read_frames(path))
    return CaptureSummary(frames=frames, octets=path.stat().st_size, sha256=sha256)
