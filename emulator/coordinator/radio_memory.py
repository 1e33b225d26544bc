"""What a host remembers of the devices on its radio's network: addresses and link keys, in non-volatile memory.

A dongle knows them too, but not every dongle tells; and a hub that is started again must not have to ask.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from emulator.nonvolatile import NonVolatile
from emulator.stack.primitives import UNKNOWN_SHORT

_PREFIX = "radio.device."
_RECORD = Struct("<HB16s")
_HAS_KEY, _EXPECTED, _SLEEPY = 1, 2, 4


class KnownDevice(NamedTuple):
    """A device that may be, or is, on the network. `short` is None before it was seen.

    `expected` tells that it is still to join with `link_key`; afterwards the key is whatever was last agreed.
    """

    short: int | None = None
    link_key: bytes | None = None
    expected: bool = False
    sleepy: bool = False


class RadioMemory:
    """The table of known devices, by EUI-64, written through to memory."""

    def __init__(self, nonvolatile: NonVolatile) -> None:
        """Read what was remembered."""
        self._nonvolatile = nonvolatile
        self._devices: dict[int, KnownDevice] = {}
        self._eui64_of: dict[int, int] = {}
        for name in nonvolatile.keys(_PREFIX):
            octets = nonvolatile.get(name)
            if octets is not None and len(octets) == _RECORD.size:
                self._place(int(name.removeprefix(_PREFIX), 16), _unpack(octets))

    @property
    def devices(self) -> dict[int, KnownDevice]:
        """A copy of the table."""
        return dict(self._devices)

    def get(self, eui64: int) -> KnownDevice | None:
        """Return what is known of a device."""
        return self._devices.get(eui64)

    def eui64_of(self, short: int) -> int | None:
        """Return who has a short address."""
        return self._eui64_of.get(short)

    def put(self, eui64: int, device: KnownDevice) -> None:
        """Remember a device as described."""
        if self._devices.get(eui64) != device:
            self._place(eui64, device)
            self._nonvolatile.put(f"{_PREFIX}{eui64:016x}", _pack(device))

    def learn(self, eui64: int, short: int, *, sleepy: bool | None = None) -> None:
        """Note a device's present short address and, when it told, whether it sleeps."""
        device = self._devices.get(eui64, KnownDevice())
        self.put(eui64, device._replace(short=short, sleepy=device.sleepy if sleepy is None else sleepy))

    def forget(self, eui64: int) -> None:
        """Drop a device."""
        device = self._devices.pop(eui64, None)
        if device is not None and device.short is not None:
            self._eui64_of.pop(device.short, None)
        self._nonvolatile.delete(f"{_PREFIX}{eui64:016x}")

    def _place(self, eui64: int, device: KnownDevice) -> None:
        before = self._devices.get(eui64)
        if before is not None and before.short is not None and before.short != device.short:
            self._eui64_of.pop(before.short, None)
        self._devices[eui64] = device
        if device.short is not None:
            self._eui64_of[device.short] = eui64


def _pack(device: KnownDevice) -> bytes:
    short = UNKNOWN_SHORT if device.short is None else device.short
    flags = _HAS_KEY * (device.link_key is not None) | _EXPECTED * device.expected | _SLEEPY * device.sleepy
    return _RECORD.pack(short, flags, device.link_key or bytes(16))


def _unpack(octets: bytes) -> KnownDevice:
    short, flags, key = _RECORD.unpack(octets)
    return KnownDevice(
        None if short == UNKNOWN_SHORT else short,
        key if flags & _HAS_KEY else None,
        bool(flags & _EXPECTED),
        bool(flags & _SLEEPY),
    )
