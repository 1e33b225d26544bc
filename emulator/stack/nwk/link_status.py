"""Link status: routers tell each other every 15 s how well they hear their neighbours.

ZigBee PRO 3.4.8 and 3.6.3.4. What a neighbour reports of us is the outgoing cost of the link; one that is
silent for three periods is no longer routed through.
"""

from __future__ import annotations

from typing import Protocol

from emulator.clock.kernel import Timer
from emulator.stack.nwk.commands import LinkStatus, LinkStatusEntry, pack_link_status
from emulator.stack.nwk.neighbours import Neighbour, Relationship
from emulator.stack.nwk.routing import Routing
from emulator.stack.nwk.service import MILLISECOND, NodeType
from emulator.stack.nwk.views import Named, Speaker, Timed
from emulator.stack.primitives import BROADCAST_ROUTERS

ENTRIES_PER_FRAME = 24
_FIRST_DELAY_MS = (50, 1000)
_JITTER_MS = 250


class LinkStatusView(Timed, Named, Speaker, Protocol):
    """What link status works with."""

    alone: bool


class LinkStatusExchange:
    """The periodic link status of one router."""

    def __init__(self, nwk: LinkStatusView, routing: Routing) -> None:
        self._nwk = nwk
        self._routing = routing
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin to report, soon and then every period; without effect on an end device."""
        nwk = self._nwk
        nwk.scope.cancel(self._timer)
        if nwk.device_type != NodeType.END_DEVICE:
            delay = nwk.scope.random.randint(*_FIRST_DELAY_MS) * MILLISECOND
            self._timer = nwk.scope.call_later(delay, self._tick)

    def stop(self) -> None:
        """Fall silent."""
        self._nwk.scope.cancel(self._timer)
        self._timer = None

    def _tick(self) -> None:
        nwk = self._nwk
        self._age()
        if not nwk.alone:
            self.send()
        jitter = nwk.scope.random.randint(-_JITTER_MS, _JITTER_MS) * MILLISECOND
        self._timer = nwk.scope.call_later(
            max(MILLISECOND, nwk.timing.link_status_period_us + jitter), self._tick
        )

    def _age(self) -> None:
        nwk = self._nwk
        for neighbour in nwk.neighbours.routers():
            neighbour.age += 1
            if neighbour.age <= nwk.timing.router_age_limit:
                continue
            if neighbour.outgoing_cost or neighbour.direct:
                self._lost(neighbour)
            if (
                neighbour.age > nwk.timing.neighbour_forget_periods
                and neighbour.relationship == Relationship.SIBLING
            ):
                nwk.neighbours.remove(neighbour)

    def _lost(self, neighbour: Neighbour) -> None:
        neighbour.outgoing_cost = 0
        neighbour.direct = False
        self._routing.broken_via(neighbour.short_address)

    def send(self) -> None:
        """Broadcast our link status to the routers in range."""
        nwk = self._nwk
        entries = sorted(
            LinkStatusEntry(each.short_address, each.incoming_cost, each.outgoing_cost)
            for each in nwk.neighbours.routers()
            if each.relationship != Relationship.UNAUTHENTICATED_CHILD
            and each.age <= nwk.timing.router_age_limit
        )
        last_start = max(0, (len(entries) - 1) // ENTRIES_PER_FRAME * ENTRIES_PER_FRAME)
        for start in range(0, last_start + 1, ENTRIES_PER_FRAME):
            part = tuple(entries[start : start + ENTRIES_PER_FRAME])
            header = nwk.sending.command_header(BROADCAST_ROUTERS, radius=1, source_eui64=nwk.eui64)
            nwk.sending.transmit(
                0xFFFF, header, pack_link_status(LinkStatus(part, start == 0, start == last_start))
            )

    def received(self, source: int, eui64: int, status: LinkStatus, lqi: int) -> None:
        """Handle the link status of a neighbour router."""
        nwk = self._nwk
        neighbour = nwk.neighbours.by_short.get(source)
        if neighbour is None or (neighbour.eui64 is not None and neighbour.eui64 != eui64):
            device_type = NodeType.ROUTER if source else NodeType.COORDINATOR
            neighbour = Neighbour(eui64, source, device_type)
            neighbour.heard(lqi)
            nwk.neighbours.add(neighbour)
        neighbour.eui64 = eui64
        neighbour.heard_us = nwk.scope.now
        neighbour.age = 0
        own = nwk.short_address
        for entry in status.entries:
            if entry.short_address == own:
                neighbour.measured(entry.incoming_cost)
                return
        if neighbour.relationship == Relationship.SIBLING and _covers(status, own):
            neighbour.measured(0)


def _covers(status: LinkStatus, address: int) -> bool:
    """Whether `address` would have been in this part of the (sorted) list."""
    entries = status.entries
    if not entries:
        return True
    return (status.first or entries[0].short_address <= address) and (
        status.last or entries[-1].short_address >= address
    )
