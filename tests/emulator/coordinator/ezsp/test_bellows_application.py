"""bellows' ControllerApplication, unmodified, on every EZSP version: it forms a network, admits an emulated electricity
meter by install code, interviews it, reads its attributes, and finds the network again after a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import bellows.zigbee.application
import pytest
import zigpy.types as t

from emulator.air.capture import NullCapture
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.clock.loop import run
from emulator.coordinator.ezsp.core import NcpConfig
from emulator.coordinator.ezsp.ncp import Ncp
from emulator.coordinator.transports import serve_tcp
from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.install_code import install_code_link_key
from emulator.crypto.suite import Suite
from emulator.devices.electricity_meter import ElectricityMeter
from emulator.devices.surroundings import Surroundings
from emulator.nonvolatile import MemoryNonVolatile
from harness.examples import DORMANT_SEMI as INSTALLATION
from hw_profiles.installation import DeviceEntry, Installation, load_installation
from hw_profiles.model import DeviceKind

NCP_EUI64 = 0x00DB123456789000
HOME_AUTOMATION = 0x0104
CHANNEL_CHANGED_OLD, CHANNEL_CHANGED = 0x9B, 0x0C17


@pytest.fixture(scope="module")
def installation() -> Installation:
    return load_installation(INSTALLATION)


class Home:
    """A dongle and an electricity meter of the example installation on one air."""

    def __init__(self, installation: Installation, version: int) -> None:
        self.kernel = Kernel(1, epoch_unix_seconds=installation.start_unix_seconds)
        self.medium = Medium(self.kernel, capture=NullCapture())
        authorities = {suite: IssuingAuthority.from_seed(suite, b"test devices") for suite in Suite}
        surroundings = Surroundings(self.kernel, self.medium, authorities, (), None)
        self.entry: DeviceEntry = next(
            entry for entry in installation.record.devices if entry.role is DeviceKind.ESME
        )
        name = self.entry.name
        self.meter = ElectricityMeter(
            surroundings,
            self.entry,
            installation.models[name],
            MemoryNonVolatile(),
            installation.installed_firmware(name).ota_version,
        )
        self.ncp = self.dongle(NCP_EUI64, version)

    def dongle(self, eui64: int, version: int) -> Ncp:
        return Ncp(self.kernel, self.medium, NcpConfig(eui64, version=version), MemoryNonVolatile())

    @property
    def meter_address(self) -> t.EUI64:
        return t.EUI64.deserialize(self.entry.address.to_bytes(8, "little"))[0]

    async def join(self, app: Any) -> Any:
        """Admit the meter by its install code; return zigpy's device once it has been interviewed."""
        key = t.KeyData(install_code_link_key(self.entry.install_code_octets))
        await app.permit_with_link_key(self.meter_address, key, 120)
        self.meter.power_on()
        return await until(lambda: ready(app.devices.get(self.meter_address)))


def ready(device: Any) -> Any:
    return device if device is not None and device.is_initialized else None


async def until(found: Callable[[], Any], patience_s: int = 120) -> Any:
    for _ in range(patience_s):
        if (what := found()) is not None:
            return what
        await asyncio.sleep(1)
    raise AssertionError("what was waited for did not happen")


async def application(port: int, *, form: bool) -> Any:
    config = {
        "device": {"path": f"socket://127.0.0.1:{port}"},
        "database_path": None,
        "use_thread": False,
        "backup_enabled": False,
        "watchdog_enabled": False,
        "topology_scan_enabled": False,
        "ota": {"enabled": False},
        "network": {"channel": 11},
    }
    return await bellows.zigbee.application.ControllerApplication.new(
        config, auto_form=form, start_radio=True
    )


