"""The link key table as the host sees it: numbered slots over the stack's keys.

Keys that devices came with (install codes) are transient keys to a host and have no slot. A slot keeps its number as
long as its key is there.
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
        self._slots: list[int | None] = []

    def _refresh(self) -> list[int | None]:
        slots = self._slots
        size = self._size()
        del slots[size:]
        slots.extend([None] * (size - len(slots)))
        held = [key.eui64 for key in self._core.node.key_table.all() if key.kind is not KeyKind.PRECONFIGURED]
        for index, eui64 in enumerate(slots):
            if eui64 is not None and eui64 not in held:
                slots[index] = None
        for eui64 in held:
            if eui64 not in slots and None in slots:
                slots[slots.index(None)] = eui64
        return slots

    def find(self, eui64: int) -> int | None:
        """Return the slot of a partner's key."""
        slots = self._refresh()
        return slots.index(eui64) if eui64 in slots else None

    def in_range(self, index: int) -> bool:
        """Tell whether there is such a slot."""
        return index < self._size()

    def at(self, index: int) -> LinkKey | None:
        """Return the key in a slot, None when it is empty or there is no such slot."""
        slots = self._refresh()
        eui64 = slots[index] if index < len(slots) else None
        return self._core.node.key_table.get(eui64)

    def put(self, eui64: int, octets: bytes, index: int | None = None) -> bool:
        """Store a key that the host supplies, in slot `index` or the first free one; False when there is no room."""
        slots = self._refresh()
        if eui64 in slots:
            slots[slots.index(eui64)] = None
        if index is None:
            if None not in slots:
                return False
            index = slots.index(None)
        replaced = slots[index]
        if replaced is not None:
            self._core.node.key_table.remove(replaced)
        slots[index] = eui64
        self._core.trust_centre.add_link_key(eui64, octets)
        self._core.node.key_table.put(eui64, octets, KeyKind.VERIFIED)
        return True

    def erase(self, index: int) -> bool:
        """Forget the key in a slot; False when it is empty."""
        key = self.at(index)
        if key is None:
            return False
        self._core.node.key_table.remove(key.eui64)
        self._slots[index] = None
        return True

    def clear(self) -> None:
        """Forget every key that has a slot."""
        for index in range(len(self._refresh())):
            self.erase(index)
