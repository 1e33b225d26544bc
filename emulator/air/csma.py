"""Sending: the transmit queue, unslotted CSMA-CA and retries (802.15.4-2006 7.5.1.4, 7.5.6.4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from emulator.air.phy import (
    CCA_US,
    MAX_BACKOFF_EXPONENT,
    MAX_CSMA_BACKOFFS,
    MAX_FRAME_RETRIES,
    MIN_BACKOFF_EXPONENT,
    UNIT_BACKOFF_US,
)
from emulator.air.radio import Radio
from emulator.clock.kernel import Scope
from emulator.status import Confirm, Status

QUEUE_LIMIT = 64
"""Frames waiting in one MAC; more are refused with TRANSACTION_OVERFLOW."""


Outgoing = tuple[bytes, bool, Confirm | None]
"""A frame to send: the PSDU, whether to wait for an acknowledgement, and whom to tell."""


class Transmitter:
    """Sends one frame at a time for a radio. `ack_pending` is the frame-pending bit of the latest ack."""

    __slots__ = (
        "_backoffs",
        "_current",
        "_draw_bits",
        "_exponent",
        "_kernel",
        "_on_idle",
        "_paused",
        "_queue",
        "_radio",
        "_retries",
        "_scope",
        "ack_pending",
    )

    def __init__(self, scope: Scope, radio: Radio) -> None:
        self._scope = scope
        self._draw_bits = scope.random.getrandbits
        self._kernel = radio.medium.kernel
        self._radio = radio
        self._queue: deque[Outgoing] = deque()
        self._current: Outgoing | None = None
        self._backoffs = self._exponent = self._retries = 0
        self._paused = False
        self._on_idle: Callable[[], None] | None = None
        self.ack_pending = False

    def send(self, psdu: bytes, wants_ack: bool, confirm: Confirm | None) -> None:
        """Queue a PSDU; `confirm` gets SUCCESS, NO_ACK, CHANNEL_ACCESS_FAILURE or TRANSACTION_OVERFLOW."""
        if self._current is None and not self._paused:
            self._current = psdu, wants_ack, confirm
            self._retries = 0
            self._contend()
        elif len(self._queue) < QUEUE_LIMIT:
            self._queue.append((psdu, wants_ack, confirm))
        elif confirm is not None:
            self._scope.call_later(0, confirm, Status.TRANSACTION_OVERFLOW)

    def send_now(self, psdu: bytes, wants_ack: bool, confirm: Confirm | None) -> None:
        """Send while paused (scans do); the transmitter must be idle."""
        assert self._current is None, "send_now needs an idle transmitter"
        self._start((psdu, wants_ack, confirm))

    def pause(self, idle: Callable[[], None]) -> None:
        """Hold the queue back and call `idle` once the frame being sent, if any, is done."""
        self._paused = True
        if self._current is None:
            idle()
        else:
            self._on_idle = idle

    def resume(self) -> None:
        """Let the queue go on; a pause that has not been told of an idle transmitter is off."""
        self._paused = False
        self._on_idle = None
        if self._current is None and self._queue:
            self._start(self._queue.popleft())

    def clear(self) -> None:
        """Forget everything: the power is gone."""
        self._queue.clear()
        self._current = self._on_idle = None

    def sent(self, acked: bool, pending: bool) -> None:
        """Learn from the medium how the latest attempt ended; send again or finish."""
        if acked:
            self.ack_pending = pending
            self._finish(Status.SUCCESS)
        elif self._retries < MAX_FRAME_RETRIES:
            self._retries += 1
            self._contend()
        else:
            self._finish(Status.NO_ACK)

    def _start(self, outgoing: Outgoing) -> None:
        self._current = outgoing
        self._retries = 0
        self._contend()

    def _contend(self) -> None:
        self._backoffs = 0
        self._exponent = MIN_BACKOFF_EXPONENT
        wait_us = self._draw_bits(MIN_BACKOFF_EXPONENT) * UNIT_BACKOFF_US + CCA_US
        kernel = self._kernel
        kernel.schedule(kernel.now + wait_us, self._assess, (), self._scope)

    def _assess(self) -> None:
        current = self._current
        radio = self._radio
        if current is None or not radio.attached:
            return
        medium = radio.medium
        if medium.clear(radio):
            psdu, wants_ack, _ = current
            medium.transmit_last(radio, psdu, wants_ack)
            return
        self._backoffs += 1
        if self._backoffs > MAX_CSMA_BACKOFFS:
            self._finish(Status.CHANNEL_ACCESS_FAILURE)
            return
        if self._exponent < MAX_BACKOFF_EXPONENT:
            self._exponent += 1
        wait_us = self._draw_bits(self._exponent) * UNIT_BACKOFF_US + CCA_US
        kernel = self._kernel
        kernel.schedule(kernel.now + wait_us, self._assess, (), self._scope)

    def _finish(self, status: Status) -> None:
        current = self._current
        self._current = None
        if self._on_idle is not None:
            idle, self._on_idle = self._on_idle, None
            idle()
        elif self._queue and not self._paused:
            self._start(self._queue.popleft())
        if current is not None:
            _, _, confirm = current
            if confirm is not None:
                confirm(status)
