"""General ZCL commands answered from an attribute table: pure functions from payload to response payload.

Each raises `FrameError` for a malformed payload, which the endpoint answers MALFORMED_COMMAND.
"""

from __future__ import annotations

from collections.abc import Iterable

from zigpy.zcl.foundation import DataClass

from emulator.errors import FrameError
from emulator.zcl import values
from emulator.zcl.attributes import Attribute, AttributeTable, parse_records
from emulator.zcl.frame import ZclStatus
from emulator.zcl.reporting import REPORT_OCTETS, Configurer, Reporter, ReportingRecord

UNLIMITED = 0xFFFF
"""Octets of an answer that nothing limits."""
_SEND_REPORTS = 0x00
_RECEIVE_REPORTS = 0x01
_READ, _WRITE, _REPORT = 0x01, 0x02, 0x04


def read_attributes(
    table: AttributeTable, payload: bytes, manufacturer: int | None = None, room: int = UNLIMITED
) -> bytes:
    """Answer Read Attributes (ZCL 2.5.1, 2.5.2) with as many records as `room` octets take."""
    if len(payload) % 2 or not payload:
        raise FrameError(f"ZCL Read Attributes: {len(payload)} octets, expected pairs of octets")
    answer = b""
    for at in range(0, len(payload), 2):
        identifier = payload[at : at + 2]
        record = _read_record(table.find(int.from_bytes(identifier, "little"), manufacturer), identifier)
        if len(record) > room:
            record = identifier + bytes((ZclStatus.INSUFFICIENT_SPACE,))
        if len(answer) + len(record) > room:
            break
        answer += record
    return answer


def _read_record(attribute: Attribute | None, identifier: bytes) -> bytes:
    if attribute is None:
        return identifier + bytes((ZclStatus.UNSUPPORTED_ATTRIBUTE,))
    if not attribute.readable:
        return identifier + bytes((ZclStatus.WRITE_ONLY,))
    return identifier + bytes((0, attribute.type_id)) + attribute.serialise()


def write_attributes(
    table: AttributeTable, payload: bytes, manufacturer: int | None = None, *, undivided: bool = False
) -> bytes:
    """Carry out Write Attributes (Undivided) and return the response payload (ZCL 2.5.3 to 2.5.5)."""
    records = parse_records(payload)
    if not records:
        raise FrameError("ZCL Write Attributes: no record at offset 0, expected at least one")
    statuses = [table.check_write(record.attribute, record.type_id, manufacturer) for record in records]
    if not undivided or not any(statuses):
        for index, record in enumerate(records):
            if not statuses[index]:
                statuses[index] = table.write(record.attribute, record.value, manufacturer)
    failed = [
        bytes((status,)) + record.attribute.to_bytes(2, "little")
        for status, record in zip(statuses, records, strict=True)
        if status
    ]
    return b"".join(failed) or bytes((ZclStatus.SUCCESS,))


def configure_reporting(
    reporter: Reporter | None,
    payload: bytes,
    now_us: int,
    configurer: Configurer | None = None,
    manufacturer: int | None = None,
) -> bytes:
    """Carry out Configure Reporting and return the response payload (ZCL 2.5.7, 2.5.8).

    Without a `reporter` this side of the cluster reports nothing, and says so of each attribute. A payload that is
    malformed anywhere changes nothing.
    """
    failed = []
    for direction, record in _reporting_records(payload, manufacturer):
        # Nothing here watches whether the reports of others arrive.
        status: int = ZclStatus.UNREPORTABLE_ATTRIBUTE
        if reporter is not None and direction == _SEND_REPORTS:
            status = reporter.refusal(record)
        if status:
            failed.append(bytes((status, direction)) + record.attribute.to_bytes(2, "little"))
        elif reporter is not None:
            reporter.configure(record, configurer, now_us)
    return b"".join(failed) or bytes((ZclStatus.SUCCESS,))


def _reporting_records(payload: bytes, manufacturer: int | None) -> list[tuple[int, ReportingRecord]]:
    if not payload:
        raise FrameError("ZCL Configure Reporting: no record at offset 0, expected at least one")
    records = []
    at = 0
    while at < len(payload):
        _need(payload, at, 3)
        direction, identifier = payload[at], payload[at + 1] | payload[at + 2] << 8
        if direction == _RECEIVE_REPORTS:
            at = _need(payload, at, 5)
            record = ReportingRecord(identifier, 0, 0, 0, b"", manufacturer)
        elif direction == _SEND_REPORTS:
            record, at = _reporting_record(payload, at, identifier, manufacturer)
        else:
            raise FrameError(
                f"ZCL Configure Reporting: direction {direction} at offset {at}, expected 0 or 1"
            )
        records.append((direction, record))
    return records


