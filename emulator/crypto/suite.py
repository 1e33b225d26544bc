"""The two crypto suites of Smart Energy, and the sizes each gives to keys, certificates and signatures."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from emulator.crypto.curves import SECT163K1, SECT283K1, BinaryCurve


class Suite(IntEnum):
    """A crypto suite; its value is its bit in the KeyEstablishmentSuite attribute (0x0800/0x0000)."""

    SUITE_1 = 0x0001
    SUITE_2 = 0x0002

    @property
    def parameters(self) -> SuiteParameters:
        """The curve and the sizes of this suite."""
        return _PARAMETERS[self]


class SuiteParameters(NamedTuple):
    """Sizes are in octets."""

    curve: BinaryCurve
    certificate_octets: int
    point_octets: int
    scalar_octets: int
    signature_octets: int


_PARAMETERS: Final = {
    Suite.SUITE_1: SuiteParameters(SECT163K1, 48, 22, 21, 42),
    Suite.SUITE_2: SuiteParameters(SECT283K1, 74, 37, 36, 72),
}
