"""Who has which short address: pairs that frames tell of, devices that moved, and conflicts (ZigBee PRO 3.6.1.9)."""

from __future__ import annotations

from typing import Protocol

from emulator.stack.nwk.address_map import AddressMap
from emulator.stack.nwk.neighbours import Neighbour, NeighbourTable
from emulator.stack.nwk.network_update import NetworkUpdates
from emulator.stack.nwk.parenting import Parenting
from emulator.stack.nwk.views import Named, Reporter
from emulator.stack.primitives import FIRST_BROADCAST


class AddressingView(Named, Reporter, Protocol):
    """What learning addresses works with."""

    addresses: AddressMap
    neighbours: NeighbourTable


class Addressing:
    """Keeps the address map true to what is heard."""

    def __init__(self, nwk: AddressingView, updates: NetworkUpdates, parenting: Parenting) -> None:
        self._nwk = nwk
        self._updates = updates
        self._parenting = parenting

    def learn(self, eui64: int, short: int) -> None:
        """Record a pair of addresses seen in a frame, an announcement or a key; notes conflicts."""
        nwk = self._nwk
        if short >= FIRST_BROADCAST or eui64 == nwk.eui64:
            return
        if nwk.addresses.short_by_eui64.get(eui64) == short:
            return
        if short == nwk.short_address:
            self._updates.address_conflict(short)
            return
        neighbour = nwk.neighbours.by_eui64(eui64)
        if neighbour is not None and neighbour.short_address != short:
            self._readdressed(neighbour)
        other = nwk.addresses.learn(eui64, short)
        if other is not None:
            known = nwk.neighbours.by_short.get(short)
            if known is not None and known.eui64 == other:
                self._readdressed(known)
            nwk.counters.drop("address taken over")

    def _readdressed(self, neighbour: Neighbour) -> None:
        if neighbour.is_child:
            self._parenting.moved(neighbour)
        else:
            self._nwk.neighbours.remove(neighbour)
