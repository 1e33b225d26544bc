"""Each device of the installation as the journal tells of it: what it was, what it became, where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from emulator.eui64 import format_eui64
from harness.facts.campaign import Planned
from harness.facts.configuration import StepDone, StepFailed, StepPerformed
from harness.facts.discovery import BatteryRead, Found, Topology
from harness.facts.enrolment import CommissioningOf, DeviceTested, EnrolmentResult
from harness.facts.firmware import DeviceJoined, TransferProgress, VersionReadBack
from harness.facts.terms import Reading, StepResult
from harness.regime.case import CONTROLLED_KINDS
from harness.regime.control import check_control
from harness.report.history import History
from harness.report.identifiers import cluster_name, device_name
from harness.report.model import (
    ConfigurationResult,
    DeviceReport,
    EndpointSummary,
    Link,
    TransferReport,
)
from hw_profiles.installation import DeviceEntry
from hw_profiles.model import Model

_ACTIONS = {
    "write_attribute": "write attribute",
    "send_command": "send command",
    "check": "check",
    "wait": "wait",
}


def device_reports(history: History, transfers: Sequence[TransferReport]) -> tuple[DeviceReport, ...]:
    """Return a report of each device, in the order of the installation file."""
    devices = _Devices(history, transfers)
    return tuple(devices.report(entry) for entry in history.installation.record.devices)


class _Devices:
    def __init__(self, history: History, transfers: Sequence[TransferReport]) -> None:
        self._history = history
        self._installation = history.installation
        self._transfers = transfers
        planned = history.first(Planned)
        self._plan = None if planned is None else planned.plan
        self._enrolment = history.last(EnrolmentResult)
        self._control = check_control(history.entries)
        topology = history.last(Topology)
        self._links = () if topology is None else topology.links

    def report(self, entry: DeviceEntry) -> DeviceReport:
        name = format_eui64(entry.address)
        model = self._installation.models[entry.name]
        found = self._history.first(Found, name)
        plan = None if self._plan is None else self._plan.device(name)
        before = None if found is None or found.version is None else model.display_of(found.version)
        after = self._version_after(name, model, before)
        controlled = entry.role in CONTROLLED_KINDS
        x, y = entry.position
        return DeviceReport(
            eui64=name,
            role=entry.role,
            manufacturer=model.identity.manufacturer_name,
            model=model.title,
            position_m=(x, y),
            endpoints=_endpoints(found),
            parent=self._parent(name, found),
            links=tuple(self._links_of(name)),
            version_before=before,
            version_target=plan.target_display if plan is not None and plan.hops else None,
            version_after=after,
            planned_hops=() if plan is None else plan.hops,
            admitted=() if self._plan is None else self._plan.admitted_to(name),
            configuration=tuple(self._configuration(name)),
            control_owner=self._control.owner(name) if controlled else "",
            inventory_status=self._inventory_status(name),
            inventory_firmware="" if self._enrolment is None else self._enrolment.firmware.get(name, ""),
            smets_version=_smets_version(model, after),
            battery_before_percent=self._battery(name, Reading.BEFORE),
            battery_after_percent=self._battery(name, Reading.AFTER),
            off_air_seconds=sum(
                transfer.off_air_seconds or 0.0 for transfer in self._transfers if transfer.device == name
            ),
            silent_since_us=self._silent_since(name),
        )

    def _inventory_status(self, name: str) -> str:
        """The status the enrolment ended with; of one that is not at its end, what was already done."""
        if self._enrolment is not None:
            return self._enrolment.inventory.get(name, "")
        return "Commissioned" if CommissioningOf.key_of(name) in self._history.done else ""

    def _silent_since(self, name: str) -> int | None:
        """Return when a device was last heard, the start when never; None for one that answered when last asked."""
        heard_us, silent = self._history.entries[0].time_us, False
        for entry, fact in self._history.facts:
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

    def _battery(self, name: str, when: Reading) -> float | None:
        read = next((read for read in self._history.all(BatteryRead, name) if read.when is when), None)
        return None if read is None or read.half_percents is None else read.half_percents / 2

    def _version_after(self, name: str, model: Model, before: str | None) -> str | None:
        read = self._history.last(VersionReadBack, name)
        return before if read is None else model.display_of(read.version)

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
        done = self._history.done.get(StepPerformed.key_of(sequence, step, name))
        if done is not None and isinstance(done.result, StepDone):
            return done.result.result, done.result.detail, done.entry.time_us
        for entry, fact in self._history.facts:
            if isinstance(fact, StepFailed) and (fact.subject, fact.step) == (name, step):
                return StepResult.FAILED, fact.detail, entry.time_us
        return StepResult.PENDING, "", None


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
