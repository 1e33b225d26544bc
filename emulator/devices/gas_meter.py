"""The gas meter (GSME): battery powered, asleep most of the time, its readings mirrored on the hub.

It asks the hub for a mirror and reports to it every half hour in the order of fact sheet 2.10; nobody can read it
directly. Its battery pays for every poll, octet and flash page, and below a threshold it refuses firmware.
"""

from __future__ import annotations

from struct import Struct

from emulator.clock.kernel import MICROSECONDS, Scope, Timer
from emulator.devices.attributes import Contents
from emulator.devices.description import power_descriptor
from emulator.devices.life import Life
from emulator.devices.meter import Meter, seconds
from emulator.devices.metrology import DAY_US
from emulator.devices.registers import Registers
from emulator.devices.registration import Service
from emulator.smart_energy.clusters import attribute_ids
from emulator.smart_energy.clusters.metering import NO_MIRROR, REQUEST_MIRROR, REQUEST_MIRROR_RESPONSE
from emulator.smart_energy.ota.effects import OtaPhase
from emulator.stack.primitives import ApsdeIndication
from emulator.zcl.client import Peer
from emulator.zcl.foundation import reports
from emulator.zcl.frame import GeneralCommand, ZclFrame, ZclStatus, status_of
from emulator.zcl.identifiers import BASIC, METERING, POWER_CONFIGURATION
from hw_profiles.model import Event

MIRROR_SERVICE = Service(METERING, server=False)
"""The hub's Metering client takes requests for mirrors."""
SEGMENT_GAP_US = 500_000
MIRROR_RETRY_US = 10 * MICROSECONDS
_LAST_ENDPOINT = 240
_NO_MIRROR_HERE = (
    ZclStatus.NOT_AUTHORIZED,
    ZclStatus.UNSUP_CLUSTER_COMMAND,
    ZclStatus.UNSUP_GENERAL_COMMAND,
    ZclStatus.UNSUPPORTED_CLUSTER,
)
"""How a hub answers reports on an endpoint that is no mirror, or another meter's."""
_MIRROR = "mirror.endpoint"
_USED = "battery.used_nah"
_LOW = "battery.low"
_U64 = Struct("<Q")
_BASIC_PUSH = attribute_ids(BASIC, "zcl_version", "model", "manufacturer", "hw_version", "power_source")
_METERING_PUSH = attribute_ids(
    METERING,
    "current_summ_delivered",
    "supply_status",
    "current_tier1_summ_delivered",
    "status",
    "unit_of_measure",
    "multiplier",
    "divisor",
    "summation_formatting",
    "metering_device_type",
    "meter_serial_number",
)


