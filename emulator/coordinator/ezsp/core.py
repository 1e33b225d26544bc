"""What the parts of a co-processor's firmware share during one boot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.clock.kernel import Scope
from emulator.crypto.authority import Identity
from emulator.eui64 import format_eui64
from emulator.nonvolatile import NonVolatile
from emulator.stack.keys.trust_centre import TrustCentre
from emulator.stack.node import Node

Values = Mapping[str, Any]
Answer = dict[str, Any]
Handler = Callable[[Values], Answer]

RESTORED_EUI64 = "ncp.eui64"
NO_EUI64 = 0xFFFF_FFFF_FFFF_FFFF


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


class Core:
    """One boot: its node, its memory, its time, and the way to the host."""

    def __init__(
        self,
        config: NcpConfig,
        scope: Scope,
        node: Node,
        memory: NonVolatile,
        callback: Callable[[str, Values], None],
    ) -> None:
        """`callback` sends a callback frame to the host, after the answer to the command being handled."""
        trust_centre = node.trust_centre
        assert trust_centre is not None
        self.config = config
        self.version = config.version
        self.scope = scope
        self.node = node
        self.trust_centre: TrustCentre = trust_centre
        self.memory = memory
        self.callback = callback

    @property
    def on_network(self) -> bool:
        """Whether the stack is up."""
        return self.node.parameters is not None


def effective_eui64(config: NcpConfig, memory: NonVolatile) -> int:
    """Return the EUI-64 in force: the one a host restored, or the factory's."""
    stored = memory.get(RESTORED_EUI64)
    restored = NO_EUI64 if stored is None else int.from_bytes(stored, "little")
    return config.eui64 if restored == NO_EUI64 else restored


def rssi_of(lqi: int) -> int:
    """Return the signal strength in dBm that gives `lqi` on this air."""
    return -100 + lqi * 50 // 255
