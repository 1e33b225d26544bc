"""The entries of the journal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from harness.journal.canonical import Json, entry_hash


class Clock(Protocol):
    """Where the journal takes its time from; `emulator.clock.kernel.Kernel` is one."""

    @property
    def now(self) -> int:
        """Microseconds since the start of the scenario."""

    @property
    def unix_us(self) -> int:
        """Wall-clock time of the scenario in Unix microseconds."""


class Kind(StrEnum):
    """What an entry is."""

    HEADER = "header"
    INTENT = "intent"
    OUTCOME = "outcome"
    OBSERVATION = "observation"
    DECISION = "decision"
    EXCEPTION = "exception"
    FILE = "file"
    CHECKPOINT = "checkpoint"


class Status(StrEnum):
    """How an effect ended."""

    DONE = "done"
    FAILED = "failed"
    NOT_PERFORMED = "not-performed"
    """Reconciled after a crash: the effect never reached the device."""


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
    def status(self) -> Status | None:
        """How the effect ended, for outcomes."""
        return Status(str(self.details["status"])) if self.kind is Kind.OUTCOME else None

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
