"""What key management sees of the layers it stands on: the trust centre and the joiner each name what they use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from emulator.stack.aps.commands import ApsCommand
from emulator.stack.aps.key_table import LinkKey
from emulator.stack.aps.security import KEY_DATA
from emulator.stack.nwk.security import NwkSecurity
from emulator.stack.nwk.service import Network
from emulator.stack.primitives import NetworkParameters, Status


class CommandCarrier(Protocol):
    """The APS sublayer, as a carrier of commands."""

    joining_key: LinkKey | None

    def command(
        self,
        destination: int,
        command: ApsCommand,
        *,
        key: LinkKey | None = None,
        key_id: int = KEY_DATA,
        nwk_secure: bool = True,
    ) -> None:
        """Send an APS command, protected by `key` (or the one derived from it that `key_id` names)."""

    def command_frame(self, command: ApsCommand, *, key: LinkKey | None, key_id: int = KEY_DATA) -> bytes:
        """Return a complete APS command frame, to be tunnelled."""

    def forward(self, destination: int, frame: bytes) -> None:
        """Hand a tunnelled frame to the child it is for."""


class KeyedNetwork(Protocol):
    """The network layer, as far as both sides of key management need it."""

    eui64: int

    @property
    def parameters(self) -> NetworkParameters | None:
        """Return the network this node is on."""

    def learn(self, eui64: int, short: int) -> None:
        """Record a pair of addresses."""

    def remove(self, eui64: int) -> bool:
        """Send another device, usually a child, a leave request."""

    def set_network_key(self, key: bytes, sequence: int) -> None:
        """Store a network key."""

    def switch_key(self, sequence: int) -> bool:
        """Put the key with `sequence` in force."""


class JoinerNetwork(KeyedNetwork, Protocol):
    """The network layer of a node that joins."""

    @property
    def authenticated(self) -> bool:
        """Return whether this node holds the network key by right."""

    def short_of(self, eui64: int) -> int | None:
        """Return the short address of that EUI-64."""

    def discover(
        self, channels: Sequence[int], duration_exponent: int, done: Callable[[list[Network]], None]
    ) -> None:
        """Scan actively and report the networks."""

    def join(self, network: Network, done: Callable[[Status], None]) -> None:
        """Associate with a parent of `network`."""

    def rejoin(self, *, secured: bool, channels: Sequence[int], done: Callable[[Status], None]) -> None:
        """Return to the network with the same extended PAN id."""

    def forget(self) -> None:
        """Drop everything about the network."""

    def fast_poll(self, duration_us: int) -> None:
        """Poll at the short interval for that long."""


class KeyUpdateNetwork(KeyedNetwork, Protocol):
    """The network layer of a coordinator that changes the network key."""

    security: NwkSecurity

    def short_of(self, eui64: int) -> int | None:
        """Return the short address of that EUI-64."""


class TrustCentreNetwork(KeyUpdateNetwork, Protocol):
    """The network layer of the coordinator."""

    def eui64_of(self, short: int) -> int | None:
        """Return the EUI-64 that has that short address."""

    def permit_joining(self, seconds: int) -> None:
        """Admit devices for `seconds`."""


class Announcer(Protocol):
    """The ZDO, as the trust centre speaks to everybody."""

    def broadcast(self, cluster: int, payload: bytes, destination: int) -> None:
        """Broadcast a ZDO command that nobody answers."""
