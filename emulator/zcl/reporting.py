"""Attribute reporting of one cluster side: what was configured, and which reports are due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from emulator.zcl.attributes import Attribute, AttributeTable

SECOND = 1_000_000
NO_MAXIMUM = 0xFFFF
"""Maximum interval meaning: stop reporting (ZCL 2.5.7)."""


class ReportingRecord(NamedTuple):
    """Configure Reporting for one attribute; intervals in s, `change` in octets of the attribute's type."""

    attribute: int
    type_id: int
    minimum_s: int
    maximum_s: int
    change: bytes


@dataclass(slots=True)
class _Entry:
    record: ReportingRecord
    last_us: int
    last: bytes


class Reporter:
    """Decides when configured attributes are to be reported; the shell asks at `next_due`."""

    def __init__(self, table: AttributeTable) -> None:
        self._table = table
        self._entries: dict[int, _Entry] = {}

    def configure(self, record: ReportingRecord, now_us: int) -> None:
        """Start, change or (maximum 0xFFFF) stop the reports of one attribute."""
        if record.maximum_s == NO_MAXIMUM:
            self._entries.pop(record.attribute, None)
            return
        attribute = self._table.find(record.attribute)
        assert attribute is not None
        self._entries[record.attribute] = _Entry(record, now_us, attribute.serialise())

    def configuration(self, attribute: int) -> ReportingRecord | None:
        """Return what is configured for an attribute, or None."""
        entry = self._entries.get(attribute)
        return None if entry is None else entry.record

    def next_due(self, now_us: int) -> int | None:
        """Return when to ask again, in microseconds, or None when nothing is configured."""
        times = [self._due(entry, now_us) for entry in self._entries.values()]
        return min(times) if times else None

    def _due(self, entry: _Entry, now_us: int) -> int:
        """Return when the entry may next be reported: its maximum, or its minimum if it has changed."""
        changed = self._octets(entry) != entry.last
        wait_s = entry.record.minimum_s if changed or not entry.record.maximum_s else entry.record.maximum_s
        if not changed and not entry.record.maximum_s:
            # Reported on change only: look again after the shortest permitted interval.
            return now_us + max(1, entry.record.minimum_s) * SECOND
        return max(now_us, entry.last_us + wait_s * SECOND)

    def take_due(self, now_us: int) -> list[Attribute]:
        """Return the attributes to report now, and note them as reported."""
        due = []
        for identifier, entry in self._entries.items():
            octets = self._octets(entry)
            waited_us = now_us - entry.last_us
            changed = self._changed_enough(entry, octets) and waited_us >= entry.record.minimum_s * SECOND
            overdue = entry.record.maximum_s and waited_us >= entry.record.maximum_s * SECOND
            if changed or overdue:
                entry.last_us, entry.last = now_us, octets
                attribute = self._table.find(identifier)
                assert attribute is not None
                due.append(attribute)
        return due

    def _octets(self, entry: _Entry) -> bytes:
        attribute = self._table.find(entry.record.attribute)
        assert attribute is not None
        return attribute.serialise()

    @staticmethod
    def _changed_enough(entry: _Entry, octets: bytes) -> bool:
        if octets == entry.last:
            return False
        if not entry.record.change:
            return True
        difference = int.from_bytes(octets, "little") - int.from_bytes(entry.last, "little")
        return abs(difference) >= int.from_bytes(entry.record.change, "little")
