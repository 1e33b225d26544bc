"""The NWK address map: which EUI-64 has which short address (nwkAddressMap, ZigBee PRO table 3.58)."""

from __future__ import annotations

import struct

from emulator.nonvolatile import NonVolatile

MAX_ENTRIES = 512
_ENTRY = struct.Struct("<QH")
_TOKEN = "nwk.addresses"


class AddressMap:
    """A one-to-one map kept in non-volatile memory, so that a hub that restarts knows its devices."""

    __slots__ = ("_nonvolatile", "eui64_by_short", "short_by_eui64")

    def __init__(self, nonvolatile: NonVolatile) -> None:
        self._nonvolatile = nonvolatile
        self.short_by_eui64: dict[int, int] = {}
        self.eui64_by_short: dict[int, int] = {}

    def restore(self) -> None:
        """Read the map back."""
        self.short_by_eui64 = dict(_ENTRY.iter_unpack(self._nonvolatile.get(_TOKEN) or b""))
        self.eui64_by_short = {short: eui64 for eui64, short in self.short_by_eui64.items()}

    def learn(self, eui64: int, short: int) -> int | None:
        """Record that `eui64` has `short`; returns another EUI-64 that had it (a conflict), or None."""
        if self.short_by_eui64.get(eui64) == short:
            return None
        self._drop(eui64)
        other = self.eui64_by_short.get(short)
        if other is not None:
            del self.short_by_eui64[other]
        elif len(self.short_by_eui64) >= MAX_ENTRIES:
            self._drop(next(iter(self.short_by_eui64)))
        self.short_by_eui64[eui64] = short
        self.eui64_by_short[short] = eui64
        self._save()
        return other

    def forget(self, eui64: int) -> None:
        """Drop a device from the map."""
        if eui64 in self.short_by_eui64:
            self._drop(eui64)
            self._save()

    def clear(self) -> None:
        """Drop every device."""
        self.short_by_eui64 = {}
        self.eui64_by_short = {}
        self._nonvolatile.delete(_TOKEN)

    def _drop(self, eui64: int) -> None:
        short = self.short_by_eui64.pop(eui64, None)
        if short is not None:
            del self.eui64_by_short[short]

    def _save(self) -> None:
        self._nonvolatile.put(_TOKEN, b"".join(_ENTRY.pack(*each) for each in self.short_by_eui64.items()))