def _reporting_record(
    payload: bytes, at: int, identifier: int, manufacturer: int | None
) -> tuple[ReportingRecord, int]:
    _need(payload, at, 8)
    type_id = payload[at + 3]
    minimum = payload[at + 4] | payload[at + 5] << 8
    maximum = payload[at + 6] | payload[at + 7] << 8
    start = end = at + 8
    if _is_analogue(type_id):
        end = values.decode(type_id, payload, start)[1]
    return ReportingRecord(identifier, type_id, minimum, maximum, payload[start:end], manufacturer), end


def _is_analogue(type_id: int) -> bool:
    return values.data_type(type_id).type_class is DataClass.Analog


def read_reporting_configuration(
    table: AttributeTable,
    reporter: Reporter | None,
    payload: bytes,
    manufacturer: int | None = None,
    room: int = UNLIMITED,
) -> bytes:
    """Answer Read Reporting Configuration (ZCL 2.5.9, 2.5.10) with as many records as `room` octets take."""
    if len(payload) % 3 or not payload:
        raise FrameError(f"ZCL Read Reporting Configuration: {len(payload)} octets, expected triples")
    parts = []
    for at in range(0, len(payload), 3):
        head = payload[at : at + 3]
        identifier = head[1] | head[2] << 8
        record = None
        if reporter is not None and head[0] == _SEND_REPORTS:
            record = reporter.configuration(identifier, manufacturer)
        if record is None:
            status = _not_configured(table.find(identifier, manufacturer))
            parts.append(bytes((status,)) + head)
        else:
            intervals = record.minimum_s.to_bytes(2, "little") + record.maximum_s.to_bytes(2, "little")
            parts.append(b"\0" + head + bytes((record.type_id,)) + intervals + record.change)
        if sum(map(len, parts)) > room:
            return b"".join(parts[:-1])
    return b"".join(parts)


def _not_configured(attribute: Attribute | None) -> ZclStatus:
    """Return why there is no reporting configuration of an attribute."""
    if attribute is None:
        return ZclStatus.UNSUPPORTED_ATTRIBUTE
    return ZclStatus.NOT_FOUND if attribute.reportable else ZclStatus.UNREPORTABLE_ATTRIBUTE


def discover_attributes(
    table: AttributeTable,
    payload: bytes,
    manufacturer: int | None = None,
    *,
    extended: bool = False,
    room: int = UNLIMITED,
) -> bytes:
    """Answer Discover Attributes or Discover Attributes Extended (ZCL 2.5.13, 2.5.22) within `room` octets."""
    _need(payload, 0, 3)
    start, maximum = payload[0] | payload[1] << 8, min(payload[2], (room - 1) // (4 if extended else 3))
    found = list(table.ordered(start, manufacturer))
    parts = [
        attribute.identifier.to_bytes(2, "little")
        + bytes((attribute.type_id,))
        + (bytes((_access(attribute),)) if extended else b"")
        for attribute in found[:maximum]
    ]
    return bytes((len(found) <= maximum,)) + b"".join(parts)


def _access(attribute: Attribute) -> int:
    return (
        (_READ if attribute.readable else 0)
        | (_WRITE if attribute.takes_writes else 0)
        | (_REPORT if attribute.reportable else 0)
    )


def discover_commands(commands: Iterable[int], payload: bytes, room: int = UNLIMITED) -> bytes:
    """Answer Discover Commands Received or Generated (ZCL 2.5.18, 2.5.20) within `room` octets."""
    _need(payload, 0, 2)
    found = [command for command in sorted(commands) if command >= payload[0]]
    maximum = min(payload[1], room - 1)
    return bytes((len(found) <= maximum, *found[:maximum]))


def reports(attributes: Iterable[Attribute], limit: int = REPORT_OCTETS) -> list[bytes]:
    """Return the payloads of as many Report Attributes commands as it takes (ZCL 2.5.11).

    None is longer than `limit` octets, unless one record alone is.
    """
    payloads = [b""]
    for attribute in attributes:
        record = (
            attribute.identifier.to_bytes(2, "little") + bytes((attribute.type_id,)) + attribute.serialise()
        )
        if payloads[-1] and len(payloads[-1]) + len(record) > limit:
            payloads.append(b"")
        payloads[-1] += record
    return [payload for payload in payloads if payload]


def _need(payload: bytes, at: int, octets: int) -> int:
    if len(payload) < at + octets:
        raise FrameError(f"ZCL general command: {len(payload) - at} octets at offset {at}, expected {octets}")
    return at + octets
