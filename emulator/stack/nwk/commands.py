"""NWK command payloads: pure codecs between octets and records.

Identifiers and layouts from ZigBee PRO 3.4 (fact sheet, protocol 4.3). `pack_*` returns the payload with its
command identifier; `unpack_*` takes the payload after the identifier and raises `FrameError`.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from emulator.errors import FrameError

_EUI64 = struct.Struct("<Q")
_SHORT = struct.Struct("<H")
_ROUTE_REQUEST = struct.Struct("<BBHB")
_ROUTE_REPLY = struct.Struct("<BBHHB")
_STATUS = struct.Struct("<BH")
_REJOIN_RESPONSE = struct.Struct("<HB")
_REPORT = struct.Struct("<BQ")
_UPDATE = struct.Struct("<BQBH")


class NwkCommand(IntEnum):
    """NWK command identifiers (3.4, table 3.40)."""

    ROUTE_REQUEST = 0x01
    ROUTE_REPLY = 0x02
    NETWORK_STATUS = 0x03
    LEAVE = 0x04
    ROUTE_RECORD = 0x05
    REJOIN_REQUEST = 0x06
    REJOIN_RESPONSE = 0x07
    LINK_STATUS = 0x08
    NETWORK_REPORT = 0x09
    NETWORK_UPDATE = 0x0A
    END_DEVICE_TIMEOUT_REQUEST = 0x0B
    END_DEVICE_TIMEOUT_RESPONSE = 0x0C


class ManyToOne(IntEnum):
    """Many-to-one field of a Route Request (3.4.1.3.1.1)."""

    NO = 0
    ROUTE_RECORD_WANTED = 1
    HIGH_RAM = 2
    """The concentrator can hold source routes: one route record is enough."""


class RouteRequest(NamedTuple):
    """Route Request (3.4.1); `destination_eui64` is optional."""

    many_to_one: int
    identifier: int
    destination: int
    path_cost: int
    destination_eui64: int | None = None


class RouteReply(NamedTuple):
    """Route Reply (3.4.2); both EUI-64s are optional."""

    identifier: int
    originator: int
    responder: int
    path_cost: int
    originator_eui64: int | None = None
    responder_eui64: int | None = None


class NetworkStatusCommand(NamedTuple):
    """Network Status (3.4.3)."""

    code: int
    destination: int


class Leave(NamedTuple):
    """Leave (3.4.4): a request to the addressee, or an indication that the sender goes."""

    request: bool = False
    rejoin: bool = False
    remove_children: bool = False


class LinkStatusEntry(NamedTuple):
    """One neighbour in a Link Status: costs 0-7, 0 meaning unknown."""

    short_address: int
    incoming_cost: int
    outgoing_cost: int


class LinkStatus(NamedTuple):
    """Link Status (3.4.8); long lists span several frames, of which `first` and `last` mark the ends."""

    entries: tuple[LinkStatusEntry, ...]
    first: bool = True
    last: bool = True


class RejoinResponse(NamedTuple):
    """Rejoin Response (3.4.7); `status` as in 802.15.4 association."""

    short_address: int
    status: int


class NetworkReport(NamedTuple):
    """Network Report (3.4.9): a PAN identifier conflict and the PAN ids heard."""

    extended_pan_id: int
    pan_ids: tuple[int, ...]


class NetworkUpdate(NamedTuple):
    """Network Update (3.4.10): the network takes another PAN identifier."""

    extended_pan_id: int
    update_id: int
    pan_id: int


class EndDeviceTimeoutRequest(NamedTuple):
    """End Device Timeout Request (3.4.11); `timeout` is the enumeration 0-14."""

    timeout: int
    configuration: int = 0


class EndDeviceTimeoutResponse(NamedTuple):
    """End Device Timeout Response (3.4.12)."""

    status: int
    parent_information: int


def _need(name: str, payload: bytes, octets: int) -> None:
    if len(payload) < octets:
        raise FrameError(f"NWK {name}: {len(payload)} octets at offset 1, expected at least {octets}")


def pack_route_request(request: RouteRequest) -> bytes:
    """Return a Route Request command."""
    options = request.many_to_one << 3 | (0x20 if request.destination_eui64 is not None else 0)
    fixed = _ROUTE_REQUEST.pack(options, request.identifier, request.destination, request.path_cost)
    return b"\x01" + fixed + _optional_eui64(request.destination_eui64)


def unpack_route_request(payload: bytes) -> RouteRequest:
    """Read a Route Request."""
    _need("Route Request", payload, 5)
    options, identifier, destination, cost = _ROUTE_REQUEST.unpack_from(payload)
    eui64 = None
    if options & 0x20:
        _need("Route Request", payload, 13)
        (eui64,) = _EUI64.unpack_from(payload, 5)
    return RouteRequest(options >> 3 & 3, identifier, destination, cost, eui64)


def pack_route_reply(reply: RouteReply) -> bytes:
    """Return a Route Reply command."""
    options = 0x10 if reply.originator_eui64 is not None else 0
    options |= 0x20 if reply.responder_eui64 is not None else 0
    fixed = _ROUTE_REPLY.pack(options, reply.identifier, reply.originator, reply.responder, reply.path_cost)
    return b"\x02" + fixed + _optional_eui64(reply.originator_eui64) + _optional_eui64(reply.responder_eui64)


def unpack_route_reply(payload: bytes) -> RouteReply:
    """Read a Route Reply."""
    _need("Route Reply", payload, 7)
    options, identifier, originator, responder, cost = _ROUTE_REPLY.unpack_from(payload)
    _need("Route Reply", payload, 7 + 8 * (options >> 4 & 3).bit_count())
    offset = 7
    originator_eui64 = responder_eui64 = None
    if options & 0x10:
        (originator_eui64,) = _EUI64.unpack_from(payload, offset)
        offset += 8
    if options & 0x20:
        (responder_eui64,) = _EUI64.unpack_from(payload, offset)
    return RouteReply(identifier, originator, responder, cost, originator_eui64, responder_eui64)


def _optional_eui64(eui64: int | None) -> bytes:
    return b"" if eui64 is None else _EUI64.pack(eui64)


def pack_network_status(status: NetworkStatusCommand) -> bytes:
    """Return a Network Status command."""
    return b"\x03" + _STATUS.pack(*status)


def unpack_network_status(payload: bytes) -> NetworkStatusCommand:
    """Read a Network Status."""
    _need("Network Status", payload, 3)
    return NetworkStatusCommand._make(_STATUS.unpack_from(payload))


def pack_leave(leave: Leave) -> bytes:
    """Return a Leave command."""
    return bytes((0x04, leave.remove_children << 7 | leave.request << 6 | leave.rejoin << 5))


def unpack_leave(payload: bytes) -> Leave:
    """Read a Leave."""
    _need("Leave", payload, 1)
    options = payload[0]
    return Leave(bool(options & 0x40), bool(options & 0x20), bool(options & 0x80))


def pack_route_record(relays: tuple[int, ...]) -> bytes:
    """Return a Route Record command; `relays` run from the originator's side."""
    return struct.pack(f"<BB{len(relays)}H", 0x05, len(relays), *relays)


