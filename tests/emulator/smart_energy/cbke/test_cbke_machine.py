"""Key establishment between three devices under any course of a bad network, both sides of each at once.

Messages are lost, repeated, delayed and overtake each other; timers run out; any device may ask any other, at any time.
The arithmetic is a stand-in (what it does is tested elsewhere), so that thousands of exchanges can be had. Whatever
happens: an initiator never holds a key that its partner has not confirmed, a device is in one exchange at a time, one
that is in an exchange waits for something, and on a network that is good again everybody gets a key.
"""

from __future__ import annotations

import hashlib
from functools import cache

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emulator.crypto.authority import Identity, IssuingAuthority
from emulator.crypto.certificates import parse_certificate
from emulator.crypto.ecmqv import Confirmation
from emulator.crypto.suite import Suite
from emulator.smart_energy.cbke.cryptography import (
    Answer,
    EphemeralReady,
    GenerateEphemeral,
    Operation,
    SecretsReady,
)
from emulator.smart_energy.cbke.machines import (
    CancelTimer,
    CbkeCommand,
    CbkeConfig,
    Effect,
    Established,
    Failed,
    KeyEstablishment,
    Send,
    SetTimer,
)

DEVICES = (0x00DB000000000001, 0x00DB000000000002, 0x00DB000000000003)
SUITE = Suite.SUITE_1
STEP_TIMERS = {"cbke-initiator", "cbke-responder"}
devices = st.sampled_from(DEVICES)


@cache
def identity(eui64: int) -> Identity:
    return IssuingAuthority.from_seed(SUITE, b"cbke").issue(eui64)


class Arithmetic:
    """Keys that follow from both ephemeral keys and both names, as those of the real provider do."""

    def __init__(self, eui64: int) -> None:
        self._eui64 = eui64
        self._made = 0
        self._ephemeral: bytes | None = None

    @property
    def suites(self) -> int:
        return int(SUITE)

    def certificate(self, suite: Suite) -> bytes:
        return identity(self._eui64).certificate

    def perform(self, operation: Operation) -> Answer:
        if isinstance(operation, GenerateEphemeral):
            self._made += 1
            octets = SUITE.parameters.point_octets
            self._ephemeral = hashlib.shake_256(b"%d/%d" % (self._eui64, self._made)).digest(octets)
            return EphemeralReady(self._ephemeral)
        assert self._ephemeral is not None, "secrets are asked for after an ephemeral key was made"
        us = self._eui64.to_bytes(8, "big") + self._ephemeral
        partner = parse_certificate(SUITE, operation.partner_certificate).subject
        them = partner.to_bytes(8, "big") + operation.partner_ephemeral
        initiator, responder = (us, them) if operation.initiated else (them, us)
        digest = hashlib.shake_256(initiator + responder).digest(48)
        return SecretsReady(Confirmation(digest[:16], digest[16:32]), digest[32:])

    def conclude(self, *, store: bool) -> None:
        self._ephemeral = None


