"""Kills, power cuts, full and broken disks at the system calls by which a run changes its folder.

The quick run makes some four thousand such calls. `make test` interrupts it at a few, chosen by a seed, and at those
that ever led to a wrong end; `make sweep` at some hundreds, half of them calls of different kinds on different files;
`make sweep-long` (`SMETS1_EVERY_CALL=1`) at every one. Each interruption is taken up again, and must end as if it had
not been.
"""

from __future__ import annotations

import errno
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.end_to_end.command import Killable
from tests.end_to_end.conftest import Whole
from tests.end_to_end.interruptions import FAILING, Plan, interrupted, taken_up, wrong_end
from tests.end_to_end.power import Loss
from tests.end_to_end.system_calls import SUPPORTED, Number

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="system calls are traced on Linux, x86-64")
EVERY_CALL = "SMETS1_EVERY_CALL"
BATCHES = 8
"""Parts of a sweep that workers can share."""
SURROUNDINGS = 3
Tell = Callable[[str, object], None]


class Bench(NamedTuple):
    """The quick home, its uninterrupted run, the calls that run makes, and a folder to work in."""

    home: Path
    whole: Whole
    calls: tuple[str, ...]
    place: Path

    def command(self, root: Path) -> tuple[str | Path, ...]:
        return "run", self.home, "--out", root / "run"

    def carried_out(self, plan: Plan) -> None:
        """Run once by a plan of pictures alone."""
        root = self.place / "original"
        root.mkdir()
        done = interrupted(self.command(root), plan, root, self.place / "said")
        assert done.ended.status == 0, done.ended
        assert len(done.calls) == len(self.calls)


