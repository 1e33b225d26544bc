"""A Smart Energy device on the home area network: power, boot, joining, key establishment, firmware.

The object is the hardware: it outlives power cuts and firmware. Each boot is a `Life` (a scope, a node, clusters) on
the same non-volatile memory. Meters and displays extend it with their clusters.
"""

from __future__ import annotations

from struct import Struct

from emulator.clock.kernel import MICROSECONDS
from emulator.devices.attributes import AttributeRow, Configuration, table_of
from emulator.devices.control import ControlReceiver, ControlRole, provision, rehearsal_identity
from emulator.devices.event_log import EventLog
from emulator.devices.life import Life
from emulator.devices.registration import Service
from emulator.devices.surroundings import Surroundings
from emulator.nonvolatile import NonVolatile
from emulator.stack.events import LeaveRequested, NetworkDown, NetworkUp, ParentLost, StackEvent
from emulator.stack.primitives import ApsdeIndication, Status
from emulator.zcl.attributes import AttributeRecord
from emulator.zcl.client import Peer
from emulator.zcl.endpoint import Reply
from emulator.zcl.frame import ZclFrame
from hw_profiles.installation import DeviceEntry
from hw_profiles.model import Event, FirmwareVersion, Model, NodeType

BASIC = 0x0000
POWER_CONFIGURATION = 0x0001
TIME = 0x000A
OTA = 0x0019
KEY_ESTABLISHMENT = 0x0800
DEVICE_CONTROL = 0xFC01
"""Manufacturer cluster that carries control envelopes; the project's own stand-in for the makers' protocols."""
CONTROL_EXECUTE = 0x00

TIME_SERVER = Service(TIME)
OTA_SERVER = Service(OTA)

UNIX_TO_ZIGBEE = 946_684_800
_VERSION = "firmware.version"
_ACTIVATING = "firmware.activating"
_ORDER = Struct("<II")
"""An order to activate: the version, and the number of the next log entry when it was given."""
_BOOTS = "boots"
_CLOCK = "clock.offset"
_JOIN_RETRY_US = 60 * MICROSECONDS
_JOIN_JITTER_US = 15 * MICROSECONDS
_REJOIN_LIMIT = 3
_DAY_US = 86_400 * MICROSECONDS
_ROLES = tuple(ControlRole)


