"""A device's event log: a ring of entries in non-volatile memory, in the device's own code book.

SMETS asks for 100 entries in the event log and 100 in the security log (fact sheet 1.3); this log keeps both kinds in
one ring of 200, each entry with its time, code and a little detail.

A head end reads it through the hub, page by page, since an entry may be longer than an answer. The command is the
project's own, on its stand-in for the makers' clusters; all integers are little-endian:

    question  number u32 (the entry wanted, or the oldest held after it), offset u16 into it
    page      number u32 (0xFFFFFFFF: there is no such entry), length u16 of the entry, offset u16, octets from there
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from struct import Struct
from typing import NamedTuple

from emulator.errors import FrameError
from emulator.nonvolatile import NonVolatile
from hw_profiles.model import Event

CAPACITY = 200
NO_ENTRY = 0xFFFFFFFF
PAGE_OCTETS = 110
"""Octets of an entry in one page: with its header and that of the ZCL, what every device takes in fragments."""
_NEXT = "log.next"
_QUESTION = Struct("<IH")
_PAGE = Struct("<IHH")


class LogEntry(NamedTuple):
    """One event: its place in the log, Unix seconds, the code book's code, the event's name and free detail."""

    number: int
    unix_seconds: int
    code: int
    event: str
    detail: str


class LogPage(NamedTuple):
    """A piece of an entry: `octets` from `offset` on, of `length` in all; `number` is `NO_ENTRY` for none."""

    number: int
    length: int
    offset: int
    octets: bytes

    def encode(self) -> bytes:
        """Return the page as it is answered."""
        return _PAGE.pack(self.number, self.length, self.offset) + self.octets

    @classmethod
    def decode(cls, payload: bytes) -> LogPage:
        """Read an answer; raises `FrameError`."""
        if len(payload) < _PAGE.size:
            raise FrameError(f"event log page: {len(payload)} octets, expected at least {_PAGE.size}")
        number, length, offset = _PAGE.unpack_from(payload)
        return cls(number, length, offset, payload[_PAGE.size :])


def log_question(number: int, offset: int) -> bytes:
    """Return the question for an entry, from `offset` on."""
    return _QUESTION.pack(number, offset)


def parse_entry(octets: bytes) -> LogEntry:
    """Read an entry whose pages are together; raises `FrameError`."""
    try:
        number, unix_seconds, code, event, detail = json.loads(octets)
        if not (isinstance(event, str) and isinstance(detail, str)):
            raise ValueError("event and detail are no strings")
        return LogEntry(int(number), int(unix_seconds), int(code), event, detail)
    except (ValueError, TypeError) as error:
        raise FrameError(f"event log entry of {len(octets)} octets: {error}") from error


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

    def answer(self, question: bytes) -> LogPage:
        """Answer a `log_question`; raises `FrameError` for anything else."""
        if len(question) != _QUESTION.size:
            raise FrameError(f"event log question: {len(question)} octets, expected {_QUESTION.size}")
        number, offset = _QUESTION.unpack(question)
        entry = next(iter(self.entries(number)), None)
        if entry is None:
            return LogPage(NO_ENTRY, 0, 0, b"")
        octets = json.dumps(entry, separators=(",", ":")).encode()
        return LogPage(entry.number, len(octets), offset, octets[offset : offset + PAGE_OCTETS])
