"""What a node remembers of its network through a power cut: parameters and parent, in one token."""

from __future__ import annotations

import struct
from typing import NamedTuple

from emulator.air.phy import CHANNELS
from emulator.errors import NonVolatileError
from emulator.nonvolatile import NonVolatile
from emulator.stack.primitives import COORDINATOR, NetworkParameters

_NETWORK = struct.Struct("<HQBHBBHQB")
_MANAGEMENT = struct.Struct("<IH")
_TOKEN = "nwk.network"
_TOKEN_MANAGEMENT = "nwk.management"
NO_PARENT = 0xFFFF


class SavedNetwork(NamedTuple):
    """The stored network; the keys and counters are stored by `emulator.stack.nwk.security`."""

    pan_id: int
    extended_pan_id: int
    channel: int
    short_address: int
    update_id: int
    depth: int
    parent_short: int = NO_PARENT
    parent_eui64: int = 0
    parent_lqi: int = 0


class Management(NamedTuple):
    """What the network manager has told: apsChannelMask (bit n: channel n) and nwkManagerAddr."""

    channel_mask: int = 0x07FF_F800
    manager: int = COORDINATOR

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels of the mask."""
        return channels_of(self.channel_mask)


def channels_of(mask: int) -> tuple[int, ...]:
    """Return the 2.4 GHz channels of a mask whose bit n stands for channel n."""
    return tuple(channel for channel in CHANNELS if mask >> channel & 1)


def save_network(nonvolatile: NonVolatile, saved: SavedNetwork) -> None:
    """Store the network durably."""
    nonvolatile.put(_TOKEN, _NETWORK.pack(*saved))


def network_parameters(saved: SavedNetwork, key: bytes, key_sequence: int) -> NetworkParameters:
    """Return the network parameters that a stored network and the active key make together."""
    return NetworkParameters(
        saved.pan_id,
        saved.extended_pan_id,
        saved.channel,
        saved.short_address,
        saved.update_id,
        key,
        key_sequence,
    )


def load_network(nonvolatile: NonVolatile) -> SavedNetwork | None:
    """Return the stored network, or None; raises `NonVolatileError` for octets of another length."""
    octets = nonvolatile.get(_TOKEN)
    if octets is None:
        return None
    if len(octets) != _NETWORK.size:
        raise NonVolatileError(
            f"token {_TOKEN}: {len(octets)} octets, expected {_NETWORK.size}; the device memory is from"
            " another version: remove it"
        )
    return SavedNetwork._make(_NETWORK.unpack(octets))


def save_management(nonvolatile: NonVolatile, management: Management) -> None:
    """Store durably what the network manager has told."""
    nonvolatile.put(_TOKEN_MANAGEMENT, _MANAGEMENT.pack(*management))


def load_management(nonvolatile: NonVolatile) -> Management:
    """Return what the network manager has told; the defaults when it never has."""
    octets = nonvolatile.get(_TOKEN_MANAGEMENT) or b""
    return Management._make(_MANAGEMENT.unpack(octets)) if len(octets) == _MANAGEMENT.size else Management()


def forget_network(nonvolatile: NonVolatile) -> None:
    """Remove the stored network."""
    nonvolatile.delete(_TOKEN)
    nonvolatile.delete(_TOKEN_MANAGEMENT)
