"""The measuring element of a meter: consumption as physics, independent of the firmware that reads it.

A load curve says how much flows in each half hour of a day. The element counts pulses whatever the processor does, so
a meter that reboots, loses its clock or installs new firmware finds the count where the supply has taken it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import accumulate
from typing import NamedTuple

from emulator.clock.kernel import MICROSECONDS

HALF_HOURS = 48
HALF_HOUR_US = 1800 * MICROSECONDS
DAY_US = HALF_HOURS * HALF_HOUR_US

_ELECTRICITY = (
    *(18, 16, 15, 14, 14, 13, 13, 14, 14, 15, 18, 24, 34, 46, 52, 50, 46, 42, 38, 36, 35, 36, 38, 42),
    *(46, 44, 40, 37, 36, 38, 44, 54, 68, 84, 94, 98, 94, 86, 78, 72, 66, 60, 54, 48, 40, 32, 26, 21),
)
_GAS = (
    *(2, 2, 2, 2, 2, 2, 2, 3, 3, 4, 10, 28, 60, 88, 82, 58, 36, 24, 18, 14, 12, 12, 14, 18),
    *(18, 14, 12, 12, 14, 20, 32, 50, 72, 88, 92, 84, 74, 62, 52, 44, 36, 26, 16, 8, 4, 3, 2, 2),
)
_CURVES: Mapping[str, tuple[int, ...]] = {
    "domestic-electricity": _ELECTRICITY,
    "domestic-gas": _GAS,
    "constant": (1,) * HALF_HOURS,
}
_DAILY: Mapping[str, float] = {"domestic-electricity": 8.5, "domestic-gas": 3.2, "constant": 4.8}


class LoadCurve(NamedTuple):
    """Mean consumption of a day in `unit` (kWh or m3), its shape over 48 half hours, and how much days differ."""

    shape: tuple[int, ...]
    daily: float
    spread: float

    @classmethod
    def named(cls, name: str, parameters: Mapping[str, float]) -> LoadCurve:
        """Return the curve of that name.

        Parameters `daily_kwh` or `daily_m3` (mean consumption of a day) and `spread` (0 to 1) override its defaults.
        """
        daily = parameters.get("daily_kwh", parameters.get("daily_m3", _DAILY[name]))
        return cls(_CURVES[name], daily, parameters.get("spread", 0.25))


class Metrology:
    """Counts consumption from the start of the scenario, in register units, as a pure function of time.

    `units_per_measure` is the number of register units in one kWh or m3 (divisor / multiplier of the Metering
    cluster); `stream` names this meter's random days.
    """

    def __init__(
        self, curve: LoadCurve, units_per_measure: float, stream: str, *, time_of_day_us: int
    ) -> None:
        """`time_of_day_us` is the time of day when the scenario starts."""
        self._curve = curve
        self._units = units_per_measure
        self._stream = stream
        self._offset_us = time_of_day_us
        total = sum(curve.shape)
        self._cumulative = (0.0, *(part / total for part in accumulate(curve.shape)))
        self._days: list[float] = [0.0]

    def count(self, now_us: int) -> int:
        """Return the units counted since the midnight before the scenario started."""
        day, within = divmod(now_us + self._offset_us, DAY_US)
        slot, part = divmod(within, HALF_HOUR_US)
        share = self._cumulative[slot] + (self._cumulative[slot + 1] - self._cumulative[slot]) * (
            part / HALF_HOUR_US
        )
        return int((self._through(day) + self._day(day) * share) * self._units)

    def demand(self, now_us: int) -> float:
        """Return the present flow, in kWh or m3 an hour."""
        day, within = divmod(now_us + self._offset_us, DAY_US)
        slot = within // HALF_HOUR_US
        return (self._cumulative[slot + 1] - self._cumulative[slot]) * self._day(day) * 2

    def _day(self, day: int) -> float:
        spread = self._curve.spread
        return self._curve.daily * (1 + random.Random(f"{self._stream}/{day}").uniform(-spread, spread))

    def _through(self, day: int) -> float:
        while len(self._days) <= day:
            self._days.append(self._days[-1] + self._day(len(self._days) - 1))
        return self._days[day]
