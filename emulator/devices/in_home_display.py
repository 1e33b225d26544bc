"""The in-home display (IHD) and consumer access device: reads the electricity meter, and gas from the hub's mirror.

How often it reads what is its model's habit (`Refresh`). It finds meters by asking the whole network who serves
Metering, and shares an application link key with each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from emulator.clock.kernel import MICROSECONDS
from emulator.devices.attributes import wanted
from emulator.devices.life import Life
from emulator.devices.meter import seconds
from emulator.devices.registration import Service
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.errors import FrameError
from emulator.stack.events import KeyKind, LinkKeyChanged, StackEvent
from emulator.stack.primitives import BROADCAST_RX_ON, COORDINATOR, ApsdeIndication
from emulator.stack.zdo.frames import RESPONSE, EndpointList, MatchDescriptorRequest, ZdoCluster
from emulator.zcl.client import Peer, Values
from emulator.zcl.identifiers import METERING
from hw_profiles.identifiers import SMART_ENERGY_PROFILE
from hw_profiles.model import Refresh

MIRROR = Service(METERING)
DISCOVERY_RETRY_US = 60 * MICROSECONDS
_SUMMATION = wanted(METERING, "current_summ_delivered")
_DEMAND = wanted(METERING, "instantaneous_demand")


@dataclass(slots=True)
class Reading:
    """What the display shows of one meter: the register, the present demand, and when it was read."""

    register: int
    demand: int | None
    unix_seconds: int


class InHomeDisplay(SmartEnergyDevice):
    """An IHD or CAD."""

    services = (*SmartEnergyDevice.services, MIRROR)
    electricity: Reading | None = None
    gas: Reading | None = None
    _meters: Mapping[int, Peer] = MappingProxyType({})
    _pending_peer: tuple[int, Peer] | None = None

    @property
    def refresh(self) -> Refresh:
        """What it reads, and how often."""
        assert self.model.refresh is not None  # the schema demands it of displays
        return self.model.refresh

    @property
    def clock_check_us(self) -> int:
        """How often it asks for the time; 0 for never."""
        return seconds(self.refresh.time_s)

    def _registered(self) -> None:
        super()._registered()
        life = self.life
        if life is None:
            return
        life.on_zdo = self._zdo
        self._meters = {}
        if self.refresh.electricity_s:
            self._find_meters()
            self._refresh_electricity()
        if self.refresh.gas_s:
            self._refresh_gas()

    def _forget_network(self, life: Life) -> None:
        super()._forget_network(life)
        self._meters = {}
        self._pending_peer = None

    def _find_meters(self) -> None:
        life = self.life
        if life is None or self._meters:
            return
        question = MatchDescriptorRequest(BROADCAST_RX_ON, SMART_ENERGY_PROFILE, (METERING,), ()).encode()
        life.node.zdo.request(BROADCAST_RX_ON, ZdoCluster.MATCH_DESC, question)
        life.membership.call_later(DISCOVERY_RETRY_US, self._find_meters)

    def _zdo(self, indication: ApsdeIndication) -> None:
        if indication.cluster != ZdoCluster.MATCH_DESC | RESPONSE or self.life is None:
            return
        try:
            found = EndpointList.decode(indication.asdu[1:])
        except FrameError:
            return
        eui64 = self.life.node.nwk.eui64_of(found.short)
        if found.status or not found.endpoints or found.short == COORDINATOR or eui64 is None:
            return
        peer = Peer(found.short, found.endpoints[0])
        if self.life.node.link_key(eui64) is None:
            self._pending_peer = (eui64, peer)
            self.life.node.request_application_key(eui64)
        else:
            self._meters = {**self._meters, eui64: peer}

    def _event(self, event: StackEvent) -> None:
        super()._event(event)
        if isinstance(event, LinkKeyChanged) and event.kind is KeyKind.APPLICATION:
            pending = self._pending_peer
            if pending is not None and pending[0] == event.eui64:
                self._meters = {**self._meters, event.eui64: pending[1]}

    def _refresh_electricity(self) -> None:
        life = self.life
        if life is None:
            return
        for eui64 in sorted(self._meters):
            peer = self._meters[eui64]
            life.client.read_attributes(peer, METERING, (_SUMMATION, _DEMAND), self._electricity_read)
        life.membership.call_later(seconds(self.refresh.electricity_s), self._refresh_electricity)

    def _refresh_gas(self) -> None:
        life = self.life
        if life is None:
            return
        mirror = life.registration.services.get(MIRROR)
        if mirror is not None:
            life.client.read_attributes(Peer(COORDINATOR, mirror), METERING, (_SUMMATION,), self._gas_read)
        life.membership.call_later(seconds(self.refresh.gas_s), self._refresh_gas)

    def _electricity_read(self, answer: Values | None) -> None:
        self.electricity = self._reading(answer) or self.electricity

    def _gas_read(self, answer: Values | None) -> None:
        self.gas = self._reading(answer) or self.gas

    def _reading(self, answer: Values | None) -> Reading | None:
        if answer is None or _SUMMATION.attribute not in answer:
            return None
        return Reading(answer[_SUMMATION.attribute], answer.get(_DEMAND.attribute), self.unix_seconds)