@pytest.fixture(scope="session")
def calls(quick_home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The calls of a whole run, with the random part of temporary names left out."""
    place = tmp_path_factory.mktemp("calls")
    (place / "root").mkdir()
    command = ("run", quick_home, "--out", place / "root" / "run")
    done = interrupted(command, Plan(), place / "root", place / "said")
    assert done.ended.status == 0, done.ended
    return tuple(re.sub(r"\.[0-9a-f]{16}\.part", ".part", call) for call in done.calls)


@pytest.fixture
def bench(quick_home: Path, whole: Whole, calls: tuple[str, ...], tmp_path: Path) -> Bench:
    return Bench(quick_home, whole, calls, tmp_path)


# Which calls


def _sample(calls: tuple[str, ...], count: int, seed: int) -> list[int]:
    """Return calls to interrupt: half of them of different kinds or on different files, the others any."""
    if os.environ.get(EVERY_CALL):
        return list(range(len(calls)))
    choice = random.Random(seed)
    kinds: dict[str, list[int]] = {}
    for number, call in enumerate(calls):
        kinds.setdefault(call, []).append(number)
    one_of_each = [choice.choice(numbers) for numbers in kinds.values()]
    different = choice.sample(one_of_each, min(count - count // 2, len(one_of_each)))
    others = sorted(set(range(len(calls))) - set(different))
    return sorted([*different, *choice.sample(others, min(count - len(different), len(others)))])


def _batch(numbers: list[int], batch: int) -> list[int]:
    return numbers[batch::BATCHES]


def _wrong(bench: Bench, roots: Iterator[tuple[int, Path]]) -> list[str]:
    """Take each run up and return what ended wrongly."""
    wrong = []
    for number, root in roots:
        fault = wrong_end(root, bench.home, bench.whole)
        if fault:
            wrong.append(f"call {number}, {bench.calls[number]}: {fault}")
        shutil.rmtree(root)
    return wrong


def _report(tell: Tell, what: str, done: int, wrong: list[str]) -> None:
    false = sum("false certificate" in fault for fault in wrong)
    tell("interruptions", {"what": what, "done": done, "wrong": len(wrong), "false": false})
    assert wrong == []


# Kills


def _killed(bench: Bench, numbers: list[int]) -> list[str]:
    places = {number: bench.place / f"killed-{number}" for number in numbers}
    bench.carried_out(Plan(kills=places))
    return _wrong(bench, iter(places.items()))


def test_a_run_killed_at_a_call_ends_as_if_it_had_not_been(bench: Bench, record_property: Tell) -> None:
    numbers = _sample(bench.calls, 5, seed=1)
    _report(record_property, "kill", len(numbers), _killed(bench, numbers))


@pytest.mark.sweep
@pytest.mark.parametrize("batch", range(BATCHES))
def test_kills_at_calls_all_over_a_run(batch: int, bench: Bench, record_property: Tell) -> None:
    numbers = _batch(_sample(bench.calls, 96, seed=2), batch)
    _report(record_property, "kill", len(numbers), _killed(bench, numbers))


def _chain(bench: Bench, seed: int) -> str:
    """Kill a run at a call, and what resumes it at a call, twice more; returns what is wrong with the end."""
    choice, root = random.Random(seed), bench.place / f"chain-{seed}"
    root.mkdir()
    command, limit = bench.command(root), len(bench.calls)
    for link in range(3):
        said = bench.place / f"chain-{seed}-{link}"
        done = interrupted(command, Plan(kill_at=choice.randrange(limit)), root, said)
        if (root / "run").exists():
            command = ("run", "--resume", root / "run")
        if done.ended.status == 0:
            break
        limit = len(bench.calls) // 3
    fault = wrong_end(root, bench.home, bench.whole)
    shutil.rmtree(root)
    return f"chain {seed}: {fault}" if fault else ""


def _chains(bench: Bench, seeds: range, tell: Tell) -> None:
    wrong = [fault for seed in seeds if (fault := _chain(bench, seed))]
    _report(tell, "chain of kills", len(seeds), wrong)


def test_a_run_killed_again_while_it_is_resumed_ends_as_if_it_had_not_been(
    bench: Bench, record_property: Tell
) -> None:
    _chains(bench, range(1), record_property)


@pytest.mark.sweep
@pytest.mark.parametrize("batch", range(BATCHES))
def test_chains_of_kills(batch: int, bench: Bench, record_property: Tell) -> None:
    length = 100 if os.environ.get(EVERY_CALL) else 2
    first = 1000 + length * batch
    _chains(bench, range(first, first + length), record_property)


# Power cuts


def _cut(bench: Bench, numbers: list[int], loss: Loss) -> list[str]:
    places = {number: bench.place / f"cut-{number}" for number in numbers}
    bench.carried_out(Plan(cuts={number: (place, loss) for number, place in places.items()}))
    return _wrong(bench, iter(places.items()))


@pytest.mark.parametrize("loss", list(Loss))
def test_a_power_cut_at_a_call_loses_nothing_that_the_run_counted_on(
    loss: Loss, bench: Bench, record_property: Tell
) -> None:
    numbers = _sample(bench.calls, 4, seed=3)
    _report(record_property, f"power cut, {loss}", len(numbers), _cut(bench, numbers, loss))


@pytest.mark.sweep
@pytest.mark.parametrize("loss", list(Loss))
@pytest.mark.parametrize("batch", range(BATCHES))
def test_power_cuts_at_calls_all_over_a_run(
    batch: int, loss: Loss, bench: Bench, record_property: Tell
) -> None:
    numbers = _batch(_sample(bench.calls, 48, seed=4), batch)
    _report(record_property, f"power cut, {loss}", len(numbers), _cut(bench, numbers, loss))


def test_a_power_cut_after_the_end_leaves_a_run_that_can_be_proven(bench: Bench) -> None:
    """The capture was not on disk when the report named its digest."""
    last = len(bench.calls) - 1
    bench.carried_out(Plan(cuts={last: (bench.place / "cut", Loss.STRICT)}))
    assert taken_up(bench.place / "cut", bench.home).status == 0
    proof = Killable(("verify", bench.place / "cut" / "run")).wait()
    assert proof.status == 0, proof.output


# Disks that fail


class Disk(NamedTuple):
    """How a disk fails: with which error, and whether only once."""

    name: str
    error: int
    once: bool


DISKS = (
    Disk("full disk", errno.ENOSPC, once=False),
    Disk("broken disk", errno.EIO, once=False),
    Disk("one error", errno.EIO, once=True),
)


def _fails(bench: Bench, number: int, disk: Disk) -> str:
    """Let the disk fail from a call on; the run says one line, and goes on once the disk is well."""
    root, said = bench.place / f"failed-{number}", bench.place / f"said-{number}"
    root.mkdir()
    plan = Plan(fails_from=number, error=disk.error, fails_once=disk.once)
    ended = interrupted(bench.command(root), plan, root, said).ended
    lines = ended.complaint.splitlines()
    survived = ended.status == 0 and disk.once
    if not survived and (ended.status != SURROUNDINGS or len(lines) != 1):
        return f"{bench.calls[number]}: status {ended.status}, {len(lines)} lines: {ended.complaint[-300:]}"
    fault = wrong_end(root, bench.home, bench.whole)
    shutil.rmtree(root)
    return f"{bench.calls[number]}: {fault}" if fault else ""


def _failing(bench: Bench, numbers: list[int], disk: Disk, tell: Tell) -> None:
    wrong = [fault for number in numbers if (fault := _fails(bench, number, disk))]
    _report(tell, disk.name, len(numbers), wrong)


def _may_fail(bench: Bench, count: int, seed: int, disk: Disk) -> list[int]:
    """Return calls, among those chosen, that this disk can fail at."""
    named = {number.name.lower() for number in FAILING[disk.error]}
    able = [number for number, call in enumerate(bench.calls) if call.split()[0] in named]
    chosen = _sample(tuple(bench.calls[number] for number in able), count, seed)
    return [able[index] for index in chosen]


@pytest.mark.parametrize("disk", DISKS, ids=lambda disk: disk.name)
def test_a_disk_that_fails_at_a_call_is_one_line_and_the_run_can_go_on(
    disk: Disk, bench: Bench, record_property: Tell
) -> None:
    _failing(bench, _may_fail(bench, 2, 5, disk), disk, record_property)


@pytest.mark.sweep
@pytest.mark.parametrize("disk", DISKS, ids=lambda disk: disk.name)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_disks_that_fail_at_calls_all_over_a_run(
    batch: int, disk: Disk, bench: Bench, record_property: Tell
) -> None:
    _failing(bench, _batch(_may_fail(bench, 32, 6, disk), batch), disk, record_property)


# What ever led to a wrong end


def _last_of(calls: tuple[str, ...], call: str) -> int:
    return max(number for number, each in enumerate(calls) if each == call)


def test_a_disk_that_fills_up_while_the_hub_answers_is_not_the_hubs_refusal(
    bench: Bench, record_property: Tell
) -> None:
    """The hub's memory could not be written: the campaign took it for a refusal, and told of it in tracebacks."""
    writes = [number for number, call in enumerate(bench.calls) if call == "pwrite64 run/world.sqlite-wal"]
    _failing(bench, [writes[len(writes) // 2]], DISKS[0], record_property)


def test_a_run_killed_between_its_end_and_its_report_leaves_one_file_of_device_memory(
    bench: Bench, record_property: Tell
) -> None:
    """What was sealed then was the file without its write-ahead log; and one that was sealed is not touched."""
    calls = ("write run/.backup-after.json.part", "rename run/.report.json.part")
    numbers = [_last_of(bench.calls, call) for call in calls]
    _report(record_property, "kill", len(numbers), _killed(bench, numbers))


def test_a_run_killed_while_device_memory_becomes_one_file_leaves_one(
    bench: Bench, record_property: Tell
) -> None:
    """Its write-ahead log was gone, and the journal of the change of mode was taken for a file added later."""
    first = _last_of(bench.calls, "unlink run/world.sqlite-wal")
    last = _last_of(bench.calls, "unlink run/world.sqlite-journal")
    assert first < last
    numbers = [first + 1, (first + last) // 2, last]
    _report(record_property, "kill", len(numbers), _killed(bench, numbers))


def _settling(calls: tuple[str, ...]) -> dict[str, int]:
    """Return the calls by which device memory and journal become one file each, one of each kind, by what they do."""
    first = _last_of(calls, "rename run/.backup-after.json.part") + 1
    last = _last_of(calls, "unlink run/journal.sqlite-journal")
    return {calls[number]: number for number in range(first, last + 2)}


@pytest.mark.parametrize("call", ["unlink run/world.sqlite-journal", "ftruncate run/world.sqlite"])
def test_a_database_that_cannot_be_left_as_one_file_stops_the_run_until_it_can(
    call: str, bench: Bench, record_property: Tell
) -> None:
    """The error was kept quiet, and what SQLite had left beside the memory was taken for a file added later."""
    _failing(bench, [_settling(bench.calls)[call]], DISKS[-1], record_property)


def test_what_sqlite_left_beside_a_sealed_memory_is_settled_by_the_next_resume(bench: Bench) -> None:
    """As a disk leaves it that forgets a removal: the journal under which the memory left its write-ahead log."""
    number = _last_of(bench.calls, "unlink run/world.sqlite-journal")
    bench.carried_out(Plan(kills={number: bench.place / "killed"}))
    journal = bench.place / "killed" / "run" / "world.sqlite-journal"
    shutil.copyfile(journal, bench.place / "original" / "run" / journal.name)
    assert wrong_end(bench.place / "original", bench.home, bench.whole) == ""


@pytest.mark.sweep
@pytest.mark.parametrize("disk", DISKS[1:], ids=lambda disk: disk.name)
@pytest.mark.parametrize("batch", range(BATCHES // 2))
def test_disks_that_fail_at_each_call_by_which_databases_become_one_file(
    batch: int, disk: Disk, bench: Bench, record_property: Tell
) -> None:
    able = _may_fail(bench, len(bench.calls), 7, disk)
    numbers = sorted(set(_settling(bench.calls).values()) & set(able))
    _failing(bench, numbers[batch :: BATCHES // 2], disk, record_property)


def test_a_run_killed_when_its_folder_was_all_but_prepared_leaves_nothing_in_the_way(
    bench: Bench, record_property: Tell
) -> None:
    """Its lock was gone already, so that the next run took the folder for somebody else's."""
    numbers = [_last_of(bench.calls, "unlink .run.part/preparing.lock") + 1]
    _report(record_property, "kill", len(numbers), _killed(bench, numbers))


def test_the_calls_are_those_that_change_the_folder(calls: tuple[str, ...]) -> None:
    seen = {call.split()[0] for call in calls}
    assert {"openat", "pwrite64", "write", "fsync", "fdatasync", "rename", "mkdir", "unlink"} <= seen
    assert seen <= {number.name.lower() for number in Number}
    assert _last_of(calls, "rename run/.report.json.part") > _last_of(calls, "rename run/.report.html.part")
