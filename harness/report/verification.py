"""Whether a run folder holds together: the journal, and the report against the journal and the files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from harness.campaign.options import (
    CAPTURE_FILE,
    EXCHANGE_FOLDER,
    JOURNAL_FILE,
    REPORT_HTML_FILE,
    REPORT_JSON_FILE,
)
from harness.errors import ReportError
from harness.journal import read_entries, verify_entries
from harness.journal.entry import Entry
from harness.report.html import render_html
from harness.report.model import CampaignReport


class Finding(NamedTuple):
    """One thing that was checked, whether it holds, and what was seen."""

    subject: str
    holds: bool
    detail: str


def verify_run(folder: Path) -> tuple[Finding, ...]:
    """Check all of a run folder; raises `JournalError` or `ReportError` for what cannot be read at all."""
    entries = read_entries(folder / JOURNAL_FILE)
    report = read_report(folder)
    return (
        *_journal(entries),
        _agreement(entries, report),
        _page(folder, report),
        *_capture(folder, report),
        *_files(folder, report),
    )


def read_report(folder: Path) -> CampaignReport:
    """Read the report of a run folder (or a report file itself); raises `ReportError`."""
    path = folder / REPORT_JSON_FILE if folder.is_dir() else folder
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ReportError(f"{path}: no report; finish the run with: smets1 run --resume DIR") from None
    except UnicodeDecodeError as error:
        raise ReportError(f"{path}: not UTF-8 at octet {error.start}; expected a report.json") from None
    return CampaignReport.from_json(text)


def _journal(entries: list[Entry]) -> Iterator[Finding]:
    proof = verify_entries(entries)
    counts = f"{proof.entries} entries, {proof.checkpoints} signed milestones"
    yield Finding("journal", proof.holds, f"{counts}, {proof.irreversible_done} irreversible acts, each once")
    yield from (Finding("journal", False, fault) for fault in proof.faults)


def _agreement(entries: list[Entry], report: CampaignReport) -> Finding:
    """The report names the entry it was written after; what follows that entry came later."""
    number = report.journal_entries
    if not 0 < number <= len(entries):
        return Finding("report", False, f"speaks of {number} entries, the journal has {len(entries)}")
    head = entries[number - 1].hash.hex()
    holds = head == report.journal_head
    detail = f"follows entry {number - 1}" if holds else f"entry {number - 1} has another hash, {head}"
    return Finding("report", holds, detail)


def _page(folder: Path, report: CampaignReport) -> Finding:
    try:
        same = (folder / REPORT_HTML_FILE).read_text(encoding="utf-8") == render_html(report)
    except FileNotFoundError:
        return Finding(REPORT_HTML_FILE, False, "missing; make it with: smets1 report DIR")
    return Finding(REPORT_HTML_FILE, same, "shows this report" if same else "does not show this report")


def _capture(folder: Path, report: CampaignReport) -> Iterator[Finding]:
    if report.capture is not None:
        yield _octets(folder / CAPTURE_FILE, report.capture.sha256, CAPTURE_FILE)


def _files(folder: Path, report: CampaignReport) -> Iterator[Finding]:
    for file in report.files:
        yield _octets(folder / EXCHANGE_FOLDER / Path(file.name).name, file.sha256, file.name)


def _octets(path: Path, sha256: str, name: str) -> Finding:
    if not path.is_file():
        return Finding(name, False, "missing")
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    same = found == sha256
    return Finding(name, same, "as reported" if same else f"changed: SHA-256 is {found}")
