"""The faults of a rehearsal: what the installation file asks for must be able to happen as it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from emulator.faults.schedule import OFF_S, OUTAGE_S
from harness.campaign.readiness.finding import Finding
from hw_profiles.faults import FIRMWARE_FAULTS, Fault, FaultName
from hw_profiles.installation import DeviceEntry, Installation

FOR_GOOD = float("inf")
_KINDS: Mapping[FaultName, str] = MappingProxyType(
    {
        FaultName.POWER_CUT: "power",
        FaultName.UNPLUGGED: "power",
        FaultName.OUT_OF_RANGE: "range",
        FaultName.LINK_LOSS: "range",
        FaultName.WAN_OUTAGE: "wide-area link",
    }
)
"""What a timed fault takes away; two that take away the same at the same time contradict each other at the end of
the first.
"""


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
            if fault.name in _KINDS:
                kind = _KINDS[fault.name]
                # There is one wide-area link, whichever device its outage is written at.
                key = (kind, "" if kind == "wide-area link" else entry.name)
                spells.setdefault(key, []).append(_Spell(fault.at_s, _end_s(fault), place, fault))
        yield from _doubled(installation, index, entry)
    for (kind, _), of_kind in spells.items():
        yield from _overlapping(kind, sorted(of_kind, key=lambda spell: (spell.begin_s, spell.end_s)))


def _end_s(fault: Fault) -> float:
    match fault.name:
        case FaultName.POWER_CUT:
            return fault.at_s + fault.number("off_s", OFF_S)
        case FaultName.WAN_OUTAGE:
            return fault.at_s + fault.number("for_s", OUTAGE_S)
        case FaultName.UNPLUGGED:
            return FOR_GOOD
        case _:
            lasts = fault.number("for_s", 0.0)
            return fault.at_s + lasts if lasts else FOR_GOOD


def _overlapping(kind: str, spells: list[_Spell]) -> Iterator[Finding]:
    earlier = spells[0]
    for later in spells[1:]:
        if later.begin_s < earlier.end_s:
            end = "for good" if earlier.end_s == FOR_GOOD else f"until {earlier.end_s:g} s"
            yield Finding(
                later.place,
                f"{later.fault.name} at {later.begin_s:g} s",
                f"a time when no other fault has the {kind}: {earlier.fault.name} lasts {end}",
                f"see {earlier.place.rpartition(': ')[2]}; join the two or move one",
            )
        earlier = max(earlier, later, key=lambda spell: spell.end_s)


def _impossible(
    installation: Installation, entry: DeviceEntry, fault: Fault, place: str
) -> Iterator[Finding]:
    model = installation.models[entry.name]
    if fault.name in FIRMWARE_FAULTS and model.ota is None:
        expected = f"a fault that {entry.name} can have: {model.id} takes no firmware over the air"
        yield Finding(place, fault.name, expected, "give it to a meter")


def _doubled(installation: Installation, index: int, entry: DeviceEntry) -> Iterator[Finding]:
    names = [fault.name for fault in entry.faults if fault.name in FIRMWARE_FAULTS]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            place = f"{installation.path}: devices[{index}].faults"
            yield Finding(
                place, f"{names.count(name)} times {name}", "each fault of a download once", "leave one"
            )
