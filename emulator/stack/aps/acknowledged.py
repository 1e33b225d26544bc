"""Unicasts that are acknowledged end to end: their retries, their fragments and who still waits.

Source: ZigBee PRO 2.2.8, as restated in the fact
sheet (protocol 4.5).
"""

from __future__ import annotations

from emulator.clock.kernel import Scope, Timer
from emulator.stack.aps.fragmentation import INTERFRAME_DELAY_US, FragmentSender
from emulator.stack.aps.frames import (
    ACK_REQUEST,
    EXTENDED,
    EXTENDED_HEADER_OCTETS,
    NOT_FRAGMENT,
    SECURED,
    ApsHeader,
    encode_data_header,
)
from emulator.stack.aps.key_table import LinkKey
from emulator.stack.aps.security import KEY_DATA, seal
from emulator.stack.aps.service import ApsUser, NwkData
from emulator.stack.primitives import ApsdeRequest, Confirm, Status

MAX_FRAME_RETRIES = 3
"""apscMaxFrameRetries."""
ACK_WAIT_US = 1_600_000
"""apscAckWaitDuration."""
SLEEPY_ACK_WAIT_US = 7_680_000 + ACK_WAIT_US
"""For a destination that sleeps: its parent may hold the frame for 7.68 s."""


class _Pending:
    """A frame that waits for its acknowledgement."""

    __slots__ = ("confirm", "counter", "key", "request", "sender", "timer", "tries")

    def __init__(
        self,
        request: ApsdeRequest,
        counter: int,
        key: LinkKey | None,
        confirm: Confirm | None,
        sender: FragmentSender | None,
    ) -> None:
        self.request = request
        self.counter = counter
        self.key = key
        self.confirm = confirm
        self.sender = sender
        self.tries = 0
        self.timer: Timer | None = None


class AcknowledgedSending:
    """The frames of one node that wait for an acknowledgement, by destination and APS counter."""

    def __init__(self, scope: Scope, nwk: NwkData, user: ApsUser, ack_wait_us: int, sleepy: set[int]) -> None:
        """`sleepy` is the set, kept by the layer, of short addresses that answer late."""
        self._scope = scope
        self._nwk = nwk
        self._user = user
        self._ack_wait_us = ack_wait_us
        self._sleepy = sleepy
        self._pending: dict[int, _Pending] = {}

    def send(
        self,
        request: ApsdeRequest,
        confirm: Confirm | None,
        key: LinkKey | None,
        limit: int,
        previous_counter: int,
    ) -> int:
        """Send an ASDU, in fragments when it is longer than `limit` octets; returns the APS counter it took.

        A request that cannot be sent is confirmed as failed, and the counter stays at `previous_counter`.
        """
        sender = None
        if len(request.asdu) > limit:
            try:
                sender = FragmentSender(request.asdu, limit - EXTENDED_HEADER_OCTETS)
            except ValueError:
                self._refuse(confirm, Status.APS_ASDU_TOO_LONG)
                return previous_counter
        counter = self._free_counter(request.destination, previous_counter)
        if counter is None:
            self._refuse(confirm, Status.TRANSACTION_OVERFLOW)
            return previous_counter
        pending = _Pending(request, counter, key, confirm, sender)
        self._pending[request.destination << 8 | counter] = pending
        self._transmit(pending)
        return counter

    def abandon(self) -> None:
        """Give up everything under way."""
        pending = list(self._pending.values())
        self._pending.clear()
        for entry in pending:
            self._scope.cancel(entry.timer)
            if entry.confirm is not None:
                entry.confirm(Status.NWK_INVALID_REQUEST)

    def acknowledge(self, source: int, header: ApsHeader) -> None:
        """Take an acknowledgement; one that nobody waits for is ignored."""
        pending = self._pending.get(source << 8 | header.counter)
        if pending is None:
            return
        sender = pending.sender
        if sender is None:
            self._scope.cancel(pending.timer)
            self._finish(pending, Status.SUCCESS)
        elif header.fragmentation != NOT_FRAGMENT and sender.acknowledged(header.block, header.bitfield):
            self._scope.cancel(pending.timer)
            pending.tries = 0
            if sender.done:
                self._finish(pending, Status.SUCCESS)
            else:
                pending.timer = self._scope.call_later(INTERFRAME_DELAY_US, self._transmit, pending)

    def _refuse(self, confirm: Confirm | None, status: Status) -> None:
        """Confirm later: a caller never hears of a request before it returns."""
        if confirm is not None:
            self._scope.call_later(0, confirm, status)

    def _free_counter(self, destination: int, previous: int) -> int | None:
        """Return the next counter that no frame to `destination` still waits under."""
        for step in range(1, 257):
            counter = (previous + step) & 0xFF
            if destination << 8 | counter not in self._pending:
                return counter
        return None

    def _transmit(self, pending: _Pending) -> None:
        """Send a frame or its current fragment, secured afresh each time so that a retry is not a replay."""
        request, key, sender = pending.request, pending.key, pending.sender
        control = ACK_REQUEST if key is None else ACK_REQUEST | SECURED
        payload = request.asdu
        extended = b""
        if sender is not None:
            fragment = sender.fragment()
            control |= EXTENDED
            extended = bytes((fragment.fragmentation, fragment.block))
            payload = fragment.payload
        header = encode_data_header(
            control,
            request.destination_endpoint,
            request.cluster,
            request.profile,
            request.source_endpoint,
            pending.counter,
        )
        if extended:
            header += extended
        if key is None:
            frame = header + payload
        else:
            frame = seal(key.cipher, KEY_DATA, key.take_counter(), self._nwk.eui64, header, payload)
        wait_us = SLEEPY_ACK_WAIT_US if request.destination in self._sleepy else self._ack_wait_us
        pending.timer = self._scope.call_later(wait_us, self._missing, pending)
        self._nwk.data(request.destination, frame, None, radius=request.radius)
        self._user.aps_answer_expected(wait_us)

    def _missing(self, pending: _Pending) -> None:
        pending.tries += 1
        if pending.tries <= MAX_FRAME_RETRIES:
            self._transmit(pending)
        else:
            self._finish(pending, Status.APS_NO_ACK)

    def _finish(self, pending: _Pending, status: Status) -> None:
        self._pending.pop(pending.request.destination << 8 | pending.counter, None)
        if pending.confirm is not None:
            pending.confirm(status)
