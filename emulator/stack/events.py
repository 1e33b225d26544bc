"""What a node tells the application about its network: frozen records, handed to `Node.on_event` as they
happen.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import NamedTuple

from emulator.stack.primitives import JoinKind, NetworkParameters, Status


class KeyKind(IntEnum):
    """What a link key is, in the order of a device's life."""

    PRECONFIGURED = 0
    """From an install code or set at the factory: good for joining only in Smart Energy."""
    UNVERIFIED = 1
    """Transported by the trust centre, not yet proved by Verify-Key."""
    VERIFIED = 2
    """A trust centre link key proved by Verify-Key and Confirm-Key."""
    CBKE = 3
    """Agreed by certificate-based key establishment."""
    APPLICATION = 4
    """Given by the trust centre to a pair of devices."""


class DownReason(Enum):
    """Why a node stopped being on a network."""

    LEFT = "left"
    REMOVED = "removed"


class NetworkUp(NamedTuple):
    """This node is on a network and holds its key. `rejoined` tells a return from a first join."""

    parameters: NetworkParameters
    rejoined: bool


class NetworkDown(NamedTuple):
    """This node is no longer on a network."""

    reason: DownReason


class JoinFailed(NamedTuple):
    """A join or rejoin came to nothing; the node holds what it held before."""

    status: Status
    rejoin: bool


class DeviceJoined(NamedTuple):
    """Trust centre: a device joined or rejoined and was let in. `parent` is the short address it came
    through.
    """

    eui64: int
    short: int
    kind: JoinKind
    parent: int


class DeviceRefused(NamedTuple):
    """Trust centre: a device was turned away, and why."""

    eui64: int
    short: int
    reason: str


class DeviceLeft(NamedTuple):
    """A device left, or its parent lost it."""

    eui64: int
    short: int
    rejoin: bool


class DeviceAnnounced(NamedTuple):
    """A Device_annce was heard. `capability` is the MAC capability octet."""

    eui64: int
    short: int
    capability: int


class NetworkKeyChanged(NamedTuple):
    """The network key with this sequence number is in use now."""

    sequence: int


class LinkKeyChanged(NamedTuple):
    """The link key shared with `eui64` is a new one."""

    eui64: int
    kind: KeyKind


class LinkKeyRefused(NamedTuple):
    """The trust centre did not confirm the link key that this node proved (Confirm-Key status)."""

    eui64: int
    status: int


class LeaveRequested(NamedTuple):
    """Somebody told this node to leave. `obeyed` tells whether it did."""

    source_eui64: int | None
    rejoin: bool
    obeyed: bool


class ApsSecurityFailure(NamedTuple):
    """A frame from `source` failed APS security; `reason` says which check."""

    source: int
    reason: str


class ChannelChanged(NamedTuple):
    """The network, and this node with it, is on another channel now."""

    channel: int


class PanIdChanged(NamedTuple):
    """The network, and this node with it, has another PAN identifier now."""

    pan_id: int


class NetworkKeyMissed(NamedTuple):
    """A neighbour speaks under a network key that this node does not hold: it may have slept through an update."""

    sequence: int


class ParentLost(NamedTuple):
    """The parent of this end device no longer answers polls."""


StackEvent = (
    NetworkUp
    | NetworkDown
    | JoinFailed
    | DeviceJoined
    | DeviceRefused
    | DeviceLeft
    | DeviceAnnounced
    | NetworkKeyChanged
    | LinkKeyChanged
    | LinkKeyRefused
    | LeaveRequested
    | ApsSecurityFailure
    | ChannelChanged
    | NetworkKeyMissed
    | PanIdChanged
    | ParentLost
)
"""Everything `Node.on_event` may be called with."""
