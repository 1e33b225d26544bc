"""A hub on a serial port, with a terminal standing in for the dongle and emulated meters behind it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.clock.kernel import MICROSECONDS
from emulator.clock.loop import run as run_virtually
from emulator.coordinator.monikers import parse
from emulator.coordinator.transports import PtyServer
from emulator.eui64 import format_eui64
from emulator.wan import operations as wan
from harness.errors import UnreachableError
from harness.examples import DORMANT_SEMI as HOME
from harness.homes import backups
from harness.homes.distant_home import DistantHome
from harness.homes.dongle import AddressError
from harness.homes.emulation import Emulation, EmulationOptions, Stranger
from harness.workspace.options import RunOptions
from harness.workspace.workspace import Workspace
from hw_profiles.installation import load_installation
from tests.emulator.devices.home_world import (
    ELECTRICITY,
    ELECTRICITY_NEW,
    ELECTRICITY_TYPE,
    GAS,
    GAS_NEW,
    TestHeadEnd,
    image_of,
)

OTHER_HUB = "00-DB-12-34-56-78-90-B0"
GRACE_S = 0.001


def bench(tmp_path: Path, home: Path = HOME) -> tuple[Emulation, Any]:
    """Emulated meters on the air of a dongle, and what makes a hub on it."""
    line = tmp_path / "dongle"
    emulation = Emulation(load_installation(HOME), EmulationOptions(Stranger(parse(f"pty:{line}"))))
    options = RunOptions(installation=home, out=tmp_path / "run", radio=f"serial:{line}")
    workspace = Workspace.create(options)
    return emulation, lambda: DistantHome(workspace, emulation.kernel, parse(options.radio))


def test_a_dongle_pulled_during_a_transfer_is_waited_for(tmp_path: Path) -> None:
    emulation, distant = bench(tmp_path)

    async def story() -> None:
        await emulation.start()
        home = distant()
        await home.start()
        head_end = TestHeadEnd(SimpleNamespace(kernel=emulation.kernel, link=home.link))  # type: ignore[arg-type]
        image = image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW, 12_000)
        await head_end.schedule(ELECTRICITY, image)
        while ((await head_end.job(ELECTRICITY)).offset or 0) < 2000:
            await asyncio.sleep(1)
        line = emulation._server
        assert isinstance(line, PtyServer)
        line.unplug()
        await asyncio.sleep(2)
        assert not home.link.up
        asked = asyncio.ensure_future(head_end.job(ELECTRICITY))
        await asyncio.sleep(8)
        assert not asked.done()
        line.plug_in()
        assert 2000 <= (await asked).offset < 12_000
        await head_end.until(ELECTRICITY, "held", every_s=5)
        assert home.link.up
        await home.stop()
        await emulation.stop()

    run_virtually(story(), emulation.kernel, grace_s=GRACE_S)
    for name in (backups.BEFORE_FILE, backups.AFTER_FILE):
        backup = backups.read(tmp_path / "run" / name)
        assert backup.is_complete()
    assert len(backup.network_info.key_table) == 3


def test_a_dongle_of_another_address_is_refused(tmp_path: Path) -> None:
    text = HOME.read_text().replace("00-DB-12-34-56-78-90-A0", OTHER_HUB)
    other = tmp_path / "home"
    shutil.copytree(HOME.parent, other)
    (other / HOME.name).write_text(text)
    emulation, distant = bench(tmp_path, other / HOME.name)

    async def story() -> None:
        await emulation.start()
        home = distant()
        with pytest.raises(AddressError, match=f"the installation's hub is {OTHER_HUB}"):
            await home.start()
        await home.stop()
        await emulation.stop()

    run_virtually(story(), emulation.kernel, grace_s=GRACE_S)


@pytest.mark.parametrize("limit_s", [400, 1000])
def test_devices_that_do_not_join_are_waited_for_as_long_as_the_installation_says(
    tmp_path: Path, limit_s: int, caplog: pytest.LogCaptureFixture
) -> None:
    other = tmp_path / "home"
    shutil.copytree(HOME.parent, other)
    wrong_code = HOME.read_text().replace("1F068F1915FAC6A2A1A6", "00010203040506070262")
    (other / HOME.name).write_text(f"{wrong_code}\n[limits]\njoin_s = {limit_s}\n")
    emulation, distant = bench(tmp_path, other / HOME.name)

    async def story() -> None:
        await emulation.start()
        home = distant()
        began_us = emulation.kernel.now
        with pytest.raises(UnreachableError, match=f"display did not join within {limit_s / 60:.3g} minutes"):
            await home.start()
        assert limit_s <= (emulation.kernel.now - began_us) / MICROSECONDS < limit_s + 300
        assert caplog.messages.count(f"serial:{tmp_path / 'dongle'}: still waiting for display to join") >= 1
        await home.stop()
        await emulation.stop()

    run_virtually(story(), emulation.kernel, grace_s=GRACE_S)


def test_a_run_in_a_new_folder_goes_on_at_once_with_what_a_dry_run_let_in(tmp_path: Path) -> None:
    """The order of a lab: a dry run, then the run. The devices are on the dongle's network and will not join again."""
    emulation, first = bench(tmp_path)
    options = RunOptions(installation=HOME, out=tmp_path / "again", radio=f"serial:{tmp_path / 'dongle'}")
    kernel = emulation.kernel

    async def story() -> None:
        await emulation.start()
        home = first()
        await home.start()
        await home.stop()
        shorts = {node.name: node.short for node in emulation.nodes()}
        await asyncio.sleep(3600)
        home = DistantHome(Workspace.create(options), kernel, parse(options.radio))
        began_us = kernel.now
        await home.start()
        assert kernel.now - began_us < 60 * MICROSECONDS
        assert {node.name: node.short for node in emulation.nodes()} == shorts
        head_end = TestHeadEnd(SimpleNamespace(kernel=kernel, link=home.link))  # type: ignore[arg-type]
        assert await head_end.version(ELECTRICITY) < ELECTRICITY_NEW
        assert await head_end.version(GAS) < GAS_NEW
        await asyncio.sleep(3600)
        status = await head_end.call(wan.Status())
        assert len(status.devices) == 3
        assert [mirror.device for mirror in status.mirrors] == [format_eui64(GAS)]
        assert status.mirrors[0].last_report is not None
        await home.stop()
        await emulation.stop()

    run_virtually(story(), kernel, grace_s=GRACE_S)
