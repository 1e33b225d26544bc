"""Leaving the network: our own leave, removing others, hearing of either (ZigBee PRO 3.6.1.10)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from emulator.stack.nwk.address_map import AddressMap
from emulator.stack.nwk.commands import Leave, pack_leave
from emulator.stack.nwk.frame import NwkHeader
from emulator.stack.nwk.joining import Joining
from emulator.stack.nwk.neighbours import Neighbour, Relationship
from emulator.stack.nwk.parenting import Parenting
from emulator.stack.nwk.routing import Routing
from emulator.stack.nwk.service import NetworkStatus, NodeType
from emulator.stack.nwk.views import Member, Named, Reporter, Speaker
from emulator.stack.primitives import BROADCAST_RX_ON, FIRST_BROADCAST, Status


class DepartureView(Named, Member, Speaker, Reporter, Protocol):
    """What leaving, and hearing of it, works with."""

    addresses: AddressMap

    def short_of(self, eui64: int) -> int | None:
        """Return the short address of that EUI-64."""

    def forget(self) -> None:
        """Drop everything about the network."""


class Departure:
    """Leave commands, sent and received."""

    def __init__(self, nwk: DepartureView, joining: Joining, parenting: Parenting, routing: Routing) -> None:
        self._nwk = nwk
        self._joining = joining
        self._parenting = parenting
        self._routing = routing
        self.requests_allowed = True
        """Whether a router obeys leave requests (nwkLeaveRequestAllowed); an end device obeys its parent."""

    def leave(self, *, rejoin: bool, remove_children: bool) -> None:
        """Say that this node leaves, then forget the network unless `rejoin`."""
        nwk = self._nwk
        if nwk.parameters is None:
            return
        children = nwk.neighbours.children() if remove_children else []
        if not children:
            self._say(rejoin, remove_children)
            return
        waiting = [child.short_address for child in children]

        def asked(short: int) -> None:
            # The children must hear of it, sleepy ones at their next poll, before their parent is gone.
            waiting.remove(short)
            if not waiting:
                self._say(rejoin, remove_children)

        for child in children:
            order = Leave(request=True, rejoin=rejoin, remove_children=True)
            self._ask(child, order, partial(asked, child.short_address))

    def _say(self, rejoin: bool, remove_children: bool) -> None:
        nwk = self._nwk
        if nwk.parameters is None:
            return
        if not nwk.authenticated:
            self._gone(rejoin)
            return
        header = nwk.sending.command_header(BROADCAST_RX_ON, radius=1, source_eui64=nwk.eui64)
        payload = pack_leave(Leave(rejoin=rejoin, remove_children=remove_children))
        # An end device makes sure of its parent; a router tells everybody in range.
        end_device = nwk.device_type == NodeType.END_DEVICE
        hop = nwk.parent_short if end_device else 0xFFFF
        nwk.sending.transmit(hop, header, payload, lambda _: self._gone(rejoin))

    def _gone(self, rejoin: bool) -> None:
        nwk = self._nwk
        if not rejoin:
            nwk.forget()
        nwk.listener.nwk_leave_self(rejoin)

    def remove(self, eui64: int, *, rejoin: bool, remove_children: bool = False) -> bool:
        """Ask another device to leave; a child that never proved itself is simply dropped.

        Returns False when nobody knows where the device is.
        """
        nwk = self._nwk
        order = Leave(request=True, rejoin=rejoin, remove_children=remove_children)
        neighbour = nwk.neighbours.by_eui64(eui64)
        if neighbour is not None and neighbour.is_child:
            if neighbour.relationship == Relationship.UNAUTHENTICATED_CHILD:
                self._parenting.departed(neighbour, rejoin=False)
            else:
                self._ask(neighbour, order)
            return True
        short = nwk.short_of(eui64)
        if short is None:
            nwk.counters.drop("leave request to an unknown device")
            return False
        nwk.sending.send_command(short, pack_leave(order), destination_eui64=eui64)
        return True

    def _ask(self, child: Neighbour, leave: Leave, done: Callable[[], None] | None = None) -> None:
        nwk = self._nwk
        header = nwk.sending.command_header(
            child.short_address, radius=1, source_eui64=nwk.eui64, destination_eui64=child.eui64
        )

        def sent(status: Status) -> None:
            still_here = nwk.neighbours.by_short.get(child.short_address) is child
            if status != Status.SUCCESS and still_here:
                self._parenting.departed(child, rejoin=leave.rejoin)
            if done is not None:
                done()

        nwk.sending.transmit(child.short_address, header, pack_leave(leave), sent, indirect=child.indirect)

    def received(self, header: NwkHeader, leave: Leave, hop: int) -> None:
        """Handle a Leave command: a request to us, or the news that its source goes."""
        if leave.request and header.destination >= FIRST_BROADCAST:
            self._nwk.counters.drop("leave request to everybody")
        elif leave.request:
            self._requested(leave, hop)
        else:
            self._heard_leaving(header, leave)

    def _requested(self, leave: Leave, hop: int) -> None:
        nwk = self._nwk
        if nwk.device_type == NodeType.COORDINATOR or self._joining.rejoining:
            return
        end_device = nwk.device_type == NodeType.END_DEVICE
        allowed = hop == nwk.parent_short if end_device else self.requests_allowed
        if not allowed:
            nwk.counters.drop("leave request not allowed")
            return
        self.leave(rejoin=leave.rejoin, remove_children=leave.remove_children)

    def _heard_leaving(self, header: NwkHeader, leave: Leave) -> None:
        nwk = self._nwk
        short = header.source
        neighbour = nwk.neighbours.by_short.get(short)
        eui64 = header.source_eui64 or nwk.eui64_of(short)
        self._routing.broken(short)
        self._routing.broken_via(short)
        if short == nwk.parent_short and nwk.device_type == NodeType.END_DEVICE:
            nwk.listener.nwk_status(short, NetworkStatus.PARENT_LINK_FAILURE)
        if neighbour is not None and neighbour.is_child:
            self._parenting.departed(neighbour, rejoin=leave.rejoin)
        else:
            if neighbour is not None and neighbour.relationship != Relationship.PARENT:
                nwk.neighbours.remove(neighbour)
            if eui64 is not None:
                nwk.listener.nwk_left(eui64, short, leave.rejoin)
        if eui64 is not None and not leave.rejoin:
            nwk.addresses.forget(eui64)
