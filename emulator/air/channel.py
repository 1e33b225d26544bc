"""One radio channel: what is on the air, who is tuned to it, and who answers to which address."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from emulator.air.frame import BROADCAST_PAN
from emulator.air.radio import EnergyMeter, Radio, Transmission

__all__ = ["Channel", "EnergyMeter", "Transmission", "is_broadcast", "overlap"]

# Destination PAN (low half) and short address, as they lie on the air.
_PAN_AND_SHORT = struct.Struct("<I").unpack_from
_EXTENDED = struct.Struct("<Q").unpack_from
_FIRST_SPECIAL_SHORT = 0xFFF8


class Channel:
    """The state of one channel; the indexes hold attached radios tuned to it."""

    __slots__ = (
        "active",
        "extended",
        "jammed_until_us",
        "last_end_us",
        "last_source",
        "meters",
        "number",
        "promiscuous",
        "radios",
        "short",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.active: list[Transmission] = []
        self.last_source: Radio | None = None
        self.last_end_us = 0
        self.radios: list[Radio] = []
        self.promiscuous: list[Radio] = []
        self.short: dict[int, list[Radio]] = {}
        self.extended: dict[int, tuple[Radio]] = {}
        self.meters: list[EnergyMeter] = []
        self.jammed_until_us = 0

    def add(self, radio: Radio) -> None:
        """Take in a radio that is tuned here."""
        self.radios.append(radio)
        self.extended[radio.eui64] = (radio,)
        if radio.tuned_promiscuous:
            self.promiscuous.append(radio)
        if radio.tuned_pan != BROADCAST_PAN and radio.tuned_short < _FIRST_SPECIAL_SHORT:
            self.short.setdefault(radio.tuned_pan | radio.tuned_short << 16, []).append(radio)

    def remove(self, radio: Radio) -> None:
        """Forget a radio, which still has the address it was taken in with."""
        self.radios.remove(radio)
        del self.extended[radio.eui64]
        if radio.tuned_promiscuous:
            self.promiscuous.remove(radio)
        key = radio.tuned_pan | radio.tuned_short << 16
        sharing = self.short.get(key)
        if sharing is not None and radio in sharing:
            sharing.remove(radio)
            if not sharing:
                del self.short[key]

    def addressees(self, psdu: bytes) -> Sequence[Radio] | None:
        """Return the radios with the destination address of a unicast frame, None when there is none."""
        mode = psdu[1] & 0x0C
        if mode == 0x08 and len(psdu) >= 9:
            return self.short.get(_PAN_AND_SHORT(psdu, 3)[0])
        if mode == 0x0C and len(psdu) >= 15:
            radios = self.extended.get(_EXTENDED(psdu, 5)[0])
            if radios is not None and (psdu[3] | psdu[4] << 8) in (radios[0].tuned_pan, BROADCAST_PAN):
                return radios
        return None


def is_broadcast(psdu: bytes) -> bool:
    """Tell whether a frame is for everybody: no destination (a beacon) or the broadcast short address."""
    mode = psdu[1] & 0x0C
    return mode == 0 or (mode == 0x08 and len(psdu) >= 9 and psdu[5] == 0xFF and psdu[6] == 0xFF)


def overlap(one: Transmission, other: Transmission) -> None:
    """Note that two transmissions share some of their time on the air."""
    if one.interferers is None:
        one.interferers = []
    if other.interferers is None:
        other.interferers = []
    one.interferers.append(other)
    other.interferers.append(one)
