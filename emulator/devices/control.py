"""Authenticated control of a device by its head end: who holds a device's control keys can command it.

The makers' real control protocols are proprietary; this envelope stands for them and keeps what matters to
enrolment: two roles (critical and non-critical), a symmetric key for each, and a rotation that the old head
end cannot follow. All integers are big-endian.

    envelope  version 0x01, role u8, generation u8, counter u64, length u16, payload, tag 16 octets
    response  version 0x81, role u8, status u8, generation u8, counter u64, length u16, payload, tag 16 octets
    payload   kind u8 (0x01 probe, 0x02 rotate key, 0x10 command), then the kind's octets

The tag is HMAC-SHA256 cut to 16 octets, under the role's current key, over a direction label, the EUI-64 and
everything before the tag. A rotation carries the new key sealed to the device's P-256 control key, so that a
listener who knows the old key learns nothing. The counter of an envelope rises strictly within a generation;
the last accepted envelope, sent again octet for octet, gets the same response and no second effect.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from emulator.devices.sealing import SEAL_OVERHEAD, point_of, scalar_from, seal, unseal
from emulator.errors import FrameError, SecurityError
from emulator.eui64 import format_eui64
from emulator.nonvolatile import NonVolatile

KEY_OCTETS = 32
TAG_OCTETS = 16
MAX_PAYLOAD = 4096
CONTROL_EXECUTE, READ_LOG = 0x00, 0x01
"""Commands of the Device Control cluster: an envelope to carry out, and a page of the event log to show."""
_LAST_GENERATION = 0xFF

_ENVELOPE = struct.Struct(">BBBQH")
_RESPONSE = struct.Struct(">BBBBQH")
_STATE = struct.Struct(">BQI32s32s")
_ENVELOPE_VERSION = 0x01
_RESPONSE_VERSION = 0x81


class ControlRole(IntEnum):
    """Which of a device's two control keys authorises an envelope."""

    CRITICAL = 1
    NON_CRITICAL = 2


class ControlStatus(IntEnum):
    """What became of an envelope."""

    OK = 0
    BAD_TAG = 1
    REPLAY = 2
    WRONG_GENERATION = 3
    MALFORMED = 4
    REFUSED = 5


class PayloadKind(IntEnum):
    """First octet of an envelope's payload."""

    PROBE = 0x01
    ROTATE_KEY = 0x02
    COMMAND = 0x10


class ControlEnvelope(NamedTuple):
    """What a head end sends to a device."""

    role: ControlRole
    generation: int
    counter: int
    payload: bytes


class ControlResponse(NamedTuple):
    """What the device answers: the role's current generation, its last accepted counter, and a result."""

    role: ControlRole
    status: ControlStatus
    generation: int
    counter: int
    payload: bytes = b""


class ControlIdentity(NamedTuple):
    """The control secrets a device is born with: both keys (32 octets) and its P-256 private scalar (32)."""

    critical: bytes
    non_critical: bytes
    private_scalar: bytes

    def key(self, role: ControlRole) -> bytes:
        """Return the initial key of `role`."""
        return self.critical if role is ControlRole.CRITICAL else self.non_critical

    @property
    def public_point(self) -> bytes:
        """The device's uncompressed P-256 control public key, 65 octets."""
        return point_of(self.private_scalar)


# Codecs


def _tag(key: bytes, direction: bytes, eui64: int, covered: bytes) -> bytes:
    return hmac.digest(key, direction + eui64.to_bytes(8, "big") + covered, "sha256")[:TAG_OCTETS]


def encode_envelope(envelope: ControlEnvelope, key: bytes, eui64: int) -> bytes:
    """Return the octets of `envelope` to the device `eui64`, authenticated under `key`."""
    covered = _ENVELOPE.pack(
        _ENVELOPE_VERSION, envelope.role, envelope.generation, envelope.counter, len(envelope.payload)
    )
    covered += envelope.payload
    return covered + _tag(key, b"command", eui64, covered)


