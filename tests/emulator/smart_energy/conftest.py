"""A client and a server of the OTA cluster joined by a link that can delay, lose and cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from emulator.clock.kernel import Kernel, Scope
from emulator.smart_energy.ota import effects
from emulator.smart_energy.ota.client import OtaClient
from emulator.smart_energy.ota.jobs import OtaServerConfig, StoredImage
from emulator.smart_energy.ota.messages import ImageKey, OtaCommand
from emulator.smart_energy.ota.policy import OtaClientPolicy
from emulator.smart_energy.ota.server import OtaServer
from emulator.zcl.frame import ZclStatus

LATENCY_US = 5_000
Drop = Callable[[str, int], bool]


class DeviceRig:
    """One emulated device: its machine, flash and non-volatile state, on a link to the server."""

    def __init__(self, home: OtaHome, eui64: int, policy: OtaClientPolicy, verify: int) -> None:
        self.home = home
        self.eui64 = eui64
        self.policy = policy
        self.verify = verify
        self.flash = bytearray()
        self.saved: effects.SavedTransfer | None = None
        self.seen: list[Any] = []
        self.sent: list[tuple[int, bytes]] = []
        self.statuses: list[int] = []
        self.activated_at: int | None = None
        self.boots = 0
        self.scope: Scope
        self.client: OtaClient
        self.power_up()

    def power_up(self) -> None:
        self.boots += 1
        self.timers: dict[int, Any] = {}
        self.scope = self.home.kernel.scope(f"{self.eui64:016X}/{self.boots}")
        self.client = OtaClient(self.policy, self.scope, self.saved)
        self.run(self.client.power_up())

    def power_cut(self) -> None:
        self.scope.end()

    def run(self, todo: list[effects.ClientEffect]) -> None:
        for effect in todo:
            self.carry_out(effect)

    def carry_out(self, effect: effects.ClientEffect) -> None:
        match effect:
            case effects.Send(command, payload):
                self.sent.append((command, payload))
                self.home.to_server(self, command, payload)
            case effects.SetTimer(name, delay_us):
                self.scope.cancel(self.timers.get(name))
                self.timers[name] = self.scope.call_later(delay_us, self.timer, name)
            case effects.CancelTimer(name):
                self.scope.cancel(self.timers.pop(name, None))
            case effects.EraseFlash(octets):
                self.flash = bytearray(b"\xff" * octets)
                self.run(self.client.flash_ready())
            case effects.WriteFlash(offset, data):
                self.flash[offset : offset + len(data)] = data
            case effects.SaveState(state):
                self.saved = state
            case effects.ImageComplete():
                self.run(self.client.verified(self.verify))
            case effects.StatusChanged(status):
                self.statuses.append(status)
            case effects.DefaultResponse(command, status):
                self.seen.append(effect)
                self.home.run(self.home.server.default_response(self.eui64, command, status), self)
            case effects.Activate(key):
                self.activate(key)
            case _:
                self.seen.append(effect)

    def activate(self, key: ImageKey) -> None:
        self.activated_at = self.home.kernel.now
        self.policy = replace(self.policy, current_version=key.version)
        self.scope.end()
        self.power_up()

    def timer(self, name: effects.OtaTimer) -> None:
        self.run(self.client.timer(name))

    def receive(self, command: int, payload: bytes) -> None:
        if command == OtaCommand.IMAGE_NOTIFY:
            self.run(self.client.notify(payload, broadcast=False))
        elif command < 0:
            self.run(self.client.default_response(-1 - command, payload[0]))
        else:
            self.run(self.client.message(command, payload))

    def count(self, command: int) -> int:
        return sum(sent == command for sent, _ in self.sent)

    def stop_reasons(self) -> list[effects.StopReason]:
        return [effect.reason for effect in self.seen if isinstance(effect, effects.Stopped)]


class OtaHome:
    """A hub with an OTA server and its devices; `drop` decides which messages are lost."""

    def __init__(self, seed: int = 1, config: OtaServerConfig | None = None) -> None:
        self.kernel = Kernel(seed)
        self.config = config
        self.scope = self.kernel.scope("hub")
        self.server = OtaServer(self.scope, config)
        self.devices: dict[int, DeviceRig] = {}
        self.events: list[Any] = []
        self.memory = b""
        self.drop: Drop = lambda direction, command: False

    def device(self, eui64: int, policy: OtaClientPolicy, *, verify: int = ZclStatus.SUCCESS) -> DeviceRig:
        rig = DeviceRig(self, eui64, policy, verify)
        self.devices[eui64] = rig
        return rig

    def restart_hub(self) -> None:
        """A new server on the saved jobs, with the images stored again."""
        images = list(self.server.images.values())
        self.scope.end()
        self.scope = self.kernel.scope("hub again")
        self.server = OtaServer(self.scope, self.config)
        for image in images:
            self.server.store_image(image)
        self.server.restore(self.memory)

    def to_server(self, device: DeviceRig, command: int, payload: bytes) -> None:
        if not self.drop("up", command):
            self.scope.call_later(LATENCY_US, self._at_server, device, command, payload)

    def _at_server(self, device: DeviceRig, command: int, payload: bytes) -> None:
        self.run(self.server.message(device.eui64, command, payload), device)

    def run(self, todo: list[effects.ServerEffect], device: DeviceRig | None = None) -> None:
        for effect in todo:
            match effect:
                case effects.ServerReply(command, payload):
                    assert device is not None
                    self.to_device(device, command, payload)
                case effects.ServerSend(eui64, command, payload):
                    self.to_device(self.devices[eui64], command, payload)
                case effects.DefaultResponse(command, status):
                    assert device is not None
                    self.to_device(device, -1 - command, bytes((status,)))
                case effects.ServerPageTimer(eui64, delay_us):
                    self.scope.call_later(delay_us, self._page_due, eui64)
                case effects.Persist():
                    self.memory = self.server.snapshot()
                case _:
                    self.events.append(effect)

    def _page_due(self, eui64: int) -> None:
        self.run(self.server.page_due(eui64))

    def to_device(self, device: DeviceRig, command: int, payload: bytes) -> None:
        if not self.drop("down", command):
            device.scope.call_later(LATENCY_US, device.receive, command, payload)

    def outcomes(self) -> list[effects.Outcome]:
        return [event.outcome for event in self.events if isinstance(event, effects.JobOutcome)]

    def run_for(self, seconds: float) -> None:
        self.kernel.run_for(int(seconds * 1_000_000))


@pytest.fixture
def ota_home() -> type[OtaHome]:
    """The class, so that a test chooses seed and limits."""
    return OtaHome


@pytest.fixture
def ota_image() -> Callable[..., StoredImage]:
    def make(size: int = 10_000, version: int = 2, **hardware: int) -> StoredImage:
        data = bytes((index * 7 + index // 251) & 0xFF for index in range(size))
        return StoredImage(ImageKey(0x1057, 0x0001, version), data, **hardware)

    return make
