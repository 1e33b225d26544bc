"""The Spinel radio under fire from its host: damaged link octets, and well-framed nonsense behind the CRC."""

from __future__ import annotations

import random

import pytest

from emulator.coordinator.spinel.codec import SpinelFrame, encode_frame, pack, pack_uint
from emulator.coordinator.spinel.hdlc import encode_hdlc
from emulator.coordinator.spinel.properties import Command, Property
from tests.emulator.coordinator.spinel.spinel_bench import TRANSMIT, Bench
from tests.emulator.fuzz.fuzzing import SAMPLE, SWEEP, fuzz
from tests.emulator.fuzz.seed_frames import seeds

STEP_US = 1_000


def spinel_frames() -> tuple[bytes, ...]:
    """Every property read and written, the tables edited, and real frames to transmit."""
    bench = Bench()
    frames = [SpinelFrame(1, Command.NOOP), SpinelFrame(0, Command.RESET)]
    for name in bench.rcp._getters:
        frames.append(SpinelFrame(2, Command.PROP_VALUE_GET, pack_uint(name)))
        frames.append(SpinelFrame(3, Command.PROP_VALUE_SET, pack_uint(name) + bench.get(name)))
    short = pack_uint(Property.MAC_SRC_MATCH_SHORT_ADDRESSES)
    frames.append(SpinelFrame(4, Command.PROP_VALUE_INSERT, short + b"\x34\x12"))
    frames.append(SpinelFrame(5, Command.PROP_VALUE_REMOVE, short + b"\x34\x12"))
    frames.append(SpinelFrame(6, Command.PROP_VALUE_SET, pack_uint(Property.PHY_ENABLED) + b"\x01"))
    frames.append(SpinelFrame(7, Command.PROP_VALUE_SET, pack_uint(Property.MAC_SCAN_STATE) + b"\x02"))
    for mpdu in seeds().mac[:60]:
        value = pack(TRANSMIT, mpdu + b"\x00\x00", 15, 1, 4, True, True, False, True, 0, 0, 15)
        frames.append(SpinelFrame(8, Command.PROP_VALUE_SET, pack_uint(Property.STREAM_RAW) + value))
    return tuple(map(encode_frame, frames))


class Radio:
    """A co-processor with a neighbour that hears it; answers are thrown away."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.bench.child()
        self.bench.up()
        self.bench.rcp.attach(lambda _: None)
        self.random = random.Random("radio")

    def framed(self, octets: bytes) -> None:
        self.link(encode_hdlc(octets))

    def link(self, octets: bytes) -> None:
        self.bench.rcp.feed(octets)
        self.bench.kernel.run_for(STEP_US)

    def settle(self) -> None:
        self.bench.run(600)


def shoot(count: int, *, framed: bool) -> None:
    radio = Radio()
    frames = spinel_frames()
    if framed:
        fuzz("Spinel", frames, radio.framed, count, settle=radio.settle)
    else:
        fuzz("HDLC", tuple(map(encode_hdlc, frames)), radio.link, count, settle=radio.settle)


@pytest.mark.parametrize("framed", [True, False], ids=["Spinel", "HDLC"])
def test_the_radio_survives_a_sample_of_mutated_frames(framed: bool) -> None:
    shoot(SAMPLE, framed=framed)


@pytest.mark.sweep
@pytest.mark.parametrize("framed", [True, False], ids=["Spinel", "HDLC"])
def test_the_radio_survives_a_hundred_thousand_mutated_frames(framed: bool) -> None:
    shoot(SWEEP, framed=framed)
