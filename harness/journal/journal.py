"""The journal: an append-only, hash-chained SQLite file, synced to disk before each effect.

The contract, in the order it is kept:

1. An entry is on disk (write-ahead log, `synchronous=FULL`) before the call that appends it returns.
2. An effect's intent is appended before the effect, its outcome after. A crash between leaves the intent
   open: *in doubt*. Only an explicit `Effect.done` or `Effect.failed` closes it; an
   exception that escapes the `with` block never does, because it says nothing about what reached the device.
3. A key whose outcome is `done` is never opened again. A failed key may be: that is a retry.
4. Rows are never updated or deleted; triggers refuse it, and the chain would show it.

Nothing in an entry comes from the machine: times are the caller's, so equal runs give equal entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from harness.errors import JournalError
from harness.facts import CODEC, Act, Fact, Failed, Kind, Outcome, Result, Status
from harness.facts.campaign import Begun, Checkpoint, ResumedInDoubt
from harness.journal.canonical import GENESIS, canonical_json, entry_hash
from harness.journal.effect import A, Effect
from harness.journal.entry import Clock, Entry, F, told
from harness.journal.entry_file import EntryFile
from harness.journal.signing import checkpoint_message, public_point, sign


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
        self.before_outcome: Callable[[], None] = lambda: None
        """Called before the outcome of an effect is written: what the effect changed must be on disk by then."""

    @classmethod
    def create(cls, path: Path, header: Begun, *, clock: Clock, key: ec.EllipticCurvePrivateKey) -> Journal:
        """Start a journal whose first entry is `header`, with the public half of `key`, which signs checkpoints.

        Raises `JournalError` when the file already holds entries, `FolderInUseError` when another process
        writes there.
        """
        journal = cls(path, clock)
        journal._key = key
        try:
            if journal._file.begun():
                raise JournalError(f"{path} already holds a run; resume it or choose another folder")
            entry = journal._compose(replace(header, public_key=public_point(key).hex()))
            journal._file.begin(entry)
            journal._remember(entry)
        except BaseException:
            journal._file.abandon()
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
            if key is not None and journal.header.public_key != public_point(key).hex():
                raise JournalError(
                    f"{path} was begun under another campaign key; resume with the same --signing-key"
                )
        except BaseException:
            journal._file.abandon()
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

    def _compose(self, fact: Fact, key: str = "", times_us: tuple[int, int] | None = None) -> Entry:
        last = self._last
        now, unix_us = times_us or (self._clock.now, self._clock.unix_us)
        if last is not None and now < last.time_us:
            raise JournalError(
                f"journal {self._path}: time {now} us is before the last entry's {last.time_us} us; "
                "start the clock at the last entry when resuming"
            )
        sequence = 0 if last is None else last.sequence + 1
        previous = GENESIS if last is None else last.hash
        kind, subject, action, details = CODEC.write(fact)
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

    def _append(self, fact: Fact, key: str = "", times_us: tuple[int, int] | None = None) -> Entry:
        entry = self._compose(fact, key, times_us)
        self._file.append(entry)
        self._remember(entry)
        self.on_append(entry)
        return entry

    # What is written

    def write(self, fact: Fact) -> Entry:
        """Record a fact that stands for itself: something seen, decided, gone wrong, received."""
        if isinstance(fact, Act | Outcome):
            raise JournalError(f"{fact.ACTION}: an act is announced with `effect`, which also closes it")
        return self._append(fact)

    @contextmanager
    def effect(self, act: A) -> Iterator[Effect[A]]:
        """Announce an act, let the block perform it (it may await), and expect the block to close it.

        An open intent of the same key is taken up again with `in_doubt` set. Raises `JournalError` for a key
        that is already done (ask `done(key)` first) or a block that does not say how the effect ended.
        """
        key = act.key
        if key in self._done:
            raise JournalError(f"{key} is already done; it must not be done again")
        intent = self._intents.get(key)
        in_doubt = intent is not None
        if intent is None:
            intent = self._append(act, key)
        else:
            self.write(ResumedInDoubt(act.subject, key, intent.sequence))
        announced = intent.fact
        assert isinstance(announced, type(act))
        effect = Effect(self._close_effect, intent, announced, in_doubt)
        yield effect
        if effect.outcome is None:
            raise JournalError(f"{key}: the effect ended without an outcome; call done or failed")

    def _close_effect(self, intent: Entry, status: Status, result: Result) -> Entry:
        """Append the outcome of an open intent; raises `JournalError` when it is not open."""
        open_intent = self._intents.get(intent.key)
        if open_intent is None or open_intent.sequence != intent.sequence:
            raise JournalError(
                f"{intent.key}: intent {intent.sequence} is not open; an effect has one outcome"
            )
        act = intent.fact
        assert isinstance(act, Act)
        expected = act.RESULT if status is Status.DONE else Failed
        if type(result) is not expected:
            raise JournalError(f"{intent.key}: ended with {result!r}, expected {expected.__name__}")
        self.before_outcome()
        outcome = Outcome(intent.subject, type(act), status, intent.sequence, result)
        return self._append(outcome, intent.key)

    def checkpoint(self, milestone: str) -> Entry:
        """Sign the chain so far with the campaign key (ECDSA P-256, RFC 6979)."""
        if self._key is None:
            raise JournalError(f"{self._path} was opened without the campaign key; it cannot be signed")
        times_us = (self._clock.now, self._clock.unix_us)
        message = checkpoint_message(milestone, self.head, self.last.sequence + 1, times_us)
        return self._append(Checkpoint(milestone, sign(self._key, message).hex()), times_us=times_us)

    # What is asked

    @property
    def header(self) -> Begun:
        """The first entry: which campaign this is."""
        fact = next(self.entries()).fact
        assert isinstance(fact, Begun)
        return fact

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

    def done(self, key: str) -> Result | None:
        """Return what the act of this key came to when it is done, else None; ask before every effect."""
        entry = self._done.get(key)
        fact = None if entry is None else entry.fact
        return fact.result if isinstance(fact, Outcome) else None

    def open_intents(self) -> list[Entry]:
        """Return the intents with no outcome, oldest first: what a crash left in doubt."""
        return sorted(self._intents.values(), key=lambda entry: entry.sequence)

    def attempts(self, key: str) -> int:
        """Return how often the effect was announced."""
        return self._attempts.get(key, 0)

    def entries(self, kind: Kind | None = None) -> Iterator[Entry]:
        """Return the entries in order, all or of one kind."""
        return self._file.entries(kind)

    def facts(self, kind: type[F]) -> Iterator[F]:
        """Return every fact of a kind, in order."""
        return (fact for _, fact in told(self.entries(kind.KIND), kind))

    def close(self) -> None:
        """Close the file and give up the lock; raises `JournalError` when more than one file is left."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self._file.abandon()
