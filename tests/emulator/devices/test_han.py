"""What the hub asks of the home for its head end, of devices that answer well, badly, in part, or never.

The device of these tests is a function from a question to an answer; no radio stands between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

from emulator.coordinator.port import CoordinatorPort
from emulator.devices.comms_hub.han import Han
from emulator.devices.comms_hub.transactions import DeviceUnreachableError, Question, Transactions
from emulator.devices.control import CONTROL_EXECUTE, READ_LOG
from emulator.devices.event_log import CAPACITY, NO_ENTRY, EventLog, LogPage
from emulator.errors import FrameError
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.zdo.descriptors import NodeDescriptor, SimpleDescriptor
from emulator.stack.zdo.frames import NeighbourEntry
from emulator.wan.messages import WanError
from emulator.wan.results import CommandStatus, LinkHeard
from emulator.zcl.frame import GeneralCommand, ZclFrame, ZclStatus, build, parse
from emulator.zcl.identifiers import BASIC, DEVICE_CONTROL, METERING, OTA_UPGRADE
from hw_profiles.model import Event

HUB, METER, PLUG = 0x00DB1234567890A0, 0x00DB1234567890A1, 0x00DB1234567890A2
NAME = "00-DB-12-34-56-78-90-A1"
SHORT = 0x1234
AWAKE, ASLEEP = 0x8E, 0x80
T = TypeVar("T")
Answer = Callable[[Question, ZclFrame], bytes | None]


class Home:
    """A hub's devices: `answer` gives the answer to a question, None for silence."""

    def __init__(self, answer: Answer = lambda question, frame: None, *, capability: int = AWAKE) -> None:
        self.answer = answer
        self.asked: list[tuple[Question, float]] = []
        self.shorts = {METER: SHORT}
        self.node: NodeDescriptor | None = NodeDescriptor(2, capability, 0x1002)
        self.endpoints: tuple[int, ...] | None = (1,)
        self.simple: dict[int, SimpleDescriptor | None] = {
            1: SimpleDescriptor(1, 0x0109, 0x0501, 0, (METERING,))
        }
        self.heard: dict[int, tuple[NeighbourEntry, ...] | None] = {}
        self.silences = 0
        """How many ZDO questions are left unanswered first."""
        self._tsn = 0
        port = SimpleNamespace(
            eui64=HUB,
            short_of=self.shorts.get,
            eui64_of={SHORT: METER, 0x2222: PLUG}.get,
            node_descriptor=lambda short: self._told(self.node),
            active_endpoints=lambda short: self._told(self.endpoints),
            simple_descriptor=lambda short, number: self._told(self.simple[number]),
            neighbours=lambda short: self._told(self.heard.get(short)),
        )
        asking = SimpleNamespace(next_tsn=self._next, ask=self._ask)
        self.han = Han(cast(CoordinatorPort, port), cast(Transactions, asking))

    async def _told(self, what: T) -> T | None:
        if self.silences:
            self.silences -= 1
            return None
        return what

    def _next(self) -> int:
        self._tsn = (self._tsn + 1) & 0xFF
        return self._tsn

    async def _ask(self, question: Question, timeout_s: float) -> ZclFrame:
        self.asked.append((question, timeout_s))
        assert len(self.asked) < 1000, "the hub asks without end"
        octets = self.answer(question, parse(question.asdu))
        if octets is None:
            raise DeviceUnreachableError(f"{NAME} did not answer")
        return parse(octets)


