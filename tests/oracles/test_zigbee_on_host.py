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
from tests.oracles.oracle_run import check_capture, check_interview, interview_light

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
