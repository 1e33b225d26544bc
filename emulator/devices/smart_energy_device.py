"""A Smart Energy device on the home area network: power, boot, joining, key establishment, firmware.

The object is the hardware: it outlives power cuts and firmware. Each boot is a `Life` (a scope, a node, clusters) on
the same non-volatile memory. Meters and displays extend it with their clusters.
"""

from __future__ import annotations

from struct import Struct

from emulator.clock.kernel import MICROSECONDS
from emulator.devices.attributes import Configuration, table_of, wanted
from emulator.devices.control import (
    CONTROL_EXECUTE,
    READ_LOG,
    ControlReceiver,
    ControlRole,
    provision,
    rehearsal_identity,
)
from emulator.devices.description import basic_attributes, ota_attributes
from emulator.devices.event_log import EventLog
from emulator.devices.firmware_client import SAVED_TRANSFER
from emulator.devices.life import TIME_SERVER, Life
from emulator.devices.presence import TIME_STATUS
from emulator.devices.registration import Service
from emulator.devices.surroundings import Surroundings
from emulator.faults.firmware import FirmwareFaults
from emulator.nonvolatile import NonVolatile
from emulator.stack.events import (
    LeaveRequested,
    NetworkDown,
    NetworkKeyMissed,
    NetworkUp,
    ParentLost,
    StackEvent,
)
from emulator.stack.primitives import COORDINATOR, ApsdeIndication
from emulator.zcl.client import Values
from emulator.zcl.endpoint import Reply
from emulator.zcl.frame import ZclFrame
from emulator.zcl.identifiers import BASIC, DEVICE_CONTROL, OTA_UPGRADE, TIME
from emulator.zcl.values import UNIX_TO_ZIGBEE
from hw_profiles.installation import DeviceEntry
from hw_profiles.model import Event, FirmwareVersion, Model, NodeType, Quirk

OTA_SERVER = Service(OTA_UPGRADE)

