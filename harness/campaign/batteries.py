"""What the campaign cost the batteries: the charge that battery devices report before and after their firmware."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.eui64 import format_eui64
from emulator.smart_energy.clusters import attribute_ids
from emulator.zcl.identifiers import POWER_CONFIGURATION
from harness.campaign.context import Context, NoAnswerError
from harness.facts.discovery import BatteryRead
from harness.facts.terms import Reading
from harness.head_end import HubUnreachableError
from harness.journal import Journal
from hw_profiles.installation import DeviceEntry
from hw_profiles.model import PowerSource

(PERCENTAGE_REMAINING,) = attribute_ids(POWER_CONFIGURATION, "battery_percentage_remaining")
_UNKNOWN = 0xFF


async def note_batteries(context: Context, when: Reading) -> None:
    """Read and journal the charge of every battery device that has not been read for `when`.

    A device that gives no answer is journalled without one: the campaign goes on. BatteryPercentageRemaining
    counts half percents (ZCL 3.3.2.2.3).
    """
    for entry in _battery_devices(context):
        name = format_eui64(entry.address)
        if not _noted(context.journal, name, when):
            context.journal.write(await _charge(context, entry, when))


def _battery_devices(context: Context) -> Iterator[DeviceEntry]:
    for entry in context.installation.record.devices:
        battery = context.installation.models[entry.name].node.power_source is PowerSource.BATTERY
        if battery and context.found_of(entry).endpoint_serving(POWER_CONFIGURATION) is not None:
            yield entry


def _noted(journal: Journal, name: str, when: Reading) -> bool:
    return any((read.subject, read.when) == (name, when) for read in journal.facts(BatteryRead))


async def _charge(context: Context, entry: DeviceEntry, when: Reading) -> BatteryRead:
    name = format_eui64(entry.address)
    endpoint = context.found_of(entry).endpoint_serving(POWER_CONFIGURATION)
    assert endpoint is not None
    try:
        halves = await context.read(entry, endpoint, POWER_CONFIGURATION, PERCENTAGE_REMAINING)
    except (NoAnswerError, HubUnreachableError) as error:
        return BatteryRead(name, when, None, str(error))
    if not isinstance(halves, int) or halves == _UNKNOWN:
        return BatteryRead(name, when, None, f"the device says {halves}")
    return BatteryRead(name, when, halves)
