"""A line that loses, flips, doubles and holds up octets; what ASH makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.clock.kernel import Kernel
from emulator.coordinator.ash import AshLink, LinkEvent, LinkFailed, Received
from emulator.errors import EmulatorError
from tests.emulator.coordinator.ash_host import HostLink
from tests.emulator.faults.faulty_line import (
    DEAD,
    PERFECT,
    FaultyLine,
    Heading,
    LineQuality,
    Tally,
    pull,
    spoil,
)

SECOND = 1_000_000


class Echo:
    """A device that says again what it hears."""

    def __init__(self) -> None:
        self.heard = b""
        self.attached = False
        self.write: Callable[[bytes], None] = lambda _: None

    def attach(self, write: Callable[[bytes], None]) -> None:
        self.attached = True
        self.write = write

    def detach(self) -> None:
        self.attached = False

    def feed(self, octets: bytes) -> None:
        self.heard += octets
        self.write(octets)


class Bench:
    """An echoing device behind a faulty line."""

    def __init__(self, quality: LineQuality = PERFECT, seed: int = 1) -> None:
        self.kernel = Kernel(seed)
        self.scope = self.kernel.scope("line")
        self.device = Echo()
        self.line = FaultyLine(self.scope, self.device, quality)
        self.back = bytearray()
        self.line.attach(self.back.extend)

    def say(self, octets: bytes) -> bytes:
        self.line.feed(octets)
        self.kernel.run_for(SECOND)
        return bytes(self.back)


def test_a_perfect_line_changes_nothing_and_takes_no_time() -> None:
    bench = Bench()
    bench.line.feed(b"hello")
    assert bench.device.heard == b"", "never inside the call that sends"
    bench.kernel.run_for(0)
    assert bytes(bench.back) == b"hello"
    assert bench.line.tally(Heading.TO_DEVICE) == Tally(offered=5)


def test_a_dead_line_carries_nothing() -> None:
    bench = Bench(DEAD)
    assert bench.say(b"hello") == b""
    assert bench.line.tally(Heading.TO_DEVICE).lost == 5


def test_held_octets_arrive_later_and_in_order() -> None:
    bench = Bench(LineQuality(held=0.5, hold_us=1_000))
    octets = bytes(range(100))
    bench.line.feed(octets)
    bench.kernel.run_for(10_000)
    assert len(bench.back) < len(octets)
    bench.kernel.run_for(SECOND)
    assert bytes(bench.back) == octets


def test_the_same_seed_spoils_the_same_octets() -> None:
    quality = LineQuality(lost=0.1, flipped=0.1, doubled=0.1, held=0.1)
    first, again, other = (Bench(quality, seed).say(bytes(100)) for seed in (1, 1, 2))
    assert first == again != other


@given(
    octets=st.binary(max_size=300),
    rates=st.tuples(*[st.floats(0, 0.25)] * 4),
    seed=st.integers(0, 1000),
)
def test_every_octet_is_accounted_for(
    octets: bytes, rates: tuple[float, float, float, float], seed: int
) -> None:
    tally = Tally()
    pieces = spoil(octets, LineQuality(*rates), Kernel(seed).scope("line").random, tally)
    assert sum(len(piece) for piece, _ in pieces) == len(octets) - tally.lost + tally.doubled
    assert len(pieces) == tally.held + 1


@given(pieces=st.lists(st.binary(max_size=40), max_size=20), seed=st.integers(0, 1000))
def test_what_is_only_held_up_keeps_its_order_both_ways(pieces: list[bytes], seed: int) -> None:
    bench = Bench(LineQuality(held=0.3, hold_us=700), seed)
    for piece in pieces:
        bench.line.feed(piece)
        bench.kernel.run_for(500)
    bench.kernel.run_for(SECOND)
    assert bytes(bench.back) == b"".join(pieces)


@pytest.mark.parametrize("rates", [{"lost": 1.1}, {"lost": 0.6, "held": 0.6}, {"flipped": -0.1}])
def test_what_is_no_probability_is_refused(rates: dict[str, Any]) -> None:
    with pytest.raises(EmulatorError, match="probabilities"):
        LineQuality(**rates)


def test_a_time_before_now_and_a_moment_without_octets_are_refused() -> None:
    with pytest.raises(EmulatorError, match="hold_us -1"):
        LineQuality(hold_us=-1)
    with pytest.raises(EmulatorError, match="0 octets"):
        Bench().line.after(Heading.TO_HOST, 0, lambda: None)


def test_a_moment_comes_in_the_middle_of_what_is_said() -> None:
    bench = Bench()
    heard: list[bytes] = []
    bench.line.after(Heading.TO_DEVICE, 5, lambda: heard.append(bench.device.heard))
    bench.line.after(Heading.TO_DEVICE, 3, lambda: heard.append(bench.device.heard))
    assert bench.say(b"abcdefg") == b"abcdefg"
    assert heard == [b"abc", b"abcde"]


def test_what_was_in_a_line_that_is_cut_never_arrives() -> None:
    bench = Bench(LineQuality(held=1.0, hold_us=1_000))
    bench.line.feed(b"old")
    bench.line.detach()
    assert not bench.device.attached
    bench.line.attach(bench.back.extend)
    assert bench.say(b"new") == b"new"


def test_a_line_cut_at_a_moment_loses_the_rest() -> None:
    bench = Bench()
    bench.line.after(Heading.TO_DEVICE, 2, bench.line.detach)
    bench.say(b"abcd")
    assert bench.device.heard == b"ab"


def test_a_bad_spell_passes() -> None:
    bench = Bench()
    bench.line.become(DEAD, for_us=SECOND)
    assert bench.say(b"lost") == b""
    assert bench.say(b"heard") == b"heard"


def test_a_pulled_cable_is_put_back() -> None:
    log: list[str] = []

    class Cable:
        def unplug(self) -> None:
            log.append("out")

        def plug_in(self) -> None:
            log.append("in")

    kernel = Kernel(1)
    pull(kernel.scope("test"), Cable(), 5 * SECOND)
    kernel.run_for(4 * SECOND)
    assert log == ["out"]
    kernel.run_for(2 * SECOND)
    assert log == ["out", "in"]


# ASH over it


class Far:
    """The co-processor's end of an ASH link, as a line device."""

    def __init__(self, kernel: Kernel) -> None:
        self.got: list[bytes] = []
        self.failed = False
        self._line: Callable[[bytes], None] = lambda _: None
        self.link = AshLink(kernel.scope("far"), self._write, self._event)

    def attach(self, write: Callable[[bytes], None]) -> None:
        self._line = write

    def detach(self) -> None:
        self.link.line_lost()

    def feed(self, octets: bytes) -> None:
        self.link.feed(octets)

    def _write(self, octets: bytes) -> None:
        self._line(octets)

    def _event(self, event: LinkEvent) -> None:
        if isinstance(event, Received):
            self.got.append(event.payload)
        elif isinstance(event, LinkFailed):
            self.failed = True


