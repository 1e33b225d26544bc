"""How patient a campaign is before it takes something for failed: numbers of which no public record tells.

Each is a parameter of the installation file's `[limits]` table, with its unit, how sure it is, and where it is from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, NamedTuple

from hw_profiles.bounds import Range, Seconds

Attempts = Annotated[int, Range(1, 10_000)]
Duration = Annotated[float, Range(1, 31_536_000)]


def _of(unit: str, meaning: str, source: str = "no number found", confidence: str = "placeholder") -> Any:
    return {"unit": unit, "meaning": meaning, "confidence": confidence, "source": source}


class Explained(NamedTuple):
    """One limit as documentation says it."""

    name: str
    default: object
    unit: str
    meaning: str
    confidence: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a campaign gives up waiting. A resumed campaign keeps those that it began with."""

    transfer_stall_s: Duration = field(
        default=432_000.0,
        metadata=_of(
            "seconds",
            "a transfer that has not moved for so long has failed",
            "a sleepy meter may ask but once a day, fact sheet 2.11",
        ),
    )
    activation_s: Duration = field(
        default=259_200.0,
        metadata=_of("seconds", "a device told to activate runs the new firmware within this"),
    )
    hop_attempts: Attempts = field(
        default=3, metadata=_of("attempts", "how often one image is tried on one device")
    )
    downloads_after_release: Attempts = field(
        default=3,
        metadata=_of("downloads", "a device that fetches a released image so often again will not run it"),
    )
    hub_attempts: Attempts = field(
        default=108,
        metadata=_of(
            "attempts",
            "a hub that has not answered so often is lost, for now",
            "three days, with the time each question is repeated itself",
        ),
    )
    hub_pause_s: Seconds = field(
        default=1800.0, metadata=_of("seconds", "between two attempts to reach the hub")
    )
    hub_answer_s: Duration = field(
        default=600.0,
        metadata=_of("seconds", "a hub's answer is waited for so long: a few wake-ups and repeats"),
    )
    device_answer_s: Duration = field(
        default=1200.0,
        metadata=_of("seconds", "the same for what it asks a device, of which a sleepy one must wake first"),
    )
    read_back_attempts: Attempts = field(
        default=4, metadata=_of("attempts", "how often the version is asked for after an activation")
    )
    read_back_pause_s: Seconds = field(
        default=120.0,
        metadata=_of(
            "seconds",
            "between two such questions: a device just restarted may not answer at once",
            "off the air 5 to 60 s, fact sheet 6.3",
            "recalled",
        ),
    )
    topology_s: Duration = field(
        default=1200.0, metadata=_of("seconds", "for all routers to tell their neighbours, page by page")
    )
    join_s: Duration = field(
        default=7200.0, metadata=_of("seconds", "for the devices of a home behind a radio of its own to join")
    )

    @classmethod
    def explained(cls) -> Iterator[Explained]:
        """Yield every limit in order."""
        for item in fields(cls):
            yield Explained(item.name, item.default, **item.metadata)


DEFAULT_LIMITS = Limits()
