"""Outgoing requests: transaction numbers, matching, time-outs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emulator.clock.kernel import Kernel
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Security
from emulator.zcl import frame
from emulator.zcl.client import Done, Peer, Values, Wanted, ZclClient
from emulator.zcl.endpoint import ZclEndpoint
from emulator.zcl.frame import GeneralCommand, ZclFrame, ZclStatus

METER = Peer(0x1234, 3)

SUMMATION = Wanted(0x0000, (0x25,))


def rig() -> tuple[Kernel, list[ApsdeRequest], ZclClient, ZclEndpoint]:
    kernel = Kernel()
    sent: list[ApsdeRequest] = []
    client = ZclClient(kernel.scope("display"), sent.append, endpoint=1)
    return kernel, sent, client, ZclEndpoint(1, on_response=client.receive)


def answer(asdu: bytes, *, source: int = 0x1234, cluster: int = 0x0702) -> ApsdeIndication:
    return ApsdeIndication(source, 1, 0, 1, 0x0109, cluster, 3, asdu, Security.APS, 255, 0)


def test_reading_a_meter() -> None:
    _, sent, client, endpoint = rig()
    got: list[Values | None] = []
    tsn = client.read_attributes(METER, 0x0702, [SUMMATION, Wanted(0x0999, (0x20,))], got.append)
    assert sent[0].secure
    assert frame.parse(sent[0].asdu).payload == bytes.fromhex("0000 9909")
    payload = bytes.fromhex("0000 00 25 050000000000 9909 86")
    reply = frame.build(0x18, tsn, GeneralCommand.READ_ATTRIBUTES_RESPONSE, payload)
    assert endpoint.receive(answer(reply)) == []
    assert got == [{0x0000: 5}]


@pytest.mark.parametrize(
    ("record", "value"),
    [
        ("0000 00 25 050000000000", 5),
        ("0000 00 25 ffffffffffff", None),
        ("0000 00 23 05000000", None),
        ("0000 00 00", None),
        ("0000 00 39 0000807f", None),
        ("0000 00 42 ff", None),
        ("0000 86", None),
        ("9909 00 25 050000000000", None),
        ("0000 00 25 050000000000 0000 00 25 060000000000", 5),
        ("0000 86 0000 00 25 060000000000", 6),
    ],
)
def test_only_values_of_the_type_wanted_are_taken(record: str, value: int | None) -> None:
    _, _, client, endpoint = rig()
    got: list[Values | None] = []
    tsn = client.read_attributes(METER, 0x0702, [SUMMATION], got.append)
    reply = frame.build(0x18, tsn, GeneralCommand.READ_ATTRIBUTES_RESPONSE, bytes.fromhex(record))
    endpoint.receive(answer(reply))
    assert got == [{} if value is None else {0x0000: value}]


@given(st.binary(max_size=40))
def test_no_answer_does_more_than_say_nothing(payload: bytes) -> None:
    _, _, client, endpoint = rig()
    got: list[Values | None] = []
    tsn = client.read_attributes(METER, 0x0702, [SUMMATION], got.append)
    endpoint.receive(answer(frame.build(0x18, tsn, GeneralCommand.READ_ATTRIBUTES_RESPONSE, payload)))
    assert len(got) == 1
    assert not got[0] or 0 <= got[0][0x0000] < 0xFFFF_FFFF_FFFF


def test_answers_from_elsewhere_do_not_match() -> None:
    _, _, client, endpoint = rig()
    got: list[Values | None] = []
    tsn = client.read_attributes(METER, 0x0702, [SUMMATION], got.append)
    reply = frame.build(0x18, tsn, GeneralCommand.READ_ATTRIBUTES_RESPONSE, bytes.fromhex("0000 86"))
    endpoint.receive(answer(reply, source=0x9999))
    endpoint.receive(answer(reply, cluster=0x0700))
    assert got == []


def test_silence_is_a_time_out_told_once() -> None:
    kernel, _, client, endpoint = rig()
    got: list[ZclFrame | None] = []
    tsn = client.command(METER, 0x0702, 0, b"", got.append)
    kernel.run_for(11_000_000)
    assert got == [None]
    endpoint.receive(answer(frame.build(0x19, tsn, 0)))
    assert got == [None]


def test_cluster_answers_and_default_responses_complete_a_command() -> None:
    _, _, client, endpoint = rig()
    got: list[ZclFrame | None] = []
    first = client.command(METER, 0x0702, 0, b"", got.append)
    endpoint.receive(answer(frame.build(0x19, first, 0, b"data")))
    second = client.command(METER, 0x0702, 0, b"", got.append)
    refused = frame.build(0x18, second, GeneralCommand.DEFAULT_RESPONSE, bytes((0, ZclStatus.FAILURE)))
    endpoint.receive(answer(refused))
    assert [reply.payload for reply in got if reply is not None] == [b"data", bytes((0, ZclStatus.FAILURE))]


def test_malformed_answers_complete_with_nothing() -> None:
    _, _, client, endpoint = rig()
    got: list[Values | None] = []
    tsn = client.read_attributes(METER, 0x0702, [SUMMATION], got.append)
    endpoint.receive(answer(frame.build(0x18, tsn, GeneralCommand.READ_ATTRIBUTES_RESPONSE, b"\0")))
    assert got == [None]


def test_transaction_numbers_in_use_are_skipped() -> None:
    _, _, client, _ = rig()
    held = client.command(METER, 0x0702, 0, b"", lambda _frame: None)
    assert held not in {client.next_tsn() for _ in range(300)}


@pytest.mark.parametrize(
    ("ask", "control", "secure"),
    [
        (lambda client, peer: client.command(peer, 0x0702, 0x05, b"p"), 0x01, True),
        (lambda client, peer: client.from_server(peer, 0x0702, 0x05, b"p"), 0x09, True),
        (lambda client, peer: client.general(peer, 0x0702, 0x05, b"p"), 0x00, True),
        (lambda client, peer: client.general(peer, 0x0702, 0x05, b"p", from_server=True), 0x08, True),
        (lambda client, peer: client.command(Peer(0x1234, 3, 0x0104, False), 0x0702, 5, b"p"), 0x01, False),
    ],
)
def test_each_kind_of_request_has_its_direction_and_asks_for_a_default_response(
    ask: Any, control: int, secure: bool
) -> None:
    kernel, sent, client, _ = rig()
    tsn = ask(client, METER)
    (request,) = sent
    assert request.asdu == bytes((control, tsn, 0x05)) + b"p"
    assert (request.destination, request.destination_endpoint, request.source_endpoint) == (0x1234, 3, 1)
    assert (request.cluster, request.secure) == (0x0702, secure)
    assert kernel.next_due() is None  # nobody waits for an answer


@pytest.mark.parametrize(
    ("command", "payload"),
    [(GeneralCommand.DEFAULT_RESPONSE, b"\x00\x86"), (GeneralCommand.WRITE_ATTRIBUTES_RESPONSE, b"\x00")],
)
def test_anything_but_a_read_response_tells_a_reader_nothing(command: int, payload: bytes) -> None:
    _, _, client, endpoint = rig()
    got: list[Values | None] = []
    tsn = client.read_attributes(METER, 0x0702, [SUMMATION], got.append)
    endpoint.receive(answer(frame.build(0x18, tsn, command, payload)))
    assert got == [None]


def test_with_every_number_in_use_the_oldest_request_is_given_up_and_all_are_told_once() -> None:
    kernel, sent, client, _ = rig()
    told: list[tuple[int, ZclFrame | None]] = []

    def teller(number: int) -> Done:
        return lambda frame: told.append((number, frame))

    for number in range(258):
        client.command(METER, 0x0702, 0x00, done=teller(number))
    assert told == [(0, None), (1, None)]
    assert len(sent) == 258
    kernel.run_for(10_000_000)
    assert told == [(number, None) for number in range(258)]


class ClientMachine(RuleBasedStateMachine):
    """Each request is completed exactly once: by its own answer or by time, never by another's."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel, _, self.client, self.endpoint = rig()
        self.open: dict[int, int] = {}
        self.told: dict[int, list[ZclFrame | None]] = {}
        self.asked = 0

    @precondition(lambda self: len(self.open) < 200)
    @rule()
    def ask(self) -> None:
        number, self.asked = self.asked, self.asked + 1
        self.told[number] = []
        tsn = self.client.command(METER, 0x0702, 0x00, done=self.told[number].append)
        assert tsn not in self.open
        self.open[tsn] = number

    @rule(data=st.data(), source=st.sampled_from([0x1234, 0x4321]), cluster=st.sampled_from([0x0702, 0x0700]))
    def answer(self, data: st.DataObject, source: int, cluster: int) -> None:
        tsn = data.draw(st.sampled_from(sorted(self.open)) if self.open else st.integers(0, 255))
        reply = frame.build(0x18, tsn, GeneralCommand.DEFAULT_RESPONSE, b"\x00\x00")
        self.endpoint.receive(answer(reply, source=source, cluster=cluster))
        if tsn in self.open and (source, cluster) == (0x1234, 0x0702):
            (told,) = self.told[self.open.pop(tsn)]
            assert told is not None
            assert told.tsn == tsn

    @rule()
    def time_out(self) -> None:
        self.kernel.run_for(10_000_000)
        for number in self.open.values():
            assert self.told[number] == [None]
        self.open.clear()

    @invariant()
    def nobody_is_told_twice_and_open_ones_not_at_all(self) -> None:
        assert all(len(told) <= 1 for told in self.told.values())
        assert all(self.told[number] == [] for number in self.open.values())


TestClient = ClientMachine.TestCase
TestClient.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
