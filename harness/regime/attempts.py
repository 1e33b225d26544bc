"""What becomes of an attempt that did not succeed: another one after a pause or on another day, or none."""

from __future__ import annotations

from collections.abc import Sequence

from harness.facts.enrolment import EnrolmentProblem
from harness.facts.terms import Event, Retry
from harness.regime.dossier import Stage
from hw_profiles.model import DeviceKind

DAY_US = 86_400 * 1_000_000
_LEFT_OUT = (DeviceKind.GSME, DeviceKind.IHD, DeviceKind.CAD)
"""Kinds that hold no other device up."""


class Attempts(Stage):
    """Between two attempts at a migration."""

    async def consider(self) -> Event:
        """Decide what a failed attempt leads to, by what it failed for and how many have."""
        ways = {problem.retry for problem in self._in_the_way()}
        if Retry.NEVER in ways:
            category = next(each.text for each in self._in_the_way() if each.retry is Retry.NEVER)
            self._regime.commissioning_party.exclude(self._case.mpan, category)
            return Event.EXCLUDE
        if self._dossier.standing.failures >= self._dossier.parameters.attempts_before_exclusion:
            return Event.TOO_MANY_ATTEMPTS
        return Event.RETRY if ways == {Retry.AUTOMATIC} else Event.NEEDS_RESOLUTION

    def _in_the_way(self) -> Sequence[EnrolmentProblem]:
        """Return this attempt's problems but those of devices that hold nobody up, unless there are no others."""
        kinds = {device.name: device.kind for device in self._case.devices}
        attempt = self._dossier.standing.attempt
        met = [each for each in self._journal.facts(EnrolmentProblem) if each.attempt == attempt]
        return [each for each in met if kinds.get(each.subject) not in _LEFT_OUT] or met

    async def pause(self) -> Event:
        """Let the hours between two attempts pass."""
        hours = self._dossier.parameters.migration_retry_hours
        await self._dossier.wait_until(self._dossier.standing.since_us + hours * 3_600_000_000)
        return Event.PAUSE_OVER

    async def next_day(self) -> Event:
        """Wait for a day with capacity of its own, for as many days as the regime has patience."""
        standing = self._dossier.standing
        if standing.deferrals > self._dossier.parameters.deferrals:
            return Event.PATIENCE_ENDED
        clock = self._regime.office.clock
        passed_of_day_us = (clock.unix_us - clock.now + standing.since_us) % DAY_US
        await self._dossier.wait_until(standing.since_us + DAY_US - passed_of_day_us)
        return Event.DAY_BEGUN
