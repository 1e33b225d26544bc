"""Faults of a home that happen at a time: power, radio and wide-area link.

The schedule counts in seconds of the scenario and is the same in every life of a world: a home reopened after its
process was killed finds what lasts still in force, what is over left out, and the rest still to come.

Faults may overlap: each holds what it concerns while it lasts, and a device has power, a link is whole and the
wide-area link is up when nothing holds them down any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

from emulator.air.medium import Medium
from emulator.clock.kernel import MICROSECONDS, Scope
from emulator.wan.link import WanLink
from hw_profiles.faults import Fault, FaultName
from hw_profiles.installation import DeviceEntry, Installation
from hw_profiles.model import DeviceKind

OFF_S = 60.0
OUTAGE_S = 3600.0


class Powered(Protocol):
    """A device that can be switched on and off."""

    def power_on(self) -> None:
        """Apply power."""

    def power_off(self) -> None:
        """Cut the power."""


class FaultyHome(Protocol):
    """What faults need of a home."""

    installation: Installation
    medium: Medium
    link: WanLink

    @property
    def devices(self) -> Mapping[str, Powered]:
        """The devices but the hub, by name."""

    async def switch_hub(self, *, on: bool) -> None:
        """Give the hub power, or cut it; nothing when it is so already."""

    def restore_links(self) -> None:
        """Give the air the walls and distances of the installation again."""


_POWER = (FaultName.POWER_CUT, FaultName.UNPLUGGED)
_AIR = (FaultName.OUT_OF_RANGE, FaultName.LINK_LOSS)


class TimedFault(NamedTuple):
    """A fault in force from `begin_us` until `end_us`; without an end it lasts."""

    entry: DeviceEntry
    fault: Fault
    begin_us: int
    end_us: int | None


FaultObserver = Callable[[TimedFault, bool], None]
"""Hears of a fault that comes into force (True) or ends (False)."""


class FaultSchedule:
    """The timed faults of one home, in one life of its process."""

    def __init__(self, scope: Scope, home: FaultyHome) -> None:
        """`scope` carries the timers; nothing happens before `start`."""
        self.observer: FaultObserver = lambda timed, began: None
        self._scope = scope
        self._home = home
        self._active: list[TimedFault] = []
        self._unpowered: set[str] = set()
        self._hub = _HubSwitch(home)

    def start(self, installed_us: int) -> None:
        """Arm every fault; those due before `installed_us` happen then."""
        for timed in timed_faults(self._home.installation, installed_us):
            if timed.end_us is not None and timed.end_us <= self._scope.now:
                continue
            self._scope.call_at(max(timed.begin_us, self._scope.now), self._begin, timed)
            if timed.end_us is not None:
                self._scope.call_at(timed.end_us, self._end, timed)

    def stop(self) -> None:
        """Give up what is under way: the home is being switched off."""
        self._hub.stop()

    def _begin(self, timed: TimedFault) -> None:
        self._active.append(timed)
        self.observer(timed, True)
        self._apply(timed)

    def _end(self, timed: TimedFault) -> None:
        self._active.remove(timed)
        self.observer(timed, False)
        self._apply(timed)

    def _apply(self, changed: TimedFault) -> None:
        """Bring about what the faults in force come to, for what `changed` concerns."""
        name = changed.fault.name
        if name in _POWER:
            self._power(changed.entry)
        elif name in _AIR:
            self._air(changed.entry)
        else:
            self._home.link.up = not any(each.fault.name is FaultName.WAN_OUTAGE for each in self._active)

    def _power(self, entry: DeviceEntry) -> None:
        off = any(each.entry is entry and each.fault.name in _POWER for each in self._active)
        if entry.role is DeviceKind.CHF:
            self._hub.wanted(not off)
        elif off and entry.name not in self._unpowered:
            self._unpowered.add(entry.name)
            self._home.devices[entry.name].power_off()
        elif not off and entry.name in self._unpowered:
            self._unpowered.remove(entry.name)
            self._home.devices[entry.name].power_on()

    def _air(self, changed: DeviceEntry) -> None:
        """Give `changed` its links back, then take away what the faults in force take from anybody."""
        medium = self._home.medium
        for other in self._others(changed):
            medium.clear_link(changed.address, other)
        self._home.restore_links()
        # Out of range last: who hears nobody has no use for a loss.
        for name in reversed(_AIR):
            for timed in self._active:
                if timed.fault.name is name:
                    self._take_links(timed)

    def _take_links(self, timed: TimedFault) -> None:
        out_of_range = timed.fault.name is FaultName.OUT_OF_RANGE
        loss = None if out_of_range else timed.fault.number("loss", 1.0)
        for other in self._others(timed.entry):
            self._home.medium.set_link(timed.entry.address, other, audible=not out_of_range, loss=loss)

    def _others(self, entry: DeviceEntry) -> Iterator[int]:
        return (other.address for other in self._home.installation.record.devices if other is not entry)


class _HubSwitch:
    """Switches the hub one way after the other: it takes its time, and faults do not wait for it."""

    def __init__(self, home: FaultyHome) -> None:
        self._home = home
        self._on = self._wanted = True
        self._task: asyncio.Task[None] | None = None

    def wanted(self, on: bool) -> None:
        """Have the hub on or off, as soon as what is under way is done."""
        self._wanted = on
        if self._on is not on and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._switch())

    async def _switch(self) -> None:
        while self._on is not self._wanted:
            self._on = self._wanted
            await self._home.switch_hub(on=self._on)

    def stop(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()


def timed_faults(installation: Installation, installed_us: int) -> Iterator[TimedFault]:
    """Yield when each timed fault of an installation begins, not before `installed_us`, and ends."""
    for entry in installation.record.devices:
        for fault in entry.faults:
            lasts = _DURATIONS.get(fault.name)
            if lasts is None:
                continue
            begin_us = max(int(fault.at_s * MICROSECONDS), installed_us)
            seconds = lasts(fault)
            end_us = None if seconds is None else begin_us + int(seconds * MICROSECONDS)
            yield TimedFault(entry, fault, begin_us, end_us)


_DURATIONS: Mapping[FaultName, Callable[[Fault], float | None]] = {
    FaultName.POWER_CUT: lambda fault: fault.number("off_s", OFF_S),
    FaultName.UNPLUGGED: lambda _: None,
    FaultName.OUT_OF_RANGE: lambda fault: fault.number("for_s", 0.0) or None,
    FaultName.LINK_LOSS: lambda fault: fault.number("for_s", 0.0) or None,
    FaultName.WAN_OUTAGE: lambda fault: fault.number("for_s", OUTAGE_S),
}
"""How long each timed fault lasts, in seconds; None is for good."""
