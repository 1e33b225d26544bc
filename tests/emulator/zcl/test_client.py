"""Outgoing requests: transaction numbers, matching, time-outs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.clock.kernel import Kernel
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Security
from emulator.zcl import frame
from emulator.zcl.client import Peer, Values, Wanted, ZclClient
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
