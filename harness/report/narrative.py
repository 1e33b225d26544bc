"""Facts as sentences: what the live display and the report's timeline say of them."""

from __future__ import annotations

from emulator.eui64 import format_eui64
from harness.facts import Act, Fact, Failed, Outcome, Sentence
from hw_profiles.installation import Installation


class Narrator:
    """Tells facts in their order; outcomes are told by the act that was announced before them."""

    def __init__(self, installation: Installation) -> None:
        """`installation` knows what people call each device's versions."""
        self._models = {
            format_eui64(entry.address): installation.models[entry.name]
            for entry in installation.record.devices
        }
        self._announced: dict[int, Act] = {}

    def version(self, subject: str, version: int) -> str:
        """Return how people call a version of a device, hexadecimal where its profile does not list it."""
        model = self._models.get(subject)
        return f"0x{version:08X}" if model is None else model.display_of(version)

    def tell(self, sequence: int, fact: Fact) -> Sentence | None:
        """Return what a person is told of the fact in an entry, or None for one that is only for machines."""
        if isinstance(fact, Outcome):
            act = self._announced[fact.intent]
            if isinstance(fact.result, Failed):
                return act.told_failed(fact.result)
            return act.told_done(fact.result, self)
        if isinstance(fact, Act):
            self._announced[sequence] = fact
        return fact.told(self)
