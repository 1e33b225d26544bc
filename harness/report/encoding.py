"""Report records to and from the canonical text of `report.json`."""

from __future__ import annotations

import json
from typing import TypeVar

from harness.errors import RecordError, ReportError
from harness.records import Json, decode, encode

__all__ = ["Json", "read_record", "write_record"]

T = TypeVar("T")


def write_record(record: object) -> str:
    """Return `record` as canonical JSON text: declared field order, sorted mapping keys, a final newline."""
    return json.dumps(encode(record), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_record(kind: type[T], text: str, *, schema_version: int) -> T:
    """Read a record of `kind` from JSON text; raises `ReportError` with the path to what is not right."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"report: not JSON ({error}); expected the report.json of a run") from error
    found = value.get("schema_version") if isinstance(value, dict) else None
    if found != schema_version:
        raise ReportError(
            f"report: schema_version is {found!r}, expected {schema_version}; "
            f"re-render it with the smets1 version that wrote it"
        )
    try:
        return decode(kind, value, "report")
    except RecordError as error:
        raise ReportError(str(error)) from error
