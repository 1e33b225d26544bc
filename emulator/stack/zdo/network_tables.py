"""The tables of the network layer as ZDO management responses show them (ZigBee PRO 2.4.4.3)."""

from __future__ import annotations

from typing import Protocol

from emulator.stack.nwk.neighbours import Neighbour, NeighbourTable, Relationship
from emulator.stack.nwk.routing import Routing
from emulator.stack.primitives import NetworkParameters
from emulator.stack.zdo.frames import NeighbourEntry, RouteEntry


class NetworkTables(Protocol):
    """The tables of a network layer."""

    neighbours: NeighbourTable
    routing: Routing

    @property
    def parameters(self) -> NetworkParameters | None:
        """Return the network this node is on."""

    @property
    def children(self) -> list[Neighbour]:
        """Return the children, in order of joining."""


def child_addresses(nwk: NetworkTables) -> list[tuple[int, int]]:
    """Return (EUI-64, short address) of the end devices whose parent this node is."""
    return [
        (child.eui64, child.short_address)
        for child in nwk.children
        if child.eui64 is not None and not child.is_router
    ]


def neighbour_entries(nwk: NetworkTables) -> list[NeighbourEntry]:
    """Return the neighbour table."""
    extended = 0 if nwk.parameters is None else nwk.parameters.extended_pan_id
    return [_neighbour_entry(each, extended) for each in nwk.neighbours.by_short.values()]


def route_entries(nwk: NetworkTables) -> list[RouteEntry]:
    """Return the active routes."""
    table = nwk.routing.table
    return [RouteEntry(destination, 0, route.next_hop) for destination, route in table.items()]


def _neighbour_entry(neighbour: Neighbour, extended_pan_id: int) -> NeighbourEntry:
    return NeighbourEntry(
        extended_pan_id=extended_pan_id,
        eui64=neighbour.eui64 or 0,
        short=neighbour.short_address,
        device_type=neighbour.device_type,
        rx_on=0 if neighbour.indirect else 1,
        relationship=Relationship.CHILD if neighbour.is_child else neighbour.relationship,
        permit_joining=2,
        depth=15 if neighbour.short_address else 0,
        lqi=neighbour.lqi,
    )
