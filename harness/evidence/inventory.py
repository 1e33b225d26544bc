"""The inventory against the devices: what they were commissioned with is what they last said they run."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.eui64 import format_eui64
from harness.evidence.finding import Finding, stated
from harness.evidence.record import Record
from harness.facts import Outcome
from harness.facts.enrolment import Commissioned
from harness.facts.firmware import VersionReadBack
from harness.regime.case import inventory_version
from hw_profiles.installation import Installation
from hw_profiles.model import Model


def check_inventory(record: Record, installation: Installation) -> Iterator[Finding]:
    """Yield whether the firmware of every commissioned device is the version read back from it before."""
    models = {
        format_eui64(entry.address): installation.models[entry.name] for entry in installation.record.devices
    }
    read: dict[str, int] = {}
    faults: list[str] = []
    commissioned = 0
    for fact in record.facts:
        if isinstance(fact, VersionReadBack):
            read[fact.subject] = fact.version
        elif isinstance(fact, Outcome) and isinstance(fact.result, Commissioned):
            commissioned += 1
            faults += _unlike(fact.subject, fact.result, models.get(fact.subject), read.get(fact.subject))
    yield from stated(
        "inventory", faults, f"{commissioned} devices commissioned with the firmware read back from them"
    )


def _unlike(device: str, end: Commissioned, model: Model | None, version: int | None) -> Iterator[str]:
    if model is None:
        yield f"{device} is commissioned, and is none of the installation's devices"
        return
    if version is None:
        return  # A device without an OTA client has no say; the profile's version stands.
    name = inventory_version(model, version)
    if name != end.firmware:
        yield f"{device} is commissioned with firmware {end.firmware}, and said that it runs {name}"
