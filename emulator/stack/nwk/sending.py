"""Sending of NWK frames: the next hop, the route discovery it may take, relaying, and what is done when it
fails.

ZigBee PRO 3.6.3.3 (routing of unicasts), 3.6.3.7 (route maintenance).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from emulator.air.mac import Mac
from emulator.errors import SecurityError
from emulator.stack.nwk import frame as nwk_frame
from emulator.stack.nwk.broadcast import Broadcasts
from emulator.stack.nwk.commands import (
    NetworkStatusCommand,
    NwkCommand,
    pack_network_status,
    pack_route_record,
    unpack_route_record,
)
from emulator.stack.nwk.frame import MAX_NSDU, MAX_RELAYS, NwkHeader
from emulator.stack.nwk.neighbours import Neighbour, NeighbourTable
from emulator.stack.nwk.parent_link import ParentLink
from emulator.stack.nwk.routing import Routing
from emulator.stack.nwk.security import NwkSecurity
from emulator.stack.nwk.service import NetworkStatus, NodeType
from emulator.stack.nwk.transit import Outgoing
from emulator.stack.nwk.views import COMMAND_RADIUS, Member, Named, Reporter, Timed
from emulator.stack.primitives import FIRST_BROADCAST, Confirm, NldeIndication, Status

DISCOVERIES = 2
"""Route discoveries that one unicast of our own may cause: the first, and a repair."""


class DataRequest(NamedTuple):
    """NLDE-DATA.request, when it is not simply for a neighbour."""

    destination: int
    nsdu: bytes
    confirm: Confirm | None
    secure: bool
    radius: int
    discover_route: bool


class SendingView(Timed, Named, Member, Reporter, Protocol):
    """What sending works with."""

    mac: Mac
    neighbours: NeighbourTable
    security: NwkSecurity
    sleepy: bool

    def is_child(self, short: int) -> bool:
        """Whether the device is our child, authenticated or not."""

    def next_sequence(self) -> int:
        """Take the next NWK sequence number."""


class Sending:
    """The way out of one node's NWK layer."""

    def __init__(
        self, nwk: SendingView, routing: Routing, broadcasts: Broadcasts, parent_link: ParentLink
    ) -> None:
        self._nwk = nwk
        self._routing = routing
        self._broadcasts = broadcasts
        self._parent_link = parent_link

    def data(self, request: DataRequest) -> None:
        """Carry out a data request, or refuse it through its confirm."""
        nwk = self._nwk
        destination, nsdu, confirm, secure, radius, discover_route = request
        if self._nwk.parameters is None or len(nsdu) > MAX_NSDU:
            self.refuse(confirm, Status.NWK_INVALID_REQUEST, "no network, or too long")
            return
        if destination == self._nwk.short_address:
            nwk.scope.call_later(0, self._loop_back, nsdu, confirm)
            return
        if secure and not self._nwk.authenticated:
            self.refuse(confirm, Status.NWK_NO_KEY, "no network key")
            return
        broadcast = destination >= FIRST_BROADCAST
        if not secure and (broadcast or (self._nwk.authenticated and not self._nwk.is_child(destination))):
            self.refuse(confirm, Status.NWK_INVALID_REQUEST, "unsecured to a stranger")
            return
        control = nwk_frame.DATA | nwk_frame.VERSION | (nwk_frame.SECURITY if secure else 0)
        if discover_route and secure and not broadcast:
            control |= nwk_frame.DISCOVER_ROUTE
        header = nwk_frame.HEADER.pack(control, destination, nwk.short_address, radius, nwk.next_sequence())
        if self._nwk.sleepy:
            self._parent_link.fast_poll(self._nwk.timing.wake_us)
        if broadcast:
            self._broadcasts.originate(header, header[7], nsdu, confirm)
        else:
            discoveries = DISCOVERIES if discover_route and secure else 0
            neighbour = nwk.neighbours.by_short.get(destination)
            if neighbour is None or not neighbour.direct:
                self._routing.record_before(destination)
            self.route(Outgoing(header, nsdu, destination, confirm, discoveries))

    def _loop_back(self, nsdu: bytes, confirm: Confirm | None) -> None:
        if confirm is not None:
            confirm(Status.SUCCESS)
        self._nwk.listener.nwk_data(
            NldeIndication(self._nwk.short_address, self._nwk.eui64, self._nwk.short_address, nsdu, True, 255)
        )

    def refuse(self, confirm: Confirm | None, status: Status, reason: str) -> None:
        """Confirm a request as failed, once the caller has returned, and count why."""
        self._nwk.counters.drop(reason)
        if confirm is not None:
            self._nwk.scope.call_later(0, confirm, status)

    def command_header(
        self,
        destination: int,
        *,
        radius: int = COMMAND_RADIUS,
        source_eui64: int | None = None,
        destination_eui64: int | None = None,
        secure: bool = True,
    ) -> bytes:
        """Return the packed header of a command of ours, with the next sequence number."""
        control = nwk_frame.COMMAND | nwk_frame.VERSION | (nwk_frame.SECURITY if secure else 0)
        return nwk_frame.pack_header(
            NwkHeader(
                control,
                destination,
                self._nwk.short_address,
                radius,
                self._nwk.next_sequence(),
                destination_eui64,
                source_eui64,
            )
        )

    def send_command(
        self,
        destination: int,
        payload: bytes,
        confirm: Confirm | None = None,
        *,
        destination_eui64: int | None = None,
    ) -> None:
        """Send a secured command over as many hops as it takes, or broadcast it."""
        header = self.command_header(
            destination, source_eui64=self._nwk.eui64, destination_eui64=destination_eui64
        )
        if destination >= FIRST_BROADCAST:
            self._broadcasts.originate(header, header[7], payload, confirm)
        else:
            self.route(Outgoing(header, payload, destination, confirm, DISCOVERIES))

    def transmit(
        self,
        hop: int,
        header: bytes,
        payload: bytes,
        confirm: Confirm | None = None,
        *,
        indirect: bool = False,
    ) -> None:
        """Secure a frame if its header says so, and give it to the MAC for the next hop (0xFFFF: all)."""
        if self._nwk.parameters is None:
            self.refuse(confirm, Status.NWK_INVALID_REQUEST, "no network")
            return
        try:
            secured = header[1] & 0x02
            npdu = self._nwk.security.protect(header, payload) if secured else header + payload
        except SecurityError:
            self.refuse(confirm, Status.NWK_NO_KEY, "no network key")
            return
        if len(npdu) > nwk_frame.MAX_NPDU_OCTETS:
            self.refuse(confirm, Status.NWK_INVALID_REQUEST, "frame too long")
            return
        self._nwk.counters.sent += 1
        self._nwk.mac.data(hop, npdu, confirm, indirect=indirect)

    def route(self, frame: Outgoing) -> None:
        """Send a unicast to its next hop, along a source route, or after a route discovery."""
        destination = frame.destination
        hop = self._next_hop(destination)
        if hop is None and frame.relayed_for is None:
            frame, hop = self._along_source_route(frame)
        if hop is None:
            if frame.discoveries and self._nwk.device_type != NodeType.END_DEVICE:
                self._routing.discover(frame._replace(discoveries=frame.discoveries - 1))
            else:
                self.fail(frame, Status.NWK_ROUTE_ERROR)
            return
        neighbour = self._nwk.neighbours.by_short.get(hop)
        indirect = neighbour is not None and neighbour.indirect

        def sent(status: Status) -> None:
            if status is not Status.SUCCESS:
                self.unicast_failed(frame, hop, status)
                return
            if neighbour is not None:
                neighbour.failures = 0
            if frame.confirm is not None:
                frame.confirm(status)

        self.transmit(hop, frame.header, frame.payload, sent, indirect=indirect)

    def _next_hop(self, destination: int) -> int | None:
        if self._nwk.device_type == NodeType.END_DEVICE:
            return self._nwk.parent_short
        neighbour = self._nwk.neighbours.by_short.get(destination)
        if neighbour is not None and neighbour.direct:
            return destination
        return self._routing.next_hop(destination)

    def _along_source_route(self, frame: Outgoing) -> tuple[Outgoing, int | None]:
        relays = self._routing.source_routes.get(frame.destination)
        if not relays or len(relays) > MAX_RELAYS or len(frame.payload) + 2 + 2 * len(relays) > MAX_NSDU:
            return frame, None
        header, _ = nwk_frame.unpack_header(frame.header)
        if header.frame_type != nwk_frame.DATA:
            return frame, None
        header = header._replace(relays=relays, relay_index=len(relays) - 1)
        return frame._replace(header=nwk_frame.pack_header(header)), relays[-1]

    def unicast_failed(self, frame: Outgoing, hop: int, status: Status) -> None:
        """Repair the way of a unicast that `hop` did not take, or give it up (3.6.3.7)."""
        self._nwk.counters.failed += 1
        neighbour = self._nwk.neighbours.by_short.get(hop)
        if self._nwk.device_type == NodeType.END_DEVICE:
            if status == Status.NO_ACK:
                self._parent_link.missed()
        elif neighbour is None or neighbour.is_router:
            if status == Status.NO_ACK:
                self._hop_lost(frame.destination, hop, neighbour)
                if frame.discoveries:
                    self.route(_without_source_route(frame))
                    return
            elif status == Status.CHANNEL_ACCESS_FAILURE and frame.discoveries:
                # The way is not to blame, and the same one is tried again: once, or this would never end.
                self.route(frame._replace(discoveries=frame.discoveries - 1))
                return
        self.fail(frame, status)

    def _hop_lost(self, destination: int, hop: int, neighbour: Neighbour | None) -> None:
        self._routing.broken(destination)
        if neighbour is not None:
            neighbour.failures += 1
            # Four transmissions went unheard: look for another way until link status says otherwise.
            neighbour.direct = False
            if neighbour.failures > 1:
                neighbour.outgoing_cost = 0
                self._routing.broken_via(hop)

    def fail(self, frame: Outgoing, status: Status) -> None:
        """Give up on a unicast: confirm it, or tell the node that sent it (3.6.3.7)."""
        self._nwk.counters.drop(f"undelivered: {status.name}")
        if frame.relayed_for is None:
            if frame.confirm is not None:
                self._nwk.scope.call_later(0, frame.confirm, status)
            return
        if status == Status.TRANSACTION_EXPIRED or not self._nwk.authenticated:
            return
        no_route = status in (Status.NWK_ROUTE_DISCOVERY_FAILED, Status.NWK_ROUTE_ERROR)
        code = NetworkStatus.NO_ROUTE_AVAILABLE if no_route else NetworkStatus.NON_TREE_LINK_FAILURE
        if frame.header[1] & nwk_frame.SOURCE_ROUTE >> 8:
            code = NetworkStatus.SOURCE_ROUTE_FAILURE
        report = pack_network_status(NetworkStatusCommand(code, frame.destination))
        header = self.command_header(frame.relayed_for, source_eui64=self._nwk.eui64)
        self.route(Outgoing(header, report, frame.relayed_for, None, 0))

    def relay(self, header: NwkHeader, raw_header: bytes, payload: bytes) -> None:
        """Pass on a decrypted unicast that is for another node."""
        if header.radius <= 1:
            self._nwk.counters.drop("radius exhausted")
            return
        self._nwk.counters.relayed += 1
        if header.frame_type == nwk_frame.COMMAND and payload[:1] == bytes((NwkCommand.ROUTE_RECORD,)):
            payload = pack_route_record((*unpack_route_record(payload[1:]), self._nwk.short_address))
        raw_header = nwk_frame.with_radius(raw_header, header.radius - 1)
        discoveries = 1 if header.discover_route else 0
        if header.relays:
            self._relay_along(header, raw_header, payload)
        else:
            self.route(Outgoing(raw_header, payload, header.destination, None, discoveries, header.source))

    def _relay_along(self, header: NwkHeader, raw_header: bytes, payload: bytes) -> None:
        """Pass a source-routed frame to the next relay of its list (3.6.3.3.2)."""
        relays, index = header.relays or (), header.relay_index
        if relays[index] != self._nwk.short_address:
            self._nwk.counters.drop("not this relay's turn")
            return
        hop = relays[index - 1] if index else header.destination
        position = len(raw_header) - 2 * len(relays) - 1
        raw_header = raw_header[:position] + bytes((max(0, index - 1),)) + raw_header[position + 1 :]
        frame = Outgoing(raw_header, payload, header.destination, None, 0, header.source)
        neighbour = self._nwk.neighbours.by_short.get(hop)

        def sent(status: Status) -> None:
            if status is not Status.SUCCESS:
                self.unicast_failed(frame, hop, status)

        indirect = neighbour is not None and neighbour.indirect
        self.transmit(hop, raw_header, payload, sent, indirect=indirect)


def _without_source_route(frame: Outgoing) -> Outgoing:
    if not frame.header[1] & nwk_frame.SOURCE_ROUTE >> 8:
        return frame
    header, _ = nwk_frame.unpack_header(frame.header)
    return frame._replace(header=nwk_frame.pack_header(header._replace(relays=None)))
