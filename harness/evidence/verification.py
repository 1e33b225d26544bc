"""What `smets1 verify` shows of a run folder: its journal, who signed it, and everything that must follow from it.

Nothing is written, and the folder may lie where nothing can be. Whatever is damaged is one finding that names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import HarnessError, JournalError
from harness.evidence.course import check_lifecycle
from harness.evidence.exchanged import check_exchange
from harness.evidence.finding import Finding, guarded, stated
from harness.evidence.folder import check_folder
from harness.evidence.inventory import check_inventory
from harness.evidence.provenance import check_provenance
from harness.evidence.record import Record
from harness.evidence.report import check_report
from harness.evidence.signature import check_signer, read_fingerprint
from harness.journal import JournalReport, is_as_made, read_entries, verify_entries
from harness.regime.control import check_control
from harness.run_folder import EXCHANGE_FOLDER, JOURNAL_FILE, REPORT_JSON_FILE


def verify_run(folder: Path, trust: str | None = None) -> tuple[Finding, ...]:
    """Check all of a run folder; `trust` is the fingerprint of the key that must have signed it.

    Raises `HarnessError` for a folder that is none, and for a `trust` that is no fingerprint.
    """
    if not folder.is_dir():
        raise HarnessError(f"{folder}: there is no such folder; give the folder of a run")
    trusted = None if trust is None else read_fingerprint(trust)
    try:
        entries = read_entries(folder / JOURNAL_FILE)
    except JournalError as error:
        return (Finding(JOURNAL_FILE, False, str(error)),)
    journal, record = verify_entries(entries), Record(folder, entries)
    if not journal.readable:
        return tuple(stated(JOURNAL_FILE, journal.faults, ""))
    return (
        *_course(record),
        *_journal(journal, record),
        *check_signer(record.begun, journal.checkpoints, trusted),
        *guarded("lifecycle", lambda: check_lifecycle(record, record.installation)),
        *guarded("control", lambda: _control(record)),
        *guarded("firmware", lambda: check_provenance(record)),
        *guarded("inventory", lambda: check_inventory(record, record.installation)),
        *guarded(EXCHANGE_FOLDER, lambda: check_exchange(record, journal)),
        *guarded("files", lambda: check_folder(record)),
        *guarded(REPORT_JSON_FILE, lambda: check_report(record)),
    )


def _course(record: Record) -> Iterator[Finding]:
    """Say how far the run has come."""
    if record.ended is not None:
        yield Finding("run", True, f"finished: {record.ended.verdict}")
    elif record.stopped is not None:
        yield Finding("run", None, f"stopped, resume it with: smets1 run --resume {record.folder}")
    else:
        yield Finding("run", None, f"not finished, resume it with: smets1 run --resume {record.folder}")


def _journal(journal: JournalReport, record: Record) -> Iterator[Finding]:
    faults = list(journal.faults)
    if not is_as_made(record.folder / JOURNAL_FILE):
        faults.append("its tables and triggers are not those that a journal is made with")
    if record.ended is not None and record.sealed is None:
        faults.append(
            "the run has ended, but its last entry is no signature over a seal of its files; "
            f"have it signed with: smets1 run --resume {record.folder}"
        )
    yield from stated(
        JOURNAL_FILE,
        faults,
        f"{journal.entries} entries, {journal.checkpoints} signed milestones, "
        f"{journal.irreversible_done} irreversible acts, each once",
    )


def _control(record: Record) -> Iterator[Finding]:
    control = check_control(record.entries)
    detail = f"one controller at every instant, {len(control.owners)} devices handed over"
    yield from stated("control", control.faults, detail)
