"""Scans: energy on each channel, the networks that answer, and an unused PAN id."""

from __future__ import annotations

import pytest
from bellows.types import EzspNetworkScanType as Scan

from emulator.coordinator.ezsp.status import SlStatus
from tests.emulator.coordinator.ezsp.ncp_world import SECOND, Host, World

SCANNER = 0x00DB1234567890FF
ALL = 0x07FFF800
PAN_ID = 0x5345


def scanner(world: World) -> Host:
    host = Host(world.kernel, world.dongle(SCANNER, name="scanner"))
    host.connect()
    return host


def networked(channel: int = 11) -> tuple[World, Host]:
    world = World(13)
    world.host.form(channel)
    return world, scanner(world)


def test_networks_are_told_one_by_one_and_then_the_end() -> None:
    _, host = networked(channel=15)
    started = host("startScan", scan_type=Scan.ACTIVE_SCAN, channel_mask=ALL, duration=2)
    assert started["status"] == SlStatus.OK
    host.run(5 * SECOND)
    (found,) = host.heard("networkFoundHandler")
    assert found["network_found"]["pan_id"] == PAN_ID
    assert found["network_found"]["channel"] == 15
    assert found["network_found"]["stack_profile"] == 2
    assert host.heard("scanCompleteHandler") == [{"channel": 0, "status": SlStatus.OK}]


def test_beacons_of_other_protocols_are_passed_over() -> None:
    world, host = networked()
    world.ncp.node.mac.beacon_payload = b"not ZigBee"
    host("startScan", scan_type=Scan.ACTIVE_SCAN, channel_mask=ALL, duration=2)
    host.run(5 * SECOND)
    assert host.heard("networkFoundHandler") == []
    assert len(host.heard("scanCompleteHandler")) == 1


def test_energy_is_told_for_each_channel_that_was_asked_for() -> None:
    world, host = networked()
    world.medium.jam(20, 10 * SECOND)
    host("startScan", scan_type=Scan.ENERGY_SCAN, channel_mask=1 << 20 | 1 << 25, duration=3)
    host.run(2 * SECOND)
    levels = {each["channel"]: each["max_rssi_value"] for each in host.heard("energyScanResultHandler")}
    assert levels.keys() == {20, 25}
    assert levels[20] > -10
    assert levels[25] < -90


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"channel_mask": 0}, SlStatus.INVALID_CHANNEL_MASK),
        ({"channel_mask": 1 << 10}, SlStatus.INVALID_CHANNEL_MASK),
        ({"duration": 15}, SlStatus.INVALID_PARAMETER),
        ({"scan_type": 7}, SlStatus.INVALID_PARAMETER),
    ],
)
def test_a_scan_that_cannot_be_is_refused(values: dict[str, int], status: SlStatus) -> None:
    host = scanner(World(13))
    wanted = {"scan_type": Scan.ACTIVE_SCAN, "channel_mask": ALL, "duration": 2, **values}
    assert host("startScan", **wanted)["status"] == status
    host.run(5 * SECOND)
    assert host.heard("scanCompleteHandler") == []


def test_one_scan_at_a_time() -> None:
    host = scanner(World(13))
    wanted = {"scan_type": Scan.ACTIVE_SCAN, "channel_mask": ALL, "duration": 3}
    assert host("startScan", **wanted)["status"] == SlStatus.OK
    assert host("startScan", **wanted)["status"] == SlStatus.MAC_SCANNING
    assert host("findUnusedPanId", channel_mask=ALL, duration=3)["status"] == SlStatus.MAC_SCANNING
    host.run(10 * SECOND)
    assert host("startScan", **wanted)["status"] == SlStatus.OK


@pytest.mark.parametrize("kind", [Scan.ACTIVE_SCAN, Scan.ENERGY_SCAN])
def test_a_stopped_scan_reports_nothing_more(kind: Scan) -> None:
    _, host = networked()
    host("startScan", scan_type=kind, channel_mask=ALL, duration=3)
    assert host("stopScan")["status"] == SlStatus.OK
    host.run(10 * SECOND)
    for name in ("networkFoundHandler", "energyScanResultHandler", "scanCompleteHandler"):
        assert host.heard(name) == []
    host("startScan", scan_type=kind, channel_mask=ALL, duration=1)
    host.run(10 * SECOND)
    assert len(host.heard("scanCompleteHandler")) == 1


def test_an_unused_pan_id_is_nobodys() -> None:
    _, host = networked()
    assert host("findUnusedPanId", channel_mask=0, duration=2)["status"] == SlStatus.INVALID_CHANNEL_MASK
    assert host("findUnusedPanId", channel_mask=ALL, duration=2)["status"] == SlStatus.OK
    host.run(10 * SECOND)
    (found,) = host.heard("unusedPanIdFoundHandler")
    assert 0 < found["pan_id"] < 0xFFFE
    assert found["pan_id"] != PAN_ID
