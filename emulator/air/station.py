"""A ZigBee radio as the machines of its MAC share it: a way to send, sequence numbers, and its receiver's power."""

from __future__ import annotations

from emulator.air.csma import Transmitter
from emulator.air.radio import DEAF, Air, Radio
from emulator.clock.kernel import Scope


class Station(Radio):
    """The part of a MAC entity that scans, polls and associations stand on."""

    def __init__(
        self, scope: Scope, medium: Air, eui64: int, *, rx_on_when_idle: bool, position: tuple[float, float]
    ) -> None:
        super().__init__(medium, eui64, position)
        self.parent_address = 0xFFFF
        self.transmitter = Transmitter(scope, self)
        self._kernel = medium.kernel
        self._sequence = scope.random.getrandbits(8)
        self._rx_on_when_idle = rx_on_when_idle
        self._awake = 0
        self.ready_us = medium.kernel.now if rx_on_when_idle else DEAF

    @property
    def rx_on_when_idle(self) -> bool:
        """Whether the receiver stays on between frames."""
        return self._rx_on_when_idle

    @rx_on_when_idle.setter
    def rx_on_when_idle(self, on: bool) -> None:
        self._rx_on_when_idle = on
        if on or self._awake:
            self.ready_us = min(self.ready_us, self._kernel.now)
        else:
            self.ready_us = DEAF

    def stay_awake(self) -> None:
        """Keep the receiver on until the matching `may_sleep`."""
        self._awake += 1
        if self.ready_us == DEAF:
            self.ready_us = self._kernel.now

    def may_sleep(self) -> None:
        """End one reason to stay awake."""
        self._awake -= 1
        if not self._awake and not self._rx_on_when_idle:
            self.ready_us = DEAF

    def next_sequence(self) -> int:
        """Return the next data sequence number."""
        self._sequence = (self._sequence + 1) & 0xFF
        return self._sequence
