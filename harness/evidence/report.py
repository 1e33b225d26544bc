"""The report, made anew from the journal and compared octet by octet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from emulator.errors import FrameError
from harness.evidence.finding import Finding
from harness.evidence.record import Record
from harness.journal import Entry
from harness.product import product_version
from harness.report.assembly import assemble
from harness.report.frames import Frames
from harness.report.html import render_html
from harness.report.model import CampaignReport
from harness.run_folder import CAPTURE_FILE, REPORT_HTML_FILE, REPORT_JSON_FILE


def check_report(record: Record) -> Iterator[Finding]:
    """Yield whether both forms of the report are what the journal gives."""
    path = record.folder / REPORT_JSON_FILE
    if not path.is_file():
        ended = record.sealed is not None
        way = f"missing; make it with: smets1 run --resume {record.folder}"
        yield Finding(REPORT_JSON_FILE, False if ended else None, way)
        return
    octets = path.read_bytes()
    expected = made_again(record, _told(record, octets))
    text = expected.to_json().encode()
    yield _json(octets, text, record)
    page = record.folder / REPORT_HTML_FILE
    if not page.is_file():
        yield Finding(REPORT_HTML_FILE, False, f"missing; make it with: smets1 report {record.folder}")
        return
    same = page.read_bytes() == render_html(expected).encode()
    yield Finding(
        REPORT_HTML_FILE, same, "shows that report" if same else "does not show what the journal gives"
    )


def made_again(record: Record, entries: Sequence[Entry]) -> CampaignReport:
    """Return the report that entries of the journal give, with the inputs and the capture of the folder."""
    begun = record.begun
    try:
        frames = Frames.read(record.folder / CAPTURE_FILE, begun.epoch_unix_seconds)
    except FrameError:
        frames = Frames((), begun.epoch_unix_seconds)
    return assemble(record.installation, entries, frames)


def _told(record: Record, octets: bytes) -> Sequence[Entry]:
    """Return the entries that a report tells of: fewer than all only where a stopped run has gone on since."""
    if record.sealed is not None:
        return record.entries
    try:
        head = json.loads(octets)["journal_head"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return record.entries
    return record.until(str(head))


def _json(octets: bytes, expected: bytes, record: Record) -> Finding:
    if octets == expected:
        return Finding(REPORT_JSON_FILE, True, "made again from the journal, it is the same to the octet")
    made_by = record.begun.product_version
    other = (
        "" if made_by == product_version() else f" (made by version {made_by}, this is {product_version()})"
    )
    return Finding(REPORT_JSON_FILE, False, f"{difference(octets, expected)}{other}")


def difference(octets: bytes, expected: bytes) -> str:
    """Say where a report first differs from what it should be."""
    try:
        found = json.loads(octets)
    except (ValueError, RecursionError) as error:
        return f"not JSON ({error})"
    return _first(found, json.loads(expected), "report") or "written otherwise, though it says the same"


def _first(found: Any, expected: Any, place: str) -> str:
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in (*expected, *(name for name in found if name not in expected)):
            inner = f"{place}.{name}"
            if name not in found or name not in expected:
                return f"{inner}: {'missing' if name not in found else 'unknown'}"
            if told := _first(found[name], expected[name], inner):
                return told
        return ""
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        places = (
            _first(a, b, f"{place}[{index}]")
            for index, (a, b) in enumerate(zip(found, expected, strict=True))
        )
        return next(filter(None, places), "")
    same = type(found) is type(expected) and found == expected
    return "" if same else f"{place}: {_short(found)}, the journal gives {_short(expected)}"


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
