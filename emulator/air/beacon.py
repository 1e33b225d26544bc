"""Beacon frame payloads: 802.15.4 superframe fields and the ZigBee PRO beacon payload (fact sheet 4.2)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from emulator.errors import FrameError

_SUPERFRAME = struct.Struct("<HBB")
_ZIGBEE = struct.Struct("<BBBQ3sB")
NO_TX_OFFSET = 0xFFFFFF

_BEACONLESS = 0x0FFF  # beacon order, superframe order and final CAP slot all 15: no periodic beacons
_PAN_COORDINATOR = 0x4000
_ASSOCIATION_PERMIT = 0x8000


class Beacon(NamedTuple):
    """A beacon heard in a scan; `source` is the sender's short address, `payload` the 15 ZigBee octets."""

    channel: int
    pan_id: int
    source: int
    permit_association: bool
    lqi: int
    payload: bytes


class BeaconPayload(NamedTuple):
    """MAC payload of a beacon frame of a non-beacon network: no GTS, no pending addresses."""

    pan_coordinator: bool
    permit_association: bool
    payload: bytes


class ZigbeeBeacon(NamedTuple):
    """The ZigBee PRO beacon payload (3.6.7 of the ZigBee PRO specification)."""

    stack_profile: int
    protocol_version: int
    router_capacity: bool
    depth: int
    end_device_capacity: bool
    extended_pan_id: int
    tx_offset: int = NO_TX_OFFSET
    update_id: int = 0


def encode_beacon_payload(beacon: BeaconPayload) -> bytes:
    """Return the MAC payload of a beacon frame."""
    superframe = (
        _BEACONLESS
        | (_PAN_COORDINATOR if beacon.pan_coordinator else 0)
        | (_ASSOCIATION_PERMIT if beacon.permit_association else 0)
    )
    return _SUPERFRAME.pack(superframe, 0, 0) + beacon.payload


def decode_beacon_payload(payload: bytes) -> BeaconPayload:
    """Read the MAC payload of a beacon frame; pending addresses are skipped, a GTS list is refused."""
    if len(payload) < _SUPERFRAME.size:
        raise FrameError(f"MAC beacon of {len(payload)} octets: expected at least {_SUPERFRAME.size}")
    superframe, gts, pending = _SUPERFRAME.unpack_from(payload)
    if gts & 7:
        raise FrameError(f"MAC beacon offset 2: {gts & 7} GTS descriptors, expected none in a ZigBee network")
    skip = _SUPERFRAME.size + 2 * (pending & 7) + 8 * (pending >> 4 & 7)
    if len(payload) < skip:
        raise FrameError(
            f"MAC beacon offset 4: pending addresses up to {skip}, beacon ends at {len(payload)}"
        )
    return BeaconPayload(
        bool(superframe & _PAN_COORDINATOR), bool(superframe & _ASSOCIATION_PERMIT), bytes(payload[skip:])
    )


def encode_zigbee_beacon(beacon: ZigbeeBeacon) -> bytes:
    """Return the 15 octets; raises `FrameError` when a field is out of range."""
    for name, value, limit in (
        ("stack profile", beacon.stack_profile, 15),
        ("protocol version", beacon.protocol_version, 15),
        ("depth", beacon.depth, 15),
        ("tx offset", beacon.tx_offset, 0xFFFFFF),
        ("update id", beacon.update_id, 0xFF),
        ("extended PAN id", beacon.extended_pan_id, (1 << 64) - 1),
    ):
        if not 0 <= value <= limit:
            raise FrameError(f"ZigBee beacon {name} {value}: expected 0 to {limit}")
    return _ZIGBEE.pack(
        0,
        beacon.stack_profile | beacon.protocol_version << 4,
        beacon.router_capacity << 2 | beacon.depth << 3 | beacon.end_device_capacity << 7,
        beacon.extended_pan_id,
        beacon.tx_offset.to_bytes(3, "little"),
        beacon.update_id,
    )


def decode_zigbee_beacon(payload: bytes) -> ZigbeeBeacon:
    """Read a ZigBee beacon payload; raises `FrameError` when it is another protocol or too short."""
    if len(payload) < _ZIGBEE.size:
        raise FrameError(f"ZigBee beacon of {len(payload)} octets: expected {_ZIGBEE.size}")
    protocol, profile, capacity, extended_pan_id, tx_offset, update_id = _ZIGBEE.unpack_from(payload)
    if protocol != 0:
        raise FrameError(f"ZigBee beacon offset 0: protocol id {protocol}, expected 0")
    return ZigbeeBeacon(
        profile & 15,
        profile >> 4,
        bool(capacity & 0x04),
        capacity >> 3 & 15,
        bool(capacity & 0x80),
        extended_pan_id,
        int.from_bytes(tx_offset, "little"),
        update_id,
    )
