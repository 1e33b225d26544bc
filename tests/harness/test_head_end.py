from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.clock.loop import run
from emulator.devices.control import (
    ControlEnvelope,
    ControlReceiver,
    ControlRole,
    encode_envelope,
    probe_payload,
    provision,
    rehearsal_identity,
    response_holds,
    rotate_payload,
)
from emulator.devices.sealing import scalar_from
from emulator.nonvolatile import MemoryNonVolatile
from emulator.wan import operations as wan
from emulator.wan.alerts import Alert, DeviceLeft, TransferProgress, encode_alert
from emulator.wan.link import WanLink, WanParameters
from emulator.wan.messages import decode
from emulator.wan.results import (
    ControlAnswer,
    DeviceFound,
    ImageHeld,
    JobStatus,
    KeySequence,
    LoggedEvent,
    LoggedEvents,
)
from harness.errors import UnreachableError
from harness.head_end import HeadEnd, HubRefusedError, HubUnreachableError, NotInControlError, Send

HUB = 0x00DB1234567890A0
Answer = Callable[[wan.Operation[Any]], bytes]
DEVICE = "00-DB-12-34-56-78-90-A1"


class Keys:
    """The initial keys of the hub, with counters."""

    def __init__(self, kernel: Kernel, hub: int = HUB) -> None:
        self.identity = rehearsal_identity(kernel.secret, hub)
        self.counters = dict.fromkeys(ControlRole, 0)

    def envelope(self, role: ControlRole, payload: bytes) -> bytes:
        self.counters[role] += 1
        envelope = ControlEnvelope(role, 0, self.counters[role], payload)
        return encode_envelope(envelope, self.identity.key(role), HUB)

    def holds(self, role: ControlRole, response: bytes) -> bool:
        return response_holds(response, self.identity.key(role), HUB)

    async def catch_up(self, role: ControlRole, send: Send) -> None:
        self.counters[role] += 100
        await send(HUB, self.envelope(role, probe_payload()))


class Hub:
    """The far end: answers operations after a delay, once each."""

    def __init__(self, kernel: Kernel, link: WanLink, answer: Answer, delay_us: int = 0) -> None:
        memory = MemoryNonVolatile()
        provision(memory, rehearsal_identity(kernel.secret, HUB))
        self.control = ControlReceiver(HUB, memory)
        self.operations: list[wan.Operation[Any]] = []
        self.drop_answers = 0
        self._scope = kernel.scope("hub")
        self._answer = answer
        self._delay_us = delay_us
        self._link = link
        self._running: set[bytes] = set()
        link.on_hub = self._received

    def alert(self, alert: Alert) -> None:
        self._link.to_head_end(self.control.sign_alert(encode_alert(alert)))

    def _received(self, datagram: bytes) -> None:
        if datagram in self._running:
            return
        opened = self.control.open(datagram)
        if isinstance(opened, bytes):
            self._send(opened)
            return
        self._running.add(datagram)
        asked = wan.decode_operation(decode(opened.command))
        self.operations.append(asked)
        result = self._answer(asked)

        def done() -> None:
            self._running.discard(datagram)
            self._send(self.control.answer(opened, result))

        self._scope.call_later(self._delay_us, done)

    def _send(self, datagram: bytes) -> None:
        if self.drop_answers:
            self.drop_answers -= 1
            return
        self._link.to_head_end(datagram)


def echo(asked: wan.Operation[Any]) -> bytes:
    """Answer a log with one entry, numbered as asked; image data with its length; the rest with a job."""
    match asked:
        case wan.ReadLog(since):
            return wan.encode_result(LoggedEvents((LoggedEvent(since, 0, 0, "", ""),)))
        case wan.ImageData():
            return wan.encode_result(ImageHeld(len(asked.data)))
        case wan.Discover(device):
            return wan.encode_result(DeviceFound(device, 1, 0x1002, 1, False, ()))
        case wan.NetworkKey():
            return wan.encode_result(KeySequence(1))
    return wan.encode_result(JobStatus(DEVICE, "none"))


