"""The command: exit statuses, one-line errors, and what each sub-command does."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from emulator.clock.kernel import Kernel
from emulator.errors import FrameError
from firmware_catalog.errors import CatalogError
from firmware_catalog.memory import state_folder
from harness.command.main import COMMANDS, build_parser, explain, main
from harness.command.run import resume_command
from harness.errors import FolderInUseError, HarnessError, RegimeError
from harness.facts.files import CaptureSummary
from harness.facts.terms import Verdict
from harness.journal import Journal, key_from_seed
from harness.progress import ProgressObserver
from harness.report.html import render_html
from harness.report.model import CampaignReport
from harness.run_folder import JOURNAL_FILE
from harness.workspace.options import RunOptions
from hw_profiles.errors import ProfileError
from tests.harness.facts.samples import begun, seen

Runner = Callable[[RunOptions, ProgressObserver], CampaignReport]


def _report(result: Verdict = Verdict.COMMISSIONED) -> CampaignReport:
    return CampaignReport(
        product_version="0", installation_id="x", mpan="1", mprn=None, seed=1, radio="inproc:", result=result
    )


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Callable[[Runner], None]:
    """Put a campaign in the place of the real one."""

    def install(run: Runner) -> None:
        module = ModuleType("harness.campaign.runner")
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "harness.campaign.runner", module)
        monkeypatch.setattr("harness.campaign.runner", module, raising=False)

    return install


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An installation file; the commands under test never read it."""
    path = tmp_path / "home.toml"
    path.write_text("")
    return path


def _one_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("smets1: ")
    assert "Traceback" not in error
    return error


@pytest.mark.parametrize("command", ["", "run", "verify", "report", "models"])
def test_help_teaches_by_example_and_names_the_exit_statuses(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "examples:" in shown
    assert "exit status:" in shown


def test_every_command_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert all(command.name in shown for command in COMMANDS)


@pytest.mark.parametrize(
    "words", [[], ["frob"], ["run", "--seed", "minus"], ["run", "--seed", "-1"], ["verify"], ["run", "--bad"]]
)
def test_a_usage_error_is_one_line_and_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "--help" in _one_line(capsys)


def test_run_passes_on_what_was_asked(home: Path, tmp_path: Path, runner: Callable[[Runner], None]) -> None:
    asked: list[RunOptions] = []

    def run(options: RunOptions, progress: ProgressObserver) -> CampaignReport:
        asked.append(options)
        return _report()

    runner(run)
    out, image = tmp_path / "out", tmp_path / "i.ota"
    image.write_bytes(b"")
    words = ["run", str(home), "--seed", "7", "--out", str(out), "--image", str(image), "--dry-run", "--json"]
    assert main(words) == 0
    expected = RunOptions(
        installation=home,
        out=out,
        image=image,
        seed=7,
        dry_run=True,
        json=True,
        catalogue_memory=state_folder(os.environ),
    )
    assert asked == [expected]


def test_json_is_the_report_and_nothing_else(
    home: Path, tmp_path: Path, runner: Callable[[Runner], None], capsys: pytest.CaptureFixture[str]
) -> None:
    runner(lambda options, progress: _report())
    assert main(["run", str(home), "--out", str(tmp_path / "o"), "--json"]) == 0
    assert capsys.readouterr().out == _report().to_json()


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (Verdict.COMMISSIONED, 0),
        (Verdict.PLANNED, 0),
        (Verdict.ELECTRICITY_ONLY, 1),
        (Verdict.NOT_MIGRATED, 1),
        (Verdict.STOPPED, 1),
    ],
)
def test_the_exit_status_is_the_verdict(
    home: Path, tmp_path: Path, runner: Callable[[Runner], None], result: Verdict, status: int
) -> None:
    runner(lambda options, progress: _report(result))
    assert main(["run", str(home), "--out", str(tmp_path / "o"), "--json"]) == status


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run"], "either INSTALLATION.toml or --resume"),
        (["run", "gone.toml"], "gone.toml: no such file"),
        (["run", "{home}", "--image", "gone.ota"], "--image: gone.ota: no such file"),
        (["run", "{home}", "--radio", "carrier-pigeon"], "--radio: 'carrier-pigeon'"),
        (["run", "{home}", "--models", "gone"], "--models: gone"),
        (["run", "--resume", "gone"], "holds no journal"),
        (["run", "{home}", "--resume", "gone"], "either INSTALLATION.toml or --resume"),
        (["report", "gone.json"], "no report"),
        (["models", "--models", "gone"], "--models: gone: no such folder"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    words: list[str], says: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.format(home=home) for word in words]) == 2
    assert says in _one_line(capsys)


def test_a_folder_with_something_in_it_is_not_written_to(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(home), "--out", str(tmp_path)]) == 3
    assert "not empty" in _one_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["home.toml"]


