"""A wide-area link: datagrams between one head end and one comms hub, in virtual time.

SMETS1 hubs hang on 2G/3G. A hub that has not been spoken to for a while is asleep and needs wake-up messages (SMS)
before it answers; some families need two (DCC migration facts, section 3.6). The link carries opaque octets: who may
command the hub is decided by the control envelopes inside them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from emulator.clock.kernel import Kernel

Receiver = Callable[[bytes], None]


class WanParameters(NamedTuple):
    """How the wide-area link behaves; times in microseconds, loss as a probability."""

    latency_us: int = 350_000
    jitter_us: int = 150_000
    wake_messages: int = 2
    wake_latency_us: int = 8_000_000
    wake_window_us: int = 300_000_000
    """Wake-up messages of one waking arrive within this; what came earlier is forgotten."""
    asleep_after_us: int = 600_000_000
    loss: float = 0.0


class WanLink:
    """Carries datagrams both ways; the hub must be woken after a silence."""

    def __init__(self, kernel: Kernel, parameters: WanParameters | None = None) -> None:
        """`on_hub` and `on_head_end` receive what arrives at either end."""
        self.parameters = parameters or WanParameters()
        self.on_hub: Receiver | None = None
        self.on_head_end: Receiver | None = None
        self.up = True
        self.wake_messages_sent = 0
        self._scope = kernel.scope("wan")
        self._awake_until_us = 0
        self._wakes_us: list[int] = []
        """When the wake-up messages arrived that may still add up to a waking."""
        self._arrival_us = {"hub": 0, "head end": 0}

    @property
    def awake(self) -> bool:
        """Whether the hub's modem is listening now."""
        return self._scope.now < self._awake_until_us

    def wake(self) -> None:
        """Send one wake-up message to the hub."""
        self.wake_messages_sent += 1
        if self.up:
            self._scope.call_later(self.parameters.wake_latency_us, self._woken)

    def to_hub(self, datagram: bytes) -> None:
        """Send from the head end; a sleeping, unreachable or unlucky hub never sees it."""
        self._send("hub", datagram)

    def to_head_end(self, datagram: bytes) -> None:
        """Send from the hub."""
        self._keep_awake()
        self._send("head end", datagram)

    def _send(self, end: str, datagram: bytes) -> None:
        if not self.up or self._scope.random.random() < self.parameters.loss:
            return
        delay = self.parameters.latency_us + self._scope.random.randrange(self.parameters.jitter_us + 1)
        # Datagrams of one direction do not overtake each other.
        due = max(self._scope.now + delay, self._arrival_us[end] + 1)
        self._arrival_us[end] = due
        self._scope.call_at(due, self._deliver, end, datagram)

    def _deliver(self, end: str, datagram: bytes) -> None:
        if not self.up:
            return
        if end == "hub":
            if not self.awake:
                return
            self._keep_awake()
            if self.on_hub is not None:
                self.on_hub(datagram)
        elif self.on_head_end is not None:
            self.on_head_end(datagram)

    def _woken(self) -> None:
        oldest = self._scope.now - self.parameters.wake_window_us
        self._wakes_us = [at_us for at_us in self._wakes_us if at_us > oldest] + [self._scope.now]
        if len(self._wakes_us) >= self.parameters.wake_messages or self.awake:
            self._wakes_us.clear()
            self._keep_awake()

    def _keep_awake(self) -> None:
        self._awake_until_us = self._scope.now + self.parameters.asleep_after_us
