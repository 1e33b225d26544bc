"""What somebody may do to a run folder: every alteration is undone again when the `with` block ends."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from harness.errors import HarnessError
from harness.evidence.record import Record
from harness.evidence.report import made_again
from harness.journal import Entry, canonical_json, read_entries
from harness.journal.signing import checkpoint_message, public_point, sign
from harness.report.html import render_html
from harness.report.model import CampaignReport
from harness.run_folder import JOURNAL_FILE, REPORT_HTML_FILE, REPORT_JSON_FILE
from hw_profiles.errors import ProfileError

Place = tuple[str | int, ...]
"""The way to a leaf of JSON data."""


@contextmanager
def kept(*paths: Path) -> Iterator[None]:
    """Put files back as they were; those that were not there are removed."""
    before = [path.read_bytes() if path.exists() else None for path in paths]
    try:
        yield
    finally:
        for path, octets in zip(paths, before, strict=True):
            path.unlink(missing_ok=True)
            if octets is not None:
                path.write_bytes(octets)


# Files


def _one_bit_changed(octets: bytes) -> bytes:
    middle = len(octets) // 2
    return octets[:middle] + bytes((octets[middle] ^ 1,)) + octets[middle + 1 :]


def _linked(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/null")


ALTERATIONS: dict[str, Callable[[Path], object]] = {
    "removed": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "one bit": lambda path: path.write_bytes(_one_bit_changed(path.read_bytes())),
    "one octet more": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "junk": lambda path: path.write_bytes(b"\xff\xfe\x00junk\x80" * 99),
    "a link": _linked,
}
"""What is done to a file. An empty one cannot be cut or lose a bit."""


@contextmanager
def altered(path: Path, how: str) -> Iterator[None]:
    """Do one of the alterations to a file."""
    with kept(path):
        ALTERATIONS[how](path)
        yield


# The report


def leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield every leaf of JSON data with the way to it."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from leaves(item, (*place, name))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*place, index))
    else:
        yield place, value


def kind_of(place: Place) -> str:
    """Return which kind of leaf a place is: its way without the numbers and names that differ between runs."""
    return ".".join("*" if isinstance(step, int) or "-" in step or "/" in step else step for step in place)


def otherwise(value: Any) -> Any:
    """Return another value of the same type."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}0"
        case None:
            return 0
        case list():
            return [0]
        case _:
            return {"forged": 0}


def changed(value: Any, place: Place) -> Any:
    """Return JSON data with one leaf changed."""
    if not place:
        return otherwise(value)
    step = place[0]
    inner = changed(value[step], place[1:])
    if isinstance(value, list):
        assert isinstance(step, int)
        return [*value[:step], inner, *value[step + 1 :]]
    return {**value, step: inner}


@contextmanager
def report_changed(folder: Path, place: Place) -> Iterator[None]:
    """Change one leaf of the report, and show it on the page where it still can be."""
    path, page = folder / REPORT_JSON_FILE, folder / REPORT_HTML_FILE
    with kept(path, page):
        content = changed(json.loads(path.read_text()), place)
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        path.write_text(text)
        with suppress(HarnessError, ValueError, OverflowError, KeyError, IndexError, ZeroDivisionError):
            page.write_text(render_html(CampaignReport.from_json(text)))
        yield


# The journal

Rewrite = Callable[[Sequence[Entry]], Sequence[Entry]]


@contextmanager
def journal_rewritten(
    folder: Path, rewrite: Rewrite, key: ec.EllipticCurvePrivateKey | None
) -> Iterator[None]:
    """Rewrite entries, chain them anew, sign them with `key` (None: leave no signature), and make the report fit."""
    path = folder / JOURNAL_FILE
    with kept(path, folder / REPORT_JSON_FILE, folder / REPORT_HTML_FILE):
        entries = chained(rewrite(read_entries(path)), key)
        store(path, entries)
        try:
            report = made_again(Record(folder, entries), entries)
        except (HarnessError, ProfileError, KeyError, ValueError):
            yield  # Nothing that could be shown: the report stays as it was.
            return
        (folder / REPORT_JSON_FILE).write_text(report.to_json())
        (folder / REPORT_HTML_FILE).write_text(render_html(report))
        yield


def chained(entries: Sequence[Entry], key: ec.EllipticCurvePrivateKey | None) -> list[Entry]:
    """Return entries in a chain that holds, signed with `key`; without one, the checkpoints are left out."""
    made: list[Entry] = []
    for entry in entries:
        if entry.action == "checkpoint" and key is None:
            continue
        sequence, previous = len(made), made[-1].hash if made else bytes(32)
        details = entry.details
        if entry.action == "begin" and key is not None:
            details["public_key"] = public_point(key).hex()
        if entry.action == "checkpoint" and key is not None:
            times = (entry.time_us, entry.unix_us)
            message = checkpoint_message(str(details["milestone"]), previous.hex(), sequence, times)
            details["signature"] = sign(key, message).hex()
        if entry.kind == "outcome":
            intent = max(item.sequence for item in made if item.kind == "intent" and item.key == entry.key)
            details["intent"] = intent
        next_one = replace(entry, sequence=sequence, previous=previous, details_json=canonical_json(details))
        made.append(replace(next_one, hash=next_one.computed_hash()))
    return made


def store(path: Path, entries: Sequence[Entry]) -> None:
    """Put entries into the file of a journal in place of those it has."""
    database = sqlite3.connect(path)
    triggers = [sql for (sql,) in database.execute("SELECT sql FROM sqlite_master WHERE type='trigger'")]
    for name in ("entry_no_update", "entry_no_delete"):
        database.execute(f"DROP TRIGGER {name}")
    database.execute("DELETE FROM entry")
    for entry in entries:
        row = (
            entry.sequence,
            entry.time_us,
            entry.unix_us,
            str(entry.kind),
            entry.subject,
            entry.action,
            entry.key,
            entry.details_json,
            entry.previous,
            entry.hash,
        )
        database.execute("INSERT INTO entry VALUES (?,?,?,?,?,?,?,?,?,?)", row)
    for sql in triggers:
        database.execute(sql)
    database.commit()
    database.close()
