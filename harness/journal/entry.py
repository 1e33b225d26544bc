"""The entries of the journal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from harness.errors import JournalError, RecordError
from harness.facts import CODEC, Fact, Kind, Outcome, Status
from harness.journal.canonical import Json, entry_hash

F = TypeVar("F", bound=Fact)


class Clock(Protocol):
    """Where the journal takes its time from; `emulator.clock.kernel.Kernel` is one."""

    @property
    def now(self) -> int:
        """Microseconds since the start of the scenario."""

    @property
    def unix_us(self) -> int:
        """Wall-clock time of the scenario in Unix microseconds."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal. Times are microseconds; `key` ties intents to outcomes, empty elsewhere."""

    sequence: int
    time_us: int
    unix_us: int
    kind: Kind
    subject: str
    action: str
    key: str
    details_json: str
    previous: bytes
    hash: bytes

    @property
    def details(self) -> dict[str, Json]:
        """The details as data."""
        value: dict[str, Json] = json.loads(self.details_json)
        return value

    @property
    def fact(self) -> Fact:
        """What the entry records; raises `JournalError` when it is no fact that this version knows."""
        try:
            return CODEC.read(self.kind, self.subject, self.action, json.loads(self.details_json))
        except (RecordError, ValueError, RecursionError) as error:
            raise JournalError(f"journal entry {self.sequence}: {error}") from error

    @property
    def status(self) -> Status | None:
        """How the effect ended, for outcomes."""
        fact = self.fact if self.kind is Kind.OUTCOME else None
        return fact.status if isinstance(fact, Outcome) else None

    def computed_hash(self) -> bytes:
        """Return the hash the fields and the previous hash give."""
        fields = (
            self.sequence,
            self.time_us,
            self.unix_us,
            str(self.kind),
            self.subject,
            self.action,
            self.key,
            self.details_json,
        )
        return entry_hash(self.previous, fields)


def told(entries: Iterable[Entry], kind: type[F]) -> Iterator[tuple[Entry, F]]:
    """Yield every entry that holds a fact of a kind, with the fact."""
    for entry in entries:
        if entry.kind is kind.KIND and entry.action == kind.ACTION:
            fact = entry.fact
            assert isinstance(fact, kind)
            yield entry, fact
