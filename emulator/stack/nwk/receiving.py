"""Receiving of NWK frames other than the plainest: broadcasts, commands, frames to relay and unsecured ones.

ZigBee PRO 3.6.2 (reception), 4.3.1.2 (incoming frame security).
"""

from __future__ import annotations

from typing import Protocol

from emulator.errors import FrameError, SecurityError
from emulator.stack.nwk import frame as nwk_frame
from emulator.stack.nwk.address_map import AddressMap
from emulator.stack.nwk.broadcast import Broadcasts
from emulator.stack.nwk.commands import NwkCommand
from emulator.stack.nwk.dispatch import CommandDispatch
from emulator.stack.nwk.frame import NwkHeader
from emulator.stack.nwk.joining import Joining
from emulator.stack.nwk.neighbours import Neighbour, NeighbourTable, Relationship
from emulator.stack.nwk.parenting import Parenting
from emulator.stack.nwk.security import NwkSecurity, ReplayError, UnknownKeyError
from emulator.stack.nwk.sending import Sending
from emulator.stack.nwk.service import NodeType
from emulator.stack.nwk.transit import Arrival
from emulator.stack.nwk.views import Learner, Member, Named, Reporter, Timed
from emulator.stack.primitives import FIRST_BROADCAST, NldeIndication

_ONE_HOP_COMMANDS = (NwkCommand.LINK_STATUS, NwkCommand.ROUTE_REQUEST)
"""Broadcast commands that are not relayed as they are."""


class ReceivingView(Timed, Named, Member, Reporter, Learner, Protocol):
    """What receiving works with."""

    addresses: AddressMap
    neighbours: NeighbourTable
    security: NwkSecurity
    sleepy: bool

    def save(self) -> None:
        """Write the parameters and the parent to non-volatile memory."""

    def switch_key(self, sequence: int) -> bool:
        """Put the key with `sequence` in force."""


