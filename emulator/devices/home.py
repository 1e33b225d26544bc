"""One emulated installation: the hub and its devices on one medium, as the old head end left them.

A new world is installed first: the hub forms its network, every device joins with its install code, establishes
keys and finds its services. A world reopened from disk is powered up as it was left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from emulator.air.medium import Medium
from emulator.air.phy import SENSITIVITY_DBM, lqi_of
from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.coordinator.inproc import InprocApplication
from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.devices.comms_hub.hub import CommsHub
from emulator.devices.electricity_meter import ElectricityMeter
from emulator.devices.gas_meter import GasMeter
from emulator.devices.in_home_display import InHomeDisplay
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.devices.surroundings import Surroundings
from emulator.errors import EmulatorError
from emulator.nonvolatile import NonVolatile
from emulator.smart_energy.ota_signature import trust_of
from emulator.stack.descriptors import SimpleDescriptor
from emulator.stack.key_table import KeyObserver
from emulator.stack.node import PREFERRED_CHANNELS, NodeConfig
from emulator.stack.nwk_service import NodeType
from emulator.wan.link import WanLink
from hw_profiles.installation import DeviceEntry, Installation
from hw_profiles.model import DeviceKind, Model

CLOCK_PERIOD_US = 10 * MICROSECONDS
_INSTALLED = "world.installed"
_CLOCK = "world.clock"
_KINDS: Mapping[DeviceKind, type[SmartEnergyDevice]] = {
    DeviceKind.ESME: ElectricityMeter,
    DeviceKind.GSME: GasMeter,
    DeviceKind.IHD: InHomeDisplay,
    DeviceKind.CAD: InHomeDisplay,
}


class WorldMemory(Protocol):
    """Gives each device of the world its non-volatile memory."""

    def device(self, name: str) -> NonVolatile:
        """Return the memory of the device called `name`."""


def world_clock(memory: WorldMemory) -> int:
    """Return a time, in microseconds of the scenario, at which nothing of a stopped world has happened yet."""
    octets = memory.device("world").get(_CLOCK)
    return 0 if octets is None else int.from_bytes(octets, "little") + CLOCK_PERIOD_US


class Home:
    """The devices of one installation."""

    def __init__(
        self,
        kernel: Kernel,
        installation: Installation,
        memory: WorldMemory,
        medium: Medium,
        link: WanLink,
        *,
        on_key: KeyObserver | None = None,
    ) -> None:
        """`memory` keeps what survives a power cut; `on_key` hears of link keys."""
        self.installation = installation
        self.kernel = kernel
        self.medium = medium
        self.devices: dict[str, SmartEnergyDevice] = {}
        self._link = link
        self._memory = memory
        self._world = memory.device("world")
        self._scope = kernel.scope("world")
        authorities = {
            suite: IssuingAuthority.from_seed(suite, b"smets1 rehearsal devices") for suite in Suite
        }
        trusts = tuple(trust_of(authority) for authority in installation.record.firmware_authorities)
        self._surroundings = Surroundings(kernel, medium, authorities, trusts, on_key)
        self.hub = self._make_hub()
        for entry in installation.record.devices:
            if entry.role is not DeviceKind.CHF:
                self.devices[entry.name] = self._make_device(entry)
        self._set_links()

    @property
    def installed(self) -> bool:
        """Whether the installer's work is done: every device joined and keyed."""
        return self._world.get(_INSTALLED) is not None

    async def start(self, *, patience_s: float = 7200.0) -> None:
        """Power everything up and wait until every device is registered with the hub.

        Raises `EmulatorError` when a device of a new world is not registered within `patience_s`; in a world that
        was installed before, a device that stays away is left to the campaign to find.
        """
        self._tick()
        await self.hub.start(_inproc_port)
        for device in self.devices.values():
            device.power_on()
        if not self.installed:
            await self._install(patience_s)
            self._world.put(_INSTALLED, b"\x01")
        else:
            await self._settled(patience_s=300.0)

    async def stop(self) -> None:
        """Cut the power."""
        for device in self.devices.values():
            device.power_off()
        await self.hub.stop()
        self._scope.end()

    async def power_cycle_hub(self, off_s: float) -> None:
        """Cut the hub's power for `off_s` seconds; the devices find it again as they would."""
        await self.hub.stop()
        await asyncio.sleep(off_s)
        self.hub = self._make_hub()
        await self.hub.start(_inproc_port)

    async def _install(self, patience_s: float) -> None:
        for entry in self.installation.record.devices:
            if entry.role is not DeviceKind.CHF:
                self.hub.permit(
                    entry.address, entry.install_code_octets, self.installation.record.permit_join_s
                )
        waited = 0
        while not await self._settled(patience_s=200.0):
            waited += 200
            if waited >= patience_s:
                missing = [name for name, device in self.devices.items() if not _registered(device)]
                raise EmulatorError(
                    f"installing {self.installation.record.id}: {', '.join(missing)} did not register within "
                    f"{patience_s:.0f} s; check links and positions of the installation"
                )
            self.hub.port.permit_joining(254)
        self.hub.port.permit_joining(0)

    async def _settled(self, *, patience_s: float) -> bool:
        for _ in range(int(patience_s)):
            if all(_registered(device) for device in self.devices.values()):
                return True
            await asyncio.sleep(1.0)
        return False

    def _tick(self) -> None:
        """Keep the world's clock, so that a reopened world does not go back in time."""
        self._world.put(_CLOCK, self.kernel.now.to_bytes(8, "little"))
        self._scope.call_later(CLOCK_PERIOD_US, self._tick)

    # Construction

    def _make_hub(self) -> CommsHub:
        entry = self.installation.hub
        model = self.installation.models[entry.name]
        memory = self._memory.device(entry.name)
        application = InprocApplication(
            self._network_config(entry),
            kernel=self.kernel,
            medium=self.medium,
            node_config=hub_node_config(entry, model),
            nonvolatile=memory,
            on_key=self._surroundings.on_key,
        )
        installed = self.installation.installed_firmware(entry.name).ota_version
        return CommsHub(
            self._surroundings,
            entry,
            model,
            memory,
            link=self._link,
            application=application,
            installed=installed,
        )

    def _network_config(self, entry: DeviceEntry) -> dict[str, object]:
        network = self.installation.record.network
        choice = self.kernel.scope("network").random
        extended = network.extended_pan_id or entry.eui64
        return {
            "device": {"path": "inproc:"},
            "database_path": None,
            "watchdog_enabled": False,
            "backup_enabled": False,
            "topology_scan_enabled": False,
            "ota": {"enabled": False},
            "network": {
                "channel": network.channel or choice.choice(PREFERRED_CHANNELS),
                "pan_id": network.pan_id or choice.randrange(1, 0xFFFE),
                "extended_pan_id": extended.replace("-", ":").lower(),
                "key": list(self.kernel.secret("network key", 16)),
                "key_sequence_number": network.key_sequence,
            },
        }

    def _make_device(self, entry: DeviceEntry) -> SmartEnergyDevice:
        model = self.installation.models[entry.name]
        installed = self.installation.installed_firmware(entry.name).ota_version
        memory = self._memory.device(entry.name)
        return _KINDS[entry.role](self._surroundings, entry, model, memory, installed)

    def _set_links(self) -> None:
        for link in self.installation.record.links:
            first, second = (self.installation.device(name).address for name in link.between)
            rssi_dbm = None if link.lqi is None else _rssi_of(link.lqi)
            loss = link.loss or None
            self.medium.set_link(first, second, audible=not link.cannot_hear, rssi_dbm=rssi_dbm, loss=loss)


def _rssi_of(lqi: int) -> int:
    """Return the weakest received power, dBm, that gives a link quality of `lqi` at least."""
    return next((power for power in range(SENSITIVITY_DBM, 0) if lqi_of(power) >= lqi), 0)


def _registered(device: SmartEnergyDevice) -> bool:
    return device.life is not None and device.ready


def _inproc_port(application: InprocApplication) -> object:
    return application.port


def hub_node_config(entry: DeviceEntry, model: Model) -> NodeConfig:
    """Return the coordinator that a hub's entry and model describe."""
    x, y = entry.position
    return NodeConfig(
        eui64=entry.address,
        device_type=NodeType.COORDINATOR,
        manufacturer_code=model.identity.manufacturer_code,
        endpoints=tuple(
            SimpleDescriptor(
                point.id, point.profile, point.device_id, point.device_version, point.server, point.client
            )
            for point in model.endpoints
        ),
        name=f"{entry.name}/radio",
        max_incoming_transfer=model.node.max_incoming_transfer,
        position=(x, y),
    )