class Bench:
    def __init__(self, answer: Answer = echo, *, loss: float = 0.0, delay_us: int = 0, seed: int = 1) -> None:
        self.kernel = Kernel(seed)
        self.link = WanLink(self.kernel, WanParameters(loss=loss, asleep_after_us=600 * MICROSECONDS))
        self.hub = Hub(self.kernel, self.link, answer, delay_us)
        self.keys = Keys(self.kernel)

    def run(self, main: Callable[[HeadEnd], Any]) -> Any:
        async def body() -> Any:
            return await main(HeadEnd(self.link, HUB, self.keys))

        return run(body(), self.kernel)


def test_an_operation_returns_what_the_hub_answers() -> None:
    bench = Bench()
    assert bench.run(lambda head: head.call(wan.ImageData("0" * 64, 0, b"abc"))) == ImageHeld(3)


def test_a_sleeping_hub_is_woken_with_as_many_messages_as_it_needs() -> None:
    bench = Bench()

    async def main(head: HeadEnd) -> None:
        await head.call(wan.Job(DEVICE))
        assert bench.link.wake_messages_sent == 2
        await head.call(wan.Job(DEVICE))
        assert bench.link.wake_messages_sent == 2
        await asyncio.sleep(700)
        await head.call(wan.Job(DEVICE))
        assert bench.link.wake_messages_sent == 4

    bench.run(main)


def test_a_lost_answer_does_not_repeat_the_operation() -> None:
    bench = Bench()
    bench.hub.drop_answers = 2
    bench.run(lambda head: head.call(wan.Release(DEVICE)))
    assert bench.hub.operations == [wan.Release(DEVICE)]


@pytest.mark.parametrize("seed", range(8))
def test_every_operation_of_a_lossy_link_is_carried_out_once_and_in_order(seed: int) -> None:
    bench = Bench(loss=0.2, seed=seed)

    async def main(head: HeadEnd) -> None:
        for number in range(12):
            await head.call(wan.ReadLog(number))

    bench.run(main)
    assert bench.hub.operations == [wan.ReadLog(number) for number in range(12)]


def test_calls_made_at_the_same_time_each_get_their_own_answer() -> None:
    bench = Bench(loss=0.2)

    async def main(head: HeadEnd) -> list[Any]:
        asked: list[wan.Operation[Any]] = [
            wan.ReadLog(number) if number % 3 else wan.NetworkKey() for number in range(9)
        ]
        return await asyncio.gather(*(head.call(each) for each in asked))

    answers = bench.run(main)
    assert [each.entries[0].number if number % 3 else each for number, each in enumerate(answers)] == [
        number if number % 3 else KeySequence(1) for number in range(9)
    ]


def test_an_operation_that_takes_long_is_waited_for() -> None:
    bench = Bench(delay_us=900 * MICROSECONDS)
    assert bench.run(lambda head: head.call(wan.Discover(DEVICE))).device == DEVICE
    assert bench.hub.operations == [wan.Discover(DEVICE)]


def test_a_refusal_carries_the_code_and_the_text_of_the_hub() -> None:
    bench = Bench(lambda _: wan.encode_failure("no-job", "nothing to activate"))
    with pytest.raises(HubRefusedError, match="nothing to activate") as caught:
        bench.run(lambda head: head.call(wan.Release(DEVICE)))
    assert caught.value.code == "no-job"


def test_a_hub_that_is_off_is_unreachable() -> None:
    bench = Bench()
    bench.link.up = False
    with pytest.raises(HubUnreachableError, match="00-DB-12-34-56-78-90-A0 did not answer"):
        bench.run(lambda head: head.call(wan.Job(DEVICE)))


