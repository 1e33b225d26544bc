"""Smart Energy profile versions, and the gate that hides what a device's version does not know yet.

A profile declares one version; attributes and commands introduced later answer UNSUPPORTED_ATTRIBUTE or
UNSUP_CLUSTER_COMMAND unless the profile lists them explicitly (fact sheet 2.1).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import IntEnum

from emulator.errors import EmulatorError
from emulator.zcl.attributes import Gate


class SeVersion(IntEnum):
    """Versions of the Smart Energy profile specification, in order of publication (fact sheet 2.1)."""

    SE_1_0 = 100
    SE_1_1 = 110
    SE_1_1A = 111
    SE_1_1B = 112
    SE_1_2A = 121
    SE_1_2B = 122
    SE_1_4 = 140

    @classmethod
    def parse(cls, text: str) -> SeVersion:
        """Return the version written as in a profile ("1.0", "1.1b"); raises `EmulatorError`."""
        try:
            return cls[f"SE_{text.strip().upper().replace('.', '_')}"]
        except KeyError:
            known = ", ".join(str(version) for version in cls)
            raise EmulatorError(
                f"Smart Energy version {text!r} is unknown, expected one of {known}"
            ) from None

    def __str__(self) -> str:
        return self.name.removeprefix("SE_").replace("_", ".").lower()


def gate(
    introduced: Callable[[int], SeVersion], version: SeVersion, *, explicitly: Collection[int] = ()
) -> Gate:
    """Return a test for identifiers that exist in `version`, where `introduced` says since when each does.

    Those in `explicitly` are let through, as a vendor's early adoption.
    """
    return lambda identifier: introduced(identifier) <= version or identifier in explicitly
