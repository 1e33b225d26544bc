"""What can be made to go wrong with a device of an emulated home, as its installation file says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from hw_profiles.bounds import Problem, Range, Scalar, Seconds


class FaultName(StrEnum):
    """What can be made to go wrong in an emulated home."""

    POWER_CUT = "power_cut"
    """No power for `off_s` seconds (60)."""
    UNPLUGGED = "unplugged"
    """No power, for good."""
    OUT_OF_RANGE = "out_of_range"
    """Hears nobody and is heard by nobody, for good or for `for_s` seconds."""
    LINK_LOSS = "link_loss"
    """Frames to and from the device are lost with probability `loss`, for good or for `for_s` seconds."""
    WAN_OUTAGE = "wan_outage"
    """The hub's wide-area link is down for `for_s` seconds (3600)."""
    CORRUPT_BLOCK = "corrupt_block"
    """Every download has one bit wrong in block `at_block`."""
    STALL = "stall"
    """The first download of each boot falls silent at block `at_block` for `for_s` seconds (3600)."""
    NEVER_ACTIVATES = "never_activates"
    """The device restarts when it is told to activate, but keeps its firmware."""


_FAULT_PARAMETERS: Mapping[FaultName, tuple[str, ...]] = MappingProxyType(
    {
        FaultName.POWER_CUT: ("off_s",),
        FaultName.UNPLUGGED: (),
        FaultName.OUT_OF_RANGE: ("for_s",),
        FaultName.LINK_LOSS: ("loss", "for_s"),
        FaultName.WAN_OUTAGE: ("for_s",),
        FaultName.CORRUPT_BLOCK: (),
        FaultName.STALL: ("for_s",),
        FaultName.NEVER_ACTIVATES: (),
    }
)
FIRMWARE_FAULTS = (FaultName.CORRUPT_BLOCK, FaultName.STALL, FaultName.NEVER_ACTIVATES)
_OF_A_BLOCK = (FaultName.CORRUPT_BLOCK, FaultName.STALL)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault to inject into a device: what, when, and how.

    `at_s` counts seconds of the scenario; a fault that is due before the home is installed waits for that.
    `at_block` counts OTA blocks of a download from 0. `parameters` are those of the fault's name.
    """

    name: FaultName
    at_s: Seconds = 0.0
    at_block: Annotated[int, Range(0, 10_000_000)] | None = None
    parameters: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))

    def number(self, parameter: str, default: float) -> float:
        """Return a parameter of the fault."""
        return float(self.parameters.get(parameter, default))

    def problems(self) -> Iterator[Problem]:
        """A block for what happens at a block, and only parameters that mean something, as numbers."""
        if (self.at_block is not None) != (self.name in _OF_A_BLOCK):
            wanted = "a block number" if self.name in _OF_A_BLOCK else f"no block number for {self.name}"
            yield Problem("at_block", self.at_block, wanted)
        known = _FAULT_PARAMETERS[self.name]
        for name, value in self.parameters.items():
            if name not in known:
                yield Problem(f"parameters.{name}", value, "one of " + (", ".join(known) or "none"))
            elif isinstance(value, bool | str) or value < 0 or (name == "loss" and value > 1):
                yield Problem(f"parameters.{name}", value, "a number, 0 or more; a loss at most 1")
