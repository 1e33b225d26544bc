"""Faults of a home that happen at a time: power, radio and wide-area link.

The schedule counts in seconds of the scenario and is the same in every life of a world: a home reopened after its
process was killed finds what lasts still in force, what is over left out, and the rest still to come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from emulator.air.medium import Medium
from emulator.clock.kernel import MICROSECONDS, Scope
from emulator.wan.link import WanLink
from hw_profiles.faults import Fault, FaultName
from hw_profiles.installation import DeviceEntry, Installation
from hw_profiles.model import DeviceKind

OFF_S = 60.0
OUTAGE_S = 3600.0
FOR_GOOD_S = 1e9


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

    async def power_cycle_hub(self, off_s: float) -> None:
        """Cut the hub's power for a while."""

    def restore_links(self) -> None:
        """Give the air the walls and distances of the installation again."""


class _Event(NamedTuple):
    """Something to do from `begin_us` on, undone at `end_us`; without an end it lasts."""

    begin_us: int
    end_us: int | None
    begin: Callable[[], None]
    end: Callable[[], None] | None = None


class FaultSchedule:
    """The timed faults of one home, in one life of its process."""

    def __init__(self, scope: Scope, home: FaultyHome) -> None:
        """`scope` carries the timers; nothing happens before `start`."""
        self._scope = scope
        self._home = home
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, installed_us: int) -> None:
        """Arm every fault; those due before `installed_us` happen then."""
        for event in self._events(installed_us):
            if event.end_us is not None and event.end_us <= self._scope.now:
                continue
            self._scope.call_at(max(event.begin_us, self._scope.now), event.begin)
            if event.end_us is not None and event.end is not None:
                self._scope.call_at(event.end_us, event.end)

    def stop(self) -> None:
        """Give up what is under way: the home is being switched off."""
        for task in self._tasks:
            task.cancel()

    def _events(self, installed_us: int) -> Iterator[_Event]:
        for entry in self._home.installation.record.devices:
            for fault in entry.faults:
                begin_us = max(int(fault.at_s * MICROSECONDS), installed_us)
                event = self._event(entry, fault, begin_us)
                if event is not None:
                    yield event

    def _event(self, entry: DeviceEntry, fault: Fault, begin_us: int) -> _Event | None:
        home, name = self._home, entry.name
        seconds = fault.number("for_s", 0.0)
        end_us = begin_us + int(seconds * MICROSECONDS) if seconds else None
        match fault.name:
            case FaultName.POWER_CUT:
                return self._power_cut(entry, fault.number("off_s", OFF_S), begin_us)
            case FaultName.UNPLUGGED if entry.role is DeviceKind.CHF:
                return _Event(begin_us, None, lambda: self._spawn(home.power_cycle_hub(FOR_GOOD_S)))
            case FaultName.UNPLUGGED:
                return _Event(begin_us, None, home.devices[name].power_off)
            case FaultName.OUT_OF_RANGE:
                return _Event(begin_us, end_us, lambda: self._cut_off(entry), lambda: self._give_back(entry))
            case FaultName.LINK_LOSS:
                loss = fault.number("loss", 1.0)
                return _Event(
                    begin_us, end_us, lambda: self._lose(entry, loss), lambda: self._give_back(entry)
                )
            case FaultName.WAN_OUTAGE:
                end_us = begin_us + int(fault.number("for_s", OUTAGE_S) * MICROSECONDS)
                return _Event(begin_us, end_us, lambda: self._wan(False), lambda: self._wan(True))
        return None

    def _power_cut(self, entry: DeviceEntry, off_s: float, begin_us: int) -> _Event:
        home = self._home
        end_us = begin_us + int(off_s * MICROSECONDS)
        if entry.role is DeviceKind.CHF:
            return _Event(begin_us, end_us, lambda: self._spawn(home.power_cycle_hub(off_s)))
        device = home.devices[entry.name]
        return _Event(begin_us, end_us, device.power_off, device.power_on)

    def _cut_off(self, entry: DeviceEntry) -> None:
        for other in self._others(entry):
            self._home.medium.set_link(entry.address, other, audible=False)

    def _lose(self, entry: DeviceEntry, loss: float) -> None:
        for other in self._others(entry):
            self._home.medium.set_link(entry.address, other, loss=loss)

    def _give_back(self, entry: DeviceEntry) -> None:
        for other in self._others(entry):
            self._home.medium.clear_link(entry.address, other)
        self._home.restore_links()

    def _others(self, entry: DeviceEntry) -> Iterator[int]:
        return (other.address for other in self._home.installation.record.devices if other is not entry)

    def _wan(self, up: bool) -> None:
        self._home.link.up = up

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))
