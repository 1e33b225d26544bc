"""The hub's questions to its devices: which frame is the answer, and when there is none any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import pytest

from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.clock.loop import run
from emulator.coordinator.port import CoordinatorPort
from emulator.devices.comms_hub.transactions import (
    ANSWER_GRACE_S,
    DeviceUnreachableError,
    Question,
    Transactions,
)
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Security, Status
from emulator.zcl.frame import GeneralCommand, ZclFrame, build, cluster_request, general_request

METER, SHORT = 0x00DB1234567890A1, 0x1234
NAME = "00-DB-12-34-56-78-90-A1"
METERING, PRICE = 0x0702, 0x0700
T = TypeVar("T")
Confirm = Callable[[Status], None]


class Port:
    """Remembers what was sent, and how to confirm it."""

    def __init__(self) -> None:
        self.sent: list[tuple[ApsdeRequest, Confirm]] = []
        self.shorts = {METER: SHORT}

    def send(self, request: ApsdeRequest, confirm: Confirm) -> None:
        self.sent.append((request, confirm))

    def short_of(self, eui64: int) -> int | None:
        return self.shorts.get(eui64)


class Desk:
    """The hub's transactions over that port, on a kernel of their own."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.port = Port()
        self.transactions = Transactions(cast(CoordinatorPort, self.port), 1)

    def run(self, story: Callable[[], Awaitable[T]]) -> T:
        async def lived() -> T:
            return await story()

        return run(lived(), self.kernel)

    def ask(self, answer: int | None = None, *, timeout_s: float = 10) -> asyncio.Task[ZclFrame]:
        number = self.transactions.next_tsn()
        if answer is None:
            asdu = general_request(number, GeneralCommand.READ_ATTRIBUTES, b"\0\0")
        else:
            asdu = cluster_request(number, 0x00)
        question = Question(METER, 1, METERING, asdu, True, answer)
        return asyncio.get_running_loop().create_task(self.transactions.ask(question, timeout_s))

    def hear(self, asdu: bytes, *, source: int = SHORT, cluster: int = METERING) -> bool:
        indication = ApsdeIndication(source, METER, 0, 1, 0x0109, cluster, 1, asdu, Security.APS, 255, 0)
        return self.transactions.offer(indication)

    @property
    def seconds(self) -> float:
        return self.kernel.now / MICROSECONDS


def answer_to(
    tsn: int, command: int = GeneralCommand.READ_ATTRIBUTES_RESPONSE, *, of_cluster: bool = False
) -> bytes:
    return build(0x18 | of_cluster, tsn, command, b"\0\0\0\x20\x01")


