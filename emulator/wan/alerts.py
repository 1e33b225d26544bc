"""What a hub tells its head end unasked: one record each. Devices are EUI-64s as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from emulator.errors import FrameError, RecordError
from emulator.wan.messages import WanMessage, decode, encode
from emulator.wan.results import TransferCounts
from hw_profiles import records


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


ALERTS: Mapping[str, type[Alert]] = {each.NAME: each for each in Alert.__subclasses__()}


def encode_alert(alert: Alert) -> bytes:
    """Return the message of an alert."""
    return encode(WanMessage({"alert": alert.NAME, **records.encode(alert, sparse=True)}))


def decode_alert(octets: bytes) -> Alert | None:
    """Read an alert; None for octets that are none, or none that this version knows."""
    try:
        fields = dict(decode(octets).fields)
        kind = ALERTS.get(str(fields.pop("alert", None)))
        return None if kind is None else records.decode(kind, fields, kind.NAME, RecordError)
    except (FrameError, RecordError):
        return None