_TIME = wanted(TIME, "time")
_KNOWS_THE_TIME = 0x03
"""TimeStatus: master, synchronised."""
_VERSION = "firmware.version"
_ACTIVATING = "firmware.activating"
_ORDER = Struct("<II")
"""An order to activate: the version, and the number of the next log entry when it was given."""
_STALE = "firmware.stale"
_BOOTS = "boots"
_CLOCK = "clock.offset"
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
        self._powered = False
        self.ready = False
        """Registered with the hub, services found, in this life."""
        if nonvolatile.get(_VERSION) is None:
            nonvolatile.put(_VERSION, installed.to_bytes(4, "little"))
            self._keep_offset(int(entry.clock_offset_s))
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
        """Apply power: the device boots after its boot time; nothing when it has power."""
        if self._powered:
            return
        self._powered = True
        self._hardware.call_later(int(self.model.timings.boot_s * MICROSECONDS), self._boot)

    def power_off(self) -> None:
        """Cut the power: everything but non-volatile memory is gone."""
        self._powered = False
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
            self.surroundings,
            self.entry,
            self.model,
            self.nonvolatile,
            version=self.version,
            boots=boots,
            services=self.services,
        )
        self.life = life
        self._build(life)
        life.application.complete()
        life.node.on_event = self._event
        life.registration.on_complete = self._complete
        life.registration.on_silence = life.presence.recover
        life.registration.on_failed = self._registration_failed
        if life.firmware is not None:
            life.firmware.on_activate = self._activate
            life.firmware.on_received = lambda version: self._note_firmware(Event.FIRMWARE_RECEIVED, version)
            life.firmware.on_verified = self._verified
            life.firmware.on_flash_page = self._flash_written
            life.firmware.on_activity = self._firmware_activity
        if not life.node.restore():
            life.presence.join()

    # The network

    def _event(self, event: StackEvent) -> None:
        match event:
            case NetworkUp(_, rejoined):
                if not rejoined:
                    self.log.append(Event.JOINED, self.unix_seconds)
                self._on_network()
            case NetworkDown(reason):
                self.log.append(Event.LEFT, self.unix_seconds, reason.value)
                self.ready = False
                if self.life is not None:
                    self._forget_network(self.life)
                    self.life.presence.join_again()
            case ParentLost() if self.life is not None:
                self.life.presence.recover()
            case NetworkKeyMissed() if self.life is not None:
                self.life.presence.key_missed()
            case LeaveRequested(source, _, obeyed) if not obeyed:
                self.log.append(Event.LEFT, self.unix_seconds, f"leave from {source} ignored")

    def _forget_network(self, life: Life) -> None:
        """Void what belonged to the network that was left; subclasses add theirs."""
        life.leave_network()

    def _on_network(self) -> None:
        # Registration is not repeated after a rejoin (fact sheet 2.8).
        if self.life is not None and not self.ready:
            delay = int(self.model.timings.registration_start_s * MICROSECONDS)
            self.life.membership.call_later(delay, self.life.registration.start)

    def _registration_failed(self, reason: str) -> None:
        self.log.append(Event.JOIN_FAILED, self.unix_seconds, reason)

    def _complete(self) -> None:
        # A rejoin registers again; what runs by then must not be begun twice.
        if not self.ready:
            self._registered()

    def _registered(self) -> None:
        """Registration is complete: services are known. Subclasses extend it."""
        life = self.life
        if life is None:
            return
        self.ready = True
        if life.firmware is not None and OTA_SERVER in life.registration.services:
            life.firmware.start(0, life.registration.services[OTA_SERVER])
        self._keep_clock_set(life)
        if self.model.node.type is not NodeType.SLEEPY:
            # A sleepy device polls its parent instead (fact sheet 2.8).
            life.presence.keep_alive()

    # Clock

    @property
    def clock_check_us(self) -> int:
        """How often it asks for the time; 0 for never."""
        return _DAY_US

    def _keep_clock_set(self, life: Life) -> None:
        if life is self.life and self.clock_check_us:
            life.membership.call_later(self.clock_check_us, self._keep_clock_set, life)
            peer = life.time_server()
            if peer is not None:
                life.client.read_attributes(peer, TIME, (_TIME, TIME_STATUS), self._time_read)

    def _time_read(self, answer: Values | None) -> None:
        """Set the clock by a server that knows the time itself: one that is master, or synchronised with one."""
        time = None if answer is None else answer.get(_TIME.attribute)
        if answer is None or time is None or not answer.get(TIME_STATUS.attribute, 0) & _KNOWS_THE_TIME:
            return
        offset = time + UNIX_TO_ZIGBEE - self._hardware.unix_seconds
        if abs(offset - (self.unix_seconds - self._hardware.unix_seconds)) > 1:
            self._keep_offset(offset)
            self.log.append(Event.CLOCK_SET, self.unix_seconds)

    def _keep_offset(self, offset_s: int) -> None:
        # Four octets do not hold the way from one end of a 32-bit clock to the other.
        self.nonvolatile.put(_CLOCK, offset_s.to_bytes(8, "little", signed=True))

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
        apply_s = self.model.ota.activation.apply_s if self.model.ota is not None else 0.0
        reboot = int((apply_s + self.model.timings.reboot_s) * MICROSECONDS)
        # The life that asked is still on the stack: it ends once this event is over.
        self._hardware.call_later(0, self._end_life)
        self._hardware.call_later(reboot, self._boot)

    def _swap_images(self) -> None:
        """Carry out an order to activate, at boot: once, even if the power fails in between."""
        order = self.nonvolatile.get(_ACTIVATING)
        if order is None:
            return
        version, number = _ORDER.unpack(order)
        if FirmwareFaults.of(self.entry.faults).never_activates:
            self.nonvolatile.delete(SAVED_TRANSFER)
            self.nonvolatile.delete(_ACTIVATING)
            self._note_firmware(Event.FIRMWARE_REJECTED, version, "the boot loader kept the old image")
            return
        if Quirk.REPORTS_OLD_VERSION_UNTIL_READ in self.model.quirks and version != self.version:
            self.nonvolatile.put(_STALE, self.version.to_bytes(4, "little"))
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
        life.application.serve(number, BASIC, basic_attributes(self.model, self.version, self.firmware))
        endpoint.add_server(
            DEVICE_CONTROL, handlers={CONTROL_EXECUTE: self._control, READ_LOG: self._read_log}
        )
        if life.firmware is not None:
            server = lambda: life.node.nwk.eui64_of(COORDINATOR) or 0  # noqa: E731
            contents = ota_attributes(self.model, life.firmware, self._shown_version, server)
            gate = life.application.gates.attributes(OTA_UPGRADE)
            endpoint.add_client(OTA_UPGRADE, table_of(OTA_UPGRADE, contents, gate))
        for attribute in self.configuration.attributes:
            side = endpoint.side(attribute.cluster) or endpoint.add_server(attribute.cluster)
            self.configuration.define(attribute, side.attributes)

    def _shown_version(self) -> int:
        """Return what the OTA client says it runs; some firmware says so only when it is asked again."""
        stale = self.nonvolatile.get(_STALE)
        if stale is None:
            return self.version
        self.nonvolatile.delete(_STALE)
        return int.from_bytes(stale, "little")

    def _control(self, indication: ApsdeIndication, frame: ZclFrame) -> Reply:
        """A control envelope from the head end, relayed by the hub."""
        before = [self.control.generation(role) for role in _ROLES]
        response = self.control.receive(frame.payload)
        if [self.control.generation(role) for role in _ROLES] != before:
            self.log.append(Event.KEY_CHANGED, self.unix_seconds, "control key")
        return Reply(CONTROL_EXECUTE, response)

    def _read_log(self, _indication: ApsdeIndication, frame: ZclFrame) -> Reply:
        """The head end asks for the event log, through the hub."""
        return Reply(READ_LOG, self.log.answer(frame.payload).encode())

    def _configured(self, name: str) -> None:
        self.log.append(Event.CONFIGURATION_CHANGED, self.unix_seconds, name)
