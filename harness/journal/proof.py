"""Proof of a journal, independent of the code that writes it.

Rules:

1. Sequence numbers run from 0 without a gap; time never runs backwards.
2. Each entry's hash follows from its fields and the hash before it.
3. Each checkpoint's signature verifies under the campaign key in the header.
4. Each outcome names the open intent of its key, so every effect has its intent before it; each intent has at
   most one outcome, and an intent is not announced again while it is open.
5. No key is announced again after an outcome `done`: an irreversible act succeeds at most once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.journal.canonical import GENESIS
from harness.journal.entry import Entry, Kind, Status
from harness.journal.entry_file import read_entries
from harness.journal.signing import checkpoint_message, signature_holds


@dataclass(slots=True)
class JournalReport:
    """What the proof found; `faults` is empty when the journal holds."""

    entries: int = 0
    head: str = ""
    checkpoints: int = 0
    signed_through: int = -1
    """Sequence number of the last entry covered by a valid signature."""
    effects_done: int = 0
    irreversible_done: int = 0
    open_intents: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """True when no rule is broken."""
        return not self.faults


def verify_journal(path: Path) -> JournalReport:
    """Prove the journal file at `path`; raises `JournalError` only when it cannot be read."""
    return verify_entries(read_entries(path))


def verify_entries(entries: Sequence[Entry]) -> JournalReport:
    """Prove a sequence of entries."""
    report = JournalReport(entries=len(entries), head=entries[-1].hash.hex() if entries else "")
    if not entries or entries[0].kind is not Kind.HEADER:
        report.faults.append("entry 0 is not a header; the journal does not say which campaign it is")
        return report
    _check_chain(entries, report)
    _check_signatures(entries, report)
    _check_effects(entries, report)
    return report


def _check_chain(entries: Sequence[Entry], report: JournalReport) -> None:
    previous, time_us = GENESIS, entries[0].time_us
    for index, entry in enumerate(entries):
        if entry.sequence != index:
            report.faults.append(f"entry {entry.sequence} stands where {index} should: entries are missing")
            return
        if entry.previous != previous or entry.computed_hash() != entry.hash:
            report.faults.append(f"entry {index} breaks the hash chain")
        if entry.time_us < time_us:
            report.faults.append(f"entry {index} is earlier than the one before it")
        previous, time_us = entry.hash, entry.time_us


def _check_signatures(entries: Sequence[Entry], report: JournalReport) -> None:
    try:
        point = bytes.fromhex(str(entries[0].details.get("public_key", "")))
    except ValueError:
        point = b""
    for entry in entries:
        if entry.kind is not Kind.CHECKPOINT:
            continue
        message = checkpoint_message(entry.action, entry.previous.hex())
        try:
            signature = bytes.fromhex(str(entry.details.get("signature", "")))
        except ValueError:
            signature = b""
        if signature_holds(point, message, signature):
            report.checkpoints += 1
            report.signed_through = entry.sequence - 1
        else:
            report.faults.append(
                f"entry {entry.sequence}: the signature of checkpoint {entry.action} is not valid"
            )


def _check_effects(entries: Sequence[Entry], report: JournalReport) -> None:
    open_intents: dict[str, Entry] = {}
    done: dict[str, Entry] = {}
    for entry in entries:
        if entry.kind is Kind.INTENT:
            if entry.key in open_intents:
                report.faults.append(f"entry {entry.sequence}: {entry.key} announced again while in doubt")
            if entry.key in done:
                report.faults.append(f"entry {entry.sequence}: {entry.key} announced again after it was done")
            open_intents[entry.key] = entry
        elif entry.kind is Kind.OUTCOME:
            _check_outcome(entry, open_intents, done, report)
    report.open_intents = list(open_intents)
    report.effects_done = len(done)


def _check_outcome(
    entry: Entry, open_intents: dict[str, Entry], done: dict[str, Entry], report: JournalReport
) -> None:
    intent = open_intents.pop(entry.key, None)
    if intent is None or entry.details.get("intent") != intent.sequence:
        report.faults.append(f"entry {entry.sequence}: outcome of {entry.key} has no intent before it")
        return
    if entry.status is not Status.DONE:
        return
    if entry.key in done:
        report.faults.append(f"entry {entry.sequence}: {entry.key} succeeded twice")
    done[entry.key] = entry
    report.irreversible_done += bool(intent.details.get("irreversible"))
