from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.clock.kernel import Kernel
from emulator.devices.control import (
    ControlEnvelope,
    ControlReceiver,
    ControlResponse,
    ControlRole,
    ControlStatus,
    command_payload,
    decode_envelope,
    decode_response,
    encode_envelope,
    encode_response,
    probe_payload,
    provision,
    rehearsal_identity,
    response_holds,
    rotate_payload,
)
from emulator.errors import FrameError, SecurityError
from emulator.nonvolatile import MemoryNonVolatile

EUI64 = 0x00DB1234567890A0
SECRET = Kernel(7).secret
IDENTITY = rehearsal_identity(SECRET, EUI64)
CRITICAL = ControlRole.CRITICAL
roles = st.sampled_from(ControlRole)
envelopes = st.builds(
    ControlEnvelope, roles, st.integers(0, 255), st.integers(0, 2**64 - 1), st.binary(max_size=40)
)


def device() -> tuple[ControlReceiver, MemoryNonVolatile]:
    memory = MemoryNonVolatile()
    provision(memory, IDENTITY)
    return ControlReceiver(EUI64, memory, lambda role, command: b"did " + command), memory


def envelope(payload: bytes, counter: int = 1, generation: int = 0, key: bytes = IDENTITY.critical) -> bytes:
    return encode_envelope(ControlEnvelope(CRITICAL, generation, counter, payload), key, EUI64)


def rotation(new_key: bytes = bytes(range(32)), generation: int = 1, point: bytes | None = None) -> bytes:
    return rotate_payload(
        EUI64,
        CRITICAL,
        generation,
        new_key,
        device_point=point or IDENTITY.public_point,
        ephemeral=SECRET("ephemeral", 32),
    )


@given(envelopes)
def test_envelopes_round_trip(value: ControlEnvelope) -> None:
    assert decode_envelope(encode_envelope(value, IDENTITY.critical, EUI64)) == value


@given(roles, st.sampled_from(ControlStatus), st.integers(0, 255), st.binary(max_size=40))
def test_responses_round_trip(
    role: ControlRole, status: ControlStatus, generation: int, payload: bytes
) -> None:
    value = ControlResponse(role, status, generation, 9, payload)
    octets = encode_response(value, IDENTITY.critical, EUI64)
    assert decode_response(octets) == value
    assert response_holds(octets, IDENTITY.critical, EUI64)
    assert not response_holds(octets, IDENTITY.non_critical, EUI64)


@given(st.binary(max_size=80))
def test_any_octets_decode_or_raise_a_frame_error(octets: bytes) -> None:
    for decode in (decode_envelope, decode_response):
        with contextlib.suppress(FrameError):
            decode(octets)


@settings(max_examples=50)
@given(st.binary(max_size=80))
def test_a_device_answers_any_octets_and_keeps_its_keys(octets: bytes) -> None:
    receiver, _ = device()
    decode_response(receiver.receive(octets))
    assert (receiver.generation(CRITICAL), receiver.rotations(CRITICAL)) == (0, 0)


def test_a_command_is_carried_out_once_and_its_repeat_gets_the_same_answer() -> None:
    receiver, _ = device()
    octets = envelope(command_payload(b"x"))
    response = receiver.receive(octets)
    assert decode_response(response) == ControlResponse(CRITICAL, ControlStatus.OK, 0, 1, b"did x")
    assert receiver.receive(octets) == response


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (envelope(probe_payload(), key=bytes(32)), ControlStatus.BAD_TAG),
        (envelope(probe_payload(), counter=0), ControlStatus.REPLAY),
        (envelope(probe_payload(), generation=1), ControlStatus.WRONG_GENERATION),
        (envelope(b""), ControlStatus.MALFORMED),
        (envelope(b"\x7f"), ControlStatus.MALFORMED),
        (envelope(rotation(generation=2)), ControlStatus.MALFORMED),
        (
            envelope(rotation(point=rehearsal_identity(SECRET, EUI64 + 1).public_point)),
            ControlStatus.REFUSED,
        ),
    ],
)
def test_a_bad_envelope_is_refused_for_its_reason(octets: bytes, status: ControlStatus) -> None:
    receiver, _ = device()
    assert decode_response(receiver.receive(octets)).status is status
    assert receiver.generation(CRITICAL) == 0


def test_rotation_locks_the_old_head_end_out_and_the_new_one_in() -> None:
    receiver, memory = device()
    new_key = bytes(range(32))
    response = receiver.receive(envelope(rotation(new_key)))
    assert decode_response(response).status is ControlStatus.OK
    assert response_holds(response, new_key, EUI64)
    assert (
        decode_response(receiver.receive(envelope(probe_payload(), 2))).status
        is ControlStatus.WRONG_GENERATION
    )
    forged = envelope(probe_payload(), 2, generation=1)
    assert decode_response(receiver.receive(forged)).status is ControlStatus.BAD_TAG
    reborn = ControlReceiver(EUI64, memory)
    answer = reborn.receive(envelope(probe_payload(), 1, 1, new_key))
    assert decode_response(answer) == ControlResponse(CRITICAL, ControlStatus.OK, 1, 1)


def test_a_repeated_rotation_answers_ok_without_rotating_again() -> None:
    receiver, memory = device()
    octets = envelope(rotation())
    first = receiver.receive(octets)
    assert ControlReceiver(EUI64, memory).receive(octets) == first
    assert receiver.rotations(CRITICAL) == 1


def test_roles_are_independent() -> None:
    receiver, _ = device()
    receiver.receive(envelope(rotation()))
    assert receiver.generation(ControlRole.NON_CRITICAL) == 0


def test_a_command_nobody_carries_out_is_refused() -> None:
    _, memory = device()
    response = ControlReceiver(EUI64, memory).receive(envelope(command_payload(b"x")))
    assert decode_response(response).status is ControlStatus.REFUSED


def test_a_device_without_keys_says_so_and_provisioning_never_overwrites() -> None:
    memory = MemoryNonVolatile()
    with pytest.raises(SecurityError, match="00-DB-12-34-56-78-90-A0"):
        ControlReceiver(EUI64, memory)
    provision(memory, IDENTITY)
    provision(memory, rehearsal_identity(Kernel(8).secret, EUI64))
    probe = ControlReceiver(EUI64, memory).receive(envelope(probe_payload()))
    assert decode_response(probe).status is ControlStatus.OK
