"""What the devices of a home run, by what they themselves have said: read back after an upgrade, else when found."""

from __future__ import annotations

from emulator.eui64 import format_eui64
from harness.facts.discovery import Found
from harness.facts.enrolment import Eligible
from harness.facts.firmware import VersionReadBack
from harness.journal import Journal
from harness.regime.case import EnrolmentCase, case_of
from hw_profiles.installation import Installation


def running_versions(installation: Installation, journal: Journal) -> dict[str, int]:
    """Return the 32-bit OTA version that each device last said it runs, by name; none for one that has no say in it."""
    said: dict[str, int] = {}
    for entry in journal.entries():
        match entry.fact:
            case Found(version=int(version)) | VersionReadBack(version=version):
                said[entry.subject] = version
            case Eligible():
                # What was found eligible is enrolled; whatever contradicts it later stops the run.
                break
    names = {format_eui64(entry.address): entry.name for entry in installation.record.devices}
    return {names[subject]: version for subject, version in said.items() if subject in names}


def case_as_it_runs(installation: Installation, journal: Journal) -> EnrolmentCase:
    """Return the enrolment case with the firmware that the devices run."""
    return case_of(installation, running_versions(installation, journal))
