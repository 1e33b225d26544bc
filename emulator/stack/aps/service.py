"""What APS needs of the layer below, and whom it reports to above."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from emulator.stack.aps.commands import ApsCommand
from emulator.stack.aps.key_table import LinkKey
from emulator.stack.primitives import ApsdeIndication, Confirm


class NwkData(Protocol):
    """What APS needs of the network layer."""

    eui64: int

    @property
    def short_address(self) -> int:
        """Return the own short address."""

    def data(
        self,
        destination: int,
        nsdu: bytes,
        confirm: Confirm | None = None,
        *,
        secure: bool = True,
        radius: int = 30,
    ) -> None:
        """Send an NSDU (NLDE-DATA.request)."""

    def eui64_of(self, short: int) -> int | None:
        """Return the EUI-64 behind a short address, when known."""

    def learn(self, eui64: int, short: int) -> None:
        """Note which short address an EUI-64 has."""


class ApsCommandIndication(NamedTuple):
    """An APS command that arrived. `key` protected it, as `key_id` says; both are None when only NWK
    security did.

    `nwk_secured` is False for the frames a device gets before it holds the network key.
    """

    source: int
    source_eui64: int | None
    command: ApsCommand
    key: LinkKey | None
    key_id: int | None
    nwk_secured: bool


class ApsUser(Protocol):
    """Who APS reports to: the node."""

    def aps_data(self, indication: ApsdeIndication) -> None:
        """Take an ASDU."""

    def aps_command(self, indication: ApsCommandIndication) -> None:
        """Take a key or device management command."""

    def aps_security_failure(self, source: int, reason: str) -> None:
        """Learn that a frame failed APS security."""

    def aps_answer_expected(self, wait_us: int) -> None:
        """Learn that something is on its way here: a sleepy device polls for it."""