@pytest.mark.parametrize("version", [8, 9, 12, 13, 14, 15, 16, 17, 18, 19])
def test_a_home_is_formed_joined_interviewed_read_and_found_again(
    installation: Installation, version: int
) -> None:
    home = Home(installation, version)

    async def main() -> None:
        server = await serve_tcp(home.ncp)
        app = await application(server.port, form=True)
        device = await home.join(app)
        endpoint = device.endpoints[1]
        assert endpoint.profile_id == 0x0109
        assert 0x0702 in endpoint.in_clusters
        # zigpy drops every packet of the Smart Energy profile, so the host asks under Home Automation's.
        endpoint.profile_id = HOME_AUTOMATION
        read, failed = await endpoint.basic.read_attributes(["zcl_version", "manufacturer", "model"])
        assert not failed
        assert len(read) == 3
        formed = app.state.network_info
        short = device.nwk
        await app.shutdown()
        app = await application(server.port, form=False)
        again = app.state.network_info
        assert (again.pan_id, again.network_key.key) == (formed.pan_id, formed.network_key.key)
        assert again.network_key.tx_counter > formed.network_key.tx_counter
        device = app.add_device(home.meter_address, short)
        answer = await device.zdo.Node_Desc_req(short)
        assert answer[0] == 0
        await app.shutdown()
        await server.close()

    run(main(), home.kernel)
    assert home.ncp.resets >= 4


def test_a_backup_restores_to_another_dongle_and_the_meter_stays(installation: Installation) -> None:
    home = Home(installation, 13)
    spare = home.dongle(NCP_EUI64 + 1, 13)

    async def main() -> None:
        server = await serve_tcp(home.ncp)
        app = await application(server.port, form=True)
        device = await home.join(app)
        await app.load_network_info(load_devices=True)
        network, node = app.state.network_info, app.state.node_info
        await app.shutdown()
        await server.close()
        home.ncp.power_off()
        other = await serve_tcp(spare)
        app = await application(other.port, form=True)
        await app.write_network_info(
            network_info=network.replace(
                network_key=network.network_key.replace(tx_counter=network.network_key.tx_counter + 10_000)
            ),
            node_info=node,
        )
        await app.load_network_info()
        assert app.state.node_info.ieee == node.ieee
        assert app.state.network_info.pan_id == network.pan_id
        await app.shutdown()
        app = await application(other.port, form=False)
        restored = app.add_device(home.meter_address, device.nwk)
        answer = await restored.zdo.Node_Desc_req(device.nwk)
        assert answer[0] == 0
        await app.shutdown()
        await other.close()

    run(main(), home.kernel)
    assert spare.node.eui64 == NCP_EUI64


@pytest.mark.parametrize("version", [8, 13, 14, 19])
def test_a_network_moves_to_another_channel_and_its_meter_with_it(
    installation: Installation, version: int
) -> None:
    """The call behind zigpy-cli's change-channel and ZHA's migration: it waits until the dongle says it has moved."""
    home = Home(installation, version)
    told: list[int] = []

    async def main() -> None:
        server = await serve_tcp(home.ncp)
        app = await application(server.port, form=True)
        device = await home.join(app)
        app._ezsp.add_callback(
            lambda name, values: told.append(int(values[0])) if name == "stackStatusHandler" else None
        )
        async with asyncio.timeout(60):
            await app.move_network_to_channel(20)
        assert app.state.network_info.channel == 20
        assert home.ncp.node.mac.channel == 20
        assert home.meter.life is not None
        assert home.meter.life.node.mac.channel == 20
        answer = await device.zdo.Node_Desc_req(device.nwk)
        assert answer[0] == 0
        await app.shutdown()
        await server.close()

    run(main(), home.kernel)
    assert (CHANNEL_CHANGED_OLD if version < 14 else CHANNEL_CHANGED) in told


@pytest.mark.parametrize("version", [8, 13, 14, 19])
def test_a_network_key_is_changed_by_broadcast_and_the_meter_follows(
    installation: Installation, version: int
) -> None:
    home = Home(installation, version)

    async def main() -> None:
        server = await serve_tcp(home.ncp)
        app = await application(server.port, form=True)
        device = await home.join(app)
        key = t.KeyData(bytes(range(16)))
        (status,) = await app._ezsp.broadcastNextNetworkKey(key=key)
        assert status == 0
        await asyncio.sleep(10)
        (status,) = await app._ezsp.broadcastNetworkKeySwitch()
        assert status == 0
        await asyncio.sleep(10)
        await app.load_network_info()
        assert app.state.network_info.network_key.key == key
        assert app.state.network_info.network_key.seq == 1
        answer = await device.zdo.Node_Desc_req(device.nwk)
        assert answer[0] == 0
        await app.shutdown()
        await server.close()

    run(main(), home.kernel)
