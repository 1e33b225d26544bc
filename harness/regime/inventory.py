"""The Smart Metering Inventory: records, statuses and the legal moves (fact sheet 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from emulator.eui64 import format_eui64
from harness.errors import RegimeError
from hw_profiles.model import DeviceKind


class InventoryStatus(StrEnum):
    """`DeviceStatus` values."""

    PENDING = "Pending"
    WHITELISTED = "Whitelisted"
    INSTALLED_NOT_COMMISSIONED = "InstalledNotCommissioned"
    COMMISSIONED = "Commissioned"
    DECOMMISSIONED = "Decommissioned"
    WITHDRAWN = "Withdrawn"
    SUSPENDED = "Suspended"
    RECOVERY = "Recovery"
    RECOVERED = "Recovered"


_S = InventoryStatus
TRANSITIONS: dict[InventoryStatus, tuple[InventoryStatus, ...]] = {
    _S.PENDING: (_S.WHITELISTED, _S.INSTALLED_NOT_COMMISSIONED, _S.WITHDRAWN),
    _S.WHITELISTED: (_S.PENDING, _S.INSTALLED_NOT_COMMISSIONED, _S.DECOMMISSIONED),
    _S.INSTALLED_NOT_COMMISSIONED: (_S.PENDING, _S.COMMISSIONED, _S.DECOMMISSIONED, _S.WITHDRAWN),
    _S.COMMISSIONED: (_S.DECOMMISSIONED, _S.SUSPENDED, _S.RECOVERY, _S.WITHDRAWN),
    _S.DECOMMISSIONED: (_S.PENDING,),
    _S.WITHDRAWN: (_S.PENDING,),
    _S.SUSPENDED: (_S.COMMISSIONED, _S.DECOMMISSIONED),
    _S.RECOVERY: (_S.RECOVERED, _S.DECOMMISSIONED),
    _S.RECOVERED: (_S.COMMISSIONED, _S.DECOMMISSIONED),
}
"""Legal moves. The order of a meter's life is recalled; the rest is this project's reading."""

COMMISSIONABLE = (_S.PENDING, _S.WHITELISTED, _S.INSTALLED_NOT_COMMISSIONED)
"""Statuses from which commissioning leads straight on; a device in any other must be set back to Pending first."""

TYPE_2 = (DeviceKind.IHD, DeviceKind.CAD)
"""Kinds that have no status and no firmware version in the inventory."""


@dataclass(frozen=True, slots=True)
class InventoryRecord:
    """One device of the inventory. `history` holds (Unix seconds, status), oldest first."""

    eui64: int
    kind: DeviceKind
    manufacturer: str
    model: str
    firmware: str
    mpxn: str | None = None
    status: InventoryStatus | None = None
    history: tuple[tuple[int, InventoryStatus], ...] = ()
    credentials: dict[str, str] = field(default_factory=dict)
    """Certificate id by role, held on the device's behalf: SMETS1 devices cannot hold certificates."""

    @classmethod
    def notified(cls, record: InventoryRecord, at: int) -> InventoryRecord:
        """Return a record as pre-notification leaves it: Pending, or no status for Type 2."""
        if record.kind in TYPE_2:
            return replace(record, status=None, history=(), firmware="")
        return replace(record, status=_S.PENDING, history=((at, _S.PENDING),))

    def moved(self, status: InventoryStatus, at: int) -> InventoryRecord:
        """Return the record in another status; raises `RegimeError` for a move that is not legal."""
        allowed = () if self.status is None else TRANSITIONS[self.status]
        if status not in allowed:
            names = ", ".join(allowed) or "none"
            raise RegimeError(
                f"inventory: {format_eui64(self.eui64)} is {self.status}, cannot become {status}; "
                f"allowed: {names}"
            )
        return replace(self, status=status, history=(*self.history, (at, status)))
