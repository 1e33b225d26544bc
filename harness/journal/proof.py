"""Proof of a journal, independent of the code that writes it.

Rules:

1. Sequence numbers run from 0 without a gap; time never runs backwards.
2. Each entry's hash follows from its fields and the hash before it.
3. Each checkpoint's signature verifies under the campaign key in the header.
4. Each outcome names the open intent of its key, so every effect has its intent before it; each intent has at
   most one outcome, and an intent is not announced again while it is open.
5. No key is announced again after an outcome `done`: an irreversible act succeeds at most once.
6. Each entry holds a fact that this version knows, and an act's entry has the key that its record gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import JournalError
from harness.facts import Act, Fact, Kind, Outcome, Status
from harness.facts.campaign import Begun, Checkpoint
from harness.journal.canonical import GENESIS
from harness.journal.entry import Entry
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
    readable: bool = True
    """Whether every entry holds a fact that this version knows, the first the beginning of a campaign."""
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
        report.readable = False
        return report
    _check_chain(entries, report)
    facts = list(_facts(entries, report))
    _check_signatures(entries, facts, report)
    _check_effects(entries, facts, report)
    return report


def _facts(entries: Sequence[Entry], report: JournalReport) -> Iterator[Fact | None]:
    for entry in entries:
        try:
            yield entry.fact
        except JournalError as error:
            report.faults.append(str(error))
            report.readable = False
            yield None


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


def _check_signatures(entries: Sequence[Entry], facts: Sequence[Fact | None], report: JournalReport) -> None:
    header = facts[0]
    point = _octets(header.public_key) if isinstance(header, Begun) else b""
    for entry, fact in zip(entries, facts, strict=True):
        if not isinstance(fact, Checkpoint):
            continue
        times_us = (entry.time_us, entry.unix_us)
        message = checkpoint_message(fact.milestone, entry.previous.hex(), entry.sequence, times_us)
        if signature_holds(point, message, _octets(fact.signature)):
            report.checkpoints += 1
            report.signed_through = entry.sequence - 1
        else:
            report.faults.append(
                f"entry {entry.sequence}: the signature of checkpoint {fact.milestone} is not valid"
            )


def _octets(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


@dataclass(slots=True)
class _Effects:
    """Acts announced and done so far, by key."""

    open: dict[str, tuple[Entry, Act]] = field(default_factory=dict)
    done: dict[str, Entry] = field(default_factory=dict)


def _check_effects(entries: Sequence[Entry], facts: Sequence[Fact | None], report: JournalReport) -> None:
    effects = _Effects()
    for entry, fact in zip(entries, facts, strict=True):
        if isinstance(fact, Act):
            _check_intent(entry, fact, effects, report)
        elif isinstance(fact, Outcome):
            _check_outcome(entry, fact, effects, report)
        elif entry.key:
            report.faults.append(f"entry {entry.sequence}: {entry.action} has a key, and is no act")
    report.open_intents = list(effects.open)
    report.effects_done = len(effects.done)


def _check_intent(entry: Entry, act: Act, effects: _Effects, report: JournalReport) -> None:
    if entry.key != act.key:
        report.faults.append(f"entry {entry.sequence}: announced as {entry.key}, it is {act.key}")
    if entry.key in effects.open:
        report.faults.append(f"entry {entry.sequence}: {entry.key} announced again while in doubt")
    if entry.key in effects.done:
        report.faults.append(f"entry {entry.sequence}: {entry.key} announced again after it was done")
    effects.open[entry.key] = (entry, act)


def _check_outcome(entry: Entry, outcome: Outcome, effects: _Effects, report: JournalReport) -> None:
    intent, act = effects.open.pop(entry.key, (None, None))
    if intent is None or act is None or (outcome.intent, outcome.act) != (intent.sequence, type(act)):
        report.faults.append(f"entry {entry.sequence}: outcome of {entry.key} has no intent before it")
        return
    if outcome.status is not Status.DONE:
        return
    if entry.key in effects.done:
        report.faults.append(f"entry {entry.sequence}: {entry.key} succeeded twice")
    effects.done[entry.key] = entry
    report.irreversible_done += act.IRREVERSIBLE
