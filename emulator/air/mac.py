"""The IEEE 802.15.4 MAC sublayer of one ZigBee node, as the NWK layer uses it (802.15.4-2006 clause 7)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Protocol

from emulator.air.beacon import Beacon, BeaconPayload, decode_beacon_payload, encode_beacon_payload
from emulator.air.child import AssociateDone, Association, Poller
from emulator.air.command import (
    AssociationRequest,
    AssociationResponse,
    BeaconRequest,
    DataRequest,
    decode_command,
    encode_command,
)
from emulator.air.fcs import FCS_OCTETS, with_fcs
from emulator.air.frame import (
    ACK_REQUEST,
    BROADCAST_SHORT,
    FRAME_PENDING,
    AddressMode,
    FrameType,
    MacFrame,
    check_length,
    decode_frame,
    encode_frame,
)
from emulator.air.indirect import Held, IndirectQueue
from emulator.air.phy import MAX_PSDU
from emulator.air.radio import ACK, ACK_PENDING, NO_ACK, Air, Transmission
from emulator.air.scan import Scanner
from emulator.air.station import Station
from emulator.clock.kernel import Scope
from emulator.errors import FrameError
from emulator.status import Confirm, Status

__all__ = ["MAX_NPDU", "Beacon", "Mac", "MacListener"]

_DATA = struct.Struct("<HBHHH")
_DATA_BROADCAST = 0x8841  # data, PAN ID compression, both addresses short
_DATA_UNICAST = _DATA_BROADCAST | ACK_REQUEST
_CONTROL_VARIABLE = FRAME_PENDING | ACK_REQUEST
_EXTENDED_SOURCE = struct.Struct("<Q")
_DATA_REQUEST_OCTETS = {0x88: 9 + 1 + FCS_OCTETS, 0xC8: 15 + 1 + FCS_OCTETS}
_DATA_REQUEST = 0x04
_PAN_COORDINATOR = 0x0000

MAX_NPDU = MAX_PSDU - FCS_OCTETS - _DATA.size
"""Longest NPDU, in octets, of a frame between short addresses."""

DUPLICATE_WINDOW_US = 1_000_000
"""A frame repeating its source's latest sequence number within this time is a retry of one already taken."""


class MacListener(Protocol):
    """The NWK layer above a Mac."""

    def mac_data(self, source: int, destination: int, payload: bytes, lqi: int) -> None:
        """Take an NPDU; addresses are short."""

    def mac_associate(self, eui64: int, capability: int) -> None:
        """Decide on a device that asks to join; answer with `Mac.associate_response`."""

    def mac_polled(self, source: int) -> None:
        """Note that a child, by short address, sent a data request."""

    def mac_beacon(self, payload: bytes) -> None:
        """Note that somebody with our PAN identifier beacons, outside a scan of ours."""

    def mac_beacon_request(self) -> None:
        """Note that somebody scans; a coordinator's Mac has answered already."""


