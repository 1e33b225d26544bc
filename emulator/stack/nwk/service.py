"""What the NWK layer shows to the layer above: its listener, its records and its named constants.

Values are those of ZigBee PRO chapter 3 (NIB attributes 3.5.2, status codes 3.4.3.3).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, Protocol

from emulator.stack.primitives import JoinKind, NldeIndication

MILLISECOND = 1_000
SECOND = 1_000_000


class NodeType(IntEnum):
    """Logical device type, with the values of the ZDO node descriptor (2.3.2.3.1)."""

    COORDINATOR = 0
    ROUTER = 1
    END_DEVICE = 2


class Capability:
    """Bits of the MAC capability information field (802.15.4 association request)."""

    FULL_FUNCTION = 0x02
    MAINS_POWERED = 0x04
    RX_ON_WHEN_IDLE = 0x08
    ALLOCATE_ADDRESS = 0x80


class NetworkStatus(IntEnum):
    """Network Status command codes (3.4.3.3.1), also given to `NwkListener.nwk_status`."""

    NO_ROUTE_AVAILABLE = 0x00
    NON_TREE_LINK_FAILURE = 0x02
    PARENT_LINK_FAILURE = 0x09
    SOURCE_ROUTE_FAILURE = 0x0B
    MANY_TO_ONE_ROUTE_FAILURE = 0x0C
    ADDRESS_CONFLICT = 0x0D
    PAN_ID_UPDATE = 0x0F
    ADDRESS_UPDATE = 0x10


class ParentCandidate(NamedTuple):
    """A router or coordinator whose beacon was heard."""

    short_address: int
    lqi: int
    permit_joining: bool
    depth: int
    router_capacity: bool
    end_device_capacity: bool
    update_id: int


class Network(NamedTuple):
    """One network found by a scan; `parents` are in falling order of link quality."""

    channel: int
    pan_id: int
    extended_pan_id: int
    parents: tuple[ParentCandidate, ...]

    @property
    def permit_joining(self) -> bool:
        """Whether any parent heard admits new devices."""
        return any(parent.permit_joining for parent in self.parents)


class NwkTiming(NamedTuple):
    """Every duration and bound of the layer, so that scenarios may change them. Times in microseconds."""

    link_status_period_us: int = 15 * SECOND
    router_age_limit: int = 3
    neighbour_forget_periods: int = 40
    broadcast_delivery_us: int = 9 * SECOND
    broadcast_jitter_us: int = 64 * MILLISECOND
    passive_ack_us: int = 500 * MILLISECOND
    broadcast_retries: int = 2
    route_request_interval_us: int = 1 * SECOND
    route_request_attempts: int = 3
    route_discovery_us: int = 10 * SECOND
    route_idle_us: int = 900 * SECOND
    join_indication_us: int = 600 * MILLISECOND
    response_wait_us: int = 500 * MILLISECOND
    unauthenticated_child_us: int = 20 * SECOND
    end_device_timeout: int = 8
    missed_polls: int = 3
    poll_long_us: int = 300 * SECOND
    poll_short_us: int = 1 * SECOND
    wake_us: int = 3 * SECOND
    max_children: int = 32
    max_routes: int = 64
    max_pending_per_route: int = 16


class NwkListener(Protocol):
    """The layer above, as NWK sees it."""

    def nwk_data(self, indication: NldeIndication) -> None:
        """NLDE-DATA.indication: an NSDU for this node."""

    def nwk_joined(self, eui64: int, short: int, kind: JoinKind, parent_is_self: bool) -> None:
        """NLME-JOIN.indication: a device joined or rejoined through this router."""

    def nwk_left(self, eui64: int, short: int, rejoin: bool) -> None:
        """NLME-LEAVE.indication for another device: it said so, or it was a child and aged out."""

    def nwk_leave_self(self, rejoin: bool) -> None:
        """This node was told to leave, or its own leave has been carried out."""

    def nwk_channel_changed(self, channel: int) -> None:
        """The network is on another channel now."""

    def nwk_key_changed(self, sequence: int) -> None:
        """The network key with this sequence number is in use now."""

    def nwk_key_missed(self, sequence: int) -> None:
        """The parent speaks under a key with this sequence number, which this node does not hold."""

    def nwk_status(self, short: int, code: int) -> None:
        """NLME-NWK-STATUS.indication; `code` is a `NetworkStatus`."""
