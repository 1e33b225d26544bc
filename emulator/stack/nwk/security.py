"""NWK frame security: the network keys, the frame counters and the protection of one frame.

Security level 5 under the network key (ZigBee PRO 4.3.1; fact sheet, protocol 4.4). The outgoing counter
is written ahead to non-volatile memory, so that a node that lost power never repeats a nonce. Incoming
counters are kept per key and per sending neighbour, and written coarsely.
"""

from __future__ import annotations

import struct

from emulator.crypto.ccm import SECURITY_LEVEL, CcmKey
from emulator.errors import SecurityError
from emulator.nonvolatile import NonVolatile
from emulator.stack.nwk.frame import AUX_CONTROL, AUX_OCTETS, AuxHeader

COUNTER_RESERVE = 1024
"""How many frame counters are reserved by one write."""
COARSE_BITS = 10
"""Incoming counters are written when they pass a multiple of 2**COARSE_BITS."""
MAX_COUNTER = 0xFFFF_FFFF
MAX_INCOMING = 1024
"""Neighbours whose counters are kept; genuine neighbours are far fewer."""

_CONTROL_ON_AIR = b"\x28"
_AUX = struct.Struct("<BIQB")
_NONCE = struct.Struct("<QIB")
_KEY = struct.Struct("<B16s")
_INCOMING = struct.Struct("<QI")
_COUNTER = struct.Struct("<I")

TOKEN_COUNTER = "nwk.frame_counter"
_TOKEN_KEYS = "nwk.keys"
_TOKEN_INCOMING = "nwk.incoming"


class ReplayError(SecurityError):
    """A frame counter that is not beyond the last one heard."""


class UnknownKeyError(SecurityError):
    """A frame under a network key that this node does not hold; `sequence` is that key's number."""

    def __init__(self, sequence: int) -> None:
        super().__init__(f"NWK key sequence {sequence}: not held")
        self.sequence = sequence


class NetworkKey:
    """One network key with the frame counters heard under it."""

    __slots__ = ("cipher", "incoming", "octets", "sequence")

    def __init__(self, octets: bytes, sequence: int) -> None:
        self.octets = octets
        self.sequence = sequence
        self.cipher = CcmKey(octets)
        self.incoming: dict[int, int] = {}


