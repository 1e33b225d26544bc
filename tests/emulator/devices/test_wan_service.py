"""The hub's end of the wide-area link: who may ask for what, what is answered when it fails, and nothing done twice.

The hub behind the service is whatever the test says; the link carries every datagram at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from emulator.clock.kernel import Kernel
from emulator.clock.loop import run
from emulator.devices.comms_hub.wan_service import HubFacade, WanService
from emulator.devices.control import (
    ControlEnvelope,
    ControlReceiver,
    ControlResponse,
    ControlRole,
    ControlStatus,
    command_payload,
    decode_response,
    encode_envelope,
    probe_payload,
    provision,
    rehearsal_identity,
    response_holds,
)
from emulator.devices.event_log import LogEntry
from emulator.errors import CryptoError, EmulatorError, FrameError, NonVolatileError, RecordError
from emulator.nonvolatile import MemoryNonVolatile
from emulator.wan import operations as wan
from emulator.wan.alerts import DeviceLeft, decode_alert
from emulator.wan.link import WanLink
from emulator.wan.messages import WanError, WanMessage, encode
from emulator.wan.results import Done, KeySequence, LinksHeard, LoggedEvent, LoggedEvents

HUB, METER = 0x00DB1234567890A0, "00-DB-12-34-56-78-90-A1"
CRITICAL, NON_CRITICAL = ControlRole.CRITICAL, ControlRole.NON_CRITICAL


class Line:
    """A link without a way between its ends."""

    def __init__(self) -> None:
        self.on_hub: Callable[[bytes], None] | None = None
        self.answers: list[bytes] = []

    def to_head_end(self, datagram: bytes) -> None:
        self.answers.append(datagram)


class Desk:
    """The service over that line, and a head end with the hub's keys."""

    def __init__(self, **hub: Any) -> None:
        self.kernel = Kernel(7)
        self.identity = rehearsal_identity(self.kernel.secret, HUB)
        self.memory = MemoryNonVolatile()
        provision(self.memory, self.identity)
        self.line = Line()
        facade = HubFacade(
            **{
                "han": SimpleNamespace(topology=self._topology),
                "firmware": SimpleNamespace(status=lambda eui64: self._nothing()),
                "mirrors": SimpleNamespace(endpoint_of=lambda eui64: None),
                "status": self._nothing,
                "permit": lambda *asked: None,
                "update_network_key": lambda: 3,
                "read_log": lambda since: [LogEntry(since, 1000, 7, "joined", "x")],
                **hub,
            }
        )
        self.service = WanService(cast(WanLink, self.line), ControlReceiver(HUB, self.memory), facade)
        self._counters = dict.fromkeys(ControlRole, 0)

    async def _topology(self) -> LinksHeard:
        return LinksHeard((), ())

    def _nothing(self) -> Any:
        raise AssertionError("not asked for here")

    def seal(self, payload: bytes, role: ControlRole = NON_CRITICAL) -> bytes:
        self._counters[role] += 1
        envelope = ControlEnvelope(role, 0, self._counters[role], payload)
        return encode_envelope(envelope, self.identity.key(role), HUB)

    def order(self, asked: wan.Operation[Any] | bytes, role: ControlRole = NON_CRITICAL) -> bytes:
        octets = asked if isinstance(asked, bytes) else wan.encode_operation(asked)
        return self.seal(command_payload(octets), role)

    def send(self, *datagrams: bytes) -> list[ControlResponse]:
        """Let datagrams arrive, one after the other, and return what the hub has answered once it rests."""

        async def lived() -> None:
            for datagram in datagrams:
                assert self.line.on_hub is not None
                self.line.on_hub(datagram)
            await asyncio.sleep(1)

        run(lived(), self.kernel)
        return [decode_response(octets) for octets in self.line.answers]

    def ask(self, asked: wan.Operation[Any], role: ControlRole = NON_CRITICAL) -> Any:
        (response,) = self.send(self.order(asked, role))
        assert response.status is ControlStatus.OK
        return wan.decode_result(asked, response.payload)

    def refused(self, asked: wan.Operation[Any] | bytes, role: ControlRole = NON_CRITICAL) -> tuple[str, str]:
        (response,) = self.send(self.order(asked, role))
        with pytest.raises(WanError) as refusal:
            wan.decode_result(wan.Topology(), response.payload)
        return refusal.value.code, refusal.value.text