async def settle() -> None:
    """Let every task come to where it waits."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_a_question_goes_to_the_device_from_the_hubs_endpoint_under_its_security() -> None:
    desk = Desk()

    async def story() -> ZclFrame:
        asked = desk.ask()
        await settle()
        (request, _), *rest = desk.port.sent
        assert rest == []
        assert (request.destination, request.destination_endpoint) == (SHORT, 1)
        assert (request.cluster, request.profile, request.source_endpoint) == (METERING, 0x0109, 1)
        assert request.secure
        assert desk.hear(answer_to(1))
        return await asked

    assert desk.run(story).command == GeneralCommand.READ_ATTRIBUTES_RESPONSE


@pytest.mark.parametrize(
    ("wanted", "asdu", "is_it"),
    [
        (None, answer_to(1), True),
        (None, answer_to(1, GeneralCommand.WRITE_ATTRIBUTES_RESPONSE), True),
        (None, answer_to(1, GeneralCommand.DISCOVER_ATTRIBUTES_RESPONSE), True),
        (None, answer_to(1, GeneralCommand.DEFAULT_RESPONSE), True),
        (None, answer_to(1, GeneralCommand.REPORT_ATTRIBUTES), False),
        (None, answer_to(1, GeneralCommand.READ_ATTRIBUTES), False),
        (None, answer_to(2), False),
        (None, answer_to(1, 0x01, of_cluster=True), False),
        (None, b"", False),
        (None, b"\x18\x01", False),
        (0x01, answer_to(1, 0x01, of_cluster=True), True),
        (0x01, answer_to(1, 0x02, of_cluster=True), False),
        (0x01, answer_to(1, GeneralCommand.DEFAULT_RESPONSE), True),
        (0x01, answer_to(1, GeneralCommand.REPORT_ATTRIBUTES), False),
    ],
)
def test_which_frame_is_the_answer(wanted: int | None, asdu: bytes, is_it: bool) -> None:
    desk = Desk()

    async def story() -> None:
        asked = desk.ask(wanted)
        await settle()
        assert desk.hear(asdu) is is_it
        assert not desk.hear(asdu), "an answer is taken once, and what is none is nobody's"
        asked.cancel()

    desk.run(story)


@pytest.mark.parametrize("where", [{"source": 0x4321}, {"cluster": PRICE}])
def test_what_another_device_or_cluster_says_is_no_answer(where: dict[str, Any]) -> None:
    desk = Desk()

    async def story() -> None:
        asked = desk.ask()
        await settle()
        assert not desk.hear(answer_to(1), **where)
        assert desk.hear(answer_to(1))
        await asked

    desk.run(story)


def test_nothing_is_an_answer_while_nobody_asks() -> None:
    desk = Desk()
    assert not desk.hear(answer_to(1))
    assert not desk.hear(b"")


def test_a_device_that_does_not_answer_in_time_is_named_with_cluster_and_patience() -> None:
    desk = Desk()

    async def story() -> None:
        with pytest.raises(DeviceUnreachableError) as gone:
            await desk.ask(timeout_s=7.5)
        assert str(gone.value) == f"{NAME} did not answer on cluster 0x0702 within 7.5 s"
        assert desk.seconds == 7.5
        assert not desk.hear(answer_to(1)), "what comes after that is too late"

    desk.run(story)


def test_a_device_that_is_not_on_the_network_is_not_asked() -> None:
    desk = Desk()
    desk.port.shorts.clear()

    async def story() -> None:
        with pytest.raises(DeviceUnreachableError, match=f"^{NAME} is not on the home area network$"):
            await desk.ask()

    desk.run(story)
    assert desk.port.sent == []


@pytest.mark.parametrize("status", [Status.APS_SECURITY_FAIL, Status.APS_NO_SHORT_ADDRESS])
def test_what_can_never_work_is_given_up_at_once(status: Status) -> None:
    desk = Desk()

    async def story() -> None:
        asked = desk.ask()
        await settle()
        desk.port.sent[0][1](status)
        with pytest.raises(DeviceUnreachableError, match=f"^{NAME}: {status.name}$"):
            await asked
        assert desk.seconds == 0

    desk.run(story)


@pytest.mark.parametrize("answers_after_s", [ANSWER_GRACE_S / 2, None])
def test_an_answer_may_overtake_the_acknowledgement_that_was_lost(answers_after_s: float | None) -> None:
    desk = Desk()

    async def story() -> None:
        asked = desk.ask()
        await settle()
        desk.port.sent[0][1](Status.APS_NO_ACK)
        if answers_after_s is None:
            with pytest.raises(DeviceUnreachableError, match=f"^{NAME}: APS_NO_ACK$"):
                await asked
            assert desk.seconds == ANSWER_GRACE_S
            return
        await asyncio.sleep(answers_after_s)
        assert desk.hear(answer_to(1))
        await asked
        await asyncio.sleep(2 * ANSWER_GRACE_S)

    desk.run(story)


def test_a_confirmed_request_waits_for_its_answer() -> None:
    desk = Desk()

    async def story() -> None:
        asked = desk.ask(timeout_s=60)
        await settle()
        desk.port.sent[0][1](Status.SUCCESS)
        await asyncio.sleep(50)
        assert desk.hear(answer_to(1))
        await asked

    desk.run(story)


def test_questions_under_way_at_once_each_get_their_own_answer() -> None:
    desk = Desk()

    async def story() -> list[ZclFrame]:
        asked = [desk.ask() for _ in range(20)]
        await settle()
        for number in reversed(range(1, 21)):
            assert desk.hear(build(0x18, number, GeneralCommand.READ_ATTRIBUTES_RESPONSE, bytes((number,))))
        return [await each for each in asked]

    assert [frame.payload for frame in desk.run(story)] == [bytes((number,)) for number in range(1, 21)]


def test_transaction_numbers_run_through_all_256() -> None:
    transactions = Desk().transactions
    numbers = [transactions.next_tsn() for _ in range(257)]
    assert (numbers[0], len(set(numbers)), numbers[256]) == (1, 256, 1)
