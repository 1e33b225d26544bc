"""Dispatch of received NWK commands to the part of the layer that each concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.errors import FrameError
from emulator.stack import nwk_commands as codec
from emulator.stack.nwk_commands import NetworkStatusCommand, NwkCommand
from emulator.stack.nwk_service import NetworkStatus, NodeType

if TYPE_CHECKING:
    from emulator.stack.nwk import Nwk
    from emulator.stack.nwk_receiving import Arrival

_UNSECURED = (NwkCommand.REJOIN_REQUEST, NwkCommand.REJOIN_RESPONSE)


class CommandDispatch:
    """Decodes commands addressed to this node, or broadcast, and hands them on."""

    def __init__(self, nwk: Nwk) -> None:
        self._nwk = nwk

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
        nwk = self._nwk
        if command == NwkCommand.END_DEVICE_TIMEOUT_RESPONSE:
            codec.unpack_end_device_timeout_response(body)
            nwk.parent_link.reached()
        else:
            self._anywhere(arrival, command, body)

    def _at_router(self, arrival: Arrival, command: int, body: bytes) -> None:
        nwk, header, hop, lqi = self._nwk, arrival.header, arrival.hop, arrival.lqi
        if command == NwkCommand.LINK_STATUS:
            eui64 = header.source_eui64
            if eui64 is not None:
                nwk.links.received(hop, eui64, codec.unpack_link_status(body), lqi)
        elif command == NwkCommand.ROUTE_REQUEST:
            nwk.routing.request_received(arrival, codec.unpack_route_request(body))
        elif command == NwkCommand.ROUTE_REPLY:
            nwk.routing.reply_received(codec.unpack_route_reply(body), hop, lqi)
        elif command == NwkCommand.ROUTE_RECORD:
            nwk.routing.record_received(header.source, codec.unpack_route_record(body))
        elif command == NwkCommand.REJOIN_REQUEST:
            nwk.parenting.rejoin_requested(header, codec.unpack_rejoin_request(body), hop, lqi)
        elif command == NwkCommand.END_DEVICE_TIMEOUT_REQUEST:
            nwk.parenting.timeout_requested(header.source, codec.unpack_end_device_timeout_request(body))
        elif command == NwkCommand.NETWORK_REPORT:
            nwk.updates.report_received(codec.unpack_network_report(body))
        else:
            self._anywhere(arrival, command, body)

    def _anywhere(self, arrival: Arrival, command: int, body: bytes) -> None:
        nwk, header, hop = self._nwk, arrival.header, arrival.hop
        if command == NwkCommand.LEAVE:
            nwk.departure.received(header, codec.unpack_leave(body), hop)
        elif command == NwkCommand.NETWORK_STATUS:
            self._network_status(codec.unpack_network_status(body))
        elif command == NwkCommand.REJOIN_RESPONSE:
            nwk.joining.response_received(header, codec.unpack_rejoin_response(body), hop, arrival.lqi)
        elif command == NwkCommand.NETWORK_UPDATE:
            nwk.updates.update_received(codec.unpack_network_update(body))
        else:
            nwk.counters.drop(f"command 0x{command:02X} not for this device type")

    def _network_status(self, status: NetworkStatusCommand) -> None:
        nwk = self._nwk
        if status.code == NetworkStatus.ADDRESS_CONFLICT:
            nwk.updates.conflict_reported(status.destination)
        else:
            nwk.routing.broken(status.destination)
        nwk.listener.nwk_status(status.destination, status.code)