def unpack_route_record(payload: bytes) -> tuple[int, ...]:
    """Read a Route Record: the relays from the originator's side."""
    _need("Route Record", payload, 1)
    count = payload[0]
    _need("Route Record", payload, 1 + 2 * count)
    return struct.unpack_from(f"<{count}H", payload, 1)


def pack_rejoin_request(capability: int) -> bytes:
    """Return a Rejoin Request command (3.4.6)."""
    return bytes((0x06, capability))


def unpack_rejoin_request(payload: bytes) -> int:
    """Read a Rejoin Request: the capability information."""
    _need("Rejoin Request", payload, 1)
    return payload[0]


def pack_rejoin_response(response: RejoinResponse) -> bytes:
    """Return a Rejoin Response command."""
    return b"\x07" + _REJOIN_RESPONSE.pack(*response)


def unpack_rejoin_response(payload: bytes) -> RejoinResponse:
    """Read a Rejoin Response."""
    _need("Rejoin Response", payload, 3)
    return RejoinResponse._make(_REJOIN_RESPONSE.unpack_from(payload))


def pack_link_status(status: LinkStatus) -> bytes:
    """Return a Link Status command; raises `FrameError` for more than 31 entries."""
    if len(status.entries) > 31:
        raise FrameError(f"NWK Link Status of {len(status.entries)} entries: at most 31 fit one command")
    octets = bytearray((0x08, len(status.entries) | status.first << 5 | status.last << 6))
    for short_address, incoming, outgoing in status.entries:
        octets += _SHORT.pack(short_address)
        octets.append(incoming | outgoing << 4)
    return bytes(octets)