class Pair:
    """Both ends of an ASH link, with a faulty line between."""

    def __init__(self, seed: int) -> None:
        self.kernel = Kernel(seed)
        self.far = Far(self.kernel)
        self.line = FaultyLine(self.kernel.scope("line"), self.far)
        self.got: list[bytes] = []
        self.failed = False
        self.link = HostLink(self.kernel.scope("near"), self.line.feed, self._event)
        self.line.attach(self.link.feed)
        self.link.reset()
        self.kernel.run_for(SECOND)

    def _event(self, event: LinkEvent) -> None:
        if isinstance(event, Received):
            self.got.append(event.payload)
        elif isinstance(event, LinkFailed):
            self.failed = True

    def talk(self, messages: list[bytes]) -> None:
        for message in messages:
            self.link.send(message)
            self.far.link.send(message)
            self.kernel.run_for(SECOND // 10)
        self.kernel.run_for(120 * SECOND)


MESSAGES = [index.to_bytes(2, "big") + bytes(range(index % 40 + 1)) for index in range(40)]


@given(
    lost=st.floats(0, 0.005), flipped=st.floats(0, 0.005), held=st.floats(0, 0.02), seed=st.integers(0, 1000)
)
@settings(max_examples=60)
def test_ash_delivers_each_message_once_and_in_order_or_says_that_it_failed(
    lost: float, flipped: float, held: float, seed: int
) -> None:
    pair = Pair(seed)
    pair.line.become(LineQuality(lost=lost, flipped=flipped, held=held))
    pair.talk(MESSAGES)
    for got in (pair.got, pair.far.got):
        assert got == MESSAGES[: len(got)]
    if not (pair.failed or pair.far.failed):
        assert pair.got == pair.far.got == MESSAGES


@pytest.mark.parametrize(
    "quality",
    [
        LineQuality(lost=0.004),
        LineQuality(flipped=0.004),
        LineQuality(doubled=0.004),
        LineQuality(held=0.02, hold_us=300_000),
    ],
    ids=["lost", "flipped", "doubled", "held"],
)
def test_ash_recovers_from_each_kind_of_fault(quality: LineQuality) -> None:
    pair = Pair(3)
    pair.line.become(quality)
    pair.talk(MESSAGES)
    assert pair.got == pair.far.got == MESSAGES
    tally = pair.line.tally(Heading.TO_DEVICE)
    assert tally.lost + tally.flipped + tally.doubled + tally.held > 0


def test_ash_over_a_dead_line_fails_and_a_reset_mends_it() -> None:
    pair = Pair(1)
    pair.line.become(DEAD, for_us=60 * SECOND)
    pair.talk(MESSAGES[:3])
    assert pair.failed
    pair.link.reset()
    pair.kernel.run_for(SECOND)
    before = len(pair.got)
    pair.talk(MESSAGES)
    assert pair.got[before:] == MESSAGES
    assert pair.far.got[-len(MESSAGES) :] == MESSAGES