def test_an_interruption_says_how_to_go_on(
    home: Path, tmp_path: Path, runner: Callable[[Runner], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def run(options: RunOptions, progress: ProgressObserver) -> CampaignReport:
        options.out.mkdir()
        (options.out / JOURNAL_FILE).touch()
        raise KeyboardInterrupt

    runner(run)
    out = tmp_path / "o"
    assert main(["run", str(home), "--out", str(out)]) == 130
    assert _one_line(capsys) == f"smets1: stopped; resume with: smets1 run --resume {out}\n"


def test_a_full_disk_says_what_to_do(
    home: Path, tmp_path: Path, runner: Callable[[Runner], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def run(options: RunOptions, progress: ProgressObserver) -> CampaignReport:
        raise OSError(errno.ENOSPC, "No space left on device", str(options.out))

    runner(run)
    assert main(["run", str(home), "--out", str(tmp_path / "o")]) == 3
    assert "No space left on device; free some space" in _one_line(capsys)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (HarnessError("x"), 2),
        (RegimeError("x"), 1),
        (FolderInUseError("x"), 3),
        (ProfileError("x"), 2),
        (CatalogError("x"), 2),
        (FrameError("x"), 2),
        (PermissionError(errno.EACCES, "Permission denied", "/f"), 3),
        (OSError("no errno"), 3),
        (sqlite3.OperationalError("database or disk is full"), 3),
        (ZeroDivisionError("x"), 4),
    ],
)
def test_each_family_has_its_status(error: Exception, status: int) -> None:
    assert explain(error)[0] == status


def test_a_defect_is_one_line_unless_a_traceback_is_asked_for(
    home: Path,
    tmp_path: Path,
    runner: Callable[[Runner], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(options: RunOptions, progress: ProgressObserver) -> CampaignReport:
        raise ZeroDivisionError("division\nby zero")

    runner(run)
    words = ["run", str(home), "--out", str(tmp_path / "o")]
    assert main(words) == 4
    assert "defect in smets1: ZeroDivisionError: division by zero" in _one_line(capsys)
    monkeypatch.setenv("SMETS1_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        main(words)


def test_only_the_command_asked_for_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "harness.command.models", raising=False)
    build_parser(["report", "x"])
    assert "harness.command.models" not in sys.modules


def test_models_are_listed_with_what_is_known_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    listed = {each["id"]: each for each in json.loads(capsys.readouterr().out)}
    assert listed["generic-gas-meter"]["kind"] == "GSME"
    assert set(listed["generic-gas-meter"]["confidence"]) <= {
        "confirmed",
        "derived",
        "recalled",
        "placeholder",
    }


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A finished run: a journal of three entries, a capture and the report."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "capture.pcapng").write_bytes(b"capture")
    with Journal.create(
        folder / JOURNAL_FILE, begun(1), clock=Kernel(), key=key_from_seed(b"1", "journal")
    ) as journal:
        journal.write(seen())
        journal.checkpoint("report")
        head = journal.head
    report = CampaignReport(
        product_version="0",
        installation_id="x",
        mpan="1",
        mprn=None,
        seed=1,
        radio="inproc:",
        result=Verdict.COMMISSIONED,
        journal_head=head,
        journal_entries=3,
        capture=CaptureSummary(frames=1, octets=7, sha256=_sha256(b"capture")),
    )
    (folder / "report.json").write_text(report.to_json())
    (folder / "report.html").write_text(render_html(report))
    return folder


def _sha256(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def test_a_rewritten_journal_is_found(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(run_folder / JOURNAL_FILE) as database:
        database.execute("DROP TRIGGER entry_no_update")
        database.execute("UPDATE entry SET subject = 'GSME' WHERE sequence = 1")
    assert main(["verify", str(run_folder)]) == 1
    assert "entry 1 breaks the hash chain" in capsys.readouterr().out


def test_a_page_is_made_again(run_folder: Path) -> None:
    page = run_folder / "report.html"
    before = page.read_text()
    page.unlink()
    assert main(["report", str(run_folder)]) == 0
    assert page.read_text() == before
    assert not list(run_folder.glob("*.part"))


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({}, "smets1 run --resume 'a run'"),
        ({"radio": "tcp:127.0.0.1:6638", "speed": 20.0}, "smets1 run --resume 'a run' --speed 20"),
        ({"radio": "serial:/dev/ttyUSB0", "bench": True}, "smets1 run --resume 'a run' --bench"),
        ({"model_folders": (Path("models"),), "json": True}, "smets1 run --resume 'a run' --json"),
        (
            {"installation": None, "resume": Path("a run"), "radio": "pty:/tmp/other"},
            "smets1 run --resume 'a run' --radio pty:/tmp/other",
        ),
    ],
)
def test_resuming_is_advised_with_the_options_it_needs(given: dict[str, Any], needed: str) -> None:
    """What the folder remembers (inputs, models, radio) is not among them."""
    options = RunOptions(**{"installation": Path("home.toml"), "out": Path("a run"), **given})
    assert resume_command(options) == needed
