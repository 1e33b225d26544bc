"""Active and energy scans (802.15.4-2006 7.5.2.1): channel after channel, transmissions held back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from emulator.air.beacon import Beacon, decode_beacon_payload
from emulator.air.channel import EnergyMeter
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
from emulator.clock.kernel import Scope
from emulator.errors import EmulatorError
from emulator.stack.primitives import Status

if TYPE_CHECKING:
    from emulator.air.mac import Mac


class Scanner:
    """Runs one scan at a time for a Mac; `busy` while one runs (then only beacons are received)."""

    def __init__(self, scope: Scope, mac: Mac) -> None:
        self._scope = scope
        self._mac = mac
        self._channels: list[int] = []
        self._dwell_us = 0
        self._home = 11
        self._beacons: dict[tuple[int, int, int], Beacon] = {}
        self._energies: dict[int, int] = {}
        self._finished: Callable[[], None] = _nothing
        self._visit: Callable[[], None] = _nothing
        self.busy = False

    def active(
        self, channels: Sequence[int], duration_exponent: int, done: Callable[[list[Beacon]], None]
    ) -> None:
        """Ask for beacons on each channel; `done` gets one, the strongest, per (channel, PAN, source)."""
        beacons = self._beacons = {}
        self._begin(channels, duration_exponent, self._ask, lambda: done(list(beacons.values())))

    def energy(
        self, channels: Sequence[int], duration_exponent: int, done: Callable[[dict[int, int]], None]
    ) -> None:
        """Measure each channel; `done` gets the peak power in dBm by channel."""
        energies = self._energies = {}
        self._begin(channels, duration_exponent, self._listen, lambda: done(energies))

    def heard(self, frame: MacFrame, lqi: int) -> None:
        """Take a beacon frame while scanning; raises `FrameError` when its payload is malformed."""
        if frame.source_mode is not AddressMode.SHORT or frame.source_pan is None or frame.source is None:
            return
        fields = decode_beacon_payload(frame.payload)
        channel = self._mac.tuned_channel
        key = (channel, frame.source_pan, frame.source)
        known = self._beacons.get(key)
        if known is None or known.lqi < lqi:
            self._beacons[key] = Beacon(*key, fields.permit_association, lqi, fields.payload)

    def _begin(
        self,
        channels: Sequence[int],
        duration_exponent: int,
        visit: Callable[[], None],
        finished: Callable[[], None],
    ) -> None:
        if self.busy:
            raise EmulatorError(f"MAC {self._mac.eui64:016X}: a scan is running, wait for it to end")
        wrong = [channel for channel in channels if channel not in CHANNELS]
        if wrong:
            raise EmulatorError(f"MAC scan channels {wrong}: expected 11 to 26")
        self._dwell_us = scan_duration_us(duration_exponent)
        self._channels = list(channels)
        self._visit, self._finished = visit, finished
        self.busy = True
        self._mac.stay_awake()
        self._mac.transmitter.pause(self._start)

    def _start(self) -> None:
        self._home = self._mac.channel
        self._next()

    def _next(self) -> None:
        mac = self._mac
        if self._channels:
            mac.channel = self._channels.pop(0)
            self._visit()
            return
        self.busy = False
        mac.channel = self._home
        mac.may_sleep()
        mac.transmitter.resume()
        self._finished()

    def _ask(self) -> None:
        mpdu = encode_frame(
            MacFrame(
                FrameType.COMMAND,
                self._mac.next_sequence(),
                AddressMode.SHORT,
                BROADCAST_PAN,
                BROADCAST_SHORT,
                payload=encode_command(BeaconRequest()),
            )
        )
        self._mac.transmitter.send_now(with_fcs(mpdu), False, self._asked)

    def _asked(self, _status: Status) -> None:
        # A channel too busy to ask on still gets its dwell: beacons others asked for may be heard.
        self._scope.call_later(self._dwell_us, self._next)

    def _listen(self) -> None:
        meter = self._mac.medium.measure(self._mac)
        self._scope.call_later(self._dwell_us, self._measured, meter)

    def _measured(self, meter: EnergyMeter) -> None:
        self._energies[self._mac.tuned_channel] = self._mac.medium.read_meter(meter)
        self._next()


def _nothing() -> None:
    """Stand in until the first scan."""
