"""Attribute reporting of one cluster side (ZCL 2.5.7 to 2.5.11): what was configured, and which reports are due.

A machine without timers: the shell asks `take_due` at `next_due`, sends what it gets and keeps `snapshot`. An
attribute is reported when its maximum interval is over, and when it has changed enough and its minimum interval is
over. Changes are noticed when the device looks at its values, `look_us` apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from struct import Struct
from typing import Any, NamedTuple

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.zcl import values
from emulator.zcl.attributes import Attribute, AttributeTable
from emulator.zcl.frame import ZclStatus

NEVER_S = 0xFFFF
"""Maximum interval that cancels reporting; as a minimum beside a maximum of 0 it asks for the default: none here."""
CAPACITY = 32
"""Attributes of one cluster side that can be reported."""
REPORT_OCTETS = 70
"""Attribute records in one report: a secured frame takes no more without fragments (fact sheet, devices 2.10)."""
_STORED = Struct("<HHBHHQBHBB")


class ReportingRecord(NamedTuple):
    """Configure Reporting for one attribute; intervals in s, `change` in octets of the attribute's type.

    `change` is empty for a discrete type, of which any change counts.
    """

    attribute: int
    type_id: int
    minimum_s: int
    maximum_s: int
    change: bytes
    manufacturer: int | None = None

    @property
    def cancels(self) -> bool:
        """Whether this ends the reports of the attribute."""
        return self.maximum_s == NEVER_S or (self.maximum_s, self.minimum_s) == (0, NEVER_S)


class Configurer(NamedTuple):
    """Who configured a report, and how it is to be spoken to when the cluster is bound to nobody."""

    eui64: int
    endpoint: int
    profile: int
    secure: bool


@dataclass(slots=True)
class _Entry:
    record: ReportingRecord
    configurer: Configurer | None
    last_us: int
    last: bytes

    @property
    def minimum_us(self) -> int:
        return self.record.minimum_s * SECOND

    @property
    def maximum_us(self) -> int:
        return self.record.maximum_s * SECOND


class Due(NamedTuple):
    """An attribute to report now, and who asked for it."""

    attribute: Attribute
    configurer: Configurer | None


class Reporter:
    """Decides when configured attributes are to be reported."""

    def __init__(self, table: AttributeTable, look_us: int = SECOND) -> None:
        """`look_us` is how often the device looks whether a value has changed."""
        self._table = table
        self._look_us = look_us
        self._entries: dict[tuple[int | None, int], _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def refusal(self, record: ReportingRecord) -> int:
        """Return the status with which a configuration is refused, or SUCCESS (ZCL 2.5.7.3)."""
        attribute = self._table.find(record.attribute, record.manufacturer)
        if attribute is None:
            return ZclStatus.UNSUPPORTED_ATTRIBUTE
        if not attribute.reportable:
            return ZclStatus.UNREPORTABLE_ATTRIBUTE
        if attribute.type_id != record.type_id:
            return ZclStatus.INVALID_DATA_TYPE
        if not record.cancels and record.maximum_s and record.maximum_s < record.minimum_s:
            return ZclStatus.INVALID_VALUE
        if _is_not_a_number(_change(record)):
            return ZclStatus.INVALID_VALUE
        full = len(self._entries) >= CAPACITY and _key(record) not in self._entries
        return ZclStatus.INSUFFICIENT_SPACE if full and not record.cancels else ZclStatus.SUCCESS

    def configure(self, record: ReportingRecord, configurer: Configurer | None, now_us: int) -> None:
        """Start, change or cancel the reports of one attribute, whose record was not refused."""
        if record.cancels:
            self._entries.pop(_key(record), None)
            return
        attribute = self._table.find(record.attribute, record.manufacturer)
        assert attribute is not None, "refusal() was asked before"
        self._entries[_key(record)] = _Entry(record, configurer, now_us, attribute.serialise())

    def configuration(self, attribute: int, manufacturer: int | None = None) -> ReportingRecord | None:
        """Return what is configured for an attribute, or None."""
        entry = self._entries.get((manufacturer, attribute))
        return None if entry is None else entry.record

    def next_due(self, now_us: int) -> int | None:
        """Return when to ask for reports again, in microseconds, or None when nothing is configured."""
        times = [self._due(entry, now_us) for entry in self._entries.values()]
        return min(times) if times else None

    def _due(self, entry: _Entry, now_us: int) -> int:
        look_us = max(now_us + self._look_us, entry.last_us + entry.minimum_us)
        if not entry.maximum_us:
            return look_us
        return max(now_us, min(look_us, entry.last_us + entry.maximum_us))

    def take_due(self, now_us: int) -> list[Due]:
        """Return the attributes to report now, and note them as reported."""
        due = []
        for key, entry in list(self._entries.items()):
            attribute = self._table.find(entry.record.attribute, entry.record.manufacturer)
            if attribute is None or attribute.type_id != entry.record.type_id:
                # A mirrored attribute, which its meter has come to report as something else.
                del self._entries[key]
                continue
            octets = attribute.serialise()
            waited_us = now_us - entry.last_us
            overdue = entry.maximum_us and waited_us >= entry.maximum_us
            if overdue or (waited_us >= entry.minimum_us and _changed_enough(entry, octets)):
                entry.last_us, entry.last = now_us, octets
                due.append(Due(attribute, entry.configurer))
        return due

    # What survives a power cut

    def snapshot(self) -> bytes:
        """Return the configuration as octets for non-volatile memory; empty when there is none."""
        return b"".join(_pack(entry) for entry in self._entries.values())

    def restore(self, saved: bytes, now_us: int) -> None:
        """Take up a snapshot; what new firmware no longer has, or has as another type, is left out."""
        for record, configurer in _unpack(saved):
            if self.refusal(record) == ZclStatus.SUCCESS:
                self.configure(record, configurer, now_us)

    def forget(self) -> None:
        """Cancel every report: the network was left."""
        self._entries.clear()

    def forget_configurer(self, eui64: int) -> None:
        """Cancel what a device configured that has left."""
        gone = [
            key
            for key, entry in self._entries.items()
            if entry.configurer and entry.configurer.eui64 == eui64
        ]
        for key in gone:
            del self._entries[key]


def _key(record: ReportingRecord) -> tuple[int | None, int]:
    return record.manufacturer, record.attribute


def _change(record: ReportingRecord) -> Any:
    return values.decode(record.type_id, record.change)[0] if record.change else None


def _is_not_a_number(value: Any) -> bool:
    return isinstance(value, float) and isnan(value)


def _changed_enough(entry: _Entry, octets: bytes) -> bool:
    if octets == entry.last:
        return False
    change, type_id = _change(entry.record), entry.record.type_id
    if change is None:
        return True
    now, before = values.decode(type_id, octets)[0], values.decode(type_id, entry.last)[0]
    # The sign of the reportable change does not matter; a value that is no number has changed by any measure.
    return not abs(now - before) < abs(change)


def _pack(entry: _Entry) -> bytes:
    attribute, type_id, minimum, maximum, change, maker = entry.record
    eui64, endpoint, profile, secure = entry.configurer or (0, 0, 0, False)
    head = _STORED.pack(
        attribute, maker or 0, type_id, minimum, maximum, eui64, endpoint, profile, secure, len(change)
    )
    return head + change


def _unpack(saved: bytes) -> Iterator[tuple[ReportingRecord, Configurer | None]]:
    at = 0
    while at < len(saved):
        attribute, maker, type_id, minimum, maximum, eui64, endpoint, profile, secure, length = (
            _STORED.unpack_from(saved, at)
        )
        at += _STORED.size
        change = saved[at : at + length]
        at += length
        configurer = Configurer(eui64, endpoint, profile, bool(secure)) if eui64 else None
        yield ReportingRecord(attribute, type_id, minimum, maximum, change, maker or None), configurer
