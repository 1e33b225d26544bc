"""What a hub answers to an operation of its head end: one record each.

A record's fields are the message's JSON fields; octets are hexadecimal there, and a field that is None by default is
left out. Devices are EUI-64s as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hw_profiles.records import Json


@dataclass(frozen=True)
class Done:
    """The operation was carried out, and there is nothing more to say."""


@dataclass(frozen=True)
class AttributeValue:
    """One attribute as a device answered: a ZCL type and value, or the name of a status that is not 0."""

    status: int
    name: str | None = None
    type: str | None = None
    value: Json = None


@dataclass(frozen=True)
class AttributeValues:
    """Attributes by their identifiers, four hexadecimal digits."""

    values: Mapping[str, AttributeValue]


@dataclass(frozen=True)
class CommandStatus:
    """The ZCL status of a write or command, and the cluster command that answered it, if one did."""

    status: int
    name: str
    command: int | None = None
    payload: bytes | None = None


@dataclass(frozen=True)
class TransferCounts:
    """What the hub counted of one transfer, repeats included; nothing of it is computed."""

    blocks_sent: int
    blocks_repeated: int
    """Those of them that began with octets sent before."""
    timeouts: int
    """Requests for the very block sent last."""
    silences: int
    octets_carried: int
    """Image octets sent, those of repeated blocks again."""
    max_block: int
    reached: int
    """Octets of the image sent at least once."""


@dataclass(frozen=True)
class JobStatus:
    """The firmware job of a device; state `none`, and nothing else, when it has none."""

    device: str
    state: str
    key: tuple[int, int, int] | None = None
    """Manufacturer, image type and version of the image."""
    offset: int | None = None
    attempts: int | None = None
    detail: str | None = None
    outcome: str | None = None
    transfer: TransferCounts | None = None
    device_status: str | None = None


@dataclass(frozen=True)
class ListedDevice:
    """A device on the hub's list: its short address and when it was last heard (Unix seconds)."""

    device: str
    short: int | None
    last_seen: int | None


@dataclass(frozen=True)
class MirrorInUse:
    """An endpoint that mirrors a sleepy meter, and when that last reported (Unix seconds)."""

    device: str
    endpoint: int
    last_report: int | None


@dataclass(frozen=True)
class HubStatus:
    """The hub's own view of the home."""

    eui64: str
    firmware: int
    pan_id: int
    channel: int
    devices: tuple[ListedDevice, ...]
    mirrors: tuple[MirrorInUse, ...]
    jobs: tuple[JobStatus, ...]


@dataclass(frozen=True)
class EndpointFound:
    """A simple descriptor."""

    endpoint: int
    device: int
    server: tuple[int, ...]
    client: tuple[int, ...]


@dataclass(frozen=True)
class DeviceFound:
    """Descriptors and identity of a device as it answers now."""

    device: str
    short: int
    manufacturer: int
    type: int
    """The logical type: coordinator, router or end device."""
    sleepy: bool
    endpoints: tuple[EndpointFound, ...]
    basic: Mapping[str, AttributeValue] | None = None
    ota: Mapping[str, AttributeValue] | None = None


@dataclass(frozen=True)
class LinkHeard:
    """How well `device` hears `peer`, and what the peer is to it."""

    device: str
    peer: str
    lqi: int
    relationship: str
    type: int


@dataclass(frozen=True)
class LinksHeard:
    """Every link that a router reported; `silent` are the routers that did not answer."""

    links: tuple[LinkHeard, ...]
    silent: tuple[str, ...]


@dataclass(frozen=True)
class MirroredValue:
    """A mirrored value and when it came (Unix seconds)."""

    value: Json
    unix: int


@dataclass(frozen=True)
class MirrorContents:
    """What a mirror holds, by `cluster/attribute` in hexadecimal digits."""

    endpoint: int
    last_report: int | None
    values: Mapping[str, MirroredValue]


@dataclass(frozen=True)
class LoggedEvent:
    """An entry of an event log."""

    number: int
    unix_seconds: int
    code: int
    event: str
    detail: str


@dataclass(frozen=True)
class LoggedEvents:
    """Entries of an event log, oldest first."""

    entries: tuple[LoggedEvent, ...]


@dataclass(frozen=True)
class ControlAnswer:
    """A device's response to a control envelope."""

    response: bytes


@dataclass(frozen=True)
class ImageState:
    """How many octets of an image the hub holds, and whether it was checked and stored."""

    held: int
    complete: bool


@dataclass(frozen=True)
class ImageHeld:
    """How many octets of an image the hub holds."""

    held: int


@dataclass(frozen=True)
class ImageStored:
    """Manufacturer, image type and version of an image that is complete."""

    key: tuple[int, int, int]


@dataclass(frozen=True)
class KeySequence:
    """The sequence number of the network key that is coming."""

    sequence: int
