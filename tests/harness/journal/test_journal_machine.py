"""The journal under any course of a campaign: announced, done, failed, killed, resumed, signed.

Whatever happens, what is on disk proves; an act that is done is never announced again; and a journal opened after a
kill knows exactly what one that was never closed knows.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from harness.errors import JournalError
from harness.facts import Failed, Status
from harness.facts.enrolment import KeyRotated
from harness.facts.terms import KeyRole
from harness.journal import Journal, key_from_seed, read_entries, verify_entries
from tests.harness.facts.samples import begun, rotation, seen

KEY = key_from_seed(b"7", "campaign")
DEVICES = ("00-DB-12-34-56-78-90-A1", "00-DB-12-34-56-78-90-A2")
devices = st.sampled_from(DEVICES)


class ProcessEndedError(Exception):
    """Stands for the end of a process in the middle of an effect."""


class Clock:
    def __init__(self, now: int = 0) -> None:
        self.now = now

    @property
    def unix_us(self) -> int:
        return 1_767_225_600_000_000 + self.now


class Campaign(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="journal-"))
        self.path = self.folder / "journal.sqlite"
        self.clock = Clock()
        self.journal = Journal.create(self.path, begun(), clock=self.clock, key=KEY)
        self.done: set[str] = set()
        self.doubtful: set[str] = set()
        self.announced: dict[str, int] = {}
        self.written = 1
        self.changed_before_outcome: list[int] = []
        self.journal.before_outcome = lambda: self.changed_before_outcome.append(self.written)

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            with suppress(JournalError):
                self.journal.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    # What a campaign does

    @rule(seconds=st.integers(0, 5))
    def time_passes(self, seconds: int) -> None:
        self.clock.now += seconds * 1_000_000

    @rule(device=devices, version=st.integers(0, 9))
    def sees_something(self, device: str, version: int) -> None:
        entry = self.journal.write(seen(device, version))
        self.written += 1
        assert entry.sequence == self.written - 1
        assert entry.fact == seen(device, version)

    @rule(device=devices, how=st.sampled_from(["done", "failed", "dies"]))
    def acts(self, device: str, how: str) -> None:
        act = rotation(device)
        if act.key in self.done:
            with (
                pytest.raises(JournalError, match="is already done; it must not be done again"),
                self.journal.effect(act),
            ):
                raise AssertionError("entered")
            return
        was_doubtful = act.key in self.doubtful
        with suppress(ProcessEndedError), self.journal.effect(act) as effect:
            self.written += 1
            assert effect.in_doubt is was_doubtful
            if not was_doubtful:
                self.announced[act.key] = self.announced.get(act.key, 0) + 1
            self.doubtful.add(act.key)
            if how == "dies":
                raise ProcessEndedError
            effect.done(KeyRotated(1)) if how == "done" else effect.failed(Failed("no answer"))
            self.written += 1
            self.doubtful.discard(act.key)
            with pytest.raises(JournalError, match="is not open; an effect has one outcome"):
                effect.done(KeyRotated(1))
        if how == "done":
            self.done.add(act.key)

    @rule(device=devices)
    def does_not_say_how_it_ended(self, device: str) -> None:
        act = rotation(device)
        if act.key in self.done:
            return
        was_doubtful = act.key in self.doubtful
        unsaid = pytest.raises(JournalError, match="ended without an outcome; call done or failed")
        with unsaid, self.journal.effect(act):
            pass
        self.written += 1
        self.doubtful.add(act.key)
        if not was_doubtful:
            self.announced[act.key] = self.announced.get(act.key, 0) + 1

    @rule(milestone=st.sampled_from(["upgraded", "configured", "enrolled"]))
    def signs(self, milestone: str) -> None:
        self.journal.checkpoint(milestone)
        self.written += 1

    @rule(backwards_us=st.integers(1, 10**6))
    def a_clock_that_goes_back_is_refused(self, backwards_us: int) -> None:
        last = self.journal.last.time_us
        now, self.clock.now = self.clock.now, last - backwards_us
        with pytest.raises(
            JournalError, match=f"time {last - backwards_us} us is before the last entry's {last} us"
        ):
            self.journal.write(seen())
        self.clock.now = now

    @precondition(lambda self: self.written > 1)
    @rule(kill=st.booleans())
    def ends_and_is_resumed(self, kill: bool) -> None:
        head, open_before = self.journal.head, [entry.key for entry in self.journal.open_intents()]
        if kill:
            # As a killed process leaves it: copies of what is on disk, with its log unmerged.
            other = Path(tempfile.mkdtemp(prefix="journal-"))
            for file in self.folder.iterdir():
                if not file.name.endswith((".lock", "-shm")):
                    shutil.copyfile(file, other / file.name)
            self.journal.close()
            shutil.rmtree(self.folder)
            self.folder, self.path = other, other / self.path.name
        else:
            self.journal.close()
        self.journal = Journal.open(self.path, clock=self.clock, key=KEY)
        self.journal.before_outcome = lambda: self.changed_before_outcome.append(self.written)
        assert self.journal.head == head
        assert [entry.key for entry in self.journal.open_intents()] == open_before

    # What is always true

    @invariant()
    def what_is_on_disk_proves(self) -> None:
        entries = read_entries(self.path)
        assert len(entries) == self.written
        report = verify_entries(entries)
        assert report.faults == []
        assert (report.head, report.effects_done, report.irreversible_done) == (
            self.journal.head,
            len(self.done),
            len(self.done),
        )
        assert set(report.open_intents) == self.doubtful
        assert report.signed_through < report.entries

    @invariant()
    def the_journal_remembers_what_it_was_told(self) -> None:
        assert {entry.key for entry in self.journal.open_intents()} == self.doubtful
        for device in DEVICES:
            key = rotation(device).key
            assert (self.journal.done(key) is not None) == (key in self.done)
            assert self.journal.attempts(key) == self.announced.get(key, 0)

    @invariant()
    def every_outcome_was_preceded_by_its_moment_to_settle(self) -> None:
        outcomes = [entry for entry in read_entries(self.path) if entry.status is not None]
        assert len(self.changed_before_outcome) == len(outcomes)
        assert all(entry.status in set(Status) for entry in outcomes)


TestAJournalWhateverHappens = Campaign.TestCase
TestAJournalWhateverHappens.settings = settings(
    settings.get_profile("deterministic"), max_examples=30, stateful_step_count=20
)


def test_the_two_keys_of_a_device_are_rotated_independently(tmp_path: Path) -> None:
    from dataclasses import replace

    with Journal.create(tmp_path / "journal.sqlite", begun(), clock=Clock(), key=KEY) as journal:
        for role in KeyRole:
            with journal.effect(replace(rotation(), role=role)) as effect:
                effect.done(KeyRotated(1))
        assert all(journal.done(f"rotate-key/{role}/{DEVICES[0]}") == KeyRotated(1) for role in KeyRole)
