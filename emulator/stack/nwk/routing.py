"""Mesh routing: route discovery by Route Request and Reply, the route table, and many-to-one routes.

ZigBee PRO 3.6.3. A router that needs a route broadcasts a Route Request; every relay adds the cost of its
link and remembers the cheapest way back; the target (or the parent of an end device) answers hop by hop with
a Route Reply.
"""

from __future__ import annotations

from typing import Protocol

from emulator.clock.kernel import Timer
from emulator.stack.nwk import frame as nwk_frame
from emulator.stack.nwk.commands import (
    ManyToOne,
    RouteReply,
    RouteRequest,
    pack_route_record,
    pack_route_reply,
    pack_route_request,
)
from emulator.stack.nwk.neighbours import link_cost
from emulator.stack.nwk.service import MILLISECOND
from emulator.stack.nwk.transit import Arrival, Outgoing
from emulator.stack.nwk.views import Learner, Named, Speaker, Timed
from emulator.stack.primitives import BROADCAST_ROUTERS, Status

MAX_REQUESTS = 128
MAX_COST = 0xFF
REQUEST_RADIUS = 30
_RELAY_JITTER_MS = (2, 64)


class Route:
    """A route table entry."""

    __slots__ = ("cost", "many_to_one", "next_hop", "record_due", "used_us")

    def __init__(self, next_hop: int, cost: int, now_us: int, many_to_one: int = ManyToOne.NO) -> None:
        self.next_hop = next_hop
        self.cost = cost
        self.used_us = now_us
        self.many_to_one = many_to_one
        self.record_due = many_to_one != ManyToOne.NO


class _Request:
    """A route discovery table entry (table 3.67): the way back to the originator and the best costs seen."""

    __slots__ = ("cost", "expires_us", "previous_hop", "relay", "residual_cost")

    def __init__(self, previous_hop: int, cost: int, expires_us: int) -> None:
        self.previous_hop = previous_hop
        self.cost = cost
        self.residual_cost = MAX_COST + 1
        self.expires_us = expires_us
        self.relay: Timer | None = None


class _Search:
    """A destination this node is looking for, and the frames that wait for it."""

    __slots__ = ("attempts", "frames", "timer")

    def __init__(self) -> None:
        self.attempts = 0
        self.frames: list[Outgoing] = []
        self.timer: Timer | None = None


class RoutingView(Timed, Named, Speaker, Learner, Protocol):
    """What routing works with."""