class GasMeter(Meter):
    """A GSME."""

    services = (*Meter.services, MIRROR_SERVICE)
    _next_push: Timer | None = None

    def _registered(self) -> None:
        super()._registered()
        if self.life is not None:
            self._seek_mirror()

    # Mirror

    def _seek_mirror(self) -> None:
        life = self.life
        if life is None or self.model.metering is None or not self.model.metering.mirrored:
            return
        stored = self.nonvolatile.get(_MIRROR)
        if stored is not None:
            self._push()
            return
        endpoint = life.registration.services.get(MIRROR_SERVICE)
        if endpoint is None:
            life.membership.call_later(MIRROR_RETRY_US, self._seek_mirror)
            return
        # RequestMirror travels from the meter's server side to the hub's client side (fact sheet 2.10).
        life.client.from_server(Peer(0, endpoint), METERING, REQUEST_MIRROR, b"", self._mirror_answered)

    def _mirror_response(self, indication: ApsdeIndication, frame: ZclFrame) -> None:
        if self.life is not None:
            self.life.client.receive(indication, frame)

    def _mirror_answered(self, frame: ZclFrame | None) -> None:
        life = self.life
        if life is None:
            return
        if frame is None or not frame.is_cluster_command or frame.command != REQUEST_MIRROR_RESPONSE:
            life.membership.call_later(30 * MIRROR_RETRY_US, self._seek_mirror)
            return
        endpoint = int.from_bytes(frame.payload[:2], "little") if len(frame.payload) >= 2 else NO_MIRROR
        if not 1 <= endpoint <= _LAST_ENDPOINT:
            life.membership.call_later(30 * MIRROR_RETRY_US, self._seek_mirror)
            return
        self.nonvolatile.put(_MIRROR, bytes((endpoint,)))
        self._push()

    def _push(self) -> None:
        """Report everything the mirror shows, in segments, and again at the reporting interval."""
        life = self.life
        stored = self.nonvolatile.get(_MIRROR)
        if life is None or stored is None:
            return
        self._account(life)
        peer = Peer(0, stored[0])
        delay = 0
        for cluster, wanted in ((BASIC, _BASIC_PUSH), (METERING, _METERING_PUSH)):
            side = life.endpoint(self.model.endpoints[0].id).side(cluster)
            found = [side.attributes.find(identifier) for identifier in wanted] if side is not None else []
            for segment in reports(attribute for attribute in found if attribute is not None):
                life.membership.call_later(delay, self._report, peer, cluster, segment)
                delay += SEGMENT_GAP_US
        life.scope.cancel(self._next_push)
        interval = seconds(self.model.timings.reporting_interval_s)
        self._next_push = life.membership.call_later(interval, self._push)

    def _report(self, peer: Peer, cluster: int, segment: bytes) -> None:
        if self.life is not None:
            secured = Peer(peer.address, peer.endpoint, secure=cluster != BASIC)
            self.life.client.general(
                secured,
                cluster,
                GeneralCommand.REPORT_ATTRIBUTES,
                segment,
                self._report_answered,
                from_server=True,
            )

    def _report_answered(self, answer: ZclFrame | None) -> None:
        """A hub that takes no reports from this meter has no mirror for it any more: ask for one."""
        if answer is None or answer.is_cluster_command or len(answer.payload) < 2:
            return
        if status_of(answer) in _NO_MIRROR_HERE and self.nonvolatile.get(_MIRROR) is not None:
            self._forget_mirror()
            self._seek_mirror()

    def _forget_mirror(self) -> None:
        self.nonvolatile.delete(_MIRROR)
        Scope.cancel(self._next_push)

    def _forget_network(self, life: Life) -> None:
        super()._forget_network(life)
        self._forget_mirror()

    # Battery

    @property
    def battery_percent(self) -> float:
        """Charge left, in percent of the capacity."""
        battery = self.model.battery
        if battery is None:
            return 100.0
        used_uah: float = self._used_nah() / 1000
        days = self._hardware.now / DAY_US
        polls = self._hardware.now / seconds(self.model.timings.poll_long_s)
        used_uah += days * battery.idle_uah_per_day + polls * battery.cost_poll_uah
        return max(0.0, self.entry.battery_percent - used_uah / (battery.capacity_mah * 10))

    def _account(self, life: Life) -> None:
        """Charge the battery for the octets exchanged since the last time."""
        battery = self.model.battery
        if battery is not None:
            cost = (
                life.octets_sent * battery.cost_octet_tx_uah
                + life.octets_received * battery.cost_octet_rx_uah
            )
            life.octets_sent = life.octets_received = 0
            self._charge(cost)
            life.node.power = power_descriptor(self.model, self.battery_percent)
            if self.battery_percent < battery.low_percent:
                self._note_low_battery()

    def _charge(self, microampere_hours: float) -> None:
        self.nonvolatile.put(_USED, _U64.pack(self._used_nah() + int(microampere_hours * 1000)))

    def _used_nah(self) -> int:
        return int.from_bytes(self.nonvolatile.get(_USED) or b"", "little")

    def _flash_written(self, pages: int) -> None:
        if self.model.battery is not None:
            self._charge(pages * self.model.battery.cost_flash_page_uah)

    def _firmware_activity(self) -> None:
        battery, life = self.model.battery, self.life
        if battery is None or life is None or life.firmware is None:
            return
        if life.firmware.machine.phase is not OtaPhase.DOWNLOADING:
            return
        if self.battery_percent < battery.block_ota_below_percent:
            self._note_low_battery()
            life.firmware.abandon(f"battery at {self.battery_percent:.0f} %")

    def _note_low_battery(self) -> None:
        if self.nonvolatile.get(_LOW) is None:
            self.nonvolatile.put(_LOW, b"\x01")
            self.log.append(Event.BATTERY_LOW, self.unix_seconds)

    def _build(self, life: Life) -> None:
        number = self.model.endpoints[0].id
        life.node.power = power_descriptor(self.model, self.battery_percent)
        life.application.serve(number, POWER_CONFIGURATION, self._power_attributes())
        super()._build(life)
        metering = life.endpoint(number).side(METERING)
        gate = life.application.gates.server_commands(METERING)
        if metering is not None and (gate is None or gate(REQUEST_MIRROR_RESPONSE)):
            metering.handlers[REQUEST_MIRROR_RESPONSE] = self._mirror_response

    def _power_attributes(self) -> Contents:
        nominal = self.model.battery.nominal_mv if self.model.battery is not None else 3600
        return {
            "battery_voltage": nominal // 100,
            "battery_percentage_remaining": lambda: int(self.battery_percent * 2),
        }

    def metering_attributes(self, registers: Registers) -> Contents:
        """Add the battery's remaining life to the Metering attributes."""
        contents = super().metering_attributes(registers)
        return {**contents, "remaining_battery_life": lambda: int(self.battery_percent)}
