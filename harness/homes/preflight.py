"""What can be checked before first contact with a real meter, changing nothing; and what only hands can check."""

from __future__ import annotations

import shutil
import statistics
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import zigpy.types as t

from emulator.coordinator.ezsp_line import KEY_SLOTS
from emulator.coordinator.monikers import Moniker
from emulator.crypto.install_code import check_install_code
from emulator.errors import CryptoError
from emulator.eui64 import format_eui64
from harness.errors import HarnessError
from harness.homes.dongle import DongleReport, connected, inspect
from harness.homes.reality import refusal
from hw_profiles.installation import Installation
from hw_profiles.model import DeviceKind, Level

MINIMUM_FREE_OCTETS = 1 << 30
"""Room for a capture of days beside journal and images."""
NOISY = 0.6 * 255
"""Energy on zigpy's scale from which a channel is taken to be busy."""
SCAN_EXPONENT = 4


class Outcome(Enum):
    """How a check ended."""

    PASSED = "passed"
    NOTE = "note"
    FAILED = "failed"
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True)
class Check:
    """One check and what it found."""

    name: str
    outcome: Outcome
    text: str


BY_HAND = (
    ("labels", "EUI-64 and install code in the installation file are those on each device's label"),
    ("authority", "the responsible supplier's written instruction to work on this installation is at hand"),
    (
        "old hub",
        "the installation's own communications hub has no power: one address is never on the air twice",
    ),
    (
        "supply",
        "gas valve position and credit are noted, and the consumer knows that supply may be interrupted",
    ),
    (
        "battery",
        "the gas meter's battery is good for a download: its display or event log shows no low battery",
    ),
    ("capture", "a sniffer records the channel, so that first contact can be examined afterwards"),
)


def check_installation(installation: Installation) -> list[Check]:
    """Check what the files say of devices: install codes, models, and who may sign their firmware."""
    return [_install_codes(installation), _models(installation), _firmware_authorities(installation)]


def _install_codes(installation: Installation) -> Check:
    wrong = []
    for entry in installation.record.devices:
        if entry.role is DeviceKind.CHF or entry.joins_with_known_key:
            continue
        try:
            check_install_code(entry.install_code_octets)
        except CryptoError as error:
            wrong.append(f"{entry.name}: {error}")
    if wrong:
        return Check("install codes", Outcome.FAILED, "; ".join(wrong))
    return Check(
        "install codes", Outcome.PASSED, "every device that joins with one has it, and its check sum is right"
    )


def _models(installation: Installation) -> Check:
    """Models made of placeholders are for rehearsals: against a real meter they are guesses."""
    guessed = []
    for name, model in installation.models.items():
        sections = [key for key, each in model.confidence.items() if each.level is Level.PLACEHOLDER]
        if sections:
            guessed.append(f"{name} ({', '.join(sorted(sections))})")
    if guessed:
        return Check(
            "models",
            Outcome.NOTE,
            f"placeholders, not facts: {'; '.join(guessed)}; compare with the real device",
        )
    return Check("models", Outcome.PASSED, "no placeholder in any model")


def _firmware_authorities(installation: Installation) -> Check:
    """The private key of a rehearsal authority is published: a real meter that trusted it would take any firmware."""
    name = "firmware authorities"
    issuers = [each.issuer for each in installation.record.firmware_authorities if each.rehearsal]
    if issuers:
        said = f"anybody can sign as {', '.join(issuers)}, made for rehearsals; no real meter may trust it"
        return Check(name, Outcome.NOTE, said)
    return Check(name, Outcome.PASSED, "none of them is made for rehearsals")


def check_surroundings(installation: Installation, out: Path) -> list[Check]:
    """Check this machine: its clock and its disk."""
    return [_clock(installation, time.time()), _disk(out)]


def _clock(installation: Installation, now: float) -> Check:
    if now < installation.start_unix_seconds:
        begin = time.strftime("%Y-%m-%d", time.gmtime(installation.start_unix_seconds))
        return Check(
            "clock",
            Outcome.FAILED,
            f"this machine's clock is before the installation's start, {begin}; set it (NTP)",
        )
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    return Check("clock", Outcome.PASSED, f"{shown}; meters will take their time from it")


