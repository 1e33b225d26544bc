"""Indirect transmission: frames a parent holds until their sleepy addressee asks (802.15.4-2006 7.5.6.3)."""

from __future__ import annotations

from emulator.air.phy import INDIRECT_PERSISTENCE_US
from emulator.clock.kernel import Scope, Timer
from emulator.status import Confirm, Status

HELD_LIMIT = 32
"""Frames one parent holds in all; more are refused with TRANSACTION_OVERFLOW."""


class Held:
    """One frame waiting for its addressee; `mpdu` is without FCS, its frame-pending bit clear."""

    __slots__ = ("confirm", "expired", "expiry", "in_flight", "mpdu")

    def __init__(self, mpdu: bytes, confirm: Confirm | None) -> None:
        self.mpdu = mpdu
        self.confirm = confirm
        self.in_flight = False
        self.expired = False
        self.expiry: Timer | None = None


class IndirectQueue:
    """Frames by addressee: a short address, or an EUI-64 for association responses."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._held: dict[int, list[Held]] = {}
        self._count = 0

    def hold(self, address: int, mpdu: bytes, confirm: Confirm | None) -> None:
        """Keep a frame for 7.68 s; then `confirm` gets TRANSACTION_EXPIRED."""
        if self._count >= HELD_LIMIT:
            if confirm is not None:
                self._scope.call_later(0, confirm, Status.TRANSACTION_OVERFLOW)
            return
        held = Held(mpdu, confirm)
        held.expiry = self._scope.call_later(INDIRECT_PERSISTENCE_US, self._expire, address, held)
        self._held.setdefault(address, []).append(held)
        self._count += 1

    def waiting(self, address: int) -> int:
        """Return how many frames are held for an address, those on their way included."""
        held = self._held.get(address)
        return 0 if held is None else len(held)

    def next(self, address: int) -> Held | None:
        """Return the first frame to send to an address, marking it on its way; None when there is none."""
        held = self._held.get(address)
        if held is None or held[0].in_flight:
            return None
        held[0].in_flight = True
        return held[0]

    def sent(self, address: int, held: Held, status: Status) -> None:
        """Finish a frame that was fetched; one that was not acknowledged waits on until it expires."""
        held.in_flight = False
        if status is Status.SUCCESS:
            self._drop(address, held, status)
        elif held.expired:
            self._drop(address, held, Status.TRANSACTION_EXPIRED)

    def purge(self, address: int) -> None:
        """Forget the frames for an address that left, unless on their way; their confirms get EXPIRED."""
        for held in tuple(self._held.get(address, ())):
            self._expire(address, held)

    def purge_all(self) -> None:
        """Forget every frame, as `purge` does."""
        for address in tuple(self._held):
            self.purge(address)

    def _expire(self, address: int, held: Held) -> None:
        held.expired = True
        if not held.in_flight:
            self._drop(address, held, Status.TRANSACTION_EXPIRED)

    def _drop(self, address: int, held: Held, status: Status) -> None:
        self._scope.cancel(held.expiry)
        waiting = self._held[address]
        waiting.remove(held)
        if not waiting:
            del self._held[address]
        self._count -= 1
        if held.confirm is not None:
            held.confirm(status)