class Network(RuleBasedStateMachine):
    @initialize()
    def install(self) -> None:
        self.machines = {eui64: KeyEstablishment(CbkeConfig(eui64), Arithmetic(eui64)) for eui64 in DEVICES}
        self.on_air: list[tuple[int, Send]] = []
        self.timers: dict[int, set[str]] = {eui64: set() for eui64 in DEVICES}
        self.keys: dict[tuple[int, int], bytes] = {}
        """The latest link key of each device with each partner."""
        self.confirmed: set[tuple[int, int, bytes]] = set()
        """Keys that a responder established: responder, initiator, key."""
        self.ended: list[Established | Failed] = []

    def carry_out(self, eui64: int, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    assert effect.partner != eui64
                    self.on_air.append((eui64, effect))
                case SetTimer(name, delay_us):
                    assert delay_us > 0
                    self.timers[eui64].add(name)
                case CancelTimer(name):
                    self.timers[eui64].discard(name)
                case Established(partner, key, _, initiated):
                    assert key is not None
                    self.keys[eui64, partner] = key
                    if initiated:
                        assert (partner, eui64, key) in self.confirmed, "nobody confirmed this key"
                    else:
                        self.confirmed.add((eui64, partner, key))
                    self.ended.append(effect)
                case Failed():
                    assert effect.detail
                    self.ended.append(effect)

    def deliver(self, sender: int, message: Send) -> None:
        machine = self.machines[message.partner]
        effects = machine.receive(
            sender, to_server=message.to_server, command_id=message.command_id, payload=message.payload
        )
        self.carry_out(message.partner, effects)

    # What happens

    @rule(eui64=devices, partner=devices)
    def one_asks_another(self, eui64: int, partner: int) -> None:
        if eui64 == partner:
            return
        was_busy = self.machines[eui64].busy
        before = len(self.ended)
        self.carry_out(eui64, self.machines[eui64].start(partner, SUITE))
        assert was_busy == (len(self.ended) == before + 1), "one that is busy says so at once"

    @precondition(lambda self: self.on_air)
    @rule(messages=st.integers(1, 8))
    def messages_arrive_in_order(self, messages: int) -> None:
        for _ in range(messages):
            if self.on_air:
                self.deliver(*self.on_air.pop(0))

    @precondition(lambda self: self.on_air)
    @rule(data=st.data(), fate=st.sampled_from(["lost", "overtakes", "arrives and stays on its way"]))
    def something_happens_to_a_message(self, data: st.DataObject, fate: str) -> None:
        place = data.draw(st.integers(0, len(self.on_air) - 1))
        message = self.on_air[place] if "stays" in fate else self.on_air.pop(place)
        if fate != "lost":
            self.deliver(*message)

    @precondition(lambda self: any(self.timers.values()))
    @rule(data=st.data())
    def a_timer_runs_out(self, data: st.DataObject) -> None:
        running = sorted((eui64, name) for eui64, names in self.timers.items() for name in names)
        eui64, name = data.draw(st.sampled_from(running))
        self.timers[eui64].discard(name)
        self.carry_out(eui64, self.machines[eui64].timer(name))

    @rule(sender=devices, to=devices, to_server=st.booleans(), command=st.sampled_from(CbkeCommand))
    def somebody_talks_nonsense(self, sender: int, to: int, to_server: bool, command: CbkeCommand) -> None:
        if sender != to:
            self.deliver(sender, Send(to, to_server, command, b"\x01\x00\x05\x05" + bytes(48)))

    @rule(eui64=devices, partner=devices)
    def on_a_good_network_everybody_gets_a_key(self, eui64: int, partner: int) -> None:
        """Nothing of the past is so bad that it does not end when what is under way is lost and times out."""
        if eui64 == partner:
            return
        self.on_air.clear()
        for each in DEVICES:
            for name in sorted(self.timers[each]):
                self.timers[each].discard(name)
                self.carry_out(each, self.machines[each].timer(name))
        assert self.on_air == [], "a time-out ends an exchange silently"
        assert not any(machine.busy for machine in self.machines.values())
        self.carry_out(eui64, self.machines[eui64].start(partner, SUITE))
        while self.on_air:
            self.deliver(*self.on_air.pop(0))
        assert self.keys[eui64, partner] == self.keys[partner, eui64]
        assert not self.machines[eui64].busy

    # What is always true

    @invariant()
    def a_device_is_in_one_exchange_at_a_time(self) -> None:
        for machine in self.machines.values():
            assert not (machine.initiator.busy and machine.responder.busy)

    @invariant()
    def who_is_in_an_exchange_waits_for_something(self) -> None:
        for eui64, machine in self.machines.items():
            running = self.timers[eui64] & STEP_TIMERS
            assert machine.busy == bool(running), f"{eui64:016X}: {machine.busy}, {running}"

    @invariant()
    def no_key_is_had_twice(self) -> None:
        assert len({key for _, _, key in self.confirmed}) == len(self.confirmed)


TestKeyEstablishmentWhateverHappens = Network.TestCase
TestKeyEstablishmentWhateverHappens.settings = settings(
    settings.get_profile("deterministic"), max_examples=60, stateful_step_count=40
)