def run(course: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(course)


def refusal(course: Coroutine[Any, Any, Any]) -> tuple[str, str]:
    with pytest.raises(WanError) as refused:
        run(course)
    return refused.value.code, refused.value.text


def general(frame: ZclFrame, command: int, payload: bytes) -> bytes:
    return build(0x18, frame.tsn, command, payload)


def default(frame: ZclFrame, status: int) -> bytes:
    return general(frame, GeneralCommand.DEFAULT_RESPONSE, bytes((frame.command, status)))


def value(attribute: int, number: int) -> bytes:
    return attribute.to_bytes(2, "little") + b"\x00\x21" + number.to_bytes(2, "little")


def attributes_of(frame: ZclFrame) -> list[int]:
    return [int.from_bytes(frame.payload[at : at + 2], "little") for at in range(0, len(frame.payload), 2)]


# Reading


def test_attributes_are_read_with_their_type_and_a_status_by_its_name() -> None:
    def answer(question: Question, frame: ZclFrame) -> bytes:
        return general(frame, GeneralCommand.READ_ATTRIBUTES_RESPONSE, value(0, 7) + b"\x01\x00\x86")

    read = run(Home(answer).han.read(METER, 1, METERING, (0, 1)))
    assert (read["0000"].type, read["0000"].value, read["0000"].status) == ("uint16", 7, 0)
    assert (read["0001"].status, read["0001"].name) == (0x86, "UNSUPPORTED_ATTRIBUTE")


@pytest.mark.parametrize("at_a_time", [1, 2, 3])
def test_a_device_that_answers_with_what_fits_is_asked_for_the_rest(at_a_time: int) -> None:
    def answer(question: Question, frame: ZclFrame) -> bytes:
        told = attributes_of(frame)[:at_a_time]
        return general(
            frame, GeneralCommand.READ_ATTRIBUTES_RESPONSE, b"".join(value(each, each) for each in told)
        )

    home = Home(answer)
    read = run(home.han.read(METER, 1, METERING, (1, 2, 3, 4, 5)))
    assert [each.value for each in read.values()] == [1, 2, 3, 4, 5]
    assert len(home.asked) == -(-5 // at_a_time)


@pytest.mark.parametrize("payload", [b"", value(99, 1)])
def test_a_device_that_never_tells_what_was_asked_is_not_asked_for_ever(payload: bytes) -> None:
    home = Home(lambda question, frame: general(frame, GeneralCommand.READ_ATTRIBUTES_RESPONSE, payload))
    run(home.han.read(METER, 1, METERING, (1, 2)))
    assert len(home.asked) == 1


def test_a_read_that_is_refused_as_a_whole_is_told_with_its_status() -> None:
    home = Home(lambda question, frame: default(frame, ZclStatus.NOT_AUTHORIZED))
    assert refusal(home.han.read(METER, 1, METERING, (0,))) == (
        "refused",
        f"{NAME} refused the read: NOT_AUTHORIZED",
    )


@pytest.mark.parametrize(("cluster", "secure"), [(METERING, True), (OTA_UPGRADE, True), (BASIC, False)])
def test_clusters_of_smart_energy_are_asked_under_the_link_key(cluster: int, secure: bool) -> None:
    home = Home(lambda question, frame: general(frame, GeneralCommand.READ_ATTRIBUTES_RESPONSE, value(0, 1)))
    run(home.han.read(METER, 1, cluster, (0,)))
    assert home.asked[0][0].secure is secure


@pytest.mark.parametrize(
    ("capability", "attempts", "timeout_s"), [(AWAKE, 3, 12.0), (ASLEEP, 28, 40.0)], ids=["awake", "asleep"]
)
def test_a_device_that_sleeps_is_asked_as_long_as_it_may_sleep(
    capability: int, attempts: int, timeout_s: float
) -> None:
    home = Home(capability=capability)
    assert refusal(home.han.read(METER, 1, METERING, (0,))) == ("unreachable", f"{NAME} did not answer")
    assert [each for _, each in home.asked] == [timeout_s] * attempts


@pytest.mark.parametrize(("capability", "attempts"), [(AWAKE, 1), (ASLEEP, 28)], ids=["awake", "asleep"])
def test_a_command_goes_once_to_a_device_that_is_awake(capability: int, attempts: int) -> None:
    home = Home(capability=capability)
    assert refusal(home.han.command(METER, 1, 0x0700, 1, payload=b"", answer=None))[0] == "unreachable"
    assert len(home.asked) == attempts


def test_a_device_that_is_not_there_is_not_asked() -> None:
    home = Home()
    home.shorts.clear()
    assert refusal(home.han.read(METER, 1, METERING, (0,))) == (
        "unreachable",
        f"{NAME} is not on the home area network",
    )
    assert home.asked == []


# Writing and commanding


@pytest.mark.parametrize("status", [ZclStatus.SUCCESS, ZclStatus.READ_ONLY, ZclStatus.INVALID_VALUE])
def test_a_write_comes_back_with_its_status_and_name(status: ZclStatus) -> None:
    def answer(question: Question, frame: ZclFrame) -> bytes:
        assert (frame.command, frame.payload) == (GeneralCommand.WRITE_ATTRIBUTES, b"\x05\x00\x21\x39\x05")
        payload = b"\0" if status is ZclStatus.SUCCESS else bytes((status,)) + b"\x05\x00"
        return general(frame, GeneralCommand.WRITE_ATTRIBUTES_RESPONSE, payload)

    told = run(Home(answer).han.write(METER, 1, METERING, 5, type_name="uint16", value=1337))
    assert told == CommandStatus(status, status.name)


def test_octets_are_written_as_they_are_written_down() -> None:
    written: list[bytes] = []

    def answer(question: Question, frame: ZclFrame) -> bytes:
        written.append(frame.payload)
        return general(frame, GeneralCommand.WRITE_ATTRIBUTES_RESPONSE, b"\0")

    run(Home(answer).han.write(METER, 1, METERING, 5, type_name="octets", value="c0ffee"))
    assert written == [bytes.fromhex("0500 41 03 c0ffee")]


def test_a_command_comes_back_with_the_answer_or_the_status_of_its_default_response() -> None:
    def answered(question: Question, frame: ZclFrame) -> bytes:
        return build(0x19, frame.tsn, 0x01, b"told")

    command = Home(answered).han.command(METER, 1, 0x0700, 1, payload=b"ask", answer=1)
    assert run(command) == CommandStatus(0, "SUCCESS", 1, b"told")
    refused = Home(lambda question, frame: default(frame, ZclStatus.UNSUP_CLUSTER_COMMAND))
    assert run(refused.han.command(METER, 1, 0x0700, 1, payload=b"ask", answer=1)) == CommandStatus(
        0x81, "UNSUP_CLUSTER_COMMAND"
    )


def test_control_is_relayed_under_the_link_key_and_a_refusal_told() -> None:
    home = Home(lambda question, frame: build(0x19, frame.tsn, CONTROL_EXECUTE, frame.payload[::-1]))
    assert run(home.han.control(METER, 1, b"envelope")) == b"epolevne"
    (question, _), *_ = home.asked
    assert (question.cluster, question.secure, question.answer) == (DEVICE_CONTROL, True, CONTROL_EXECUTE)
    refused = Home(lambda question, frame: default(frame, ZclStatus.UNSUP_CLUSTER_COMMAND))
    assert refusal(refused.han.control(METER, 1, b"")) == (
        "refused",
        f"{NAME} takes no control: UNSUP_CLUSTER_COMMAND",
    )


# Discovering


def test_what_a_device_is_is_told_with_its_descriptors_and_what_it_says_of_itself() -> None:
    table = {(BASIC, 0x0004): 1, (OTA_UPGRADE, 0x0002): 2}

    def answer(question: Question, frame: ZclFrame) -> bytes:
        told = b"".join(
            value(each, table[question.cluster, each])
            if (question.cluster, each) in table
            else each.to_bytes(2, "little") + b"\x86"
            for each in attributes_of(frame)
        )
        assert frame.is_from_server is (question.cluster == OTA_UPGRADE), (
            "an OTA client is read by its server"
        )
        return general(frame, GeneralCommand.READ_ATTRIBUTES_RESPONSE, told)

    home = Home(answer, capability=ASLEEP)
    home.simple[1] = SimpleDescriptor(1, 0x0109, 0x0502, 0, (BASIC, METERING), (OTA_UPGRADE,))
    found = run(home.han.discover(METER))
    assert (found.device, found.manufacturer, found.sleepy) == (NAME, 0x1002, True)
    assert [(each.endpoint, each.device) for each in found.endpoints] == [(1, 0x0502)]
    assert found.basic is not None
    assert found.ota is not None
    assert (found.basic["0004"].value, found.ota["0002"].value) == (1, 2)


def test_a_device_without_basic_and_ota_is_found_by_its_descriptors_alone() -> None:
    found = run(Home().han.discover(METER))
    assert (found.basic, found.ota) == (None, None)


@pytest.mark.parametrize("silences", [1, 39])
def test_a_sleeping_device_is_asked_again_until_it_has_woken(silences: int) -> None:
    home = Home()
    home.silences = silences
    assert run(home.han.discover(METER)).device == NAME


@pytest.mark.parametrize("missing", ["node", "endpoints", "simple"])
def test_a_device_that_never_says_what_it_is_is_given_up(missing: str) -> None:
    home = Home()
    match missing:
        case "node":
            home.node = None
        case "endpoints":
            home.endpoints = None
        case _:
            home.simple = {1: None}
    assert refusal(home.han.discover(METER)) == ("unreachable", f"{NAME} does not answer discovery")


# Who hears whom


def neighbour(short: int, eui64: int, kind: int = 1, relationship: int = 1) -> NeighbourEntry:
    return NeighbourEntry(0, eui64, short, kind, 1, relationship, 0, 1, 200)


def test_every_router_that_is_heard_of_is_asked_once_also_in_a_circle() -> None:
    home = Home()
    home.heard = {
        0: (neighbour(SHORT, METER),),
        SHORT: (neighbour(0, HUB, 0, 0), neighbour(0x2222, PLUG)),
        0x2222: (neighbour(SHORT, METER), neighbour(0x2222, PLUG)),
    }
    heard = run(home.han.topology())
    assert [(link.device[-2:], link.peer[-2:], link.relationship) for link in heard.links] == [
        ("A0", "A1", "child"),
        ("A1", "A0", "parent"),
        ("A1", "A2", "child"),
        ("A2", "A1", "child"),
        ("A2", "A2", "child"),
    ]
    assert heard.silent == ()


def test_a_router_that_does_not_answer_is_named_and_end_devices_are_not_asked() -> None:
    home = Home()
    home.heard = {0: (neighbour(SHORT, METER), neighbour(0x2222, PLUG, kind=2)), 0x2222: ()}
    heard = run(home.han.topology())
    assert heard.silent == (NAME,)
    assert [link.type for link in heard.links] == [1, 2]


@pytest.mark.parametrize(
    ("relationship", "told"), [(0, "parent"), (3, "none"), (4, "previous-child"), (5, "none"), (7, "none")]
)
def test_a_relationship_that_there_is_not_is_none(relationship: int, told: str) -> None:
    home = Home()
    home.heard = {0: (neighbour(SHORT, METER, 2, relationship),)}
    assert run(home.han.topology()).links == (LinkHeard("00-DB-12-34-56-78-90-A0", NAME, 200, told, 2),)


def test_a_neighbour_without_an_address_is_known_by_its_short_one_or_left_out() -> None:
    home = Home()
    home.heard = {0: (neighbour(SHORT, 0, 2), neighbour(0x9999, 0, 2))}
    assert [link.peer for link in run(home.han.topology()).links] == [NAME]


# The log of a device


def log_of(*details: str) -> EventLog:
    log = EventLog(MemoryNonVolatile(), {Event.JOINED: 7})
    for number, detail in enumerate(details):
        log.append(Event.JOINED, 1000 + number, detail)
    return log


def from_log(log: EventLog) -> Answer:
    def answer(question: Question, frame: ZclFrame) -> bytes:
        assert (question.cluster, frame.command, question.secure) == (DEVICE_CONTROL, READ_LOG, True)
        return build(0x19, frame.tsn, READ_LOG, log.answer(frame.payload).encode())

    return answer


@pytest.mark.parametrize("since", [0, 1, 3, 9])
def test_a_log_is_fetched_page_by_page_from_where_it_is_wanted(since: int) -> None:
    log = log_of("short", "x" * 300, "")
    assert run(Home(from_log(log)).han.device_log(METER, 1, since)) == log.entries(since)


def test_a_log_that_moves_on_while_it_is_read_loses_what_is_gone_and_nothing_else() -> None:
    log = log_of(*("x" * 300 for _ in range(CAPACITY)))
    read = from_log(log)
    asked = 0

    def answer(question: Question, frame: ZclFrame) -> bytes | None:
        nonlocal asked
        asked += 1
        if asked == 2:
            log.append(Event.LEFT, 2000)  # the entry that is being read makes room
        return read(question, frame)

    entries = run(Home(answer).han.device_log(METER, 1, 0))
    assert [entry.number for entry in entries] == list(range(1, CAPACITY + 1))


def test_a_device_without_a_log_says_so() -> None:
    home = Home(lambda question, frame: default(frame, ZclStatus.UNSUP_CLUSTER_COMMAND))
    assert refusal(home.han.device_log(METER, 1, 0)) == (
        "refused",
        f"{NAME} shows no event log: UNSUP_CLUSTER_COMMAND",
    )


def pages(*answers: LogPage) -> Answer:
    """Answer with these pages in turn, the last of them for ever."""
    rest = list(answers)

    def answer(question: Question, frame: ZclFrame) -> bytes:
        page = rest.pop(0) if len(rest) > 1 else rest[0]
        return build(0x19, frame.tsn, READ_LOG, page.encode())

    return answer


ENTRY = b'[5,1000,7,"joined","x"]'


@pytest.mark.parametrize(
    "answer",
    [
        pages(LogPage(4, len(ENTRY), 0, ENTRY)),
        pages(LogPage(5, len(ENTRY), 3, ENTRY[3:])),
        pages(LogPage(5, len(ENTRY), 0, ENTRY[:9]), LogPage(5, len(ENTRY), 0, ENTRY[:9])),
        pages(LogPage(5, 50, 0, ENTRY[:9]), LogPage(4, 50, 9, ENTRY[9:])),
        pages(LogPage(5, len(ENTRY), 0, ENTRY)),
        pages(LogPage(5, 99, 0, b"")),
        pages(LogPage(5, 3, 0, b"abc")),
    ],
    ids=[
        "older",
        "not from its beginning",
        "the same piece again",
        "back",
        "the same entry again",
        "empty",
        "no entry",
    ],
)
def test_a_device_whose_answers_are_no_log_is_not_asked_for_ever(answer: Answer) -> None:
    home = Home(answer)
    with pytest.raises(FrameError, match="event log"):
        run(home.han.device_log(METER, 1, 5))
    assert len(home.asked) <= 2


def test_a_device_whose_log_always_moves_on_is_given_up() -> None:
    number = 0

    def answer(question: Question, frame: ZclFrame) -> bytes:
        nonlocal number
        number += 1
        return build(0x19, frame.tsn, READ_LOG, LogPage(number, 99, 0, b"x").encode())

    assert run(Home(answer).han.device_log(METER, 1, 0)) == []


def test_an_empty_log_is_one_question() -> None:
    home = Home(pages(LogPage(NO_ENTRY, 0, 0, b"")))
    assert run(home.han.device_log(METER, 1, 0)) == []
    assert len(home.asked) == 1
