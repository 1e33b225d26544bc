"""Energy scan of a co-processor: channel after channel, one result each, then back where it was."""

from __future__ import annotations

from collections.abc import Callable

from emulator.air.channel import EnergyMeter
from emulator.air.medium import Medium
from emulator.air.phy import CHANNELS
from emulator.clock.kernel import Scope, Timer
from emulator.coordinator.spinel.codec import pack
from emulator.coordinator.spinel.properties import Property, ScanState
from emulator.coordinator.spinel.raw_radio import RawRadio

DEFAULT_PERIOD_MS = 100

Tell = Callable[[Property, bytes], None]


class EnergyScan:
    """Measures `mask`, `period_ms` a channel; results and the end go to `tell` unasked."""

    def __init__(self, scope: Scope, medium: Medium, radio: RawRadio, tell: Tell) -> None:
        self.mask: list[int] = list(CHANNELS)
        self.period_ms = DEFAULT_PERIOD_MS
        self.state = ScanState.IDLE
        self._scope = scope
        self._medium = medium
        self._radio = radio
        self._tell = tell
        self._left: list[int] = []
        self._home = CHANNELS[0]
        self._timer: Timer | None = None
        self._meter: EnergyMeter | None = None

    @property
    def running(self) -> bool:
        """Whether the radio is away from its channel."""
        return self.state is not ScanState.IDLE

    def start(self) -> None:
        """Begin once the caller has answered the host."""
        self.state = ScanState.ENERGY
        self._left = list(self.mask)
        self._home = self._radio.tuned_channel
        self._timer = self._scope.call_later(0, self._next)

    def stop(self) -> None:
        """End without further results."""
        self._scope.cancel(self._timer)
        if self._meter is not None:
            self._medium.read_meter(self._meter)
        self._timer = self._meter = None
        if self.running:
            self._radio.channel = self._home
        self.state = ScanState.IDLE

    def reset(self) -> None:
        """Stop, and forget what the host has set."""
        self.stop()
        self.mask = list(CHANNELS)
        self.period_ms = DEFAULT_PERIOD_MS

    def _next(self) -> None:
        if not self._left:
            self.stop()
            self._tell(Property.MAC_SCAN_STATE, pack("C", self.state))
            return
        self._radio.channel = self._left.pop(0)
        self._meter = meter = self._medium.measure(self._radio)
        self._timer = self._scope.call_later(self.period_ms * 1000, self._measured, meter)

    def _measured(self, meter: EnergyMeter) -> None:
        self._meter = None
        peak = self._medium.read_meter(meter)
        self._tell(Property.MAC_ENERGY_SCAN_RESULT, pack("Cc", self._radio.tuned_channel, peak))
        self._next()
