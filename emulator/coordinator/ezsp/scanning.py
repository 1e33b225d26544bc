"""Scans: energy on each channel, and the networks that answer a beacon request."""

from __future__ import annotations

from collections.abc import Mapping

from bellows.types import EzspNetworkScanType

from emulator.air.beacon import Beacon, decode_zigbee_beacon
from emulator.air.phy import CHANNELS
from emulator.coordinator.ezsp.core import Answer, Core, Handler, Values, rssi_of
from emulator.coordinator.ezsp.status import SlStatus
from emulator.errors import EmulatorError, FrameError

_MAX_DURATION = 14


class Scanning:
    """One scan at a time, as the MAC has it."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._scan = 0
        self._running = False

    def handlers(self) -> Mapping[str, Handler]:
        """Return the commands of this part."""
        return {
            "startScan": self._start,
            "stopScan": self._stop,
            "findUnusedPanId": self._find_unused,
        }

    def _start(self, values: Values) -> Answer:
        kind, duration = values["scan_type"], values["duration"]
        channels = _channels(values["channel_mask"])
        if not channels:
            return {"status": SlStatus.INVALID_CHANNEL_MASK}
        if duration > _MAX_DURATION or kind not in tuple(EzspNetworkScanType):
            return {"status": SlStatus.INVALID_PARAMETER}
        if self._running:
            return {"status": SlStatus.MAC_SCANNING}
        self._scan = scan = self._scan + 1
        mac = self._core.node.mac
        try:
            if kind == EzspNetworkScanType.ENERGY_SCAN:
                mac.energy_scan(channels, duration, lambda levels: self._energies(scan, levels))
            else:
                mac.scan(channels, duration, lambda beacons: self._networks(scan, beacons))
        except EmulatorError:
            return {"status": SlStatus.MAC_SCANNING}
        self._running = True
        return {}

    def _stop(self, _: Values) -> Answer:
        """Report nothing more; the MAC still visits the channels that are left."""
        self._scan += 1
        return {}

    def _find_unused(self, values: Values) -> Answer:
        channels = _channels(values["channel_mask"])
        if not channels:
            return {"status": SlStatus.INVALID_CHANNEL_MASK}
        if self._running:
            return {"status": SlStatus.MAC_SCANNING}
        try:
            self._core.node.mac.scan(channels, min(values["duration"], _MAX_DURATION), self._unused)
        except EmulatorError:
            return {"status": SlStatus.MAC_SCANNING}
        self._running = True
        return {}

    def _unused(self, beacons: list[Beacon]) -> None:
        self._running = False
        taken = [beacon.pan_id for beacon in beacons]
        pan_id = self._core.scope.random.randrange(1, 0xFFFE)
        while pan_id in taken:
            pan_id = self._core.scope.random.randrange(1, 0xFFFE)
        channel = self._core.node.mac.channel
        self._core.callback("unusedPanIdFoundHandler", {"pan_id": pan_id, "channel": channel})

    def _energies(self, scan: int, levels: dict[int, int]) -> None:
        self._running = False
        if scan != self._scan:
            return
        for channel, dbm in levels.items():
            strength = max(-128, min(127, round(dbm)))
            self._core.callback("energyScanResultHandler", {"channel": channel, "max_rssi_value": strength})
        self._complete()

    def _networks(self, scan: int, beacons: list[Beacon]) -> None:
        self._running = False
        if scan != self._scan:
            return
        for beacon in beacons:
            try:
                content = decode_zigbee_beacon(beacon.payload)
            except FrameError:
                continue  # another protocol on the same channels
            network = {
                "channel": beacon.channel,
                "pan_id": beacon.pan_id,
                "extended_pan_id": content.extended_pan_id,
                "allowing_join": beacon.permit_association,
                "stack_profile": content.stack_profile,
                "nwk_update_id": content.update_id,
            }
            heard = {"last_hop_lqi": beacon.lqi, "last_hop_rssi": rssi_of(beacon.lqi)}
            self._core.callback("networkFoundHandler", {"network_found": network, **heard})
        self._complete()

    def _complete(self) -> None:
        self._core.callback("scanCompleteHandler", {"channel": 0, "status": SlStatus.OK})


def _channels(mask: int) -> list[int]:
    return [channel for channel in CHANNELS if mask >> channel & 1]
