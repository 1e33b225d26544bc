"""Staying on the home area network: joining, rejoin and recovery, and the keep-alive of the trust centre.

The rules are those of fact sheet 2.8; how long to wait between tries is the model's. A device that has lost its
network keeps what it knows of it and goes on looking; only leaving makes it join anew.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.clock.kernel import MICROSECONDS, Scope
from emulator.devices.attributes import wanted
from emulator.stack.node import Node
from emulator.stack.primitives import Status
from emulator.zcl.client import Peer, Values, ZclClient
from emulator.zcl.identifiers import TIME
from hw_profiles.model import Timings

TIME_STATUS = wanted(TIME, "time_status")
QUICK_ROUNDS = 4
"""Rounds of rejoin at the short interval, before those at the long one."""
TRIES_ON_CHANNEL = 6
"""Secured and trust centre rejoins by turns, three each, before all channels are searched."""
FAILURES_ALLOWED = 3
"""Unanswered keep-alives, or frames without acknowledgement, in a row before the device looks for its network."""


class Presence:
    """One life's efforts to be on the network."""

    def __init__(
        self,
        scope: Scope,
        node: Node,
        client: ZclClient,
        timings: Timings,
        time_server: Callable[[], Peer | None],
    ) -> None:
        """`time_server` names whom to ask for a sign of life of the trust centre."""
        self._scope = scope
        self._node = node
        self._client = client
        self._timings = timings
        self._time_server = time_server
        self._missed = 0
        self._undelivered = 0
        self._keys_missed = 0
        self._attempt = 0
        self._not_before_us = 0
        self._recovering = False
        self._keeping_alive = False

    def join(self) -> None:
        """Join an open network, trying until one lets this device in."""
        if self._node.parameters is None:
            self._node.join(done=self._joined)

    def _joined(self, status: Status) -> None:
        if status is not Status.SUCCESS:
            self._scope.call_later(self._around(self._timings.rejoin_interval_s), self.join)

    def join_again(self) -> None:
        """Join anew, a while after the network was left."""
        self._scope.call_later(self._around(self._timings.rejoin_interval_s), self.join)

    def recover(self) -> None:
        """Find the network again after its parent or trust centre fell silent.

        A rejoin that succeeds at a parent proves little: until the trust centre has acknowledged something, the
        next recovery goes on with the next way of rejoining.
        """
        if not self._recovering and self._on_a_network:
            self._recovering = True
            self._scope.call_at(self._not_before_us, self._rejoin)

    @property
    def _on_a_network(self) -> bool:
        """Whether there is a network to return to, with its key or waiting for it."""
        return self._node.nwk.parameters is not None

    def _rejoin(self) -> None:
        if not self._on_a_network:
            self._recovering = False
            return
        attempt = self._attempt
        self._attempt += 1
        quick = attempt < QUICK_ROUNDS * 2
        interval_s = self._timings.rejoin_interval_s if quick else self._timings.rejoin_max_interval_s
        self._not_before_us = self._scope.now + self._around(interval_s)
        channels = None if attempt < TRIES_ON_CHANNEL else self._node.search_channels
        self._node.rejoin(secured=attempt % 2 == 0, channels=channels, done=self._rejoined)

    def _rejoined(self, status: Status) -> None:
        if status is Status.SUCCESS:
            self._recovering = False
        else:
            self._scope.call_at(self._not_before_us, self._rejoin)

    def delivered(self, status: Status) -> None:
        """Take note of how a frame to the trust centre fared; a device that missed a network key learns it so.

        A hub that has changed the network key while this device slept still hears it, but is not understood.
        """
        if status is Status.SUCCESS:
            self._undelivered = self._keys_missed = self._attempt = 0
        elif status is Status.APS_NO_ACK:
            self._undelivered += 1
            if self._undelivered >= FAILURES_ALLOWED:
                self._undelivered = 0
                self.recover()

    def key_missed(self) -> None:
        """Take note that the parent uses a network key this device slept through the update to.

        As with frames that stay unacknowledged, one such frame proves nothing: anybody can make one.
        """
        self._keys_missed += 1
        if self._keys_missed >= FAILURES_ALLOWED:
            self._keys_missed = 0
            self.recover()

    def keep_alive(self) -> None:
        """Ask the trust centre for a sign of life now and then; three misses start the recovery."""
        if not self._keeping_alive:
            self._keeping_alive = True
            self._await_keep_alive()

    def _await_keep_alive(self) -> None:
        jitter_us = self._scope.random.randrange(int(self._timings.keep_alive_jitter_s * MICROSECONDS) + 1)
        delay_us = int(self._timings.keep_alive_s * MICROSECONDS) + jitter_us
        self._scope.call_later(delay_us, self._poll_trust_centre)

    def _poll_trust_centre(self) -> None:
        peer = self._time_server()
        if peer is not None:
            self._client.read_attributes(peer, TIME, (TIME_STATUS,), self._answered)
        self._await_keep_alive()

    def _answered(self, answer: Values | None) -> None:
        # Whatever the trust centre answers, it is there.
        self._missed = 0 if answer is not None else self._missed + 1
        if self._missed >= FAILURES_ALLOWED:
            self._missed = 0
            self.recover()

    def _around(self, seconds: float) -> int:
        """Return `seconds` as microseconds, give or take a quarter, so that devices do not all try at once."""
        return int(self._scope.random.uniform(0.75, 1.25) * seconds * MICROSECONDS)
