"""The faults of a rehearsal: what the installation file asks for must be able to happen as it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from harness.campaign.readiness.finding import Finding
from hw_profiles.faults import WAN, Fault
from hw_profiles.installation import DeviceEntry, Installation

FOR_GOOD = float("inf")


class _Spell(NamedTuple):
    """A fault while it lasts, in seconds of the scenario."""

    begin_s: float
    end_s: float
    place: str
    fault: Fault


def check_faults(installation: Installation) -> Iterator[Finding]:
    """Yield faults that overlap, that the device cannot have, or of which one would hide another."""
    spells: dict[tuple[str, str], list[_Spell]] = {}
    for index, entry in enumerate(installation.record.devices):
        for number, fault in enumerate(entry.faults):
            place = f"{installation.path}: devices[{index}].faults[{number}]"
            yield from _impossible(installation, entry, fault, place)
            if fault.kind.takes:
                # There is one wide-area link, whichever device its outage is written at.
                key = (fault.kind.takes, "" if fault.kind.takes == WAN else entry.name)
                spells.setdefault(key, []).append(_Spell(fault.at_s, _end_s(fault), place, fault))
        yield from _doubled(installation, index, entry)
    for (taken, _), alike in spells.items():
        yield from _overlapping(taken, sorted(alike, key=lambda spell: (spell.begin_s, spell.end_s)))


def _end_s(fault: Fault) -> float:
    return FOR_GOOD if fault.lasts_s is None else fault.at_s + fault.lasts_s


def _overlapping(taken: str, spells: list[_Spell]) -> Iterator[Finding]:
    earlier = spells[0]
    for later in spells[1:]:
        if later.begin_s < earlier.end_s:
            end = "for good" if earlier.end_s == FOR_GOOD else f"until {earlier.end_s:g} s"
            yield Finding(
                later.place,
                f"{later.fault.name} at {later.begin_s:g} s",
                f"a time when no other fault has the {taken}: {earlier.fault.name} lasts {end}",
                f"see {earlier.place.rpartition(': ')[2]}; join the two or move one",
            )
        earlier = max(earlier, later, key=lambda spell: spell.end_s)


def _impossible(
    installation: Installation, entry: DeviceEntry, fault: Fault, place: str
) -> Iterator[Finding]:
    model = installation.models[entry.name]
    if not fault.kind.takes and model.ota is None:
        expected = f"a fault that {entry.name} can have: {model.id} takes no firmware over the air"
        yield Finding(place, fault.name, expected, "give it to a meter")


def _doubled(installation: Installation, index: int, entry: DeviceEntry) -> Iterator[Finding]:
    names = [fault.name for fault in entry.faults if not fault.kind.takes]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            place = f"{installation.path}: devices[{index}].faults"
            yield Finding(
                place, f"{names.count(name)} times {name}", "each fault of a download once", "leave one"
            )
