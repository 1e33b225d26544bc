"""Facts of what is really there: devices, links, batteries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from emulator.wan.results import LinkHeard
from harness.facts.fact import CampaignObservation, Names, Observation, Sentence
from harness.facts.terms import Reading


@dataclass(frozen=True, slots=True)
class Found(Observation):
    """One device as it was found; `version` is the 32-bit OTA version it says it runs, None when it has no say."""

    ACTION: ClassVar[str] = "discovered"

    answered: bool
    version: int | None = None
    manufacturer_code: int | None = None
    manufacturer_name: str = ""
    model_identifier: str = ""
    hardware_version: int | None = None
    sleepy: bool = False
    endpoints: tuple[tuple[int, int, tuple[int, ...], tuple[int, ...]], ...] = ()
    """Endpoint number, device id, server and client clusters."""
    detail: str = ""

    def endpoint_serving(self, cluster: int) -> int | None:
        """Return the first endpoint with `cluster` among its servers, or None."""
        return next((number for number, _, server, _ in self.endpoints if cluster in server), None)

    def endpoint_using(self, cluster: int) -> int | None:
        """Return the first endpoint with `cluster` among its clients, or None."""
        return next((number for number, _, _, client in self.endpoints if cluster in client), None)

    def told(self, names: Names) -> Sentence:
        """Say what answered and what it runs."""
        if not self.answered:
            return Sentence(f"Does not answer: {self.detail}")
        runs = "" if self.version is None else f", running {names.version(self.subject, self.version)}"
        return Sentence(f"Found: {self.model_identifier or 'no model name'}{runs}")


@dataclass(frozen=True, slots=True)
class Topology(CampaignObservation):
    """Who hears whom in the home; `silent` are the routers that did not answer."""

    ACTION: ClassVar[str] = "topology"

    links: tuple[LinkHeard, ...] = ()
    silent: tuple[str, ...] = ()
    detail: str = ""
    """Why the hub tells no links."""

    def told(self, names: Names) -> Sentence:
        """Say how much was reported."""
        if self.detail:
            return Sentence(f"The hub tells no links: {self.detail}")
        unheard = f", {len(self.silent)} routers did not answer" if self.silent else ""
        return Sentence(f"{len(self.links)} links reported{unheard}")


@dataclass(frozen=True, slots=True)
class BatteryRead(Observation):
    """The charge of a battery device in half percents, before or after its upgrade; None when it does not say."""

    ACTION: ClassVar[str] = "battery"

    when: Reading
    half_percents: int | None
    detail: str = ""

    def told(self, names: Names) -> Sentence:
        """Say the charge."""
        if self.half_percents is None:
            return Sentence(f"Battery does not say its charge: {self.detail}")
        return Sentence(f"Battery at {self.half_percents / 2:.1f} % {self.when} the upgrade")
