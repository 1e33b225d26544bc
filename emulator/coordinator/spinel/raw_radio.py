"""The radio under a co-processor: address filter, automatic acknowledgements, and raw transmission.

Everything above the acknowledgement (associations, beacons, indirect frames) is the host's.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from emulator.air.channel import Transmission
from emulator.air.command import DataRequest, decode_command
from emulator.air.fcs import FCS_OCTETS, with_fcs
from emulator.air.frame import ACK_REQUEST, BROADCAST_PAN, AddressMode, FrameType, decode_frame
from emulator.air.medium import Medium
from emulator.air.phy import (
    CCA_US,
    CHANNELS,
    MAX_BACKOFF_EXPONENT,
    MAX_PSDU,
    MIN_BACKOFF_EXPONENT,
    SENSITIVITY_DBM,
    UNIT_BACKOFF_US,
)
from emulator.air.radio import ACK, ACK_PENDING, DEAF, NO_ACK, Radio
from emulator.clock.kernel import Scope
from emulator.coordinator.spinel.codec import TransmitOptions
from emulator.coordinator.spinel.properties import PromiscuousMode, SpinelStatus
from emulator.errors import EmulatorError, FrameError

QUEUE_LIMIT = 32
"""Frames a host may hand over before earlier ones are done; more are refused with BUSY."""

_MIN_PSDU = 3 + FCS_OCTETS
_LQI_DB = 50 / 255
"""Decibels a step of LQI stands for in `phy.lqi_of`."""
_U16 = struct.Struct("<H")

Done = Callable[[SpinelStatus, bool], None]
"""(status, frame-pending bit of the acknowledgement)."""


class RadioUser(Protocol):
    """Who gets the frames."""

    def radio_received(self, psdu: bytes, lqi: int, rssi_dbm: int, pending: bool) -> None:
        """Take a frame with its FCS. `pending`: it was acknowledged with the frame-pending bit set."""


class _Outgoing(NamedTuple):
    psdu: bytes
    options: TransmitOptions
    done: Done


class RawRadio(Radio):
    """A radio that does what the host says. Off until `enabled` and `listening` are both set.

    Source matching (802.15.4 has no name for it; OpenThread's `MAC_SRC_MATCH_*`): while `match_enabled`, the
    acknowledgement of a data request has the frame-pending bit set only for addresses in `match_short` and
    `match_extended`; otherwise for every data request.
    """

    def __init__(
        self, scope: Scope, medium: Medium, eui64: int, position: tuple[float, float], user: RadioUser
    ) -> None:
        super().__init__(medium, eui64, position)
        self.match_enabled = False
        self.match_short: dict[int, None] = {}
        self.match_extended: dict[int, None] = {}
        self._mode = PromiscuousMode.OFF
        self._enabled = self._listening = False
        self._scope = scope
        self._user = user
        self._acked_with_pending: bytes | None = None
        self._queue: deque[_Outgoing] = deque()
        self._current: _Outgoing | None = None
        self._flying: Transmission | None = None
        self._backoffs = self._exponent = self._retries = 0
        medium.attach(self)

    # Settings

    @property
    def enabled(self) -> bool:
        """Whether the PHY is powered; without it nothing is sent."""
        return self._enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self._enabled = enabled
        self._set_receiver()

    @property
    def listening(self) -> bool:
        """Whether the receiver is on, given that the PHY is."""
        return self._listening

    @listening.setter
    def listening(self, listening: bool) -> None:
        self._listening = listening
        self._set_receiver()

    @property
    def mode(self) -> PromiscuousMode:
        """What reaches the host besides frames for this radio."""
        return self._mode

    @mode.setter
    def mode(self, mode: PromiscuousMode) -> None:
        self._mode = mode
        self.promiscuous = mode is not PromiscuousMode.OFF

    def readdress(self, eui64: int) -> None:
        """Take another EUI-64; raises `EmulatorError` when somebody on the air has it."""
        if eui64 == self.eui64:
            return
        before = self.eui64
        self.medium.detach(self)
        self.eui64 = eui64
        try:
            self.medium.attach(self)
        except EmulatorError:
            self.eui64 = before
            self.medium.attach(self)
            raise

    def set_power(self, dbm: int) -> None:
        """Change the transmit power."""
        self.tx_power_dbm = dbm
        self.medium.refresh_links()

    def reset(self) -> None:
        """Forget settings and frames not yet sent; their `done` is not called."""
        self._queue.clear()
        self._current = self._flying = None
        self._enabled = self._listening = self.match_enabled = False
        self.match_short.clear()
        self.match_extended.clear()
        self._acked_with_pending = None
        self.mode = PromiscuousMode.OFF
        self.medium.retune(self, channel=CHANNELS[0], pan_id=0xFFFF, short_address=0xFFFF)
        self._set_receiver()

    def _set_receiver(self) -> None:
        if not (self._enabled and self._listening):
            self.ready_us = DEAF
        elif self.ready_us == DEAF:
            self.ready_us = self._scope.now

    # Sending

    def transmit(self, psdu: bytes, options: TransmitOptions, done: Done) -> SpinelStatus:
        """Send a PSDU, whose last two octets become the FCS. OK means that `done` will be called once."""
        if not _MIN_PSDU <= len(psdu) <= MAX_PSDU:
            return SpinelStatus.INVALID_ARGUMENT
        if options.channel not in CHANNELS or options.rx_channel_after not in CHANNELS:
            return SpinelStatus.INVALID_ARGUMENT
        if not self._enabled:
            return SpinelStatus.INVALID_STATE
        if len(self._queue) >= QUEUE_LIMIT:
            return SpinelStatus.BUSY
        outgoing = _Outgoing(with_fcs(psdu[:-FCS_OCTETS]), options, done)
        if self._current is None:
            self._start(outgoing)
        else:
            self._queue.append(outgoing)
        return SpinelStatus.OK

    @property
    def busy(self) -> bool:
        """Whether a frame is being sent."""
        return self._current is not None

    def _start(self, outgoing: _Outgoing) -> None:
        self._current = outgoing
        self._retries = 0
        if self.tuned_channel != outgoing.options.channel:
            self.channel = outgoing.options.channel
        options = outgoing.options
        if options.delay_us:
            # Times are the low 32 bits of the radio's clock; one in the past is due at once.
            wait = (options.delay_base_us + options.delay_us - self._scope.now) & 0xFFFFFFFF
            self._scope.call_later(wait if wait < 1 << 31 else 0, self._contend, outgoing)
        else:
            self._contend(outgoing)

    def _contend(self, outgoing: _Outgoing) -> None:
        self._backoffs = 0
        self._exponent = MIN_BACKOFF_EXPONENT
        if outgoing.options.csma:
            self._back_off(outgoing)
        else:
            self._send(outgoing)

    def _back_off(self, outgoing: _Outgoing) -> None:
        periods = self._scope.random.getrandbits(self._exponent)
        self._scope.call_later(periods * UNIT_BACKOFF_US + CCA_US, self._assess, outgoing)

    def _assess(self, outgoing: _Outgoing) -> None:
        if outgoing is not self._current:
            return
        if self.medium.clear(self):
            self._send(outgoing)
            return
        self._backoffs += 1
        if self._backoffs > outgoing.options.max_backoffs:
            self._retry(outgoing, SpinelStatus.CCA_FAILURE)
            return
        self._exponent = min(self._exponent + 1, MAX_BACKOFF_EXPONENT)
        self._back_off(outgoing)

    def _send(self, outgoing: _Outgoing) -> None:
        if outgoing is self._current and self.attached:
            wants_ack = bool(outgoing.psdu[0] & ACK_REQUEST)
            self._flying = self.medium.transmit(self, outgoing.psdu, wants_ack)

    def sent(self, transmission: Transmission, acked: bool, pending: bool) -> None:
        """Learn how a transmission ended; one from before a reset is nobody's any more."""
        current = self._current
        if transmission is not self._flying or current is None:
            return
        self._flying = None
        if acked:
            self._finish(SpinelStatus.OK, pending)
        else:
            self._retry(current, SpinelStatus.NO_ACK)

    def _retry(self, outgoing: _Outgoing, status: SpinelStatus) -> None:
        """Try again, after a busy channel as after a missing acknowledgement: OpenThread counts both."""
        if self._retries < outgoing.options.max_retries:
            self._retries += 1
            self._contend(outgoing)
        else:
            self._finish(status)

    def _finish(self, status: SpinelStatus, pending: bool = False) -> None:
        current = self._current
        if current is None:
            return
        self._current = None
        if self.tuned_channel != current.options.rx_channel_after:
            self.channel = current.options.rx_channel_after
        if self._queue:
            self._start(self._queue.popleft())
        current.done(status, pending)

    # From the medium

    def accept(self, psdu: bytes) -> int:
        """Acknowledge what asks for it; the frame-pending bit says whether the host holds something."""
        if not psdu[0] & ACK_REQUEST:
            return NO_ACK
        if psdu[0] & 7 == FrameType.COMMAND and self._pending(psdu):
            self._acked_with_pending = psdu
            return ACK_PENDING
        return ACK

    def _pending(self, psdu: bytes) -> bool:
        try:
            frame = decode_frame(psdu[:-FCS_OCTETS])
            if not isinstance(decode_command(frame.payload), DataRequest):
                return False
        except FrameError:
            return False
        if not self.match_enabled:
            return True
        table = self.match_short if frame.source_mode is AddressMode.SHORT else self.match_extended
        return frame.source in table

    def indicate(self, psdu: bytes, lqi: int) -> None:
        """Take a frame that passed the medium's address lookup, or any broadcast."""
        pending = psdu is self._acked_with_pending
        self._acked_with_pending = None
        if self._mode is PromiscuousMode.OFF and _for_pan(psdu, self.tuned_pan):
            self._user.radio_received(psdu, lqi, _rssi_of(lqi), pending)

    def overhear(self, psdu: bytes, lqi: int, rssi_dbm: int) -> None:
        """Take any intact frame while promiscuous: `indicate` then keeps quiet, so that none comes twice."""
        if self._mode is PromiscuousMode.FULL or _for_pan(psdu, self.tuned_pan):
            self._user.radio_received(psdu, lqi, rssi_dbm, False)


def _for_pan(psdu: bytes, pan_id: int) -> bool:
    """Filter by PAN (802.15.4-2006 7.5.6.2): the destination's, or for a beacon the source's."""
    if psdu[0] & 7 == FrameType.ACK or len(psdu) < 5 + FCS_OCTETS:
        return False
    in_frame: int = _U16.unpack_from(psdu, 3)[0]
    if psdu[1] & 0x0C:
        return in_frame in (pan_id, BROADCAST_PAN)
    return psdu[0] & 7 == FrameType.BEACON and pan_id in (in_frame, BROADCAST_PAN)


def _rssi_of(lqi: int) -> int:
    """Return the signal strength, dBm, an LQI stands for."""
    return round(SENSITIVITY_DBM + lqi * _LQI_DB)
