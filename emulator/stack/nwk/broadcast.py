"""Broadcasts: the broadcast transaction table, passive acknowledgement and delivery to sleepy children.

ZigBee PRO 3.6.5. A router relays each broadcast once after a jitter, listens whether its neighbour routers
relay it in turn, and repeats it when one does not. Sleeping children get frames for all devices (0xFFFF)
indirectly.
"""

from __future__ import annotations

from typing import Protocol

from emulator.stack.nwk.neighbours import Relationship
from emulator.stack.nwk.service import NodeType
from emulator.stack.nwk.views import Member, Named, Reporter, Speaker, Timed
from emulator.stack.primitives import BROADCAST_ALL, BROADCAST_RX_ON, Confirm, Status

MAX_TRANSACTIONS = 256


class _Transaction:
    """One broadcast: when its record expires and which neighbour routers have not been heard relaying it."""

    __slots__ = ("expires_us", "header", "payload", "retries", "waiting")

    def __init__(self, expires_us: int, retries: int) -> None:
        self.expires_us = expires_us
        self.retries = retries
        self.waiting: set[int] = set()
        self.header = b""
        self.payload = b""


class BroadcastView(Timed, Named, Member, Speaker, Reporter, Protocol):
    """What broadcasting works with."""

    alone: bool
    sleepy: bool


class Broadcasts:
    """The broadcast transaction table of one node."""

    def __init__(self, nwk: BroadcastView) -> None:
        self._nwk = nwk
        self._transactions: dict[tuple[int, int], _Transaction] = {}

    def clear(self) -> None:
        """Forget every broadcast, repeating none: they belong to a network that has been left."""
        for transaction in self._transactions.values():
            transaction.waiting.clear()
        self._transactions = {}

    def concerns(self, destination: int) -> bool:
        """Whether this node is among the devices that broadcast address names."""
        nwk = self._nwk
        if destination == BROADCAST_ALL:
            return True
        if destination == BROADCAST_RX_ON:
            return not nwk.sleepy
        return nwk.device_type != NodeType.END_DEVICE

    def seen(self, source: int, sequence: int, hop: int) -> bool:
        """Whether this broadcast has passed here before; takes the frame as the passive ack of `hop`."""
        transaction = self._transactions.get((source, sequence))
        if transaction is None or transaction.expires_us <= self._nwk.scope.now:
            return False
        transaction.waiting.discard(hop)
        return True

    def originate(self, header: bytes, sequence: int, payload: bytes, confirm: Confirm | None) -> None:
        """Send a broadcast of our own; one that nobody has the key for stays off the air."""
        nwk = self._nwk
        if nwk.alone:
            if confirm is not None:
                nwk.scope.call_later(0, confirm, Status.SUCCESS)
            return
        transaction = self._record(nwk.short_address, sequence, None)
        transaction.header, transaction.payload = header, payload
        if nwk.device_type == NodeType.END_DEVICE:
            # An end device hands its broadcasts to its parent, which relays them (3.6.5).
            nwk.sending.transmit(nwk.parent_short, header, payload, confirm)
        else:
            self._send(transaction, confirm)
            self._to_sleepy_children(transaction, None)

    def relay(self, header: bytes, source: int, hop: int, payload: bytes) -> None:
        """Relay a broadcast heard from `hop`; `header` has the radius already lowered (0: deliver only)."""
        nwk = self._nwk
        transaction = self._record(source, header[7], hop)
        if nwk.device_type == NodeType.END_DEVICE:
            return
        transaction.header, transaction.payload = header, payload
        if header[6]:
            jitter = nwk.scope.random.randint(0, nwk.timing.broadcast_jitter_us)
            nwk.scope.call_later(jitter, self._send, transaction, None)
            self._to_sleepy_children(transaction, source)

    def _record(self, source: int, sequence: int, hop: int | None) -> _Transaction:
        nwk = self._nwk
        now = nwk.scope.now
        table = self._transactions
        if len(table) >= MAX_TRANSACTIONS:
            table = self._transactions = {key: old for key, old in table.items() if old.expires_us > now}
            if len(table) >= MAX_TRANSACTIONS:
                del table[next(iter(table))]
        transaction = _Transaction(now + nwk.timing.broadcast_delivery_us, nwk.timing.broadcast_retries)
        # Re-inserted at the end, so that the oldest is always first.
        table.pop((source, sequence), None)
        table[source, sequence] = transaction
        transaction.waiting = {
            each.short_address
            for each in nwk.neighbours.by_short.values()
            if each.is_router
            and each.short_address not in (hop, source)
            and (each.outgoing_cost or each.relationship in (Relationship.PARENT, Relationship.CHILD))
        }
        return transaction

    def _send(self, transaction: _Transaction, confirm: Confirm | None) -> None:
        nwk = self._nwk
        nwk.sending.transmit(0xFFFF, transaction.header, transaction.payload, confirm)
        if transaction.header[6] > 1 and transaction.waiting:
            nwk.scope.call_later(nwk.timing.passive_ack_us, self._check, transaction)

    def _check(self, transaction: _Transaction) -> None:
        if transaction.waiting and transaction.retries:
            transaction.retries -= 1
            self._nwk.counters.broadcast_retries += 1
            self._send(transaction, None)

    def _to_sleepy_children(self, transaction: _Transaction, source: int | None) -> None:
        nwk = self._nwk
        if int.from_bytes(transaction.header[2:4], "little") != BROADCAST_ALL:
            return
        for child in nwk.neighbours.children():
            authenticated = child.relationship == Relationship.CHILD
            if child.indirect and authenticated and child.short_address != source:
                nwk.sending.transmit(
                    child.short_address, transaction.header, transaction.payload, indirect=True
                )