def decode_envelope(octets: bytes) -> ControlEnvelope:
    """Read an envelope without checking its tag; raises `FrameError`."""
    _check_size("control envelope", octets, _ENVELOPE.size)
    version, role, generation, counter, length = _ENVELOPE.unpack_from(octets)
    _check_version("control envelope", version, _ENVELOPE_VERSION)
    payload = _payload("control envelope", octets, _ENVELOPE.size, length)
    return ControlEnvelope(_role("control envelope", role), generation, counter, payload)


def encode_response(response: ControlResponse, key: bytes, eui64: int) -> bytes:
    """Return the octets of `response` from the device `eui64`, authenticated under `key`."""
    covered = _RESPONSE.pack(
        _RESPONSE_VERSION,
        response.role,
        response.status,
        response.generation,
        response.counter,
        len(response.payload),
    )
    covered += response.payload
    return covered + _tag(key, b"response", eui64, covered)


def decode_response(octets: bytes) -> ControlResponse:
    """Read a response without checking its tag; raises `FrameError`."""
    _check_size("control response", octets, _RESPONSE.size)
    version, role, status, generation, counter, length = _RESPONSE.unpack_from(octets)
    _check_version("control response", version, _RESPONSE_VERSION)
    payload = _payload("control response", octets, _RESPONSE.size, length)
    if status > max(ControlStatus):
        raise FrameError(f"control response: offset 2: status {status}, expected 0 to {max(ControlStatus):d}")
    return ControlResponse(
        _role("control response", role), ControlStatus(status), generation, counter, payload
    )


def response_holds(octets: bytes, key: bytes, eui64: int) -> bool:
    """Tell whether the response really comes from the device `eui64` holding `key`."""
    covered, tag = octets[:-TAG_OCTETS], octets[-TAG_OCTETS:]
    return hmac.compare_digest(tag, _tag(key, b"response", eui64, covered))


def _check_size(layer: str, octets: bytes, header: int) -> None:
    if not header + TAG_OCTETS <= len(octets) <= header + MAX_PAYLOAD + TAG_OCTETS:
        raise FrameError(
            f"{layer}: {len(octets)} octets, expected {header + TAG_OCTETS} to "
            f"{header + MAX_PAYLOAD + TAG_OCTETS}"
        )


def _check_version(layer: str, version: int, expected: int) -> None:
    if version != expected:
        raise FrameError(f"{layer}: offset 0: version 0x{version:02X}, expected 0x{expected:02X}")


def _role(layer: str, role: int) -> ControlRole:
    if role not in (ControlRole.CRITICAL, ControlRole.NON_CRITICAL):
        raise FrameError(f"{layer}: offset 1: role {role}, expected 1 (critical) or 2 (non-critical)")
    return ControlRole(role)


def _payload(layer: str, octets: bytes, header: int, length: int) -> bytes:
    if len(octets) != header + length + TAG_OCTETS:
        raise FrameError(
            f"{layer}: offset {header - 2}: payload length {length}, expected "
            f"{len(octets) - header - TAG_OCTETS}"
        )
    return octets[header : header + length]


# Payloads


def probe_payload() -> bytes:
    """Return the payload that changes nothing and proves who holds the key."""
    return bytes([PayloadKind.PROBE])


def command_payload(command: bytes) -> bytes:
    """Return the payload that carries an application command."""
    return bytes([PayloadKind.COMMAND]) + command


def _rotation_info(eui64: int, role: ControlRole, generation: int) -> bytes:
    return b"smets1 control key" + struct.pack(">QBB", eui64, role, generation)


