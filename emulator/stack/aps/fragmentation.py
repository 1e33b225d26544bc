"""APS fragmentation with a window of one block, as Smart Energy sets it (ZigBee PRO 2.2.8.4.5; fact sheet
2.8).

Both sides are machines without timers: the layer says when time has passed and sends what they return.
"""

from __future__ import annotations

from typing import NamedTuple

from emulator.stack.aps.frames import FIRST_FRAGMENT, LATER_FRAGMENT

MAX_BLOCKS = 255
INTERFRAME_DELAY_US = 50_000
ALL_RECEIVED = 0xFF


class Fragment(NamedTuple):
    """One block to send: what its extended header says, and its octets."""

    fragmentation: int
    block: int
    payload: bytes


class FragmentSender:
    """The sending side of one fragmented ASDU."""

    __slots__ = ("_blocks", "index")

    def __init__(self, asdu: bytes, block_octets: int) -> None:
        """Split `asdu` into blocks of at most `block_octets`; raises `ValueError` when they are more than
        255.
        """
        self._blocks = [asdu[start : start + block_octets] for start in range(0, len(asdu), block_octets)]
        self.index = 0
        if len(self._blocks) > MAX_BLOCKS:
            raise ValueError(f"ASDU of {len(asdu)} octets: {len(self._blocks)} blocks, expected at most 255")

    @property
    def done(self) -> bool:
        """True when every block was acknowledged."""
        return self.index >= len(self._blocks)

    def fragment(self) -> Fragment:
        """Return the block to send now; the first says how many there are, the others which they are."""
        if self.index == 0:
            return Fragment(FIRST_FRAGMENT, len(self._blocks), self._blocks[0])
        return Fragment(LATER_FRAGMENT, self.index, self._blocks[self.index])

    def acknowledged(self, block: int, bitfield: int) -> bool:
        """Take an acknowledgement; True when it moved the transfer on, False when it is old or says
        'missing'.
        """
        # Bits beyond the window are set whatever was received, so only the block of this window counts.
        if self.done or block != self.index or not bitfield & 1:
            return False
        self.index += 1
        return True


class Reassembled(NamedTuple):
    """What to do about a block: acknowledge it (`acknowledge`), and deliver `asdu` when it completed one."""

    acknowledge: bool
    asdu: bytes | None = None


_IGNORE = Reassembled(False)
_ACKNOWLEDGE = Reassembled(True)


class _Transaction:
    __slots__ = ("blocks", "due_us", "finished", "first", "octets", "total")

    def __init__(self, total: int, first: bytes, due_us: int) -> None:
        self.total = total
        self.first = first
        self.due_us = due_us
        self.blocks: dict[int, bytes] = {}
        self.octets = 0
        self.finished = False


class Reassembler:
    """The receiving side: every transaction under way, and those just finished (their blocks are
    acknowledged again).
    """

    def __init__(self, max_octets: int, lifetime_us: int, max_transactions: int = 8) -> None:
        """Reassemble up to `max_octets`; a transaction without progress for `lifetime_us` is dropped."""
        self.max_octets = max_octets
        self._lifetime_us = lifetime_us
        self._max_transactions = max_transactions
        self._transactions: dict[tuple[int, int], _Transaction] = {}

    def block(self, now_us: int, source: int, counter: int, fragment: Fragment) -> Reassembled:
        """Take one block of the transaction `counter` from `source`."""
        self._expire(now_us)
        key = source, counter
        transaction = self._transactions.get(key)
        # The APS counter is one octet and wraps: a first block that differs begins another transaction.
        if fragment.fragmentation == FIRST_FRAGMENT and (
            transaction is None
            or transaction.total != fragment.block
            or transaction.first != fragment.payload
        ):
            transaction = self._start(now_us, key, fragment)
        if transaction is None:
            return _IGNORE
        return self._add(now_us, key, transaction, fragment)

    def _start(self, now_us: int, key: tuple[int, int], first: Fragment) -> _Transaction | None:
        self._transactions.pop(key, None)
        full = len(self._transactions) >= self._max_transactions
        if first.block == 0 or (full and not self._drop_finished()):
            return None
        due_us = now_us + self._lifetime_us
        transaction = self._transactions[key] = _Transaction(first.block, first.payload, due_us)
        return transaction

    def _add(
        self, now_us: int, key: tuple[int, int], transaction: _Transaction, fragment: Fragment
    ) -> Reassembled:
        index = 0 if fragment.fragmentation == FIRST_FRAGMENT else fragment.block
        if index >= transaction.total:
            return _IGNORE
        if transaction.finished or index in transaction.blocks:
            return _ACKNOWLEDGE
        transaction.octets += len(fragment.payload)
        if transaction.octets > self.max_octets:
            # Saying nothing is how a receiver refuses: the sender gives up for want of an acknowledgement.
            del self._transactions[key]
            return _IGNORE
        transaction.blocks[index] = fragment.payload
        transaction.due_us = now_us + self._lifetime_us
        if len(transaction.blocks) < transaction.total:
            return _ACKNOWLEDGE
        asdu = b"".join(transaction.blocks[i] for i in range(transaction.total))
        transaction.finished = True
        transaction.blocks.clear()
        return Reassembled(True, asdu)

    def _expire(self, now_us: int) -> None:
        for key in [key for key, value in self._transactions.items() if value.due_us < now_us]:
            del self._transactions[key]

    def _drop_finished(self) -> bool:
        for key, transaction in self._transactions.items():
            if transaction.finished:
                del self._transactions[key]
                return True
        return False
