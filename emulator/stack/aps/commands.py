"""APS commands of key and device management (ZigBee PRO 4.4.10), as frozen records.

Each record's `encode()` gives the command octet and its fields, which is the payload that APS security
protects.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from struct import error as struct_error
from typing import NamedTuple

from emulator.errors import FrameError
from emulator.stack.primitives import JoinKind


class ApsCommandId(IntEnum):
    """APS command identifiers (4.4.10)."""

    TRANSPORT_KEY = 0x05
    UPDATE_DEVICE = 0x06
    REMOVE_DEVICE = 0x07
    REQUEST_KEY = 0x08
    SWITCH_KEY = 0x09
    TUNNEL = 0x0E
    VERIFY_KEY = 0x0F
    CONFIRM_KEY = 0x10


class KeyType(IntEnum):
    """Standard key types (table 4.10); Request-Key uses 2 for an application key."""

    NETWORK = 0x01
    APPLICATION_REQUEST = 0x02
    APPLICATION = 0x03
    TRUST_CENTRE = 0x04


_NETWORK_KEY = Struct("<BB16sBQQ")
_APPLICATION_KEY = Struct("<BB16sQB")
_TRUST_CENTRE_KEY = Struct("<BB16sQQ")
_UPDATE = Struct("<BQHB")
_REMOVE = Struct("<BQ")
_REQUEST_TC = Struct("<BB")
_REQUEST_APPLICATION = Struct("<BBQ")
_SWITCH = Struct("<BB")
_TUNNEL = Struct("<BQ")
_VERIFY = Struct("<BBQ16s")
_CONFIRM = Struct("<BBBQ")


class TransportNetworkKey(NamedTuple):
    """Transport-Key of a network key; `destination` and `source` are EUI-64s, the source being the trust
    centre.
    """

    key: bytes
    sequence: int
    destination: int
    source: int

    def encode(self) -> bytes:
        """Return command and fields."""
        return _NETWORK_KEY.pack(ApsCommandId.TRANSPORT_KEY, KeyType.NETWORK, *self)


class TransportApplicationKey(NamedTuple):
    """Transport-Key of a link key to be shared with `partner`; `initiator` tells who asked for it."""

    key: bytes
    partner: int
    initiator: bool

    def encode(self) -> bytes:
        """Return command and fields."""
        return _APPLICATION_KEY.pack(ApsCommandId.TRANSPORT_KEY, KeyType.APPLICATION, *self)


class TransportTrustCentreKey(NamedTuple):
    """Transport-Key of a new trust centre link key."""

    key: bytes
    destination: int
    source: int

    def encode(self) -> bytes:
        """Return command and fields."""
        return _TRUST_CENTRE_KEY.pack(ApsCommandId.TRANSPORT_KEY, KeyType.TRUST_CENTRE, *self)


class UpdateDevice(NamedTuple):
    """Update-Device: a router tells the trust centre who came or went."""

    eui64: int
    short: int
    status: JoinKind

    def encode(self) -> bytes:
        """Return command and fields."""
        return _UPDATE.pack(ApsCommandId.UPDATE_DEVICE, *self)


class RemoveDevice(NamedTuple):
    """Remove-Device: the trust centre has a parent remove its child `eui64`, or the receiver leave."""

    eui64: int

    def encode(self) -> bytes:
        """Return command and fields."""
        return _REMOVE.pack(ApsCommandId.REMOVE_DEVICE, self.eui64)


class RequestKey(NamedTuple):
    """Request-Key: for a trust centre link key (`partner` None) or a key shared with `partner`."""

    partner: int | None

    def encode(self) -> bytes:
        """Return command and fields."""
        if self.partner is None:
            return _REQUEST_TC.pack(ApsCommandId.REQUEST_KEY, KeyType.TRUST_CENTRE)
        return _REQUEST_APPLICATION.pack(ApsCommandId.REQUEST_KEY, KeyType.APPLICATION_REQUEST, self.partner)


class SwitchKey(NamedTuple):
    """Switch-Key: use the network key with this sequence number from now on."""

    sequence: int

    def encode(self) -> bytes:
        """Return command and fields."""
        return _SWITCH.pack(ApsCommandId.SWITCH_KEY, self.sequence)


class Tunnel(NamedTuple):
    """Tunnel: `frame` is a complete secured APS command for the receiver's child `destination`."""

    destination: int
    frame: bytes

    def encode(self) -> bytes:
        """Return command and fields."""
        return _TUNNEL.pack(ApsCommandId.TUNNEL, self.destination) + self.frame