def test_a_party_without_the_keys_is_told_so() -> None:
    bench = Bench()
    bench.keys.identity = rehearsal_identity(Kernel(99).secret, HUB)
    with pytest.raises(NotInControlError, match="another party controls it"):
        bench.run(lambda head: head.call(wan.Job(DEVICE)))


def test_after_a_rotation_the_old_keys_are_refused() -> None:
    bench = Bench()

    async def main(head: HeadEnd) -> None:
        role = ControlRole.NON_CRITICAL
        payload = rotate_payload(
            HUB,
            role,
            1,
            bytes(32),
            device_point=bench.keys.identity.public_point,
            ephemeral=scalar_from(bytes(range(48))),
        )
        response = await head.send_control(HUB, bench.keys.envelope(role, payload))
        assert response_holds(response, bytes(32), HUB)
        with pytest.raises(NotInControlError, match="WRONG_GENERATION"):
            await head.call(wan.Job(DEVICE))

    bench.run(main)


def test_a_counter_another_holder_has_passed_is_caught_up() -> None:
    bench = Bench()

    async def main(head: HeadEnd) -> Any:
        other = Keys(bench.kernel)
        for _ in range(20):
            await head.send_control(HUB, other.envelope(ControlRole.NON_CRITICAL, probe_payload()))
        return await head.call(wan.Job(DEVICE))

    assert bench.run(main).state == "none"


def test_alerts_reach_listeners_and_nobody_else() -> None:
    bench = Bench(delay_us=5 * MICROSECONDS)
    heard: list[Alert] = []

    async def main(head: HeadEnd) -> Any:
        unsubscribe = head.on_alert(heard.append)
        call = asyncio.ensure_future(head.call(wan.Job(DEVICE)))
        await asyncio.sleep(11)
        bench.hub.alert(TransferProgress(DEVICE, 1, 4096, 9000))
        answer = await call
        unsubscribe()
        bench.hub.alert(TransferProgress(DEVICE, 1, 8192, 9000))
        await asyncio.sleep(10)
        return answer

    assert bench.run(main).state == "none"
    assert heard == [TransferProgress(DEVICE, 1, 4096, 9000)]


def test_an_alert_under_another_key_is_not_believed() -> None:
    bench = Bench()
    heard: list[Alert] = []

    async def main(head: HeadEnd) -> None:
        head.on_alert(heard.append)
        bench.keys.identity = rehearsal_identity(Kernel(99).secret, HUB)
        bench.hub.alert(DeviceLeft(DEVICE))
        await asyncio.sleep(10)

    bench.run(main)
    assert heard == []


def test_an_envelope_for_a_meter_is_relayed_by_the_hub() -> None:
    def relay(asked: wan.Operation[Any]) -> bytes:
        assert isinstance(asked, wan.Control)
        return wan.encode_result(ControlAnswer(asked.envelope[::-1]))

    bench = Bench(relay)
    assert bench.run(lambda head: head.send_control(HUB + 1, b"\x12\x34")) == b"\x34\x12"


def test_a_meter_the_hub_cannot_reach_is_unreachable() -> None:
    bench = Bench(lambda _: wan.encode_failure("unreachable", "no answer"))
    with pytest.raises(UnreachableError, match="00-DB-12-34-56-78-90-A1"):
        bench.run(lambda head: head.send_control(HUB + 1, b"\x12\x34"))


def test_octets_that_are_no_message_are_ignored() -> None:
    bench = Bench()

    async def main(head: HeadEnd) -> Any:
        bench.link.to_head_end(b"\x00\x01garbage")
        return await head.call(wan.Job(DEVICE))

    assert bench.run(main).state == "none"


def test_an_answer_that_is_no_result_of_the_operation_is_a_refusal() -> None:
    bench = Bench(lambda _: wan.encode_result(KeySequence(1)))
    with pytest.raises(HubRefusedError, match="no-result") as caught:
        bench.run(lambda head: head.call(wan.Job(DEVICE)))
    assert "job: sequence: unknown key" in str(caught.value)
