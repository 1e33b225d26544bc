"""zigbee-on-host (zigbee-herdsman's `zoh` adapter) as coordinator, through the emulated Spinel radio.

Its MAC, NWK, APS and trust centre were written independently of ours, so what it accepts from our device,
and our device from it, is checked from both sides.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.coordinator.spinel.rcp import Rcp
from emulator.devices.home import household, surroundings_of
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.stack.events import KeyKind
from hw_profiles.installation import JoinsWith
from tests.emulator.devices.home_world import Memory, with_entry
from tests.oracles.oracle_host import event
from tests.oracles.oracle_run import (
    OnOpen,
    check_capture,
    check_interview,
    check_use,
    interview_device,
    interview_light,
)

RADIO = 0x00124B0000C0FFEE
HOST_EUI64 = int.from_bytes(b"ZoHonZ2M", "little")
"""The address zigbee-on-host gives its radio."""

pytestmark = pytest.mark.xdist_group("herdsman")


def radio(kernel: Kernel, medium: Medium) -> Rcp:
    return Rcp(kernel, medium, RADIO)


@pytest.mark.parametrize(
    ("options", "kind"),
    [({}, "EndDevice"), ({"router": True}, "Router"), ({"sleepy": True}, "EndDevice")],
    ids=["end device", "router", "sleepy end device"],
)
def test_zigbee_on_host_forms_a_network_and_interviews_our_device(
    tmp_path: Path, options: dict[str, bool], kind: str
) -> None:
    light, reports = interview_light("zoh", radio, tmp_path, **options)
    check_interview(light, reports, kind)
    assert light.node.trust_centre_eui64 == HOST_EUI64
    check_capture(tmp_path)
    check_use(tmp_path)


def test_zigbee_on_host_interviews_a_meter_of_an_installation_that_joins_with_the_well_known_key(
    tmp_path: Path,
) -> None:
    installation = with_entry("electricity", joins_with=JoinsWith.WELL_KNOWN_KEY)
    meters: list[SmartEnergyDevice] = []

    def put(kernel: Kernel, medium: Medium) -> OnOpen:
        surroundings = surroundings_of(kernel, medium, installation)
        meters.append(household(installation, Memory(), surroundings)["electricity"])
        return meters[0].power_on

    reports = interview_device("zoh", radio, tmp_path, put)
    entry, model = installation.device("electricity"), installation.models["electricity"]
    assert event(reports, "joined")["eui64"] == f"0x{entry.address:016x}"
    found = event(reports, "interviewed")
    assert found["type"] == "Router"
    assert found["manufacturerID"] == model.identity.manufacturer_code
    assert [endpoint["id"] for endpoint in found["endpoints"]] == [each.id for each in model.endpoints]
    assert event(reports, "read")["basic"]["modelId"] == model.identity.model_identifier
    life = meters[0].life
    assert life is not None
    assert life.node.trust_centre_eui64 == HOST_EUI64
    assert life.node.link_key_kind(HOST_EUI64) is KeyKind.VERIFIED
    check_capture(tmp_path)