def _disk(out: Path) -> Check:
    folder = next(each for each in (out, *out.resolve().parents) if each.exists())
    if not folder.is_dir():
        return Check(
            "disk", Outcome.FAILED, f"{folder} is no folder that run folders can go into; choose another"
        )
    free = shutil.disk_usage(folder).free
    outcome = Outcome.PASSED if free >= MINIMUM_FREE_OCTETS else Outcome.FAILED
    return Check(
        "disk", outcome, f"{free / (1 << 30):.1f} GiB free for {out}, {MINIMUM_FREE_OCTETS >> 30} GiB wanted"
    )


async def check_radio(installation: Installation, moniker: Moniker, *, declared: bool) -> list[Check]:
    """Check the dongle: whether it answers, who it is, what it can do, which network it holds, how busy the air is.

    `declared` is whether the user says that nothing real is within its reach.
    """
    if moniker.is_here:
        return [Check("radio", Outcome.NOTE, f"{moniker} is emulated in this process; nothing to check")]
    control_keys = _control_keys(moniker, declared=declared)
    try:
        report = await inspect(moniker.address)
    except HarnessError as error:
        return [Check("radio", Outcome.FAILED, str(error)), control_keys]
    checks = [_radio(report), _address(installation, report), _network(report), _key_establishment(report)]
    return [*checks, _slots(installation), await _noise(installation, moniker), control_keys]


def _radio(report: DongleReport) -> Check:
    firmware = report.firmware or "firmware unknown"
    return Check("radio", Outcome.PASSED, f"EZSP {report.protocol_version}, {firmware}")


def _address(installation: Installation, report: DongleReport) -> Check:
    hub = format_eui64(installation.hub.address)
    found = report.eui64.replace(":", "-").upper()
    if found == hub:
        return Check("address", Outcome.PASSED, f"the dongle is the installation's hub, {hub}")
    return Check(
        "address",
        Outcome.FAILED,
        f"the dongle is {found}, the installation's hub {hub}; restore the hub's backup or correct the file",
    )


def _network(report: DongleReport) -> Check:
    if report.network is None:
        return Check("network", Outcome.PASSED, "the dongle is on no network; the campaign forms one")
    return Check(
        "network",
        Outcome.NOTE,
        f"the dongle holds {report.network}; a campaign uses it only if it is the hub's own",
    )


def _key_establishment(report: DongleReport) -> Check:
    where = (
        "the dongle has it" if report.cbke or report.cbke_283k1 else "the dongle has none; the host does it"
    )
    return Check("key establishment", Outcome.PASSED, where)


def _slots(installation: Installation) -> Check:
    devices = len(installation.record.devices) - 1
    outcome = Outcome.PASSED if devices <= KEY_SLOTS else Outcome.FAILED
    return Check("key slots", outcome, f"{devices} devices, room for {KEY_SLOTS} link keys")


async def _noise(installation: Installation, moniker: Moniker) -> Check:
    """Listen on the network's channel, or all; nothing is sent."""
    wanted = installation.record.network.channel
    channels = t.Channels(1 << wanted) if wanted else t.Channels.ALL_CHANNELS
    try:
        async with connected(moniker.address) as application:
            levels = await application.energy_scan(channels=channels, duration_exp=SCAN_EXPONENT, count=3)
    except Exception as error:
        # A dongle that cannot listen now is no reason to refuse it; that nothing was measured is said.
        return Check("channel", Outcome.NOTE, f"not measured: {str(error) or repr(error)}")
    worst = max(levels, key=lambda channel: levels[channel])
    text = f"energy {statistics.mean(levels.values()) / 255:.0%}, channel {int(worst)} the busiest"
    return Check("channel", Outcome.NOTE if levels[worst] > NOISY else Outcome.PASSED, text)


def _control_keys(moniker: Moniker, *, declared: bool) -> Check:
    """Say what `run` will say of this radio."""
    why = refusal(moniker, declared=declared)
    if why is not None:
        return Check("control keys", Outcome.FAILED, why)
    return Check(
        "control keys", Outcome.NOTE, "rehearsal keys: for emulated devices and specimens keyed for it"
    )


def by_hand() -> list[Check]:
    """Return what only a person can check."""
    return [Check(name, Outcome.BY_HAND, text) for name, text in BY_HAND]
