"""The APS duplicate rejection table (ZigBee PRO 2.2.8.4.3)."""

from __future__ import annotations

_PURGE_ENTRIES = 4096
UNACKNOWLEDGED_US = 1_000_000
"""How long NWK may take to bring a frame a second time."""


class DuplicateTable:
    """Remembers what was received from whom for as long as its sender may send it again.

    The APS counter is one octet and a busy sender wraps it within a few seconds, so the ASDU is compared as
    well: only the same octets under the same counter are a duplicate. A frame that asks for no acknowledgement
    is never sent again by APS; only NWK may bring it twice, after a lost MAC acknowledgement, and that soon.
    """

    __slots__ = ("_entries", "_lifetime_us")

    def __init__(self, lifetime_us: int) -> None:
        """`lifetime_us` is the time a sender takes for all its retries."""
        self._lifetime_us = lifetime_us
        self._entries: dict[int, tuple[int, bytes]] = {}

    def seen(self, now_us: int, source: int, counter: int, asdu: bytes, lifetime_us: int = 0) -> bool:
        """Tell whether this is a duplicate, and remember it for `lifetime_us` (0: for all retries)."""
        entries = self._entries
        key = source << 8 | counter
        entry = entries.get(key)
        entries[key] = (now_us + (lifetime_us or self._lifetime_us), asdu)
        if entry is not None:
            return entry[0] > now_us and entry[1] == asdu
        if len(entries) > _PURGE_ENTRIES:
            self._purge(now_us)
        return False

    def _purge(self, now_us: int) -> None:
        for key in [key for key, entry in self._entries.items() if entry[0] <= now_us]:
            del self._entries[key]
