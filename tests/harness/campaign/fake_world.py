"""A home that exists only as answers of its hub: real control keys, scripted firmware, no radio."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.devices.control import (
    Accepted,
    ControlReceiver,
    ControlRole,
    provision,
    rehearsal_identity,
)
from emulator.eui64 import format_eui64, parse_eui64
from emulator.faults.schedule import FaultObserver
from emulator.nonvolatile import MemoryNonVolatile
from emulator.smart_energy.ota.file import parse
from emulator.wan import operations as wan
from emulator.wan.alerts import Alert, JobOutcome, TransferProgress, TransferStarted, encode_alert
from emulator.wan.link import WanLink
from emulator.wan.messages import WanError, decode
from emulator.wan.results import (
    AttributeValue,
    AttributeValues,
    CommandStatus,
    ControlAnswer,
    DeviceFound,
    EndpointFound,
    HubStatus,
    ImageHeld,
    ImageState,
    ImageStored,
    JobStatus,
    LinkHeard,
    LinksHeard,
    ListedDevice,
    LoggedEvent,
    LoggedEvents,
    TransferCounts,
)
from harness.homes.rehearsal import wan_parameters
from harness.journal import Entry
from harness.workspace.workspace import Workspace
from hw_profiles.installation import DeviceEntry, Installation
from hw_profiles.model import DeviceKind

OTA, BASIC = 0x0019, 0x0000
COUNTS = TransferCounts(12, 2, 1, 0, 576, 48, 480)
"""What the hub of the scripted home counts of every transfer."""


@dataclass
class FakeDevice:
    """A device as its hub knows it; all of it survives a power cut."""

    entry: DeviceEntry
    version: int
    memory: MemoryNonVolatile = field(default_factory=MemoryNonVolatile)
    attributes: dict[tuple[int, int], Any] = field(default_factory=dict)
    job: dict[str, Any] = field(default_factory=lambda: {"state": "none"})
    activations: list[int] = field(default_factory=list)
    answers: bool = True
    fails_transfer: str = ""
    ignores_release: bool = False
    fetches_again: bool = False
    refuses_writes: bool = False
    model: str | None = None
    log: list[LoggedEvent] = field(default_factory=list)
    """Its event log, as the hub hands it on."""


class FakeHome:
    """What survives of the home between two runs of the harness."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.devices: dict[str, FakeDevice] = {}
        self.images: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}
        self.wan_up = True
        self.silenced_by: set[str] = set()
        self.writes = 0
        self.synced: list[int] = []
        self.commands: list[str] = []
        for entry in installation.record.devices:
            version = installation.installed_firmware(entry.name).ota_version
            device = FakeDevice(entry, version)
            model = installation.models[entry.name]
            for item in model.configuration:
                device.attributes[item.cluster, item.attribute] = item.default
            device.attributes[0x0702, 0x0000] = entry.registers.get("current_summation_delivered", 0)
            device.attributes[BASIC, 0x0000] = 1
            device.attributes[0x0001, 0x0021] = 142
            self.devices[format_eui64(entry.address)] = device

    def named(self, name: str) -> FakeDevice:
        return next(device for device in self.devices.values() if device.entry.name == name)