class NwkSecurity:
    """The security material of one node: at most two network keys, by sequence number."""

    __slots__ = ("_ceiling", "_counter", "_eui64", "_nonvolatile", "active", "by_sequence")

    def __init__(self, eui64: int, nonvolatile: NonVolatile) -> None:
        self._eui64 = eui64
        self._nonvolatile = nonvolatile
        self.active: NetworkKey | None = None
        self.by_sequence: dict[int, NetworkKey] = {}
        saved = nonvolatile.get(TOKEN_COUNTER)
        self._ceiling: int = _COUNTER.unpack(saved)[0] if saved else 0
        self._counter = self._ceiling

    @property
    def frame_counter(self) -> int:
        """The counter the next outgoing frame will carry."""
        return self._counter

    @frame_counter.setter
    def frame_counter(self, value: int) -> None:
        self._reserve(value)
        self._counter = value

    def restore(self) -> None:
        """Read the keys and incoming counters back; the first stored key is the active one."""
        self.active = None
        self.by_sequence = {}
        for sequence, octets in _KEY.iter_unpack(self._nonvolatile.get(_TOKEN_KEYS) or b""):
            key = self.by_sequence[sequence] = NetworkKey(octets, sequence)
            saved = self._nonvolatile.get(f"{_TOKEN_INCOMING}.{sequence}") or b""
            key.incoming = dict(_INCOMING.iter_unpack(saved))
            self.active = self.active or key

    def forget(self) -> None:
        """Drop every key and incoming counter. The outgoing counter stays: it must never run backwards."""
        for sequence in list(self.by_sequence):
            self._nonvolatile.delete(f"{_TOKEN_INCOMING}.{sequence}")
        self._nonvolatile.delete(_TOKEN_KEYS)
        self.active = None
        self.by_sequence = {}

    def set_key(self, octets: bytes, sequence: int, *, activate: bool) -> None:
        """Store a network key, next to the active one unless `activate`; equal keys keep their counters."""
        known = self.by_sequence.get(sequence)
        key = known if known is not None and known.octets == octets else NetworkKey(octets, sequence)
        activate = activate or self.active is None or self.active.sequence == sequence
        keep = key if activate else self.active
        self._replace(key, keep)

    def switch(self, sequence: int) -> bool:
        """Make the key with `sequence` the active one; returns False when it is not held."""
        key = self.by_sequence.get(sequence)
        if key is None:
            return False
        self._replace(key, key)
        return True

    def _replace(self, key: NetworkKey, active: NetworkKey | None) -> None:
        kept = [each for each in (active, key, self.active) if each is not None]
        before = self.by_sequence
        self.active = active
        self.by_sequence = {}
        for each in kept:
            if len(self.by_sequence) < 2:
                self.by_sequence.setdefault(each.sequence, each)
        for sequence, old in before.items():
            if self.by_sequence.get(sequence) is not old:
                self._nonvolatile.delete(f"{_TOKEN_INCOMING}.{sequence}")
        self._nonvolatile.put(
            _TOKEN_KEYS, b"".join(_KEY.pack(each.sequence, each.octets) for each in self.by_sequence.values())
        )

    @property
    def exhausted(self) -> bool:
        """Whether the frame counters may be used up; `next_counter` knows."""
        return self._counter >= self._ceiling and self._counter + COUNTER_RESERVE > MAX_COUNTER

    def next_counter(self) -> int:
        """Take an outgoing frame counter; raises `SecurityError` when all are used."""
        counter = self._counter
        if counter >= self._ceiling:
            self._reserve(counter)
        self._counter = counter + 1
        return counter

    def _reserve(self, counter: int) -> None:
        if counter + COUNTER_RESERVE > MAX_COUNTER:
            raise SecurityError(f"NWK frame counter {counter}: exhausted; the network key must be replaced")
        self._ceiling = counter + COUNTER_RESERVE
        self._nonvolatile.put(TOKEN_COUNTER, _COUNTER.pack(self._ceiling))

    def protect(self, header: bytes, payload: bytes) -> bytes:
        """Return the secured NPDU of a packed `header` (security bit set) and a plain `payload`.

        Raises `SecurityError` when there is no network key.
        """
        key = self.active
        if key is None:
            raise SecurityError("NWK: no network key to secure a frame with")
        counter = self.next_counter()
        aux = _AUX.pack(0x2D, counter, self._eui64, key.sequence)
        sealed = key.cipher.encrypt(_NONCE.pack(self._eui64, counter, 0x2D), header + aux, payload)
        return b"".join((header, _CONTROL_ON_AIR, aux[1:], sealed))

    def open(self, npdu: bytes, offset: int) -> tuple[bytes, AuxHeader]:
        """Check and decrypt the NPDU whose auxiliary header is at `offset`.

        Returns the plain payload and the auxiliary header. Raises `UnknownKeyError`, `ReplayError`, or plain
        `SecurityError` for a wrong MIC.
        """
        end = offset + AUX_OCTETS
        if len(npdu) < end:
            raise SecurityError(f"NWK auxiliary header at offset {offset}: cut short")
        control, counter, source, sequence = _AUX.unpack_from(npdu, offset)
        if control & 0x38 != AUX_CONTROL:
            raise SecurityError(f"NWK security control 0x{control:02X}: expected 0x28")
        key = self.by_sequence.get(sequence)
        if key is None:
            raise UnknownKeyError(sequence)
        incoming = key.incoming
        last = incoming.get(source, -1)
        if counter <= last:
            raise ReplayError(f"NWK frame counter {counter}: already at {last}")
        level_5 = bytes((control & 0xF8 | SECURITY_LEVEL,))
        payload = key.cipher.decrypt(
            npdu[offset + 5 : offset + 13] + npdu[offset + 1 : offset + 5] + level_5,
            npdu[:offset] + level_5 + npdu[offset + 1 : end],
            npdu[end:],
        )
        incoming[source] = counter
        if (counter ^ last) >> COARSE_BITS:
            self._save_incoming(key)
        return payload, AuxHeader(control, counter, source, sequence)

    def _save_incoming(self, key: NetworkKey) -> None:
        while len(key.incoming) > MAX_INCOMING:
            del key.incoming[next(iter(key.incoming))]
        self._nonvolatile.put(
            f"{_TOKEN_INCOMING}.{key.sequence}",
            b"".join(_INCOMING.pack(*each) for each in key.incoming.items()),
        )

    def newer(self, sequence: int) -> bool:
        """Whether `sequence` is a held key that succeeds the active one (numbers wrap at 256)."""
        active = self.active
        return (
            active is not None
            and sequence in self.by_sequence
            and 0 < (sequence - active.sequence) % 256 < 128
        )
