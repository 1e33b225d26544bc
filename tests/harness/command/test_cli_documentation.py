"""What the documentation says about the command is what the command does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.command.main import COMMANDS, EXIT_STATUSES, main
from harness.run_folder import CAPTURE_FILE, JOURNAL_FILE, REPORT_HTML_FILE, REPORT_JSON_FILE

ROOT = Path(__file__).parents[3]


def test_the_exit_statuses_are_the_same_everywhere() -> None:
    documented = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "cli.md").read_text(), re.MULTILINE)
    assert documented == re.findall(r"^  (\d+) ", EXIT_STATUSES, re.MULTILINE)


def test_every_command_is_documented() -> None:
    documentation = (ROOT / "docs" / "cli.md").read_text()
    assert all(f"## `smets1 {command.name}" in documentation for command in COMMANDS)


def test_every_option_of_run_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    options = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    documented = set(re.findall(r"^\| `(--[a-z-]+)", (ROOT / "docs" / "cli.md").read_text(), re.MULTILINE))
    assert options == documented


def test_the_readme_names_the_files_of_a_run() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in (CAPTURE_FILE, JOURNAL_FILE, REPORT_HTML_FILE, REPORT_JSON_FILE):
        assert f"`{name}`" in readme


def test_the_readme_has_exactly_two_commands_to_start_with() -> None:
    readme = (ROOT / "README.md").read_text()
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"^make ([a-z]+)", readme, re.MULTILINE)
    assert named == ["demo", "test"]
    assert set(named) <= set(targets)
