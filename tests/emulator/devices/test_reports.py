"""Attribute reports on the air: bound or to the configurer, through power cuts, never after leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Security
from emulator.stack.zdo.frames import Binding, ZdoCluster
from emulator.zcl import frame
from emulator.zcl.attributes import parse_records
from emulator.zcl.frame import SERVER_TO_CLIENT, GeneralCommand, ZclFrame
from tests.emulator.devices.home_world import HUB, MINUTE, World, installed

METERING = 0x0702
SUMMATION = "00 0000 25 0500 1e00 010000000000"
"""Configure Reporting: 5 s to 30 s, a change of one unit."""
SLOW = "00 0000 25 0a00 8403 ffffffffff00"
"""10 s to 900 s, a change that never comes."""
STATUS = "00 0002 18 0000 0000"
HOST_ENDPOINT = 9


class Host:
    """An application beside the hub's own, on another endpoint of the same coordinator."""

    def __init__(self, world: World, device: SmartEnergyDevice) -> None:
        self._port: Any = world.home.hub.port
        self._kernel = world.kernel
        self._device = device
        claim = self._port.on_data
        assert claim is not None
        self._claim: Callable[[ApsdeIndication], object] = claim
        self._port.on_data = self._data
        self.answers: list[ZclFrame] = []
        self.reports: list[tuple[int, int, dict[int, int]]] = []
        self.secured: list[bool] = []
        self.profiles: list[int] = []

    def send(self, command: int, payload: str, cluster: int = METERING, profile: int = 0x0109) -> None:
        self._send(1, profile, cluster, frame.build(0, 1, command, bytes.fromhex(payload)))

    def bind(self, device: SmartEnergyDevice, endpoint: int = HOST_ENDPOINT) -> None:
        binding = Binding(device.eui64, 1, METERING, HUB, endpoint)
        self._send(0, 0, ZdoCluster.BIND, b"\x01" + binding.encode())

    def _send(self, endpoint: int, profile: int, cluster: int, asdu: bytes) -> None:
        source = HOST_ENDPOINT if endpoint else 0
        short = self._port.short_of(self._device.eui64)
        secure = profile == 0x0109
        self._port.send(ApsdeRequest(short, endpoint, profile, cluster, source, asdu, secure=secure))

    def _data(self, indication: ApsdeIndication) -> bool:
        if indication.destination_endpoint != HOST_ENDPOINT:
            return bool(self._claim(indication))
        parsed = frame.parse(indication.asdu)
        if parsed.command == GeneralCommand.REPORT_ATTRIBUTES:
            assert parsed.frame_control & SERVER_TO_CLIENT
            values = {record.attribute: record.value for record in parse_records(parsed.payload)}
            self.reports.append((self._kernel.now // 1_000_000, indication.cluster, values))
            self.secured.append(indication.security is Security.APS)
            self.profiles.append(indication.profile)
        else:
            self.answers.append(parsed)
        return True


def test_a_bound_and_configured_meter_reports_as_a_host_expects() -> None:
    async def story(world: World) -> None:
        host = Host(world, world.electricity)
        host.bind(world.electricity)
        host.send(GeneralCommand.CONFIGURE_REPORTING, SUMMATION)
        await asyncio.sleep(5 * MINUTE)
        assert host.answers[0].payload == b"\0"
        assert 10 <= len(host.reports) <= 60
        assert all(host.secured)
        times = [at for at, _, _ in host.reports]
        gaps = [after - before for before, after in pairwise(times)]
        assert all(5 <= gap <= 31 for gap in gaps), gaps
        readings = [values[0x0000] for _, _, values in host.reports]
        assert readings == sorted(readings)
        assert readings[-1] > readings[0]

    installed().run(story)


def test_a_host_of_another_profile_hears_reports_in_its_own() -> None:
    """zigbee-herdsman binds and configures under home automation, and drops frames of Smart Energy."""

    async def story(world: World) -> None:
        host = Host(world, world.electricity)
        host.bind(world.electricity)
        host.send(GeneralCommand.CONFIGURE_REPORTING, SUMMATION, profile=0x0104)
        await asyncio.sleep(MINUTE)
        assert host.answers[0].payload == b"\0"
        assert set(host.profiles) == {0x0104}
        assert not any(host.secured)

    installed().run(story)


def test_without_a_binding_the_configurer_gets_the_reports() -> None:
    async def story(world: World) -> None:
        host = Host(world, world.electricity)
        host.send(GeneralCommand.CONFIGURE_REPORTING, SUMMATION)
        await asyncio.sleep(MINUTE)
        assert host.reports
        host.send(GeneralCommand.CONFIGURE_REPORTING, "00 0000 25 0000 ffff 010000000000")
        await asyncio.sleep(5)
        host.reports.clear()
        await asyncio.sleep(2 * MINUTE)
        assert host.reports == []

    installed().run(story)


def test_reporting_survives_a_power_cut_and_ends_with_the_network() -> None:
    async def story(world: World) -> None:
        meter = world.electricity
        host = Host(world, meter)
        host.bind(meter)
        host.send(GeneralCommand.CONFIGURE_REPORTING, SUMMATION)
        await asyncio.sleep(5)
        meter.power_off()
        await asyncio.sleep(20)
        meter.power_on()
        await asyncio.sleep(60)
        host.reports.clear()
        await asyncio.sleep(MINUTE)
        assert host.reports
        assert meter.life is not None
        meter.life.node.leave()
        host.reports.clear()
        await asyncio.sleep(2 * MINUTE)
        assert host.reports == []
        assert meter.nonvolatile.keys("zcl.reporting") == []

    installed().run(story)


def test_a_sleepy_meter_wakes_to_report_when_its_maximum_is_over() -> None:
    async def story(world: World) -> None:
        host = Host(world, world.gas)
        host.bind(world.gas)
        host.send(GeneralCommand.CONFIGURE_REPORTING, SLOW)
        for _ in range(10):
            await asyncio.sleep(MINUTE)
            if host.answers:
                break
            host.send(GeneralCommand.CONFIGURE_REPORTING, SLOW)
        await asyncio.sleep(60 * MINUTE)
        times = [at for at, _, _ in host.reports]
        assert len(times) >= 3
        assert all(abs(after - before - 900) <= 2 for before, after in pairwise(times))

    installed().run(story)


def test_a_sleepy_meter_notices_changes_when_it_wakes_to_poll() -> None:
    async def story(world: World) -> None:
        assert world.gas.life is not None
        endpoint = world.gas.life.endpoint(1)
        record = bytes.fromhex("00 0000 25 0100 0000 010000000000")
        indication = ApsdeIndication(
            0, HUB, 1, 1, 0x0109, METERING, HOST_ENDPOINT, frame.build(0, 1, 6, record), Security.APS, 255, 0
        )
        host = Host(world, world.gas)
        assert frame.parse(endpoint.receive(indication)[0]).payload == b"\0"
        await asyncio.sleep(40 * MINUTE)
        times = [at for at, _, _ in host.reports]
        poll_s = world.gas.model.timings.poll_long_s
        assert times
        assert all(after - before >= poll_s - 1 for before, after in pairwise(times))

    installed().run(story)


def test_the_hub_reports_its_own_clusters_to_who_asks() -> None:
    async def story(world: World) -> None:
        life = world.electricity.life
        assert life is not None
        seen: list[bytes] = []
        taken = life.node.on_data

        def data(indication: ApsdeIndication) -> None:
            if indication.cluster == 0x0000 and indication.asdu[2] == GeneralCommand.REPORT_ATTRIBUTES:
                seen.append(indication.asdu[3:])
            else:
                taken(indication)

        life.node.on_data = data
        asdu = frame.build(0, 1, GeneralCommand.CONFIGURE_REPORTING, bytes.fromhex("00 0000 20 0000 0a00 01"))
        life.send(ApsdeRequest(0, 1, 0x0109, 0x0000, 1, asdu))
        await asyncio.sleep(35)
        assert len(seen) == 3
        assert seen[0][:3] == bytes.fromhex("0000 20")

    installed().run(story)
