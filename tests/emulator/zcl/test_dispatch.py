"""How an endpoint answers (ZCL 2.5.12): frames by kind, direction, addressing and outcome, as one table."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.errors import FrameError
from emulator.stack.primitives import ApsdeIndication, Security
from emulator.zcl import frame
from emulator.zcl.attributes import Attribute, AttributeTable
from emulator.zcl.endpoint import DEFERRED, Reply, ZclEndpoint
from emulator.zcl.frame import GeneralCommand, ZclFrame, ZclStatus

CLUSTER, MAKER = 0x0702, 0x1057
CLUSTER_COMMAND, FROM_SERVER, QUIET = (
    frame.CLUSTER_COMMAND,
    frame.SERVER_TO_CLIENT,
    frame.DISABLE_DEFAULT_RESPONSE,
)
UNICAST, BROADCAST = 0x0000, 0xFFFD


def endpoint() -> ZclEndpoint:
    made = ZclEndpoint(1)
    table = AttributeTable()
    table.add(Attribute(0, 0x20, "level", writable=True), 5)
    side = made.add_server(
        CLUSTER,
        table,
        {
            0x00: lambda i, f: None,
            0x01: lambda i, f: ZclStatus.NOT_FOUND,
            0x02: lambda i, f: Reply(0x42, b"reply"),
            0x03: lambda i, f: DEFERRED,
            0x04: _malformed,
        },
        generated=(0x42,),
    )
    side.manufacturer_handlers[MAKER, 0x09] = lambda i, f: Reply(0x0A)
    made.add_client(CLUSTER, handlers={0x42: lambda i, f: None})
    return made


def _malformed(indication: ApsdeIndication, asked: ZclFrame) -> int:
    raise FrameError("not what it should be")


def receive(
    control: int,
    command: int,
    payload: bytes = b"",
    *,
    maker: int | None = None,
    destination: int = UNICAST,
    cluster: int = CLUSTER,
    to: ZclEndpoint | None = None,
) -> list[ZclFrame]:
    asdu = frame.build(control, 0x21, command, payload, maker)
    indication = ApsdeIndication(0x1234, 1, destination, 1, 0x0109, cluster, 2, asdu, Security.NWK, 255, 0)
    return [frame.parse(answer) for answer in (to or endpoint()).receive(indication)]


class Asked(NamedTuple):
    """A command, and the status it comes to."""

    control: int
    command: int
    payload: bytes
    maker: int | None
    status: int


DEFAULT = {
    "a command done": Asked(CLUSTER_COMMAND, 0x00, b"", None, ZclStatus.SUCCESS),
    "a command refused": Asked(CLUSTER_COMMAND, 0x01, b"", None, ZclStatus.NOT_FOUND),
    "a command malformed": Asked(CLUSTER_COMMAND, 0x04, b"", None, ZclStatus.MALFORMED_COMMAND),
    "a command nobody knows": Asked(CLUSTER_COMMAND, 0x77, b"", None, ZclStatus.UNSUP_CLUSTER_COMMAND),
    "a maker's command nobody knows": Asked(
        CLUSTER_COMMAND,
        0x77,
        b"",
        MAKER,
        ZclStatus.UNSUP_MANUF_CLUSTER_COMMAND,
    ),
    "another maker's command": Asked(
        CLUSTER_COMMAND, 0x09, b"", 0x1234, ZclStatus.UNSUP_MANUF_CLUSTER_COMMAND
    ),
    "a command of the cluster in a maker's name": Asked(
        CLUSTER_COMMAND,
        0x00,
        b"",
        MAKER,
        ZclStatus.UNSUP_MANUF_CLUSTER_COMMAND,
    ),
    "the client's command done": Asked(CLUSTER_COMMAND | FROM_SERVER, 0x42, b"", None, ZclStatus.SUCCESS),
    "the server's command sent to the client": Asked(
        CLUSTER_COMMAND | FROM_SERVER,
        0x02,
        b"",
        None,
        ZclStatus.UNSUP_CLUSTER_COMMAND,
    ),
    "a general command nobody knows": Asked(0, 0x77, b"", None, ZclStatus.UNSUP_GENERAL_COMMAND),
    "a maker's general command nobody knows": Asked(
        0, 0x77, b"", MAKER, ZclStatus.UNSUP_MANUF_GENERAL_COMMAND
    ),
    "a report nobody listens to": Asked(0, 0x0A, b"\x00\x00\x20\x05", None, ZclStatus.UNSUP_GENERAL_COMMAND),
    "a malformed question": Asked(0, 0x00, b"\x00", None, ZclStatus.MALFORMED_COMMAND),
}


@pytest.mark.parametrize("asked", DEFAULT.values(), ids=DEFAULT)
@pytest.mark.parametrize(("quiet", "destination"), list(product((0, QUIET), (UNICAST, BROADCAST))))
def test_a_default_response_tells_the_outcome_unless_it_is_success_and_unwanted_or_the_frame_was_broadcast(
    asked: Asked, quiet: int, destination: int
) -> None:
    control, command, payload, maker, status = asked
    answers = receive(control | quiet, command, payload, maker=maker, destination=destination)
    if destination == BROADCAST or (quiet and status == ZclStatus.SUCCESS):
        assert answers == []
        return
    (answer,) = answers
    assert answer.command == GeneralCommand.DEFAULT_RESPONSE
    assert answer.payload == bytes((command, status))
    assert (answer.tsn, answer.manufacturer) == (0x21, maker)
    assert answer.is_from_server is not bool(control & FROM_SERVER)
    assert not answer.is_cluster_command
    assert not answer.wants_default_response


@pytest.mark.parametrize(
    ("control", "command", "maker", "answered"),
    [
        (CLUSTER_COMMAND, 0x02, None, (0x42, b"reply")),
        (CLUSTER_COMMAND, 0x09, MAKER, (0x0A, b"")),
    ],
)
@pytest.mark.parametrize("quiet", [0, QUIET])
def test_a_command_with_an_answer_of_its_own_gets_that_and_no_default_response(
    control: int, command: int, maker: int | None, answered: tuple[int, bytes], quiet: int
) -> None:
    (answer,) = receive(control | quiet, command, maker=maker)
    assert (answer.command, answer.payload) == answered
    assert (answer.is_cluster_command, answer.is_from_server, answer.manufacturer) == (True, True, maker)


def test_a_deferred_command_is_answered_by_nobody_yet() -> None:
    assert receive(CLUSTER_COMMAND, 0x03) == []


@pytest.mark.parametrize("command", [0x00, 0x02, 0x06, 0x08, 0x0C, 0x11, 0x13, 0x15])
@pytest.mark.parametrize("control", [0, FROM_SERVER])
def test_a_general_command_to_a_cluster_that_is_not_there_is_unsupported(command: int, control: int) -> None:
    (answer,) = receive(control, command, bytes(3), cluster=0x0BAD)
    assert answer.payload == bytes((command, ZclStatus.UNSUP_GENERAL_COMMAND))


@pytest.mark.parametrize(
    ("command", "payload", "answer", "answer_payload"),
    [
        (0x00, "0000", 0x01, "0000 00 20 05"),
        (0x02, "0000 20 07", 0x04, "00"),
        (0x03, "0000 20 07", 0x04, "00"),
        (0x06, "00 0000 20 0000 0000 01", 0x07, "8c 00 0000"),
        (0x08, "00 0000", 0x09, "8c 00 0000"),
        (0x0C, "0000 ff", 0x0D, "01 0000 20"),
        (0x11, "00 ff", 0x12, "01 00 01 02 03 04"),
        (0x13, "00 ff", 0x14, "01 42"),
        (0x15, "0000 ff", 0x16, "01 0000 20 03"),
    ],
)
def test_each_general_command_has_its_response(
    command: int, payload: str, answer: int, answer_payload: str
) -> None:
    (got,) = receive(0, command, bytes.fromhex(payload))
    assert (got.command, got.payload.hex()) == (answer, bytes.fromhex(answer_payload).hex())
    assert receive(0, command, bytes.fromhex(payload), destination=BROADCAST) == []


def test_discovery_in_a_makers_name_lists_the_makers_commands_alone() -> None:
    # ZCL 2.5.18: the manufacturer code says whose commands are asked for.
    assert receive(0, 0x11, b"\x00\xff", maker=MAKER)[0].payload == bytes.fromhex("01 09")
    assert receive(0, 0x11, b"\x00\xff", maker=0x1234)[0].payload == b"\x01"
    assert receive(0, 0x13, b"\x00\xff", maker=MAKER)[0].payload == b"\x01"


def test_a_write_without_response_is_carried_out_in_silence_even_when_broadcast() -> None:
    one = endpoint()
    side = one.side(CLUSTER)
    assert side is not None
    for value, destination in ((7, UNICAST), (8, BROADCAST)):
        assert receive(0, 0x05, bytes((0, 0, 0x20, value)), destination=destination, to=one) == []
        assert side.attributes["level"] == value


@pytest.mark.parametrize("command", [0x01, 0x04, 0x07, 0x09, 0x0B, 0x0D, 0x12, 0x14, 0x16])
def test_a_response_is_handed_to_whoever_asked_and_never_answered(command: int) -> None:
    taken: list[int] = []
    one = ZclEndpoint(1, on_response=lambda i, f: bool(taken.append(f.command)))  # type: ignore[func-returns-value]
    assert receive(FROM_SERVER, command, b"\x00\x00", to=one) == []
    assert taken == [command]
    assert receive(FROM_SERVER, command, b"\x00\x00", to=ZclEndpoint(1)) == []


@pytest.mark.parametrize(
    ("claims", "status"), [(True, ZclStatus.SUCCESS), (False, ZclStatus.UNSUP_CLUSTER_COMMAND)]
)
def test_a_cluster_command_nobody_handles_may_be_the_answer_somebody_waits_for(
    claims: bool, status: int
) -> None:
    one = ZclEndpoint(1, on_response=lambda i, f: claims)
    (answer,) = receive(CLUSTER_COMMAND | FROM_SERVER, 0x77, to=one)
    assert answer.payload == bytes((0x77, status))


@pytest.mark.parametrize("destination", [UNICAST, BROADCAST])
def test_a_guard_s_refusal_comes_before_any_effect(destination: int) -> None:
    handled: list[int] = []
    one = ZclEndpoint(1, guard=lambda i, f: ZclStatus.FAILURE)
    one.add_server(CLUSTER, handlers={0: lambda i, f: handled.append(1)})
    answers = receive(CLUSTER_COMMAND | QUIET, 0, destination=destination, to=one)
    assert handled == []
    expected = [] if destination == BROADCAST else [bytes((0, ZclStatus.FAILURE))]
    assert [answer.payload for answer in answers] == expected


def test_sides_are_listed_in_one_order_and_clusters_by_direction() -> None:
    one = endpoint()
    one.add_server(0x0000)
    one.add_client(0x000A)
    assert one.input_clusters == (0x0000, CLUSTER)
    assert one.output_clusters == (0x000A, CLUSTER)
    assert [(side.cluster, side.is_server) for side in one.sides()] == [
        (0x0000, True),
        (0x000A, False),
        (CLUSTER, False),
        (CLUSTER, True),
    ]
    assert one.side(0x0000, server=False) is None


@given(st.binary(max_size=40), st.sampled_from([UNICAST, BROADCAST]))
def test_no_octets_get_more_than_one_answer_and_none_when_broadcast_unless_a_command_replies(
    asdu: bytes, destination: int
) -> None:
    indication = ApsdeIndication(0x1234, 1, destination, 1, 0x0109, CLUSTER, 2, asdu, Security.NWK, 255, 0)
    answers = endpoint().receive(indication)
    assert len(answers) <= (1 if destination == UNICAST or (asdu[:1] and asdu[0] & 1) else 0)
    for answer in answers:
        assert frame.parse(answer).tsn == frame.parse(asdu).tsn
