"""Active and energy scans (802.15.4-2006 7.5.2.1): channel after channel, transmissions held back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from emulator.air.beacon import Beacon, decode_beacon_payload
from emulator.air.command import BeaconRequest, encode_command
from emulator.air.fcs import with_fcs
from emulator.air.frame import (
    BROADCAST_PAN,
    BROADCAST_SHORT,
    AddressMode,
    FrameType,
    MacFrame,
    encode_frame,
)
from emulator.air.phy import CHANNELS, scan_duration_us
from emulator.air.radio import EnergyMeter
from emulator.air.station import Station
from emulator.clock.kernel import Scope
from emulator.errors import EmulatorError
from emulator.status import Status


class _Scan(NamedTuple):
    """One scan: where, how long on each channel, what to do there, and what to do at the end."""

    channels: list[int]
    dwell_us: int
    visit: Callable[[], None]
    finished: Callable[[], None]
    beacons: dict[tuple[int, int, int], Beacon]
    energies: dict[int, int]


class Scanner:
    """Runs one scan at a time for a Mac; `busy` while one runs (then only beacons are received).

    A scan asked for meanwhile waits its turn: a device may want to rejoin while it measures for somebody else.
    """

    def __init__(self, scope: Scope, station: Station) -> None:
        self._scope = scope
        self._station = station
        self._home = self._visited = 11
        self._scan = _Scan([], 0, _nothing, _nothing, {}, {})
        self._waiting: deque[_Scan] = deque()
        self.busy = False

    def active(
        self, channels: Sequence[int], duration_exponent: int, done: Callable[[list[Beacon]], None]
    ) -> None:
        """Ask for beacons on each channel; `done` gets one, the strongest, per (channel, PAN, source)."""
        beacons: dict[tuple[int, int, int], Beacon] = {}
        dwell_us = self._dwell(channels, duration_exponent)
        finished = partial(_give_beacons, done, beacons)
        self._begin(_Scan(list(channels), dwell_us, self._ask, finished, beacons, {}))

    def energy(
        self, channels: Sequence[int], duration_exponent: int, done: Callable[[dict[int, int]], None]
    ) -> None:
        """Measure each channel; `done` gets the peak power in dBm by channel."""
        energies: dict[int, int] = {}
        dwell_us = self._dwell(channels, duration_exponent)
        self._begin(_Scan(list(channels), dwell_us, self._listen, partial(done, energies), {}, energies))

    def heard(self, frame: MacFrame, lqi: int) -> None:
        """Take a beacon frame while scanning; raises `FrameError` when its payload is malformed."""
        if frame.source_mode is not AddressMode.SHORT or frame.source_pan is None or frame.source is None:
            return
        fields = decode_beacon_payload(frame.payload)
        channel = self._station.tuned_channel
        key = (channel, frame.source_pan, frame.source)
        beacons = self._scan.beacons
        known = beacons.get(key)
        if known is None or known.lqi < lqi:
            beacons[key] = Beacon(*key, fields.permit_association, lqi, fields.payload)

    def _dwell(self, channels: Sequence[int], duration_exponent: int) -> int:
        wrong = [channel for channel in channels if channel not in CHANNELS]
        if wrong:
            raise EmulatorError(f"MAC scan channels {wrong}: expected 11 to 26")
        return scan_duration_us(duration_exponent)

    def _begin(self, scan: _Scan) -> None:
        if self.busy:
            self._waiting.append(scan)
            return
        self._scan = scan
        self.busy = True
        self._station.stay_awake()
        self._station.transmitter.pause(self._start)

    def _start(self) -> None:
        self._home = self._visited = self._station.channel
        self._next()

    def _next(self) -> None:
        station = self._station
        scan = self._scan
        if station.channel != self._visited:
            # The network moved, or was left, while we were away: that is where to return to.
            self._home = station.channel
        if scan.channels:
            station.channel = self._visited = scan.channels.pop(0)
            scan.visit()
            return
        self.busy = False
        station.channel = self._home
        station.may_sleep()
        station.transmitter.resume()
        scan.finished()
        if self._waiting and not self.busy:
            self._begin(self._waiting.popleft())

    def _ask(self) -> None:
        mpdu = encode_frame(
            MacFrame(
                FrameType.COMMAND,
                self._station.next_sequence(),
                AddressMode.SHORT,
                BROADCAST_PAN,
                BROADCAST_SHORT,
                payload=encode_command(BeaconRequest()),
            )
        )
        self._station.transmitter.send_now(with_fcs(mpdu), False, self._asked)

    def _asked(self, _status: Status) -> None:
        # A channel too busy to ask on still gets its dwell: beacons others asked for may be heard.
        self._scope.call_later(self._scan.dwell_us, self._next)

    def _listen(self) -> None:
        meter = self._station.medium.measure(self._station)
        self._scope.call_later(self._scan.dwell_us, self._measured, meter)

    def _measured(self, meter: EnergyMeter) -> None:
        self._scan.energies[self._visited] = self._station.medium.read_meter(meter)
        self._next()


def _give_beacons(done: Callable[[list[Beacon]], None], beacons: dict[tuple[int, int, int], Beacon]) -> None:
    done(list(beacons.values()))


def _nothing() -> None:
    """Stand in until the first scan."""
