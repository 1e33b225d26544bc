from __future__ import annotations

import asyncio
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import zigpy.types as t
from zigpy.application import RADIO_ENTRY_POINT_GROUP, ControllerApplication

from emulator.coordinator.hub_application import to_zigpy
from emulator.crypto.install_code import install_code_link_key
from harness.errors import HarnessError
from harness.examples import DORMANT_SEMI as HOME
from harness.homes.zigpy_radio import EmulatedHomeApplication

PROJECT = Path(__file__).parents[3]


def configuration(path: str) -> dict[str, object]:
    return {"device": {"path": path}, "database_path": None, "ota": {"enabled": False}}


def test_programs_find_it_by_its_entry_point() -> None:
    points = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["entry-points"]
    module, _, name = points[RADIO_ENTRY_POINT_GROUP]["smets1"].partition(":")
    found = getattr(import_module(module), name)
    assert found is EmulatedHomeApplication
    assert issubclass(found, ControllerApplication)
    assert found.DISPLAY_NAME


async def test_zigpy_forms_the_network_and_a_display_joins_with_its_install_code() -> None:
    application = EmulatedHomeApplication(configuration(f"{HOME}?speed=60&seed=3"))
    await application.startup(auto_form=True)
    try:
        entry = application.installation.device("display")
        key = t.KeyData(install_code_link_key(entry.install_code_octets))
        await application.permit_with_link_key(to_zigpy(entry.address), key, 60)
        async with asyncio.timeout(20):
            while to_zigpy(entry.address) not in application.devices:
                await asyncio.sleep(0.02)
        assert int(application.state.network_info.pan_id) < 0xFFFF
    finally:
        await application.shutdown()


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("nowhere.toml", "no such installation file"),
        (f"{HOME}?speed=fast", "with numbers"),
        (f"{HOME}?speed=0", "above 0"),
        (f"{HOME}?pace=2", "at most with"),
    ],
)
def test_a_path_that_names_no_installation_is_refused(path: str, complaint: str) -> None:
    with pytest.raises(HarnessError, match=complaint):
        EmulatedHomeApplication(configuration(path))
