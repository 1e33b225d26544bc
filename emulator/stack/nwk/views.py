"""What the machines of the network layer see of their node: each names the few things it works with.

One `NwkState` stands behind all of these views; no machine knows it. A machine's own view is in its module and
is put together from the ones here.
"""

from __future__ import annotations

from typing import Protocol

from emulator.clock.kernel import Scope
from emulator.stack.nwk.counters import NwkCounters
from emulator.stack.nwk.neighbours import NeighbourTable
from emulator.stack.nwk.service import NodeType, NwkListener, NwkTiming
from emulator.stack.nwk.transit import Outgoing
from emulator.stack.primitives import Confirm, NetworkParameters, Status

NO_ADDRESS = 0xFFFF
COMMAND_RADIUS = 30


class WayOut(Protocol):
    """What the machines of the layer ask of `emulator.stack.nwk.sending.Sending`."""

    def command_header(
        self,
        destination: int,
        *,
        radius: int = COMMAND_RADIUS,
        source_eui64: int | None = None,
        destination_eui64: int | None = None,
        secure: bool = True,
    ) -> bytes:
        """Return the packed header of a command of ours, with the next sequence number."""

    def send_command(
        self,
        destination: int,
        payload: bytes,
        confirm: Confirm | None = None,
        *,
        destination_eui64: int | None = None,
    ) -> None:
        """Send a secured command over as many hops as it takes, or broadcast it."""

    def transmit(
        self,
        hop: int,
        header: bytes,
        payload: bytes,
        confirm: Confirm | None = None,
        *,
        indirect: bool = False,
    ) -> None:
        """Secure a frame if its header says so, and give it to the MAC for the next hop."""

    def route(self, frame: Outgoing) -> None:
        """Send a unicast on its way."""

    def fail(self, frame: Outgoing, status: Status) -> None:
        """Give up on a unicast."""


class Timed(Protocol):
    """Time, chance, and the durations of the layer."""

    scope: Scope
    timing: NwkTiming


class Named(Protocol):
    """Who this node is, and who others are."""

    eui64: int
    short_address: int
    device_type: NodeType

    def eui64_of(self, short: int) -> int | None:
        """Return the EUI-64 that has that short address."""


class Member(Protocol):
    """The network this node is on, and whether it holds its key by right."""

    parameters: NetworkParameters | None
    authenticated: bool
    parent_short: int


class Speaker(Protocol):
    """The way out, and whom this node hears."""

    sending: WayOut
    neighbours: NeighbourTable


class Reporter(Protocol):
    """Whom to tell, and what to count."""

    listener: NwkListener
    counters: NwkCounters


class Learner(Protocol):
    """Takes note of who has which address."""

    def learn(self, eui64: int, short: int) -> None:
        """Record a pair of addresses seen in a frame, an announcement or a key; notes conflicts."""
