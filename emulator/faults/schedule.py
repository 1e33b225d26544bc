"""Faults of a home that happen at a time: power, radio and wide-area link.

The schedule counts in seconds since the home first had power and is the same in every life of a world: a home
reopened after its process was killed finds what lasts still in force, what is over left out, and the rest still to
come.

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
from hw_profiles.faults import Effect, Fault
from hw_profiles.installation import DeviceEntry, Installation
from hw_profiles.model import DeviceKind


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

    def start(self, begun_us: int, installed_us: int) -> None:
        """Arm every fault, counted from `begun_us`; those due before `installed_us` happen then."""
        for timed in timed_faults(self._home.installation, begun_us, installed_us):
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
        match changed.fault.kind.effect:
            case Effect.NO_POWER:
                self._power(changed.entry)
            case Effect.NO_RANGE | Effect.LOSS:
                self._air(changed.entry)
            case Effect.NO_WAN:
                self._home.link.up = not any(self._in_force(Effect.NO_WAN))

    def _in_force(self, effect: Effect) -> Iterator[TimedFault]:
        return (each for each in self._active if each.fault.kind.effect is effect)

    def _power(self, entry: DeviceEntry) -> None:
        off = any(each.entry is entry for each in self._in_force(Effect.NO_POWER))
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
        for timed in self._in_force(Effect.LOSS):
            self._take_links(timed.entry, timed.fault.number("loss", 1.0))
        # Out of range last: who hears nobody has no use for a loss.
        for timed in self._in_force(Effect.NO_RANGE):
            self._take_links(timed.entry, None)

    def _take_links(self, entry: DeviceEntry, loss: float | None) -> None:
        for other in self._others(entry):
            self._home.medium.set_link(entry.address, other, audible=loss is not None, loss=loss)

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


def timed_faults(installation: Installation, begun_us: int, installed_us: int) -> Iterator[TimedFault]:
    """Yield when each timed fault of an installation begins and ends: counted from `begun_us`, none before
    `installed_us`.
    """
    for entry in installation.record.devices:
        for fault in entry.faults:
            if not fault.kind.takes:
                continue
            begin_us = max(begun_us + int(fault.at_s * MICROSECONDS), installed_us)
            seconds = fault.lasts_s
            end_us = None if seconds is None else begin_us + int(seconds * MICROSECONDS)
            yield TimedFault(entry, fault, begin_us, end_us)
