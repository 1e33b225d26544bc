"""A joiner or a trust centre between a network and an APS that only note what they are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from emulator.clock.kernel import Kernel
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.aps.commands import ApsCommand
from emulator.stack.aps.key_table import KeyTable, LinkKey
from emulator.stack.aps.security import KEY_DATA
from emulator.stack.aps.service import ApsCommandIndication
from emulator.stack.events import KeyKind, StackEvent
from emulator.stack.keys.joiner import Joiner
from emulator.stack.keys.trust_centre import TrustCentre
from emulator.stack.nwk.security import NwkSecurity
from emulator.stack.nwk.service import Network, NodeType, ParentCandidate
from emulator.stack.primitives import NetworkParameters, Status

HUB, METER, DISPLAY = 0x00DB1234567890A0, 0x000D6F0000000002, 0x000D6F0000000004
HUB_SHORT, METER_SHORT, DISPLAY_SHORT = 0x0000, 0x1111, 0x2222
NETWORK_KEY, NEXT_KEY, INSTALL_KEY, CBKE_KEY = (bytes([n]) * 16 for n in (1, 2, 3, 4))
SECOND = 1_000_000


class SentCommand(NamedTuple):
    """A command given to APS, and what protects it."""

    destination: int
    command: ApsCommand
    key: LinkKey | None
    key_id: int
    nwk_secure: bool


class NotingCarrier:
    """APS: keeps commands; a frame to be tunnelled is its command's octets."""

    def __init__(self) -> None:
        self.joining_key: LinkKey | None = None
        self.sent: list[SentCommand] = []
        self.forwarded: list[tuple[int, bytes]] = []

    def command(
        self,
        destination: int,
        command: ApsCommand,
        *,
        key: LinkKey | None = None,
        key_id: int = KEY_DATA,
        nwk_secure: bool = True,
    ) -> None:
        self.sent.append(SentCommand(destination, command, key, key_id, nwk_secure))

    def command_frame(self, command: ApsCommand, *, key: LinkKey | None, key_id: int = KEY_DATA) -> bytes:
        return command.encode()

    def forward(self, destination: int, frame: bytes) -> None:
        self.forwarded.append((destination, frame))


class NotingNetwork:
    """NWK: keeps requests; the test answers scans, joins and rejoins."""

    def __init__(self, eui64: int) -> None:
        self.eui64 = eui64
        self.parameters: NetworkParameters | None = None
        self.authenticated = False
        self.security = NwkSecurity(eui64, MemoryNonVolatile())
        self.addresses = {HUB: HUB_SHORT, METER: METER_SHORT, DISPLAY: DISPLAY_SHORT}
        self.scans: list[tuple[tuple[int, ...], Callable[[list[Network]], None]]] = []
        self.joins: list[tuple[Network, Callable[[Status], None]]] = []
        self.rejoins: list[tuple[bool, Callable[[Status], None]]] = []
        self.removed: list[int] = []
        self.permitted: list[int] = []
        self.forgotten = 0

    def up(self, sequence: int = 0) -> None:
        self.parameters = NetworkParameters(0x5345, HUB, 11, METER_SHORT, 0, NETWORK_KEY, sequence)
        self.security.set_key(NETWORK_KEY, sequence, activate=True)
        self.authenticated = True

    def discover(
        self, channels: Sequence[int], duration_exponent: int, done: Callable[[list[Network]], None]
    ) -> None:
        self.scans.append((tuple(channels), done))

    def join(self, network: Network, done: Callable[[Status], None]) -> None:
        self.joins.append((network, done))

    def rejoin(self, *, secured: bool, channels: Sequence[int], done: Callable[[Status], None]) -> None:
        self.rejoins.append((secured, done))

    def forget(self) -> None:
        self.forgotten += 1

    def fast_poll(self, duration_us: int) -> None:
        """Nothing sleeps here."""

    def short_of(self, eui64: int) -> int | None:
        return self.addresses.get(eui64)

    def eui64_of(self, short: int) -> int | None:
        return next((eui64 for eui64, each in self.addresses.items() if each == short), None)

    def learn(self, eui64: int, short: int) -> None:
        self.addresses[eui64] = short

    def remove(self, eui64: int) -> bool:
        self.removed.append(eui64)
        return True

    def permit_joining(self, seconds: int) -> None:
        self.permitted.append(seconds)

    def set_network_key(self, key: bytes, sequence: int) -> None:
        self.security.set_key(key, sequence, activate=False)

    def switch_key(self, sequence: int) -> bool:
        return self.security.switch(sequence)


