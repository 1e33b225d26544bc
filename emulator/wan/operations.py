"""What a head end can ask of a hub, what the hub answers, and what it tells unasked: one record each.

A record's fields are the message's JSON fields, except its attachment; octets are hexadecimal there, and a field that
is None by default is left out. The hub, the head end and the doubles of both in the tests share these records, so that
neither side knows an operation by its name. Devices are EUI-64s as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from emulator import records
from emulator.errors import FrameError, RecordError
from emulator.records import Between, Json
from emulator.wan.messages import WanError, WanMessage, decode, encode
from emulator.zcl.values import NO_TIME, UNIX_TO_ZIGBEE

U8 = Annotated[int, Between(0, 0xFF)]
U16 = Annotated[int, Between(0, 0xFFFF)]
U32 = Annotated[int, Between(0, 0xFFFFFFFF)]
Sha256 = Annotated[str, Between(64, 64)]
"""The hash of an image, 64 hexadecimal digits."""
ERROR_TEXT_MAX = 250

# Results


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


# Operations

R = TypeVar("R")


@dataclass(frozen=True)
class Operation(Generic[R]):
    """Something a head end asks of the hub; `R` is the record of its result."""

    NAME: ClassVar[str]
    RESULT: ClassVar[type[Any]]
    CRITICAL: ClassVar[bool] = False
    """Whether it needs the critical control key."""
    ASKS_DEVICE: ClassVar[bool] = False
    """Whether a device of the home must answer first; a sleepy one takes long."""
    ATTACHMENT: ClassVar[str | None] = None
    """The field that travels as the message's attachment."""


@dataclass(frozen=True)
class Status(Operation[HubStatus]):
    """Tell the hub's own view of the home."""

    NAME = "status"
    RESULT = HubStatus


@dataclass(frozen=True)
class Discover(Operation[DeviceFound]):
    """Ask a device what it is."""

    NAME = "discover"
    RESULT = DeviceFound
    ASKS_DEVICE = True
    device: str


@dataclass(frozen=True)
class Topology(Operation[LinksHeard]):
    """Ask every router whom it hears."""

    NAME = "topology"
    RESULT = LinksHeard


@dataclass(frozen=True)
class Read(Operation[AttributeValues]):
    """Read attributes of a device; `from_server` reads the client's side of a cluster."""

    NAME = "read"
    RESULT = AttributeValues
    ASKS_DEVICE = True
    device: str
    endpoint: U8
    cluster: U16
    attributes: tuple[U16, ...]
    from_server: bool = False


@dataclass(frozen=True)
class Write(Operation[CommandStatus]):
    """Write one attribute; `type` is the ZCL type's name, octets are hexadecimal."""

    NAME = "write"
    RESULT = CommandStatus
    ASKS_DEVICE = True
    device: str
    endpoint: U8
    cluster: U16
    attribute: U16
    type: str
    value: Json


@dataclass(frozen=True)
class Command(Operation[CommandStatus]):
    """Send a cluster command; `answer` is the command that answers it, None for a Default Response."""

    NAME = "command"
    RESULT = CommandStatus
    ASKS_DEVICE = True
    device: str
    endpoint: U8
    cluster: U16
    command: U8
    payload: bytes
    answer: U8 | None = None


@dataclass(frozen=True)
class Mirror(Operation[MirrorContents]):
    """Tell what the mirror of a sleepy meter holds."""

    NAME = "mirror"
    RESULT = MirrorContents
    device: str


@dataclass(frozen=True)
class Permit(Operation[Done]):
    """List a device with its install code and open the network."""

    NAME = "permit"
    RESULT = Done
    device: str
    install_code: bytes
    seconds: U16


@dataclass(frozen=True)
class ReadLog(Operation[LoggedEvents]):
    """Tell the hub's own event log from number `since` on."""

    NAME = "read_log"
    RESULT = LoggedEvents
    since: U32 = 0


@dataclass(frozen=True)
class DeviceLog(Operation[LoggedEvents]):
    """Fetch a device's event log from number `since` on."""

    NAME = "device_log"
    RESULT = LoggedEvents
    ASKS_DEVICE = True
    device: str
    endpoint: U8 = 1
    since: U32 = 0


@dataclass(frozen=True)
class Control(Operation[ControlAnswer]):
    """Relay somebody's control envelope to a device."""

    NAME = "control"
    RESULT = ControlAnswer
    ASKS_DEVICE = True
    device: str
    envelope: bytes
    endpoint: U8 = 1


@dataclass(frozen=True)
class ImageBegin(Operation[ImageState]):
    """Announce an image."""

    NAME = "image_begin"
    RESULT = ImageState
    sha256: Sha256
    size: U32
    name: str


@dataclass(frozen=True)
class ImageData(Operation[ImageHeld]):
    """Bring the next octets of an image."""

    NAME = "image_data"
    RESULT = ImageHeld
    ATTACHMENT = "data"
    sha256: Sha256
    offset: U32
    data: bytes


@dataclass(frozen=True)
class ImageCommit(Operation[ImageStored]):
    """Have a complete image checked and stored."""

    NAME = "image_commit"
    RESULT = ImageStored
    sha256: Sha256


@dataclass(frozen=True)
class Schedule(Operation[JobStatus]):
    """Let a device download an image in blocks of `block` octets, and hold its activation."""

    NAME = "schedule"
    RESULT = JobStatus
    device: str
    sha256: Sha256
    block: Annotated[int, Between(1, 255)]
    period_ms: Annotated[int, Between(0, 0xFFFF * 1000)]


