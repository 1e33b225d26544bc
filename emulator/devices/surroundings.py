"""What every emulated device finds around it: time, the air, and the authorities it was provisioned with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.smart_energy.ota.signature import FirmwareTrust
from emulator.stack.aps.key_table import KeyObserver


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Shared by the devices of one home. `on_key` hears of link keys, for a capture's key file."""

    kernel: Kernel
    medium: Medium
    authorities: Mapping[Suite, IssuingAuthority]
    trusts: tuple[FirmwareTrust, ...] = ()
    on_key: KeyObserver | None = None
