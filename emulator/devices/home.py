"""One emulated installation: the hub and its devices on one medium, as the old head end left them.

A new world is installed first: the hub forms its network, every device joins with its install code, establishes
keys and finds its services. A world reopened from disk is powered up as it was left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from emulator.air.medium import Medium
from emulator.air.phy import SENSITIVITY_DBM, lqi_of
from emulator.clock.kernel import Kernel
from emulator.coordinator.port import CoordinatorPort
from emulator.coordinator.radio import HubSite, InprocRadio, Radio
from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.devices.comms_hub.hub import CommsHub
from emulator.devices.electricity_meter import ElectricityMeter
from emulator.devices.gas_meter import GasMeter
from emulator.devices.in_home_display import InHomeDisplay
from emulator.devices.joining_key import joining_key
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.devices.surroundings import Surroundings
from emulator.devices.world_clock import WorldClock, WorldMemory
from emulator.errors import EmulatorError
from emulator.faults.schedule import FaultSchedule
from emulator.smart_energy.ota.signature import trust_of
from emulator.stack.aps.key_table import KeyObserver
from emulator.stack.node import PREFERRED_CHANNELS, NodeConfig
from emulator.stack.nwk.service import NodeType
from emulator.stack.primitives import LONGEST_PERMIT_S
from emulator.stack.zdo.descriptors import SimpleDescriptor
from emulator.wan.link import WanLink
from hw_profiles.installation import DeviceEntry, Installation
from hw_profiles.model import DeviceKind, Model

_BEGUN, _INSTALLED = "world.begun", "world.installed"
_KINDS: Mapping[DeviceKind, type[SmartEnergyDevice]] = {
    DeviceKind.ESME: ElectricityMeter,
    DeviceKind.GSME: GasMeter,
    DeviceKind.IHD: InHomeDisplay,
    DeviceKind.CAD: InHomeDisplay,
}


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
        radio: Radio | None = None,
    ) -> None:
        """`memory` keeps what survives a power cut; `on_key` hears of link keys; `radio` is the hub's radio."""
        self.installation = installation
        self.kernel = kernel
        self.medium = medium
        self.link = link
        self._memory = memory
        self._world = memory.device("world")
        self._clock = WorldClock(kernel, memory)
        self._scope = kernel.scope("world")
        self._surroundings = surroundings_of(kernel, medium, installation, on_key)
        self._radio = radio or InprocRadio()
        self._line = AsyncExitStack()
        """Holds the radio open while the hub has power."""
        self._hub: CommsHub | None = None
        self.devices = household(installation, memory, self._surroundings)
        set_links(medium, installation)
        self.faults = FaultSchedule(self._scope, self)
        self._hub_on = False

    @property
    def hub(self) -> CommsHub:
        """The hub, as it last had power; raises `RuntimeError` before it had any."""
        if self._hub is None:
            raise RuntimeError("the hub has had no power yet; await start() or switch_hub() first")
        return self._hub

    @property
    def installed(self) -> bool:
        """Whether the installer's work is done: every device joined and keyed."""
        return self._world.get(_INSTALLED) is not None

    async def start(self, *, patience_s: float = 7200.0) -> None:
        """Power everything up and wait until every device is registered with the hub.

        Raises `EmulatorError` when a device of a new world is not registered within `patience_s`; in a world that
        was installed before, a device that stays away is left to the campaign to find.
        """
        self._clock.start()
        if self._world.get(_BEGUN) is None:
            self._world.put(_BEGUN, self.kernel.now.to_bytes(8, "little"))
        await self._start_hub()
        for device in self.devices.values():
            device.power_on()
        if not self.installed:
            await self._install(patience_s)
            self._world.put(_INSTALLED, self.kernel.now.to_bytes(8, "little"))
            self.faults.start(self._time(_BEGUN), self.kernel.now)
        else:
            self.faults.start(self._time(_BEGUN), self._time(_INSTALLED))
            await self._settled(patience_s=300.0)

    def _time(self, name: str) -> int:
        return int.from_bytes(self._world.get(name) or b"", "little")

    async def stop(self) -> None:
        """Cut the power."""
        self.faults.stop()
        for device in self.devices.values():
            device.power_off()
        await self.switch_hub(on=False)
        self._clock.stop()
        self._scope.end()

    async def switch_hub(self, *, on: bool) -> None:
        """Give the hub power, or cut it; nothing when it is so already. The devices find it again as they would."""
        if on is self._hub_on:
            return
        if on:
            await self._start_hub()
            return
        self._hub_on = False
        await self.hub.stop()
        await self._line.aclose()

    async def power_cycle_hub(self, off_s: float) -> None:
        """Cut the hub's power for `off_s` seconds."""
        await self.switch_hub(on=False)
        await asyncio.sleep(off_s)
        await self.switch_hub(on=True)

    async def _start_hub(self) -> None:
        self._hub_on = True
        site = hub_site(self.installation, self._memory, self._surroundings)
        try:
            port = await self._line.enter_async_context(self._radio.open(site))
            self._hub = hub_of(self.installation, self._memory, self._surroundings, port, self.link)
        except BaseException:
            # A hub that did not come up has no power to cut.
            self._hub_on = False
            await self._line.aclose()
            raise

    def restore_links(self) -> None:
        """Give the air the walls and distances of the installation again."""
        set_links(self.medium, self.installation)

    async def _install(self, patience_s: float) -> None:
        for entry in self.installation.record.devices:
            if entry.role is not DeviceKind.CHF:
                self.hub.admit(entry.address, joining_key(entry), self.installation.record.permit_join_s)
        waited = 0
        while not await self._settled(patience_s=200.0):
            waited += 200
            if waited >= patience_s:
                missing = [name for name, device in self.devices.items() if not _registered(device)]
                raise EmulatorError(
                    f"installing {self.installation.record.id}: {', '.join(missing)} did not register within "
                    f"{patience_s:.0f} s; check links and positions of the installation"
                )
            self.hub.port.permit_joining(LONGEST_PERMIT_S)
        self.hub.port.permit_joining(0)

    async def _settled(self, *, patience_s: float) -> bool:
        for _ in range(int(patience_s)):
            if all(_registered(device) for device in self.devices.values()):
                return True
            await asyncio.sleep(1.0)
        return False