class FakeWorld:
    """The home with power on: answers on the wide-area link."""

    def __init__(self, home: FakeHome, workspace: Workspace, kernel: Kernel) -> None:
        self.home = home
        self.link = WanLink(kernel, wan_parameters(workspace.installation.record.wan))
        self.link.up = home.wan_up
        self._kernel = kernel
        self._scope = kernel.scope("fake world")
        self._hub = format_eui64(home.installation.hub.address)
        self._receivers: dict[str, ControlReceiver] = {}
        for name, device in home.devices.items():
            if device.entry.role in (DeviceKind.CHF, DeviceKind.ESME, DeviceKind.GSME):
                eui64 = device.entry.address
                provision(device.memory, rehearsal_identity(kernel.secret, eui64))
                self._receivers[name] = ControlReceiver(eui64, device.memory)

    async def start(self) -> None:
        self.link.on_hub = self._received
        for name, device in self.home.devices.items():
            if device.job["state"] in ("scheduled", "transferring"):
                self._scope.call_later(5 * MICROSECONDS, self._block, name)
            elif device.job["state"] == "released":
                self._scope.call_later(5 * MICROSECONDS, self._activate, name)

    def sync(self, last: Entry) -> None:
        self.home.synced.append(last.sequence)

    def watch_faults(self, observer: FaultObserver) -> None:
        self.fault_observer = observer

    async def stop(self) -> None:
        self.link.on_hub = None
        self._scope.end()

    # The wide-area link

    def _received(self, datagram: bytes) -> None:
        receiver = self._receivers[self._hub]
        if not self.home.wan_up:
            return
        opened = receiver.open(datagram)
        if isinstance(opened, bytes):
            self.link.to_head_end(opened)
            return
        asked = wan.decode_operation(decode(opened.command))
        if asked.NAME in self.home.silenced_by:
            self.home.wan_up = False
            return
        self.link.to_head_end(receiver.answer(opened, self._run(asked, opened)))

    def _run(self, asked: wan.Operation[Any], accepted: Accepted) -> bytes:
        self.home.commands.append(asked.NAME)
        if asked.CRITICAL and accepted.envelope.role is not ControlRole.CRITICAL:
            return wan.encode_failure("not-critical", asked.NAME)
        try:
            result: object = getattr(self, f"_op_{asked.NAME}")(asked)
        except WanError as error:
            return wan.encode_failure(error.code, error.text)
        assert isinstance(result, asked.RESULT)
        return wan.encode_result(result)

    def _alert(self, alert: Alert) -> None:
        self.link.to_head_end(self._receivers[self._hub].sign_alert(encode_alert(alert)))

    def _device(self, name: str) -> FakeDevice:
        device = self.home.devices[name]
        if not device.answers:
            raise WanError("unreachable", f"{name} did not answer")
        return device

    # Operations

    def _op_status(self, _: wan.Status) -> HubStatus:
        names = (name for name in self.home.devices if name != self._hub)
        devices = tuple(ListedDevice(name, 1, 0) for name in names)
        version = self.home.devices[self._hub].version
        return HubStatus(self._hub, version, 1, 11, devices, (), ())

    def _op_discover(self, asked: wan.Discover) -> DeviceFound:
        device = self._device(asked.device)
        model = self.home.installation.models[device.entry.name]
        identity = model.identity
        basic = {
            "0005": AttributeValue(0, type="string", value=device.model or identity.model_identifier),
            "0003": AttributeValue(0, type="uint8", value=identity.hardware_version & 0xFF),
        }
        version = AttributeValue(0, type="uint32", value=device.version)
        return DeviceFound(
            asked.device,
            1,
            identity.manufacturer_code,
            1,
            device.entry.role is DeviceKind.GSME,
            tuple(
                EndpointFound(e.id, e.device_id, tuple(e.server), tuple(e.client)) for e in model.endpoints
            ),
            basic,
            None if model.ota is None else {"0002": version},
        )

    def _op_topology(self, _: wan.Topology) -> LinksHeard:
        names = (name for name in self.home.devices if name != self._hub)
        return LinksHeard(tuple(LinkHeard(self._hub, name, 180, "child", 1) for name in names), ())

    def _op_read(self, asked: wan.Read) -> AttributeValues:
        device = self._device(asked.device)
        values: dict[str, AttributeValue] = {}
        for attribute in asked.attributes:
            value = device.attributes.get((asked.cluster, attribute))
            if asked.cluster == OTA:
                value = device.version
            unsupported = AttributeValue(0x86, "UNSUPPORTED_ATTRIBUTE")
            read = unsupported if value is None else AttributeValue(0, type="?", value=value)
            values[f"{attribute:04x}"] = read
        return AttributeValues(values)

    def _op_write(self, asked: wan.Write) -> CommandStatus:
        device = self._device(asked.device)
        if device.refuses_writes:
            return CommandStatus(0x88, "READ_ONLY")
        self.home.writes += 1
        device.attributes[asked.cluster, asked.attribute] = asked.value
        return CommandStatus(0, "SUCCESS")

    def _op_control(self, asked: wan.Control) -> ControlAnswer:
        self._device(asked.device)
        return ControlAnswer(self._receivers[asked.device].receive(asked.envelope))

    def _op_image_begin(self, asked: wan.ImageBegin) -> ImageState:
        held = self.home.images.setdefault(asked.sha256, b"")
        self.home.sizes[asked.sha256] = asked.size
        return ImageState(len(held), False)

    def _op_image_data(self, asked: wan.ImageData) -> ImageHeld:
        held = self.home.images[asked.sha256]
        if asked.offset == len(held):
            self.home.images[asked.sha256] = held + asked.data
        return ImageHeld(len(self.home.images[asked.sha256]))

    def _op_image_commit(self, asked: wan.ImageCommit) -> ImageStored:
        data = self.home.images[asked.sha256]
        assert hashlib.sha256(data).hexdigest() == asked.sha256
        header = parse(data).header
        return ImageStored((header.manufacturer_code, header.image_type, header.file_version))

    def _op_schedule(self, asked: wan.Schedule) -> JobStatus:
        device = self.home.devices[asked.device]
        data = self.home.images[asked.sha256]
        version = parse(data).header.file_version
        if device.job.get("version") != version or device.job["state"] in ("failed", "withdrawn"):
            device.job = {
                "state": "scheduled",
                "version": version,
                "size": len(data),
                "offset": 0,
                "detail": "",
            }
            self._scope.call_later(60 * MICROSECONDS, self._block, asked.device)
        return self._job(asked.device)

    def _job(self, name: str) -> JobStatus:
        job = self.home.devices[name].job
        if job["state"] == "none":
            return JobStatus(name, "none")
        offset, detail = job["offset"], job["detail"]
        return JobStatus(name, job["state"], None, offset, 0, detail, None, COUNTS, "")

    def _op_job(self, asked: wan.Job) -> JobStatus:
        return self._job(asked.device)

    def _op_release(self, asked: wan.Release) -> JobStatus:
        device = self.home.devices[asked.device]
        if device.job["state"] in ("none", "activated", "failed", "withdrawn"):
            raise WanError("no-job", "nothing to activate")
        if device.job["state"] == "held":
            device.job["state"] = "released"
            self._scope.call_later(600 * MICROSECONDS, self._activate, asked.device)
        return self._job(asked.device)

    def _op_withdraw(self, asked: wan.Withdraw) -> JobStatus:
        self.home.devices[asked.device].job["state"] = "withdrawn"
        return self._job(asked.device)

    def _op_device_log(self, asked: wan.DeviceLog) -> LoggedEvents:
        return LoggedEvents(tuple(self._device(asked.device).log))

    # What devices do of themselves

    def _block(self, name: str) -> None:
        device = self.home.devices[name]
        job = device.job
        if not device.answers or job["state"] not in ("scheduled", "transferring"):
            return
        version = job["version"]
        if device.fails_transfer:
            job.update(state="failed", detail=device.fails_transfer)
            self._ended(name, "FileTransferFailure")
            return
        job["state"] = "transferring"
        job["offset"] = min(job["size"], job["offset"] + 65_536)
        self._alert(TransferProgress(name, version, job["offset"], job["size"]))
        if job["offset"] < job["size"]:
            self._scope.call_later(3600 * MICROSECONDS, self._block, name)
            return
        job["state"] = "held"
        self._ended(name, "FileTransferSuccess")

    def _ended(self, name: str, outcome: str) -> None:
        job = self.home.devices[name].job
        self._alert(JobOutcome(name, job["version"], outcome, job["detail"], COUNTS, ""))

    def _activate(self, name: str) -> None:
        device = self.home.devices[name]
        if device.fetches_again and device.job["state"] == "released":
            self._alert(TransferStarted(name, device.job["version"], 0))
            self._scope.call_later(3600 * MICROSECONDS, self._activate, name)
            return
        if device.ignores_release or device.job["state"] != "released":
            return
        device.version = device.job["version"]
        device.activations.append(device.version)
        device.job["state"] = "activated"
        self._ended(name, "ActivationSuccess")


def rotations(home: FakeHome) -> dict[str, list[int]]:
    """How often each controlled device's two keys were rotated."""
    found = {}
    for name, device in home.devices.items():
        if device.memory.keys("control."):
            receiver = ControlReceiver(parse_eui64(name), device.memory)
            found[name] = [receiver.rotations(role) for role in ControlRole]
    return found
