"""Tables keep every identifier: whole in a pipe however narrow it says it is, folded but never cut on a terminal."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from harness.command import emulate, preflight, radios
from harness.command.console import console_for
from harness.command.main import main
from harness.examples import DORMANT_SEMI
from harness.homes.preflight import Check, Outcome
from hw_profiles.installation import load_installation
from hw_profiles.loader import load_model, model_ids


def test_a_pipe_has_no_edge_and_a_terminal_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert console_for(StringIO()).width > 1000
    terminal = StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    assert console_for(terminal).width == 40


@pytest.mark.parametrize("columns", ["20", "100"])
def test_models_are_listed_whole_in_a_pipe(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert not any("\u2026" in line for line in lines)
    for model_id in model_ids():
        (line,) = [line for line in lines if line.startswith(f"{model_id} ")]
        assert line.rstrip().endswith(" ".join(each.display for each in load_model(model_id).firmware))


def _emulation() -> SimpleNamespace:
    installation = load_installation(DORMANT_SEMI)
    nodes = [
        SimpleNamespace(
            name=entry.name,
            kind=entry.role,
            eui64=entry.eui64,
            joins_with=f"install code {entry.install_code}",
            short=0x1234,
            state="registered",
            firmware=0x01000000,
            sent=1234567,
        )
        for entry in installation.record.devices
    ]
    return SimpleNamespace(
        installation=installation,
        nodes=lambda: nodes,
        kernel=SimpleNamespace(now=0),
        traffic=SimpleNamespace(frames=1, octets=2),
        coordinator_frames=3,
    )


@pytest.mark.parametrize("width", [80, 100, 140])
def test_devices_on_the_air_are_shown_with_all_of_their_identifiers(width: int) -> None:
    stream = StringIO()
    Console(file=stream, width=width, force_terminal=True, color_system=None).print(
        emulate._table(_emulation())  # type: ignore[arg-type]
    )
    shown = stream.getvalue()
    assert "\u2026" not in shown
    columns = [
        [cell.strip() for cell in line.split("\u2502")[1:-1]]
        for line in shown.splitlines()
        if "\u2502" in line
    ]
    joined = ["".join(column) for column in zip(*columns, strict=True)]
    for entry in load_installation(DORMANT_SEMI).record.devices:
        assert entry.eui64 in joined[1]
        assert entry.install_code in joined[2]


def test_what_strangers_say_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console_for().print(preflight._table([Check("radio", Outcome.NOTE, "[bold]model [a1b2:c3d4]")]))
    assert "[bold]model [a1b2:c3d4]" in capsys.readouterr().out
    radios._show(
        [
            SimpleNamespace(  # type: ignore[list-item]
                radio="serial:/dev/ttyUSB0",
                product="[red]stick",
                usb="abcd:0001",
                protocol="EZSP",
                abilities="all",
                report=None,
                error="",
            )
        ]
    )
    assert "[red]stick [abcd:0001]" in capsys.readouterr().out