def rotate_payload(
    eui64: int, role: ControlRole, generation: int, new_key: bytes, *, device_point: bytes, ephemeral: bytes
) -> bytes:
    """Return the payload that gives the device `new_key`; `generation` is the present one plus 1.

    `device_point` is the device's control public key, `ephemeral` a fresh P-256 scalar (see `seal`). Raises
    `SecurityError` when there is no such generation any more.
    """
    if not 0 < generation <= _LAST_GENERATION:
        raise SecurityError(
            f"{format_eui64(eui64)}: {role.name.lower()} key of generation {generation}, expected 1 to "
            f"{_LAST_GENERATION}; this device's key cannot be rotated again"
        )
    sealed = seal(new_key, device_point, ephemeral, _rotation_info(eui64, role, generation))
    return bytes([PayloadKind.ROTATE_KEY, generation]) + sealed


# Device side


class _RoleState(NamedTuple):
    """What the device keeps for one role, written to its memory in one piece."""

    generation: int
    counter: int
    rotations: int
    key: bytes
    last_envelope: bytes
    last_response: bytes

    def pack(self) -> bytes:
        return _STATE.pack(*self[:5]) + self.last_response

    @classmethod
    def unpack(cls, octets: bytes) -> _RoleState:
        generation, counter, rotations, key, last_envelope = _STATE.unpack_from(octets)
        return cls(generation, counter, rotations, key, last_envelope, octets[_STATE.size :])


class Accepted(NamedTuple):
    """A command the device must now carry out and then `ControlReceiver.answer`."""

    envelope: ControlEnvelope
    command: bytes
    digest: bytes


def _token(role: ControlRole) -> str:
    return f"control.{role.name.lower()}"


_PRIVATE_TOKEN = "control.private"


def provision(nonvolatile: NonVolatile, identity: ControlIdentity) -> None:
    """Give a new device its control secrets; one that has them already is left as it is."""
    if nonvolatile.get(_PRIVATE_TOKEN) is not None:
        return
    for role in ControlRole:
        state = _RoleState(0, 0, 0, identity.key(role), bytes(32), b"")
        nonvolatile.put(_token(role), state.pack())
    nonvolatile.put(_PRIVATE_TOKEN, identity.private_scalar)


def rehearsal_identity(secret: Callable[[str, int], bytes], eui64: int) -> ControlIdentity:
    """Return the control secrets of a rehearsed device; `secret` is `Kernel.secret`."""
    name = format_eui64(eui64)
    return ControlIdentity(
        secret(f"control/critical/{name}", KEY_OCTETS),
        secret(f"control/non-critical/{name}", KEY_OCTETS),
        scalar_from(secret(f"control/private/{name}", 48)),
    )


