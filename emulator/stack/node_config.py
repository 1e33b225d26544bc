"""What a node is before it joins anything: its identity, radio, power and endpoints."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.air.phy import CHANNELS
from emulator.stack.nwk.service import Capability, NodeType
from emulator.stack.zdo.descriptors import (
    SERVER_PRIMARY_TRUST_CENTRE,
    NodeDescriptor,
    PowerDescriptor,
    SimpleDescriptor,
)

PREFERRED_CHANNELS = (11, 14, 15, 19, 20, 24, 25)
"""Smart Energy's preferred 2.4 GHz channels, scanned first (fact sheet, devices 2.8)."""

OTHER_CHANNELS = tuple(channel for channel in CHANNELS if channel not in PREFERRED_CHANNELS)
"""The rest, scanned when the preferred ones hold no network that lets a device in."""

DEFAULT_POWER = PowerDescriptor()
"""On the mains, full."""


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """What a device is before it joins anything. A device's profile supplies all of it.

    `max_incoming_transfer` is the largest ASDU it reassembles, octets; a parent takes `max_children`. `position`
    is in metres. `own_link_key_request` makes the joiner ask the trust centre for a fresh link key after the join (R21
    Request-Key, Verify-Key; Smart Energy 1.x devices do not). `strict_leave` is Smart Energy's rule: only
    an APS-secured Remove-Device makes the device leave, except that an end device obeys its parent.
    """

    eui64: int
    device_type: NodeType
    manufacturer_code: int = 0
    endpoints: tuple[SimpleDescriptor, ...] = ()
    name: str = ""
    """Name of the scope and of the device in labels; the EUI-64 when empty."""
    mains_powered: bool = True
    rx_on_when_idle: bool = True
    power: PowerDescriptor = DEFAULT_POWER
    preconfigured_link_key: bytes | None = None
    max_incoming_transfer: int = 128
    max_children: int = 32
    stack_revision: int = 20
    own_link_key_request: bool = False
    strict_leave: bool = True
    position: tuple[float, float] = (0.0, 0.0)
    long_poll_us: int = 300_000_000
    short_poll_us: int = 1_000_000

    @property
    def capability(self) -> int:
        """The MAC capability octet it joins and announces with."""
        bits = Capability.ALLOCATE_ADDRESS
        if self.device_type != NodeType.END_DEVICE:
            bits |= Capability.FULL_FUNCTION
        if self.mains_powered:
            bits |= Capability.MAINS_POWERED
        if self.rx_on_when_idle:
            bits |= Capability.RX_ON_WHEN_IDLE
        return bits

    def descriptor(self, *, trust_centre: bool) -> NodeDescriptor:
        """Return the node descriptor, of a trust centre or of any other node."""
        role = SERVER_PRIMARY_TRUST_CENTRE if trust_centre else 0
        return NodeDescriptor(
            logical_type=self.device_type,
            capability=self.capability,
            manufacturer_code=self.manufacturer_code,
            max_incoming_transfer=self.max_incoming_transfer,
            server_mask=self.stack_revision << 9 | role,
            max_outgoing_transfer=self.max_incoming_transfer,
        )