@dataclass(frozen=True)
class Job(Operation[JobStatus]):
    """Tell the job of a device."""

    NAME = "job"
    RESULT = JobStatus
    device: str


@dataclass(frozen=True)
class Release(Operation[JobStatus]):
    """Let a device activate its image at a time in Unix seconds, now when that is 0."""

    NAME = "release"
    RESULT = JobStatus
    CRITICAL = True
    device: str
    at: Annotated[int, Between(0, UNIX_TO_ZIGBEE + NO_TIME - 1)] = 0


@dataclass(frozen=True)
class Withdraw(Operation[JobStatus]):
    """Cancel a job that is not over."""

    NAME = "withdraw"
    RESULT = JobStatus
    CRITICAL = True
    device: str


@dataclass(frozen=True)
class NetworkKey(Operation[KeySequence]):
    """Give the home a new network key."""

    NAME = "network_key"
    RESULT = KeySequence
    CRITICAL = True


# Alerts


@dataclass(frozen=True)
class Alert:
    """Something the hub tells unasked, about a device."""

    NAME: ClassVar[str]
    device: str


@dataclass(frozen=True)
class TransferStarted(Alert):
    """A device began to download an image at `offset`."""

    NAME = "transfer-started"
    version: int
    offset: int


@dataclass(frozen=True)
class TransferProgress(Alert):
    """How far a download has come, in octets."""

    NAME = "transfer-progress"
    version: int
    offset: int
    size: int


@dataclass(frozen=True)
class TransferAttemptFailed(Alert):
    """A device gave a download up with a ZCL status."""

    NAME = "transfer-attempt-failed"
    version: int
    status: int
    status_name: str


@dataclass(frozen=True)
class JobOutcome(Alert):
    """A job came to an end, or to the end of its transfer; `silent_ms` is how long an activating device was quiet."""

    NAME = "job-outcome"
    version: int
    outcome: str
    detail: str
    transfer: TransferCounts
    device_status: str
    silent_ms: int | None = None


@dataclass(frozen=True)
class DeviceJoined(Alert):
    """A device joined or rejoined the network."""

    NAME = "device-joined"


@dataclass(frozen=True)
class DeviceLeft(Alert):
    """A device left the network."""

    NAME = "device-left"


@dataclass(frozen=True)
class DeviceRemoved(Alert):
    """The hub told a device to leave."""

    NAME = "device-removed"
    detail: str


OPERATIONS: Mapping[str, type[Operation[Any]]] = {each.NAME: each for each in Operation.__subclasses__()}
ALERTS: Mapping[str, type[Alert]] = {each.NAME: each for each in Alert.__subclasses__()}

# The codec


def encode_operation(operation: Operation[Any]) -> bytes:
    """Return the message that asks for an operation."""
    fields = records.encode(operation, sparse=True)
    attachment = b""
    if operation.ATTACHMENT is not None:
        del fields[operation.ATTACHMENT]
        attachment = getattr(operation, operation.ATTACHMENT)
    return encode(WanMessage({"op": operation.NAME, **fields}, attachment))


def kind_of(message: WanMessage) -> type[Operation[Any]]:
    """Return which operation a message asks for; raises `WanError` for one that there is not."""
    name = message.fields.get("op")
    kind = OPERATIONS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise WanError("unknown-operation", f"the hub has no operation {name!r}")
    return kind


def decode_operation(message: WanMessage) -> Operation[Any]:
    """Read what a message asks for; raises `WanError` (unknown operation) or `RecordError`."""
    kind = kind_of(message)
    fields = {name: value for name, value in message.fields.items() if name != "op"}
    if kind.ATTACHMENT is None:
        if message.attachment:
            raise RecordError(f"{kind.NAME}: {len(message.attachment)} octets attached, expected none")
        return records.decode(kind, fields, kind.NAME)
    besides = frozenset({kind.ATTACHMENT})
    arguments = records.decode_fields(kind, fields, kind.NAME, besides=besides)
    return kind(**arguments, **{kind.ATTACHMENT: message.attachment})


def encode_result(result: object) -> bytes:
    """Return the answer that holds the record of a result."""
    return encode(WanMessage({"ok": records.encode(result, sparse=True)}))


def encode_failure(code: str, text: str) -> bytes:
    """Return the answer that says why an operation was not carried out."""
    return encode(WanMessage({"error": {"code": code, "text": text[:ERROR_TEXT_MAX]}}))


def decode_result(operation: Operation[R], octets: bytes) -> R:
    """Read the answer to an operation; raises the hub's `WanError`, or `FrameError` or `RecordError`."""
    fields = decode(octets).fields
    error = fields.get("error")
    if isinstance(error, dict):
        raise WanError(str(error.get("code")), str(error.get("text")))
    result: R = records.decode(operation.RESULT, fields.get("ok"), operation.NAME)
    return result


def encode_alert(alert: Alert) -> bytes:
    """Return the message of an alert."""
    return encode(WanMessage({"alert": alert.NAME, **records.encode(alert, sparse=True)}))


def decode_alert(octets: bytes) -> Alert | None:
    """Read an alert; None for octets that are none, or none that this version knows."""
    try:
        fields = dict(decode(octets).fields)
        kind = ALERTS.get(str(fields.pop("alert", None)))
        return None if kind is None else records.decode(kind, fields, kind.NAME)
    except (FrameError, RecordError):
        return None
