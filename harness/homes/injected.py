"""Faults of a rehearsal go into the journal as what they are: put there, not met."""

from __future__ import annotations

from emulator.eui64 import format_eui64
from emulator.faults.schedule import TimedFault
from harness.facts.faults import Injected, InjectionEnded
from harness.journal import Journal


def note_change(journal: Journal, timed: TimedFault, began: bool) -> None:
    """Note that a fault began or ended; one still in force when a run is resumed has been noted before."""
    device, fault = format_eui64(timed.entry.address), timed.fault
    fact: Injected | InjectionEnded = InjectionEnded(device, fault.name, timed.begin_us)
    if began:
        parameters = {name: str(value) for name, value in fault.parameters.items()}
        if fault.at_block is not None:
            parameters["at_block"] = str(fault.at_block)
        fact = Injected(device, fault.name, timed.begin_us, parameters)
    if fact not in journal.facts(type(fact)):
        journal.write(fact)
