"""`smets1 emulate` as a person sees it: options, the heading, a line for every change, and the live table."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from emulator.clock.kernel import MICROSECONDS
from emulator.clock.loop import run as run_virtually
from emulator.coordinator.monikers import parse
from harness.command import emulate
from harness.command.main import main
from harness.examples import DORMANT_SEMI as HOME
from harness.homes.emulation import Emulation, EmulationOptions, Stranger
from hw_profiles.installation import load_installation


def emulation(tmp_path: Path, *, rcp: bool = False, **options: object) -> Emulation:
    stranger = Stranger(parse(f"pty:{tmp_path / 'dongle'}"), rcp=rcp)
    return Emulation(load_installation(HOME), EmulationOptions(stranger, **options))  # type: ignore[arg-type]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(home: Emulation, seconds: float, stream: io.StringIO) -> str:
    run_virtually(emulate._live(home, seconds, stream), home.kernel, grace_s=0.001)
    return stream.getvalue()


def test_a_pipe_gets_the_heading_the_install_codes_and_a_line_for_every_change(tmp_path: Path) -> None:
    text = shown(emulation(tmp_path), 60, io.StringIO())
    lines = text.splitlines()
    assert lines[
        0
    ] == f"EZSP 13 dongle at {tmp_path / 'dongle'}; open {tmp_path / 'dongle'} with any host. " + (
        "Speed 1. Ctrl-C ends."
    )
    assert any("install code 41731CD68275F29505C2980A572AADAFAF2D" in line for line in lines[1:4])
    for name in ("electricity", "gas", "display"):
        assert [line for line in lines if f"  {name}: searching" in line]
    assert lines[-1].startswith("stopped after ")
    assert not (tmp_path / "dongle").is_symlink()


def test_a_terminal_gets_a_table_of_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    text = shown(emulation(tmp_path), 60, Terminal())
    assert "frames from the coordinator" in text
    assert "electricity (ESME)" in text


def test_the_table_tells_each_device_its_address_state_and_firmware(tmp_path: Path) -> None:
    home = emulation(tmp_path)
    console = Console(file=io.StringIO(), width=200)
    console.print(emulate._table(home))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for entry in home.installation.record.devices[1:]:
        assert entry.name in text
    assert "off" in text
    assert "0x01000000" in text
    assert "00:00:00" in text
    home.kernel.run_for(3_661 * MICROSECONDS)
    assert emulate._clock(home) == "01:01:01"
    run_virtually(home.stop(), home.kernel)


def test_the_heading_says_what_is_served(tmp_path: Path) -> None:
    home = emulation(tmp_path, rcp=True, speed=20.0)
    assert emulate._heading(home, "tcp:127.0.0.1:9000") == (
        "Spinel radio at tcp:127.0.0.1:9000; open socket://127.0.0.1:9000 with any host. Speed 20. Ctrl-C ends."
    )
    run_virtually(home.stop(), home.kernel)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ezsp", "3"], "expected a version from 4 to 19"),
        (["--ezsp", "thirteen"], "expected a version from 4 to 19"),
        (["--speed", "-1"], "-1"),
        (["--seed", "x"], "x"),
    ],
)
def test_options_out_of_range_are_told_with_their_range(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["emulate", str(HOME), "--ncp", "tcp:127.0.0.1:6638", *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
