"""Transient link keys: install-code keys of devices that are expected, and the key for everybody.

They live in RAM and for a limited time. The stack's trust centre holds the key of a device; a key whose time is up is
taken back unless its device has joined by then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from emulator.clock.kernel import MICROSECONDS
from emulator.coordinator.ezsp.core import Core
from emulator.stack.events import KeyKind

EVERYBODY = 0xFFFF_FFFF_FFFF_FFFF
MAX_KEYS = 16
_ENTRY_OCTETS = 8
_TOKEN = "ncp.transient"


class TransientKey(NamedTuple):
    """A key that lets `eui64`, or everybody, join until `until_us`."""

    eui64: int
    octets: bytes
    until_us: int

    def seconds_left(self, now_us: int) -> int:
        """Return how long it is still good for."""
        return max(0, (self.until_us - now_us) // MICROSECONDS)


class TransientKeys:
    """The table of transient keys."""

    def __init__(self, core: Core, lifetime_s: Callable[[], int]) -> None:
        """`lifetime_s` is asked for each new key; keys that a reset cut short are forgotten now."""
        self._core = core
        self._lifetime_s = lifetime_s
        self._keys: dict[int, TransientKey] = {}
        self.on_change: Callable[[], None] = _ignore
        stored = core.memory.get(_TOKEN) or b""
        for start in range(0, len(stored), _ENTRY_OCTETS):
            self._take_back(int.from_bytes(stored[start : start + _ENTRY_OCTETS], "little"))
        core.memory.delete(_TOKEN)

    @property
    def all(self) -> list[TransientKey]:
        """The keys, oldest first."""
        return list(self._keys.values())

    @property
    def for_everybody(self) -> bytes | None:
        """The key of devices that have none of their own."""
        key = self._keys.get(EVERYBODY)
        return None if key is None else key.octets

    def get(self, eui64: int) -> TransientKey | None:
        """Return the key of a device."""
        return self._keys.get(eui64)

    def add(self, eui64: int, octets: bytes) -> bool:
        """Add or renew a key; False when the table is full."""
        if eui64 not in self._keys and len(self._keys) >= MAX_KEYS:
            return False
        scope = self._core.scope
        lifetime_us = self._lifetime_s() * MICROSECONDS
        self._keys.pop(eui64, None)
        key = self._keys[eui64] = TransientKey(eui64, octets, scope.now + lifetime_us)
        scope.call_later(lifetime_us, self._expire, key)
        if eui64 != EVERYBODY:
            self._core.trust_centre.add_link_key(eui64, octets)
        self._changed()
        return True

    def clear(self) -> None:
        """Drop every key."""
        for key in self.all:
            self._expire(key)

    def _expire(self, key: TransientKey) -> None:
        if self._keys.get(key.eui64) is not key:
            return
        del self._keys[key.eui64]
        self._take_back(key.eui64)
        self._changed()

    def _take_back(self, eui64: int) -> None:
        core = self._core
        held = core.node.key_table.get(eui64)
        waiting = held is None or held.kind is KeyKind.PRECONFIGURED
        if eui64 != EVERYBODY and waiting and eui64 not in core.trust_centre.devices:
            core.trust_centre.forget(eui64)

    def _changed(self) -> None:
        entries = (key.eui64 for key in self._keys.values() if key.eui64 != EVERYBODY)
        octets = b"".join(eui64.to_bytes(_ENTRY_OCTETS, "little") for eui64 in entries)
        self._core.memory.put(_TOKEN, octets)
        self.on_change()


def _ignore() -> None:
    """Stand in until somebody listens."""
