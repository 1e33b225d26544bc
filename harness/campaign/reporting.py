"""The report of a campaign, made from its journal alone: what the journal does not say, the report does not claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from emulator.eui64 import format_eui64
from harness.campaign.batteries import AFTER, BEFORE
from harness.campaign.discovery import display
from harness.campaign.frames import Frames
from harness.campaign.names import cluster_name, device_name
from harness.campaign.narrative import Narrator
from harness.campaign.transfers import transfers
from harness.errors import JournalError
from harness.facts import Fact, Outcome, Status
from harness.facts.campaign import Begun, Ended, PhaseFinished, PhaseStarted, Planned, Problem, Stopped
from harness.facts.configuration import StepDone, StepFailed, StepPerformed
from harness.facts.discovery import BatteryRead, Found, Topology
from harness.facts.enrolment import (
    CommissioningOf,
    DeviceTested,
    EnrolmentProblem,
    EnrolmentResult,
    Placement,
    Transition,
)
from harness.facts.files import Sealed
from harness.facts.firmware import DeviceJoined, TransferProgress, VersionReadBack
from harness.facts.terms import Retry, Severity, State, StepResult, Verdict
from harness.journal import Entry, Json
from harness.regime.case import CONTROLLED_KINDS
from harness.regime.control import check_control
from harness.regime.validation import BY_CODE
from harness.report.model import (
    CampaignReport,
    ConfigurationResult,
    DeviceReport,
    DeviceRole,
    EndpointSummary,
    ExchangedFile,
    Link,
    Obligation,
    PhaseReport,
    ReportedException,
    TimelineEntry,
)
from harness.report.wording import named_device
from hw_profiles.installation import DeviceEntry, Installation
from hw_profiles.model import Model

F = TypeVar("F", bound=Fact)

_HOLDING = (StepResult.APPLIED, StepResult.ALREADY)
_ACTIONS = {
    "write_attribute": "write attribute",
    "send_command": "send command",
    "check": "check",
    "wait": "wait",
}


def assemble(installation: Installation, entries: Sequence[Entry], frames: Frames) -> CampaignReport:
    """Return the report that follows from the journal's entries; `frames` are those of the capture beside it.

    Raises `JournalError` for entries that are no journal of a campaign.
    """
    return _Assembly(installation, entries, frames).report()


class _Assembly:
    def __init__(self, installation: Installation, entries: Sequence[Entry], frames: Frames) -> None:
        self._installation = installation
        self._frames = frames
        self._entries = entries
        self._facts = [(entry, entry.fact) for entry in entries]
        self._done = {
            entry.key: (entry, fact.result, fact.act)
            for entry, fact in self._facts
            if isinstance(fact, Outcome) and fact.status is Status.DONE
        }
        planned = self._first(Planned)
        self._plan = None if planned is None else planned.plan
        self._enrolment = self._last(EnrolmentResult)
        self._control = check_control(entries)
        moved = self._last(Transition)
        self._over = moved is not None and moved.to in (State.EXCLUSION_REVIEW, State.EXCLUDED)
        topology = self._last(Topology)
        self._links = () if topology is None else topology.links
        self._narrator = Narrator(self._installation)
        self._transfers = tuple(transfers(entries, frames))

    def _all(self, kind: type[F], subject: str | None = None) -> Iterator[F]:
        for _, fact in self._facts:
            if isinstance(fact, kind) and subject in (None, fact.subject):
                yield fact

    def _first(self, kind: type[F], subject: str | None = None) -> F | None:
        return next(self._all(kind, subject), None)

    def _last(self, kind: type[F], subject: str | None = None) -> F | None:
        found = list(self._all(kind, subject))
        return found[-1] if found else None

    def report(self) -> CampaignReport:
        record, begun, sealed = self._installation.record, self._begun(), self._last(Sealed)
        verdict, reason = self._verdict()
        devices = tuple(self._device(entry) for entry in record.devices)
        certificates = () if self._enrolment is None else self._enrolment.placements
        obligations = tuple(self._obligations())
        exceptions = tuple(self._exceptions())
        last = self._entries[-1]
        return CampaignReport(
            product_version=begun.product_version,
            installation_id=record.id,
            mpan=record.mpan,
            mprn=record.mprn,
            seed=begun.request.seed,
            radio=begun.request.radio,
            result=verdict,
            result_reason=reason,
            previous_head_end=f"{record.previous_head_end.name} ({record.previous_head_end.smso})",
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
            capture=None if sealed is None else sealed.capture,
            end_state=self._end_state(verdict, devices, certificates, obligations, exceptions),
        )

    def _begun(self) -> Begun:
        begun = self._entries[0].fact
        if not isinstance(begun, Begun):
            raise JournalError("journal entry 0 does not say which campaign it is; start a new run")
        return begun

    def _verdict(self) -> tuple[Verdict, str]:
        ended, stopped = self._last(Ended), self._last(Stopped)
        if ended is not None:
            return ended.verdict, ended.reason
        if stopped is not None:
            return Verdict.STOPPED, stopped.reason
        return Verdict.STOPPED, "the campaign was interrupted; resume it"

    # Devices

    def _device(self, entry: DeviceEntry) -> DeviceReport:
        name = format_eui64(entry.address)
        model = self._installation.models[entry.name]
        found = self._first(Found, name)
        plan = None if self._plan is None else self._plan.device(name)
        before = None if found is None or found.version is None else display(model, found.version)
        controlled = entry.role in CONTROLLED_KINDS
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
            planned_hops=() if plan is None else plan.hops,
            configuration=tuple(self._configuration(name)),
            control_owner=self._control.owner(name) if controlled else "",
            inventory_status=self._inventory_status(name),
            inventory_firmware="" if self._enrolment is None else self._enrolment.firmware.get(name, ""),
            smets_version=_smets_version(model, self._version_after(name, entry, before)),
            battery_before_percent=self._battery(name, BEFORE),
            battery_after_percent=self._battery(name, AFTER),
            off_air_seconds=sum(
                transfer.off_air_seconds or 0.0 for transfer in self._transfers if transfer.device == name
            ),
            silent_since_us=self._silent_since(name),
        )

    def _inventory_status(self, name: str) -> str:
        """The status the enrolment ended with; of one that is not at its end, what was already done."""
        if self._enrolment is not None:
            return self._enrolment.inventory.get(name, "")
        return "Commissioned" if CommissioningOf.key_of(name) in self._done else ""

    def _silent_since(self, name: str) -> int | None:
        """Return when a device was last heard, the start when never; None for one that answered when last asked."""
        heard_us, silent = self._entries[0].time_us, False
        for entry, fact in self._facts:
            if fact.subject != name:
                continue
            match fact:
                case Found(answered=False) | DeviceTested(passed=False):
                    silent = True
                case Found() | DeviceTested() | VersionReadBack() | TransferProgress() | DeviceJoined():
                    heard_us, silent = entry.time_us, False
        return heard_us if silent else None

    def _parent(self, name: str, found: Found | None) -> str | None:
        """Return the parent by what its routers say; the hub for a device that answered and is in no table."""
        hub = format_eui64(self._installation.hub.address)
        if name == hub or found is None or not found.answered:
            return None
        for link in self._links:
            if link.peer == name and link.relationship == "child":
                return link.device
            if link.device == name and link.relationship == "parent":
                return link.peer
        return hub

    def _links_of(self, name: str) -> Iterator[Link]:
        for link in self._links:
            if link.device == name:
                yield Link(peer=link.peer, lqi=link.lqi, relationship=link.relationship)

    def _battery(self, name: str, when: str) -> float | None:
        read = next((read for read in self._all(BatteryRead, name) if read.when == when), None)
        return None if read is None or read.half_percents is None else read.half_percents / 2

    def _version_after(self, name: str, entry: DeviceEntry, before: str | None) -> str | None:
        read = self._last(VersionReadBack, name)
        return before if read is None else display(self._installation.models[entry.name], read.version)

    def _configuration(self, name: str) -> Iterator[ConfigurationResult]:
        for sequence in self._installation.sequences:
            for step in sequence.steps:
                if step.target is None:
                    continue
                if name not in {format_eui64(e.address) for e in self._installation.targets(step.target)}:
                    continue
                result, detail, at_us = self._step(sequence.id, step.id, name)
                yield ConfigurationResult(
                    step=step.title,
                    action=_ACTIONS[str(step.action)],
                    result=result,
                    detail=detail,
                    at_us=at_us,
                    provided_by=sequence.provided_by,
                )

    def _step(self, sequence: str, step: str, name: str) -> tuple[StepResult, str, int | None]:
        done = self._done.get(StepPerformed.key_of(sequence, step, name))
        if done is not None and isinstance(done[1], StepDone):
            return done[1].result, done[1].detail, done[0].time_us
        for entry, fact in self._facts:
            if isinstance(fact, StepFailed) and (fact.subject, fact.step) == (name, step):
                return StepResult.FAILED, fact.detail, entry.time_us
        return StepResult.PENDING, "", None

    # Course

    def _phases(self) -> Iterator[PhaseReport]:
        started: dict[str, int] = {}
        finished: dict[str, tuple[int, str]] = {}
        for entry, fact in self._facts:
            if isinstance(fact, PhaseStarted):
                started.setdefault(fact.name, entry.time_us)
                finished.pop(fact.name, None)
            elif isinstance(fact, PhaseFinished):
                finished[fact.name] = (entry.time_us, fact.result)
        for name, at_us in started.items():
            ended = finished.get(name, (None, ""))
            yield PhaseReport(name=name, started_us=at_us, ended_us=ended[0], result=ended[1])

    def _timeline(self) -> Iterator[TimelineEntry]:
        phase = ""
        for entry, fact in self._facts:
            if isinstance(fact, PhaseStarted):
                phase = fact.name
            sentence = self._narrator.tell(entry.sequence, fact)
            if sentence is not None:
                yield TimelineEntry(
                    at_us=entry.time_us,
                    subject=entry.subject,
                    phase=phase,
                    text=sentence.text,
                    severity=sentence.severity,
                    frame=self._frames.until(entry.time_us),
                )

    # What came of it

    def _obligations(self) -> Iterator[Obligation]:
        epoch = self._installation.start_unix_seconds
        for item in () if self._enrolment is None else self._enrolment.obligations:
            yield Obligation(
                owner=item.owner,
                what=f"Place the {item.role} certificate for {self._named(item.device)}",
                due_us=(item.due_unix_seconds - epoch) * 1_000_000,
            )

    def _named(self, name: str) -> str:
        for entry in self._installation.record.devices:
            if format_eui64(entry.address) == name:
                return named_device(DeviceRole(entry.role.value), name)
        return name

    def _exceptions(self) -> Iterator[ReportedException]:
        told: set[tuple[str, str, str]] = set()
        for entry, fact in self._facts:
            if isinstance(fact, Problem):
                exception = _own_exception(entry.time_us, fact)
            elif isinstance(fact, EnrolmentProblem):
                exception = _enrolment_exception(entry.time_us, fact, self._over)
            else:
                continue
            place = (exception.subject, exception.what, exception.cause)
            if place not in told:
                told.add(place)
                yield exception

    def _files(self) -> Iterator[ExchangedFile]:
        for item in () if self._enrolment is None else self._enrolment.files:
            yield ExchangedFile(
                name=item.name, sender=item.sender, receiver=item.receiver, sha256=item.sha256
            )

    def _end_state(
        self,
        verdict: Verdict,
        devices: Sequence[DeviceReport],
        certificates: Sequence[Placement],
        obligations: Sequence[Obligation],
        exceptions: Sequence[ReportedException],
    ) -> dict[str, Json]:
        """What is true at the end, free of times and of how often anything was tried."""
        return {
            "verdict": str(verdict),
            "devices": {device.eui64: self._device_state(device) for device in devices},
            "certificates": [
                [str(item.role), item.device, item.placed, item.holder] for item in certificates
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
        irreversible += sorted(
            key
            for key, (entry, _, act) in self._done.items()
            if act.IRREVERSIBLE and entry.subject == device.eui64
        )
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


def _own_exception(at_us: int, problem: Problem) -> ReportedException:
    return ReportedException(
        at_us=at_us,
        subject=problem.subject,
        what=problem.what,
        cause=problem.cause,
        action=problem.action,
        severity=problem.severity,
    )


_FURTHER = {
    Retry.AUTOMATIC: "It may be tried again as it is",
    Retry.NEXT_DAY: "It is tried again when a day has room for it",
    Retry.RESOLUTION: "It can be tried again once this is resolved",
    Retry.NEVER: "It cannot be tried again",
}
_NO_MORE = (
    "No further attempt is made: too many have failed, and the installation's exclusion is under review"
)


def _enrolment_exception(at_us: int, problem: EnrolmentProblem, over: bool) -> ReportedException:
    """`over` tells that the installation has used up its attempts."""
    check = BY_CODE.get(problem.code)
    what = f"{problem.code}: {'' if check is None else check.what}".rstrip(": ")
    warning = what.startswith("W")
    how = _NO_MORE if over and not warning else _FURTHER[problem.retry]
    return ReportedException(
        at_us=at_us,
        subject=problem.subject,
        what=what,
        cause=problem.text,
        action=f"{how}; owner: {problem.owner}",
        severity=Severity.WARNING if warning else Severity.ERROR,
    )
