"""Payload codecs of the OTA upgrade cluster 0x0019, on raw octets (fact sheet, OTA commands).

Each command is a frozen record with `pack` and a function `parse_...`. The two that move the image, Image
Block Request and Image Block Response, are meant for tens of thousands of calls: nothing goes through zigpy.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from emulator.errors import FrameError
from emulator.zcl.frame import ZclStatus

WILDCARD_MANUFACTURER = 0xFFFF
WILDCARD_IMAGE_TYPE = 0xFFFF
WILDCARD_VERSION = 0xFFFFFFFF
WAIT_FOREVER = 0xFFFFFFFF
"""Upgrade time meaning: wait until told, ask again at most an hour later."""
INVALID_TIME = 0xFFFFFFFF

_HARDWARE_VERSION = 0x01
_NODE_ADDRESS = 0x01
_MINIMUM_BLOCK_PERIOD = 0x02

_SUCCESS = int(ZclStatus.SUCCESS)
_WAIT_FOR_DATA = int(ZclStatus.WAIT_FOR_DATA)

KEY = Struct("<HHI")
_NOTIFY = (Struct("<BB"), Struct("<BBH"), Struct("<BBHH"), Struct("<BBHHI"))
_QUERY = Struct("<BHHI")
_U16 = Struct("<H")
_U64 = Struct("<Q")
_QUERY_RESPONSE = Struct("<BHHII")
_BLOCK_REQUEST = Struct("<BHHIIB")
_PAGE_REQUEST = Struct("<BHHIIBHH")
_BLOCK_RESPONSE = Struct("<BHHIIB")
_WAIT = Struct("<BII")
_END = Struct("<BHHI")
_END_RESPONSE = Struct("<HHIII")
_SPECIFIC = Struct("<QHHIH")

unpack_block_request = _BLOCK_REQUEST.unpack_from
pack_block_response = _BLOCK_RESPONSE.pack
unpack_block_response = _BLOCK_RESPONSE.unpack_from
BLOCK_HEADER = _BLOCK_RESPONSE.size


class OtaCommand(IntEnum):
    """Command identifiers of the cluster; even ones but 0x04, 0x06 and 0x08 come from the server."""

    IMAGE_NOTIFY = 0x00
    QUERY_NEXT_IMAGE_REQUEST = 0x01
    QUERY_NEXT_IMAGE_RESPONSE = 0x02
    IMAGE_BLOCK_REQUEST = 0x03
    IMAGE_PAGE_REQUEST = 0x04
    IMAGE_BLOCK_RESPONSE = 0x05
    UPGRADE_END_REQUEST = 0x06
    UPGRADE_END_RESPONSE = 0x07
    QUERY_SPECIFIC_FILE_REQUEST = 0x08
    QUERY_SPECIFIC_FILE_RESPONSE = 0x09


class ImageUpgradeStatus(IntEnum):
    """Values of attribute 0x0006."""

    NORMAL = 0
    DOWNLOAD_IN_PROGRESS = 1
    DOWNLOAD_COMPLETE = 2
    WAITING_TO_UPGRADE = 3
    COUNT_DOWN = 4
    WAIT_FOR_MORE = 5
    WAITING_VIA_EXTERNAL_EVENT = 6


class ImageKey(NamedTuple):
    """What identifies an image on the air: manufacturer code, image type and file version."""

    manufacturer: int
    image_type: int
    version: int

    def matches(self, other: ImageKey) -> bool:
        """Whether `other` names this image, its wildcards (all ones) allowed."""
        return (
            other.manufacturer in {self.manufacturer, WILDCARD_MANUFACTURER}
            and other.image_type in {self.image_type, WILDCARD_IMAGE_TYPE}
            and other.version in {self.version, WILDCARD_VERSION}
        )

    def __str__(self) -> str:
        return f"0x{self.manufacturer:04X}/0x{self.image_type:04X} version 0x{self.version:08X}"


class ImageNotify(NamedTuple):
    """Image Notify; fields after the jitter (1-100) are present from the left, as far as known."""

    jitter: int
    manufacturer: int | None = None
    image_type: int | None = None
    version: int | None = None

    def pack(self) -> bytes:
        """Return the payload octets; the payload type follows from the fields present."""
        fields = [field for field in self if field is not None]
        return _NOTIFY[len(fields) - 1].pack(len(fields) - 1, *fields)


class QueryNextImageRequest(NamedTuple):
    """Query Next Image Request; `version` is the version the client runs."""

    key: ImageKey
    hardware_version: int | None = None

    def pack(self) -> bytes:
        """Return the payload octets."""
        if self.hardware_version is None:
            return _QUERY.pack(0, *self.key)
        return _QUERY.pack(_HARDWARE_VERSION, *self.key) + _U16.pack(self.hardware_version)


class QueryNextImageResponse(NamedTuple):
    """Query Next Image Response, and Query Specific File Response, which has the same shape."""

    status: int
    key: ImageKey | None = None
    size: int = 0

    def pack(self) -> bytes:
        """Return the payload octets; only SUCCESS carries an image."""
        if self.key is None:
            return bytes((self.status,))
        return _QUERY_RESPONSE.pack(self.status, *self.key, self.size)


class ImageBlockRequest(NamedTuple):
    """Image Block Request: up to `maximum` octets from `offset` of the file."""

    key: ImageKey
    offset: int
    maximum: int
    node_address: int | None = None
    minimum_block_period: int | None = None

    def pack(self) -> bytes:
        """Return the payload octets."""
        control = 0
        tail = b""
        if self.node_address is not None:
            control |= _NODE_ADDRESS
            tail += _U64.pack(self.node_address)
        if self.minimum_block_period is not None:
            control |= _MINIMUM_BLOCK_PERIOD
            tail += _U16.pack(self.minimum_block_period)
        return _BLOCK_REQUEST.pack(control, *self.key, self.offset, self.maximum) + tail


class ImagePageRequest(NamedTuple):
    """Image Page Request: a page of blocks sent `spacing_ms` apart."""

    key: ImageKey
    offset: int
    maximum: int
    page_size: int
    spacing_ms: int
    node_address: int | None = None

    def pack(self) -> bytes:
        """Return the payload octets."""
        control, tail = (0, b"") if self.node_address is None else (1, _U64.pack(self.node_address))
        fields = (self.offset, self.maximum, self.page_size, self.spacing_ms)
        return _PAGE_REQUEST.pack(control, *self.key, *fields) + tail


class ImageBlock(NamedTuple):
    """Image Block Response with status SUCCESS."""

    key: ImageKey
    offset: int
    data: bytes

    def pack(self) -> bytes:
        """Return the payload octets."""
        return _BLOCK_RESPONSE.pack(_SUCCESS, *self.key, self.offset, len(self.data)) + self.data


class WaitForData(NamedTuple):
    """Image Block Response with status WAIT_FOR_DATA; with `current_time` 0, `request_time` is a delay in s.

    `minimum_block_period` is in the client's unit; None when an older server leaves it out.
    """

    current_time: int
    request_time: int
    minimum_block_period: int | None = None

    def pack(self) -> bytes:
        """Return the payload octets."""
        period = self.minimum_block_period
        tail = b"" if period is None else _U16.pack(period)
        return _WAIT.pack(_WAIT_FOR_DATA, self.current_time, self.request_time) + tail


class BlockRefused(NamedTuple):
    """Image Block Response with ABORT or another status that carries nothing else."""

    status: int

    def pack(self) -> bytes:
        """Return the payload octet."""
        return bytes((self.status,))


BlockResponse = ImageBlock | WaitForData | BlockRefused


class UpgradeEndRequest(NamedTuple):
    """Upgrade End Request: how the download ended."""

    status: int
    key: ImageKey

    def pack(self) -> bytes:
        """Return the payload octets."""
        return _END.pack(self.status, *self.key)


class UpgradeEndResponse(NamedTuple):
    """Upgrade End Response; times are Zigbee UTC seconds, or `current_time` 0 and a delay in seconds."""

    key: ImageKey
    current_time: int
    upgrade_time: int

    def pack(self) -> bytes:
        """Return the payload octets."""
        return _END_RESPONSE.pack(*self.key, self.current_time, self.upgrade_time)


class QuerySpecificFileRequest(NamedTuple):
    """Query Device Specific File Request."""

    node_address: int
    key: ImageKey
    stack_version: int

    def pack(self) -> bytes:
        """Return the payload octets."""
        return _SPECIFIC.pack(self.node_address, *self.key, self.stack_version)


def parse_image_notify(payload: bytes) -> ImageNotify:
    """Decode an Image Notify; raises `FrameError`."""
    _need("Image Notify", payload, 2)
    kind = payload[0]
    if kind >= len(_NOTIFY):
        raise FrameError(f"OTA Image Notify: payload type {kind} at offset 0, expected 0 to 3")
    _need("Image Notify", payload, _NOTIFY[kind].size)
    return ImageNotify(*_NOTIFY[kind].unpack_from(payload)[1:])


def parse_query_next_image_request(payload: bytes) -> QueryNextImageRequest:
    """Decode a Query Next Image Request; raises `FrameError`."""
    size = _QUERY.size
    _need("Query Next Image Request", payload, size)
    control, *key = _QUERY.unpack_from(payload)
    if not control & _HARDWARE_VERSION:
        return QueryNextImageRequest(ImageKey(*key))
    _need("Query Next Image Request", payload, size + 2)
    return QueryNextImageRequest(ImageKey(*key), _U16.unpack_from(payload, size)[0])


def parse_query_response(payload: bytes) -> QueryNextImageResponse:
    """Decode a Query Next Image (or Specific File) Response; raises `FrameError`."""
    _need("Query Next Image Response", payload, 1)
    if payload[0] != _SUCCESS:
        return QueryNextImageResponse(payload[0])
    _need("Query Next Image Response", payload, _QUERY_RESPONSE.size)
    status, manufacturer, image_type, version, size = _QUERY_RESPONSE.unpack_from(payload)
    return QueryNextImageResponse(status, ImageKey(manufacturer, image_type, version), size)


def parse_image_block_request(payload: bytes) -> ImageBlockRequest:
    """Decode an Image Block Request; raises `FrameError`."""
    at = _BLOCK_REQUEST.size
    _need("Image Block Request", payload, at)
    control, manufacturer, image_type, version, offset, maximum = _BLOCK_REQUEST.unpack_from(payload)
    node = period = None
    if control & _NODE_ADDRESS:
        _need("Image Block Request", payload, at + 8)
        node = _U64.unpack_from(payload, at)[0]
        at += 8
    if control & _MINIMUM_BLOCK_PERIOD:
        _need("Image Block Request", payload, at + 2)
        period = _U16.unpack_from(payload, at)[0]
    return ImageBlockRequest(ImageKey(manufacturer, image_type, version), offset, maximum, node, period)


def parse_image_page_request(payload: bytes) -> ImagePageRequest:
    """Decode an Image Page Request; raises `FrameError`."""
    at = _PAGE_REQUEST.size
    _need("Image Page Request", payload, at)
    control, manufacturer, image_type, version, *rest = _PAGE_REQUEST.unpack_from(payload)
    node = None
    if control & _NODE_ADDRESS:
        _need("Image Page Request", payload, at + 8)
        node = _U64.unpack_from(payload, at)[0]
    offset, maximum, page_size, spacing_ms = rest
    key = ImageKey(manufacturer, image_type, version)
    return ImagePageRequest(key, offset, maximum, page_size, spacing_ms, node)


def parse_image_block_response(payload: bytes) -> BlockResponse:
    """Decode an Image Block Response in whichever of its three forms; raises `FrameError`."""
    _need("Image Block Response", payload, 1)
    if payload[0] == _WAIT_FOR_DATA:
        _need("Image Block Response WAIT_FOR_DATA", payload, _WAIT.size)
        _, current, request = _WAIT.unpack_from(payload)
        has_period = len(payload) >= _WAIT.size + 2
        return WaitForData(current, request, _U16.unpack_from(payload, _WAIT.size)[0] if has_period else None)
    if payload[0] != _SUCCESS:
        return BlockRefused(payload[0])
    _need("Image Block Response", payload, BLOCK_HEADER)
    _, manufacturer, image_type, version, offset, length = _BLOCK_RESPONSE.unpack_from(payload)
    _need("Image Block Response data", payload, BLOCK_HEADER + length)
    data = payload[BLOCK_HEADER : BLOCK_HEADER + length]
    return ImageBlock(ImageKey(manufacturer, image_type, version), offset, data)


def parse_upgrade_end_request(payload: bytes) -> UpgradeEndRequest:
    """Decode an Upgrade End Request; raises `FrameError`."""
    _need("Upgrade End Request", payload, _END.size)
    status, *key = _END.unpack_from(payload)
    return UpgradeEndRequest(status, ImageKey(*key))


def parse_upgrade_end_response(payload: bytes) -> UpgradeEndResponse:
    """Decode an Upgrade End Response; raises `FrameError`."""
    _need("Upgrade End Response", payload, _END_RESPONSE.size)
    manufacturer, image_type, version, current, upgrade = _END_RESPONSE.unpack_from(payload)
    return UpgradeEndResponse(ImageKey(manufacturer, image_type, version), current, upgrade)


def parse_query_specific_file_request(payload: bytes) -> QuerySpecificFileRequest:
    """Decode a Query Device Specific File Request; raises `FrameError`."""
    _need("Query Specific File Request", payload, _SPECIFIC.size)
    node, manufacturer, image_type, version, stack_version = _SPECIFIC.unpack_from(payload)
    return QuerySpecificFileRequest(node, ImageKey(manufacturer, image_type, version), stack_version)


def _need(command: str, payload: bytes, octets: int) -> None:
    if len(payload) < octets:
        raise FrameError(f"OTA {command}: payload ends at offset {len(payload)}, expected {octets} octets")
