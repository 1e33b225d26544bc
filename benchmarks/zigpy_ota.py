"""The peer of the OTA benchmark: zigpy's OTA manager in process, with a radio and a device of a few lines.

The device answers on raw octets, at once, so that nearly all the time is zigpy's own.
"""

from __future__ import annotations

import asyncio
import hashlib
import struct
from typing import Any

import zigpy.application
import zigpy.device
import zigpy.ota
import zigpy.ota.image
import zigpy.ota.manager
import zigpy.types
import zigpy.zcl.clusters.general
import zigpy.zdo.types
from zigpy.ota.providers import BaseOtaImageMetadata
from zigpy.zcl import foundation

from benchmarks.result import timed
from emulator.smart_energy.ota.file import OtaElement, OtaHeader, OtaTag, build, pack_image

t: Any = zigpy.types
zdo_t: Any = zigpy.zdo.types
"""zigpy's types are callable in ways that their annotations do not say."""

_BLOCK = 48
_MANUFACTURER, _IMAGE_TYPE, _NEW, _RUNNING = 0x1002, 0x0E01, 0x02000000, 0x01000000
_SHORT = 0x1234
_HA_PROFILE = 0x0104
_OTA_CLUSTER = 0x0019
_NOTIFY, _QUERY, _QUERY_RESPONSE, _BLOCK_REQUEST, _BLOCK_RESPONSE, _END = 0x00, 0x01, 0x02, 0x03, 0x05, 0x06
_TO_SERVER = 0x01
_KEY = struct.Struct("<HHI")
_OFFSET = struct.Struct("<IB")


class RawDevice:
    """An OTA client that asks for the next block as soon as it has one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.offset = 0
        self._tsn = 0

    def answer(self, asdu: bytes) -> bytes | None:
        """Return the next request of the device, given what the server sent; None when it has nothing to ask."""
        command = asdu[2]
        if command == _NOTIFY:
            return self._request(_QUERY, b"\x00" + _KEY.pack(_MANUFACTURER, _IMAGE_TYPE, _RUNNING))
        if command == _BLOCK_RESPONSE:
            self.offset += asdu[3 + 13]
        elif command != _QUERY_RESPONSE:
            return None
        key = _KEY.pack(_MANUFACTURER, _IMAGE_TYPE, _NEW)
        if self.offset >= self.size:
            return self._request(_END, b"\x00" + key)
        return self._request(_BLOCK_REQUEST, b"\x00" + key + _OFFSET.pack(self.offset, _BLOCK))

    def _request(self, command: int, payload: bytes) -> bytes:
        self._tsn = (self._tsn + 1) & 0xFF
        return bytes((_TO_SERVER, self._tsn, command)) + payload


class RawRadio(zigpy.application.ControllerApplication):
    """A radio that hands every packet to a `RawDevice`."""

    raw: RawDevice

    async def send_packet(self, packet: Any) -> None:
        request = self.raw.answer(packet.data.serialize())
        if request is not None:
            asyncio.get_running_loop().call_soon(self._deliver, request)

    def _deliver(self, request: bytes) -> None:
        self.packet_received(
            t.ZigbeePacket(
                src=t.AddrModeAddress(addr_mode=t.AddrMode.NWK, address=t.NWK(_SHORT)),
                src_ep=t.uint8_t(1),
                dst=t.AddrModeAddress(addr_mode=t.AddrMode.NWK, address=t.NWK(0)),
                dst_ep=t.uint8_t(1),
                profile_id=t.uint16_t(_HA_PROFILE),
                cluster_id=t.uint16_t(_OTA_CLUSTER),
                data=t.SerializableBytes(request),
                lqi=t.uint8_t(255),
            )
        )

    # What zigpy requires of a radio, and an OTA transfer never uses.

    async def connect(self) -> None: ...
    async def disconnect(self) -> None: ...
    async def start_network(self) -> None: ...
    async def load_network_info(self, *, load_devices: bool = False) -> None: ...
    async def write_network_info(self, *, network_info: Any, node_info: Any) -> None: ...
    async def reset_network_info(self) -> None: ...
    async def permit_ncp(self, time_s: int = 60) -> None: ...
    async def permit_with_link_key(self, node: Any, link_key: Any, time_s: int = 60) -> None: ...
    async def add_endpoint(self, descriptor: Any) -> None: ...
    async def force_remove(self, dev: zigpy.device.Device) -> None: ...


def zigpy_blocks_per_second(octets: int) -> float:
    """Return the blocks a second of one transfer by zigpy's OTA manager."""
    element = OtaElement(OtaTag.UPGRADE_IMAGE, hashlib.shake_256(b"benchmark").digest(octets))
    header = OtaHeader(_MANUFACTURER, _IMAGE_TYPE, _NEW, b"Benchmark".ljust(32, b"\x00"))
    return asyncio.run(_transfer(pack_image(build(header, (element,)))))


async def _transfer(data: bytes) -> float:
    radio = RawRadio({"device": {"path": "raw"}, "ota": {"enabled": False}, "database_path": None})
    radio.raw = RawDevice(len(data))
    device = _zigpy_device(radio)
    firmware, _ = zigpy.ota.image.parse_ota_image(data)
    device.ota_in_progress = (
        True  # as `update_firmware` of the device does, which would interview it afterwards
    )
    image = zigpy.ota.OtaImageWithMetadata(
        metadata=BaseOtaImageMetadata(file_version=_NEW), firmware=firmware
    )
    with timed() as watch:
        status = await zigpy.ota.manager.update_firmware(device, image)
    assert status is foundation.Status.SUCCESS, status
    assert radio.raw.offset == len(data)
    return len(data) / _BLOCK / watch.seconds


def _zigpy_device(radio: RawRadio) -> zigpy.device.Device:
    device = radio.add_device(nwk=t.NWK(_SHORT), ieee=t.EUI64.convert("00:0d:6f:00:00:00:00:01"))
    device.node_desc = zdo_t.NodeDescriptor(
        logical_type=zdo_t.LogicalType.Router,
        mac_capability_flags=zdo_t.NodeDescriptor.MACCapabilityFlags.FullFunctionDevice,
        manufacturer_code=_MANUFACTURER,
    )
    endpoint = device.add_endpoint(1)
    endpoint.profile_id = _HA_PROFILE
    endpoint.add_output_cluster(_OTA_CLUSTER)
    endpoint.status = zigpy.endpoint.Status.ZDO_INIT
    device.status = zigpy.device.Status.ENDPOINTS_INIT
    return device
