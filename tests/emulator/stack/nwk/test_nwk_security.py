"""Frame counters, replay, and the two network keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.errors import SecurityError
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.nwk.frame import HEADER
from emulator.stack.nwk.security import (
    COUNTER_RESERVE,
    MAX_COUNTER,
    NwkSecurity,
    ReplayError,
    UnknownKeyError,
)

if TYPE_CHECKING:
    from tests.emulator.stack.nwk.conftest import Home

KEY, OTHER = bytes(range(16)), bytes(range(1, 17))
HEADER_OCTETS = HEADER.pack(0x0208, 0, 1, 30, 7)
ROUTER = 0x8E


def secured(eui64: int = 1, memory: MemoryNonVolatile | None = None) -> NwkSecurity:
    security = NwkSecurity(eui64, memory or MemoryNonVolatile())
    security.set_key(KEY, 0, activate=True)
    return security


@given(st.binary(max_size=90))
def test_what_one_node_protects_another_opens_once(payload: bytes) -> None:
    sender, receiver = secured(1), secured(2)
    npdu = sender.protect(HEADER_OCTETS, payload)
    assert npdu[8] == 0x28
    opened, aux = receiver.open(npdu, 8)
    assert (opened, aux.source_eui64) == (payload, 1)
    with pytest.raises(ReplayError):
        receiver.open(npdu, 8)


@given(st.binary(max_size=60), st.integers(0, 100), st.integers(0, 7))
def test_any_flipped_bit_is_found(payload: bytes, where: int, bit: int) -> None:
    sender, receiver = secured(1), secured(2)
    npdu = bytearray(sender.protect(HEADER_OCTETS, payload))
    where %= len(npdu)
    npdu[where] ^= 1 << bit
    if where == 8 and bit < 3:
        return  # the level bits are not authenticated: they are always replaced by 5
    with pytest.raises(SecurityError):
        receiver.open(bytes(npdu), 8)


@given(st.lists(st.integers(1, 3000), max_size=6))
def test_a_counter_is_never_used_twice_over_power_cuts(bursts: list[int]) -> None:
    memory = MemoryNonVolatile()
    last = -1
    for burst in bursts:
        security = NwkSecurity(1, memory)
        for _ in range(burst):
            counter = security.next_counter()
            assert counter > last
            last = counter


def test_counters_are_reserved_in_blocks_and_end_in_an_error() -> None:
    security = secured()
    security.frame_counter = MAX_COUNTER - COUNTER_RESERVE
    for _ in range(COUNTER_RESERVE):
        security.next_counter()
    with pytest.raises(SecurityError, match="exhausted"):
        security.next_counter()


def test_incoming_counters_are_remembered_coarsely() -> None:
    memory = MemoryNonVolatile()
    sender, receiver = secured(1), secured(2, memory)
    old = [sender.protect(HEADER_OCTETS, b"") for _ in range(1500)]
    for npdu in old:
        receiver.open(npdu, 8)
    rebooted = NwkSecurity(2, memory)
    rebooted.restore()
    with pytest.raises(ReplayError):
        rebooted.open(old[1000], 8)
    rebooted.open(sender.protect(HEADER_OCTETS, b""), 8)


def test_a_key_update_keeps_both_keys_and_a_third_replaces_the_spare() -> None:
    memory = MemoryNonVolatile()
    security = secured(1, memory)
    security.set_key(OTHER, 1, activate=False)
    assert security.active is security.by_sequence[0]
    assert security.newer(1)
    assert security.switch(1)
    assert not security.newer(0)
    assert sorted(security.by_sequence) == [0, 1]
    security.set_key(KEY[::-1], 2, activate=False)
    assert sorted(security.by_sequence) == [1, 2]
    restored = NwkSecurity(1, memory)
    restored.restore()
    assert restored.active is not None
    assert (restored.active.sequence, restored.active.octets) == (1, OTHER)
    assert sorted(restored.by_sequence) == [1, 2]


def test_sequence_numbers_wrap() -> None:
    security = secured()
    security.set_key(OTHER, 255, activate=True)
    security.set_key(KEY, 0, activate=False)
    assert security.newer(0)


def test_the_same_key_again_keeps_its_counters_and_another_resets_them() -> None:
    sender, receiver = secured(1), secured(2)
    npdu = sender.protect(HEADER_OCTETS, b"x")
    receiver.open(npdu, 8)
    receiver.set_key(KEY, 0, activate=True)
    with pytest.raises(ReplayError):
        receiver.open(npdu, 8)
    receiver.set_key(OTHER, 0, activate=True)
    assert receiver.active is not None
    assert receiver.active.incoming == {}


def test_unknown_keys_and_missing_keys_are_named() -> None:
    sender, receiver = secured(1), secured(2)
    sender.set_key(OTHER, 9, activate=True)
    with pytest.raises(UnknownKeyError, match="9"):
        receiver.open(sender.protect(HEADER_OCTETS, b""), 8)
    receiver.forget()
    with pytest.raises(SecurityError, match="no network key"):
        receiver.protect(HEADER_OCTETS, b"")
    with pytest.raises(SecurityError, match="cut short"):
        receiver.open(HEADER_OCTETS + bytes(5), 8)


def test_a_replayed_frame_is_dropped_and_counted(home: Home) -> None:
    hub = home.coordinator()
    router = home.join(ROUTER)
    home.send(router, 0, b"once")
    home.run(1)
    npdu = next(psdu[9:-2] for _, psdu in reversed(home.recorder.frames) if psdu[9:11] == b"\x48\x02")
    hub.nwk.mac_data(router.short, 0, npdu, 200)
    hub.nwk.mac_data(router.short, 0, npdu[:-1] + bytes((npdu[-1] ^ 1,)), 200)
    assert hub.payloads == [b"once"]
    assert hub.nwk.counters.dropped["replay"] >= 1


def test_a_forged_frame_is_dropped_and_does_not_move_the_counter(home: Home) -> None:
    hub = home.coordinator()
    router = home.join(ROUTER)
    home.send(router, 0, b"one")
    home.run(1)
    npdu = bytearray(
        next(psdu[9:-2] for _, psdu in reversed(home.recorder.frames) if psdu[9:11] == b"\x48\x02")
    )
    npdu[9:13] = (0x10000).to_bytes(4, "little")
    hub.nwk.mac_data(router.short, 0, bytes(npdu), 200)
    assert hub.nwk.counters.dropped["integrity"] == 1
    outcome = home.send(router, 0, b"two")
    home.run(1)
    assert outcome
    assert hub.payloads == [b"one", b"two"]
