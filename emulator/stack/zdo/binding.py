"""The binding table, in non-volatile memory (ZigBee PRO 2.2.8.2.3)."""

from __future__ import annotations

from emulator.nonvolatile import NonVolatile
from emulator.stack.zdo.frames import Binding, ZdoStatus

_TOKEN = "zdo.bindings"
MAX_BINDINGS = 32


class BindingTable:
    """Which cluster of which endpoint is bound to whom, in the order of binding."""

    def __init__(self, nonvolatile: NonVolatile) -> None:
        self._nonvolatile = nonvolatile
        self.entries: list[Binding] = []
        saved = nonvolatile.get(_TOKEN) or b""
        while saved:
            binding = Binding.decode(saved)
            self.entries.append(binding)
            saved = saved[binding.octets :]

    def add(self, binding: Binding) -> ZdoStatus:
        """Add an entry; one that is there already is a success."""
        if binding in self.entries:
            return ZdoStatus.SUCCESS
        if len(self.entries) >= MAX_BINDINGS:
            return ZdoStatus.TABLE_FULL
        self.entries.append(binding)
        self._save()
        return ZdoStatus.SUCCESS

    def remove(self, binding: Binding) -> ZdoStatus:
        """Remove an entry."""
        if binding not in self.entries:
            return ZdoStatus.NO_ENTRY
        self.entries.remove(binding)
        self._save()
        return ZdoStatus.SUCCESS

    def bound(self, endpoint: int, cluster: int) -> list[Binding]:
        """Return where a cluster of an endpoint is bound to."""
        return [each for each in self.entries if (each.source_endpoint, each.cluster) == (endpoint, cluster)]

    def clear(self) -> None:
        """Forget every entry: the device has left its network."""
        self.entries = []
        self._nonvolatile.delete(_TOKEN)

    def _save(self) -> None:
        self._nonvolatile.put(_TOKEN, b"".join(each.encode() for each in self.entries))
