"""Faults of the line between a host and a co-processor: octets lost, flipped, doubled or held up, and the line cut.

`FaultyLine` sits between a transport and its device (`serve_pty(FaultyLine(scope, ncp), path)`). It draws from its
scope, so that a seed spoils the same octets every time, and does things at moments named by octets, not by seconds:
the middle of a frame stays the middle of a frame however fast the line is. Order is kept, as on a wire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from heapq import heappop, heappush
from random import Random
from typing import Protocol

from emulator.clock.kernel import Scope
from emulator.coordinator.transports import LineDevice
from emulator.errors import EmulatorError

HOLD_US = 50_000
Action = Callable[[], None]


class Heading(Enum):
    """Which way octets go."""

    TO_HOST = auto()
    TO_DEVICE = auto()


@dataclass(frozen=True, slots=True)
class LineQuality:
    """What happens to each octet, as probabilities from 0 to 1 that together are at most 1.

    `held` octets, and with them all behind, arrive `hold_us` later. ASH recovers from all of it but for one octet in
    some thousands of `doubled` ones: its checksum does not see a zero at the end of a frame doubled.
    """

    lost: float = 0.0
    flipped: float = 0.0
    doubled: float = 0.0
    held: float = 0.0
    hold_us: int = HOLD_US

    def __post_init__(self) -> None:
        """Refuse what is no probability or no time; raises `EmulatorError`."""
        rates = (self.lost, self.flipped, self.doubled, self.held)
        if not (all(rate >= 0 for rate in rates) and sum(rates) <= 1):
            raise EmulatorError(
                f"line quality: probabilities {rates}: expected numbers from 0 that add up to at most 1"
            )
        if self.hold_us < 0:
            raise EmulatorError(f"line quality: hold_us {self.hold_us}: expected microseconds, 0 or more")

    @property
    def perfect(self) -> bool:
        """Whether every octet arrives as it left, at once."""
        return not (self.lost or self.flipped or self.doubled or self.held)


PERFECT = LineQuality()
DEAD = LineQuality(lost=1.0)
"""A line that looks connected and carries nothing."""


@dataclass(slots=True)
class Tally:
    """Octets one way so far: offered, and what became of them."""

    offered: int = 0
    lost: int = 0
    flipped: int = 0
    doubled: int = 0
    held: int = 0


class Cable(Protocol):
    """What can be pulled and put back: a `PtyServer` or a `Wire`."""

    def unplug(self) -> None:
        """Pull it."""

    def plug_in(self) -> None:
        """Put it back."""


def pull(scope: Scope, cable: Cable, for_us: int) -> None:
    """Pull a cable now and put it back after `for_us` microseconds."""
    cable.unplug()
    scope.call_later(for_us, cable.plug_in)


class FaultyLine:
    """A `LineDevice` whose line is not what it should be. `quality` may be changed at any time."""

    def __init__(self, scope: Scope, device: LineDevice, quality: LineQuality = PERFECT) -> None:
        """Stand before `device`; `scope` gives the time and the dice."""
        self._scope = scope
        self._device = device
        self._write: Callable[[bytes], None] | None = None
        self.quality = quality
        self._ways = {
            Heading.TO_HOST: _Way(scope, self, self._to_host),
            Heading.TO_DEVICE: _Way(scope, self, device.feed),
        }

    def tally(self, heading: Heading) -> Tally:
        """Return what has become of the octets that way."""
        return self._ways[heading].tally

    # As a line device

    def attach(self, write: Callable[[bytes], None]) -> None:
        """Connect a line; octets for the host go to `write`, spoilt as they may be."""
        self._clear()
        self._write = write
        self._device.attach(self._ways[Heading.TO_HOST].offer)

    def detach(self) -> None:
        """The line is gone, and what was in it."""
        self._write = None
        self._clear()
        self._device.detach()

    def feed(self, octets: bytes) -> None:
        """Take octets from the host."""
        self._ways[Heading.TO_DEVICE].offer(octets)

    # Faults at a moment

    def after(self, heading: Heading, octets: int, action: Action) -> None:
        """Do something once that many more octets have gone that way, and before any behind them arrives.

        Raises `EmulatorError` for less than one octet.
        """
        if octets < 1:
            raise EmulatorError(f"line: {octets} octets: a moment is named by at least one more octet")
        self._ways[heading].after(octets, action)

    def become(self, quality: LineQuality, for_us: int | None = None) -> None:
        """Change the quality, for a while or for good."""
        before, self.quality = self.quality, quality
        if for_us is not None:
            self._scope.call_later(for_us, self.become, before)

    def restart(self, reset: Action) -> None:
        """Have the device reset (`Ncp.announce`) in the middle of what it is saying: that breaks off."""
        self._clear()
        reset()

    def _clear(self) -> None:
        for way in self._ways.values():
            way.clear()

    def _to_host(self, octets: bytes) -> None:
        if self._write is not None:
            self._write(octets)


class _Way:
    """One direction of a line. Octets arrive as events of their own, never inside the call that sent them."""

    def __init__(self, scope: Scope, line: FaultyLine, deliver: Callable[[bytes], None]) -> None:
        self._scope = scope
        self._line = line
        self._deliver = deliver
        self.tally = Tally()
        self._moments: list[tuple[int, int, Action]] = []
        self._named = 0
        self._life = 0
        """Counts the times the line was emptied, so that what was on its way then does not arrive."""
        self._free_us = 0

    def after(self, octets: int, action: Action) -> None:
        """See `FaultyLine.after`."""
        self._named += 1
        heappush(self._moments, (self.tally.offered + octets, self._named, action))

    def clear(self) -> None:
        """Forget what is on its way."""
        self._life += 1
        self._free_us = 0

    def offer(self, octets: bytes) -> None:
        """Take octets at the near end."""
        while self._moments and self._moments[0][0] <= self.tally.offered + len(octets):
            moment, _, action = heappop(self._moments)
            before = moment - self.tally.offered
            self._carry(octets[:before])
            octets = octets[before:]
            self._scope.call_at(self._free_us, action)
        self._carry(octets)

    def _carry(self, octets: bytes) -> None:
        self.tally.offered += len(octets)
        self._free_us = max(self._free_us, self._scope.now)
        quality = self._line.quality
        if quality.perfect:
            self._send(octets)
            return
        for piece, wait_us in spoil(octets, quality, self._scope.random, self.tally):
            self._free_us += wait_us
            self._send(piece)

    def _send(self, octets: bytes) -> None:
        # Equal times keep the order in which they were scheduled, so nothing overtakes.
        if octets:
            self._scope.call_at(self._free_us, self._arrived, self._life, octets)

    def _arrived(self, life: int, octets: bytes) -> None:
        if life == self._life:
            self._deliver(octets)


def spoil(octets: bytes, quality: LineQuality, dice: Random, tally: Tally) -> list[tuple[bytes, int]]:
    """Return what arrives of some octets, in pieces, and how many microseconds later each piece is than the last.

    One draw an octet decides its fate, a second which bit is flipped; `tally` is kept up to date.
    """
    lost = quality.lost
    flipped = lost + quality.flipped
    doubled = flipped + quality.doubled
    held = doubled + quality.held
    pieces: list[tuple[bytes, int]] = []
    piece, wait_us = bytearray(), 0
    for octet in octets:
        fate = dice.random()
        if fate < lost:
            tally.lost += 1
            continue
        if fate < flipped:
            tally.flipped += 1
            octet ^= 1 << dice.randrange(8)
        elif fate < doubled:
            tally.doubled += 1
            piece.append(octet)
        elif fate < held:
            tally.held += 1
            pieces.append((bytes(piece), wait_us))
            piece, wait_us = bytearray(), quality.hold_us
        piece.append(octet)
    pieces.append((bytes(piece), wait_us))
    return pieces
