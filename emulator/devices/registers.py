"""Billing registers of a meter: what the firmware makes of the metrology's pulse count, kept through power cuts.

The firmware stores the register with the pulse count it stands for at every half hour and before it resets itself.
After a start it adds the pulses counted since, so that neither an upgrade nor a power cut loses consumption.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from emulator.clock.kernel import Scope
from emulator.devices.metrology import HALF_HOUR_US, Metrology
from emulator.nonvolatile import NonVolatile

_SNAPSHOT = Struct("<QQ")
_PROFILE_ENTRY = Struct("<IQ")
_KEY = "register.snapshot"
PROFILE_CAPACITY = 19_056
"""Half-hourly entries kept: thirteen months (fact sheet 1.3)."""


class ProfileEntry(NamedTuple):
    """The register at the end of a half hour; `unix_seconds` is that end."""

    unix_seconds: int
    register: int


class Registers:
    """The import register and its half-hourly profile."""

    def __init__(
        self,
        scope: Scope,
        nonvolatile: NonVolatile,
        metrology: Metrology,
        initial: int,
        *,
        store_profile: bool = True,
    ) -> None:
        """`initial` is the register, in register units, when the meter was new to this scenario."""
        self._scope = scope
        self._nonvolatile = nonvolatile
        self._metrology = metrology
        stored = nonvolatile.get(_KEY)
        if stored is None:
            self._register, self._count = initial, metrology.count(scope.now)
            self.store()
        else:
            self._register, self._count = _SNAPSHOT.unpack(stored)
        self._store_profile = store_profile
        self._await_half_hour()

    @property
    def active_import(self) -> int:
        """The import register now, in register units."""
        return self._register + self._metrology.count(self._scope.now) - self._count

    @property
    def demand(self) -> float:
        """Present flow in kWh or m3 an hour."""
        return self._metrology.demand(self._scope.now)

    def store(self) -> None:
        """Write the register and its pulse count to non-volatile memory."""
        count = self._metrology.count(self._scope.now)
        self._register, self._count = self._register + count - self._count, count
        self._nonvolatile.put(_KEY, _SNAPSHOT.pack(self._register, self._count))

    def profile(self) -> list[ProfileEntry]:
        """Return the half-hourly entries, oldest first."""
        entries = (self._nonvolatile.get(key) for key in self._nonvolatile.keys("profile."))
        return sorted(
            ProfileEntry(*_PROFILE_ENTRY.unpack(octets)) for octets in entries if octets is not None
        )

    def _await_half_hour(self) -> None:
        self._scope.call_at(self._scope.now // HALF_HOUR_US * HALF_HOUR_US + HALF_HOUR_US, self._half_hour)

    def _half_hour(self) -> None:
        self.store()
        if self._store_profile:
            slot = self._scope.now // HALF_HOUR_US % PROFILE_CAPACITY
            entry = _PROFILE_ENTRY.pack(self._scope.unix_seconds, self._register)
            self._nonvolatile.put(f"profile.{slot:05d}", entry)
        self._await_half_hour()
