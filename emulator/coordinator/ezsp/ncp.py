"""A network co-processor on a serial line: ASH below, the firmware above, and memory that outlives both.

The line may come and go. The network keeps running without it; a host that comes back asks for a reset, as hosts do,
and finds its network again with networkInit.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.clock.line_clock import line_clock
from emulator.coordinator.ash import DEFAULT_WINDOW, AshLink, LinkEvent, LinkReset, Received
from emulator.coordinator.ash_frames import ResetCode
from emulator.coordinator.ezsp.core import NcpConfig, Surroundings
from emulator.coordinator.ezsp.firmware import Firmware
from emulator.nonvolatile import NonVolatile
from emulator.stack.aps.key_table import KeyObserver
from emulator.stack.node import Node

Write = Callable[[bytes], None]


class Ncp:
    """An EZSP dongle. `attach` is plugging it in, `detach` pulling it out of the host (it stays powered)."""

    def __init__(
        self,
        kernel: Kernel,
        medium: Medium,
        config: NcpConfig,
        memory: NonVolatile,
        *,
        on_key: KeyObserver | None = None,
        window: int = DEFAULT_WINDOW,
        pace: float | None = None,
    ) -> None:
        """Apply power; `memory` holds the tokens, `on_key` hears of keys for a Wireshark key file.

        `pace` is given for a host outside the emulation, whose time is real: the virtual seconds per real second.
        """
        self.config = config
        self._scope = kernel.scope(f"{config.label}/line")
        clock = line_clock(self._scope, pace)
        self._surroundings = Surroundings(kernel, medium, memory, on_key, pace)
        self._line: Write | None = None
        self.link = AshLink(clock, self._write, self._link_event, window=window)
        self._firmware = self._boot()
        self.resets = 0
        """How often the host has reset the co-processor."""

    @property
    def node(self) -> Node:
        """The coordinator's stack in its present life."""
        return self._firmware.node

    # The line

    def attach(self, write: Write) -> None:
        """Connect the line: octets for the host go to `write`. A line already there is replaced."""
        self.link.line_lost()
        self._line = write

    def detach(self) -> None:
        """The line is gone; the network goes on."""
        self._line = None
        self.link.line_lost()

    def feed(self, octets: bytes) -> None:
        """Take octets from the host."""
        self.link.feed(octets)

    def announce(self) -> None:
        """Reset and say so unasked, as some bridges do when a host connects."""
        self._reboot()
        self.link.announce_reset(ResetCode.POWER_ON)

    def power_off(self) -> None:
        """Cut the power."""
        self._firmware.end()
        self._scope.end()
        self._line = None

    # Parts

    def _boot(self) -> Firmware:
        return Firmware(
            self._surroundings,
            self.config,
            self._send,
            framing_errors=lambda: self.link.counters.malformed,
        )

    def _reboot(self) -> None:
        self.resets += 1
        self._firmware.end()
        self._firmware = self._boot()

    def _link_event(self, event: LinkEvent) -> None:
        if isinstance(event, Received):
            self._firmware.receive(event.payload)
        elif isinstance(event, LinkReset):
            self._reboot()

    def _send(self, frame: bytes) -> None:
        if self._line is not None:
            self.link.send(frame)

    def _write(self, octets: bytes) -> None:
        if self._line is not None:
            self._line(octets)
