"""Service primitives between the layers of the ZigBee PRO stack.

They are tuples: immutable, and cheap enough for every frame. Names follow the specification's service access points.
An EUI-64 is an `int` (see `emulator.eui64`); a short address is an `int` 0x0000-0xFFFF; unknown is None.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from emulator.status import Confirm, Status

__all__ = [
    "BROADCAST_ALL",
    "BROADCAST_ROUTERS",
    "BROADCAST_RX_ON",
    "COORDINATOR",
    "EVERY_ENDPOINT",
    "FIRST_BROADCAST",
    "LONGEST_PERMIT_S",
    "UNKNOWN_SHORT",
    "ApsdeIndication",
    "ApsdeRequest",
    "Confirm",
    "JoinKind",
    "NetworkParameters",
    "NldeIndication",
    "Security",
    "Status",
]

BROADCAST_ALL = 0xFFFF
BROADCAST_RX_ON = 0xFFFD
BROADCAST_ROUTERS = 0xFFFC
FIRST_BROADCAST = 0xFFF8
COORDINATOR = 0x0000
UNKNOWN_SHORT = 0xFFFE
EVERY_ENDPOINT = 0xFF
LONGEST_PERMIT_S = 254
"""A network is opened for so long at most; 255 would be for good, which Smart Energy forbids."""


class Security(IntEnum):
    """How a received frame was protected, weakest first."""

    NONE = 0
    NWK = 1
    APS = 2


class NldeIndication(NamedTuple):
    """NLDE-DATA.indication: an NSDU that arrived for this node."""

    source: int
    source_eui64: int | None
    destination: int
    nsdu: bytes
    secured: bool
    lqi: int


class ApsdeRequest(NamedTuple):
    """APSDE-DATA.request. `secure` asks for APS link-key protection; `destination` may be a broadcast address."""

    destination: int
    destination_endpoint: int
    profile: int
    cluster: int
    source_endpoint: int
    asdu: bytes
    ack: bool = True
    secure: bool = False
    radius: int = 30


class ApsdeIndication(NamedTuple):
    """APSDE-DATA.indication: a (reassembled, decrypted) ASDU. `destination` tells unicast from broadcast."""

    source: int
    source_eui64: int | None
    destination: int
    destination_endpoint: int
    profile: int
    cluster: int
    source_endpoint: int
    asdu: bytes
    security: Security
    lqi: int
    aps_counter: int


class NetworkParameters(NamedTuple):
    """What a node knows of the network it is on; `network_key` is 16 octets."""

    pan_id: int
    extended_pan_id: int
    channel: int
    short_address: int
    update_id: int
    network_key: bytes
    key_sequence: int


class JoinKind(IntEnum):
    """How a device came to the network (Update-Device status values, ZigBee PRO 4.4.10.3)."""

    SECURED_REJOIN = 0
    UNSECURED_JOIN = 1
    LEFT = 2
    TRUST_CENTRE_REJOIN = 3
