"""The journal: an append-only, hash-chained SQLite file, synced to disk before each effect.

The contract, in the order it is kept:

1. An entry is on disk (write-ahead log, `synchronous=FULL`) before the call that appends it returns.
2. An effect's intent is appended before the effect, its outcome after. A crash between leaves the intent
   open: *in doubt*. Only an explicit `Effect.done`, `Effect.failed` or `Effect.not_performed` closes it; an
   exception that escapes the `with` block never does, because it says nothing about what reached the device.
3. A key whose outcome is `done` is never opened again. A failed key may be: that is a retry.
4. Rows are never updated or deleted; triggers refuse it, and the chain would show it.

Nothing in an entry comes from the machine: times are the caller's, so equal runs give equal entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from harness.errors import JournalError
from harness.journal.canonical import GENESIS, Details, Json, canonical_json, entry_hash
from harness.journal.effect import Effect
from harness.journal.entry import Clock, Entry, Kind, Status
from harness.journal.entry_file import EntryFile
from harness.journal.signing import checkpoint_message, public_point, sign

SCHEMA_VERSION = 1


class Journal:
    """The one writer of a journal file."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Use `Journal.create` or `Journal.open`."""
        self._path = path
        self._file = EntryFile(path)
        self._clock = clock
        self._key: ec.EllipticCurvePrivateKey | None = None
        self._last: Entry | None = None
        self._intents: dict[str, Entry] = {}
        self._done: dict[str, Entry] = {}
        self._attempts: dict[str, int] = {}
        self.on_append: Callable[[Entry], None] = lambda entry: None
        """Called after each entry is on disk: live progress, and the crash tests."""

    @classmethod
    def create(cls, path: Path, header: Details, *, clock: Clock, key: ec.EllipticCurvePrivateKey) -> Journal:
        """Start a journal whose first entry is `header` plus the public campaign key.

        Raises `JournalError` when the file already holds entries, `FolderInUseError` when another process
        writes there. `key` signs the checkpoints.
        """
        journal = cls(path, clock)
        journal._key = key
        details = {**header, "journal_version": SCHEMA_VERSION, "public_key": public_point(key).hex()}
        try:
            if journal._file.begun():
                raise JournalError(f"{path} already holds a run; resume it or choose another folder")
            entry = journal._compose(Kind.HEADER, "campaign", "begin", "", details)
            journal._file.begin(entry)
            journal._remember(entry)
        except BaseException:
            journal.close()
            raise
        return journal

    @classmethod
    def open(cls, path: Path, *, clock: Clock, key: ec.EllipticCurvePrivateKey | None = None) -> Journal:
        """Continue an existing journal; raises `JournalError` when there is none or its chain is broken.

        Start the clock at `read_last(path).time_us` or later: time never runs backwards in a journal.
        """
        if not path.exists():
            raise JournalError(f"{path}: there is no journal; check the folder or start a new run")
        journal = cls(path, clock)
        try:
            journal._load()
            if key is not None and journal.header.get("public_key") != public_point(key).hex():
                raise JournalError(f"{path} was begun under another campaign key; resume with the same seed")
        except BaseException:
            journal.close()
            raise
        journal._key = key
        return journal

    def _load(self) -> None:
        if not self._file.begun():
            raise JournalError(f"{self._path} holds no run: it ended before its first entry; start afresh")
        previous = GENESIS
        for entry in self.entries():
            if entry.previous != previous or entry.hash != entry.computed_hash():
                raise JournalError(
                    f"{self._path}: entry {entry.sequence} breaks the hash chain; the file was altered; "
                    "keep it as evidence and start a new run"
                )
            previous = entry.hash
            self._remember(entry)

    def _compose(self, kind: Kind, subject: str, action: str, key: str, details: Details) -> Entry:
        last = self._last
        now, unix_us = self._clock.now, self._clock.unix_us
        if last is not None and now < last.time_us:
            raise JournalError(
                f"journal {self._path}: time {now} us is before the last entry's {last.time_us} us; "
                "start the clock at the last entry when resuming"
            )
        sequence = 0 if last is None else last.sequence + 1
        previous = GENESIS if last is None else last.hash
        text = canonical_json(details)
        fields = (sequence, now, unix_us, str(kind), subject, action, key, text)
        return Entry(
            sequence, now, unix_us, kind, subject, action, key, text, previous, entry_hash(previous, fields)
        )

    def _remember(self, entry: Entry) -> None:
        self._last = entry
        if entry.kind is Kind.INTENT:
            self._intents[entry.key] = entry
            self._attempts[entry.key] = self._attempts.get(entry.key, 0) + 1
        elif entry.kind is Kind.OUTCOME:
            self._intents.pop(entry.key, None)
            if entry.status is Status.DONE:
                self._done[entry.key] = entry

    def _append(self, kind: Kind, subject: str, action: str, details: Details | None, key: str = "") -> Entry:
        entry = self._compose(kind, subject, action, key, details or {})
        self._file.append(entry)
        self._remember(entry)
        self.on_append(entry)
        return entry

    # What is written

    def observe(self, subject: str, action: str, details: Details | None = None) -> Entry:
        """Record something seen: a version read back, a test answered."""
        return self._append(Kind.OBSERVATION, subject, action, details)

    def decide(self, subject: str, action: str, details: Details | None = None) -> Entry:
        """Record a choice and its reasons: the plan, a transition, an exclusion."""
        return self._append(Kind.DECISION, subject, action, details)

    def exception(self, subject: str, action: str, details: Details | None = None) -> Entry:
        """Record something that went wrong and belongs in the report."""
        return self._append(Kind.EXCEPTION, subject, action, details)

    def file(self, subject: str, action: str, details: Details | None = None) -> Entry:
        """Record a file handed over: its name and SHA-256."""
        return self._append(Kind.FILE, subject, action, details)

    @contextmanager
    def effect(
        self,
        subject: str,
        action: str,
        details: Details | None = None,
        *,
        key: str | None = None,
        irreversible: bool = False,
    ) -> Iterator[Effect]:
        """Announce an effect, let the block perform it (it may await), and expect the block to close it.

        `key` is the idempotency key, `action/subject` unless given, for example `activate/<eui>/<version>`.
        An open intent of the same key is taken up again with `in_doubt` set. Raises `JournalError` for a key
        that is already done (ask `done(key)` first) or a block that does not say how the effect ended.
        """
        key = key or f"{action}/{subject}"
        if key in self._done:
            raise JournalError(f"{key} is already done; it must not be done again")
        intent = self._intents.get(key)
        in_doubt = intent is not None
        if intent is None:
            announced: dict[str, Json] = {"irreversible": irreversible, **(details or {})}
            intent = self._append(Kind.INTENT, subject, action, announced, key)
        else:
            self.observe(subject, "resume-in-doubt", {"effect": key, "intent": intent.sequence})
        effect = Effect(self.close_effect, intent, in_doubt)
        yield effect
        if effect.outcome is None:
            raise JournalError(
                f"{key}: the effect ended without an outcome; call done, failed or not_performed"
            )

    def close_effect(self, intent: Entry, status: Status, result: Details | None) -> Entry:
        """Append the outcome of an open intent; raises `JournalError` when it is not open."""
        open_intent = self._intents.get(intent.key)
        if open_intent is None or open_intent.sequence != intent.sequence:
            raise JournalError(
                f"{intent.key}: intent {intent.sequence} is not open; an effect has one outcome"
            )
        details: dict[str, Json] = {
            "status": str(status),
            "intent": intent.sequence,
            "result": dict(result or {}),
        }
        return self._append(Kind.OUTCOME, intent.subject, intent.action, details, intent.key)

    def checkpoint(self, milestone: str) -> Entry:
        """Sign the chain so far with the campaign key (ECDSA P-256, RFC 6979)."""
        if self._key is None:
            raise JournalError(f"{self._path} was opened without the campaign key; it cannot be signed")
        signature = sign(self._key, checkpoint_message(milestone, self.head))
        return self._append(Kind.CHECKPOINT, "campaign", milestone, {"signature": signature.hex()})

    # What is asked

    @property
    def header(self) -> dict[str, Json]:
        """The details of the first entry."""
        return next(self.entries()).details

    @property
    def head(self) -> str:
        """The hash of the last entry, in hexadecimal."""
        return "" if self._last is None else self._last.hash.hex()

    @property
    def last(self) -> Entry:
        """The last entry."""
        if self._last is None:
            raise JournalError(f"{self._path} has no entry")
        return self._last

    def done(self, key: str) -> dict[str, Json] | None:
        """Return the result of the effect when it is done, else None; ask before every effect."""
        entry = self._done.get(key)
        if entry is None:
            return None
        result = entry.details["result"]
        return result if isinstance(result, dict) else {}

    def open_intents(self) -> list[Entry]:
        """Return the intents with no outcome, oldest first: what a crash left in doubt."""
        return sorted(self._intents.values(), key=lambda entry: entry.sequence)

    def attempts(self, key: str) -> int:
        """Return how often the effect was announced."""
        return self._attempts.get(key, 0)

    def entries(self, kind: Kind | None = None) -> Iterator[Entry]:
        """Return the entries in order, all or of one kind."""
        return self._file.entries(kind)

    def close(self) -> None:
        """Close the file and give up the lock."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
