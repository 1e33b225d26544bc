"""A device's event log: a ring of entries in non-volatile memory, in the device's own code book.

SMETS asks for 100 entries in the event log and 100 in the security log (fact sheet 1.3); this log keeps both kinds in
one ring of 200, each entry with its time, code and a little detail.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from emulator.nonvolatile import NonVolatile
from hw_profiles.model import Event

CAPACITY = 200
_NEXT = "log.next"


class LogEntry(NamedTuple):
    """One event: its place in the log, Unix seconds, the code book's code, the event's name and free detail."""

    number: int
    unix_seconds: int
    code: int
    event: str
    detail: str


class EventLog:
    """Appends and reads events; nothing is lost by a power cut, the oldest make room for the newest."""

    def __init__(self, nonvolatile: NonVolatile, code_book: Mapping[Event, int]) -> None:
        """`code_book` gives each event the number this product family uses; an event without one is logged as 0."""
        self._nonvolatile = nonvolatile
        self._codes = code_book
        self._next = int.from_bytes(nonvolatile.get(_NEXT) or b"\0", "little")

    @property
    def next_number(self) -> int:
        """The number the next entry will have."""
        return self._next

    def append(self, event: Event, unix_seconds: int, detail: str = "") -> LogEntry:
        """Log `event` and return the entry."""
        entry = LogEntry(self._next, unix_seconds, self._codes.get(event, 0), event.value, detail)
        slot = f"log.{entry.number % CAPACITY:03d}"
        self._nonvolatile.put(slot, json.dumps(entry).encode())
        self._next += 1
        self._nonvolatile.put(_NEXT, self._next.to_bytes(4, "little"))
        return entry

    def entries(self, since: int = 0) -> list[LogEntry]:
        """Return the entries numbered `since` and later that are still held, oldest first."""
        held = []
        for number in range(max(since, self._next - CAPACITY, 0), self._next):
            octets = self._nonvolatile.get(f"log.{number % CAPACITY:03d}")
            if octets is not None:
                held.append(LogEntry(*json.loads(octets)))
        return held
