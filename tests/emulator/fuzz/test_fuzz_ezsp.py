"""The EZSP co-processor under fire from its host: damaged line octets, and whole frames of nonsense behind ASH."""

from __future__ import annotations

from functools import cache

import pytest

from emulator.coordinator import ash_frames as ash
from emulator.coordinator.ezsp.commands import command_set
from emulator.coordinator.ezsp.frames import EzspFrame, FrameFormat, encode, format_of
from tests.emulator.coordinator.ezsp.ncp_world import World
from tests.emulator.fuzz.fuzzing import SAMPLE, SWEEP, fuzz

STEP_US = 1_000
SETTLE_US = 600_000_000
RENEW_EVERY = 4_000
RECONNECT_EVERY = 20
VERSIONS = (8, 13, 19)


@cache
def ezsp_frames(version: int) -> tuple[bytes, ...]:
    """Every command of a version with zeros, and with ones, for parameters."""
    return tuple(
        encode(EzspFrame(1, 0, identifier, fill * 40, format_of(version)))
        for identifier in command_set(version).by_identifier
        for fill in (b"\x00", b"\x01")
    )


def line_frames(version: int) -> tuple[bytes, ...]:
    """ASH frames: the control ones, and data with EZSP frames in them."""
    control: list[ash.AshFrame] = [ash.Rst(), ash.Ack(0), ash.Ack(5), ash.Nak(1), ash.Error(0x51)]
    data = [
        ash.Data(number % 8, False, 0, octets) for number, octets in enumerate(ezsp_frames(version)[:200])
    ]
    return tuple(ash.encode(frame) for frame in (*control, *data))


class Dongle:
    """A co-processor that has formed a network, and a host that has agreed on the version; renewed now and then."""

    def __init__(self, version: int) -> None:
        self._version = version
        self._inputs = 0
        self._version_frame = encode(EzspFrame(0, 0, 0, bytes((version,)), FrameFormat.SHORT))
        self.renew()

    def renew(self) -> None:
        self.world = World(self._version)
        self.world.host.form()

    def frame(self, octets: bytes) -> None:
        """Give a frame to the firmware, which is asked for its version again in case it was told another."""
        if self._turn():
            self.world.ncp._firmware.receive(self._version_frame)
        self.world.ncp._firmware.receive(octets)
        self.world.kernel.run_for(STEP_US)

    def line(self, octets: bytes) -> None:
        """Give octets to the line, which is reset often enough to stay connected for most of them."""
        if self._turn():
            self.world.ncp.feed(ash.encode(ash.Rst()))
        self.world.ncp.feed(octets)
        self.world.kernel.run_for(STEP_US)

    def settle(self) -> None:
        self.renew()
        self.world.kernel.run_for(SETTLE_US)

    def _turn(self) -> bool:
        self._inputs += 1
        if self._inputs % RENEW_EVERY == 0:
            self.renew()
        return self._inputs % RECONNECT_EVERY == 0


def shoot_frames(version: int, count: int) -> None:
    dongle = Dongle(version)
    fuzz(f"EZSP {version}", ezsp_frames(version), dongle.frame, count, settle=dongle.settle)


def shoot_line(count: int) -> None:
    dongle = Dongle(13)
    fuzz("ASH", line_frames(13), dongle.line, count, settle=dongle.settle)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_firmware_survives_a_sample_of_mutated_frames(version: int) -> None:
    shoot_frames(version, SAMPLE)


def test_the_line_survives_a_sample_of_mutated_octets() -> None:
    shoot_line(SAMPLE)


@pytest.mark.sweep
@pytest.mark.parametrize("version", VERSIONS)
def test_the_firmware_survives_a_hundred_thousand_mutated_frames(version: int) -> None:
    shoot_frames(version, SWEEP)


@pytest.mark.sweep
def test_the_line_survives_a_hundred_thousand_mutated_octets() -> None:
    shoot_line(SWEEP)
