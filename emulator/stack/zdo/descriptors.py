"""ZDO descriptors: node, power and simple (ZigBee PRO 2.3.2; layouts checked against tshark by the fact
sheet).
"""

from __future__ import annotations

from struct import Struct
from struct import error as struct_error
from typing import NamedTuple

from emulator.errors import FrameError

_NODE = Struct("<BBBHBHHHB")
_SIMPLE = Struct("<BHHBB")

FREQUENCY_2400_MHZ = 0x08
STACK_REVISION_R20 = 20
SERVER_PRIMARY_TRUST_CENTRE = 0x0001


class SimpleDescriptor(NamedTuple):
    """What one endpoint is: profile, device identifier, clusters. `version` is the 4-bit device version."""

    endpoint: int
    profile: int
    device: int
    version: int
    input_clusters: tuple[int, ...] = ()
    output_clusters: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """Return the descriptor as on the air (2.3.2.5), without its length octet."""
        inputs, outputs = self.input_clusters, self.output_clusters
        return b"".join(
            (
                _SIMPLE.pack(self.endpoint, self.profile, self.device, self.version & 0x0F, len(inputs)),
                Struct(f"<{len(inputs)}HB{len(outputs)}H").pack(*inputs, len(outputs), *outputs),
            )
        )

    @classmethod
    def decode(cls, octets: bytes) -> SimpleDescriptor:
        """Read a descriptor; raises `FrameError` when its cluster lists do not fit."""
        try:
            endpoint, profile, device, version, count = _SIMPLE.unpack_from(octets)
            inputs = Struct(f"<{count}H").unpack_from(octets, 7)
            offset = 7 + 2 * count
            outputs = Struct(f"<{octets[offset]}H").unpack_from(octets, offset + 1)
        except (struct_error, IndexError) as error:
            raise FrameError(
                f"simple descriptor of {len(octets)} octets: cluster lists run past the end"
            ) from error
        return cls(endpoint, profile, device, version & 0x0F, inputs, outputs)


class NodeDescriptor(NamedTuple):
    """The node descriptor (2.3.2.3). `logical_type` is 0 coordinator, 1 router, 2 end device."""

    logical_type: int
    capability: int
    manufacturer_code: int
    max_buffer: int = 82
    max_incoming_transfer: int = 128
    server_mask: int = STACK_REVISION_R20 << 9
    max_outgoing_transfer: int = 128
    descriptor_capability: int = 0

    def encode(self) -> bytes:
        """Return the 13 octets."""
        return _NODE.pack(
            self.logical_type,
            FREQUENCY_2400_MHZ << 3,
            self.capability,
            self.manufacturer_code,
            self.max_buffer,
            self.max_incoming_transfer,
            self.server_mask,
            self.max_outgoing_transfer,
            self.descriptor_capability,
        )

    @classmethod
    def decode(cls, octets: bytes) -> NodeDescriptor:
        """Read 13 octets; raises `FrameError` when there are fewer."""
        if len(octets) < _NODE.size:
            raise FrameError(f"node descriptor: {len(octets)} octets, expected {_NODE.size}")
        first, _, capability, manufacturer, buffer, incoming, mask, outgoing, extra = _NODE.unpack_from(
            octets
        )
        return cls(first & 0x07, capability, manufacturer, buffer, incoming, mask, outgoing, extra)


CONSTANT_MAINS, DISPOSABLE_BATTERY = 0x1, 0x4
"""Power sources in a node power descriptor (2.3.2.4.2)."""


def power_level(percent: float) -> int:
    """Return the nearest of the four levels there are: critical, 33 %, 66 % and 100 % (2.3.2.4.4)."""
    return min((0x0, 0x4, 0x8, 0xC), key=lambda level: abs(level * 100 / 12 - percent))


class PowerDescriptor(NamedTuple):
    """The node power descriptor (2.3.2.4): bit fields of four bits each.

    `mode` is 0 for a receiver that is on as the node descriptor says, 1 for one that comes on periodically.
    """

    mode: int = 0
    available_sources: int = CONSTANT_MAINS
    current_source: int = CONSTANT_MAINS
    level: int = 0xC

    def encode(self) -> bytes:
        """Return the two octets."""
        return bytes(
            (self.mode & 15 | (self.available_sources & 15) << 4, self.current_source & 15 | self.level << 4)
        )

    @classmethod
    def decode(cls, octets: bytes) -> PowerDescriptor:
        """Read two octets; raises `FrameError` when there are fewer."""
        if len(octets) < 2:
            raise FrameError(f"power descriptor: {len(octets)} octets, expected 2")
        first, second = octets[0], octets[1]
        return cls(first & 15, first >> 4, second & 15, second >> 4)
