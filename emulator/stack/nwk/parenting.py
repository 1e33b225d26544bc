"""The parent side: admitting children, their rejoins, their timeouts and their departure unannounced.

ZigBee PRO 3.6.1.4 (joining, parent procedure), 3.6.1.6 (stochastic addresses), 3.6.10 (end device ageing).
"""

from __future__ import annotations

from typing import Protocol

from emulator.air.mac import Mac
from emulator.clock.kernel import Timer
from emulator.errors import EmulatorError
from emulator.stack.nwk import frame as nwk_frame
from emulator.stack.nwk.commands import (
    EndDeviceTimeoutRequest,
    EndDeviceTimeoutResponse,
    Leave,
    RejoinResponse,
    end_device_timeout_seconds,
    pack_end_device_timeout_response,
    pack_leave,
    pack_rejoin_response,
)
from emulator.stack.nwk.neighbours import Neighbour, Relationship
from emulator.stack.nwk.routing import Routing
from emulator.stack.nwk.service import MILLISECOND, SECOND, Capability, NodeType
from emulator.stack.nwk.views import Learner, Member, Named, Reporter, Speaker, Timed
from emulator.stack.primitives import LONGEST_PERMIT_S, JoinKind, Status

PAN_AT_CAPACITY = 0x01
PAN_ACCESS_DENIED = 0x02
PARENT_INFORMATION = 0x03
"""Both keep-alive methods are supported: MAC data requests and End Device Timeout Requests (table 3.55)."""
_INCORRECT_VALUE = 0x01
_HIGHEST_ADDRESS = 0xFFF7
_STRANGER_PAUSE_US = 8 * SECOND
_MAX_STRANGERS = 32


class ParentingView(Timed, Named, Member, Speaker, Reporter, Learner, Protocol):
    """What having children works with."""

    mac: Mac
    alone: bool

    @property
    def has_room(self) -> bool:
        """Whether another child fits."""

    def short_of(self, eui64: int) -> int | None:
        """Return the short address of that EUI-64."""

    def device_at(self, short: int, eui64: int) -> bool:
        """Whether some device other than `eui64` has that short address."""

    def update_beacon(self) -> None:
        """Put what we are, and whether we have room, in the beacon payload."""