def failing(error: Exception) -> Desk:
    async def topology() -> LinksHeard:
        raise error

    return Desk(han=SimpleNamespace(topology=topology))


# Who may ask for what


def test_an_operation_is_answered_under_the_key_it_was_asked_with() -> None:
    desk = Desk()
    assert desk.ask(wan.Topology()) == LinksHeard((), ())
    (octets,) = desk.line.answers
    assert response_holds(octets, desk.identity.non_critical, HUB)


@pytest.mark.parametrize(
    "asked", [wan.NetworkKey(), wan.Release(METER, 0), wan.Withdraw(METER)], ids=lambda asked: asked.NAME
)
def test_what_is_critical_needs_the_critical_key(asked: wan.Operation[Any]) -> None:
    assert Desk().refused(asked) == ("not-critical", f"operation {asked.NAME!r} needs the critical key")


def test_the_critical_key_opens_everything() -> None:
    assert Desk().ask(wan.NetworkKey(), CRITICAL) == KeySequence(3)
    assert Desk().ask(wan.Topology(), CRITICAL) == LinksHeard((), ())


def test_a_probe_is_answered_by_the_keys_alone() -> None:
    (response,) = Desk().send(Desk().seal(probe_payload()))
    assert (response.status, response.payload) == (ControlStatus.OK, b"")


@pytest.mark.parametrize(
    "spoil", [lambda octets: octets[:-1] + bytes((octets[-1] ^ 1,)), lambda octets: b"junk"]
)
def test_who_has_not_the_keys_is_not_served(spoil: Callable[[bytes], bytes]) -> None:
    asked = 0

    def permit(*_: object) -> None:
        nonlocal asked
        asked += 1

    desk = Desk(permit=permit)
    order = desk.order(wan.Permit(METER, bytes(18), 60))
    (response,) = desk.send(spoil(order))
    assert response.status in (ControlStatus.BAD_TAG, ControlStatus.MALFORMED)
    assert asked == 0


# What fails


MALFORMED: list[tuple[str, bytes, str, str]] = [
    ("no message", b"junk", "bad-request", "WAN message"),
    ("no operation", encode(WanMessage({})), "unknown-operation", ""),
    ("an operation that there is not", encode(WanMessage({"op": "explode"})), "unknown-operation", "explode"),
    ("a field missing", encode(WanMessage({"op": "job"})), "bad-request", "job: device: missing"),
    ("a field of another type", encode(WanMessage({"op": "job", "device": 5})), "bad-request", "device = 5"),
    ("no address", encode(WanMessage({"op": "job", "device": "x"})), "failed", "EUI-64 'x': expected eight"),
]


@pytest.mark.parametrize(
    ("octets", "code", "words"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED]
)
def test_what_is_no_operation_is_answered_with_what_is_wrong(octets: bytes, code: str, words: str) -> None:
    told = Desk().refused(octets)
    assert told[0] == code
    assert words in told[1]


FAILURES: list[tuple[Exception, str, str]] = [
    (WanError("unreachable", "asleep"), "unreachable", "asleep"),
    (FrameError("event log page: 3 octets"), "malformed-answer", "event log page: 3 octets"),
    (RecordError("a: b"), "bad-request", "RecordError: a: b"),
    (ValueError("no such value"), "bad-request", "ValueError: no such value"),
    (CryptoError("install code: damaged"), "failed", "install code: damaged"),
    (EmulatorError("no buffer"), "failed", "no buffer"),
]


@pytest.mark.parametrize(("error", "code", "text"), FAILURES, ids=[type(row[0]).__name__ for row in FAILURES])
def test_what_goes_wrong_inside_is_told_by_its_kind(error: Exception, code: str, text: str) -> None:
    assert failing(error).refused(wan.Topology()) == (code, text)


