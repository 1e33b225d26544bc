"""What the parts of a co-processor's firmware share during one boot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel, Scope
from emulator.clock.line_clock import line_clock
from emulator.crypto.authority import Identity
from emulator.eui64 import format_eui64
from emulator.nonvolatile import NonVolatile
from emulator.stack.aps.key_table import KeyObserver
from emulator.stack.keys.trust_centre import TrustCentre
from emulator.stack.node import Node

Values = Mapping[str, Any]
Answer = dict[str, Any]
Handler = Callable[[Values], Answer]

RESTORED_EUI64 = "ncp.eui64"
NO_EUI64 = 0xFFFF_FFFF_FFFF_FFFF
MAX_POWER_DBM = 20
MIN_POWER_DBM = -43
"""Transmit power that radios of this kind have (recalled)."""


@dataclass(frozen=True, slots=True)
class NcpConfig:
    """What a dongle is when it leaves the factory.

    `version` is the EZSP version of its firmware, 4 to 19. `identities` are the certificates of its Smart Energy key
    establishment, at most one a suite; `cbke` False is firmware without that library. `position` is in metres.
    """

    eui64: int
    version: int = 13
    name: str = ""
    manufacturer: str = "SMETS1 emulator"
    board: str = "Emulated NCP"
    cbke: bool = True
    identities: tuple[Identity, ...] = ()
    max_incoming_transfer: int = 1500
    manufacturer_code: int = 0x1002
    position: tuple[float, float] = field(default=(0.0, 0.0))

    @property
    def label(self) -> str:
        """Name of the dongle in scopes and messages."""
        return self.name or f"ncp {format_eui64(self.eui64)}"


class Surroundings(NamedTuple):
    """Where a co-processor is: its time, its air, its memory, who hears of keys, and its host's pace of time."""

    kernel: Kernel
    medium: Medium
    memory: NonVolatile
    on_key: KeyObserver | None = None
    pace: float | None = None


class Core:
    """One boot: its node, its memory, its time, and the way to the host."""

    def __init__(
        self,
        config: NcpConfig,
        surroundings: Surroundings,
        node: Node,
        callback: Callable[[str, Values], None],
    ) -> None:
        """`callback` sends a callback frame to the host, after the answer to the command being handled."""
        trust_centre = node.trust_centre
        assert trust_centre is not None
        self.config = config
        self.version = config.version
        self.scope: Scope = node.scope
        self.host_clock = line_clock(node.scope, surroundings.pace)
        """Timers that the host asks for run in the host's time."""
        self.node = node
        self.medium = surroundings.medium
        self.trust_centre: TrustCentre = trust_centre
        self.memory = surroundings.memory
        self.callback = callback

    @property
    def on_network(self) -> bool:
        """Whether the stack is up."""
        return self.node.parameters is not None

    def set_power(self, dbm: int) -> None:
        """Change the transmit power of the radio."""
        self.node.mac.tx_power_dbm = dbm
        self.medium.refresh_links()


def effective_eui64(config: NcpConfig, memory: NonVolatile) -> int:
    """Return the EUI-64 in force: the one a host restored, or the factory's."""
    stored = memory.get(RESTORED_EUI64)
    restored = NO_EUI64 if stored is None else int.from_bytes(stored, "little")
    return config.eui64 if restored == NO_EUI64 else restored


def rssi_of(lqi: int) -> int:
    """Return the signal strength in dBm that gives `lqi` on this air."""
    return -100 + lqi * 50 // 255