class ControlReceiver:
    """The device's end of the control protocol; sans-io, all state in non-volatile memory."""

    def __init__(
        self,
        eui64: int,
        nonvolatile: NonVolatile,
        on_command: Callable[[ControlRole, bytes], bytes] | None = None,
    ) -> None:
        """`on_command` carries out application commands at once, for `receive`; the device is provisioned."""
        self._eui64 = eui64
        self._nonvolatile = nonvolatile
        self._on_command = on_command
        if nonvolatile.get(_PRIVATE_TOKEN) is None:
            raise SecurityError(f"{format_eui64(eui64)} has no control keys; provision the device first")

    def generation(self, role: ControlRole) -> int:
        """Return the generation of the role's current key."""
        return self._state(role).generation

    def rotations(self, role: ControlRole) -> int:
        """Return how often the role's key has been rotated in the device's life."""
        return self._state(role).rotations

    def receive(self, octets: bytes) -> bytes:
        """Take an envelope and return the response; application commands go to `on_command`."""
        result = self.open(octets)
        if isinstance(result, bytes):
            return result
        if self._on_command is None:
            return self.answer(result, b"", ControlStatus.REFUSED)
        return self.answer(result, self._on_command(result.envelope.role, result.command))

    def open(self, octets: bytes) -> Accepted | bytes:
        """Check an envelope: returns the response at once, or the command to carry out and then `answer`."""
        try:
            envelope = decode_envelope(octets)
        except FrameError:
            return self._respond(ControlRole.NON_CRITICAL, ControlStatus.MALFORMED)
        state = self._state(envelope.role)
        digest = hashlib.sha256(octets).digest()
        if digest == state.last_envelope:
            return state.last_response or self._respond(envelope.role, ControlStatus.REPLAY)
        refusal = self._refusal(envelope, octets, state)
        if refusal is not None:
            return self._respond(envelope.role, refusal)
        return self._accept(envelope, state, digest)

    def answer(self, accepted: Accepted, payload: bytes, status: ControlStatus = ControlStatus.OK) -> bytes:
        """Return the response to a command that has been carried out, and keep it for a repeated envelope."""
        role = accepted.envelope.role
        state = self._state(role)
        response = self._respond(role, status, payload)
        if state.last_envelope == accepted.digest:
            self._nonvolatile.put(_token(role), state._replace(last_response=response).pack())
        return response

    def sign_alert(self, payload: bytes) -> bytes:
        """Return an unasked message to whoever holds the non-critical key, as a response that nothing caused."""
        return self._respond(ControlRole.NON_CRITICAL, ControlStatus.OK, payload)

    def _state(self, role: ControlRole) -> _RoleState:
        octets = self._nonvolatile.get(_token(role))
        if octets is None:
            raise SecurityError(f"{format_eui64(self._eui64)} has lost its {role.name.lower()} key")
        return _RoleState.unpack(octets)

    def _refusal(self, envelope: ControlEnvelope, octets: bytes, state: _RoleState) -> ControlStatus | None:
        if envelope.generation != state.generation:
            return ControlStatus.WRONG_GENERATION
        tag = _tag(state.key, b"command", self._eui64, octets[:-TAG_OCTETS])
        if not hmac.compare_digest(tag, octets[-TAG_OCTETS:]):
            return ControlStatus.BAD_TAG
        if envelope.counter <= state.counter:
            return ControlStatus.REPLAY
        if not envelope.payload or envelope.payload[0] not in (*PayloadKind,):
            return ControlStatus.MALFORMED
        return None

    def _accept(self, envelope: ControlEnvelope, state: _RoleState, digest: bytes) -> Accepted | bytes:
        # The counter is on record before anything happens: an envelope acts at most once, whatever fails.
        state = state._replace(counter=envelope.counter, last_envelope=digest, last_response=b"")
        kind, rest = PayloadKind(envelope.payload[0]), envelope.payload[1:]
        if kind is PayloadKind.ROTATE_KEY:
            return self._rotate(envelope.role, rest, state)
        if kind is PayloadKind.COMMAND:
            self._nonvolatile.put(_token(envelope.role), state.pack())
            return Accepted(envelope, rest, digest)
        return self._store(envelope.role, state, ControlStatus.OK)

    def _rotate(self, role: ControlRole, rest: bytes, state: _RoleState) -> bytes:
        generation = state.generation + 1
        if len(rest) != 1 + SEAL_OVERHEAD + KEY_OCTETS or rest[0] != generation or rest[0] > _LAST_GENERATION:
            return self._store(role, state, ControlStatus.MALFORMED)
        scalar = self._nonvolatile.get(_PRIVATE_TOKEN) or b""
        try:
            key = unseal(rest[1:], scalar, _rotation_info(self._eui64, role, generation))
        except SecurityError:
            return self._store(role, state, ControlStatus.REFUSED)
        state = state._replace(generation=generation, counter=0, rotations=state.rotations + 1, key=key)
        return self._store(role, state, ControlStatus.OK)

    def _store(self, role: ControlRole, state: _RoleState, status: ControlStatus) -> bytes:
        response = ControlResponse(role, status, state.generation, state.counter)
        octets = encode_response(response, state.key, self._eui64)
        self._nonvolatile.put(_token(role), state._replace(last_response=octets).pack())
        return octets

    def _respond(self, role: ControlRole, status: ControlStatus, payload: bytes = b"") -> bytes:
        state = self._state(role)
        response = ControlResponse(role, status, state.generation, state.counter, payload)
        return encode_response(response, state.key, self._eui64)