class Mac(Station):
    """One MAC entity. PIB attributes are attributes; every request ends in exactly one confirm.

    `coordinator` says whether beacon requests are answered (with `beacon_payload`) and association requests
    taken (when `association_permit`). `malformed` counts frames that were dropped because they could not be
    read. `tap`, set through `listen_to_all`, gets every intact frame: (PSDU, LQI, RSSI in dBm).
    """

    listener: MacListener

    def __init__(
        self,
        scope: Scope,
        medium: Air,
        eui64: int,
        *,
        rx_on_when_idle: bool = True,
        position: tuple[float, float] = (0, 0),
    ) -> None:
        """Put a radio at `position` (metres) on the air; `EmulatorError` when the EUI-64 is taken."""
        super().__init__(scope, medium, eui64, rx_on_when_idle=rx_on_when_idle, position=position)
        self.association_permit = False
        self.beacon_payload = b""
        self.coordinator = False
        self.malformed = 0
        self.tap: Callable[[bytes, int, int], None] | None = None
        self._beacon_sequence = scope.random.getrandbits(8)
        self._latest: dict[int, tuple[int, int]] = {}
        self._indirect = IndirectQueue(scope)
        self._scanner = Scanner(scope, self)
        self._poller = Poller(scope, self)
        self._association = Association(scope, self, self._poller)
        medium.attach(self)

    # Requests

    def data(
        self,
        destination: int,
        npdu: bytes,
        confirm: Confirm | None = None,
        *,
        indirect: bool = False,
        ack: bool = True,
    ) -> None:
        """Send an NPDU to a short address in our PAN; a broadcast (0xFFFF) is never acknowledged.

        `indirect` holds it for a sleepy child. Raises `FrameError` when it exceeds `MAX_NPDU` octets.
        """
        if len(npdu) > MAX_NPDU:
            check_length(_DATA.size + len(npdu))
        if destination == BROADCAST_SHORT:
            ack = False
        self._sequence = sequence = (self._sequence + 1) & 0xFF
        control = _DATA_UNICAST if ack else _DATA_BROADCAST
        mpdu = _DATA.pack(control, sequence, self.tuned_pan, destination, self.tuned_short) + npdu
        if indirect:
            self._indirect.hold(destination, mpdu, confirm)
        else:
            self.transmitter.send(with_fcs(mpdu), ack, confirm)

    def send_mpdu(self, mpdu: bytes, confirm: Confirm | None = None) -> None:
        """Send an MPDU (without FCS) that a host built, with CSMA-CA and, if it asks, the ack wait."""
        if len(mpdu) < 3:
            raise FrameError(f"MAC frame of {len(mpdu)} octets: expected at least 3")
        check_length(len(mpdu))
        self.transmitter.send(with_fcs(mpdu), bool(mpdu[0] & ACK_REQUEST), confirm)

    def scan(
        self, channels: Sequence[int], duration_exponent: int, done: Callable[[list[Beacon]], None]
    ) -> None:
        """Scan actively, 960 * (2^n + 1) symbols a channel, then return to the channel before."""
        self._scanner.active(channels, duration_exponent, done)

    def energy_scan(
        self, channels: Sequence[int], duration_exponent: int, done: Callable[[dict[int, int]], None]
    ) -> None:
        """Measure the peak power (dBm) of each channel; `phy.energy_level` makes an ED level of it."""
        self._scanner.energy(channels, duration_exponent, done)

    def associate(self, channel: int, pan_id: int, parent: int, capability: int, done: AssociateDone) -> None:
        """Associate by EUI-64; success sets channel, PAN, short address and parent, failure nothing."""
        self._association.start(channel, pan_id, parent, capability, done)

    def associate_response(self, eui64: int, short_address: int, status: int) -> None:
        """Hold the answer to an association request until the device fetches it."""
        frame = MacFrame(
            FrameType.COMMAND,
            self.next_sequence(),
            AddressMode.EXTENDED,
            self.tuned_pan,
            eui64,
            AddressMode.EXTENDED,
            self.tuned_pan,
            self.eui64,
            encode_command(AssociationResponse(short_address, status)),
            ack_request=True,
            pan_id_compression=True,
        )
        self._indirect.hold(eui64, encode_frame(frame), None)

    def poll(self, done: Confirm | None = None) -> None:
        """Ask the parent for a frame: SUCCESS when one followed, else NO_DATA; NO_ACK when silent."""
        self._poller.poll(done)

    def purge(self, address: int) -> None:
        """Drop the frames held for a short address or EUI-64 that has left."""
        self._indirect.purge(address)

    def purge_all(self) -> None:
        """Drop every frame held for a child: the network has been left."""
        self._indirect.purge_all()

    def listen_to_all(self, tap: Callable[[bytes, int, int], None] | None) -> None:
        """Give every intact frame on the channel to `tap` (PSDU, LQI, RSSI in dBm); None stops it."""
        self.tap = tap
        self.promiscuous = tap is not None

    def detach(self) -> None:
        """Leave the medium: the power is off, and this Mac is of no more use."""
        self.transmitter.clear()
        self.medium.detach(self)

    # From the medium

    def accept(self, psdu: bytes) -> int:
        """Acknowledge what asks for it, with frame pending set to a child for which something is held."""
        control = psdu[0]
        if not control & ACK_REQUEST or self._scanner.busy:
            return NO_ACK
        if control & 7 == FrameType.COMMAND:
            requester = _data_requester(psdu)
            if requester is not None and self._indirect.waiting(requester):
                return ACK_PENDING
        return ACK

    def sent(self, transmission: Transmission, acked: bool, pending: bool) -> None:
        """Pass the end of a transmission to the transmitter."""
        self.transmitter.sent(acked, pending)

    def overhear(self, psdu: bytes, lqi: int, rssi_dbm: int) -> None:
        """Pass a frame to the tap."""
        if self.tap is not None:
            self.tap(psdu, lqi, rssi_dbm)

    def indicate(self, psdu: bytes, lqi: int) -> None:
        """Take a frame for this node, or a broadcast."""
        if (psdu[0] | psdu[1] << 8) & ~_CONTROL_VARIABLE != _DATA_BROADCAST or self._scanner.busy:
            self._indicate_other(psdu, lqi)
            return
        if len(psdu) < _DATA.size + FCS_OCTETS:
            self.malformed += 1
            return
        _, sequence, pan_id, destination, source = _DATA.unpack_from(psdu)
        if pan_id != self.tuned_pan or self._duplicate(source, sequence):
            return
        self.listener.mac_data(source, destination, psdu[9:-2], lqi)
        if self._poller.waiting and source == self.parent_address and destination != BROADCAST_SHORT:
            self._poller.arrived()

    def _duplicate(self, source: int, sequence: int) -> bool:
        now = self._kernel.now
        latest = self._latest.get(source)
        if latest is not None and latest[0] == sequence and now - latest[1] < DUPLICATE_WINDOW_US:
            return True
        self._latest[source] = (sequence, now)
        return False

    def _indicate_other(self, psdu: bytes, lqi: int) -> None:
        try:
            frame = decode_frame(psdu[:-FCS_OCTETS])
            if frame.frame_type is FrameType.BEACON:
                if self._scanner.busy:
                    self._scanner.heard(frame, lqi)
                elif frame.source_pan == self.tuned_pan:
                    self.listener.mac_beacon(decode_beacon_payload(frame.payload).payload)
            elif self._scanner.busy or frame.destination_pan not in (self.tuned_pan, 0xFFFF):
                return
            elif frame.frame_type is FrameType.COMMAND:
                self._command(frame)
            elif frame.frame_type is FrameType.DATA:
                self._unusual_data(frame, lqi)
        except FrameError:
            self.malformed += 1

    def _unusual_data(self, frame: MacFrame, lqi: int) -> None:
        """Take a data frame of another form, such as version 1 or with the source PAN spelt out."""
        if frame.source_mode is not AddressMode.SHORT or frame.source is None or frame.destination is None:
            return
        if frame.destination_mode is AddressMode.SHORT and not self._duplicate(frame.source, frame.sequence):
            self.listener.mac_data(frame.source, frame.destination, frame.payload, lqi)

    def _command(self, frame: MacFrame) -> None:
        command = decode_command(frame.payload)
        if isinstance(command, BeaconRequest):
            if self.coordinator:
                self._send_beacon()
            self.listener.mac_beacon_request()
        elif frame.source is None or self._duplicate(frame.source, frame.sequence):
            return
        elif isinstance(command, DataRequest):
            self._serve(frame.source)
            if frame.source_mode is AddressMode.SHORT:
                self.listener.mac_polled(frame.source)
        elif isinstance(command, AssociationRequest):
            if self.coordinator and self.association_permit:
                self.listener.mac_associate(frame.source, command.capability)
        elif isinstance(command, AssociationResponse):
            self._association.answered(command)
            if self._poller.waiting:
                self._poller.arrived()

    def _send_beacon(self) -> None:
        self._beacon_sequence = (self._beacon_sequence + 1) & 0xFF
        payload = BeaconPayload(
            self.tuned_short == _PAN_COORDINATOR, self.association_permit, self.beacon_payload
        )
        frame = MacFrame(
            FrameType.BEACON,
            self._beacon_sequence,
            source_mode=AddressMode.SHORT,
            source_pan=self.tuned_pan,
            source=self.tuned_short,
            payload=encode_beacon_payload(payload),
        )
        self.transmitter.send(with_fcs(encode_frame(frame)), False, None)

    def _serve(self, address: int) -> None:
        """Send the next frame held for a child, saying whether more are waiting."""
        held = self._indirect.next(address)
        if held is None:
            return
        mpdu = held.mpdu
        if self._indirect.waiting(address) > 1:
            mpdu = bytes([mpdu[0] | FRAME_PENDING]) + mpdu[1:]

        def done(status: Status, held: Held = held) -> None:
            self._indirect.sent(address, held, status)

        self.transmitter.send(with_fcs(mpdu), bool(mpdu[0] & ACK_REQUEST), done)


def _data_requester(psdu: bytes) -> int | None:
    """Return who asks (short address or EUI-64) when a command frame to a short address is a data request."""
    if len(psdu) != _DATA_REQUEST_OCTETS.get(psdu[1]) or psdu[-FCS_OCTETS - 1] != _DATA_REQUEST:
        return None
    if len(psdu) == _DATA_REQUEST_OCTETS[0x88]:
        return psdu[7] | psdu[8] << 8
    requester: int = _EXTENDED_SOURCE.unpack_from(psdu, 7)[0]
    return requester
