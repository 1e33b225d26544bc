"""Forgery: every leaf of the report, every file of the folder and every entry of the journal is held against a key.

The forger has the folder, so also the seed and the rehearsal key it makes, and every tool; not the key that signed.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from harness.evidence.verification import verify_run
from harness.journal import Entry, campaign_key, canonical_json, read_entries
from harness.journal.signing import key_from_seed
from harness.run_folder import UNSEALED, digests_of
from tests.harness.evidence.conftest import TRUSTED
from tests.harness.evidence.forger import (
    ALTERATIONS,
    Place,
    altered,
    changed,
    journal_rewritten,
    kept,
    kind_of,
    leaves,
    report_changed,
)

SEED = 20
SAMPLE = 12
KEYS = {
    "the rehearsal key": campaign_key(1),
    "a stranger's key": key_from_seed(b"forger", "x"),
    "no key": None,
}


def failing(folder: Path) -> list[str]:
    """Return the details of what does not hold."""
    return [f"{item.subject} {item.detail}" for item in verify_run(folder, TRUSTED) if item.holds is False]


def sampled(cases: Sequence[str]) -> list[str]:
    """Return a seeded sample."""
    return random.Random(SEED).sample(cases, min(SAMPLE, len(cases)))


# The report


def report_leaves(folder: Path) -> dict[str, Place]:
    """Return one place for every kind of leaf that the report has."""
    content = json.loads((folder / "report.json").read_text())
    kinds: dict[str, Place] = {}
    for place, _ in leaves(content):
        kinds.setdefault(kind_of(place), place)
    return kinds


def forge_report(folder: Path, kinds: dict[str, Place]) -> list[str]:
    """Change each place; returns the kinds that nobody noticed."""
    unseen = []
    for kind, place in kinds.items():
        with report_changed(folder, place):
            if not any(item.startswith("report.json ") for item in failing(folder)):
                unseen.append(kind)
    return unseen


def test_a_changed_leaf_of_the_report_is_seen(run: Path) -> None:
    kinds = report_leaves(run)
    chosen = {kind: kinds[kind] for kind in sampled(sorted(kinds))}
    assert forge_report(run, chosen) == []


@pytest.mark.sweep
def test_every_changed_leaf_of_the_report_is_seen(run: Path) -> None:
    kinds = report_leaves(run)
    assert forge_report(run, kinds) == []
    print(f"\nforged leaves of the report: {len(kinds)} kinds, all seen")
    assert len(kinds) > 80


def test_the_place_that_differs_is_named(run: Path) -> None:
    with report_changed(run, ("devices", 1, "version_after")):
        assert any("report.devices[1].version_after: '2.0.00'" in item for item in failing(run))


# Files


def file_cases(folder: Path) -> list[tuple[str, str]]:
    """Return every file with everything that is done to it."""
    names = [name for name in digests_of(folder) if name not in UNSEALED or name.startswith("report")]
    return [
        (name, how)
        for name in names
        for how in ALTERATIONS
        if (folder / name).stat().st_size or how not in ("emptied", "cut", "one bit")
    ]


def forge_files(folder: Path, cases: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Alter each file; returns the cases that nobody noticed or that did not name the file."""
    unseen = []
    for name, how in cases:
        with altered(folder / name, how):
            if not any(name in item for item in failing(folder)):
                unseen.append((name, how))
    return unseen


def test_an_altered_file_is_named(run: Path) -> None:
    assert forge_files(run, random.Random(SEED).sample(file_cases(run), SAMPLE)) == []


@pytest.mark.sweep
def test_every_altered_file_is_named(run: Path) -> None:
    cases = file_cases(run)
    assert forge_files(run, cases) == []
    print(f"\nforged files: {len(cases)} alterations, all named")


@pytest.mark.parametrize("folder", ["", "inputs", "exchange", "smki", "parties/dsp"])
def test_an_added_file_is_named(run: Path, folder: str) -> None:
    path = run / folder / "added.xml"
    with kept(path):
        path.write_text("<x/>")
        assert any("added.xml" in item for item in failing(run))


# The journal


def rewritings(entries: Sequence[Entry]) -> list[tuple[int, Place]]:
    """Return every entry with every leaf of its details, and the empty place for the entry itself left out."""
    return [
        (entry.sequence, place)
        for entry in entries
        if entry.action != "checkpoint"
        for place in [(), *(place for place, _ in leaves(entry.details) if place)]
        if place not in [("public_key",), ("intent",)] and (place or entry.sequence)
    ]


def rewritten(entries: Sequence[Entry], number: int, place: Place) -> list[Entry]:
    """Return entries with one leaf of one entry changed, or one entry left out."""
    made = list(entries)
    if not place:
        if made[number].kind == "intent":
            made = [
                entry for entry in made if not (entry.kind == "outcome" and entry.key == made[number].key)
            ]
        del made[number]
        return made
    details = changed(made[number].details, place)
    made[number] = replace(made[number], details_json=canonical_json(details))
    return made


def forge_journal(folder: Path, cases: Sequence[tuple[int, Place]], signer: str) -> list[tuple[int, Place]]:
    """Rewrite the journal for each case; returns the cases that nobody noticed."""
    unseen = []
    for number, place in cases:
        with journal_rewritten(folder, partial(rewritten, number=number, place=place), KEYS[signer]):
            if all(item.holds for item in verify_run(folder, TRUSTED)):
                unseen.append((number, place))
    return unseen


@pytest.mark.parametrize("signer", KEYS)
def test_a_rewritten_journal_is_seen(run: Path, signer: str) -> None:
    cases = rewritings(read_entries(run / "journal.sqlite"))
    assert forge_journal(run, random.Random(SEED).sample(cases, SAMPLE), signer) == []


@pytest.mark.sweep
@pytest.mark.parametrize("signer", KEYS)
def test_every_rewritten_entry_is_seen(run: Path, signer: str) -> None:
    cases = rewritings(read_entries(run / "journal.sqlite"))
    chosen = random.Random(SEED).sample(cases, min(400, len(cases)))
    assert forge_journal(run, chosen, signer) == []
    print(f"\nrewritten journals, signed with {signer}: {len(chosen)} of {len(cases)}, all seen")


def test_the_final_signature_covers_its_own_entry(run: Path) -> None:
    """Its time, say: there is no entry after it whose hash could show a change."""
    path = run / "journal.sqlite"
    with kept(path, run / "report.json", run / "report.html"):
        from harness.evidence.record import Record
        from harness.evidence.report import made_again
        from tests.harness.evidence.forger import store

        *rest, last = read_entries(path)
        later = replace(last, time_us=last.time_us + 1)
        entries = [*rest, replace(later, hash=later.computed_hash())]
        store(path, entries)
        (run / "report.json").write_text(made_again(Record(run, entries), entries).to_json())
        assert any("signature of checkpoint" in item for item in failing(run))


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
