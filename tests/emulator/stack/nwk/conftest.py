"""A home of NWK layers on the real medium, driven in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from emulator.air.mac import Mac
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel, Scope
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.nwk.layer import Network, NodeType, Nwk, NwkTiming
from emulator.stack.primitives import JoinKind, NldeIndication, Status

KEY = bytes.fromhex("01030507090b0d0f00020406080a0c0d")
PAN_ID = 0x5345
EXTENDED_PAN_ID = 0x00DB123456789000
CHANNEL = 15
SECOND = 1_000_000
ROUTER, SLEEPY, AWAKE = 0x8E, 0x80, 0x8C
_TYPES = {ROUTER: NodeType.ROUTER, SLEEPY: NodeType.END_DEVICE, AWAKE: NodeType.END_DEVICE}


@dataclass
class Peer:
    """One NWK layer with everything its listener was told."""

    scope: Scope
    mac: Mac
    nwk: Nwk
    memory: MemoryNonVolatile
    received: list[NldeIndication] = field(default_factory=list)
    joined: list[tuple[int, int, JoinKind]] = field(default_factory=list)
    left: list[tuple[int, int, bool]] = field(default_factory=list)
    left_self: list[bool] = field(default_factory=list)
    statuses: list[tuple[int, int]] = field(default_factory=list)
    channels: list[int] = field(default_factory=list)
    key_changes: list[int] = field(default_factory=list)
    keys_missed: list[int] = field(default_factory=list)
    on_joined: Callable[[int, int, JoinKind], None] | None = None

    def nwk_data(self, indication: NldeIndication) -> None:
        self.received.append(indication)

    def nwk_joined(self, eui64: int, short: int, kind: JoinKind, parent_is_self: bool) -> None:
        assert parent_is_self
        self.joined.append((eui64, short, kind))
        if self.on_joined is not None:
            self.on_joined(eui64, short, kind)

    def nwk_left(self, eui64: int, short: int, rejoin: bool) -> None:
        self.left.append((eui64, short, rejoin))

    def nwk_leave_self(self, rejoin: bool) -> None:
        self.left_self.append(rejoin)

    def nwk_channel_changed(self, channel: int) -> None:
        self.channels.append(channel)

    def nwk_key_changed(self, sequence: int) -> None:
        self.key_changes.append(sequence)

    def nwk_key_missed(self, sequence: int) -> None:
        self.keys_missed.append(sequence)

    def nwk_status(self, short: int, code: int) -> None:
        self.statuses.append((short, code))

    @property
    def short(self) -> int:
        return self.nwk.short_address

    @property
    def payloads(self) -> list[bytes]:
        return [each.nsdu for each in self.received]


class Recorder:
    """Keeps every frame of the air."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, bytes]] = []

    def frame(self, time_us: int, channel: int, psdu: bytes, lqi: int, rssi_dbm: int) -> None:
        self.frames.append((time_us, psdu))


class HomeFactory(Protocol):
    def __call__(self, seed: int = 1, timing: NwkTiming | None = None) -> Home: ...


class Home:
    """A kernel, an air, and peers by name."""

    def __init__(self, seed: int = 1, timing: NwkTiming | None = None) -> None:
        self.kernel = Kernel(seed)
        self.recorder = Recorder()
        self.medium = Medium(self.kernel, capture=self.recorder)
        self.timing = timing or NwkTiming()
        self._next_eui64 = 0x00DB000000000001

    def power(
        self,
        capability: int,
        *,
        memory: MemoryNonVolatile | None = None,
        eui64: int | None = None,
        device_type: NodeType | None = None,
        timing: NwkTiming | None = None,
    ) -> Peer:
        """Switch a device on, new or with the memory of an earlier life."""
        if eui64 is None:
            eui64 = self._next_eui64
            self._next_eui64 += 1
        scope = self.kernel.scope(f"{eui64:016X}@{self.kernel.now}")
        mac = Mac(scope, self.medium, eui64, rx_on_when_idle=bool(capability & 0x08))
        memory = memory or MemoryNonVolatile()
        nwk = Nwk(
            scope,
            mac,
            memory,
            device_type=_TYPES[capability] if device_type is None else device_type,
            capability=capability,
            timing=timing or self.timing,
        )
        peer = Peer(scope, mac, nwk, memory)
        nwk.listener = peer
        return peer

    def coordinator(self) -> Peer:
        """A coordinator with its network formed and open."""
        peer = self.power(ROUTER, device_type=NodeType.COORDINATOR)
        peer.nwk.form(CHANNEL, PAN_ID, EXTENDED_PAN_ID, KEY)
        peer.nwk.permit_joining(254)
        return peer

    def associate(self, peer: Peer) -> Status:
        """Scan, up to three times since beacons may collide, and associate with the best parent; no key yet."""
        found: list[Network] = []
        for _ in range(3):
            if not found:
                peer.nwk.discover([CHANNEL], 3, found.extend)
                self.run(0.2)
        if not found:
            return Status.NWK_NO_NETWORKS
        outcome: list[Status] = []
        peer.nwk.join(found[0], outcome.append)
        self.run(1.5)
        return outcome[0]

    def join(self, capability: int, hears: Sequence[Peer] | None = None, key: bytes = KEY) -> Peer:
        """Switch on a device that hears only `hears`, join it and hand it the network key."""
        peer = self.power(capability)
        if hears is not None:
            self.isolate(peer, hears)
        assert self.associate(peer) == Status.SUCCESS
        peer.nwk.set_network_key(key, 0)
        peer.nwk.permit_joining(254)
        self.run(2)
        return peer

    def isolate(self, peer: Peer, hears: Sequence[Peer]) -> None:
        """Leave only the links of `peer` with `hears`."""
        allowed = [each.nwk.eui64 for each in hears]
        for eui64 in range(0x00DB000000000001, 0x00DB000000000040):
            if eui64 != peer.nwk.eui64:
                self.medium.set_link(peer.nwk.eui64, eui64, audible=eui64 in allowed)
        for each in hears:
            self.medium.set_link(peer.nwk.eui64, each.nwk.eui64, audible=True, rssi_dbm=-60)

    def power_off(self, peer: Peer) -> None:
        peer.scope.end()
        peer.mac.detach()

    def reboot(self, peer: Peer, capability: int, device_type: NodeType | None = None) -> Peer:
        self.power_off(peer)
        return self.power(capability, memory=peer.memory, eui64=peer.nwk.eui64, device_type=device_type)

    def send(self, source: Peer, destination: int, nsdu: bytes, **options: bool) -> list[Status]:
        """Request a transmission; the list gets its confirm."""
        outcome: list[Status] = []
        source.nwk.data(destination, nsdu, outcome.append, **options)
        return outcome

    def delivers(
        self, source: Peer, destination: int, nsdu: bytes, *, within: float, **options: bool
    ) -> bool:
        """Send an NSDU, let `within` seconds pass and tell whether it was confirmed a success."""
        outcome = self.send(source, destination, nsdu, **options)
        self.run(within)
        return outcome == [Status.SUCCESS]

    def run(self, seconds: float) -> None:
        self.kernel.run_for(round(seconds * SECOND))


@pytest.fixture(scope="session")
def make_home() -> HomeFactory:
    return Home


@pytest.fixture
def home() -> Home:
    return Home()
