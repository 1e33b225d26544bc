"""What can be made to go wrong with a device of an emulated home, as its installation file says it.

A fault is one record of `FAULTS`: its effect, what it takes away meanwhile, its parameters, and what people are told.
Whoever reads files, checks them, arms a schedule or tells a reader asks that record and knows no fault by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import Annotated

from hw_profiles.bounds import Problem, Range, Scalar, Seconds


class Effect(Enum):
    """What a fault does while it is in force; `emulator.faults` brings each about."""

    NO_POWER = auto()
    NO_RANGE = auto()
    LOSS = auto()
    NO_WAN = auto()
    WRONG_BIT = auto()
    SILENCE = auto()
    NO_ACTIVATION = auto()


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One thing that can go wrong; `words` is what people are told of it."""

    effect: Effect
    words: str
    takes: str = ""
    """What it takes away while it lasts: two that take the same at a time contradict each other when the first is
    over. Empty for what is built into the device's firmware and has no time.
    """
    lasts: str = ""
    """The parameter that says for how many seconds."""
    default_s: float | None = None
    """For how long without it; None is for good, and so is a parameter of 0 then."""
    parameters: tuple[str, ...] = ()
    """What else may be said of it."""
    at_block: bool = False
    """Whether it happens at a block of a download."""

    @property
    def known(self) -> tuple[str, ...]:
        """Every parameter that means something."""
        return (*self.parameters, self.lasts) if self.lasts else self.parameters


POWER, RANGE, WAN = "power", "range", "wide-area link"

FAULTS: Mapping[str, FaultKind] = MappingProxyType(
    {
        "power_cut": FaultKind(
            Effect.NO_POWER, "no power for `off_s` seconds (60)", POWER, lasts="off_s", default_s=60.0
        ),
        "unplugged": FaultKind(Effect.NO_POWER, "no power, for good", POWER),
        "out_of_range": FaultKind(
            Effect.NO_RANGE,
            "hears nobody and is heard by nobody, for good or for `for_s` seconds",
            RANGE,
            lasts="for_s",
        ),
        "link_loss": FaultKind(
            Effect.LOSS,
            "frames to and from it are lost with probability `loss` (1), for good or for `for_s` seconds",
            RANGE,
            lasts="for_s",
            parameters=("loss",),
        ),
        "wan_outage": FaultKind(
            Effect.NO_WAN,
            "the hub's wide-area link is down for `for_s` seconds (3600)",
            WAN,
            lasts="for_s",
            default_s=3600.0,
        ),
        "corrupt_block": FaultKind(
            Effect.WRONG_BIT,
            "every download has one bit wrong in block `at_block`: the device must refuse the image",
            at_block=True,
        ),
        "stall": FaultKind(
            Effect.SILENCE,
            "the first download of each boot falls silent at block `at_block` for `for_s` seconds (3600)",
            lasts="for_s",
            default_s=3600.0,
            at_block=True,
        ),
        "never_activates": FaultKind(
            Effect.NO_ACTIVATION, "the device restarts when told to activate, but keeps its firmware"
        ),
    }
)
"""Every fault by the name that an installation file gives it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault to inject into a device: what, when, and how.

    `at_s` counts seconds since the home first had power; a fault due before the home is installed waits for that.
    `at_block` counts OTA blocks of a download from 0. `parameters` are those of the fault's kind.
    """

    name: str
    at_s: Seconds = 0.0
    at_block: Annotated[int, Range(0, 10_000_000)] | None = None
    parameters: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def kind(self) -> FaultKind:
        """What a fault of this name is."""
        return FAULTS[self.name]

    @property
    def lasts_s(self) -> float | None:
        """For how many seconds it is in force, None for good."""
        seconds = self.number(self.kind.lasts, self.kind.default_s or 0.0)
        return seconds if self.kind.default_s is not None else seconds or None

    def number(self, parameter: str, default: float) -> float:
        """Return a parameter of the fault."""
        return float(self.parameters.get(parameter, default))

    def problems(self) -> Iterator[Problem]:
        """A name that there is, a block for what happens at a block, and known parameters, as numbers."""
        kind = FAULTS.get(self.name)
        if kind is None:
            yield Problem("name", self.name, "one of " + ", ".join(FAULTS))
            return
        if (self.at_block is not None) != kind.at_block:
            wanted = "a block number" if kind.at_block else f"no block number for {self.name}"
            yield Problem("at_block", self.at_block, wanted)
        for name, value in self.parameters.items():
            if name not in kind.known:
                yield Problem(f"parameters.{name}", value, "one of " + (", ".join(kind.known) or "none"))
            elif isinstance(value, bool | str) or value < 0 or (name == "loss" and value > 1):
                yield Problem(f"parameters.{name}", value, "a number, 0 or more; a loss at most 1")