class Receiving:
    """The way in of one node's NWK layer."""

    def __init__(
        self,
        nwk: ReceivingView,
        *,
        sending: Sending,
        broadcasts: Broadcasts,
        joining: Joining,
        parenting: Parenting,
        commands: CommandDispatch,
    ) -> None:
        self._nwk = nwk
        self._sending = sending
        self._broadcasts = broadcasts
        self._joining = joining
        self._parenting = parenting
        self._commands = commands

    def frame(self, hop: int, mac_destination: int, npdu: bytes, lqi: int) -> None:
        """Take any NPDU; what cannot be read or trusted is counted and dropped."""
        nwk = self._nwk
        try:
            header, offset = nwk_frame.unpack_header(npdu)
            arrival = Arrival(header, npdu[:offset], hop, lqi, npdu)
            if nwk.parameters is None or header.frame_type == nwk_frame.INTER_PAN:
                nwk.counters.drop("no network")
            elif header.destination >= FIRST_BROADCAST:
                self._broadcast(arrival, mac_destination)
            elif not header.secured:
                self._unsecured(arrival)
            else:
                self._unicast(arrival)
        except FrameError:
            nwk.counters.drop("malformed")
        except ReplayError:
            nwk.counters.drop("replay")
        except UnknownKeyError as error:
            nwk.counters.drop("unknown key")
            if hop == nwk.parent_short and nwk.authenticated:
                nwk.listener.nwk_key_missed(error.sequence)
        except SecurityError:
            nwk.counters.drop("integrity")

    def _broadcast(self, arrival: Arrival, mac_destination: int) -> None:
        nwk, header, hop = self._nwk, arrival.header, arrival.hop
        if nwk.sleepy and mac_destination == 0xFFFF:
            # The parent delivers a copy indirectly; taking both would break the order of frame counters.
            return
        if not self._broadcasts.concerns(header.destination) or not header.secured:
            return
        if self._broadcasts.seen(header.source, header.sequence, hop) or header.source == nwk.short_address:
            return
        payload = self._open(arrival)
        self.notice_moved_child(header.source, hop)
        command = payload[0] if header.frame_type == nwk_frame.COMMAND and payload else 0
        if command not in _ONE_HOP_COMMANDS:
            raw_header = nwk_frame.with_radius(arrival.raw_header, max(0, header.radius - 1))
            self._broadcasts.relay(raw_header, header.source, hop, payload)
        self._deliver(arrival, payload)

    def _is_for_us(self, header: NwkHeader) -> bool:
        return header.destination == self._nwk.short_address or header.destination_eui64 == self._nwk.eui64

    def _unicast(self, arrival: Arrival) -> None:
        nwk, header = self._nwk, arrival.header
        if header.source == nwk.short_address and not self._joining.rejoining:
            nwk.counters.drop("own frame came back")
            return
        payload = self._open(arrival)
        self.notice_moved_child(header.source, arrival.hop)
        if self._is_for_us(header):
            self._deliver(arrival, payload)
        elif nwk.device_type == NodeType.END_DEVICE:
            nwk.counters.drop("not for this end device")
        else:
            self._sending.relay(header, arrival.raw_header, payload)

    def _open(self, arrival: Arrival) -> bytes:
        """Decrypt a frame and learn from it; raises `SecurityError`."""
        nwk, header = self._nwk, arrival.header
        payload, aux = nwk.security.open(arrival.npdu, len(arrival.raw_header))
        nwk.learn(aux.source_eui64, arrival.hop)
        neighbour = nwk.neighbours.by_short.get(arrival.hop)
        if neighbour is not None:
            self._heard(neighbour, aux.source_eui64, arrival.lqi)
        if header.source_eui64 is not None:
            nwk.learn(header.source_eui64, header.source)
        if nwk.security.newer(aux.key_sequence):
            # Hearing the next key in use is as good as a Switch-Key that was missed (4.4.9).
            nwk.switch_key(aux.key_sequence)
        return payload

    def _heard(self, neighbour: Neighbour, eui64: int, lqi: int) -> None:
        neighbour.heard(lqi)
        neighbour.heard_us = self._nwk.scope.now
        if neighbour.eui64 is None:
            neighbour.eui64 = eui64
            if neighbour.relationship == Relationship.PARENT:
                self._nwk.save()
        if neighbour.relationship == Relationship.UNAUTHENTICATED_CHILD and neighbour.eui64 == eui64:
            self._parenting.authenticated(neighbour)

    def notice_moved_child(self, source: int, hop: int) -> None:
        """Give up an end-device child whose frame came through `hop`: it has another parent now."""
        if hop != source:
            child = self._nwk.neighbours.by_short.get(source)
            if child is not None and child.is_child and not child.is_router:
                self._parenting.moved(child)

    def _unsecured(self, arrival: Arrival) -> None:
        nwk, header = self._nwk, arrival.header
        payload = arrival.npdu[len(arrival.raw_header) :]
        if not self._is_for_us(header):
            nwk.counters.drop("unsecured")
        elif header.frame_type == nwk_frame.COMMAND or self._may_be_unsecured(header, arrival.hop):
            self._deliver(arrival, payload)
        else:
            nwk.counters.drop("unsecured")

    def _may_be_unsecured(self, header: NwkHeader, hop: int) -> bool:
        """Whether plain data passes: from our parent while we have no key, or from a child that has none."""
        nwk = self._nwk
        if not nwk.authenticated and hop == nwk.parent_short:
            return True
        neighbour = nwk.neighbours.by_short.get(hop)
        return (
            neighbour is not None
            and neighbour.relationship == Relationship.UNAUTHENTICATED_CHILD
            and header.source == hop
        )

    def _deliver(self, arrival: Arrival, payload: bytes) -> None:
        nwk, header = self._nwk, arrival.header
        nwk.counters.received += 1
        if header.frame_type == nwk_frame.COMMAND:
            self._commands.received(arrival, payload)
            return
        eui64 = header.source_eui64 or nwk.addresses.eui64_by_short.get(header.source)
        nwk.listener.nwk_data(
            NldeIndication(header.source, eui64, header.destination, payload, header.secured, arrival.lqi)
        )