class Parenting:
    """The children of one router or coordinator."""

    def __init__(self, nwk: ParentingView, routing: Routing) -> None:
        self._nwk = nwk
        self._routing = routing
        self._permit: Timer | None = None
        self._ageing: Timer | None = None
        self._told_to_rejoin: dict[int, int] = {}

    # Permission

    def permit(self, seconds: int) -> None:
        """Admit new devices for `seconds` (0 closes); raises `EmulatorError` above 254."""
        if not 0 <= seconds <= LONGEST_PERMIT_S:
            raise EmulatorError(
                f"permit joining for {seconds} s: expected 0 to {LONGEST_PERMIT_S}; "
                "a network may not be left open for good"
            )
        nwk = self._nwk
        nwk.scope.cancel(self._permit)
        open_now = seconds > 0 and nwk.device_type != NodeType.END_DEVICE
        nwk.mac.association_permit = open_now
        if open_now:
            self._permit = nwk.scope.call_later(seconds * SECOND, self._close)

    def _close(self) -> None:
        self._nwk.mac.association_permit = False

    def stop(self) -> None:
        """Stop admitting and ageing: the network has been left."""
        self._close()
        self._nwk.scope.cancel(self._permit)
        self._nwk.scope.cancel(self._ageing)

    # Association

    def associate(self, eui64: int, capability: int) -> None:
        """Answer an association request (MLME-ASSOCIATE.indication)."""
        nwk = self._nwk
        known = nwk.neighbours.by_eui64(eui64)
        if nwk.parameters is None or not nwk.mac.association_permit:
            nwk.mac.associate_response(eui64, 0xFFFF, PAN_ACCESS_DENIED)
            return
        if not self._fits(known):
            nwk.mac.associate_response(eui64, 0xFFFF, PAN_AT_CAPACITY)
            return
        short = nwk.short_of(eui64)
        if short is None or nwk.device_at(short, eui64):
            short = self._free_address()
        child = self._add_child(eui64, short, capability, Relationship.UNAUTHENTICATED_CHILD)
        self._expect_authentication(child)
        nwk.mac.associate_response(eui64, short, Status.SUCCESS)
        # The child asks for its answer after aResponseWaitTime; only then does it hear its short address.
        nwk.scope.call_later(
            nwk.timing.join_indication_us, self._response_sent, child, JoinKind.UNSECURED_JOIN, Status.SUCCESS
        )

    def _fits(self, known: Neighbour | None) -> bool:
        """Whether there is room for a device, or it has its place already."""
        return self._nwk.has_room or (known is not None and known.is_child)

    def _free_address(self) -> int:
        nwk = self._nwk
        while True:
            short = nwk.scope.random.randint(1, _HIGHEST_ADDRESS)
            if (
                short not in nwk.neighbours.by_short
                and short != nwk.short_address
                and nwk.eui64_of(short) is None
            ):
                return short

    def _add_child(self, eui64: int, short: int, capability: int, relationship: Relationship) -> Neighbour:
        nwk = self._nwk
        previous = nwk.neighbours.by_eui64(eui64)
        lqi = 0
        if previous is not None:
            lqi = previous.lqi
            nwk.neighbours.remove(previous)
        is_router = capability & Capability.FULL_FUNCTION
        child = Neighbour(eui64, short, NodeType.ROUTER if is_router else NodeType.END_DEVICE)
        child.relationship = relationship
        child.capability = capability
        child.indirect = not capability & Capability.RX_ON_WHEN_IDLE
        child.direct = True
        child.lqi = lqi
        child.timeout = nwk.timing.end_device_timeout
        child.heard_us = nwk.scope.now
        nwk.neighbours.add(child)
        self._routing.broken(short)
        nwk.learn(eui64, short)
        self.capacity_changed()
        return child

    def capacity_changed(self) -> None:
        """Show in the beacon whether there is room."""
        self._nwk.update_beacon()

    def _response_sent(self, child: Neighbour, kind: JoinKind, status: Status) -> None:
        nwk = self._nwk
        if nwk.neighbours.by_short.get(child.short_address) is not child:
            return
        if status != Status.SUCCESS:
            nwk.counters.drop("join response not fetched")
            self._remove(child)
        elif child.eui64 is not None:
            nwk.listener.nwk_joined(child.eui64, child.short_address, kind, True)

    def _expect_authentication(self, child: Neighbour) -> None:
        nwk = self._nwk
        nwk.scope.call_later(nwk.timing.unauthenticated_child_us, self._never_authenticated, child)

    def _never_authenticated(self, child: Neighbour) -> None:
        if child.relationship == Relationship.UNAUTHENTICATED_CHILD:
            self._remove(child)

    def authenticated(self, child: Neighbour) -> None:
        """The child has shown that it holds the network key."""
        child.relationship = Relationship.CHILD
        self._nwk.alone = False
        self._nwk.neighbours.save_children()
        self.schedule_ageing()

    def _remove(self, child: Neighbour) -> None:
        nwk = self._nwk
        nwk.neighbours.remove(child)
        nwk.neighbours.save_children()
        nwk.mac.purge(child.short_address)
        self._routing.broken(child.short_address)
        self.capacity_changed()

    def moved(self, child: Neighbour) -> None:
        """The child has been heard through another parent: it is ours no longer."""
        self._nwk.counters.drop("child moved away")
        self._remove(child)

    def departed(self, child: Neighbour, *, rejoin: bool) -> None:
        """The child has left or is taken to have left: forget it and tell the layer above."""
        self._remove(child)
        if child.eui64 is not None:
            self._nwk.listener.nwk_left(child.eui64, child.short_address, rejoin)

    # Rejoin

    def rejoin_requested(self, header: nwk_frame.NwkHeader, capability: int, hop: int, lqi: int) -> None:
        """Answer a Rejoin Request (3.6.1.4.2): secured, or unsecured for a trust-centre rejoin."""
        nwk = self._nwk
        eui64 = header.source_eui64
        if eui64 is None or nwk.device_type == NodeType.END_DEVICE:
            nwk.counters.drop("rejoin request without EUI-64")
            return
        known = nwk.neighbours.by_eui64(eui64)
        if not self._fits(known):
            self._rejoin_response(header, hop, RejoinResponse(0xFFFF, PAN_AT_CAPACITY), capability, None)
            return
        short = hop
        if nwk.device_at(short, eui64) or not 1 <= short <= _HIGHEST_ADDRESS:
            short = self._free_address()
        # What was held for it, such as an order to rejoin, is out of date.
        nwk.mac.purge(hop)
        relationship = Relationship.CHILD if header.secured else Relationship.UNAUTHENTICATED_CHILD
        child = self._add_child(eui64, short, capability, relationship)
        child.heard(lqi)
        if header.secured:
            self.authenticated(child)
        else:
            self._expect_authentication(child)
        self._rejoin_response(header, hop, RejoinResponse(short, Status.SUCCESS), capability, child)

    def _rejoin_response(
        self,
        request: nwk_frame.NwkHeader,
        hop: int,
        response: RejoinResponse,
        capability: int,
        child: Neighbour | None,
    ) -> None:
        nwk = self._nwk
        kind = JoinKind.SECURED_REJOIN if request.secured else JoinKind.TRUST_CENTRE_REJOIN
        header = nwk.sending.command_header(
            hop,
            radius=1,
            source_eui64=nwk.eui64,
            destination_eui64=request.source_eui64,
            secure=request.secured,
        )

        def sent(status: Status) -> None:
            if child is not None:
                self._response_sent(child, kind, status)

        sleepy = not capability & Capability.RX_ON_WHEN_IDLE
        nwk.sending.transmit(hop, header, pack_rejoin_response(response), sent, indirect=sleepy)

    def readdress(self, child: Neighbour) -> None:
        """Give an end device another short address, by a Rejoin Response it has not asked for (3.6.1.9.3)."""
        nwk = self._nwk
        eui64, before, fresh = child.eui64, child.short_address, self._free_address()
        if eui64 is None:
            return
        header = nwk.sending.command_header(before, radius=1, source_eui64=nwk.eui64, destination_eui64=eui64)

        def sent(status: Status) -> None:
            if status == Status.SUCCESS and nwk.neighbours.by_short.get(before) is child:
                nwk.mac.purge(before)
                self.authenticated(self._add_child(eui64, fresh, child.capability, Relationship.CHILD))

        response = pack_rejoin_response(RejoinResponse(fresh, Status.SUCCESS))
        nwk.sending.transmit(before, header, response, sent, indirect=child.indirect)

    # End device timeout and ageing

    def timeout_requested(self, source: int, request: EndDeviceTimeoutRequest) -> None:
        """Answer an End Device Timeout Request (3.4.11.3) of a child."""
        nwk = self._nwk
        child = nwk.neighbours.by_short.get(source)
        if child is None or not child.is_child:
            return
        valid = request.timeout <= 14 and request.configuration == 0
        if valid:
            child.timeout = request.timeout
            nwk.neighbours.save_children()
            self.schedule_ageing()
        status = Status.SUCCESS if valid else _INCORRECT_VALUE
        header = nwk.sending.command_header(
            source, radius=1, source_eui64=nwk.eui64, destination_eui64=child.eui64
        )
        response = EndDeviceTimeoutResponse(status, PARENT_INFORMATION)
        nwk.sending.transmit(
            source, header, pack_end_device_timeout_response(response), indirect=child.indirect
        )

    def schedule_ageing(self) -> None:
        """Look again when the first end-device child would have been silent too long."""
        nwk = self._nwk
        nwk.scope.cancel(self._ageing)
        due = min((_deadline_us(child) for child in self._end_devices()), default=None)
        self._ageing = None if due is None else nwk.scope.call_at(due, self._age)

    def _end_devices(self) -> list[Neighbour]:
        return [
            child
            for child in self._nwk.neighbours.children()
            if child.relationship == Relationship.CHILD and not child.is_router
        ]

    def _age(self) -> None:
        now = self._nwk.scope.now
        for child in self._end_devices():
            if _deadline_us(child) <= now:
                self._nwk.counters.drop("child aged out")
                self.departed(child, rejoin=False)
        self.schedule_ageing()

    def polled(self, source: int) -> None:
        """Take a data request as the child's sign of life; a stranger is told to rejoin (3.6.10.3)."""
        nwk = self._nwk
        child = nwk.neighbours.by_short.get(source)
        if child is not None:
            child.heard_us = nwk.scope.now
            return
        now = nwk.scope.now
        told = self._told_to_rejoin.get(source)
        if (
            nwk.authenticated
            and 0 < source <= _HIGHEST_ADDRESS
            and (told is None or now - told > _STRANGER_PAUSE_US)
        ):
            self._tell_to_rejoin(source, now)

    def _tell_to_rejoin(self, source: int, now: int) -> None:
        nwk = self._nwk
        if len(self._told_to_rejoin) >= _MAX_STRANGERS:
            del self._told_to_rejoin[next(iter(self._told_to_rejoin))]
        self._told_to_rejoin[source] = now
        header = nwk.sending.command_header(
            source, radius=1, source_eui64=nwk.eui64, destination_eui64=nwk.eui64_of(source)
        )
        leave = Leave(request=True, rejoin=True)
        nwk.scope.call_later(MILLISECOND, self._send_indirect, source, header, pack_leave(leave))

    def _send_indirect(self, source: int, header: bytes, payload: bytes) -> None:
        if source not in self._nwk.neighbours.by_short:
            self._nwk.sending.transmit(source, header, payload, indirect=True)


def _deadline_us(child: Neighbour) -> int:
    return child.heard_us + end_device_timeout_seconds(child.timeout) * SECOND
