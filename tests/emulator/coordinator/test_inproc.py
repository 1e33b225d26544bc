"""The in-process radio as zigpy sees any radio: formed, joined, interviewed, backed up and shut down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import zigpy.device
import zigpy.exceptions
import zigpy.types as t

from emulator.clock.loop import run
from emulator.coordinator.inproc import InprocApplication, from_zigpy_eui64, to_zigpy_eui64
from emulator.crypto.install_code import install_code_link_key
from emulator.devices.home import hub_node_config
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.nonvolatile import MemoryNonVolatile
from emulator.zcl.attributes import parse_read_response as read_records
from emulator.zcl.frame import parse
from tests.emulator.devices.home_world import ELECTRICITY, GAS, World

CONFIG = {
    "device": {"path": "inproc:"},
    "database_path": None,
    "watchdog_enabled": False,
    "topology_scan_enabled": False,
    "ota": {"enabled": False},
    "network": {"channel": 20, "pan_id": 0x1234},
}


class Radio:
    """A plain zigpy application, and the meters of the example without their hub."""

    def __init__(self) -> None:
        self.world = World()
        self.memory = MemoryNonVolatile()
        self.application = self.boot()

    def boot(self) -> InprocApplication:
        hub = self.world.installation.hub
        self.application = InprocApplication(
            CONFIG,
            kernel=self.world.kernel,
            medium=self.world.medium,
            node_config=hub_node_config(hub, self.world.installation.models[hub.name]),
            nonvolatile=self.memory,
        )
        return self.application

    async def join(self, name: str) -> SmartEnergyDevice:
        entry = self.world.installation.device(name)
        key = t.KeyData(install_code_link_key(entry.install_code_octets))
        await self.application.permit_with_link_key(to_zigpy_eui64(entry.address), key, 200)
        device = self.world.home.devices[name]
        device.power_on()
        await asyncio.sleep(30)
        return device

    def run(self, story: Callable[[Radio], Awaitable[None]]) -> None:
        async def live() -> None:
            await self.application.startup(auto_form=True)
            try:
                await story(self)
            finally:
                for device in self.world.home.devices.values():
                    device.power_off()
                await self.application.shutdown()

        run(live(), self.world.kernel)


def known(radio: Radio, eui64: int) -> zigpy.device.Device:
    device = radio.application.get_device(ieee=to_zigpy_eui64(eui64))
    assert isinstance(device, zigpy.device.Device)
    return device


def test_zigpy_moves_the_network_to_another_channel() -> None:
    async def story(radio: Radio) -> None:
        meter = await radio.join("electricity")
        await radio.application.move_network_to_channel(13)
        info = radio.application.state.network_info
        assert (info.channel, info.nwk_update_id) == (13, 1)
        assert meter.life is not None
        node = meter.life.node
        assert node.parameters is not None
        assert (node.parameters.channel, node.parameters.update_id) == (13, 1)
        device = known(radio, ELECTRICITY)
        assert (await device.zdo.Node_Desc_req(device.nwk))[0] == 0

    Radio().run(story)


def test_zigpy_forms_the_network_it_was_configured_for() -> None:
    async def story(radio: Radio) -> None:
        state = radio.application.state
        assert state.network_info.channel == 20
        assert state.network_info.pan_id == 0x1234
        assert state.node_info.nwk == 0x0000
        assert from_zigpy_eui64(state.node_info.ieee) == radio.world.installation.hub.address

    Radio().run(story)


@pytest.mark.parametrize(("name", "eui64"), [("electricity", ELECTRICITY), ("gas", GAS)])
def test_zigpy_interviews_a_device_that_joins(name: str, eui64: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[t.ZigbeePacket] = []
    # zigpy parses ZCL of the Home Automation profile only and hands on what comes under any other.
    monkeypatch.setattr(
        zigpy.device.Device,
        "custom_profile_packet_received",
        lambda _device, packet: answers.append(packet),
    )

    async def story(radio: Radio) -> None:
        await radio.join(name)
        device = known(radio, eui64)
        async with asyncio.timeout(2000):
            while not device.is_initialized:
                await asyncio.sleep(10)
        assert device.node_desc is not None
        assert device.node_desc.manufacturer_code == 0x1002
        assert device.node_desc.is_end_device is (name == "gas")
        endpoint = device.endpoints[1]
        assert endpoint.profile_id == 0x0109
        assert 0x0702 in endpoint.in_clusters
        assert 0x0019 in endpoint.out_clusters

    Radio().run(story)
    frames = [parse(packet.data.serialize()) for packet in answers if packet.cluster_id == 0x0000]
    records = [record for frame in frames if frame.command == 1 for record in read_records(frame.payload)]
    basic = {record.attribute: record.value for record in records}
    assert basic == {4: "Generic", 5: {"electricity": "ESME", "gas": "GSME"}[name]}


def test_a_device_without_a_key_is_not_let_in() -> None:
    async def story(radio: Radio) -> None:
        await radio.application.permit_ncp(200)
        device = radio.world.home.devices["electricity"]
        device.power_on()
        await asyncio.sleep(120)
        assert device.life is not None
        assert device.life.node.parameters is None

    Radio().run(story)


def test_the_network_outlives_the_application() -> None:
    radio = Radio()

    async def form(radio: Radio) -> None:
        await radio.join("electricity")
        backup = await radio.application.backups.create_backup(load_devices=True)
        assert backup.network_info.network_key.key == radio.application.state.network_info.network_key.key
        assert to_zigpy_eui64(ELECTRICITY) in [key.partner_ieee for key in backup.network_info.key_table]

    radio.run(form)
    key = radio.application.state.network_info.network_key.key
    radio.boot()

    async def look(radio: Radio) -> None:
        assert radio.application.state.network_info.network_key.key == key
        radio.world.electricity.power_on()
        await asyncio.sleep(60)
        short = radio.application.port.short_of(ELECTRICITY)
        assert short is not None
        assert await radio.application.port.node_descriptor(short) is not None

    radio.run(look)


def test_an_undelivered_packet_is_an_error() -> None:
    async def story(radio: Radio) -> None:
        device = await radio.join("electricity")
        zigpy_device = known(radio, ELECTRICITY)
        device.power_off()
        with pytest.raises(zigpy.exceptions.DeliveryError):
            await zigpy_device.zdo.request(
                t.uint16_t(0x0002), t.uint8_t(1), zigpy_device.nwk.serialize(), timeout=60
            )
        with pytest.raises(zigpy.exceptions.DeliveryError, match="no short address"):
            await radio.application.send_packet(
                t.ZigbeePacket(
                    dst=t.AddrModeAddress(addr_mode=t.AddrMode.IEEE, address=to_zigpy_eui64(0x1234)),
                    profile_id=t.uint16_t(0x0109),
                    cluster_id=t.uint16_t(0),
                    data=t.SerializableBytes(b""),
                )
            )

    Radio().run(story)


def test_a_removed_device_is_gone() -> None:
    async def story(radio: Radio) -> None:
        device = await radio.join("electricity")
        zigpy_device = known(radio, ELECTRICITY)
        await radio.application.force_remove(zigpy_device)
        await asyncio.sleep(20)
        assert device.life is not None
        assert device.life.node.parameters is None

    Radio().run(story)


def test_the_radio_says_when_it_is_not_connected() -> None:
    radio = Radio()
    with pytest.raises(RuntimeError, match="not connected"):
        _ = radio.application.node
    with pytest.raises(RuntimeError, match="not connected"):
        _ = radio.application.port