class SmartEnergyDevice:
    """One device of the home; subclasses add what makes it a meter or a display."""

    services: tuple[Service, ...] = (TIME_SERVER, OTA_SERVER)
    """What this device looks for at the hub."""

    def __init__(
        self,
        surroundings: Surroundings,
        entry: DeviceEntry,
        model: Model,
        nonvolatile: NonVolatile,
        installed: int,
    ) -> None:
        """`installed` is the 32-bit firmware version the device left its installer with."""
        self.surroundings = surroundings
        self.entry = entry
        self.model = model
        self.nonvolatile = nonvolatile
        self.eui64 = entry.address
        self.life: Life | None = None
        self._hardware = surroundings.kernel.scope(f"{entry.name}/hardware")
        self._missed_keep_alives = 0
        self.ready = False
        """Registered with the hub, services found, in this life."""
        if nonvolatile.get(_VERSION) is None:
            nonvolatile.put(_VERSION, installed.to_bytes(4, "little"))
            offset = int(entry.clock_offset_s)
            nonvolatile.put(_CLOCK, offset.to_bytes(4, "little", signed=True))
        provision(nonvolatile, rehearsal_identity(surroundings.kernel.secret, self.eui64))
        self.log = EventLog(nonvolatile, model.events)
        self.configuration = Configuration(model, nonvolatile, entry.configuration, self._configured)
        self.control = ControlReceiver(self.eui64, nonvolatile)

    # Power

    @property
    def version(self) -> int:
        """The running firmware, as a 32-bit OTA version."""
        return int.from_bytes(self.nonvolatile.get(_VERSION) or b"", "little")

    @property
    def firmware(self) -> FirmwareVersion | None:
        """What the profile knows of the running firmware."""
        return self.model.firmware_version(self.version)

    @property
    def unix_seconds(self) -> int:
        """The device's own clock."""
        offset = int.from_bytes(self.nonvolatile.get(_CLOCK) or b"", "little", signed=True)
        return self._hardware.unix_seconds + offset

    def power_on(self) -> None:
        """Apply power: the device boots after its boot time."""
        self._hardware.call_later(int(self.model.timings.boot_s * MICROSECONDS), self._boot)

    def power_off(self) -> None:
        """Cut the power: everything but non-volatile memory is gone."""
        self._hardware.end()
        self._hardware = self.surroundings.kernel.scope(f"{self.entry.name}/hardware")
        self._end_life()

    def _end_life(self) -> None:
        self.ready = False
        if self.life is not None:
            self.life.end()
            self.life = None

    def _boot(self) -> None:
        boots = int.from_bytes(self.nonvolatile.get(_BOOTS) or b"", "little") + 1
        self.nonvolatile.put(_BOOTS, boots.to_bytes(4, "little"))
        self._swap_images()
        life = Life(
            self.surroundings, self.entry, self.model, self.nonvolatile, self.version, boots, self.services
        )
        self.life = life
        self._build(life)
        life.node.on_event = self._event
        life.registration.on_complete = self._registered
        life.registration.on_failed = self._registration_failed
        if life.firmware is not None:
            life.firmware.on_activate = self._activate
            life.firmware.on_received = lambda version: self._note_firmware(Event.FIRMWARE_RECEIVED, version)
            life.firmware.on_verified = self._verified
            life.firmware.on_flash_page = self._flash_written
            life.firmware.on_activity = self._firmware_activity
        if life.node.restore():
            self._on_network()
        else:
            self._join()

    # Joining

    def _join(self) -> None:
        if self.life is not None and self.life.node.parameters is None:
            self.life.node.join(done=self._join_done)

    def _join_done(self, status: Status) -> None:
        if self.life is None or status is Status.SUCCESS:
            return
        jitter = self.life.scope.random.randint(-_JOIN_JITTER_US, _JOIN_JITTER_US)
        self.life.scope.call_later(_JOIN_RETRY_US + jitter, self._join)

    def _event(self, event: StackEvent) -> None:
        match event:
            case NetworkUp(_, rejoined):
                if not rejoined:
                    self.log.append(Event.JOINED, self.unix_seconds)
                self._on_network()
            case NetworkDown(reason):
                self.log.append(Event.LEFT, self.unix_seconds, reason.value)
                if self.life is not None:
                    self.life.registration.forget()
                    self.life.scope.call_later(_JOIN_RETRY_US, self._join)
            case ParentLost():
                self._recover(0)
            case LeaveRequested(source, _, obeyed) if not obeyed:
                self.log.append(Event.LEFT, self.unix_seconds, f"leave from {source} ignored")

    def _on_network(self) -> None:
        if self.life is not None:
            delay = int(self.model.timings.registration_start_s * MICROSECONDS)
            self.life.scope.call_later(delay, self.life.registration.start)

    def _recover(self, attempt: int) -> None:
        """Rejoin and recovery (fact sheet 2.8): secured and trust-centre rejoin by turns, then hourly."""
        life = self.life
        if life is None or life.node.parameters is None:
            return

        def done(status: Status) -> None:
            if status is Status.SUCCESS or self.life is not life:
                return
            quick = attempt < 2 * _REJOIN_LIMIT
            base = 60 if quick else 3600
            spread = 15 if quick else 1800
            wait = life.scope.random.randint((base - spread) * MICROSECONDS, (base + spread) * MICROSECONDS)
            life.scope.call_later(wait, self._recover, attempt + 1)

        life.node.rejoin(secured=attempt % 2 == 0, done=done)

    def _registration_failed(self, reason: str) -> None:
        self.log.append(Event.JOIN_FAILED, self.unix_seconds, reason)

    def _registered(self) -> None:
        """Registration is complete: services are known. Subclasses extend it."""
        life = self.life
        if life is None:
            return
        self.ready = True
        if life.firmware is not None and OTA_SERVER in life.registration.services:
            life.firmware.start(0, life.registration.services[OTA_SERVER])
        self._set_clock()
        if self.model.node.type is not NodeType.SLEEPY:
            self._keep_alive()

    # Trust centre contact and clock

    def _time_server(self) -> Peer | None:
        if self.life is None or TIME_SERVER not in self.life.registration.services:
            return None
        return Peer(0, self.life.registration.services[TIME_SERVER])

    def _set_clock(self) -> None:
        peer = self._time_server()
        if peer is not None and self.life is not None:
            self.life.client.read_attributes(peer, TIME, (0x0000,), self._time_read)
            self.life.scope.call_later(_DAY_US, self._set_clock)

    def _time_read(self, records: list[AttributeRecord] | None) -> None:
        if not records or records[0].status:
            return
        offset = records[0].value + UNIX_TO_ZIGBEE - self._hardware.unix_seconds
        if abs(offset - (self.unix_seconds - self._hardware.unix_seconds)) > 1:
            self.nonvolatile.put(_CLOCK, int(offset).to_bytes(4, "little", signed=True))
            self.log.append(Event.CLOCK_SET, self.unix_seconds)

    def _keep_alive(self) -> None:
        life = self.life
        if life is None:
            return
        timings = self.model.timings
        jitter = life.scope.random.randrange(int(timings.keep_alive_jitter_s * MICROSECONDS) + 1)
        life.scope.call_later(int(timings.keep_alive_s * MICROSECONDS) + jitter, self._poll_trust_centre)

    def _poll_trust_centre(self) -> None:
        peer = self._time_server()
        if peer is not None and self.life is not None:
            self.life.client.read_attributes(peer, TIME, (0x0001,), self._trust_centre_answered)
        self._keep_alive()

    def _trust_centre_answered(self, records: list[AttributeRecord] | None) -> None:
        self._missed_keep_alives = 0 if records is not None else self._missed_keep_alives + 1
        if self._missed_keep_alives >= _REJOIN_LIMIT:
            self._missed_keep_alives = 0
            self._recover(0)

    # Firmware

    def _note_firmware(self, event: Event, version: int, detail: str = "") -> None:
        self.log.append(event, self.unix_seconds, f"{version:08x}{' ' if detail else ''}{detail}")

    def _verified(self, version: int, fault: str | None) -> None:
        if fault is None:
            self._note_firmware(Event.FIRMWARE_VERIFIED, version)
            self._note_firmware(Event.FIRMWARE_READY, version)
        else:
            self._note_firmware(Event.FIRMWARE_VERIFICATION_FAILED, version, fault)
            self._note_firmware(Event.FIRMWARE_REJECTED, version)

    def _activate(self, version: int) -> None:
        """Order the boot loader to swap images and reset: from here the new firmware runs, whatever happens."""
        self._before_reset()
        self.nonvolatile.put(_ACTIVATING, _ORDER.pack(version, self.log.next_number))
        reboot = int(self.model.timings.reboot_s * MICROSECONDS)
        # The life that asked is still on the stack: it ends once this event is over.
        self._hardware.call_later(0, self._end_life)
        self._hardware.call_later(reboot, self._boot)

    def _swap_images(self) -> None:
        """Carry out an order to activate, at boot: once, even if the power fails in between."""
        order = self.nonvolatile.get(_ACTIVATING)
        if order is None:
            return
        version, number = _ORDER.unpack(order)
        self.nonvolatile.put(_VERSION, version.to_bytes(4, "little"))
        logged = (entry.event for entry in self.log.entries(since=number))
        if Event.FIRMWARE_ACTIVATED.value not in logged:
            self._note_firmware(Event.FIRMWARE_ACTIVATED, version)
        self.nonvolatile.delete(_ACTIVATING)

    def _before_reset(self) -> None:
        """Save what would be lost; meters store their registers."""

    def _flash_written(self, pages: int) -> None:
        """Flash pages were written; battery devices pay for it."""

    def _firmware_activity(self) -> None:
        """The OTA client is about to act; battery devices may refuse."""

    # Clusters

    def _build(self, life: Life) -> None:
        """Add the clusters that every device has, and its configuration; subclasses add theirs first."""
        number = self.model.endpoints[0].id
        endpoint = life.endpoint(number)
        self._serve(life, number, BASIC, self._basic_rows())
        rows = (
            AttributeRow(
                0x0000, "key_establishment_suite", "bitmap16", life.key_establishment.machine.suites
            ),
        )
        endpoint.add_server(KEY_ESTABLISHMENT, table_of(rows))
        endpoint.add_client(KEY_ESTABLISHMENT, table_of(rows))
        endpoint.add_server(DEVICE_CONTROL, handlers={CONTROL_EXECUTE: self._control})
        if life.firmware is not None:
            endpoint.add_client(OTA, table_of(self._ota_rows(life)))
        for attribute in self.configuration.attributes:
            side = endpoint.side(attribute.cluster) or endpoint.add_server(attribute.cluster)
            self.configuration.define(attribute, side.attributes)

    def _serve(self, life: Life, endpoint: int, cluster: int, rows: tuple[AttributeRow, ...]) -> None:
        life.endpoint(endpoint).add_server(cluster, table_of(rows, life.gate(cluster)))

    def _basic_rows(self) -> tuple[AttributeRow, ...]:
        identity = self.model.identity
        firmware = self.firmware
        model = (
            firmware.model_identifier if firmware and firmware.model_identifier else identity.model_identifier
        )
        return (
            AttributeRow(0x0000, "zcl_version", "uint8", identity.zcl_version),
            AttributeRow(0x0001, "application_version", "uint8", identity.application_version),
            AttributeRow(0x0002, "stack_version", "uint8", identity.stack_version),
            AttributeRow(0x0003, "hw_version", "uint8", identity.hardware_version & 0xFF),
            AttributeRow(0x0004, "manufacturer_name", "string", identity.manufacturer_name),
            AttributeRow(0x0005, "model_identifier", "string", model),
            AttributeRow(0x0006, "date_code", "string", identity.date_code),
            AttributeRow(0x0007, "power_source", "enum8", self.model.node.power_source.zcl),
            AttributeRow(
                0x4000, "sw_build_id", "string", firmware.display if firmware else f"{self.version:08X}"
            ),
        )

    def _ota_rows(self, life: Life) -> tuple[AttributeRow, ...]:
        client = life.firmware
        assert client is not None
        machine = client.machine
        return (
            AttributeRow(0x0000, "upgrade_server_id", "eui64", lambda: life.node.nwk.eui64_of(0) or 0),
            AttributeRow(0x0001, "file_offset", "uint32", lambda: machine.offset),
            AttributeRow(0x0002, "current_file_version", "uint32", self.version),
            AttributeRow(
                0x0004, "downloaded_file_version", "uint32", lambda: machine.downloaded_version or 0xFFFFFFFF
            ),
            AttributeRow(0x0006, "image_upgrade_status", "enum8", lambda: int(machine.status)),
            AttributeRow(0x0007, "manufacturer_id", "uint16", machine.policy.manufacturer),
            AttributeRow(0x0008, "image_type_id", "uint16", machine.policy.image_type),
            AttributeRow(
                0x0009, "minimum_block_request_period", "uint16", lambda: machine.minimum_block_period
            ),
        )

    def _control(self, indication: ApsdeIndication, frame: ZclFrame) -> Reply:
        """A control envelope from the head end, relayed by the hub."""
        before = [self.control.generation(role) for role in _ROLES]
        response = self.control.receive(frame.payload)
        if [self.control.generation(role) for role in _ROLES] != before:
            self.log.append(Event.KEY_CHANGED, self.unix_seconds, "control key")
        return Reply(CONTROL_EXECUTE, response)

    def _configured(self, name: str) -> None:
        self.log.append(Event.CONFIGURATION_CHANGED, self.unix_seconds, name)
