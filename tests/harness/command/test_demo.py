from __future__ import annotations

from pathlib import Path

import pytest

from harness.command import run
from harness.command.main import main
from harness.examples import DORMANT_SEMI
from harness.workspace.options import RunOptions


def test_the_demonstration_is_the_shipped_example_with_the_defaults_of_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[RunOptions] = []

    def planned(options: RunOptions, _progress: object) -> object:
        asked.append(options)
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "_run", planned)
    assert main(["demo"]) == main(["run", str(DORMANT_SEMI), "--out", "out/demo"]) == 130
    assert asked[0] == asked[1]
    assert asked[0].installation == DORMANT_SEMI


def test_a_folder_that_is_not_empty_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["demo", "--out", str(tmp_path)]) == main(["run", str(DORMANT_SEMI), "--out", str(tmp_path)])
    first, second = capsys.readouterr().err.splitlines()
    assert first == second
    assert "is not empty" in first
