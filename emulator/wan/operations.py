"""What a head end can ask of a hub: one record for each operation, and the messages that carry it and its result.

A record's fields are the message's JSON fields, except its attachment; octets are hexadecimal there, and a field that
is None by default is left out. The hub, the head end and the doubles of both in the tests share these records, so that
neither side knows an operation by its name. Devices are EUI-64s as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from emulator.errors import RecordError
from emulator.wan.messages import WanError, WanMessage, decode, encode
from emulator.wan.results import (
    AttributeValues,
    CommandStatus,
    ControlAnswer,
    DeviceFound,
    Done,
    HubStatus,
    ImageHeld,
    ImageState,
    ImageStored,
    JobStatus,
    KeySequence,
    LinksHeard,
    LoggedEvents,
    MirrorContents,
)
from emulator.zcl.values import NO_TIME, UNIX_TO_ZIGBEE
from hw_profiles import records
from hw_profiles.bounds import U8, U16, U32, Range, Sha256
from hw_profiles.records import Json

ERROR_TEXT_MAX = 250

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
    block: Annotated[int, Range(1, 255)]
    period_ms: Annotated[int, Range(0, 0xFFFF * 1000)]


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
    at: Annotated[int, Range(0, UNIX_TO_ZIGBEE + NO_TIME - 1)] = 0


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


OPERATIONS: Mapping[str, type[Operation[Any]]] = {each.NAME: each for each in Operation.__subclasses__()}


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
        return records.decode(kind, fields, kind.NAME, RecordError)
    return records.decode(kind, fields, kind.NAME, RecordError, {kind.ATTACHMENT: message.attachment})


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
    result: R = records.decode(operation.RESULT, fields.get("ok"), operation.NAME, RecordError)
    return result
