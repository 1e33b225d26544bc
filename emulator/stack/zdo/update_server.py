"""What a node does when the network manager, or anybody who wants energies, sends Mgmt_NWK_Update_req."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from emulator.stack.nwk.memory import Management, channels_of
from emulator.stack.primitives import COORDINATOR, FIRST_BROADCAST, ApsdeIndication
from emulator.stack.zdo.frames import ZdoStatus
from emulator.stack.zdo.update_frames import (
    CHANGE_CHANNEL,
    CHANGE_MANAGEMENT,
    LONGEST_SCAN,
    MOST_SCANS,
    NetworkUpdateNotify,
    NetworkUpdateRequest,
    refusal,
)

SCAN_IN_PROGRESS = 0xFC
"""MAC status (802.15.4-2006 table 78) with which a second energy scan is refused while one runs."""

Late = Callable[[bytes], None]


class UpdateHost(Protocol):
    """What carrying out a network update needs of the node."""

    @property
    def network_manager(self) -> int:
        """Return the short address of the network manager (nwkManagerAddr)."""

    @property
    def traffic(self) -> tuple[int, int]:
        """Return how many frames this node has sent, and how many of them came to nothing."""

    def asked_to_change_channel(self, channel: int, update_id: int) -> None:
        """Move to another channel with the whole network."""

    def told_management(self, management: Management, update_id: int) -> None:
        """Take the channel mask and the address of the network manager."""

    def energy_scan(
        self, channels: tuple[int, ...], duration: int, done: Callable[[tuple[int, ...]], None]
    ) -> None:
        """Measure the energy (0-255) of each channel."""


class NetworkUpdateServer:
    """Obeys and answers network updates; a broadcast is obeyed and never answered."""

    def __init__(self, host: UpdateHost) -> None:
        self._host = host
        self._measuring = False

    def answer(self, indication: ApsdeIndication, payload: bytes, late: Late) -> bytes | None:
        """Return the notification to send back, or None; energies come later, through `late`.

        Raises `FrameError` for a malformed request.
        """
        request = NetworkUpdateRequest.decode(payload)
        if indication.destination >= FIRST_BROADCAST:
            if request.duration > LONGEST_SCAN:
                self._obey(indication.source, request)
            return None
        if request.duration > LONGEST_SCAN:
            status = self._obey(indication.source, request)
            return NetworkUpdateNotify(status, request.channel_mask).encode()
        if not channels_of(request.channel_mask) or request.scans > MOST_SCANS:
            return refusal(request, ZdoStatus.INVALID_REQUEST_TYPE).encode()
        if self._measuring:
            return NetworkUpdateNotify(SCAN_IN_PROGRESS, request.channel_mask).encode()
        self._measuring = True
        self._measure(request, max(1, request.scans), late)
        return None

    def _obey(self, source: int, request: NetworkUpdateRequest) -> ZdoStatus:
        if source not in (self._host.network_manager, COORDINATOR):
            return ZdoStatus.NOT_AUTHORIZED
        channels = channels_of(request.channel_mask)
        if request.duration == CHANGE_CHANNEL and len(channels) == 1:
            self._host.asked_to_change_channel(channels[0], request.update_id)
        elif request.duration == CHANGE_MANAGEMENT and channels and request.manager < FIRST_BROADCAST:
            self._host.told_management(Management(request.channel_mask, request.manager), request.update_id)
        else:
            return ZdoStatus.INVALID_REQUEST_TYPE
        return ZdoStatus.SUCCESS

    def _measure(self, request: NetworkUpdateRequest, left: int, late: Late) -> None:
        """Measure, and notify, as often as was asked for."""

        def measured(energies: tuple[int, ...]) -> None:
            sent, failed = self._host.traffic
            notify = NetworkUpdateNotify(
                ZdoStatus.SUCCESS, request.channel_mask, sent & 0xFFFF, failed & 0xFFFF, energies
            )
            self._measuring = left > 1
            late(notify.encode())
            if left > 1:
                self._measure(request, left - 1, late)

        self._host.energy_scan(channels_of(request.channel_mask), request.duration, measured)
