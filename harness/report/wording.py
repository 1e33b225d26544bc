"""How a report says things: times, durations, sizes, and names of devices, in words a reader expects."""

from __future__ import annotations

from datetime import UTC, datetime

from emulator.clock.kernel import MICROSECONDS
from harness.facts.terms import Verdict
from harness.report.model import CampaignReport, DeviceReport
from hw_profiles.model import DeviceKind

ROLE_NAMES = {
    DeviceKind.CHF: "Communications hub",
    DeviceKind.ESME: "Electricity meter",
    DeviceKind.GSME: "Gas meter",
    DeviceKind.IHD: "In-home display",
    DeviceKind.CAD: "Consumer access device",
}

VERDICTS = {
    Verdict.COMMISSIONED: ("Commissioned", "Every meter is on its target firmware, configured and enrolled."),
    Verdict.ELECTRICITY_ONLY: (
        "Electricity only",
        "The electricity meter is enrolled; the gas meter is not.",
    ),
    Verdict.NOT_MIGRATED: ("Not migrated", "The installation stays with its old head end."),
    Verdict.RETURNED: (
        "Back to its supplier",
        "The DCC upgrades dormant installations only; this one is active.",
    ),
    Verdict.PLANNED: ("Planned", "A rehearsal of the plan: nothing was changed on any device."),
    Verdict.STOPPED: ("Stopped", "The campaign stopped before its end and can be resumed."),
}


def moment(report: CampaignReport, at_us: int | None) -> str:
    """Return a virtual time as a UTC date and time, `1 Jan 2026 14:05:09`."""
    if at_us is None:
        return "not yet"
    when = _datetime(report, at_us)
    return f"{when.day} {when:%b %Y %H:%M:%S}"


def day(report: CampaignReport, at_us: int) -> str:
    """Return the day of a virtual time, `1 Jan`."""
    when = _datetime(report, at_us)
    return f"{when.day} {when:%b}"


def clock(report: CampaignReport, at_us: int) -> str:
    """Return the time of day of a virtual time, `14:05`, with seconds only when there are any."""
    when = _datetime(report, at_us)
    return f"{when:%H:%M:%S}" if when.second else f"{when:%H:%M}"


def _datetime(report: CampaignReport, at_us: int) -> datetime:
    return datetime.fromtimestamp(report.epoch_unix_seconds + at_us // MICROSECONDS, tz=UTC)


_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def duration(microseconds: int) -> str:
    """Return a duration rounded to its two largest units: `2 d 4 h`, `3 h 12 min`, `42 s`, `7 ms`."""
    seconds = round(microseconds / MICROSECONDS)
    if microseconds < MICROSECONDS:
        return f"{microseconds // 1000} ms"
    first = _largest_unit(seconds)
    finest = _UNITS[min(first + 1, len(_UNITS) - 1)][0]
    seconds = (seconds + finest // 2) // finest * finest
    # Rounding may have filled the next larger unit: 23 h 59.8 min are 1 d.
    first = _largest_unit(seconds)
    size, unit = _UNITS[first]
    words = [f"{seconds // size} {unit}"]
    for lesser_size, lesser_unit in _UNITS[first + 1 : first + 2]:
        if lesser := seconds % size // lesser_size:
            words.append(f"{lesser} {lesser_unit}")
    return " ".join(words)


def _largest_unit(seconds: int) -> int:
    return next(index for index, (size, _) in enumerate(_UNITS) if seconds >= size)


def octets(count: int) -> str:
    """Return a size: `812 B`, `239.9 kB`, `1.20 MB`."""
    if count < 1_000:
        return f"{count} B"
    return f"{count / 1e3:.1f} kB" if count < 1_000_000 else f"{count / 1e6:.2f} MB"


def device_name(device: DeviceReport) -> str:
    """Return what a device is, in words."""
    return ROLE_NAMES[device.role]


def named_device(role: DeviceKind, eui64: str) -> str:
    """Return a device as a line of its own names it: `Gas meter (\u202690-A2)`."""
    return f"{ROLE_NAMES[role]} (\u2026{eui64[-5:]})"


def device_model(device: DeviceReport) -> str:
    """Return manufacturer and model, the manufacturer once: titles often begin with it."""
    if device.model.lower().startswith(device.manufacturer.lower()):
        return device.model
    return f"{device.manufacturer} {device.model}"


def subject_name(report: CampaignReport, subject: str) -> str:
    """Return the words for a subject: the kind of a device of this home, else the party as it is named."""
    kinds = [device.role for device in report.devices]
    for device in report.devices:
        if subject == device.eui64:
            many = kinds.count(device.role) > 1
            return f"{device_name(device)} {device.eui64[-5:]}" if many else device_name(device)
    return "Campaign" if subject in ("", "campaign") else subject


def network_clock(at_us: int) -> str:
    """Return a virtual time since the start in fixed columns: `2d 03:14:05`."""
    seconds = at_us // MICROSECONDS
    return f"{seconds // 86_400}d {seconds // 3_600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def versions_on_the_way(device: DeviceReport) -> tuple[str, ...]:
    """Return every version a device is planned to run, from the one before to its target; empty when none is due."""
    hops = device.planned_hops
    return (hops[0].from_display, *(hop.display for hop in hops)) if hops else ()
