"""An end device's link with its parent: polling, keep-alive and noticing that the parent is gone.

A device that sleeps polls its parent at a long interval, and at a short one while it expects something. One
whose receiver stays on sends End Device Timeout Requests instead (3.6.10.2). Three misses in a row are a
parent lost (the three-missed-polls rule of field stacks, fact sheet, devices 2.11).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from emulator.air.mac import Mac
from emulator.clock.kernel import Timer
from emulator.stack.nwk.commands import (
    EndDeviceTimeoutRequest,
    end_device_timeout_seconds,
    pack_end_device_timeout_request,
)
from emulator.stack.nwk.service import SECOND, NetworkStatus, NodeType
from emulator.stack.nwk.views import Member, Named, Reporter, Speaker, Timed
from emulator.stack.primitives import Status

KEEP_ALIVES_PER_TIMEOUT = 3


class ParentLinkView(Timed, Named, Member, Speaker, Reporter, Protocol):
    """What the link with the parent works with."""

    mac: Mac
    sleepy: bool


class ParentLink:
    """Polling and keep-alive of one end device; without effect on routers."""

    def __init__(self, nwk: ParentLinkView) -> None:
        self._nwk = nwk
        self.long_us = nwk.timing.poll_long_us
        self.short_us = nwk.timing.poll_short_us
        self._fast_until_us = 0
        self._missed = 0
        self._running = False
        self._polling = False
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin to poll, or to keep alive."""
        nwk = self._nwk
        self.stop()
        self._missed = 0
        if nwk.device_type != NodeType.END_DEVICE or nwk.parameters is None:
            return
        self._running = True
        self._schedule()

    def stop(self) -> None:
        """Be quiet."""
        self._nwk.scope.cancel(self._timer)
        self._timer = None
        self._running = False

    def set_interval(self, long_us: int, short_us: int) -> None:
        """Change both poll intervals."""
        self.long_us, self.short_us = long_us, short_us
        if self._running:
            self._schedule()

    def fast_poll(self, duration_us: int) -> None:
        """Poll at the short interval for `duration_us` from now."""
        nwk = self._nwk
        now = nwk.scope.now
        self._fast_until_us = max(self._fast_until_us, now + duration_us)
        timer = self._timer
        if self._running and nwk.sleepy and timer is not None and timer[0] > now + self.short_us:
            self._schedule()

    def _schedule(self) -> None:
        nwk = self._nwk
        nwk.scope.cancel(self._timer)
        if not nwk.sleepy:
            timeout_us = end_device_timeout_seconds(nwk.timing.end_device_timeout) * SECOND
            self._timer = nwk.scope.call_later(timeout_us // KEEP_ALIVES_PER_TIMEOUT, self._keep_alive)
            return
        fast = nwk.scope.now < self._fast_until_us or self._missed
        self._timer = nwk.scope.call_later(self.short_us if fast else self.long_us, self._due)

    def _due(self) -> None:
        if not self._polling:
            self.poll()

    def poll(self, done: Callable[[Status], None] | None = None) -> None:
        """Ask the parent for what it holds, and ask again until it holds nothing."""
        self._polling = True
        self._nwk.mac.poll(lambda status: self._polled(status, done))

    def _polled(self, status: Status, done: Callable[[Status], None] | None) -> None:
        self._polling = False
        if done is not None:
            done(status)
        if not self._running:
            return
        if status == Status.SUCCESS:
            self._missed = 0
            self.poll()
            return
        if status == Status.NO_DATA:
            self._missed = 0
        else:
            self.missed()
        if self._running:
            self._schedule()

    def reached(self) -> None:
        """The parent has acknowledged a frame."""
        self._missed = 0

    def missed(self) -> None:
        """The parent did not answer; reports a lost parent at the third time running."""
        self._missed += 1
        if self._missed >= self._nwk.timing.missed_polls and self._running:
            self._missed = 0
            nwk = self._nwk
            nwk.listener.nwk_status(nwk.parent_short, NetworkStatus.PARENT_LINK_FAILURE)

    def _keep_alive(self) -> None:
        self.request_timeout()
        self._schedule()

    def request_timeout(self) -> None:
        """Tell the parent how long we may be silent (3.4.11)."""
        nwk = self._nwk
        if nwk.device_type != NodeType.END_DEVICE:
            return
        parent = nwk.parent_short
        header = nwk.sending.command_header(
            parent, radius=1, source_eui64=nwk.eui64, destination_eui64=nwk.eui64_of(parent)
        )
        request = EndDeviceTimeoutRequest(nwk.timing.end_device_timeout)
        nwk.sending.transmit(parent, header, pack_end_device_timeout_request(request), self._kept_alive)
        self.fast_poll(nwk.timing.wake_us)

    def _kept_alive(self, status: Status) -> None:
        if status == Status.SUCCESS:
            self.reached()
        else:
            self.missed()
