"""Billing registers of a meter: what the firmware makes of the metrology's pulse count, kept through power cuts.

The firmware stores the register with the pulse count it stands for at every half hour and before it resets itself.
After a start it adds the pulses counted since, and fills in the half hours it slept through, so that neither an
upgrade nor a power cut loses consumption or leaves a gap in the profile.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from emulator.clock.kernel import MICROSECONDS, Scope
from emulator.devices.metrology import Metrology
from emulator.nonvolatile import NonVolatile

_SNAPSHOT = Struct("<QQQ")
_PROFILE_ENTRY = Struct("<IQ")
_KEY = "register.snapshot"
HALF_HOUR_S = 1800
ROLL_OVER = (1 << 48) - 1
"""A 48-bit register counts to one below the value that says "no value", then starts again at nought."""
PROFILE_CAPACITY = 19_056
"""Half-hourly entries kept: thirteen months (fact sheet 1.3)."""


class ProfileEntry(NamedTuple):
    """The register at the end of a half hour; `unix_seconds` is that end."""

    unix_seconds: int
    register: int


class Registers:
    """The import register and its half-hourly profile."""

    def __init__(self, scope: Scope, nonvolatile: NonVolatile, metrology: Metrology, initial: int) -> None:
        """`initial` is the register, in register units, when the meter was new to this scenario."""
        self._scope = scope
        self._nonvolatile = nonvolatile
        self._metrology = metrology
        stored = nonvolatile.get(_KEY)
        if stored is None:
            self._register, self._count = initial, metrology.count(scope.now)
        else:
            self._register, self._count, stored_us = _SNAPSHOT.unpack(stored)
            self._fill_in(stored_us)
        self.store()
        self._await_half_hour()

    @property
    def active_import(self) -> int:
        """The import register now, in register units."""
        return self._at(self._scope.now)

    @property
    def demand(self) -> float:
        """Present flow in kWh or m3 an hour."""
        return self._metrology.demand(self._scope.now)

    def store(self) -> None:
        """Write the register and its pulse count to non-volatile memory."""
        self._store_at(self._scope.now)

    def profile(self) -> list[ProfileEntry]:
        """Return the half-hourly entries, oldest first."""
        entries = (self._nonvolatile.get(key) for key in self._nonvolatile.keys("profile."))
        return sorted(
            ProfileEntry(*_PROFILE_ENTRY.unpack(octets)) for octets in entries if octets is not None
        )

    def _store_at(self, now_us: int) -> None:
        count = self._metrology.count(now_us)
        self._register, self._count = self._at(now_us), count
        self._nonvolatile.put(_KEY, _SNAPSHOT.pack(self._register, self._count, now_us))

    def _at(self, now_us: int) -> int:
        return (self._register + self._metrology.count(now_us) - self._count) % ROLL_OVER

    def _fill_in(self, stored_us: int) -> None:
        """Enter the half hours that ended since `stored_us`, while the processor was not running."""
        due_us = self._next_half_hour(stored_us)
        oldest_us = self._scope.now - PROFILE_CAPACITY * HALF_HOUR_S * MICROSECONDS
        while due_us <= self._scope.now:
            if due_us >= oldest_us:
                self._enter(due_us)
            due_us += HALF_HOUR_S * MICROSECONDS

    def _next_half_hour(self, now_us: int) -> int:
        """Return the first half hour of UTC after `now_us`, as scenario time."""
        ended = self._unix_seconds(now_us) // HALF_HOUR_S
        return ((ended + 1) * HALF_HOUR_S - self._unix_seconds(0)) * MICROSECONDS

    def _unix_seconds(self, now_us: int) -> int:
        return self._scope.unix_seconds + now_us // MICROSECONDS - self._scope.now // MICROSECONDS

    def _await_half_hour(self) -> None:
        self._scope.call_at(self._next_half_hour(self._scope.now), self._half_hour)

    def _half_hour(self) -> None:
        self._enter(self._scope.now)
        self._await_half_hour()

    def _enter(self, end_us: int) -> None:
        """Store the register as it stood at `end_us`, the end of a half hour, with its profile entry."""
        unix_seconds = self._unix_seconds(end_us)
        register = self._at(end_us)
        slot = unix_seconds // HALF_HOUR_S % PROFILE_CAPACITY
        # The entry first: a half hour is filled in again unless the snapshot says it is past.
        self._nonvolatile.put(f"profile.{slot:05d}", _PROFILE_ENTRY.pack(unix_seconds, register))
        self._store_at(end_us)
