"""The neighbour table: parent, children and the routers in radio range, with the cost of each link.

ZigBee PRO 3.6.1.5 and 3.6.3.1. Costs run from 1 (best) to 7; 0 means unknown. The thresholds over LQI
are this emulator's: the specification leaves the mapping to the implementer.
"""

from __future__ import annotations

import struct
from enum import IntEnum

from emulator.nonvolatile import NonVolatile
from emulator.stack.nwk.memory import NO_PARENT, SavedNetwork
from emulator.stack.nwk.service import NodeType

MAX_NEIGHBOURS = 128
GOOD_COST = 3
"""A router this cheap in both directions is used without looking for a route."""

_COSTS = ((100, 1), (76, 2), (50, 3), (30, 5))
_WORST_COST = 7
_CHILD = struct.Struct("<QHBBBB")
_TOKEN_CHILDREN = "nwk.children"


class Relationship(IntEnum):
    """Relationship field of the neighbour table (table 3.63)."""

    PARENT = 0
    CHILD = 1
    SIBLING = 2
    PREVIOUS_CHILD = 4
    UNAUTHENTICATED_CHILD = 5


def link_cost(lqi: int) -> int:
    """Return the cost of a link heard at `lqi` (0-255)."""
    for threshold, cost in _COSTS:
        if lqi >= threshold:
            return cost
    return _WORST_COST


class Neighbour:
    """One neighbour. `direct`: unicasts for it go straight to it; `heard_us`: when it last spoke."""

    __slots__ = (
        "age",
        "capability",
        "device_type",
        "direct",
        "eui64",
        "failures",
        "heard_us",
        "indirect",
        "lqi",
        "outgoing_cost",
        "relationship",
        "short_address",
        "timeout",
    )

    def __init__(self, eui64: int | None, short_address: int, device_type: NodeType) -> None:
        self.eui64 = eui64
        self.short_address = short_address
        self.device_type = device_type
        self.relationship = Relationship.SIBLING
        self.capability = 0
        self.indirect = False
        self.direct = False
        self.lqi = 0
        self.outgoing_cost = 0
        self.age = 0
        self.failures = 0
        self.heard_us = 0
        self.timeout = 8

    @property
    def incoming_cost(self) -> int:
        """Cost of the link from this neighbour to us."""
        return link_cost(self.lqi)

    @property
    def cost(self) -> int:
        """Cost of the link for routing: its worse direction, the worst when one is unknown."""
        if self.relationship != Relationship.SIBLING and not self.outgoing_cost:
            return self.incoming_cost
        return max(self.incoming_cost, self.outgoing_cost) if self.outgoing_cost else _WORST_COST

    @property
    def is_child(self) -> bool:
        """Whether this node is its parent, authenticated or not."""
        return self.relationship in (Relationship.CHILD, Relationship.UNAUTHENTICATED_CHILD)

    @property
    def is_router(self) -> bool:
        """Whether it is a router or the coordinator."""
        return self.device_type != NodeType.END_DEVICE

    def heard(self, lqi: int) -> None:
        """Take the link quality of a received frame into the running mean."""
        self.lqi = (self.lqi * 7 + lqi) >> 3 if self.lqi else lqi

    def measured(self, outgoing_cost: int) -> None:
        """Take the outgoing cost the neighbour reports, and decide whether the link is good enough."""
        self.outgoing_cost = outgoing_cost
        self.age = 0
        if outgoing_cost:
            self.failures = 0
        self.direct = bool(outgoing_cost) and max(outgoing_cost, self.incoming_cost) <= GOOD_COST


class NeighbourTable:
    """Neighbours by short address; children are kept in non-volatile memory."""

    __slots__ = ("_nonvolatile", "by_short")

    def __init__(self, nonvolatile: NonVolatile) -> None:
        self._nonvolatile = nonvolatile
        self.by_short: dict[int, Neighbour] = {}

    def by_eui64(self, eui64: int) -> Neighbour | None:
        """Return the neighbour with that EUI-64."""
        for neighbour in self.by_short.values():
            if neighbour.eui64 == eui64:
                return neighbour
        return None

    def add(self, neighbour: Neighbour) -> None:
        """Add or replace a neighbour; a full table loses the sibling unheard for longest."""
        if len(self.by_short) >= MAX_NEIGHBOURS and neighbour.short_address not in self.by_short:
            siblings = [each for each in self.by_short.values() if each.relationship == Relationship.SIBLING]
            if siblings:
                del self.by_short[min(siblings, key=lambda each: each.heard_us).short_address]
        self.by_short[neighbour.short_address] = neighbour

    def remove(self, neighbour: Neighbour) -> None:
        """Remove a neighbour if it is still there."""
        if self.by_short.get(neighbour.short_address) is neighbour:
            del self.by_short[neighbour.short_address]

    def clear(self) -> None:
        """Remove everybody, also from non-volatile memory."""
        self.by_short = {}
        self._nonvolatile.delete(_TOKEN_CHILDREN)

    def children(self) -> list[Neighbour]:
        """Return the children, authenticated or not, in order of joining."""
        return [each for each in self.by_short.values() if each.is_child]

    def routers(self) -> list[Neighbour]:
        """Return the routers (and coordinator) in range."""
        return [each for each in self.by_short.values() if each.is_router]

    def parent(self) -> Neighbour | None:
        """Return the parent."""
        for neighbour in self.by_short.values():
            if neighbour.relationship == Relationship.PARENT:
                return neighbour
        return None

    def save_children(self) -> None:
        """Write the authenticated children."""
        self._nonvolatile.put(
            _TOKEN_CHILDREN,
            b"".join(
                _CHILD.pack(
                    each.eui64 or 0,
                    each.short_address,
                    each.device_type,
                    each.capability,
                    each.timeout,
                    each.lqi,
                )
                for each in self.by_short.values()
                if each.relationship == Relationship.CHILD
            ),
        )

    def with_parent(self, saved: SavedNetwork) -> SavedNetwork:
        """Return the network to store with the parent in it, when there is one."""
        parent = self.parent()
        if parent is None:
            return saved
        return saved._replace(
            parent_short=parent.short_address, parent_eui64=parent.eui64 or 0, parent_lqi=parent.lqi
        )

    def restore(self, saved: SavedNetwork, now_us: int) -> None:
        """Take back the parent, and the children as if each had just been heard."""
        if saved.parent_short != NO_PARENT:
            device_type = NodeType.ROUTER if saved.parent_short else NodeType.COORDINATOR
            parent = Neighbour(saved.parent_eui64 or None, saved.parent_short, device_type)
            parent.relationship = Relationship.PARENT
            parent.direct = True
            parent.lqi = saved.parent_lqi
            self.add(parent)
        for child in saved_children(self._nonvolatile):
            child.heard_us = now_us
            self.by_short[child.short_address] = child


def saved_children(nonvolatile: NonVolatile) -> list[Neighbour]:
    """Return the children in non-volatile memory, in order of joining."""
    children = []
    for eui64, short, device_type, capability, timeout, lqi in _CHILD.iter_unpack(
        nonvolatile.get(_TOKEN_CHILDREN) or b""
    ):
        child = Neighbour(eui64, short, NodeType(device_type))
        child.relationship = Relationship.CHILD
        child.capability, child.timeout, child.lqi = capability, timeout, lqi
        child.indirect = not capability & 0x08
        child.direct = True
        children.append(child)
    return children
