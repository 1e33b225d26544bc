"""A medium with recording listeners, for the tests of this folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from emulator.air.capture import PcapngCapture
from emulator.air.mac import Mac
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.stack.primitives import Status

PAN = 0x1A64


class Recorder:
    """A NWK layer that only remembers."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.data: list[tuple[int, int, bytes]] = []
        self.times: list[int] = []
        self.joins: list[tuple[int, int]] = []
        self.polls: list[int] = []
        self.beacon_requests = 0
        self.statuses: list[Status] = []

    def mac_data(self, source: int, destination: int, payload: bytes, lqi: int) -> None:
        self.data.append((source, destination, payload))
        self.times.append(self.kernel.now)
        assert 0 <= lqi <= 255

    def mac_associate(self, eui64: int, capability: int) -> None:
        self.joins.append((eui64, capability))

    def mac_polled(self, source: int) -> None:
        self.polls.append(source)

    def mac_beacon(self, payload: bytes) -> None:
        pass

    def mac_beacon_request(self) -> None:
        self.beacon_requests += 1

    def confirm(self, status: Status) -> None:
        self.statuses.append(status)


class Air:
    """A kernel, a medium and Macs whose short address is the order they came in."""

    def __init__(self, seed: int = 0, capture: Path | None = None) -> None:
        self.kernel = Kernel(seed)
        self.capture = None if capture is None else PcapngCapture(capture)
        self.medium = Medium(self.kernel, capture=self.capture)
        self.macs: list[Mac] = []

    def mac(self, *, joined: bool = True, x: float = 0, sleepy: bool = False) -> tuple[Mac, Recorder]:
        number = len(self.macs)
        eui64 = 0x00DB_0000_0000_0000 + number
        mac = Mac(
            self.kernel.scope(f"mac{number}"), self.medium, eui64, rx_on_when_idle=not sleepy, position=(x, 0)
        )
        recorder = Recorder(self.kernel)
        mac.listener = recorder
        if joined:
            mac.pan_id, mac.short_address = PAN, number
            mac.parent_address = 0
        if number == 0:
            mac.coordinator = mac.association_permit = True
            mac.beacon_payload = bytes.fromhex("002284ddddddddddddddddffffff00")
        self.macs.append(mac)
        return mac, recorder

    def run(self, seconds: float = 1.0) -> None:
        self.kernel.run_for(int(seconds * 1_000_000))


def find_tshark() -> str:
    """Where tshark is; the calling test is skipped where it is not installed."""
    path = shutil.which("tshark")
    if path is None:
        pytest.skip("tshark is not installed: frames are not checked by Wireshark's dissector")
    return path
