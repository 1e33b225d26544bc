"""A whole co-processor behind a faulty line, with a host in the kernel: nothing lost, nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.coordinator.ash import LinkEvent, LinkFailed, LinkState
from emulator.coordinator.ash_frames import ResetCode
from emulator.coordinator.ezsp.frames import EzspFrame, encode
from emulator.coordinator.ezsp.ncp import Ncp
from emulator.stack.primitives import ApsdeRequest
from tests.emulator.coordinator.ezsp.ncp_world import (
    ENCRYPTED,
    METERING,
    SECOND,
    SMART_ENERGY,
    Device,
    Host,
    World,
)
from tests.emulator.faults.faulty_line import DEAD, FaultyLine, Heading, LineQuality

MESSAGES = 60
EVERY_FAULT = LineQuality(lost=0.002, flipped=0.002, doubled=0.0005, held=0.005)


class PatientHost(Host):
    """A host that waits for its answers as long as the link lives."""

    failures: list[int]

    def exchange(self, frame: EzspFrame) -> EzspFrame:
        self.raw.clear()
        self.link.send(encode(frame))
        for _ in range(1_000):
            self.run(SECOND // 20)
            answers = [each for each in self.raw if not each.control & 0x10]
            if answers:
                assert len(answers) == 1, "a question is answered once"
                return answers[0]
        raise AssertionError("no answer")

    def _event(self, event: LinkEvent) -> None:
        if isinstance(event, LinkFailed):
            self.failures.append(event.code)
        super()._event(event)


class Behind:
    """What a `Host` needs of a co-processor, with the faulty line in between."""

    def __init__(self, ncp: Ncp, line: FaultyLine) -> None:
        self.config = ncp.config
        self.feed, self.attach = line.feed, line.attach


class FaultyWorld(World):
    """A co-processor that formed a network with one meter; its line can be spoilt."""

    def __init__(self) -> None:
        super().__init__(connect=False)
        self.line = FaultyLine(self.kernel.scope("line"), self.ncp)
        behind: Any = Behind(self.ncp, self.line)
        self.host: PatientHost = PatientHost(self.kernel, behind)
        self.host.failures = []
        self.host.connect()
        self.host.form()
        self.meter: Device = self.device()
        self.join(self.meter)
        assert self.meter.node.short_address is not None

    def unicast(self, tag: int) -> None:
        """Have the co-processor send one message to the meter."""
        answer = self.host(
            "sendUnicast",
            message_type=0,
            nwk=self.meter.node.short_address,
            aps_frame=ENCRYPTED,
            message_tag=tag,
            message=b"to the meter" + bytes((tag,)),
        )
        assert answer["status"] == 0

    def report(self, tag: int) -> None:
        """Have the meter send one message to the host."""
        asdu = b"to the hub" + bytes((tag,))
        self.meter.node.send(ApsdeRequest(0, 1, SMART_ENERGY, METERING, 1, asdu, secure=True))


@pytest.mark.parametrize(
    "quality",
    [
        LineQuality(lost=0.004),
        LineQuality(flipped=0.004),
        LineQuality(doubled=0.004),
        LineQuality(held=0.02, hold_us=700_000),
        EVERY_FAULT,
    ],
    ids=["lost", "flipped", "doubled", "held", "every"],
)
def test_no_message_is_lost_or_doubled_on_a_bad_line(quality: LineQuality) -> None:
    world = FaultyWorld()
    world.line.become(quality)
    for tag in range(MESSAGES):
        world.report(tag)
        world.unicast(tag)
        world.host.run(SECOND // 4)
    world.line.become(LineQuality())
    world.host.run(20 * SECOND)
    assert not world.host.failures
    tags = list(range(MESSAGES))
    assert [each.asdu[-1] for each in world.meter.heard if each.asdu.startswith(b"to the meter")] == tags
    sent = world.host.heard("messageSentHandler")
    assert [each["message_tag"] for each in sent] == tags
    assert all(each["status"] == 0 for each in sent)
    heard = [each["message"] for each in world.host.heard("incomingMessageHandler")]
    assert [message[-1] for message in heard if message.startswith(b"to the hub")] == tags
    assert world.host.link.counters.retransmitted + world.ncp.link.counters.retransmitted > 0


@pytest.mark.parametrize("octets", [1, 5, 17])
def test_a_reset_in_the_middle_of_a_frame_is_noticed_and_the_network_is_still_there(octets: int) -> None:
    world = FaultyWorld()
    host = world.host
    before = host("getNetworkParameters")["parameters"]
    world.line.after(Heading.TO_DEVICE, octets, lambda: world.line.restart(world.ncp.announce))
    host.resets.clear()
    host.link.send(b"\x55\x00\x01\x05\x00" + bytes(20))
    host.run(5 * SECOND)
    assert host.resets == [ResetCode.POWER_ON]
    host.connect()
    assert host("networkState")["status"] == 0, "no network before networkInit"
    assert host("networkInit", bitmask=0)["status"] == 0
    host.run(SECOND)
    assert host("getNetworkParameters")["parameters"] == before
    world.unicast(1)
    host.run(SECOND)
    assert world.meter.heard[-1].asdu == b"to the meter\x01"


def test_a_reset_in_the_middle_of_what_the_co_processor_says_is_announced_all_the_same() -> None:
    """The start of the frame that breaks off is no part of the RSTACK behind it, which begins by cancelling it."""
    world = FaultyWorld()
    host = world.host
    host.callbacks.clear()
    host.resets.clear()
    world.line.after(Heading.TO_HOST, 8, lambda: world.line.restart(world.ncp.announce))
    world.report(1)
    host.run(5 * SECOND)
    assert host.heard("incomingMessageHandler") == []
    assert host.resets == [ResetCode.POWER_ON]
    host.connect()
    assert host("networkInit", bitmask=0)["status"] == 0
    world.report(2)
    host.run(SECOND)
    assert host.heard("incomingMessageHandler")[-1]["message"][-1] == 2


def test_a_silent_line_ends_the_link_and_a_reset_finds_the_network_again() -> None:
    world = FaultyWorld()
    host = world.host
    world.line.become(DEAD, for_us=30 * SECOND)
    host.link.send(bytes(5))
    host.run(40 * SECOND)
    assert host.failures == [ResetCode.TOO_MANY_TIMEOUTS]
    assert host.link.state is LinkState.FAILED
    host.connect()
    assert host("networkInit", bitmask=0)["status"] == 0
    world.unicast(7)
    host.run(SECOND)
    assert world.meter.heard[-1].asdu[-1] == 7


def test_a_line_pulled_and_put_back_carries_on_after_a_reset() -> None:
    world = FaultyWorld()
    host = world.host
    world.line.detach()
    world.report(1)
    host.run(SECOND)
    world.line.attach(host.link.feed)
    host.connect()
    assert host("networkInit", bitmask=0)["status"] == 0
    host.callbacks.clear()
    world.report(2)
    host.run(SECOND)
    assert [each["message"][-1] for each in host.heard("incomingMessageHandler")] == [2]
