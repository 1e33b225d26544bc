"""A run's journal as everything else in the folder is held against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.errors import JournalError
from harness.facts import Fact
from harness.facts.campaign import Begun, Checkpoint, Ended, Stopped
from harness.facts.files import Sealed
from harness.journal import Entry
from hw_profiles.installation import Installation, load_installation


@dataclass(frozen=True)
class Record:
    """The folder of a run and its journal, every entry of which holds a fact."""

    folder: Path
    entries: Sequence[Entry]

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """The facts, in order."""
        return tuple(entry.fact for entry in self.entries)

    @cached_property
    def begun(self) -> Begun:
        """How the campaign began; raises `JournalError` for a journal without that."""
        first = self.facts[0]
        if not isinstance(first, Begun):
            raise JournalError("entry 0 does not say which campaign it is")
        return first

    @cached_property
    def installation(self) -> Installation:
        """The installation of the run, by its inputs; raises `ProfileError` for inputs that are none."""
        request = self.begun.request
        models = [self.folder / name for name in request.models]
        return load_installation(self.folder / request.installation, models)

    @cached_property
    def ended(self) -> Ended | None:
        """How the campaign ended, None for one that can be resumed."""
        return next((fact for fact in self.facts if isinstance(fact, Ended)), None)

    @cached_property
    def stopped(self) -> Stopped | None:
        """Why the campaign rests for now, when the journal was signed for that."""
        rests = self.ended is None and self.sealed is not None
        return (
            next((fact for fact in reversed(self.facts) if isinstance(fact, Stopped)), None)
            if rests
            else None
        )

    @cached_property
    def sealed(self) -> Sealed | None:
        """The seal under the signature that the journal ends with, None for a journal that ends otherwise."""
        if len(self.facts) < 2 or not isinstance(self.facts[-1], Checkpoint):
            return None
        last = self.facts[-2]
        return last if isinstance(last, Sealed) else None

    def until(self, head: str) -> Sequence[Entry]:
        """Return the entries up to the one with this hash; all of them when there is none."""
        for number, entry in enumerate(self.entries, start=1):
            if entry.hash.hex() == head:
                return self.entries[:number]
        return self.entries
