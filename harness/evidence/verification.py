"""What `smets1 verify` shows of a run folder: the proof of its evidence, and the page and capture of its report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from harness.errors import ReportError
from harness.evidence.run_proof import RunProof, prove_run
from harness.report.html import render_html
from harness.report.model import CampaignReport
from harness.run_folder import CAPTURE_FILE, REPORT_HTML_FILE, REPORT_JSON_FILE


class Finding(NamedTuple):
    """One thing that was checked, whether it holds, and what was seen."""

    subject: str
    holds: bool
    detail: str


def verify_run(folder: Path) -> tuple[Finding, ...]:
    """Check all of a run folder; raises `JournalError` or `ReportError` for what cannot be read at all."""
    proof = prove_run(folder)
    report = read_report(folder)
    return (*_proof(proof), _page(folder, report), *_capture(folder, report))


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


def _proof(proof: RunProof) -> Iterator[Finding]:
    """One line for each part of the proof that holds, one for each fault."""
    journal = proof.journal
    held = {
        "journal": f"{journal.entries} entries, {journal.checkpoints} signed milestones, "
        f"{journal.irreversible_done} irreversible acts, each once",
        "control": f"one controller at every instant, {len(proof.control.owners)} devices handed over",
        "files": f"{proof.files} signed files, each as published and answering the one it names",
        "report": "agrees with the journal",
    }
    for subject, detail in held.items():
        faults = [fault.partition(": ")[2] for fault in proof.faults if fault.startswith(f"{subject}: ")]
        yield from (Finding(subject, False, fault) for fault in faults)
        if not faults:
            yield Finding(subject, True, detail)


def _page(folder: Path, report: CampaignReport) -> Finding:
    try:
        same = (folder / REPORT_HTML_FILE).read_text(encoding="utf-8") == render_html(report)
    except FileNotFoundError:
        return Finding(REPORT_HTML_FILE, False, "missing; make it with: smets1 report DIR")
    return Finding(REPORT_HTML_FILE, same, "shows this report" if same else "does not show this report")


def _capture(folder: Path, report: CampaignReport) -> Iterator[Finding]:
    if report.capture is None:
        return
    path = folder / CAPTURE_FILE
    if not path.is_file():
        yield Finding(CAPTURE_FILE, False, "missing")
        return
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    same = found == report.capture.sha256
    yield Finding(CAPTURE_FILE, same, "as reported" if same else f"changed: SHA-256 is {found}")