# Construction


def surroundings_of(
    kernel: Kernel, medium: Medium, installation: Installation, on_key: KeyObserver | None = None
) -> Surroundings:
    """Return what the devices of an installation find around them."""
    authorities = {suite: IssuingAuthority.from_seed(suite, b"smets1 rehearsal devices") for suite in Suite}
    trusts = tuple(trust_of(authority) for authority in installation.record.firmware_authorities)
    return Surroundings(kernel, medium, authorities, trusts, on_key)


def household(
    installation: Installation, memory: WorldMemory, surroundings: Surroundings
) -> dict[str, SmartEnergyDevice]:
    """Return the devices of an installation, all but its hub, by name; none has power yet."""
    return {
        entry.name: _KINDS[entry.role](
            surroundings,
            entry,
            installation.models[entry.name],
            memory.device(entry.name),
            installation.installed_firmware(entry.name).ota_version,
        )
        for entry in installation.record.devices
        if entry.role is not DeviceKind.CHF
    }


def set_links(medium: Medium, installation: Installation) -> None:
    """Give the air the walls and distances of an installation."""
    for link in installation.record.links:
        first, second = (installation.device(name).address for name in link.between)
        rssi_dbm = None if link.lqi is None else _rssi_of(link.lqi)
        loss = link.loss or None
        medium.set_link(first, second, audible=not link.cannot_hear, rssi_dbm=rssi_dbm, loss=loss)


def hub_of(
    installation: Installation,
    memory: WorldMemory,
    surroundings: Surroundings,
    port: CoordinatorPort,
    link: WanLink,
) -> CommsHub:
    """Return the hub of an installation, at work on a radio."""
    entry = installation.hub
    return CommsHub(
        surroundings,
        entry,
        installation.models[entry.name],
        memory.device(entry.name),
        port=port,
        link=link,
        installed=installation.installed_firmware(entry.name).ota_version,
    )


def hub_site(installation: Installation, memory: WorldMemory, surroundings: Surroundings) -> HubSite:
    """Return what a radio is told of the hub it serves."""
    entry = installation.hub
    return HubSite(
        kernel=surroundings.kernel,
        medium=surroundings.medium,
        node=hub_node_config(entry, installation.models[entry.name]),
        network=_network_config(surroundings.kernel, installation),
        memory=memory.device(entry.name),
        dongle_memory=memory.device(f"{entry.name}.dongle"),
        on_key=surroundings.on_key,
    )


def _network_config(kernel: Kernel, installation: Installation) -> dict[str, object]:
    network = installation.record.network
    choice = kernel.scope("network").random
    extended = network.extended_pan_id or installation.hub.eui64
    return {
        "channel": network.channel or choice.choice(PREFERRED_CHANNELS),
        "pan_id": network.pan_id or choice.randrange(1, 0xFFFE),
        "extended_pan_id": extended.replace("-", ":").lower(),
        "key": list(kernel.secret("network key", 16)),
        "key_sequence_number": network.key_sequence,
    }


def _rssi_of(lqi: int) -> int:
    """Return the weakest received power, dBm, that gives a link quality of `lqi` at least."""
    return next((power for power in range(SENSITIVITY_DBM, 0) if lqi_of(power) >= lqi), 0)


def _registered(device: SmartEnergyDevice) -> bool:
    return device.life is not None and device.ready


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
        max_children=model.node.max_children,
        position=(x, y),
    )
