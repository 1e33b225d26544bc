"""Control of a device under any course of a cut-over: who is obeyed, and what is done how often.

An old head end and a new controller share a device. Messages are lost on the way there or back, or arrive twice;
either party is killed and comes back with what it had saved. Whatever happens, nothing is carried out twice, the key
is rotated at most once, and the old head end is never obeyed after it.
"""

from __future__ import annotations

import json
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emulator.clock.kernel import Kernel
from emulator.devices.control import (
    ControlReceiver,
    ControlRole,
    ControlStatus,
    command_payload,
    decode_envelope,
    probe_payload,
    provision,
    rehearsal_identity,
    rotate_payload,
)
from emulator.errors import SecurityError
from emulator.nonvolatile import MemoryNonVolatile
from harness.errors import RegimeError, UnreachableError
from harness.regime.control_keys import ControlKeys, HeldKey

DEVICE = 0x00DB_1234_5678_90A1
SECRET = Kernel(7).secret
IDENTITY = rehearsal_identity(SECRET, DEVICE)
ROLE = ControlRole.CRITICAL
T = TypeVar("T")
fates = st.sampled_from(["arrives", "arrives", "arrives", "lost", "answer lost", "arrives twice"])


def finished(course: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine that waits for nothing comes to."""
    try:
        course.send(None)
    except StopIteration as stopped:
        result: T = stopped.value
        return result
    raise AssertionError("it waits for something")


class Office:
    """A party with one control key, on a disk that a kill does not lose."""

    def __init__(self) -> None:
        self.held: dict[int, HeldKey] = {}
        self.disk = "{}"

    def save(self) -> None:
        self.disk = json.dumps({str(eui64): key.to_json() for eui64, key in self.held.items()})

    def killed(self) -> None:
        self.held = {int(name): HeldKey.from_json(value) for name, value in json.loads(self.disk).items()}

    @property
    def keys(self) -> ControlKeys:
        return ControlKeys(ROLE, self.held, self.save, SECRET)


class CutOver(RuleBasedStateMachine):
    @initialize()
    def install(self) -> None:
        self.memory = MemoryNonVolatile()
        provision(self.memory, IDENTITY)
        self.carried_out: list[bytes] = []
        self.ordered = 0
        self.fates: list[str] = []
        self.seen: list[tuple[int, int]] = []
        self.old, self.new = Office(), Office()
        self.old.keys.take(DEVICE, HeldKey(IDENTITY.critical, 0, 0, IDENTITY.public_point))
        self.rotated = False

    @property
    def device(self) -> ControlReceiver:
        """The device, which keeps nothing but its memory from one envelope to the next."""
        return ControlReceiver(DEVICE, self.memory, self.carry_out)

    def carry_out(self, role: ControlRole, command: bytes) -> bytes:
        self.carried_out.append(command)
        return b"done " + command

    async def send(self, eui64: int, octets: bytes) -> bytes:
        fate = self.fates.pop() if self.fates else "arrives"
        if fate == "lost":
            raise UnreachableError("lost")
        envelope = decode_envelope(octets)
        answer = self.device.receive(octets)
        if fate == "arrives twice":
            assert self.device.receive(octets) == answer or envelope.generation != self.generation
        if fate == "answer lost":
            raise UnreachableError("answer lost")
        return answer

    @property
    def generation(self) -> int:
        return self.device.generation(ROLE)

    def order(self, office: Office, fates: list[str]) -> ControlStatus | None:
        """Send a command that was never sent before; returns its status, None when nobody knows."""
        self.ordered += 1
        self.fates = fates
        with suppress(UnreachableError):
            return finished(
                office.keys.exchange(DEVICE, command_payload(b"%d" % self.ordered), self.send)
            ).status
        return None

    # What happens

    @rule(fate=st.lists(fates, max_size=2))
    def the_old_head_end_commands(self, fate: list[str]) -> None:
        if self.generation == 0:
            status = self.order(self.old, fate)
            assert status in (ControlStatus.OK, None)
        else:
            before, status = list(self.carried_out), None
            with suppress(RegimeError):
                status = self.order(self.old, fate)
            assert (status, self.carried_out) == (None, before)

    @rule()
    def the_new_controller_takes_the_key_over(self) -> None:
        if not self.new.keys.holds(DEVICE):
            self.new.keys.take(DEVICE, self.old.held[DEVICE])

    @precondition(lambda self: self.new.keys.holds(DEVICE))
    @rule(fate=st.lists(fates, max_size=2))
    def the_new_controller_rotates_it(self, fate: list[str]) -> None:
        self.fates = fate
        wanted = self.new.held[DEVICE].taken + 1
        with suppress(UnreachableError):
            key = finished(self.new.keys.rotate(DEVICE, wanted, self.send))
            assert (key.generation, key.pending_envelope) == (wanted, b"")
            self.rotated = True

    @precondition(lambda self: self.new.keys.holds(DEVICE))
    @rule(fate=st.lists(fates, max_size=2))
    def the_new_controller_settles_and_commands(self, fate: list[str]) -> None:
        self.fates = []
        finished(self.new.keys.settle(DEVICE, self.send))
        assert not self.new.held[DEVICE].pending_envelope
        assert self.order(self.new, fate) in (ControlStatus.OK, None)

    @precondition(lambda self: self.rotated)
    @rule()
    def the_old_key_is_seen_to_be_refused(self) -> None:
        self.fates = []
        status = finished(self.old.keys.probe_stale(DEVICE, probe_payload(), self.send))
        assert status is ControlStatus.WRONG_GENERATION

    @rule(which=st.sampled_from(["old", "new"]))
    def a_party_is_killed(self, which: str) -> None:
        (self.old if which == "old" else self.new).killed()

    # What is always true

    @invariant()
    def nothing_is_carried_out_twice(self) -> None:
        assert len(set(self.carried_out)) == len(self.carried_out)

    @invariant()
    def the_key_is_rotated_at_most_once(self) -> None:
        assert self.device.rotations(ROLE) == self.generation <= 1
        assert self.generation == 1 or not self.rotated

    @invariant()
    def the_other_role_is_not_touched(self) -> None:
        assert self.device.rotations(ControlRole.NON_CRITICAL) == 0


TestACutOverWhateverHappens = CutOver.TestCase
TestACutOverWhateverHappens.settings = settings(
    settings.get_profile("deterministic"), max_examples=60, stateful_step_count=25
)


# What a party says when it cannot


def office() -> Office:
    held = Office()
    held.keys.take(DEVICE, HeldKey(IDENTITY.critical, 0, 0, IDENTITY.public_point))
    return held


def answering(octets: bytes) -> Any:
    async def send(eui64: int, envelope: bytes) -> bytes:
        return octets

    return send


def test_a_key_that_is_not_held_is_named_with_its_device_and_role() -> None:
    with pytest.raises(RegimeError, match=r"^no critical key of 00-DB-12-34-56-78-90-A1 is held here$"):
        Office().keys.envelope(DEVICE, b"")


@pytest.mark.parametrize("octets", [b"", bytes(30), b"\x81" + bytes(29)])
def test_an_answer_that_is_no_response_is_told_with_what_to_look_at(octets: bytes) -> None:
    with pytest.raises(
        RegimeError, match=r"00-DB-12-34-56-78-90-A1: control response: .*; check what answers on the WAN"
    ):
        finished(office().keys.exchange(DEVICE, probe_payload(), answering(octets)))


def test_an_answer_of_somebody_else_is_not_believed() -> None:
    memory = MemoryNonVolatile()
    provision(memory, rehearsal_identity(Kernel(8).secret, DEVICE))
    stranger = ControlReceiver(DEVICE, memory)

    async def send(eui64: int, envelope: bytes) -> bytes:
        return stranger.receive(envelope)

    with pytest.raises(RegimeError, match="does not hold this critical key: BAD_TAG, generation 0"):
        finished(office().keys.exchange(DEVICE, probe_payload(), send))
    with pytest.raises(RegimeError, match="does not hold this critical key"):
        finished(office().keys.rotate(DEVICE, 1, send))


def test_a_rotation_that_skips_a_generation_is_refused_by_the_device_and_told() -> None:
    memory = MemoryNonVolatile()
    provision(memory, IDENTITY)

    async def send(eui64: int, envelope: bytes) -> bytes:
        return ControlReceiver(DEVICE, memory).receive(envelope)

    with pytest.raises(RegimeError, match="00-DB-12-34-56-78-90-A1 refused its new critical key: MALFORMED"):
        finished(office().keys.rotate(DEVICE, 2, send))


@pytest.mark.parametrize("generation", [0, 256, 300])
def test_there_are_255_rotations_in_the_life_of_a_key(generation: int) -> None:
    with pytest.raises(SecurityError) as refused:
        rotate_payload(
            DEVICE, ROLE, generation, bytes(32), device_point=IDENTITY.public_point, ephemeral=SECRET("e", 32)
        )
    assert str(refused.value) == (
        f"00-DB-12-34-56-78-90-A1: critical key of generation {generation}, expected 1 to 255; "
        "this device's key cannot be rotated again"
    )


@pytest.mark.parametrize(
    "key",
    [
        HeldKey(bytes(range(32)), 3, 7, IDENTITY.public_point),
        HeldKey(bytes(32), 0, 0, b"", b"new", b"envelope", 64, 2),
    ],
)
def test_a_held_key_read_back_goes_on_beyond_every_counter_that_may_have_been_used(key: HeldKey) -> None:
    read = HeldKey.from_json(json.loads(json.dumps(key.to_json())))
    used = max(key.counter, key.reserved)
    assert read == key._replace(counter=used, reserved=used)
