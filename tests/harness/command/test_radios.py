"""`smets1 radios`: what is attached, what each can do, and the state of one saved and restored."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.clock.loop import run as run_virtually
from emulator.coordinator.ezsp_line import EzspLine
from emulator.coordinator.monikers import parse
from emulator.nonvolatile import MemoryNonVolatile
from harness.command import radios
from harness.command.main import main
from harness.errors import HarnessError
from harness.examples import DORMANT_SEMI as HOME
from harness.homes.attached import Attached
from harness.homes.dongle import NetworkHeldError
from harness.homes.emulation import Emulation, EmulationOptions, Stranger
from hw_profiles.installation import load_installation

ATTACHED = [
    Attached("serial:/dev/ttyUSB0", "A dongle", "ezsp", "hub of a campaign", "10C4:EA60", "0001"),
    Attached("serial:/dev/ttyUSB1", "Another", "unknown", "unknown"),
]


def listed(monkeypatch: pytest.MonkeyPatch, found: list[Attached]) -> None:
    monkeypatch.setattr(radios, "attached", lambda: found)


def test_what_is_attached_is_a_table_or_data(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(monkeypatch, ATTACHED)
    assert main(["radios"]) == 0
    table = capsys.readouterr().out
    assert "10C4:EA60" in table
    assert "not probed" in table
    assert main(["radios", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [each["radio"] for each in data] == [each.radio for each in ATTACHED]
    assert data[0]["report"] is None


def test_nothing_attached_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(monkeypatch, [])
    assert main(["radios"]) == 0
    assert "no dongle is attached; inproc: needs none" in capsys.readouterr().out


def test_a_port_that_cannot_be_probed_is_one_row_among_others_but_an_error_when_it_was_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gone = Attached(f"serial:{tmp_path / 'gone'}", "Gone", "unknown", "unknown")
    listed(monkeypatch, [gone])
    assert main(["radios", "--probe", "--json"]) == 0
    assert "no such port" in json.loads(capsys.readouterr().out)[0]["error"]
    assert main(["radios", gone.radio]) == 3
    assert "no such port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["carrier-pigeon"], "WHERE: 'carrier-pigeon': expected"),
        (["inproc:"], "WHERE: 'inproc:': expected serial:/dev/..."),
        (["--backup", "hub.json"], "--backup and --restore take one WHERE"),
        (
            ["tcp:127.0.0.1:1", "tcp:127.0.0.1:2", "--restore", "hub.json"],
            "--backup and --restore take one WHERE",
        ),
        (
            ["tcp:127.0.0.1:1", "--restore", "nowhere.json"],
            "nowhere.json: cannot be read (there is no such file)",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["radios", *arguments]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


class Dongle:
    """An emulated dongle at a terminal, for the command's own functions on its kernel."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "dongle"
        self.where = parse(f"serial:{self.path}")
        options = EmulationOptions(Stranger(parse(f"pty:{self.path}")))
        self.emulation = Emulation(load_installation(HOME), options)

    def run(self, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def served() -> None:
            await self.emulation.start()
            try:
                await story()
            finally:
                await self.emulation.stop()

        run_virtually(served(), self.emulation.kernel, grace_s=0.001)

    async def form(self) -> None:
        """Bring the hub's network up on the dongle, and leave it there."""
        site = self.emulation._site._replace(memory=MemoryNonVolatile())
        async with EzspLine(str(self.path), watchdog=False).open(site):
            await asyncio.sleep(1)


def test_the_state_of_a_dongle_is_saved_and_makes_another_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "hub.json"
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first, second = Dongle(tmp_path / "one"), Dongle(tmp_path / "two")

    async def save() -> None:
        with pytest.raises(HarnessError, match="on no network; there is nothing to save"):
            await radios._back_up(first.where, file)
        await first.form()
        assert await radios._back_up(first.where, file) == 0

    async def restore() -> None:
        assert await radios._restore(second.where, file, overwrite=False) == 0
        with pytest.raises(NetworkHeldError, match="save it with --backup, then give --overwrite-network"):
            await radios._restore(second.where, file, overwrite=False)
        assert await radios._restore(second.where, file, overwrite=True) == 0

    first.run(save)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    second.run(restore)
    networks = [
        SimpleNamespace(pan=each.pan_id, key=each.network_key)
        for each in (first.emulation.dongle.node.parameters, second.emulation.dongle.node.parameters)  # type: ignore[union-attr]
        if each is not None
    ]
    assert networks[0] == networks[1]
    shown = capsys.readouterr().out
    assert f"{file}: PAN 0x" in shown
    assert f"{second.where}: PAN 0x" in shown