class _Bench:
    def __init__(self, eui64: int) -> None:
        self.kernel = Kernel(1)
        self.nwk = NotingNetwork(eui64)
        self.aps = NotingCarrier()
        self.memory = MemoryNonVolatile()
        self.keys = KeyTable(self.memory, lambda kind, key, label: None)
        self.events: list[StackEvent] = []

    def run(self, seconds: float) -> None:
        self.kernel.run_for(round(seconds * SECOND))


class JoinerBench(_Bench):
    """A meter that joins; it keeps what its node was told."""

    def __init__(self, device_type: NodeType = NodeType.ROUTER, *, request_own_key: bool = False) -> None:
        super().__init__(METER)
        self.told: list[tuple[object, ...]] = []
        self.joiner = Joiner(
            self.kernel.scope("joiner"),
            self.nwk,
            self.aps,
            keys=self.keys,
            nonvolatile=self.memory,
            user=self,
            device_type=device_type,
            preconfigured=INSTALL_KEY,
            request_own_key=request_own_key,
        )

    def on_network(self) -> LinkKey:
        """Be a member that shares a key with its trust centre."""
        self.nwk.up()
        key = self.keys.put(HUB, CBKE_KEY, KeyKind.CBKE)
        self.joiner.trust_centre = HUB
        return key

    def hear(
        self,
        command: ApsCommand,
        key: LinkKey | None = None,
        key_id: int = KEY_DATA,
        *,
        nwk_secured: bool = True,
        source: int = HUB_SHORT,
        eui64: int | None = HUB,
    ) -> None:
        identifier = None if key is None else key_id
        self.joiner.command(ApsCommandIndication(source, eui64, command, key, identifier, nwk_secured))

    def joiner_up(self, rejoined: bool) -> None:
        self.told.append(("up", rejoined))

    def joiner_failed(self, status: Status, rejoin: bool) -> None:
        self.told.append(("failed", status, rejoin))

    def joiner_told_to_leave(self, source_eui64: int | None) -> None:
        self.told.append(("told to leave", source_eui64))

    def joiner_event(self, event: StackEvent) -> None:
        self.events.append(event)


class TrustCentreBench(_Bench):
    """A hub that admits; it keeps what it broadcast."""

    def __init__(self) -> None:
        super().__init__(HUB)
        self.broadcasts: list[tuple[int, bytes, int]] = []
        self.nwk.up()
        self.trust_centre = self.started()

    def started(self) -> TrustCentre:
        """Start a trust centre from what memory holds."""
        return TrustCentre(
            self.kernel.scope("trust centre"),
            self.nwk,
            self.aps,
            keys=self.keys,
            zdo=self,
            nonvolatile=self.memory,
            on_event=self.events.append,
        )

    def broadcast(self, cluster: int, payload: bytes, destination: int) -> None:
        self.broadcasts.append((cluster, payload, destination))

    def hear(
        self,
        command: ApsCommand,
        key: LinkKey | None = None,
        key_id: int = KEY_DATA,
        *,
        nwk_secured: bool = True,
        source: int = METER_SHORT,
        eui64: int | None = METER,
    ) -> None:
        identifier = None if key is None else key_id
        self.trust_centre.command(ApsCommandIndication(source, eui64, command, key, identifier, nwk_secured))


def network(extended_pan_id: int = HUB, *, permit: bool = True) -> Network:
    """A network found by a scan."""
    return Network(11, 0x5345, extended_pan_id, (ParentCandidate(0, 200, permit, 0, True, True, 0),))