class VerifyKey(NamedTuple):
    """Verify-Key: `source` proves that it holds the trust centre link key by its keyed hash."""

    source: int
    keyed_hash: bytes

    def encode(self) -> bytes:
        """Return command and fields."""
        return _VERIFY.pack(ApsCommandId.VERIFY_KEY, KeyType.TRUST_CENTRE, *self)


class ConfirmKey(NamedTuple):
    """Confirm-Key: the trust centre's answer to Verify-Key; `status` 0 is success."""

    status: int
    destination: int

    def encode(self) -> bytes:
        """Return command and fields."""
        return _CONFIRM.pack(ApsCommandId.CONFIRM_KEY, self.status, KeyType.TRUST_CENTRE, self.destination)


ApsCommand = (
    TransportNetworkKey
    | TransportApplicationKey
    | TransportTrustCentreKey
    | UpdateDevice
    | RemoveDevice
    | RequestKey
    | SwitchKey
    | Tunnel
    | VerifyKey
    | ConfirmKey
)


def decode_command(payload: bytes) -> ApsCommand:
    """Read command and fields; raises `FrameError` for an unknown command or type, or too few octets."""
    try:
        return _decode(payload)
    except (struct_error, IndexError) as error:
        raise FrameError(f"APS command {payload[:1].hex()}: cut short at {len(payload)} octets") from error
    except ValueError as error:
        raise FrameError(f"APS command {payload[:1].hex()}: {error}") from error


def _decode(payload: bytes) -> ApsCommand:
    match payload[0]:
        case ApsCommandId.TRANSPORT_KEY:
            return _decode_transport(payload)
        case ApsCommandId.UPDATE_DEVICE:
            _, eui64, short, status = _UPDATE.unpack_from(payload)
            return UpdateDevice(eui64, short, JoinKind(status))
        case ApsCommandId.REMOVE_DEVICE:
            return RemoveDevice(_REMOVE.unpack_from(payload)[1])
        case ApsCommandId.REQUEST_KEY:
            return _decode_request(payload)
        case ApsCommandId.SWITCH_KEY:
            return SwitchKey(payload[1])
        case ApsCommandId.TUNNEL:
            return Tunnel(_TUNNEL.unpack_from(payload)[1], payload[_TUNNEL.size :])
        case ApsCommandId.VERIFY_KEY:
            _, kind, source, keyed_hash = _VERIFY.unpack_from(payload)
            _expect_trust_centre(kind, 1)
            return VerifyKey(source, keyed_hash)
        case ApsCommandId.CONFIRM_KEY:
            _, status, kind, destination = _CONFIRM.unpack_from(payload)
            _expect_trust_centre(kind, 2)
            return ConfirmKey(status, destination)
    raise FrameError(f"APS command at offset 0: identifier {payload[0]:#04x} is not known")


def _expect_trust_centre(kind: int, offset: int) -> None:
    if kind != KeyType.TRUST_CENTRE:
        raise FrameError(
            f"APS command at offset {offset}: key type {kind}, expected 4 (trust centre link key)"
        )


def _decode_transport(
    payload: bytes,
) -> TransportNetworkKey | TransportApplicationKey | TransportTrustCentreKey:
    match payload[1]:
        case KeyType.NETWORK:
            _, _, key, sequence, destination, source = _NETWORK_KEY.unpack_from(payload)
            return TransportNetworkKey(key, sequence, destination, source)
        case KeyType.APPLICATION:
            _, _, key, partner, initiator = _APPLICATION_KEY.unpack_from(payload)
            return TransportApplicationKey(key, partner, bool(initiator))
        case KeyType.TRUST_CENTRE:
            _, _, key, destination, source = _TRUST_CENTRE_KEY.unpack_from(payload)
            return TransportTrustCentreKey(key, destination, source)
    raise FrameError(f"Transport-Key at offset 1: key type {payload[1]}, expected 1, 3 or 4")


def _decode_request(payload: bytes) -> RequestKey:
    match payload[1]:
        case KeyType.APPLICATION_REQUEST:
            return RequestKey(_REQUEST_APPLICATION.unpack_from(payload)[2])
        case KeyType.TRUST_CENTRE:
            return RequestKey(None)
    raise FrameError(f"Request-Key at offset 1: key type {payload[1]}, expected 2 or 4")
