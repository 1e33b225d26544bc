"""The link key table as the host sees it: numbered slots over the stack's keys.

Keys that devices came with (install codes) are transient keys to a host and have no slot. A slot keeps its number as
long as its key is there. Every operation costs what is stored, whatever number of slots the host has asked for.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.coordinator.ezsp.core import Core
from emulator.stack.aps.key_table import LinkKey
from emulator.stack.events import KeyKind


class KeySlots:
    """Numbered access to link keys."""

    def __init__(self, core: Core, size: Callable[[], int]) -> None:
        """`size` gives the number of slots now configured."""
        self._core = core
        self._size = size
        self._numbers: dict[int, int] = {}
        """Slot by EUI-64; a slot without a key is not here."""

    def _taken(self) -> dict[int, int]:
        """Return EUI-64 by slot, once those whose keys are gone have lost theirs and new keys have got one."""
        table, size = self._core.node.key_table.all(), self._size()
        held = [key.eui64 for key in table if key.kind is not KeyKind.PRECONFIGURED]
        kept = {eui64: number for eui64 in held if (number := self._numbers.get(eui64, size)) < size}
        taken = {number: eui64 for eui64, number in kept.items()}
        for eui64 in held:
            if eui64 not in kept and (free := _first_free(taken, size)) is not None:
                kept[eui64], taken[free] = free, eui64
        self._numbers = kept
        return taken

    def find(self, eui64: int) -> int | None:
        """Return the slot of a partner's key."""
        self._taken()
        return self._numbers.get(eui64)

    def in_range(self, index: int) -> bool:
        """Tell whether there is such a slot."""
        return index < self._size()

    def at(self, index: int) -> LinkKey | None:
        """Return the key in a slot, None when it is empty or there is no such slot."""
        return self._core.node.key_table.get(self._taken().get(index))

    def put(self, eui64: int, octets: bytes, index: int | None = None) -> bool:
        """Store a key that the host supplies, in slot `index` or the first free one; False when there is no room."""
        taken = self._taken()
        taken.pop(self._numbers.get(eui64, -1), None)
        if index is None:
            index = _first_free(taken, self._size())
        if index is None:
            return False
        replaced = taken.get(index)
        if replaced is not None:
            self._core.trust_centre.forget_key(replaced)
        self._core.trust_centre.add_link_key(eui64, octets)
        self._core.node.key_table.put(eui64, octets, KeyKind.VERIFIED)
        self._numbers[eui64] = index
        return True

    def erase(self, index: int) -> bool:
        """Forget the key in a slot; False when it is empty."""
        eui64 = self._taken().get(index)
        if eui64 is None:
            return False
        self._core.trust_centre.forget_key(eui64)
        return True

    def clear(self) -> None:
        """Forget every key that has a slot."""
        for eui64 in self._taken().values():
            self._core.trust_centre.forget_key(eui64)


def _first_free(taken: dict[int, int], size: int) -> int | None:
    return next((number for number in range(min(size, len(taken) + 1)) if number not in taken), None)
