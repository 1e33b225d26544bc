"""Dispatch of received NWK commands to the part of the layer that each concerns."""

from __future__ import annotations

from typing import Protocol

from emulator.errors import FrameError
from emulator.stack.nwk import commands as codec
from emulator.stack.nwk.commands import NetworkStatusCommand, NwkCommand
from emulator.stack.nwk.departure import Departure
from emulator.stack.nwk.joining import Joining
from emulator.stack.nwk.link_status import LinkStatusExchange
from emulator.stack.nwk.network_update import NetworkUpdates
from emulator.stack.nwk.parent_link import ParentLink
from emulator.stack.nwk.parenting import Parenting
from emulator.stack.nwk.routing import Routing
from emulator.stack.nwk.service import NetworkStatus, NodeType
from emulator.stack.nwk.transit import Arrival
from emulator.stack.nwk.views import Reporter

_UNSECURED = (NwkCommand.REJOIN_REQUEST, NwkCommand.REJOIN_RESPONSE)


class DispatchView(Reporter, Protocol):
    """What dispatching works with."""

    device_type: NodeType


class CommandDispatch:
    """Decodes commands addressed to this node, or broadcast, and hands them on."""

    def __init__(
        self,
        nwk: DispatchView,
        *,
        routing: Routing,
        links: LinkStatusExchange,
        parent_link: ParentLink,
        updates: NetworkUpdates,
        joining: Joining,
        parenting: Parenting,
        departure: Departure,
    ) -> None:
        self._nwk = nwk
        self._routing = routing
        self._links = links
        self._parent_link = parent_link
        self._updates = updates
        self._joining = joining
        self._parenting = parenting
        self._departure = departure

    def received(self, arrival: Arrival, payload: bytes) -> None:
        """Handle one command; raises `FrameError` when it is malformed."""
        if not payload:
            raise FrameError("NWK command: no octets at offset 0, expected a command identifier")
        command, body = payload[0], payload[1:]
        if not arrival.header.secured and command not in _UNSECURED:
            self._nwk.counters.drop("unsecured command")
        elif self._nwk.device_type == NodeType.END_DEVICE:
            self._at_end_device(arrival, command, body)
        else:
            self._at_router(arrival, command, body)

    def _at_end_device(self, arrival: Arrival, command: int, body: bytes) -> None:
        if command == NwkCommand.END_DEVICE_TIMEOUT_RESPONSE:
            codec.unpack_end_device_timeout_response(body)
            self._parent_link.reached()
        else:
            self._anywhere(arrival, command, body)

    def _at_router(self, arrival: Arrival, command: int, body: bytes) -> None:
        header, hop, lqi = arrival.header, arrival.hop, arrival.lqi
        if command == NwkCommand.LINK_STATUS:
            eui64 = header.source_eui64
            if eui64 is not None:
                self._links.received(hop, eui64, codec.unpack_link_status(body), lqi)
        elif command == NwkCommand.ROUTE_REQUEST:
            self._routing.request_received(arrival, codec.unpack_route_request(body))
        elif command == NwkCommand.ROUTE_REPLY:
            self._routing.reply_received(codec.unpack_route_reply(body), hop, lqi)
        elif command == NwkCommand.ROUTE_RECORD:
            self._routing.record_received(header.source, codec.unpack_route_record(body))
        elif command == NwkCommand.REJOIN_REQUEST:
            self._parenting.rejoin_requested(header, codec.unpack_rejoin_request(body), hop, lqi)
        elif command == NwkCommand.END_DEVICE_TIMEOUT_REQUEST:
            self._parenting.timeout_requested(header.source, codec.unpack_end_device_timeout_request(body))
        elif command == NwkCommand.NETWORK_REPORT:
            self._updates.report_received(codec.unpack_network_report(body))
        else:
            self._anywhere(arrival, command, body)

    def _anywhere(self, arrival: Arrival, command: int, body: bytes) -> None:
        nwk, header, hop = self._nwk, arrival.header, arrival.hop
        if command == NwkCommand.LEAVE:
            self._departure.received(header, codec.unpack_leave(body), hop)
        elif command == NwkCommand.NETWORK_STATUS:
            self._network_status(codec.unpack_network_status(body))
        elif command == NwkCommand.REJOIN_RESPONSE:
            self._joining.response_received(header, codec.unpack_rejoin_response(body), hop, arrival.lqi)
        elif command == NwkCommand.NETWORK_UPDATE:
            self._updates.update_received(codec.unpack_network_update(body))
        else:
            nwk.counters.drop(f"command 0x{command:02X} not for this device type")

    def _network_status(self, status: NetworkStatusCommand) -> None:
        nwk = self._nwk
        if status.code == NetworkStatus.ADDRESS_CONFLICT:
            self._updates.conflict_reported(status.destination)
        else:
            self._routing.broken(status.destination)
        nwk.listener.nwk_status(status.destination, status.code)
