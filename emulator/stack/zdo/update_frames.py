"""Mgmt_NWK_Update_req and _notify: energy scans, channel changes, the network manager (ZigBee PRO 2.4.3.3.9)."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from emulator.stack.zdo.frames import ZdoStatus, read

LONGEST_SCAN = 5
MOST_SCANS = 5
CHANGE_CHANNEL = 0xFE
CHANGE_MANAGEMENT = 0xFF

_HEAD = Struct("<IB")
_OCTET = Struct("<B")
_MANAGEMENT = Struct("<BH")
_NOTIFY = Struct("<BIHHB")


class NetworkUpdateRequest(NamedTuple):
    """Mgmt_NWK_Update_req. `duration` says what is asked: a scan (0 to 5), `CHANGE_CHANNEL`, `CHANGE_MANAGEMENT`.

    Bit n of `channel_mask` is channel n. Only a scan has a number of `scans`; only the others an `update_id`; only the
    last a `manager`.
    """

    channel_mask: int
    duration: int
    scans: int = 1
    update_id: int = 0
    manager: int = 0

    def encode(self) -> bytes:
        """Return the payload."""
        head = _HEAD.pack(self.channel_mask, self.duration)
        if self.duration == CHANGE_CHANNEL:
            return head + _OCTET.pack(self.update_id)
        if self.duration == CHANGE_MANAGEMENT:
            return head + _MANAGEMENT.pack(self.update_id, self.manager)
        return head + _OCTET.pack(self.scans)

    @classmethod
    def decode(cls, payload: bytes) -> NetworkUpdateRequest:
        """Read the payload; raises `FrameError`."""
        what, offset = "Mgmt_NWK_Update_req", _HEAD.size
        mask, duration = read(_HEAD, payload, what)
        if duration == CHANGE_CHANNEL:
            return cls(mask, duration, update_id=read(_OCTET, payload, what, offset)[0])
        if duration == CHANGE_MANAGEMENT:
            update_id, manager = read(_MANAGEMENT, payload, what, offset)
            return cls(mask, duration, update_id=update_id, manager=manager)
        scans = read(_OCTET, payload, what, offset)[0] if duration <= LONGEST_SCAN else 0
        return cls(mask, duration, scans)


class NetworkUpdateNotify(NamedTuple):
    """Mgmt_NWK_Update_notify: how a request fared, unicasts sent and failed, the energy (0-255) of each channel."""

    status: int
    channel_mask: int
    transmissions: int = 0
    failures: int = 0
    energies: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """Return the payload."""
        status, mask, transmissions, failures, energies = self
        return _NOTIFY.pack(status, mask, transmissions, failures, len(energies)) + bytes(energies)

    @classmethod
    def decode(cls, payload: bytes) -> NetworkUpdateNotify:
        """Read the payload; raises `FrameError`."""
        what = "Mgmt_NWK_Update_notify"
        status, mask, transmissions, failures, count = read(_NOTIFY, payload, what)
        energies = read(Struct(f"<{count}B"), payload, what, _NOTIFY.size)
        return cls(status, mask, transmissions, failures, energies)


def channel_change(channel: int, update_id: int) -> NetworkUpdateRequest:
    """Return the order to move to a channel."""
    return NetworkUpdateRequest(1 << channel, CHANGE_CHANNEL, update_id=update_id)


def refusal(request: NetworkUpdateRequest, status: ZdoStatus) -> NetworkUpdateNotify:
    """Return the notification that a request was refused."""
    return NetworkUpdateNotify(status, request.channel_mask)
