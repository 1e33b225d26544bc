"""Files that are none, and a process without its outputs: one line and a documented status, never a defect."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.examples import DORMANT_SEMI
from tests.end_to_end.conftest import Whole
from tests.end_to_end.quick_scenario import PROJECT, variant
from tests.end_to_end.test_bad_input import one_line, run


def _odd(kind: str, path: Path) -> None:
    path.unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "endless":
            path.symlink_to("/dev/zero")
        case "circle":
            path.symlink_to(path.name)
        case "huge":
            with path.open("wb") as file:
                file.truncate(1 << 28)
        case "deep":
            path.write_bytes(b"id = " + b"[" * 200_000)


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless", "circle", "huge", "deep"])
@pytest.mark.parametrize(
    "name", ["installation.toml", "sequence.toml", "epcl.toml", "models/generic-gas-meter.toml"]
)
def test_what_is_no_file_is_one_line_wherever_it_is_named(
    kind: str, name: str, quick_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = variant(quick_home, tmp_path / "home")
    _odd(kind, path.parent / name)
    status = run("run", path, "--out", tmp_path / "run")
    assert status == 2
    assert Path(name).name in one_line(capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless", "circle", "huge", "deep"])
def test_an_odd_file_that_nobody_named_is_no_input(kind: str, quick_home: Path, tmp_path: Path) -> None:
    path = variant(quick_home, tmp_path / "home")
    _odd(kind, path.parent / "models" / "somebody-elses.toml")
    assert run("run", path, "--dry-run", "--json", "--out", tmp_path / "run") == 0


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless", "circle", "huge", "deep"])
@pytest.mark.parametrize(
    "words",
    [
        ("run", DORMANT_SEMI, "--image"),
        ("check", DORMANT_SEMI, "--image"),
        ("radios", "pty:/dev/null", "--restore"),
        ("emulate", "--ncp", "pty:/nowhere/dongle"),
        ("preflight", "--radio", "inproc:"),
        ("report",),
        ("catalog", "check"),
    ],
    ids=lambda words: words[0],
)
def test_what_is_no_file_is_one_line_for_every_command(
    kind: str, words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.toml"
    _odd(kind, path)
    status = run(*words, path)
    shown = capsys.readouterr()
    assert status in (1, 2)
    assert len((shown.out + shown.err).splitlines()) == 1
    assert "odd.toml" in shown.out + shown.err
    assert "defect" not in shown.err


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless", "huge", "deep"])
def test_a_run_folder_whose_record_is_no_file_is_one_line(
    kind: str, whole: Whole, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole.folder, tmp_path / "run")
    _odd(kind, tmp_path / "run" / "run.json")
    assert run("run", "--resume", tmp_path / "run") == 2
    assert "run.json" in one_line(capsys.readouterr().err)


def _closed(descriptors: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = " ".join([sys.executable, "-m", "harness.command.main", *map(str, words), descriptors])
    return subprocess.run(
        ["sh", "-c", command], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("descriptors", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("words", "status"),
    [(("models",), 0), (("check", DORMANT_SEMI), 0), (("check", "nowhere.toml"), 2), (("frob",), 2)],
)
def test_a_process_without_its_outputs_ends_as_it_would_have(
    descriptors: str, words: tuple[str | Path, ...], status: int
) -> None:
    ended = _closed(descriptors, *words)
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
