"""Faults of one device's firmware upgrade: a bad block, a stall, an activation that does not take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emulator.clock.kernel import MICROSECONDS
from hw_profiles.faults import Effect, Fault


@dataclass(frozen=True, slots=True)
class FirmwareFaults:
    """What goes wrong in every upgrade of a device; nothing, unless told."""

    corrupt_block: int | None = None
    stall_block: int | None = None
    stall_us: int = 0
    never_activates: bool = False

    @classmethod
    def of(cls, faults: Sequence[Fault]) -> FirmwareFaults:
        """Return the firmware faults among all those of a device; of two alike, the last counts."""
        of_effect = {fault.kind.effect: fault for fault in faults}
        corrupt, stall = of_effect.get(Effect.WRONG_BIT), of_effect.get(Effect.SILENCE)
        return cls(
            corrupt_block=None if corrupt is None else corrupt.at_block,
            stall_block=None if stall is None else stall.at_block,
            stall_us=0 if stall is None else int((stall.lasts_s or 0.0) * MICROSECONDS),
            never_activates=Effect.NO_ACTIVATION in of_effect,
        )

    def received(self, offset: int, data: bytes, block_octets: int) -> bytes:
        """Return what reaches the flash of the data that arrived for `offset`."""
        if self.corrupt_block is None or not data:
            return data
        wrong = self.corrupt_block * block_octets - offset
        if not 0 <= wrong < len(data):
            return data
        return data[:wrong] + bytes((data[wrong] ^ 0x01,)) + data[wrong + 1 :]

    def stalls_at(self, offset: int, block_octets: int) -> bool:
        """Tell whether a download that has come to `offset` stalls there."""
        return self.stall_block is not None and offset >= self.stall_block * block_octets


NO_FAULTS = FirmwareFaults()
