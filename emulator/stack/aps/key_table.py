"""Link keys shared with partners, their frame counters, and their life in non-volatile memory.

Outgoing counters are saved ahead in steps, so that a reboot never reuses one (ZigBee PRO 4.4.1.1). Incoming
counters are saved when they cross a step: after a reboot a replay of the last step's frames could pass, as
on real devices.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from emulator.crypto.ccm import CcmKey
from emulator.crypto.mmo import key_load_key, key_transport_key
from emulator.errors import NonVolatileError, SecurityError
from emulator.eui64 import format_eui64
from emulator.nonvolatile import NonVolatile
from emulator.stack.events import KeyKind

KeyObserver = Callable[[str, bytes, str], None]
"""Called with (kind, key, label) for each key that comes into use, so that a Wireshark key file can be
written.
"""

COUNTER_STEP = 1024
COUNTER_LIMIT = 0xFFFFFFFF

_RECORD = Struct("<B16sIIH")
_PREFIX = "aps.key."


class LinkKey:
    """One key shared with one partner, with its counters; `short` is where the partner was last seen."""

    __slots__ = (
        "_load",
        "_store",
        "_transport",
        "cipher",
        "eui64",
        "incoming",
        "kind",
        "octets",
        "outgoing",
        "reserved",
        "short",
    )

    def __init__(
        self,
        eui64: int,
        octets: bytes,
        kind: KeyKind,
        store: Callable[[LinkKey], None] | None = None,
        *,
        outgoing: int = 0,
        incoming: int = 0,
        short: int = 0xFFFF,
    ) -> None:
        """`outgoing` and `incoming` are the lowest counters not used yet; `store` saves the key when they
        move on.
        """
        self.eui64 = eui64
        self.octets = octets
        self.kind = kind
        self.cipher = CcmKey(octets)
        self.outgoing = outgoing
        self.reserved = outgoing
        self.incoming = incoming
        self.short = short
        self._transport: CcmKey | None = None
        self._load: CcmKey | None = None
        self._store = store

    @property
    def transport(self) -> CcmKey:
        """The key-transport key, which protects network keys (4.5.3)."""
        if self._transport is None:
            self._transport = CcmKey(key_transport_key(self.octets))
        return self._transport

    @property
    def load(self) -> CcmKey:
        """The key-load key, which protects link keys (4.5.3)."""
        if self._load is None:
            self._load = CcmKey(key_load_key(self.octets))
        return self._load

    def take_counter(self) -> int:
        """Return the next outgoing frame counter; raises `SecurityError` when the key is worn out."""
        counter = self.outgoing
        if counter >= self.reserved:
            if counter >= COUNTER_LIMIT:
                raise SecurityError(
                    f"link key with {format_eui64(self.eui64)}: frame counter used up, establish a new key"
                )
            self.reserved = counter + COUNTER_STEP
            if self._store is not None:
                self._store(self)
        self.outgoing = counter + 1
        return counter

    def accept(self, counter: int) -> None:
        """Note an authenticated incoming counter; raises `SecurityError` when it is a replay."""
        expected = self.incoming
        if counter < expected:
            raise SecurityError(
                f"link key with {format_eui64(self.eui64)}: frame counter {counter} replayed, "
                f"expected at least {expected}"
            )
        self.incoming = counter + 1
        if counter // COUNTER_STEP != (expected - 1) // COUNTER_STEP and self._store is not None:
            self._store(self)


class KeyTable:
    """Every link key of a node, by partner."""

    def __init__(self, nonvolatile: NonVolatile, on_key: KeyObserver) -> None:
        """Read the saved keys, telling `on_key` of each."""
        self._nonvolatile = nonvolatile
        self.on_key = on_key
        self._keys: dict[int, LinkKey] = {}
        for name in nonvolatile.keys(_PREFIX):
            self._load(int(name.removeprefix(_PREFIX), 16), nonvolatile.get(name) or b"")

    def get(self, eui64: int | None) -> LinkKey | None:
        """Return the key shared with `eui64`, or None."""
        return self._keys.get(eui64) if eui64 is not None else None

    def put(self, eui64: int, octets: bytes, kind: KeyKind) -> LinkKey:
        """Replace the key shared with `eui64`; counters start anew unless the key is the same one."""
        old = self._keys.get(eui64)
        if old is not None and old.octets == octets:
            old.kind = kind
            self.save(old)
            return old
        key = LinkKey(eui64, octets, kind, self.save, short=0xFFFF if old is None else old.short)
        self._keys[eui64] = key
        self.save(key)
        self.on_key(kind.name.lower(), octets, format_eui64(eui64))
        return key

    def remove(self, eui64: int) -> None:
        """Forget the key shared with `eui64`."""
        self._keys.pop(eui64, None)
        self._nonvolatile.delete(_name(eui64))

    def clear(self) -> None:
        """Forget every key."""
        for eui64 in list(self._keys):
            self.remove(eui64)

    def located(self, eui64: int, short: int) -> None:
        """Save where a partner is, so that its address is still known after a reboot."""
        key = self._keys.get(eui64)
        if key is not None and key.short != short:
            key.short = short
            self.save(key)

    def all(self) -> list[LinkKey]:
        """Return every key, in the order they were first put."""
        return list(self._keys.values())

    def save(self, key: LinkKey) -> None:
        """Write a key with its counters."""
        if self._keys.get(key.eui64) is key:
            self._nonvolatile.put(
                _name(key.eui64), _RECORD.pack(key.kind, key.octets, key.reserved, key.incoming, key.short)
            )

    def _load(self, eui64: int, record: bytes) -> None:
        if len(record) != _RECORD.size:
            raise NonVolatileError(
                f"link key with {format_eui64(eui64)}: stored record of {len(record)} octets, "
                f"expected {_RECORD.size}; remove token {_name(eui64)} to establish a new key"
            )
        kind, octets, outgoing, incoming, short = _RECORD.unpack(record)
        key = LinkKey(
            eui64, octets, KeyKind(kind), self.save, outgoing=outgoing, incoming=incoming, short=short
        )
        self._keys[eui64] = key
        self.on_key(key.kind.name.lower(), octets, format_eui64(eui64))


def _name(eui64: int) -> str:
    return f"{_PREFIX}{eui64:016x}"
