"""Why a device does not run an image, in its own words: its event log, fetched by the hub after a failure."""

from __future__ import annotations

from collections.abc import Sequence

from emulator.eui64 import format_eui64
from emulator.wan import operations as wan
from emulator.wan.results import LoggedEvent
from harness.campaign.context import Context
from harness.facts.firmware import DeviceReason
from harness.head_end import HubRefusedError, HubUnreachableError
from hw_profiles.installation import DeviceEntry
from hw_profiles.model import Event

REASONS = frozenset({Event.FIRMWARE_VERIFICATION_FAILED, Event.FIRMWARE_REJECTED, Event.FIRMWARE_CANCELLED})
"""What a device logs when it does not run an image."""
_LONGEST = 200
"""Characters of an entry's detail that are kept: it is the device's own text."""


async def device_reasons(context: Context, entry: DeviceEntry) -> list[DeviceReason]:
    """Journal and return what a device's log says against an image since the scenario began, each reason once.

    A device that says nothing, or that cannot be asked any more, has no reasons: it is asked once.
    """
    device = format_eui64(entry.address)
    try:
        answer = await context.head_end.call(wan.DeviceLog(device))
    except (HubRefusedError, HubUnreachableError):
        return []
    latest: dict[tuple[str, str], DeviceReason] = {}
    for logged in answer.entries:
        reason = _reason(device, logged)
        if reason.event in REASONS and reason.unix_seconds >= context.installation.start_unix_seconds:
            latest[reason.event, reason.detail] = reason
    for reason in latest.values():
        context.journal.write(reason)
    return list(latest.values())


def telling(reasons: Sequence[DeviceReason]) -> list[str]:
    """Return the words of the reasons that say more than a version, of all when none does."""
    return [each.words for each in reasons if " " in each.detail] or [each.words for each in reasons]


def _reason(device: str, logged: LoggedEvent) -> DeviceReason:
    detail = "".join(sign if sign.isprintable() else " " for sign in logged.detail)[:_LONGEST]
    return DeviceReason(device, logged.number, logged.unix_seconds, logged.event, detail)
