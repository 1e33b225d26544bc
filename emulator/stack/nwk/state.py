"""What the network layer of one node knows: itself, its network, its neighbours, its keys.

The machines of the layer stand on it, each through a view of its own (`emulator.stack.nwk.views`).
"""

from __future__ import annotations

from typing import Protocol

from emulator.air.beacon import ZigbeeBeacon, encode_zigbee_beacon
from emulator.air.mac import Mac
from emulator.clock.kernel import Scope
from emulator.nonvolatile import NonVolatile
from emulator.stack.nwk.address_map import AddressMap
from emulator.stack.nwk.counters import NwkCounters
from emulator.stack.nwk.memory import (
    Management,
    SavedNetwork,
    load_management,
    save_management,
    save_network,
)
from emulator.stack.nwk.neighbours import Neighbour, NeighbourTable
from emulator.stack.nwk.security import NwkSecurity
from emulator.stack.nwk.service import NodeType, NwkListener, NwkTiming
from emulator.stack.nwk.views import NO_ADDRESS, WayOut
from emulator.stack.primitives import NetworkParameters


class WholeLayer(Protocol):
    """What concerns all machines of the layer at once."""

    def start(self) -> None:
        """Take up the duties of an authenticated node: beacons, link status, polling."""

    def forget(self) -> None:
        """Drop everything about the network, at once and without a frame; the frame counter stays."""

    def learn(self, eui64: int, short: int) -> None:
        """Record a pair of addresses seen in a frame, an announcement or a key; notes conflicts."""


class NwkState:
    """The facts of one network layer, and the changes to them that go into non-volatile memory.

    `listener`, `sending` and `layer` are set once, when the layer is put together.
    """

    listener: NwkListener
    sending: WayOut
    layer: WholeLayer
    parameters: NetworkParameters | None
    """The network this node is on; its `network_key` is empty until the first key has arrived."""

    def __init__(
        self,
        scope: Scope,
        mac: Mac,
        nonvolatile: NonVolatile,
        *,
        device_type: NodeType,
        capability: int,
        timing: NwkTiming | None,
    ) -> None:
        self.scope = scope
        self.mac = mac
        self.nonvolatile = nonvolatile
        self.device_type = device_type
        self.capability = capability
        self.timing = timing or NwkTiming()
        self.eui64 = mac.eui64
        self.parameters = None
        self.authenticated = False
        """Whether this node holds the network key by right: False between joining and the key's arrival."""
        self.alone = False
        """True of a coordinator from forming until a first device holds its network key: nobody can hear it."""
        self.sleepy = device_type == NodeType.END_DEVICE and not mac.rx_on_when_idle
        self.depth = 0
        self.short_address = NO_ADDRESS
        """Our short address; 0xFFFF when on no network."""
        self.parent_short = NO_ADDRESS
        self.counters = NwkCounters()
        self.security = NwkSecurity(mac.eui64, nonvolatile)
        self.addresses = AddressMap(nonvolatile)
        self.neighbours = NeighbourTable(nonvolatile)
        self.management = load_management(nonvolatile)
        self.sequence = scope.random.getrandbits(8)
        """The latest NWK sequence number."""

    # The layer as a whole

    def start(self) -> None:
        """Take up the duties of an authenticated node."""
        self.layer.start()

    def forget(self) -> None:
        """Drop everything about the network."""
        self.layer.forget()

    def learn(self, eui64: int, short: int) -> None:
        """Record a pair of addresses."""
        if self.addresses.short_by_eui64.get(eui64) != short:
            self.layer.learn(eui64, short)

    # The network

    def set_parameters(self, parameters: NetworkParameters) -> None:
        """Take these network parameters, in the MAC and in non-volatile memory too."""
        self.parameters = parameters
        self.short_address = parameters.short_address
        mac = self.mac
        mac.channel, mac.pan_id = parameters.channel, parameters.pan_id
        mac.short_address = parameters.short_address
        self.update_beacon()
        self.save()

    def set_management(self, management: Management) -> None:
        """Take what the network manager tells, in non-volatile memory too."""
        self.management = management
        save_management(self.nonvolatile, management)

    def set_parent(self, short: int) -> None:
        """Make the neighbour with that address our parent."""
        self.parent_short = self.mac.parent_address = short
        self.save()

    def save(self) -> None:
        """Write the parameters and the parent to non-volatile memory."""
        if self.parameters is not None:
            pan_id, extended_pan_id, channel, short, update_id, _, _ = self.parameters
            saved = SavedNetwork(pan_id, extended_pan_id, channel, short, update_id, self.depth)
            save_network(self.nonvolatile, self.neighbours.with_parent(saved))

    def update_beacon(self) -> None:
        """Put what we are, and whether we have room, in the beacon payload."""
        if self.parameters is not None:
            room = self.has_room
            self.mac.beacon_payload = encode_zigbee_beacon(
                ZigbeeBeacon(
                    stack_profile=2,
                    protocol_version=2,
                    router_capacity=room,
                    depth=self.depth,
                    end_device_capacity=room,
                    extended_pan_id=self.parameters.extended_pan_id,
                    update_id=self.parameters.update_id,
                )
            )

    # Keys and sequence numbers

    def switch_key(self, sequence: int) -> bool:
        """Put the key with `sequence` in force; returns False when this node does not hold it."""
        before = self.security.active
        switched = self.security.switch(sequence)
        if switched and self.security.active is not before:
            self.key_in_force()
            self.listener.nwk_key_changed(sequence)
        return switched

    def key_in_force(self) -> None:
        """Have the parameters name the key in force."""
        key = self.security.active
        if key is not None and self.parameters is not None:
            self.parameters = self.parameters._replace(network_key=key.octets, key_sequence=key.sequence)

    def next_sequence(self) -> int:
        """Take the next NWK sequence number."""
        self.sequence = (self.sequence + 1) & 0xFF
        return self.sequence

    # Addresses and neighbours

    def eui64_of(self, short: int) -> int | None:
        """Return the EUI-64 that has that short address."""
        return self.eui64 if short == self.short_address else self.addresses.eui64_by_short.get(short)

    def short_of(self, eui64: int) -> int | None:
        """Return the short address of that EUI-64."""
        return self.short_address if eui64 == self.eui64 else self.addresses.short_by_eui64.get(eui64)

    def device_at(self, short: int, eui64: int) -> bool:
        """Whether some device other than `eui64` has that short address."""
        other = self.eui64_of(short)
        return other is not None and other != eui64

    def is_child(self, short: int) -> bool:
        """Whether the device is our child, authenticated or not."""
        neighbour = self.neighbours.by_short.get(short)
        return neighbour is not None and neighbour.is_child

    @property
    def children(self) -> list[Neighbour]:
        """Our children, in order of joining."""
        return self.neighbours.children()

    @property
    def has_room(self) -> bool:
        """Whether another child fits."""
        return len(self.neighbours.children()) < self.timing.max_children
