"""The comms hub (CHF): a zigpy application with the ESI clusters, key establishment, firmware, mirrors and the WAN.

One program for any radio: it needs a zigpy application for the network's life and a `CoordinatorPort` for traffic.
"""

from __future__ import annotations

from collections.abc import Mapping

from emulator.clock.kernel import MICROSECONDS, Timer
from emulator.coordinator.port import CoordinatorPort
from emulator.crypto.install_code import install_code_link_key
from emulator.devices.application import SmartEnergyApplication
from emulator.devices.attributes import table_of
from emulator.devices.comms_hub.firmware import FirmwareService
from emulator.devices.comms_hub.han import Han
from emulator.devices.comms_hub.mirror import Mirrors
from emulator.devices.comms_hub.transactions import Transactions
from emulator.devices.comms_hub.wan_service import HubFacade, WanService
from emulator.devices.control import ControlReceiver, provision, rehearsal_identity
from emulator.devices.description import basic_attributes, price_attributes
from emulator.devices.event_log import EventLog
from emulator.devices.surroundings import Surroundings
from emulator.eui64 import format_eui64
from emulator.nonvolatile import NonVolatile
from emulator.smart_energy.cbke.machines import Established
from emulator.smart_energy.clusters.metering import REQUEST_MIRROR
from emulator.smart_energy.security_policy import SecurityPolicy
from emulator.stack.events import DeviceJoined, DeviceLeft, NetworkKeyChanged, StackEvent
from emulator.stack.primitives import LONGEST_PERMIT_S, ApsdeIndication, Security
from emulator.wan import alerts
from emulator.wan.link import WanLink
from emulator.wan.messages import WanError
from emulator.wan.results import HubStatus, ListedDevice
from emulator.zcl.frame import ZclFrame, ZclStatus, try_parse
from emulator.zcl.identifiers import (
    BASIC,
    LOAD_CONTROL,
    MESSAGING,
    METERING,
    METERING_DEVICE,
    OTA_UPGRADE,
    PRICE,
    TIME,
)
from emulator.zcl.values import utc_time
from hw_profiles.installation import DeviceEntry
from hw_profiles.model import Event, Model

_VERSION = "firmware.version"
_ALLOWED = "han.allowed."
_PUBLICATIONS = {PRICE: 0x00, LOAD_CONTROL: 0x01, MESSAGING: 0x00}
"""Price, load control and messaging: the command that asks for what is published, here always nothing."""
_SYNCHRONISED = 0x03
"""TimeStatus: master and synchronised."""
MAX_DEVICES = 16
"""Devices a hub lists (fact sheet, devices: the 17th is refused)."""
KEY_ESTABLISHMENT_LIMIT_US = 20 * 60 * MICROSECONDS
"""A device that joined and shares no key with the hub by then is told to leave (fact sheet, devices 2.8)."""


