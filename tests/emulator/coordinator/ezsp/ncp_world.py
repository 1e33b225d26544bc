"""A co-processor on the emulated air with a host on the other end of the line, all inside the kernel."""

from __future__ import annotations

from typing import Any

from emulator.air.capture import NullCapture
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.coordinator.ash import LinkEvent, LinkReset, Received
from emulator.coordinator.ezsp.commands import command_set
from emulator.coordinator.ezsp.core import NcpConfig
from emulator.coordinator.ezsp.frames import EzspFrame, FrameFormat, decode, encode, format_of
from emulator.coordinator.ezsp.ncp import Ncp
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.node import Node, NodeConfig
from emulator.stack.nwk.service import NodeType
from emulator.stack.primitives import ApsdeIndication, Status
from emulator.stack.zdo.descriptors import SimpleDescriptor
from tests.emulator.coordinator.ash_host import HostLink

NCP_EUI64, METER = 0x00DB1234567890A0, 0x000D6F0000000002
NETWORK_KEY = bytes.fromhex("01030507090b0d0f00020406080a0c0d")
SEED_KEY = bytes(range(16))
INSTALL_KEY = bytes.fromhex("66b6900981e1ee3ca4206b6b861c02bb")
SMART_ENERGY, METERING = 0x0109, 0x0702
SECOND = 1_000_000
OPEN_WITH_INSTALL_CODES = 0x11
SECURITY_STATE = {
    # Preconfigured and network key given, trust centre keys hashed from the former.
    "bitmask": 0x0100 | 0x0200 | 0x0800 | 0x0084,
    "preconfigured_key": SEED_KEY,
    "network_key": NETWORK_KEY,
    "network_key_sequence_number": 0,
}
APS = {
    "profile_id": SMART_ENERGY,
    "cluster_id": METERING,
    "source_endpoint": 1,
    "destination_endpoint": 1,
    "options": 0x0140,
}
ENCRYPTED = {**APS, "options": 0x0160}


class Host:
    """A host that says one command at a time and keeps every callback."""

    def __init__(self, kernel: Kernel, ncp: Ncp) -> None:
        self.kernel = kernel
        self.ncp = ncp
        self.version = ncp.config.version
        self.commands = command_set(self.version)
        self.callbacks: list[tuple[str, dict[str, Any]]] = []
        self.resets: list[int] = []
        self.raw: list[EzspFrame] = []
        self._sequence = 0
        self.link = HostLink(kernel.scope("host"), ncp.feed, self._event)
        ncp.attach(self.link.feed)

    def connect(self) -> None:
        self.link.reset()
        self.run(10_000)
        self.exchange(EzspFrame(0, 0, 0, bytes((self.version,)), FrameFormat.SHORT))
        answer = self("version", desired_protocol_version=self.version)
        assert answer["protocol_version"] == self.version

    def run(self, duration_us: int) -> None:
        self.kernel.run_for(duration_us)

    def exchange(self, frame: EzspFrame) -> EzspFrame:
        """Send a frame and return what answers it."""
        self.raw.clear()
        self.link.send(encode(frame))
        self.run(1_000)
        return next(each for each in self.raw if not each.control & 0x10)

    def answer(self, name: str, parameters: bytes) -> EzspFrame:
        self._sequence = (self._sequence + 1) & 0xFF
        identifier = self.commands.by_name[name].identifier
        return self.exchange(EzspFrame(self._sequence, 0, identifier, parameters, format_of(self.version)))

    def __call__(self, name: str, **values: Any) -> dict[str, Any]:
        command = self.commands.by_name[name]
        frame = self.answer(name, command.parameters.write(values))
        assert frame.identifier == command.identifier, f"{name} was answered {frame}"
        return command.answer.read(frame.parameters)

    def heard(self, name: str) -> list[dict[str, Any]]:
        return [values for each, values in self.callbacks if each == name]

    def form(self, channel: int = 11) -> None:
        assert self("setInitialSecurityState", state=SECURITY_STATE)["status"] == 0
        wanted = {"pan_id": 0x5345, "radio_tx_power": 8, "radio_channel": channel, "channels": 1 << channel}
        assert self("formNetwork", parameters=wanted)["status"] == 0

    def _event(self, event: LinkEvent) -> None:
        if isinstance(event, LinkReset):
            self.resets.append(event.code)
        elif isinstance(event, Received):
            legacy = len(event.payload) == 7 and event.payload[2] == 0
            frame = decode(event.payload, FrameFormat.SHORT if legacy else format_of(self.version))
            self.raw.append(frame)
            if frame.control & 0x10:
                command = self.commands.by_identifier[frame.identifier]
                self.callbacks.append((command.name, command.answer.read(frame.parameters)))


class World:
    """Kernel, air, a co-processor and its host; devices may be added."""

    def __init__(self, version: int = 13, *, connect: bool = True, **config: Any) -> None:
        self.kernel = Kernel(7)
        self.medium = Medium(self.kernel, capture=NullCapture())
        self.memory = MemoryNonVolatile()
        self.ncp = self.dongle(version=version, **config)
        self.host = Host(self.kernel, self.ncp)
        if connect:
            self.host.connect()

    def dongle(self, eui64: int = NCP_EUI64, memory: MemoryNonVolatile | None = None, **config: Any) -> Ncp:
        return Ncp(self.kernel, self.medium, NcpConfig(eui64, **config), memory or self.memory)

    def device(self, eui64: int = METER, *, router: bool = True, key: bytes = INSTALL_KEY) -> Device:
        return Device(self, eui64, router, key)

    def join(self, device: Device) -> Status | None:
        """Announce the device's key to the co-processor, open the network and let the device join."""
        host = self.host
        if host.version >= 13:
            assert host("importTransientKey", eui64=device.node.eui64, key=INSTALL_KEY)["status"] == 0
        else:
            partner = {"partner": device.node.eui64, "transient_key": INSTALL_KEY}
            assert host("addTransientLinkKey", **partner)["status"] == 0
        host("setPolicy", policy_id=0, decision_id=OPEN_WITH_INSTALL_CODES if host.version >= 8 else 6)
        assert host("permitJoining", duration=60)["status"] == 0
        outcome: list[Status] = []
        device.node.join((11,), outcome.append)
        self.kernel.run_for(10 * SECOND)
        return outcome[0] if outcome else None


class Device:
    """A plain node that keeps what it hears."""

    def __init__(self, world: World, eui64: int, router: bool, key: bytes) -> None:
        self.heard: list[ApsdeIndication] = []
        endpoint = SimpleDescriptor(1, SMART_ENERGY, 0x0501, 0, (0x0000, METERING), ())
        config = NodeConfig(
            eui64,
            NodeType.ROUTER if router else NodeType.END_DEVICE,
            endpoints=(endpoint,),
            mains_powered=router,
            rx_on_when_idle=router,
            preconfigured_link_key=key,
            max_incoming_transfer=1500,
        )
        self.node = Node(world.kernel, world.medium, config, MemoryNonVolatile())
        self.node.on_data = self.heard.append
