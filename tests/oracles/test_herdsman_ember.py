"""zigbee-herdsman's `ember` adapter, as Zigbee2MQTT uses it, on the emulated EZSP co-processor."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.coordinator.ezsp.core import NcpConfig
from emulator.coordinator.ezsp.ncp import Ncp
from emulator.nonvolatile import MemoryNonVolatile
from tests.oracles.oracle_run import Plug, check_capture, check_interview, check_use, interview_light

NCP = 0x00124B0000C0FFEE

pytestmark = pytest.mark.xdist_group("herdsman")


def dongle(version: int) -> Plug:
    def plug(kernel: Kernel, medium: Medium) -> Ncp:
        return Ncp(kernel, medium, NcpConfig(NCP, version=version), MemoryNonVolatile())

    return plug


@pytest.mark.parametrize(
    ("version", "options", "kind"),
    [(13, {}, "EndDevice"), (16, {"router": True}, "Router"), (19, {"sleepy": True}, "EndDevice")],
    ids=["EZSP 13, end device", "EZSP 16, router", "EZSP 19, sleepy end device"],
)
def test_herdsman_forms_a_network_and_interviews_our_device(
    tmp_path: Path, version: int, options: dict[str, bool], kind: str
) -> None:
    light, reports = interview_light("ember", dongle(version), tmp_path, **options)
    check_interview(light, reports, kind)
    assert light.node.trust_centre_eui64 == NCP
    check_capture(tmp_path)
    check_use(tmp_path)
