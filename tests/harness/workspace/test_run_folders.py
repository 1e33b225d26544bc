"""A run folder begun, left half made, taken up again and altered in between: what is said, and what is left behind."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.clock.kernel import MICROSECONDS, Kernel
from harness.errors import FolderInUseError, HarnessError, JournalError
from harness.examples import DORMANT_SEMI
from harness.journal import FolderLock, lock_of, read_entries
from harness.journal.signing import campaign_key, key_from_seed
from harness.workspace import workspace as subject
from harness.workspace.options import RunOptions
from harness.workspace.workspace import Workspace, begin_us
from hw_profiles.whole_file import unfinished_name
from tests.harness.evidence.conftest import write_key


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


def made(out: Path, **changes: Any) -> Workspace:
    return Workspace.create(RunOptions(installation=DORMANT_SEMI, out=out, **changes))


def refusal(out: Path) -> str:
    with pytest.raises(HarnessError) as refused:
        Workspace.resume(out)
    assert refused.value.exit_status == 2
    return str(refused.value)


def test_a_folder_appears_whole_and_for_its_owner_alone(out: Path) -> None:
    workspace = made(out, seed=7, dry_run=True, capture=False)
    assert out.stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in out.iterdir()) == ["inputs", "journal.sqlite", "run.json"]
    (header,) = read_entries(workspace.journal_path)
    assert header.fact == workspace.open_journal(Kernel(7)).header
    assert [path.name for path in out.parent.iterdir()] == ["run"], "nothing lies beside it"


def test_what_was_asked_is_found_again(out: Path) -> None:
    first = made(out, seed=7, dry_run=True, capture=False)
    again = Workspace.resume(out)
    assert (again.request, again.resumed, first.resumed) == (first.request, True, False)
    assert (again.request.seed, again.request.dry_run, again.request.capture) == (7, True, False)


Alter = Callable[[Path], object]


def rewritten(**changes: Any) -> Alter:
    def alter(path: Path) -> None:
        table = json.loads(path.read_text())
        path.write_text(json.dumps({**table, **changes}))

    return alter


def in_its_place(make: Alter) -> Alter:
    def alter(path: Path) -> None:
        path.unlink()
        make(path)

    return alter


RECORDS: list[tuple[str, Alter, str]] = [
    ("gone", Path.unlink, "no run.json; give the folder of a run"),
    (
        "a folder",
        in_its_place(Path.mkdir),
        "run.json: cannot be read (a folder); expected a regular",
    ),
    (
        "a pipe",
        in_its_place(os.mkfifo),
        "run.json: cannot be read (a pipe); expected a regular",
    ),
    ("text", lambda path: path.write_text("hello"), "run.json: not the record of a run (Expecting value"),
    ("octets", lambda path: path.write_bytes(b"\xff"), "run.json: not the record of a run ("),
    ("without end", lambda path: path.write_text("[" * 100_000), "run.json: not the record of a run ("),
    ("a list", lambda path: path.write_text("[]"), "run.json: not the record of a run ("),
    ("another seed type", rewritten(seed="7"), "seed = '7': expected a whole number); start a new run"),
    ("a word more", rewritten(colour="red"), "colour: unknown key"),
    ("of tomorrow", rewritten(format=99), "run.json: format 99, expected 1; use the version that began it"),
    (
        "of other inputs",
        rewritten(inputs_sha256="00" * 32),
        "inputs: altered since the run began; start a new run",
    ),
]


@pytest.mark.parametrize(("alter", "said"), [row[1:] for row in RECORDS], ids=[row[0] for row in RECORDS])
def test_a_record_that_is_none_is_told_and_the_folder_not_touched(out: Path, alter: Alter, said: str) -> None:
    made(out)
    alter(out / "run.json")
    before = sorted(out.rglob("*"))
    assert said in refusal(out)
    assert sorted(out.rglob("*")) == before


@pytest.mark.parametrize("how", ["altered", "added", "removed", "linked"])
def test_inputs_that_were_altered_since_are_not_run(out: Path, how: str) -> None:
    made(out)
    path = next((out / "inputs").rglob("epcl.toml"))
    match how:
        case "altered":
            path.write_bytes(path.read_bytes() + b"\n")
        case "added":
            (path.parent / "note.txt").write_text("hello")
        case "removed":
            path.unlink()
        case _:
            path.rename(out.parent / "elsewhere")
            path.symlink_to(out.parent / "elsewhere")
    assert refusal(out) == f"{out / 'inputs'}: altered since the run began; start a new run"


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, folder: str) -> None:
    assert refusal(tmp_path / folder).endswith("no run.json; give the folder of a run")


def test_a_record_that_the_journal_does_not_bear_out_is_refused_before_anything_happens(out: Path) -> None:
    made(out)
    rewritten(dry_run=True)(out / "run.json")
    with pytest.raises(
        HarnessError, match=r"run.json: does not say what the journal says; put it back as it was"
    ):
        Workspace.resume(out).open_journal(Kernel(1))


def test_a_run_goes_on_under_the_key_that_it_was_begun_with(out: Path, tmp_path: Path) -> None:
    own = write_key(tmp_path / "key.pem", key_from_seed(b"mine", "signing"))
    other = write_key(tmp_path / "other.pem", campaign_key(5))
    made(out, signing_key=own)
    for wrong in (None, other):
        with pytest.raises(
            JournalError, match="was begun under another campaign key; resume with the same --signing-key"
        ):
            Workspace.resume(out, wrong).open_journal(Kernel(1))
    Workspace.resume(out, own).open_journal(Kernel(1)).close()


def test_two_do_not_run_in_one_folder(out: Path) -> None:
    with (
        made(out).open_journal(Kernel(1)),
        pytest.raises(FolderInUseError, match=f"in use by process {os.getpid()}"),
    ):
        Workspace.resume(out).open_journal(Kernel(1))


def test_what_a_killed_run_had_begun_to_write_is_cleared_away(out: Path) -> None:
    workspace = made(out)
    half = out / "exchange" / unfinished_name("MCF.xml")
    half.parent.mkdir()
    half.write_text("<half")
    (out / "exchange" / "MCF.xml").write_text("<whole/>")
    workspace.open_journal(Kernel(1)).close()
    assert [path.name for path in half.parent.iterdir()] == ["MCF.xml"]


def test_a_folder_that_a_killed_run_had_half_made_is_cleared_away_and_one_in_use_is_not(out: Path) -> None:
    dead, alive = (out.with_name(unfinished_name(out.name)) for _ in range(2))
    for each in (dead, alive):
        each.mkdir()
    lock = FolderLock(alive / "preparing.lock")
    made(out)
    assert {path.name for path in out.parent.iterdir()} == {"run", alive.name}
    lock.release()


@pytest.mark.parametrize("there", ["file", "full folder"])
def test_a_place_that_is_taken_is_not_written_to(out: Path, there: str) -> None:
    if there == "file":
        out.write_text("hello")
    else:
        (out / "inner").mkdir(parents=True)
    with pytest.raises(
        FolderInUseError, match=r"is not empty; choose another, or continue it: smets1 run --resume"
    ):
        made(out)


def test_an_empty_folder_may_become_a_runs(out: Path) -> None:
    out.mkdir()
    assert made(out).folder == out


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "No space left on device; free some space or choose another folder"),
        (errno.EDQUOT, "; free some space or choose another folder"),
        (errno.EACCES, "Permission denied; choose another folder or change its permissions"),
        (errno.EROFS, "Read-only file system; choose another folder or change its permissions"),
    ],
)
@pytest.mark.parametrize("step", ["sync_tree", "_copy_inputs", "write_atomically"])
def test_a_folder_that_cannot_be_made_leaves_nothing_behind(
    out: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str, step: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        error = OSError(number, os.strerror(number))
        if step == "write_atomically":
            raise JournalError(f"run.json: {error.strerror}") from error
        raise error

    monkeypatch.setattr(subject, step, fails)
    with pytest.raises(JournalError) as refused:
        made(out)
    assert str(refused.value).startswith(f"{out}: cannot begin a run there (")
    assert advice in str(refused.value)
    assert list(out.parent.iterdir()) == []


def test_an_interruption_while_a_folder_is_made_leaves_nothing_behind(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subject, "sync_tree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made(out)
    assert list(out.parent.iterdir()) == []


def test_a_place_that_somebody_takes_meanwhile_is_told_as_taken(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(part: Path) -> None:
        (out / "inner").mkdir(parents=True)

    monkeypatch.setattr(subject, "sync_tree", taken)
    with pytest.raises(FolderInUseError, match="is not empty"):
        made(out)
    assert sorted(path.name for path in out.parent.iterdir()) == ["run"]


@pytest.mark.parametrize(
    ("real_time", "epoch_ago_s", "begins_s"), [(False, 1000, 0), (True, 1000, 1000), (True, -1000, 0)]
)
def test_a_run_in_real_time_begins_at_the_time_it_is(
    monkeypatch: pytest.MonkeyPatch, real_time: bool, epoch_ago_s: int, begins_s: int
) -> None:
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    assert begin_us(2_000_000_000 - epoch_ago_s, real_time=real_time) == begins_s * MICROSECONDS


def test_the_lock_of_a_folder_that_was_made_is_nobodys(out: Path) -> None:
    assert not lock_of(made(out).journal_path).exists()
