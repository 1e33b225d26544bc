"""MAC command payloads (802.15.4-2006 7.3): the command identifier octet and its fields."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from emulator.errors import FrameError


class CommandId(IntEnum):
    """Command frame identifiers (802.15.4-2006 table 82)."""

    ASSOCIATION_REQUEST = 0x01
    ASSOCIATION_RESPONSE = 0x02
    DISASSOCIATION = 0x03
    DATA_REQUEST = 0x04
    PAN_ID_CONFLICT = 0x05
    ORPHAN = 0x06
    BEACON_REQUEST = 0x07
    COORDINATOR_REALIGNMENT = 0x08


class AssociationStatus(IntEnum):
    """Status of an association response (802.15.4-2006 table 83)."""

    SUCCESS = 0x00
    PAN_AT_CAPACITY = 0x01
    PAN_ACCESS_DENIED = 0x02


class AssociationRequest(NamedTuple):
    """A device asks to join; `capability` is the capability information octet."""

    capability: int


class AssociationResponse(NamedTuple):
    """The parent's answer: an `AssociationStatus` octet; `short_address` is 0xFFFF when refused."""

    short_address: int
    status: int


class Disassociation(NamedTuple):
    """Reason 1: the coordinator wishes the device to leave; 2: the device wishes to leave."""

    reason: int


class DataRequest(NamedTuple):
    """A child asks its parent for frames held for it."""


class PanIdConflict(NamedTuple):
    """A device reports another network with its PAN ID."""


class Orphan(NamedTuple):
    """A device that lost its parent looks for it."""


class BeaconRequest(NamedTuple):
    """An active scan asks every coordinator and router for a beacon."""


class CoordinatorRealignment(NamedTuple):
    """New PAN parameters, or the answer to an orphan (then `short_address` is the orphan's)."""

    pan_id: int
    coordinator: int
    channel: int
    short_address: int


Command = (
    AssociationRequest
    | AssociationResponse
    | Disassociation
    | DataRequest
    | PanIdConflict
    | Orphan
    | BeaconRequest
    | CoordinatorRealignment
)

_LAYOUTS: dict[CommandId, tuple[type[Command], struct.Struct]] = {
    CommandId.ASSOCIATION_REQUEST: (AssociationRequest, struct.Struct("<B")),
    CommandId.ASSOCIATION_RESPONSE: (AssociationResponse, struct.Struct("<HB")),
    CommandId.DISASSOCIATION: (Disassociation, struct.Struct("<B")),
    CommandId.DATA_REQUEST: (DataRequest, struct.Struct("")),
    CommandId.PAN_ID_CONFLICT: (PanIdConflict, struct.Struct("")),
    CommandId.ORPHAN: (Orphan, struct.Struct("")),
    CommandId.BEACON_REQUEST: (BeaconRequest, struct.Struct("")),
    CommandId.COORDINATOR_REALIGNMENT: (CoordinatorRealignment, struct.Struct("<HHBH")),
}
_ENCODERS = {record: (bytes([identifier]), layout) for identifier, (record, layout) in _LAYOUTS.items()}


def encode_command(command: Command) -> bytes:
    """Return the payload of a command frame; raises `FrameError` when a field is out of range."""
    identifier, layout = _ENCODERS[type(command)]
    try:
        return identifier + layout.pack(*command)
    except struct.error as error:
        raise FrameError(f"MAC command {command}: {error}") from error


def decode_command(payload: bytes) -> Command:
    """Read the payload of a command frame; raises `FrameError` when unknown or of the wrong length."""
    if not payload or payload[0] not in _LAYOUTS:
        raise FrameError(
            f"MAC command offset 0: identifier {payload[:1].hex() or 'missing'}, expected 01 to 08"
        )
    record, layout = _LAYOUTS[CommandId(payload[0])]
    if len(payload) != 1 + layout.size:
        raise FrameError(
            f"MAC command {CommandId(payload[0]).name} offset 1: {len(payload) - 1} octets of fields,"
            f" expected {layout.size}"
        )
    return record(*layout.unpack_from(payload, 1))