class CommsHub:
    """The hub of one home while it has power; a new object on the same memory is a power cycle."""

    def __init__(
        self,
        surroundings: Surroundings,
        entry: DeviceEntry,
        model: Model,
        nonvolatile: NonVolatile,
        *,
        port: CoordinatorPort,
        link: WanLink,
        installed: int,
    ) -> None:
        """Start every service on `port`, a radio whose network is up.

        `installed` is the firmware version the hub came with.
        """
        self.eui64 = entry.address
        self.model = model
        self.port = port
        self._nonvolatile = nonvolatile
        self._scope = surroundings.kernel.scope(f"{entry.name}/hub")
        self._last_seen: dict[int, int] = {}
        self._deadlines: dict[int, Timer] = {}
        self.key_establishment_limit_us = KEY_ESTABLISHMENT_LIMIT_US
        if nonvolatile.get(_VERSION) is None:
            nonvolatile.put(_VERSION, installed.to_bytes(4, "little"))
        provision(nonvolatile, rehearsal_identity(surroundings.kernel.secret, self.eui64))
        self.control = ControlReceiver(self.eui64, nonvolatile)
        self.log = EventLog(nonvolatile, model.events)
        self._key_sequence = int(port.application.state.network_info.network_key.seq)
        primary = model.endpoints[0].id
        self._transactions = Transactions(port, primary)
        # Who binds the hub's clusters is known to its radio alone: reports go to who configured them.
        self.smart_energy = SmartEnergyApplication(
            self._scope,
            port,
            nonvolatile,
            model,
            eui64=self.eui64,
            version=self.version,
            authorities=surroundings.authorities,
            next_tsn=self._transactions.next_tsn,
            policy=SecurityPolicy(),
        )
        self.smart_energy.key_establishment.on_established = self._established
        mirrors = tuple(point.id for point in model.endpoints if point.device_id == METERING_DEVICE)
        self.mirrors = Mirrors(self._scope, nonvolatile, mirrors, self.smart_energy.endpoint)
        self.firmware = FirmwareService(self._scope, port, nonvolatile, primary, self._alert)
        self._build(primary)
        self.smart_energy.complete()
        self._wan = WanService(link, self.control, self._facade())
        port.on_data = self._data
        port.on_event = self._event
        self._expect_devices()

    def _facade(self) -> HubFacade:
        return HubFacade(
            Han(self.port, self._transactions),
            self.firmware,
            self.mirrors,
            self.status,
            self.permit,
            self._update_network_key,
            self.log.entries,
        )

    def _expect_devices(self) -> None:
        """Let the listed devices in when they come, and give those that are there the time to establish a key."""
        for eui64 in self._listed():
            link_key = self._nonvolatile.get(f"{_ALLOWED}{eui64:016x}")
            if link_key is not None and self.port.link_key(eui64) is None:
                self.port.allow(eui64, link_key)
            if self.port.short_of(eui64) is not None:
                self._await_key_establishment(eui64)

    @property
    def version(self) -> int:
        """The running firmware, as a 32-bit OTA version."""
        return int.from_bytes(self._nonvolatile.get(_VERSION) or b"", "little")

    async def stop(self) -> None:
        """Stop the services: the hub is without power."""
        await self._wan.stop()
        self._scope.end()

    # What the head end and the installer ask for

    def permit(self, eui64: int, install_code: bytes, seconds: int) -> None:
        """Let a device join with its install code, and open the network.

        Raises `CryptoError` for a damaged install code, `WanError` when the hub's list is full.
        """
        self.admit(eui64, install_code_link_key(install_code), seconds)

    def admit(self, eui64: int, link_key: bytes, seconds: int) -> None:
        """Let a device join with this key, and open the network; raises `WanError` when the list is full."""
        listed = self._listed()
        if eui64 not in listed and len(listed) >= MAX_DEVICES:
            raise WanError(
                "device-list-full",
                f"the hub lists {len(listed)} devices, the most it can, and {format_eui64(eui64)} is not one",
            )
        self._nonvolatile.put(f"{_ALLOWED}{eui64:016x}", link_key)
        self.port.allow(eui64, link_key)
        self.port.permit_joining(min(seconds, LONGEST_PERMIT_S))
        self.log.append(Event.DEVICE_LOG_CHANGED, self._scope.unix_seconds, format_eui64(eui64))

    async def recall(self, joining_keys: Mapping[int, bytes]) -> tuple[int, ...]:
        """List the devices of `joining_keys` that are on the network already, as the radio remembers; returns which.

        `joining_keys` gives, by EUI-64, the key each may join with should it ever come anew.
        """
        recalled = await self.port.recall(joining_keys)
        for eui64 in recalled:
            self._nonvolatile.put(f"{_ALLOWED}{eui64:016x}", joining_keys[eui64])
        return recalled

    def status(self) -> HubStatus:
        """Return the hub's own view of the home."""
        network = self.port.application.state.network_info
        devices = (
            ListedDevice(format_eui64(eui64), self.port.short_of(eui64), self._last_seen.get(eui64))
            for eui64 in self._listed()
        )
        return HubStatus(
            format_eui64(self.eui64),
            self.version,
            int(network.pan_id),
            int(network.channel),
            tuple(devices),
            self.mirrors.describe(),
            tuple(self.firmware.status(eui64) for eui64 in sorted(self.firmware.server.jobs)),
        )

    def _listed(self) -> list[int]:
        return [int(key.removeprefix(_ALLOWED), 16) for key in self._nonvolatile.keys(_ALLOWED)]

    def _update_network_key(self) -> int:
        self.port.update_network_key()
        self.log.append(Event.KEY_CHANGED, self._scope.unix_seconds, "network key")
        return self._key_sequence + 1 & 0xFF

    def _alert(self, alert: alerts.Alert) -> None:
        self._wan.alert(alert)

    # From the radio

    def _data(self, indication: ApsdeIndication) -> bool:
        source = indication.source_eui64
        if source is not None:
            self._last_seen[source] = self._scope.unix_seconds
            self.firmware.heard(source)
        if indication.cluster == OTA_UPGRADE and indication.security is Security.APS:
            frame = try_parse(indication.asdu)
            if frame is not None and not self._transactions.offer(indication):
                self.firmware.message(indication, frame)
            return True
        if indication.destination_endpoint == 0 or self._transactions.offer(indication):
            return True
        self.smart_energy.receive(indication)
        return True

    def _event(self, event: StackEvent) -> None:
        match event:
            case DeviceJoined(eui64):
                self._await_key_establishment(eui64)
                self._alert(alerts.DeviceJoined(format_eui64(eui64)))
            case DeviceLeft(eui64):
                self.smart_energy.reports.forget_configurer(eui64)
                self._alert(alerts.DeviceLeft(format_eui64(eui64)))
            case NetworkKeyChanged(sequence):
                self._key_sequence = sequence

    def _await_key_establishment(self, eui64: int) -> None:
        """Give a device that has only its install code's key the time to establish a better one."""
        if eui64 in self._listed() and self._has_install_code_key(eui64):
            self._scope.cancel(self._deadlines.get(eui64))
            self._deadlines[eui64] = self._scope.call_later(
                self.key_establishment_limit_us, self._key_establishment_due, eui64
            )

    def _has_install_code_key(self, eui64: int) -> bool:
        known = self._nonvolatile.get(f"{_ALLOWED}{eui64:016x}")
        return self.port.link_key(eui64) in (None, known)

    def _key_establishment_due(self, eui64: int) -> None:
        del self._deadlines[eui64]
        if not self._has_install_code_key(eui64):
            return
        self.port.remove(eui64)
        install_code_key = self._nonvolatile.get(f"{_ALLOWED}{eui64:016x}")
        if install_code_key is not None:
            # It may try again when the network is next opened.
            self.port.allow(eui64, install_code_key)
        self.log.append(Event.LEFT, self._scope.unix_seconds, f"{format_eui64(eui64)} no key established")
        self._alert(alerts.DeviceRemoved(format_eui64(eui64), "no key within 20 minutes"))

    def _established(self, established: Established) -> None:
        if established.link_key is not None:
            self.port.set_link_key(established.partner, established.link_key)

    # Clusters

    def _build(self, primary: int) -> None:
        endpoint, gates = self.smart_energy.endpoint(primary), self.smart_energy.gates
        basic = {
            **basic_attributes(self.model, self.version, self.model.firmware_version(self.version)),
            "physical_env": lambda: int(self.mirrors.has_room),
        }
        time = {
            "time": lambda: utc_time(self._scope.unix_seconds),
            "time_status": _SYNCHRONISED,
            "time_zone": 0,
        }
        self.smart_energy.serve(primary, BASIC, basic)
        self.smart_energy.serve(primary, TIME, time)
        for cluster, command in _PUBLICATIONS.items():
            if cluster in self.model.endpoints[0].server:
                contents = price_attributes(self.model) if cluster == PRICE else {}
                table = table_of(cluster, contents, gates.attributes(cluster))
                handlers = {command: _nothing_published}
                endpoint.add_server(cluster, table, handlers, gate=gates.server_commands(cluster))
        mirror = {REQUEST_MIRROR: self.mirrors.request}
        endpoint.add_client(METERING, handlers=mirror, gate=gates.client_commands(METERING))


def _nothing_published(_indication: ApsdeIndication, _frame: ZclFrame) -> int:
    return ZclStatus.NOT_FOUND