class Routing:
    """The route table of one node and its route discoveries."""

    def __init__(self, nwk: RoutingView) -> None:
        self._nwk = nwk
        self.table: dict[int, Route] = {}
        self.source_routes: dict[int, tuple[int, ...]] = {}
        """Relays to a device as its route record told them, from the device's side."""
        self._requests: dict[tuple[int, int], _Request] = {}
        self._searches: dict[int, _Search] = {}
        self._identifier = 0

    def clear(self) -> None:
        """Forget every route and fail every frame that waits for one."""
        searches, self._searches = self._searches, {}
        self.table, self.source_routes, self._requests = {}, {}, {}
        for search in searches.values():
            self._nwk.scope.cancel(search.timer)
            for frame in search.frames:
                self._nwk.sending.fail(frame, Status.NWK_ROUTE_DISCOVERY_FAILED)

    def next_hop(self, destination: int) -> int | None:
        """Return the next hop of a live route to `destination`, or None."""
        route = self.table.get(destination)
        if route is None:
            return None
        now = self._nwk.scope.now
        if now - route.used_us > self._nwk.timing.route_idle_us:
            del self.table[destination]
            return None
        route.used_us = now
        return route.next_hop

    def broken(self, destination: int) -> None:
        """Drop what is known of the way to `destination`."""
        self.table.pop(destination, None)
        self.source_routes.pop(destination, None)

    def broken_via(self, hop: int) -> None:
        """Drop every route that goes through `hop`."""
        self.table = {to: route for to, route in self.table.items() if route.next_hop != hop}

    def _set_route(self, destination: int, next_hop: int, cost: int, many_to_one: int = 0) -> None:
        table = self.table
        if destination not in table and len(table) >= self._nwk.timing.max_routes:
            del table[min(table, key=lambda each: table[each].used_us)]
        table[destination] = Route(next_hop, cost, self._nwk.scope.now, many_to_one)

    # Looking for a route

    def discover(self, frame: Outgoing) -> None:
        """Look for a route to the destination of `frame`, and send it when there is one."""
        search = self._searches.get(frame.destination)
        if search is None:
            search = self._searches[frame.destination] = _Search()
            search.frames.append(frame)
            self._ask(frame.destination, search)
        elif len(search.frames) < self._nwk.timing.max_pending_per_route:
            search.frames.append(frame)
        else:
            self._nwk.sending.fail(frame, Status.TRANSACTION_OVERFLOW)

    def _ask(self, destination: int, search: _Search) -> None:
        timing = self._nwk.timing
        if search.attempts >= timing.route_request_attempts:
            del self._searches[destination]
            for frame in search.frames:
                self._nwk.sending.fail(frame, Status.NWK_ROUTE_DISCOVERY_FAILED)
            return
        search.attempts += 1
        self._request(RouteRequest(ManyToOne.NO, self._next_identifier(), destination, 0), REQUEST_RADIUS)
        search.timer = self._nwk.scope.call_later(
            timing.route_request_interval_us, self._ask, destination, search
        )

    def announce_concentrator(self, *, high_ram: bool = True, radius: int = REQUEST_RADIUS) -> None:
        """Broadcast a many-to-one Route Request: every router learns a route to this node (3.6.3.5.1)."""
        kind = ManyToOne.HIGH_RAM if high_ram else ManyToOne.ROUTE_RECORD_WANTED
        request = RouteRequest(kind, self._next_identifier(), BROADCAST_ROUTERS, 0)
        self._request(request, radius or REQUEST_RADIUS)

    def _next_identifier(self) -> int:
        self._identifier = (self._identifier + 1) & 0xFF
        return self._identifier

    def _request(self, request: RouteRequest, radius: int) -> None:
        nwk = self._nwk
        header = nwk.sending.command_header(BROADCAST_ROUTERS, radius=radius, source_eui64=nwk.eui64)
        nwk.sending.transmit(0xFFFF, header, pack_route_request(request))

    def _found(self, destination: int) -> None:
        search = self._searches.pop(destination, None)
        if search is not None:
            self._nwk.scope.cancel(search.timer)
            for frame in search.frames:
                self._nwk.sending.route(frame)

    # Commands of other nodes

    def request_received(self, arrival: Arrival, request: RouteRequest) -> None:
        """Handle a Route Request that the neighbour sent or relayed (3.6.3.5.2)."""
        nwk, header, hop, lqi = self._nwk, arrival.header, arrival.hop, arrival.lqi
        originator = header.source
        if originator == nwk.short_address:
            return
        neighbour = nwk.neighbours.by_short.get(hop)
        cost = min(MAX_COST, request.path_cost + (neighbour.cost if neighbour else max(7, link_cost(lqi))))
        entry = self._remember(originator, request.identifier, hop, cost)
        if entry is None:
            return
        self._set_route(originator, hop, cost, request.many_to_one)
        self._found(originator)
        if request.many_to_one == ManyToOne.NO and self._answers_for(request.destination):
            self._reply(request, originator, hop)
        elif header.radius > 1:
            relayed = pack_route_request(request._replace(path_cost=cost))
            nwk.scope.cancel(entry.relay)
            delay = nwk.scope.random.randint(*_RELAY_JITTER_MS) * 2 * MILLISECOND
            entry.relay = nwk.scope.call_later(
                delay,
                nwk.sending.transmit,
                0xFFFF,
                nwk_frame.with_radius(arrival.raw_header, header.radius - 1),
                relayed,
            )

    def _remember(self, originator: int, identifier: int, hop: int, cost: int) -> _Request | None:
        now = self._nwk.scope.now
        key = (originator, identifier)
        entry = self._requests.get(key)
        if entry is not None and entry.expires_us > now:
            if cost >= entry.cost:
                return None
            entry.cost, entry.previous_hop = cost, hop
            return entry
        if len(self._requests) >= MAX_REQUESTS:
            self._requests = {each: old for each, old in self._requests.items() if old.expires_us > now}
            if len(self._requests) >= MAX_REQUESTS:
                del self._requests[next(iter(self._requests))]
        entry = self._requests[key] = _Request(hop, cost, now + self._nwk.timing.route_discovery_us)
        return entry

    def _answers_for(self, destination: int) -> bool:
        nwk = self._nwk
        if destination == nwk.short_address:
            return True
        neighbour = nwk.neighbours.by_short.get(destination)
        return neighbour is not None and neighbour.is_child and not neighbour.is_router

    def _reply(self, request: RouteRequest, originator: int, hop: int) -> None:
        nwk = self._nwk
        reply = RouteReply(
            request.identifier,
            originator,
            request.destination,
            0,
            nwk.eui64_of(originator),
            nwk.eui64_of(request.destination),
        )
        self._send_reply(reply, hop)

    def _send_reply(self, reply: RouteReply, hop: int) -> None:
        nwk = self._nwk
        header = nwk.sending.command_header(
            hop, radius=1, source_eui64=nwk.eui64, destination_eui64=nwk.eui64_of(hop)
        )
        nwk.sending.transmit(hop, header, pack_route_reply(reply))

    def reply_received(self, reply: RouteReply, hop: int, lqi: int) -> None:
        """Handle a Route Reply that `hop` passed to us (3.6.3.5.3)."""
        nwk = self._nwk
        if reply.responder_eui64 is not None:
            nwk.learn(reply.responder_eui64, reply.responder)
        neighbour = nwk.neighbours.by_short.get(hop)
        cost = min(MAX_COST, reply.path_cost + (neighbour.cost if neighbour else link_cost(lqi)))
        if reply.originator == nwk.short_address:
            known = self.table.get(reply.responder)
            if known is None or reply.responder in self._searches or cost < known.cost:
                self._set_route(reply.responder, hop, cost)
            self._found(reply.responder)
            return
        entry = self._requests.get((reply.originator, reply.identifier))
        if entry is None or cost >= entry.residual_cost:
            return
        entry.residual_cost = cost
        self._set_route(reply.responder, hop, cost)
        self._send_reply(reply._replace(path_cost=cost), entry.previous_hop)

    # Many-to-one

    def record_before(self, destination: int) -> None:
        """Send the route record a concentrator wants before our first data (3.6.3.5.4)."""
        route = self.table.get(destination)
        if route is None or not route.record_due:
            return
        route.record_due = route.many_to_one == ManyToOne.ROUTE_RECORD_WANTED
        nwk = self._nwk
        header = nwk.sending.command_header(destination, radius=REQUEST_RADIUS, source_eui64=nwk.eui64)
        nwk.sending.transmit(route.next_hop, header, pack_route_record(()))

    def record_received(self, source: int, relays: tuple[int, ...]) -> None:
        """Keep the relays that a route record collected on its way to this node."""
        self.source_routes.pop(source, None)
        if len(self.source_routes) >= self._nwk.timing.max_routes:
            del self.source_routes[next(iter(self.source_routes))]
        self.source_routes[source] = relays