def test_a_fault_of_the_program_is_told_to_the_head_end_and_not_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = failing(ZeroDivisionError("oops"))

    async def lived() -> list[dict[str, Any]]:
        seen: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context))
        assert desk.line.on_hub is not None
        desk.line.on_hub(desk.order(wan.Topology()))
        await asyncio.sleep(1)
        return seen

    (context,) = run(lived(), desk.kernel)
    assert isinstance(context["exception"], ZeroDivisionError)
    (octets,) = desk.line.answers
    with pytest.raises(WanError) as told:
        wan.decode_result(wan.Topology(), decode_response(octets).payload)
    assert (told.value.code, told.value.text) == ("internal", "ZeroDivisionError('oops')")


def test_a_full_disk_is_no_answer_but_the_end_of_the_home() -> None:
    desk = failing(NonVolatileError("disk full"))

    async def lived() -> list[dict[str, Any]]:
        seen: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context))
        assert desk.line.on_hub is not None
        desk.line.on_hub(desk.order(wan.Topology()))
        await asyncio.sleep(1)
        return seen

    (context,) = run(lived(), desk.kernel)
    assert isinstance(context["exception"], NonVolatileError)
    assert desk.line.answers == []


# Once


class Counting:
    """A home whose topology takes its time, and counts how often it was asked for."""

    def __init__(self, seconds: float) -> None:
        self.asked = 0
        self._seconds = seconds

    async def topology(self) -> LinksHeard:
        self.asked += 1
        await asyncio.sleep(self._seconds)
        return LinksHeard((), (f"asked {self.asked}",))


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_a_repeated_envelope_is_carried_out_once_and_answered_alike(seconds: float) -> None:
    home = Counting(seconds)
    desk = Desk(han=home)
    order = desk.order(wan.Topology())
    answers = desk.send(order, order, order)
    again = desk.send(order)
    assert home.asked == 1
    assert set(answers) | set(again) == {answers[0]}


def test_operations_asked_at_once_are_all_answered() -> None:
    home = Counting(0.5)
    desk = Desk(han=home)
    answers = desk.send(*(desk.order(wan.Topology()) for _ in range(4)))
    assert home.asked == len(answers) == 4


def test_an_envelope_that_was_overtaken_is_refused() -> None:
    desk = Desk()
    first, second = desk.order(wan.Topology()), desk.order(wan.Topology())
    answers = desk.send(second, first)
    assert [answer.status for answer in answers] in (
        [ControlStatus.REPLAY, ControlStatus.OK],
        [ControlStatus.OK, ControlStatus.REPLAY],
    )


def test_stopping_drops_what_is_under_way_and_listens_no_more() -> None:
    home = Counting(100.0)
    desk = Desk(han=home)

    async def lived() -> None:
        assert desk.line.on_hub is not None
        desk.line.on_hub(desk.order(wan.Topology()))
        await asyncio.sleep(1)
        await desk.service.stop()
        await asyncio.sleep(200)

    run(lived(), desk.kernel)
    assert home.asked == 1
    assert desk.line.answers == []
    assert desk.line.on_hub is None


# Some operations, and what nobody asked for


def test_a_device_without_a_mirror_has_none() -> None:
    assert Desk().refused(wan.Mirror(METER)) == ("no-mirror", f"{METER} has no mirror on this hub")


def test_a_device_is_let_in_with_its_code_for_as_long_as_is_said() -> None:
    let_in: list[tuple[int, bytes, int]] = []
    desk = Desk(permit=lambda *asked: let_in.append(asked))
    assert desk.ask(wan.Permit(METER, bytes(range(18)), 60)) == Done()
    assert let_in == [(0x00DB1234567890A1, bytes(range(18)), 60)]


def test_the_hubs_log_is_told_from_where_it_is_wanted() -> None:
    assert Desk().ask(wan.ReadLog(5)) == LoggedEvents((LoggedEvent(5, 1000, 7, "joined", "x"),))


def test_an_alert_is_told_under_the_non_critical_key() -> None:
    desk = Desk()
    alert = DeviceLeft(METER)
    desk.service.alert(alert)
    (octets,) = desk.line.answers
    assert response_holds(octets, desk.identity.non_critical, HUB)
    assert decode_alert(decode_response(octets).payload) == alert
