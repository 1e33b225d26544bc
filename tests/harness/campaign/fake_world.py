"""A home that exists only as answers of its hub: real control keys, scripted firmware, no radio."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
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
from emulator.wan.link import WanLink
from emulator.wan.messages import WanError, WanMessage, decode, encode
from harness.homes.rehearsal import wan_parameters
from harness.journal import Entry
from harness.workspace.workspace import Workspace
from hw_profiles.installation import DeviceEntry, Installation
from hw_profiles.model import DeviceKind

OTA, BASIC = 0x0019, 0x0000
CRITICAL_OPERATIONS = ("release", "withdraw", "network_key")


COUNTS = {
    "blocks_sent": 12,
    "blocks_repeated": 2,
    "timeouts": 1,
    "silences": 0,
    "octets_carried": 576,
    "max_block": 48,
    "reached": 480,
}
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
    log: list[dict[str, Any]] = field(default_factory=list)
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
        if not isinstance(opened, bytes) and decode(opened.command).fields["op"] in self.home.silenced_by:
            self.home.wan_up = False
            return
        if isinstance(opened, bytes):
            self.link.to_head_end(opened)
            return
        self.link.to_head_end(receiver.answer(opened, encode(WanMessage(self._run(opened)))))

    def _run(self, accepted: Accepted) -> dict[str, Any]:
        message = decode(accepted.command)
        op = str(message.fields["op"])
        self.home.commands.append(op)
        if op in CRITICAL_OPERATIONS and accepted.envelope.role is not ControlRole.CRITICAL:
            return {"error": {"code": "not-critical", "text": op}}
        try:
            return {"ok": getattr(self, f"_op_{op}")(message.fields, message.attachment)}
        except WanError as error:
            return {"error": {"code": error.code, "text": error.text}}

    def _alert(self, name: str, device: str, **fields: Any) -> None:
        payload = encode(WanMessage({"alert": name, "device": device, **fields}))
        self.link.to_head_end(self._receivers[self._hub].sign_alert(payload))

    def _device(self, fields: Mapping[str, Any]) -> FakeDevice:
        device = self.home.devices[fields["device"]]
        if not device.answers:
            raise WanError("unreachable", f"{fields['device']} did not answer")
        return device

    # Operations

    def _op_status(self, fields: Mapping[str, Any], _: bytes) -> dict[str, Any]:
        devices = [
            {"device": name, "short": 1, "last_seen": 0} for name in self.home.devices if name != self._hub
        ]
        return {"eui64": self._hub, "firmware": self.home.devices[self._hub].version, "devices": devices}

    def _op_discover(self, fields: Mapping[str, Any], _: bytes) -> dict[str, Any]:
        device = self._device(fields)
        model = self.home.installation.models[device.entry.name]
        found: dict[str, Any] = {
            "device": fields["device"],
            "short": 1,
            "manufacturer": model.identity.manufacturer_code,
            "type": 1,
            "sleepy": device.entry.role is DeviceKind.GSME,
            "endpoints": [
                {"endpoint": e.id, "device": e.device_id, "server": list(e.server), "client": list(e.client)}
                for e in model.endpoints
            ],
            "basic": {
                "0005": {
                    "status": 0,
                    "type": "string",
                    "value": device.model or model.identity.model_identifier,
                },
                "0003": {"status": 0, "type": "uint8", "value": model.identity.hardware_version & 0xFF},
            },
        }
        if model.ota is not None:
            found["ota"] = {"0002": {"status": 0, "type": "uint32", "value": device.version}}
        return found

    def _op_topology(self, fields: Mapping[str, Any], _: bytes) -> dict[str, Any]:
        links = [
            {"device": self._hub, "peer": name, "lqi": 180, "relationship": "child", "type": 1}
            for name in self.home.devices
            if name != self._hub
        ]
        return {"links": links, "silent": []}

    def _op_read(self, fields: Mapping[str, Any], _: bytes) -> dict[str, Any]:
        device = self._device(fields)
        values: dict[str, Any] = {}
        for attribute in fields["attributes"]:
            value = device.attributes.get((fields["cluster"], attribute))
            if fields["cluster"] == OTA:
                value = device.version
            seen = {"status": 0x86, "name": "UNSUPPORTED_ATTRIBUTE"}
            values[f"{attribute:04x}"] = seen if value is None else {"status": 0, "type": "?", "value": value}
        return {"values": values}

    def _op_write(self, fields: Mapping[str, Any], _: bytes) -> dict[str, Any]:
        device = self._device(fields)
        if device.refuses_writes:
            return {"status": 0x88, "name": "READ_ONLY"}
        self.home.writes += 1
        device.attributes[fields["cluster"], fields["attribute"]] = fields["value"]
        return {"status": 0, "name": "SUCCESS"}

    def _op_control(self, fields: Mapping[str, Any], _: bytes) -> dict[str, Any]:
        self._device(fields)
        return {
            "response": self._receivers[fields["device"]].receive(bytes.fromhex(fields["envelope"])).hex()
        }

    def _op_image_begin(self, fields: Mapping[str, Any], _: bytes) -> dict[str, Any]:
        held = self.home.images.setdefault(fields["sha256"], b"")
        self.home.sizes[fields["sha256"]] = fields["size"]
        return {"held": len(held), "complete": False}

    def _op_image_data(self, fields: Mapping[str, Any], data: bytes) -> dict[str, Any]:
        held = self.home.images[fields["sha256"]]
        if fields["offset"] == len(held):
            self.home.images[fields["sha256"]] = held + data
        return {"held": len(self.home.images[fields["sha256"]])}

    def _op_image_commit(self, fields: Mapping[str, Any], _: bytes) -> dict[str, Any]:
        data = self.home.images[fields["sha256"]]
        assert hashlib.sha256(data).hexdigest() == fields["sha256"]
        header = parse(data).header
        return {"key": [header.manufacturer_code, header.image_type, header.file_version]}

    def _op_schedule(self, fields: Mapping[str, Any], _: bytes) -> dict[str, Any]:
        device = self.home.devices[fields["device"]]
        data = self.home.images[fields["sha256"]]
        version = parse(data).header.file_version
        if device.job.get("version") != version or device.job["state"] in ("failed", "withdrawn"):
            device.job = {
                "state": "scheduled",
                "version": version,
                "size": len(data),
                "offset": 0,
                "attempts": 0,
                "transfer": dict(COUNTS),
                "device_status": "",
                "detail": "",
            }
            self._scope.call_later(60 * MICROSECONDS, self._block, fields["device"])
        return self._op_job(fields, b"")

    def _op_job(self, fields: Mapping[str, Any], _: bytes) -> dict[str, Any]:
        return {"device": fields["device"], **self.home.devices[fields["device"]].job}

    def _op_release(self, fields: Mapping[str, Any], _: bytes) -> dict[str, Any]:
        device = self.home.devices[fields["device"]]
        if device.job["state"] in ("none", "activated", "failed", "withdrawn"):
            raise WanError("no-job", "nothing to activate")
        if device.job["state"] == "held":
            device.job["state"] = "released"
            self._scope.call_later(600 * MICROSECONDS, self._activate, fields["device"])
        return self._op_job(fields, b"")

    def _op_withdraw(self, fields: Mapping[str, Any], _: bytes) -> dict[str, Any]:
        self.home.devices[fields["device"]].job["state"] = "withdrawn"
        return self._op_job(fields, b"")

    def _op_device_log(self, fields: Mapping[str, Any], _: bytes) -> dict[str, Any]:
        return {"entries": self._device(fields).log}

    # What devices do of themselves

    def _block(self, name: str) -> None:
        device = self.home.devices[name]
        job = device.job
        if not device.answers or job["state"] not in ("scheduled", "transferring"):
            return
        version = job["version"]
        if device.fails_transfer:
            job.update(state="failed", detail=device.fails_transfer)
            self._alert(
                "job-outcome",
                name,
                version=version,
                outcome="FileTransferFailure",
                detail=job["detail"],
                **_told(job),
            )
            return
        job["state"] = "transferring"
        job["offset"] = min(job["size"], job["offset"] + 65_536)
        self._alert("transfer-progress", name, version=version, offset=job["offset"], size=job["size"])
        if job["offset"] < job["size"]:
            self._scope.call_later(3600 * MICROSECONDS, self._block, name)
            return
        job["state"] = "held"
        self._alert(
            "job-outcome", name, version=version, outcome="FileTransferSuccess", detail="", **_told(job)
        )

    def _activate(self, name: str) -> None:
        device = self.home.devices[name]
        if device.fetches_again and device.job["state"] == "released":
            self._alert("transfer-started", name, version=device.job["version"], offset=0)
            self._scope.call_later(3600 * MICROSECONDS, self._activate, name)
            return
        if device.ignores_release or device.job["state"] != "released":
            return
        device.version = device.job["version"]
        device.activations.append(device.version)
        device.job["state"] = "activated"
        self._alert(
            "job-outcome",
            name,
            version=device.version,
            outcome="ActivationSuccess",
            detail="",
            **_told(device.job),
        )


def rotations(home: FakeHome) -> dict[str, list[int]]:
    """How often each controlled device's two keys were rotated."""
    found = {}
    for name, device in home.devices.items():
        if device.memory.keys("control."):
            receiver = ControlReceiver(parse_eui64(name), device.memory)
            found[name] = [receiver.rotations(role) for role in ControlRole]
    return found


def _told(job: Mapping[str, Any]) -> dict[str, Any]:
    return {"transfer": job["transfer"], "device_status": job["device_status"]}
