"""Outgoing requests: transaction numbers, matching, time-outs."""

from __future__ import annotations

from emulator.clock.kernel import Kernel
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Security
from emulator.zcl import frame
from emulator.zcl.attributes import AttributeRecord
from emulator.zcl.client import Peer, ZclClient, default_status
from emulator.zcl.endpoint import ZclEndpoint
from emulator.zcl.frame import GeneralCommand, ZclFrame, ZclStatus

METER = Peer(0x1234, 3)


def rig() -> tuple[Kernel, list[ApsdeRequest], ZclClient, ZclEndpoint]:
    kernel = Kernel()
    sent: list[ApsdeRequest] = []
    client = ZclClient(kernel.scope("display"), sent.append, endpoint=1)
    return kernel, sent, client, ZclEndpoint(1, on_response=client.receive)


def answer(asdu: bytes, *, source: int = 0x1234, cluster: int = 0x0702) -> ApsdeIndication:
    return ApsdeIndication(source, 1, 0, 1, 0x0109, cluster, 3, asdu, Security.APS, 255, 0)


def test_reading_a_meter() -> None:
    _, sent, client, endpoint = rig()
    got: list[list[AttributeRecord] | None] = []
    tsn = client.read_attributes(METER, 0x0702, [0x0000, 0x0999], got.append)
    assert sent[0].secure
    assert frame.parse(sent[0].asdu).payload == bytes.fromhex("0000 9909")
    payload = bytes.fromhex("0000 00 25 050000000000 9909 86")
    reply = frame.build(0x18, tsn, GeneralCommand.READ_ATTRIBUTES_RESPONSE, payload)
    assert endpoint.receive(answer(reply)) == []
    assert got == [[AttributeRecord(0, 0, 0x25, 5), AttributeRecord(0x0999, ZclStatus.UNSUPPORTED_ATTRIBUTE)]]


def test_answers_from_elsewhere_do_not_match() -> None:
    _, _, client, endpoint = rig()
    got: list[list[AttributeRecord] | None] = []
    tsn = client.read_attributes(METER, 0x0702, [0], got.append)
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
    assert default_status(None) == ZclStatus.TIMEOUT


def test_cluster_answers_and_default_responses_complete_a_command() -> None:
    _, _, client, endpoint = rig()
    got: list[ZclFrame | None] = []
    first = client.command(METER, 0x0702, 0, b"", got.append)
    endpoint.receive(answer(frame.build(0x19, first, 0, b"data")))
    second = client.command(METER, 0x0702, 0, b"", got.append)
    refused = frame.build(0x18, second, GeneralCommand.DEFAULT_RESPONSE, bytes((0, ZclStatus.FAILURE)))
    endpoint.receive(answer(refused))
    assert [default_status(reply) for reply in got] == [None, ZclStatus.FAILURE]


def test_malformed_answers_complete_with_nothing() -> None:
    _, _, client, endpoint = rig()
    got: list[list[AttributeRecord] | None] = []
    tsn = client.read_attributes(METER, 0x0702, [0], got.append)
    endpoint.receive(answer(frame.build(0x18, tsn, GeneralCommand.READ_ATTRIBUTES_RESPONSE, b"\0")))
    assert got == [None]


def test_transaction_numbers_in_use_are_skipped() -> None:
    _, _, client, _ = rig()
    held = client.command(METER, 0x0702, 0, b"", lambda _frame: None)
    assert held not in {client.next_tsn() for _ in range(300)}
