"""A small home on the real medium for the tests of whole nodes: a hub, and devices near it or beyond a
router.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emulator.air.capture import NullCapture, PcapngCapture
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.events import StackEvent
from emulator.stack.node import Node, NodeConfig
from emulator.stack.nwk.service import NodeType
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Status
from emulator.stack.zdo.descriptors import SimpleDescriptor
from emulator.stack.zdo.layer import ZdoDone

HUB, METER, GAS, DISPLAY = 0x00DB1234567890A0, 0x000D6F0000000002, 0x000D6F0000000003, 0x000D6F0000000004
NETWORK_KEY = bytes.fromhex("01030507090b0d0f00020406080a0c0d")
SMART_ENERGY = 0x0109
METERING = 0x0702
EXTENDED_PAN_ID = HUB
SECOND = 1_000_000
INSTALL_CODE = bytes.fromhex("83fed3407a939723a5c639b26916d505c3b5")
INSTALL_KEY = bytes.fromhex("66b6900981e1ee3ca4206b6b861c02bb")
"""An install code with its CRC, and its link key (ZigBee Smart Energy's own example, fact sheet vectors)."""
ENDPOINT = SimpleDescriptor(1, SMART_ENERGY, 0x0501, 0, (0x0000, METERING, 0x0800), (0x0019, 0x000A))


class Device:
    """A node with its memory, and everything it reported over all its lives."""

    def __init__(self, home: Home, config: NodeConfig, *, pass_zdo: bool = False) -> None:
        self.home = home
        self.pass_zdo = pass_zdo
        self.config = config
        self.memory = MemoryNonVolatile()
        self.events: list[StackEvent] = []
        self.heard: list[ApsdeIndication] = []
        self.node = self.boot()

    def boot(self) -> Node:
        home = self.home
        node = Node(
            home.kernel, home.medium, self.config, self.memory, on_key=home.key, pass_zdo=self.pass_zdo
        )
        node.on_event = self.events.append
        node.on_data = self.heard.append
        self.node = node
        return node

    def reboot(self, *, off_us: int = SECOND) -> None:
        self.node.power_off()
        self.home.kernel.run_for(off_us)
        assert self.boot().restore()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def send(
        self, to: Device, asdu: bytes, *, ack: bool = True, secure: bool = True, run_us: int = 5 * SECOND
    ) -> Status | None:
        outcome: list[Status] = []
        request = ApsdeRequest(
            to.node.short_address, 1, SMART_ENERGY, METERING, 1, asdu, ack=ack, secure=secure
        )
        self.node.send(request, outcome.append)
        self.home.kernel.run_for(run_us)
        return outcome[0] if outcome else None

    def ask(self, to: Device, cluster: int, payload: bytes, *, run_us: int = 5 * SECOND) -> bytes | None:
        answers: list[bytes | None] = []
        done: ZdoDone = answers.append
        self.node.zdo.request(to.node.short_address, cluster, payload, done)
        self.home.kernel.run_for(run_us)
        return answers[0]


class Home:
    """Kernel, medium, hub; `far` devices do not hear the hub, only the meter, which is a router."""

    def __init__(self, *, seed: int = 1, capture: Path | None = None, pass_zdo: bool = False) -> None:
        self.kernel = Kernel(seed)
        self.capture = NullCapture() if capture is None else PcapngCapture(capture)
        self.medium = Medium(self.kernel, capture=self.capture)
        self.keys: list[tuple[str, bytes, str]] = []
        self.hub = Device(
            self,
            NodeConfig(HUB, NodeType.COORDINATOR, endpoints=(ENDPOINT,), max_incoming_transfer=1500),
            pass_zdo=pass_zdo,
        )
        self.hub.node.form(11, 0x5345, EXTENDED_PAN_ID, NETWORK_KEY)

    def key(self, kind: str, key: bytes, label: str) -> None:
        self.keys.append((kind, key, label))

    def device(self, eui64: int, *, sleepy: bool = False, router: bool = False, **options: Any) -> Device:
        config = NodeConfig(
            eui64,
            NodeType.ROUTER if router else NodeType.END_DEVICE,
            endpoints=(ENDPOINT,),
            mains_powered=not sleepy,
            rx_on_when_idle=not sleepy,
            preconfigured_link_key=INSTALL_KEY,
            max_incoming_transfer=1500,
            **options,
        )
        return Device(self, config)

    def separate(self, one: Device, other: Device) -> None:
        self.medium.set_link(one.node.eui64, other.node.eui64, audible=False)

    def admit(self, device: Device) -> Status | None:
        """Register the install code, open the network and have the device join."""
        trust_centre = self.hub.node.trust_centre
        assert trust_centre is not None
        trust_centre.add_install_code(device.node.eui64, INSTALL_CODE)
        return self.join(device)

    def join(self, device: Device) -> Status | None:
        trust_centre = self.hub.node.trust_centre
        assert trust_centre is not None
        trust_centre.permit_joining(60)
        self.kernel.run_for(SECOND)
        outcome: list[Status] = []
        device.node.join((11,), outcome.append)
        self.kernel.run_for(15 * SECOND)
        return outcome[0] if outcome else None

    def establish(self, device: Device, key: bytes) -> None:
        """Stand in for CBKE: both ends take the key."""
        self.hub.node.set_link_key(device.node.eui64, key)
        device.node.set_link_key(HUB, key)
