"""Small commands: counters, random numbers, echo, timers, libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bellows.types import EmberCounterType as Counter

from emulator.clock.kernel import Timer
from emulator.coordinator.ezsp.core import Answer, Core, Handler, Values
from emulator.coordinator.ezsp.defaults import COUNTERS
from emulator.coordinator.ezsp.messaging import Messaging
from emulator.coordinator.ezsp.status import SlStatus

_UNITS_US = (1_000, 256_000, 60_000_000)
"""EmberEventUnits: milliseconds, quarter seconds, minutes."""
_TIMERS = 2
_MAX_COUNT = 0xFFFF


class Housekeeping:
    """Commands that touch no network."""

    def __init__(self, core: Core, messaging: Messaging, framing_errors: Callable[[], int]) -> None:
        """`framing_errors` counts malformed ASH frames."""
        self._core = core
        self._messaging = messaging
        self._framing_errors = framing_errors
        self._cleared = [0] * COUNTERS
        self._timers: dict[int, tuple[Timer, Values]] = {}

    def handlers(self) -> Mapping[str, Handler]:
        """Return the commands of this part."""
        return {
            "readCounters": lambda _: {"values": self._read()},
            "readAndClearCounters": self._read_and_clear,
            "getRandomNumber": lambda _: {"value": self._core.scope.random.getrandbits(16)},
            "getTrueRandomEntropySource": lambda _: {"entropy_source": 1},
            "echo": lambda values: {"echo": values["data"]},
            "customFrame": lambda _: {"status": SlStatus.INVALID_STATE},
            "getXncpInfo": lambda _: {"status": SlStatus.INVALID_STATE},
            "getLibraryStatus": self._library,
            "setTimer": self._set_timer,
            "getTimer": self._get_timer,
        }

    def _read(self) -> tuple[int, ...]:
        totals = self._totals()
        return tuple(min(now - then, _MAX_COUNT) for now, then in zip(totals, self._cleared, strict=True))

    def _read_and_clear(self, _: Values) -> Answer:
        values = self._read()
        self._cleared = self._totals()
        return {"values": values}

    def _totals(self) -> list[int]:
        nwk = self._core.node.nwk.counters
        totals = [0] * COUNTERS
        for counter, count in self._messaging.counts.items():
            totals[counter] = count
        totals[Counter.COUNTER_MAC_RX_UNICAST] = nwk.received
        totals[Counter.COUNTER_MAC_TX_UNICAST_SUCCESS] = nwk.sent
        totals[Counter.COUNTER_RELAYED_UNICAST] = nwk.relayed
        totals[Counter.COUNTER_NWK_FRAME_COUNTER_FAILURE] = nwk.dropped.get("replay", 0)
        totals[Counter.COUNTER_NWK_DECRYPTION_FAILURE] = nwk.dropped.get("integrity", 0)
        totals[Counter.COUNTER_ASH_FRAMING_ERROR] = self._framing_errors()
        return totals

    def _library(self, values: Values) -> Answer:
        """Tell of a library: the stack core, security, and CBKE for either curve are numbers 0 to 3."""
        cbke = self._core.config.cbke
        present = values["library_id"] in ((0, 1, 2, 3) if cbke else (0, 1))
        return {"status": 0x80 if present else 0x00}

    def _set_timer(self, values: Values) -> Answer:
        number, units = values["timer_id"], values["units"]
        if number >= _TIMERS:
            return {"status": SlStatus.INVALID_INDEX}
        running = self._timers.pop(number, None)
        if running is not None:
            self._core.host_clock.cancel(running[0])
        if units < len(_UNITS_US):
            self._start(values)
        return {}

    def _start(self, values: Values) -> None:
        delay_us = max(values["time"] * _UNITS_US[values["units"]], _UNITS_US[0])
        timer = self._core.host_clock.call_later(delay_us, self._ring, values)
        self._timers[values["timer_id"]] = (timer, values)

    def _ring(self, values: Values) -> None:
        del self._timers[values["timer_id"]]
        if values["repeat"]:
            self._start(values)
        self._core.callback("timerHandler", {"timer_id": values["timer_id"]})

    def _get_timer(self, values: Values) -> Answer:
        found = self._timers.get(values["timer_id"])
        return {"units": 3} if found is None else dict(found[1])