def unpack_link_status(payload: bytes) -> LinkStatus:
    """Read a Link Status."""
    _need("Link Status", payload, 1)
    options = payload[0]
    count = options & 0x1F
    _need("Link Status", payload, 1 + 3 * count)
    entries = tuple(
        LinkStatusEntry(address, costs & 7, costs >> 4 & 7)
        for address, costs in struct.iter_unpack("<HB", payload[1 : 1 + 3 * count])
    )
    return LinkStatus(entries, bool(options & 0x20), bool(options & 0x40))


def pack_network_report(report: NetworkReport) -> bytes:
    """Return a Network Report command; raises `FrameError` for more than 31 PAN ids."""
    count = len(report.pan_ids)
    if count > 31:
        raise FrameError(f"NWK Network Report of {count} PAN ids: at most 31 fit one command")
    return b"\x09" + _REPORT.pack(count, report.extended_pan_id) + struct.pack(f"<{count}H", *report.pan_ids)


def unpack_network_report(payload: bytes) -> NetworkReport:
    """Read a Network Report."""
    _need("Network Report", payload, 9)
    options, extended_pan_id = _REPORT.unpack_from(payload)
    count = options & 0x1F
    _need("Network Report", payload, 9 + 2 * count)
    return NetworkReport(extended_pan_id, struct.unpack_from(f"<{count}H", payload, 9))


def pack_network_update(update: NetworkUpdate) -> bytes:
    """Return a Network Update command carrying one PAN id."""
    return b"\x0a" + _UPDATE.pack(1, *update)


def unpack_network_update(payload: bytes) -> NetworkUpdate:
    """Read a Network Update; raises `FrameError` unless it carries exactly one PAN id."""
    _need("Network Update", payload, 12)
    options, extended_pan_id, update_id, pan_id = _UPDATE.unpack_from(payload)
    if options != 1:
        raise FrameError(f"NWK Network Update options 0x{options:02X} at offset 1: expected one PAN id (1)")
    return NetworkUpdate(extended_pan_id, update_id, pan_id)


def pack_end_device_timeout_request(request: EndDeviceTimeoutRequest) -> bytes:
    """Return an End Device Timeout Request command."""
    return bytes((0x0B, *request))


def unpack_end_device_timeout_request(payload: bytes) -> EndDeviceTimeoutRequest:
    """Read an End Device Timeout Request."""
    _need("End Device Timeout Request", payload, 2)
    return EndDeviceTimeoutRequest(payload[0], payload[1])


def pack_end_device_timeout_response(response: EndDeviceTimeoutResponse) -> bytes:
    """Return an End Device Timeout Response command."""
    return bytes((0x0C, *response))


def unpack_end_device_timeout_response(payload: bytes) -> EndDeviceTimeoutResponse:
    """Read an End Device Timeout Response."""
    _need("End Device Timeout Response", payload, 2)
    return EndDeviceTimeoutResponse(payload[0], payload[1])


def end_device_timeout_seconds(timeout: int) -> int:
    """Return the seconds meant by the timeout enumeration: 0 is 10 s, n is 2**n minutes (table 3.54)."""
    if not 0 <= timeout <= 14:
        raise FrameError(f"NWK end device timeout {timeout}: expected an enumeration value 0-14")
    return 10 if timeout == 0 else 60 << timeout
