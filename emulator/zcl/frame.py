"""The ZCL frame: header codec on raw octets, general command identifiers and status values.

This is the hot path below zigpy's parser: `parse` and `build` cost about a microsecond each. Every other part
of the library works on the `ZclFrame` record they exchange.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from emulator.errors import FrameError

CLUSTER_COMMAND = 0x01
MANUFACTURER_SPECIFIC = 0x04
SERVER_TO_CLIENT = 0x08
DISABLE_DEFAULT_RESPONSE = 0x10

_FRAME_TYPE = 0x03
_MANUFACTURER = Struct("<H")
_MANUFACTURER_HEADER = Struct("<BHBB")


class ZclStatus(IntEnum):
    """ZCL status values; those of 0x95-0x99 belong to the OTA upgrade cluster."""

    SUCCESS = 0x00
    FAILURE = 0x01
    NOT_AUTHORIZED = 0x7E
    RESERVED_FIELD_NOT_ZERO = 0x7F
    MALFORMED_COMMAND = 0x80
    UNSUP_CLUSTER_COMMAND = 0x81
    UNSUP_GENERAL_COMMAND = 0x82
    UNSUP_MANUF_CLUSTER_COMMAND = 0x83
    UNSUP_MANUF_GENERAL_COMMAND = 0x84
    INVALID_FIELD = 0x85
    UNSUPPORTED_ATTRIBUTE = 0x86
    INVALID_VALUE = 0x87
    READ_ONLY = 0x88
    INSUFFICIENT_SPACE = 0x89
    DUPLICATE_EXISTS = 0x8A
    NOT_FOUND = 0x8B
    UNREPORTABLE_ATTRIBUTE = 0x8C
    INVALID_DATA_TYPE = 0x8D
    INVALID_SELECTOR = 0x8E
    WRITE_ONLY = 0x8F
    ACTION_DENIED = 0x93
    TIMEOUT = 0x94
    ABORT = 0x95
    INVALID_IMAGE = 0x96
    WAIT_FOR_DATA = 0x97
    NO_IMAGE_AVAILABLE = 0x98
    REQUIRE_MORE_IMAGE = 0x99
    NOTIFICATION_PENDING = 0x9A
    HARDWARE_FAILURE = 0xC0
    SOFTWARE_FAILURE = 0xC1
    UNSUPPORTED_CLUSTER = 0xC3


def status_name(status: int) -> str:
    """Return the name of a status, or its number for one the ZCL does not define."""
    try:
        return ZclStatus(status).name
    except ValueError:
        return f"0x{status:02X}"


class GeneralCommand(IntEnum):
    """General (foundation) command identifiers (ZCL 2.4)."""

    READ_ATTRIBUTES = 0x00
    READ_ATTRIBUTES_RESPONSE = 0x01
    WRITE_ATTRIBUTES = 0x02
    WRITE_ATTRIBUTES_UNDIVIDED = 0x03
    WRITE_ATTRIBUTES_RESPONSE = 0x04
    WRITE_ATTRIBUTES_NO_RESPONSE = 0x05
    CONFIGURE_REPORTING = 0x06
    CONFIGURE_REPORTING_RESPONSE = 0x07
    READ_REPORTING_CONFIGURATION = 0x08
    READ_REPORTING_CONFIGURATION_RESPONSE = 0x09
    REPORT_ATTRIBUTES = 0x0A
    DEFAULT_RESPONSE = 0x0B
    DISCOVER_ATTRIBUTES = 0x0C
    DISCOVER_ATTRIBUTES_RESPONSE = 0x0D
    DISCOVER_COMMANDS_RECEIVED = 0x11
    DISCOVER_COMMANDS_RECEIVED_RESPONSE = 0x12
    DISCOVER_COMMANDS_GENERATED = 0x13
    DISCOVER_COMMANDS_GENERATED_RESPONSE = 0x14
    DISCOVER_ATTRIBUTES_EXTENDED = 0x15
    DISCOVER_ATTRIBUTES_EXTENDED_RESPONSE = 0x16


class ZclFrame(NamedTuple):
    """One ZCL frame: header fields and the payload octets after them."""

    frame_control: int
    manufacturer: int | None
    tsn: int
    command: int
    payload: bytes

    @property
    def is_cluster_command(self) -> bool:
        """Whether the command is specific to the cluster, rather than a general one."""
        return self.frame_control & _FRAME_TYPE == CLUSTER_COMMAND

    @property
    def is_from_server(self) -> bool:
        """Whether the frame travels from the server side of the cluster to the client side."""
        return bool(self.frame_control & SERVER_TO_CLIENT)

    @property
    def wants_default_response(self) -> bool:
        """Whether success, too, is to be answered by a Default Response."""
        return not self.frame_control & DISABLE_DEFAULT_RESPONSE


def parse(asdu: bytes) -> ZclFrame:
    """Split an ASDU into the ZCL header and payload (ZCL 2.4.1).

    Raises `FrameError` when the ASDU is shorter than its header or the frame type is reserved.
    """
    if len(asdu) < 3:
        raise FrameError(f"ZCL: frame of {len(asdu)} octets, expected a header of at least 3")
    control = asdu[0]
    if control & 0x02:
        raise FrameError(f"ZCL: reserved frame type {control & _FRAME_TYPE} at offset 0, expected 0 or 1")
    if not control & MANUFACTURER_SPECIFIC:
        return ZclFrame(control, None, asdu[1], asdu[2], asdu[3:])
    if len(asdu) < 5:
        raise FrameError(f"ZCL: manufacturer-specific frame of {len(asdu)} octets, expected at least 5")
    return ZclFrame(control, _MANUFACTURER.unpack_from(asdu, 1)[0], asdu[3], asdu[4], asdu[5:])


def try_parse(asdu: bytes) -> ZclFrame | None:
    """Split an ASDU, or return None for one whose header says nothing of whom or what to answer."""
    try:
        return parse(asdu)
    except FrameError:
        return None


def build(
    frame_control: int, tsn: int, command: int, payload: bytes = b"", manufacturer: int | None = None
) -> bytes:
    """Return the octets of a ZCL frame; a `manufacturer` sets the manufacturer-specific bit itself."""
    if manufacturer is None:
        return bytes((frame_control & ~MANUFACTURER_SPECIFIC, tsn, command)) + payload
    header = _MANUFACTURER_HEADER.pack(frame_control | MANUFACTURER_SPECIFIC, manufacturer, tsn, command)
    return header + payload


def cluster_request(tsn: int, command: int, payload: bytes = b"", *, from_server: bool = False) -> bytes:
    """Return a cluster-specific command that asks for a Default Response where no other answer exists."""
    return bytes((CLUSTER_COMMAND | (SERVER_TO_CLIENT if from_server else 0), tsn, command)) + payload


def cluster_response(request: ZclFrame, command: int, payload: bytes = b"") -> bytes:
    """Return the cluster-specific answer to `request`: opposite direction, same transaction."""
    control = CLUSTER_COMMAND | DISABLE_DEFAULT_RESPONSE | (~request.frame_control & SERVER_TO_CLIENT)
    return build(control, request.tsn, command, payload, request.manufacturer)


def general_request(tsn: int, command: int, payload: bytes = b"", *, from_server: bool = False) -> bytes:
    """Return a general command in the given direction."""
    return bytes((SERVER_TO_CLIENT if from_server else 0, tsn, command)) + payload


def general_response(request: ZclFrame, command: int, payload: bytes) -> bytes:
    """Return the general answer to `request`: opposite direction, same transaction."""
    control = DISABLE_DEFAULT_RESPONSE | (~request.frame_control & SERVER_TO_CLIENT)
    return build(control, request.tsn, command, payload, request.manufacturer)


def default_response(request: ZclFrame, status: int) -> bytes:
    """Return the Default Response to `request` (ZCL 2.5.12)."""
    return general_response(request, GeneralCommand.DEFAULT_RESPONSE, bytes((request.command, status)))


def status_of(frame: ZclFrame) -> int:
    """Return the status in a Default Response, or the first in any other response; raises `FrameError`."""
    at = 1 if not frame.is_cluster_command and frame.command == GeneralCommand.DEFAULT_RESPONSE else 0
    if len(frame.payload) <= at:
        raise FrameError(f"ZCL response: {len(frame.payload)} octets, expected a status at offset {at}")
    return frame.payload[at]
