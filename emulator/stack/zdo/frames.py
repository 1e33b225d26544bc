"""ZDO commands: cluster identifiers, statuses, and codecs of what this stack sends and reads (ZigBee PRO
2.4).

Request functions return the payload without the transaction number. Responses are records; `encode()` gives
the payload from the status octet on, and `decode()` reads one.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from struct import error as struct_error
from typing import NamedTuple

from emulator.errors import FrameError
from emulator.stack.zdo.descriptors import SimpleDescriptor

ZDO_ENDPOINT = 0
ZDO_PROFILE = 0x0000
RESPONSE = 0x8000


class ZdoCluster(IntEnum):
    """Request clusters; a response is the same with bit 15 set."""

    NWK_ADDR = 0x0000
    IEEE_ADDR = 0x0001
    NODE_DESC = 0x0002
    POWER_DESC = 0x0003
    SIMPLE_DESC = 0x0004
    ACTIVE_EP = 0x0005
    MATCH_DESC = 0x0006
    DEVICE_ANNCE = 0x0013
    BIND = 0x0021
    UNBIND = 0x0022
    MGMT_LQI = 0x0031
    MGMT_RTG = 0x0032
    MGMT_BIND = 0x0033
    MGMT_LEAVE = 0x0034
    MGMT_PERMIT_JOINING = 0x0036
    MGMT_NWK_UPDATE = 0x0038


class ZdoStatus(IntEnum):
    """ZDO status values (2.4.5)."""

    SUCCESS = 0x00
    INVALID_REQUEST_TYPE = 0x80
    DEVICE_NOT_FOUND = 0x81
    INVALID_ENDPOINT = 0x82
    NOT_ACTIVE = 0x83
    NOT_SUPPORTED = 0x84
    TIMEOUT = 0x85
    NO_MATCH = 0x86
    NO_ENTRY = 0x88
    NO_DESCRIPTOR = 0x89
    INSUFFICIENT_SPACE = 0x8A
    NOT_PERMITTED = 0x8B
    TABLE_FULL = 0x8C
    NOT_AUTHORIZED = 0x8D
    UNKNOWN_DEVICE = 0xC8
    """A status of the network layer, as Mgmt_Leave_rsp passes it on (table 3.1)."""


_ADDRESS = Struct("<BQH")
_NWK_ADDR_REQ = Struct("<QBB")
_IEEE_ADDR_REQ = Struct("<HBB")
_SHORT = Struct("<H")
_SHORT_BYTE = Struct("<HB")
_ANNOUNCE = Struct("<HQB")
_MATCH = Struct("<HHB")
_BIND_UNICAST = Struct("<QBHBQB")
_BIND_GROUP = Struct("<QBHBH")
_LEAVE = Struct("<QB")
_TWO = Struct("<BB")
_NEIGHBOUR = Struct("<QQHBBBB")
_ROUTE = Struct("<HBH")
_TABLE = Struct("<BBBB")

LEAVE_REJOIN = 0x80
LEAVE_REMOVE_CHILDREN = 0x40

BIND_GROUP = 0x01
BIND_UNICAST = 0x03


def read(layout: Struct, payload: bytes, what: str, offset: int = 0) -> tuple[int, ...]:
    """Unpack a fixed layout of integers; raises `FrameError` naming `what` when `payload` is too short."""
    try:
        return layout.unpack_from(payload, offset)
    except struct_error as error:
        raise FrameError(
            f"ZDO {what} at offset {offset}: {len(payload)} octets, expected {offset + layout.size}"
        ) from error


class NwkAddressRequest(NamedTuple):
    """NWK_addr_req: whose short address is wanted."""

    eui64: int
    extended: bool = False
    start_index: int = 0

    def encode(self) -> bytes:
        """Return the payload."""
        return _NWK_ADDR_REQ.pack(*self)

    @classmethod
    def decode(cls, payload: bytes) -> NwkAddressRequest:
        """Read the payload; raises `FrameError`."""
        eui64, kind, start = read(_NWK_ADDR_REQ, payload, "NWK_addr_req")
        return cls(eui64, bool(kind), start)


class IeeeAddressRequest(NamedTuple):
    """IEEE_addr_req: whose EUI-64 is wanted."""

    short: int
    extended: bool = False
    start_index: int = 0

    def encode(self) -> bytes:
        """Return the payload."""
        return _IEEE_ADDR_REQ.pack(*self)

    @classmethod
    def decode(cls, payload: bytes) -> IeeeAddressRequest:
        """Read the payload; raises `FrameError`."""
        short, kind, start = read(_IEEE_ADDR_REQ, payload, "IEEE_addr_req")
        return cls(short, bool(kind), start)


class AddressResponse(NamedTuple):
    """NWK_addr_rsp and IEEE_addr_rsp; `children` is None in an answer to a single-device request."""

    status: int
    eui64: int
    short: int
    start_index: int = 0
    children: tuple[int, ...] | None = None

    def encode(self) -> bytes:
        """Return the payload."""
        head = _ADDRESS.pack(self.status, self.eui64, self.short)
        children = self.children
        if children is None:
            return head
        if not children:
            return head + b"\x00"
        return head + bytes((len(children), self.start_index)) + Struct(f"<{len(children)}H").pack(*children)

    @classmethod
    def decode(cls, payload: bytes) -> AddressResponse:
        """Read the payload; raises `FrameError`."""
        status, eui64, short = read(_ADDRESS, payload, "address response")
        rest = payload[_ADDRESS.size :]
        if not rest:
            return cls(status, eui64, short)
        if rest[0] == 0:
            return cls(status, eui64, short, 0, ())
        count, start = read(_TWO, rest, "address response")
        children = read(Struct(f"<{count}H"), rest, "address response", 2)
        return cls(status, eui64, short, start, children)


def short_request(short: int) -> bytes:
    """Return the payload of Node_Desc_req, Power_Desc_req or Active_EP_req."""
    return _SHORT.pack(short)


def simple_descriptor_request(short: int, endpoint: int) -> bytes:
    """Return the payload of Simple_Desc_req."""
    return _SHORT_BYTE.pack(short, endpoint)


class MatchDescriptorRequest(NamedTuple):
    """Match_Desc_req."""

    short: int
    profile: int
    input_clusters: tuple[int, ...]
    output_clusters: tuple[int, ...]

    def encode(self) -> bytes:
        """Return the payload."""
        inputs, outputs = self.input_clusters, self.output_clusters
        lists = Struct(f"<{len(inputs)}HB{len(outputs)}H").pack(*inputs, len(outputs), *outputs)
        return _MATCH.pack(self.short, self.profile, len(inputs)) + lists

    @classmethod
    def decode(cls, payload: bytes) -> MatchDescriptorRequest:
        """Read the payload; raises `FrameError`."""
        short, profile, count = read(_MATCH, payload, "Match_Desc_req")
        inputs = read(Struct(f"<{count}HB"), payload, "Match_Desc_req", _MATCH.size)
        offset = _MATCH.size + 2 * count + 1
        outputs = read(Struct(f"<{inputs[-1]}H"), payload, "Match_Desc_req", offset)
        return cls(short, profile, inputs[:-1], outputs)


class EndpointList(NamedTuple):
    """Active_EP_rsp and Match_Desc_rsp."""

    status: int
    short: int
    endpoints: tuple[int, ...]

    def encode(self) -> bytes:
        """Return the payload."""
        return (
            bytes((self.status,)) + _SHORT_BYTE.pack(self.short, len(self.endpoints)) + bytes(self.endpoints)
        )

    @classmethod
    def decode(cls, payload: bytes) -> EndpointList:
        """Read the payload; raises `FrameError`."""
        status, short, count = read(Struct("<BHB"), payload, "endpoint list")
        return cls(status, short, read(Struct(f"<{count}B"), payload, "endpoint list", 4))


class DescriptorResponse(NamedTuple):
    """Node_Desc_rsp, Power_Desc_rsp: `descriptor` is empty unless the status is SUCCESS."""

    status: int
    short: int
    descriptor: bytes = b""

    def encode(self) -> bytes:
        """Return the payload."""
        return bytes((self.status,)) + _SHORT.pack(self.short) + self.descriptor

    @classmethod
    def decode(cls, payload: bytes) -> DescriptorResponse:
        """Read the payload; raises `FrameError`."""
        status, short = read(Struct("<BH"), payload, "descriptor response")
        return cls(status, short, payload[3:])


class SimpleDescriptorResponse(NamedTuple):
    """Simple_Desc_rsp."""

    status: int
    short: int
    descriptor: SimpleDescriptor | None

    def encode(self) -> bytes:
        """Return the payload, in which the descriptor is preceded by its length."""
        octets = b"" if self.descriptor is None else self.descriptor.encode()
        return bytes((self.status,)) + _SHORT_BYTE.pack(self.short, len(octets)) + octets

    @classmethod
    def decode(cls, payload: bytes) -> SimpleDescriptorResponse:
        """Read the payload; raises `FrameError`."""
        status, short, length = read(Struct("<BHB"), payload, "Simple_Desc_rsp")
        descriptor = SimpleDescriptor.decode(payload[4 : 4 + length]) if length else None
        return cls(status, short, descriptor)


class DeviceAnnouncement(NamedTuple):
    """Device_annce; `capability` is the MAC capability octet."""

    short: int
    eui64: int
    capability: int

    def encode(self) -> bytes:
        """Return the payload."""
        return _ANNOUNCE.pack(*self)

    @classmethod
    def decode(cls, payload: bytes) -> DeviceAnnouncement:
        """Read the payload; raises `FrameError`."""
        short, eui64, capability = read(_ANNOUNCE, payload, "Device_annce")
        return cls(short, eui64, capability)


class Binding(NamedTuple):
    """Bind_req, Unbind_req and an entry of the binding table. `group` is set instead of a unicast
    destination.
    """

    source: int
    source_endpoint: int
    cluster: int
    destination: int
    destination_endpoint: int
    group: int | None = None

    def encode(self) -> bytes:
        """Return the payload."""
        head = self.source, self.source_endpoint, self.cluster
        if self.group is not None:
            return _BIND_GROUP.pack(*head, BIND_GROUP, self.group)
        return _BIND_UNICAST.pack(*head, BIND_UNICAST, self.destination, self.destination_endpoint)

    @classmethod
    def decode(cls, payload: bytes) -> Binding:
        """Read the payload; raises `FrameError`, also for an unknown address mode."""
        source, endpoint, cluster, mode, group = read(_BIND_GROUP, payload, "binding")
        if mode == BIND_GROUP:
            return cls(source, endpoint, cluster, 0, 0, group)
        if mode != BIND_UNICAST:
            raise FrameError(f"ZDO binding at offset 11: address mode {mode}, expected 1 or 3")
        *_, destination, destination_endpoint = read(_BIND_UNICAST, payload, "binding")
        return cls(source, endpoint, cluster, destination, destination_endpoint)

    @property
    def octets(self) -> int:
        """Length on the air."""
        return _BIND_UNICAST.size if self.group is None else _BIND_GROUP.size


class NeighbourEntry(NamedTuple):
    """One neighbour in Mgmt_Lqi_rsp. `device_type` and `relationship` as in 2.4.4.3.2; 2 bits for `rx_on`."""

    extended_pan_id: int
    eui64: int
    short: int
    device_type: int
    rx_on: int
    relationship: int
    permit_joining: int
    depth: int
    lqi: int


class RouteEntry(NamedTuple):
    """One route in Mgmt_Rtg_rsp; `status` 0 is active."""

    destination: int
    status: int
    next_hop: int


def mgmt_lqi_response(total: int, start: int, entries: tuple[NeighbourEntry, ...]) -> bytes:
    """Return the payload of a successful Mgmt_Lqi_rsp."""
    records = (
        _NEIGHBOUR.pack(
            entry.extended_pan_id,
            entry.eui64,
            entry.short,
            entry.device_type | entry.rx_on << 2 | entry.relationship << 4,
            entry.permit_joining,
            entry.depth,
            entry.lqi,
        )
        for entry in entries
    )
    return _TABLE.pack(ZdoStatus.SUCCESS, total, start, len(entries)) + b"".join(records)


def decode_mgmt_lqi(payload: bytes) -> tuple[int, tuple[NeighbourEntry, ...]]:
    """Return (entries in the whole table, entries here) of a Mgmt_Lqi_rsp; raises `FrameError`."""
    _, total, _, count = read(_TABLE, payload, "Mgmt_Lqi_rsp")
    entries = []
    for index in range(count):
        pan, eui64, short, flags, permit, depth, lqi = read(
            _NEIGHBOUR, payload, "Mgmt_Lqi_rsp", _TABLE.size + index * _NEIGHBOUR.size
        )
        entries.append(
            NeighbourEntry(
                pan, eui64, short, flags & 3, flags >> 2 & 3, flags >> 4 & 7, permit & 3, depth, lqi
            )
        )
    return total, tuple(entries)


def mgmt_routing_response(total: int, start: int, entries: tuple[RouteEntry, ...]) -> bytes:
    """Return the payload of a successful Mgmt_Rtg_rsp."""
    records = b"".join(_ROUTE.pack(*entry) for entry in entries)
    return _TABLE.pack(ZdoStatus.SUCCESS, total, start, len(entries)) + records


def mgmt_bind_response(total: int, start: int, entries: tuple[Binding, ...]) -> bytes:
    """Return the payload of a successful Mgmt_Bind_rsp."""
    records = b"".join(entry.encode() for entry in entries)
    return _TABLE.pack(ZdoStatus.SUCCESS, total, start, len(entries)) + records


def mgmt_leave_request(eui64: int, *, rejoin: bool = False, remove_children: bool = False) -> bytes:
    """Return the payload of Mgmt_Leave_req; EUI-64 0 means the receiver itself."""
    flags = (LEAVE_REJOIN if rejoin else 0) | (LEAVE_REMOVE_CHILDREN if remove_children else 0)
    return _LEAVE.pack(eui64, flags)


def decode_mgmt_leave(payload: bytes) -> tuple[int, int]:
    """Return (EUI-64, flags) of a Mgmt_Leave_req; raises `FrameError`."""
    eui64, flags = read(_LEAVE, payload, "Mgmt_Leave_req")
    return eui64, flags


def permit_joining_request(seconds: int, *, trust_centre_significance: bool = True) -> bytes:
    """Return the payload of Mgmt_Permit_Joining_req."""
    return bytes((seconds, trust_centre_significance))


def decode_permit_joining(payload: bytes) -> int:
    """Return the duration in seconds of a Mgmt_Permit_Joining_req; raises `FrameError`."""
    return read(_TWO, payload, "Mgmt_Permit_Joining_req")[0]


def decode_short(payload: bytes, what: str) -> int:
    """Return the address of interest that begins a descriptor request; raises `FrameError`."""
    return read(_SHORT, payload, what)[0]


def decode_simple_descriptor_request(payload: bytes) -> tuple[int, int]:
    """Return (address of interest, endpoint) of a Simple_Desc_req; raises `FrameError`."""
    short, endpoint = read(_SHORT_BYTE, payload, "Simple_Desc_req")
    return short, endpoint
