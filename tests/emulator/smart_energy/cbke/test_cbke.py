"""Key establishment: the exchange as published, then every way in which it can go wrong.

Scenarios assert the exact effects of each input, in order. `Pair` carries messages between two devices.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.crypto.authority import Identity, IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.errors import CryptoError
from emulator.smart_energy.cbke.cryptography import Answer, Operation
from emulator.smart_energy.cbke.machines import (
    CancelTimer,
    CbkeCommand,
    CbkeConfig,
    Effect,
    Established,
    Failed,
    FailureCause,
    HostCryptography,
    KeyEstablishment,
    Send,
    SetTimer,
    TerminateStatus,
)
from tests.emulator.crypto.annex_c import annex_c_public_key

INITIATE, EPHEMERAL, CONFIRM, TERMINATE = CbkeCommand
CLIENT, SERVER, OTHER = 0x00DB000000000001, 0x00DB000000000002, 0x00DB000000000003
both_suites = pytest.mark.parametrize("suite", Suite)
AUTHORITIES = {suite: IssuingAuthority.from_seed(suite, b"cbke") for suite in Suite}
IDENTITIES = {
    (suite, eui64): AUTHORITIES[suite].issue(eui64) for suite in Suite for eui64 in (CLIENT, SERVER, OTHER)
}


def device(eui64: int, *suites: Suite, identities: tuple[Identity, ...] = ()) -> KeyEstablishment:
    own = identities or tuple(IDENTITIES[suite, eui64] for suite in suites or tuple(Suite))
    return KeyEstablishment(CbkeConfig(eui64), HostCryptography(own, random.Random(eui64)))


def terminate(status: TerminateStatus, wait: int, suites: int = 3) -> bytes:
    return bytes((status, wait, suites, 0))


class Pair:
    """A client and a server; `tamper` may change a message on its way, or drop it by returning None."""

    def __init__(
        self, client: KeyEstablishment | None = None, server: KeyEstablishment | None = None
    ) -> None:
        self.devices = {CLIENT: client or device(CLIENT), SERVER: server or device(SERVER)}
        self.sent: list[CbkeCommand] = []
        self.ends: dict[int, Established | Failed] = {}
        self.tamper: Callable[[Send], Send | None] = lambda send: send

    def run(self, suite: Suite = Suite.SUITE_1) -> Pair:
        self.carry(CLIENT, self.devices[CLIENT].start(SERVER, suite))
        return self

    def carry(self, sender: int, effects: list[Effect]) -> None:
        """Carry out `effects` and all that follows from them, in the order of sending."""
        waiting = [(sender, effect) for effect in effects]
        while waiting:
            sender, effect = waiting.pop(0)
            if isinstance(effect, Established | Failed):
                self.ends[sender] = effect
            elif isinstance(effect, Send):
                self.sent.append(effect.command_id)
                arrived = self.tamper(effect)
                if arrived is not None:
                    waiting += [(effect.partner, answer) for answer in self.deliver(sender, arrived)]

    def deliver(self, sender: int, send: Send) -> list[Effect]:
        return self.devices[send.partner].receive(
            sender, to_server=send.to_server, command_id=send.command_id, payload=send.payload
        )

    def change(self, command: CbkeCommand, to_server: bool, change: Callable[[bytes], bytes]) -> None:
        def tamper(send: Send) -> Send:
            hit = (send.command_id, send.to_server) == (command, to_server)
            return send._replace(payload=change(send.payload)) if hit else send

        self.tamper = tamper

    def drop(self, command: CbkeCommand, to_server: bool) -> None:
        self.tamper = lambda send: None if (send.command_id, send.to_server) == (command, to_server) else send

    def expect_terminated(self, by: int, status: TerminateStatus) -> None:
        other = SERVER if by == CLIENT else CLIENT
        here, there = self.ends[by], self.ends[other]
        assert isinstance(here, Failed)
        assert isinstance(there, Failed)
        assert (here.cause, here.status) == (FailureCause.TERMINATED, status), here.detail
        assert (there.cause, there.status) == (FailureCause.TERMINATED_BY_PARTNER, status)
        assert not any(machine.busy for machine in self.devices.values())


def flip(index: int) -> Callable[[bytes], bytes]:
    def change(payload: bytes) -> bytes:
        octets = bytearray(payload)
        octets[index] ^= 1
        return bytes(octets)

    return change


class Scripted:
    """Random numbers given beforehand."""

    def __init__(self, number: int) -> None:
        self.number = number

    def randrange(self, start: int, stop: int) -> int:
        assert start <= self.number < stop
        return self.number


def test_annex_c5_exchange_octet_by_octet() -> None:
    certificates = {
        1: "03045fdfc8d85ffb8b3993cb72ddcaa55f00b3e87d6d0000000000000001544553545345434101090006000000000000",
        2: "020615e07d30eca2dad58002e667d94bc1b4223983070000000000000002544553545345434101090006000000000000",
    }
    private = {1: 0xB8A900FCADEBABBFA383B540FCE9ED438395EAA7, 2: 0x01E9DDB5580CF72ECE7F215F0AE594E48DF3E7FEE8}
    once = {1: 0x03D48C7210DDBCC4FB2E5E7A0AA16A0DB89540820B, 2: 0x0013D36DE4B1EA8E22739C381370823F404BFF8862}
    point = {
        1: "0306ab52062201d995b8b8591f3f086a3a2e214d845e",
        2: "0300e117c86d0e7cd128b2f34e9076cff24af46d7288",
    }
    link_key = bytes.fromhex("86d58aaa998e2faefaf9fef49606543a")
    machines = {}
    for eui64 in (1, 2):
        certificate = bytes.fromhex(certificates[eui64])
        authority = annex_c_public_key(Suite.SUITE_1)
        identity = Identity(Suite.SUITE_1, eui64, certificate, private[eui64], authority)
        identity.check()
        config = CbkeConfig(eui64, ephemeral_seconds=3, confirm_seconds=6)
        machines[eui64] = KeyEstablishment(config, HostCryptography([identity], Scripted(once[eui64])))
    u, v = machines[2], machines[1]

    def u_to_v(command: CbkeCommand, payload: str) -> list[Effect]:
        return v.receive(2, to_server=True, command_id=command, payload=bytes.fromhex(payload))

    def v_to_u(command: CbkeCommand, payload: str) -> list[Effect]:
        return u.receive(1, to_server=False, command_id=command, payload=bytes.fromhex(payload))

    macu, macv = "b82f1f9774740c32f80fcfc3921b6420", "79d5f2ad1c31d4d1ee7cb719ac683c3c"
    request, response = "01000306" + certificates[2], "01000306" + certificates[1]
    assert u.start(1, Suite.SUITE_1) == [
        Send(1, True, INITIATE, bytes.fromhex(request)),
        SetTimer("cbke-initiator", 10_000_000),
    ]
    assert u_to_v(INITIATE, request) == [
        Send(2, False, INITIATE, bytes.fromhex(response)),
        SetTimer("cbke-responder", 13_000_000),
    ]
    assert v_to_u(INITIATE, response) == [
        Send(1, True, EPHEMERAL, bytes.fromhex(point[2])),
        SetTimer("cbke-initiator", 13_000_000),
    ]
    assert u_to_v(EPHEMERAL, point[2]) == [
        Send(2, False, EPHEMERAL, bytes.fromhex(point[1])),
        SetTimer("cbke-responder", 16_000_000),
    ]
    assert v_to_u(EPHEMERAL, point[1]) == [
        Send(1, True, CONFIRM, bytes.fromhex(macu)),
        SetTimer("cbke-initiator", 16_000_000),
    ]
    assert u_to_v(CONFIRM, macu) == [
        Send(2, False, CONFIRM, bytes.fromhex(macv)),
        SetTimer("cbke-settled", 5_000_000),
        CancelTimer("cbke-responder"),
        Established(2, link_key, Suite.SUITE_1, False),
    ]
    assert v_to_u(CONFIRM, macv) == [
        CancelTimer("cbke-initiator"),
        Established(1, link_key, Suite.SUITE_1, True),
    ]


@both_suites
def test_both_sides_end_with_the_same_new_key(suite: Suite) -> None:
    pair = Pair()
    keys = []
    for _ in range(2):
        pair.run(suite)
        client, server = pair.ends[CLIENT], pair.ends[SERVER]
        assert isinstance(client, Established)
        assert isinstance(server, Established)
        assert client == (SERVER, server.link_key, suite, True)
        assert server.partner == CLIENT
        keys.append(client.link_key)
    assert keys[0] != keys[1]
    assert pair.sent[:6] == [INITIATE, INITIATE, EPHEMERAL, EPHEMERAL, CONFIRM, CONFIRM]


@pytest.mark.parametrize("to_server", [True, False], ids=["request", "response"])
@pytest.mark.parametrize(
    ("suite", "change", "status"),
    [
        (Suite.SUITE_1, lambda p: p[:-1], TerminateStatus.BAD_MESSAGE),
        (Suite.SUITE_1, lambda p: p + b"\x00", TerminateStatus.BAD_MESSAGE),
        (Suite.SUITE_1, lambda p: b"", TerminateStatus.BAD_MESSAGE),
        (Suite.SUITE_1, lambda p: b"\x00\x00" + p[2:], TerminateStatus.BAD_MESSAGE),
        (Suite.SUITE_1, lambda p: b"\x03\x00" + p[2:], TerminateStatus.BAD_MESSAGE),
        (Suite.SUITE_1, lambda p: b"\x02\x00" + p[2:], TerminateStatus.BAD_MESSAGE),
        (Suite.SUITE_1, lambda p: b"\x04\x00" + p[2:], TerminateStatus.UNSUPPORTED_SUITE),
        (Suite.SUITE_1, lambda p: p[:2] + b"\xff" + p[3:], TerminateStatus.BAD_MESSAGE),
        (Suite.SUITE_1, lambda p: p[:3] + b"\xff" + p[4:], TerminateStatus.BAD_MESSAGE),
        (Suite.SUITE_1, flip(4 + 22), TerminateStatus.BAD_MESSAGE),
        (Suite.SUITE_1, flip(4 + 30), TerminateStatus.UNKNOWN_ISSUER),
        (Suite.SUITE_1, flip(4 + 39), TerminateStatus.BAD_MESSAGE),
        (Suite.SUITE_2, flip(4 + 0), TerminateStatus.INVALID_CERTIFICATE),
        (Suite.SUITE_2, flip(4 + 9), TerminateStatus.INVALID_CERTIFICATE),
        (Suite.SUITE_2, flip(4 + 10), TerminateStatus.INVALID_CERTIFICATE),
        (Suite.SUITE_2, flip(4 + 11), TerminateStatus.UNKNOWN_ISSUER),
        (Suite.SUITE_2, flip(4 + 28), TerminateStatus.BAD_MESSAGE),
        (Suite.SUITE_2, lambda p: p[:40] + b"\x80" + p[41:], TerminateStatus.INVALID_CERTIFICATE),
        (Suite.SUITE_2, lambda p: p[:-1], TerminateStatus.BAD_MESSAGE),
    ],
    ids=[
        "short",
        "long",
        "empty",
        "no suite",
        "two suites",
        "other suite",
        "unknown suite",
        "ephemeral time",
        "confirm time",
        "subject",
        "issuer",
        "profile",
        "type",
        "curve",
        "hash",
        "suite 2 issuer",
        "suite 2 subject",
        "key usage",
        "suite 2 short",
    ],
)
def test_a_bad_initiate_is_terminated_with_its_status(
    suite: Suite, change: Callable[[bytes], bytes], status: TerminateStatus, to_server: bool
) -> None:
    pair = Pair()
    pair.change(INITIATE, to_server, change)
    pair.run(suite)
    pair.expect_terminated(SERVER if to_server else CLIENT, status)


def test_a_suite_the_server_has_no_identity_for_is_unsupported() -> None:
    pair = Pair(server=device(SERVER, Suite.SUITE_1)).run(Suite.SUITE_2)
    pair.expect_terminated(SERVER, TerminateStatus.UNSUPPORTED_SUITE)


@pytest.mark.parametrize("to_server", [True, False], ids=["request", "response"])
@both_suites
def test_bad_ephemeral_data_is_a_bad_message(suite: Suite, to_server: bool) -> None:
    zeros = bytes(suite.parameters.point_octets)
    for change in (lambda p: p[:-1], lambda p: p + b"\x00", lambda p: zeros, lambda p: b"\x02" + zeros[1:]):
        pair = Pair()
        pair.change(EPHEMERAL, to_server, change)
        pair.run(suite).expect_terminated(SERVER if to_server else CLIENT, TerminateStatus.BAD_MESSAGE)


def test_a_key_sent_back_to_its_owner_is_a_bad_message() -> None:
    pair = Pair()
    own: list[bytes] = []

    def reflect(send: Send) -> Send:
        if send.command_id is EPHEMERAL:
            own.append(send.payload)
            return send._replace(payload=own[0])
        return send

    pair.tamper = reflect
    pair.run().expect_terminated(CLIENT, TerminateStatus.BAD_MESSAGE)


@pytest.mark.parametrize("to_server", [True, False], ids=["MACU", "MACV"])
@both_suites
def test_a_wrong_confirmation_is_bad_key_confirm(suite: Suite, to_server: bool) -> None:
    pair = Pair()
    pair.change(CONFIRM, to_server, flip(7))
    pair.run(suite)
    end = pair.ends[SERVER if to_server else CLIENT]
    assert isinstance(end, Failed)
    assert end.status == TerminateStatus.BAD_KEY_CONFIRM
    if to_server:
        pair.expect_terminated(SERVER, TerminateStatus.BAD_KEY_CONFIRM)
    else:
        assert isinstance(pair.ends[SERVER], Established), "the responder stored its key when it sent MACV"


@pytest.mark.parametrize("octets", [0, 15, 17])
def test_a_confirmation_of_another_length_is_a_bad_message(octets: int) -> None:
    pair = Pair()
    pair.change(CONFIRM, True, lambda _: bytes(octets))
    pair.run().expect_terminated(SERVER, TerminateStatus.BAD_MESSAGE)


@both_suites
def test_a_private_key_that_is_not_the_certificates_is_found_by_the_confirmation(suite: Suite) -> None:
    stolen = replace(IDENTITIES[suite, CLIENT], private_key=12345)
    pair = Pair(client=device(CLIENT, identities=(stolen,)))
    pair.run(suite).expect_terminated(SERVER, TerminateStatus.BAD_KEY_CONFIRM)


@both_suites
def test_an_authority_of_the_same_name_is_found_by_the_confirmation(suite: Suite) -> None:
    impostor = IssuingAuthority.from_seed(suite, b"impostor").issue(CLIENT)
    pair = Pair(client=device(CLIENT, identities=(impostor,)))
    pair.run(suite).expect_terminated(SERVER, TerminateStatus.BAD_KEY_CONFIRM)


@pytest.mark.parametrize(
    ("suite", "status"),
    [(Suite.SUITE_1, TerminateStatus.BAD_MESSAGE), (Suite.SUITE_2, TerminateStatus.INVALID_CERTIFICATE)],
)
def test_a_certificate_whose_point_is_not_on_the_curve_is_refused(
    suite: Suite, status: TerminateStatus
) -> None:
    place = 4 if suite is Suite.SUITE_1 else 4 + 37
    pair = Pair()
    pair.change(INITIATE, True, lambda p: p[:place] + b"\x05" + p[place + 1 :])
    pair.run(suite).expect_terminated(SERVER, status)


@pytest.mark.parametrize(
    ("command", "to_server", "waiting", "seconds"),
    [
        (INITIATE, True, CLIENT, 10),
        (INITIATE, False, SERVER, 21),
        (EPHEMERAL, True, SERVER, 21),
        (EPHEMERAL, False, CLIENT, 21),
        (CONFIRM, True, SERVER, 26),
        (CONFIRM, False, CLIENT, 26),
    ],
)
def test_a_lost_message_times_out_without_a_terminate(
    command: CbkeCommand, to_server: bool, waiting: int, seconds: int
) -> None:
    pair = Pair()
    pair.drop(command, to_server)
    timers: list[SetTimer] = []
    machine = pair.devices[waiting]
    receive, start = machine.receive, machine.start

    def watched(effects: list[Effect]) -> list[Effect]:
        timers.extend(effect for effect in effects if isinstance(effect, SetTimer))
        return effects

    machine.receive = lambda *a, **k: watched(receive(*a, **k))  # type: ignore[method-assign]
    machine.start = lambda *a: watched(start(*a))  # type: ignore[method-assign]
    pair.run()
    assert machine.busy
    assert timers[-1].delay_us == seconds * 1_000_000
    effects = machine.timer(timers[-1].name)
    assert [type(effect) for effect in effects] == [CancelTimer, Failed]
    failed = effects[-1]
    assert isinstance(failed, Failed)
    assert (failed.cause, failed.status) == (FailureCause.TIMED_OUT, None)
    assert not machine.busy
    assert machine.timer(timers[-1].name) == []


def begin(partner: int, suite: Suite = Suite.SUITE_1) -> bytes:
    send = device(partner).start(SERVER, suite)[0]
    assert isinstance(send, Send)
    return send.payload


def request(server: KeyEstablishment, partner: int, command: int, payload: bytes) -> list[Effect]:
    return server.receive(partner, to_server=True, command_id=command, payload=payload)


def test_a_second_partner_is_told_to_wait_while_an_exchange_is_under_way() -> None:
    server = device(SERVER)
    request(server, CLIENT, INITIATE, begin(CLIENT))
    busy = Send(OTHER, False, TERMINATE, terminate(TerminateStatus.NO_RESOURCES, 30))
    assert request(server, OTHER, INITIATE, begin(OTHER)) == [busy]
    assert request(server, OTHER, EPHEMERAL, bytes(22)) == []
    assert request(server, OTHER, TERMINATE, terminate(TerminateStatus.BAD_MESSAGE, 0)) == []
    assert server.busy


def test_an_initiator_refuses_partners_and_a_second_start() -> None:
    client = device(CLIENT)
    client.start(SERVER, Suite.SUITE_1)
    assert request(client, OTHER, INITIATE, begin(OTHER))[0] == Send(
        OTHER, False, TERMINATE, terminate(TerminateStatus.NO_RESOURCES, 30)
    )
    (failed,) = client.start(OTHER, Suite.SUITE_1)
    assert isinstance(failed, Failed)
    assert failed.cause is FailureCause.BUSY
    with pytest.raises(CryptoError, match="already under way"):
        client.initiator.start(OTHER, Suite.SUITE_1)


def test_start_without_an_identity_of_the_suite_is_refused() -> None:
    with pytest.raises(CryptoError, match="no identity for suite 2"):
        device(CLIENT, Suite.SUITE_1).start(SERVER, Suite.SUITE_2)


@pytest.mark.parametrize("command", [EPHEMERAL, CONFIRM])
def test_a_message_without_an_exchange_is_terminated(command: CbkeCommand) -> None:
    server = device(SERVER)
    effects = request(server, CLIENT, command, bytes(16))
    assert effects == [Send(CLIENT, False, TERMINATE, terminate(TerminateStatus.BAD_MESSAGE, 10))]
    assert not server.busy


def test_a_confirmation_before_the_ephemeral_data_is_out_of_sequence() -> None:
    server = device(SERVER)
    request(server, CLIENT, INITIATE, begin(CLIENT))
    effects = request(server, CLIENT, CONFIRM, bytes(16))
    assert effects[0] == Send(CLIENT, False, TERMINATE, terminate(TerminateStatus.BAD_MESSAGE, 10))


def test_repeated_requests_are_answered_alike_and_do_not_disturb() -> None:
    pair = Pair()

    def twice(send: Send) -> Send:
        if send.to_server:
            again = pair.deliver(CLIENT, send)
            first = [effect for effect in again if isinstance(effect, Send)]
            if send.command_id is CONFIRM:
                pair.ends[SERVER] = next(effect for effect in again if isinstance(effect, Established))
                pair.carry(SERVER, list(first))
            assert [effect.command_id for effect in first] == [send.command_id]
        return send

    pair.tamper = twice
    pair.run()
    assert isinstance(pair.ends[CLIENT], Established)
    assert isinstance(pair.ends[SERVER], Established)


def test_repeated_responses_are_ignored() -> None:
    pair = Pair()
    answers: list[Send] = []

    def remember(send: Send) -> Send:
        for earlier in answers:
            assert pair.deliver(SERVER, earlier) == []
        if not send.to_server:
            answers.append(send)
        return send

    pair.tamper = remember
    pair.run()
    assert isinstance(pair.ends[CLIENT], Established)


def test_a_repeated_confirmation_is_a_duplicate_only_for_a_while() -> None:
    pair = Pair()
    macu: list[bytes] = []

    def keep(send: Send) -> Send:
        if send.command_id is CONFIRM and send.to_server:
            macu.append(send.payload)
        return send

    pair.tamper = keep
    pair.run()
    server = pair.devices[SERVER]
    assert request(server, CLIENT, CONFIRM, macu[0]) == []
    assert server.timer("cbke-settled") == []
    effects = request(server, CLIENT, CONFIRM, macu[0])
    assert effects[0] == Send(CLIENT, False, TERMINATE, terminate(TerminateStatus.BAD_MESSAGE, 10))


def test_a_partner_that_begins_anew_is_answered_anew() -> None:
    pair = Pair()
    pair.drop(CONFIRM, True)
    pair.run()
    assert pair.devices[SERVER].busy
    pair.devices[CLIENT] = device(CLIENT)
    pair.tamper = lambda send: send
    pair.run()
    assert isinstance(pair.ends[CLIENT], Established)
    assert isinstance(pair.ends[SERVER], Established)


@pytest.mark.parametrize(
    ("payload", "status", "wait"),
    [(terminate(TerminateStatus.NO_RESOURCES, 30), 4, 30), (b"\x77\x05\x01\x00", 0x77, 5), (b"", 0, 10)],
    ids=["known", "unknown status", "malformed"],
)
@pytest.mark.parametrize("to_server", [True, False])
def test_a_terminate_ends_the_exchange_and_is_not_answered(
    payload: bytes, status: int, wait: int, to_server: bool
) -> None:
    client = device(CLIENT)
    client.start(SERVER, Suite.SUITE_1)
    other = client.receive(OTHER, to_server=to_server, command_id=TERMINATE, payload=payload)
    assert other == []
    effects = client.receive(SERVER, to_server=to_server, command_id=TERMINATE, payload=payload)
    assert effects[0] == CancelTimer("cbke-initiator")
    failed = effects[1]
    assert isinstance(failed, Failed)
    assert failed[:4] == (SERVER, FailureCause.TERMINATED_BY_PARTNER, status, wait)
    assert len(effects) == 2
    assert client.receive(SERVER, to_server=to_server, command_id=TERMINATE, payload=payload) == []


class Slow:
    """A provider like a co-processor: answers only when `answer` is called."""

    def __init__(self, host: HostCryptography) -> None:
        self.host = host
        self.waiting: list[Operation] = []
        self.concluded: list[bool] = []

    @property
    def suites(self) -> int:
        return self.host.suites

    def certificate(self, suite: Suite) -> bytes:
        return self.host.certificate(suite)

    def perform(self, operation: Operation) -> Answer | None:
        self.waiting.append(operation)
        return None

    def conclude(self, *, store: bool) -> None:
        self.concluded.append(store)

    def answer(self) -> Answer:
        return self.host.perform(self.waiting.pop(0))


def slow_device(eui64: int) -> tuple[KeyEstablishment, Slow]:
    slow = Slow(HostCryptography([IDENTITIES[Suite.SUITE_1, eui64]], random.Random(eui64)))
    return KeyEstablishment(CbkeConfig(eui64), slow), slow


@pytest.mark.parametrize("slow_side", [CLIENT, SERVER])
def test_a_provider_that_answers_later_gives_the_same_exchange(slow_side: int) -> None:
    machine, slow = slow_device(slow_side)
    pair = Pair(**{"client" if slow_side == CLIENT else "server": machine})
    pair.run()
    while slow.waiting:
        pair.carry(slow_side, machine.computed(slow.answer()))
    assert isinstance(pair.ends[CLIENT], Established)
    assert isinstance(pair.ends[SERVER], Established)
    assert slow.concluded == [True]


def test_answers_that_come_after_the_end_are_dropped() -> None:
    machine, slow = slow_device(CLIENT)
    Pair(client=machine).run()
    answer = slow.answer()
    assert isinstance(machine.timer("cbke-initiator")[-1], Failed)
    assert machine.computed(answer) == []
    assert slow.concluded == [False]


def messages() -> st.SearchStrategy[tuple[int, bool, int, bytes]]:
    length = st.sampled_from([0, 1, 4, 16, 22, 37, 52, 78])
    payloads = st.one_of(
        length.flatmap(lambda octets: st.binary(min_size=octets, max_size=octets)),
        st.sampled_from([begin(CLIENT), begin(OTHER), begin(CLIENT, Suite.SUITE_2)]),
        st.sampled_from([SERVER, CLIENT]).map(
            lambda eui64: AUTHORITIES[Suite.SUITE_1].public_key_octets if eui64 == SERVER else bytes(16)
        ),
    )
    return st.tuples(st.sampled_from([CLIENT, OTHER]), st.booleans(), st.integers(0, 5), payloads)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.one_of(messages(), st.sampled_from(["cbke-initiator", "cbke-responder", "start"])), max_size=10
    )
)
def test_no_input_crashes_and_every_answer_is_one_of_the_protocol(
    inputs: list[tuple[int, bool, int, bytes] | str],
) -> None:
    server = device(SERVER)
    for happening in inputs:
        was_busy = server.busy
        if isinstance(happening, str):
            effects = server.start(CLIENT, Suite.SUITE_1) if happening == "start" else server.timer(happening)
            assert not any(isinstance(e, Send) and e.command_id is TERMINATE for e in effects)
            continue
        partner, to_server, command, payload = happening
        effects = server.receive(partner, to_server=to_server, command_id=command, payload=payload)
        sends = [effect for effect in effects if isinstance(effect, Send)]
        assert len(sends) <= 1
        assert not any(isinstance(effect, Established) for effect in effects)
        if command >= TERMINATE:
            assert sends == []
        for send in sends:
            assert send.partner == partner
            assert send.command_id in (command, EPHEMERAL, TERMINATE)
        if not was_busy and not to_server:
            assert effects == []
