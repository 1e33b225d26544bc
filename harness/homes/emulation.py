"""The meters and displays of an installation on the air, and a dongle on it for a stranger's host.

No hub is here: whoever opens the dongle's line forms the network and lets the devices in, by their install codes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from emulator.air.capture import PcapngCapture
from emulator.air.exchange import Capture
from emulator.air.fcs import FCS_OCTETS
from emulator.air.frame import decode_frame
from emulator.air.keylog import KeyLog
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.coordinator.ezsp.core import NcpConfig
from emulator.coordinator.ezsp.ncp import Ncp
from emulator.coordinator.ezsp_line import DEFAULT_VERSION, ncp_config
from emulator.coordinator.monikers import Kind, Moniker
from emulator.coordinator.spinel.rcp import Rcp
from emulator.coordinator.transports import (
    LineDevice,
    PtyServer,
    TcpServer,
    TransportError,
    serve_pty,
    serve_tcp,
)
from emulator.crypto.suite import Suite
from emulator.devices.home import household, hub_site, set_links, surroundings_of
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.devices.world_clock import WorldClock, world_clock
from emulator.errors import FrameError
from emulator.eui64 import format_eui64
from emulator.nonvolatile import IN_MEMORY, WorldStore
from emulator.stack.primitives import COORDINATOR
from harness.homes.zep import ZepSender
from hw_profiles.installation import DeviceEntry, Installation
from hw_profiles.model import DeviceKind

LOCALLY_ADMINISTERED = 1 << 57
"""The bit of an EUI-64 that says that it was made up here."""


class Stranger(NamedTuple):
    """The line a stranger's host opens. `rcp` is a radio co-processor (Spinel), else a network one (EZSP)."""

    moniker: Moniker
    rcp: bool = False


@dataclass(frozen=True, slots=True)
class EmulationOptions:
    """What `smets1 emulate` was asked for. `speed` is virtual seconds per real second.

    `sniffer` is where a second dongle is served, on no network, for a host that only listens.
    """

    stranger: Stranger
    seed: int = 1
    speed: float = 1.0
    ezsp_version: int = DEFAULT_VERSION
    cbke: bool = True
    capture: Path | None = None
    zep: str | None = None
    state: Path | None = None
    sniffer: Moniker | None = None


class NodeState(NamedTuple):
    """One row of the table. `joins_with` tells its key; `short` is None off the network.

    `state` is off, searching, joined or registered.
    """

    name: str
    kind: DeviceKind
    eui64: str
    joins_with: str
    short: int | None
    state: str
    firmware: int
    sent: int


def _shown_key(entry: DeviceEntry) -> str:
    """Return what a host must be told so that a device can join."""
    return "well-known key" if entry.joins_with_known_key else f"install code {entry.install_code}"


class Traffic:
    """Counts frames on the air by who sent them; hands them on to other captures."""

    def __init__(self, others: Sequence[Capture]) -> None:
        self.frames = 0
        self.octets = 0
        self.by_source: Counter[int] = Counter()
        self._others = tuple(others)

    def frame(self, time_us: int, channel: int, psdu: bytes, lqi: int, rssi_dbm: int) -> None:
        """Count a frame."""
        self.frames += 1
        self.octets += len(psdu)
        for other in self._others:
            other.frame(time_us, channel, psdu, lqi, rssi_dbm)
        try:
            source = decode_frame(psdu[:-FCS_OCTETS]).source
        except FrameError:
            return  # a frame of another kind, such as a stranger's: it counts, but has no sender we know
        if source is not None:
            self.by_source[source] += 1


class Emulation:
    """The devices, the dongle, and its line; build it on the kernel of a paced loop."""

    def __init__(self, installation: Installation, options: EmulationOptions) -> None:
        """Open the files; raises `EmulatorError` or `HarnessError` for those that cannot be."""
        self.installation = installation
        self.options = options
        self._store = WorldStore(options.state or IN_MEMORY)
        epoch = installation.start_unix_seconds
        self.kernel = Kernel(options.seed, epoch_unix_seconds=epoch, start_us=world_clock(self._store))
        self._clock = WorldClock(self.kernel, self._store)
        self._capture = None if options.capture is None else PcapngCapture(options.capture)
        self._keys = None if options.capture is None else KeyLog(options.capture.with_name("zigbee_pc_keys"))
        self._zep = None if options.zep is None else ZepSender(options.zep)
        self.traffic = Traffic([each for each in (self._capture, self._zep) if each is not None])
        medium = Medium(self.kernel, capture=self.traffic)
        surroundings = surroundings_of(self.kernel, medium, installation, self._key_made)
        self.devices = household(installation, self._store, surroundings)
        set_links(medium, installation)
        self._site = hub_site(installation, self._store, surroundings)
        self._identities = tuple(
            surroundings.authorities[suite].issue(installation.hub.address) for suite in Suite
        )
        self.dongle: Ncp | Rcp = self._make_dongle(medium)
        self.sniffer = None if options.sniffer is None else self._make_sniffer(medium)
        self._server: TcpServer | PtyServer | None = None
        self._sniffer_server: TcpServer | PtyServer | None = None

    def _make_dongle(self, medium: Medium) -> Ncp | Rcp:
        site = self._site
        if self.options.stranger.rcp:
            return Rcp(self.kernel, medium, site.node.eui64, position=site.node.position)
        return Ncp(
            self.kernel,
            medium,
            self._ncp_config(),
            site.dongle_memory,
            on_key=site.on_key,
            pace=self.options.speed,
        )

    def _make_sniffer(self, medium: Medium) -> Ncp:
        """Make a dongle beside the hub's: it hears what that one hears, and is on no network."""
        hub = self._site.node
        config = NcpConfig(
            hub.eui64 ^ LOCALLY_ADMINISTERED, self.options.ezsp_version, "sniffer", position=hub.position
        )
        memory = self._store.device("sniffer")
        return Ncp(self.kernel, medium, config, memory, pace=self.options.speed)

    def _ncp_config(self) -> NcpConfig:
        base = ncp_config(self._site, self.options.ezsp_version)
        return NcpConfig(
            eui64=base.eui64,
            version=base.version,
            name=base.name,
            manufacturer_code=base.manufacturer_code,
            max_incoming_transfer=base.max_incoming_transfer,
            position=base.position,
            cbke=self.options.cbke,
            identities=self._identities if self.options.cbke else (),
        )

    async def start(self) -> str:
        """Serve the dongle and power the devices; returns where the dongle is. Raises `TransportError`."""
        self._server, where = await self._serve(self.dongle, self.options.stranger.moniker)
        if self.sniffer is not None and self.options.sniffer is not None:
            self._sniffer_server, _ = await self._serve(self.sniffer, self.options.sniffer)
        self._clock.start()
        for device in self.devices.values():
            device.power_on()
        return where

    async def _serve(self, dongle: LineDevice, moniker: Moniker) -> tuple[TcpServer | PtyServer, str]:
        """Return who serves a dongle, and where a host finds it."""
        if moniker.kind is Kind.PTY and moniker.path is not None:
            return await serve_pty(dongle, moniker.path, pace=self.options.speed), str(moniker.path)
        if moniker.kind is Kind.TCP and moniker.host is not None:
            greet = dongle.announce if isinstance(dongle, Ncp) else None
            server = await serve_tcp(
                dongle,
                moniker.host.strip("[]"),
                moniker.port or 0,
                greet=greet,
                pace=self.options.speed,
            )
            return server, f"tcp:{moniker.host}:{server.port}"
        raise TransportError(f"{moniker}: nothing a host can open; give pty:/path or tcp:127.0.0.1:6638")

    async def stop(self) -> None:
        """Close the line, cut the power, close the files."""
        with ExitStack() as files:
            for file in (self._store, self._zep, self._capture):
                if file is not None:
                    files.callback(file.close)
            for server in (self._server, self._sniffer_server):
                if isinstance(server, TcpServer):
                    await server.close()
                elif server is not None:
                    server.unplug()
            for device in self.devices.values():
                device.power_off()
            self._clock.stop()

    def flush(self) -> None:
        """Make what was captured so far visible to whoever reads the file."""
        if self._capture is not None:
            self._capture.flush()

    @property
    def coordinator_frames(self) -> int:
        """Frames the host's coordinator has sent."""
        return self.traffic.by_source[COORDINATOR]

    def nodes(self) -> list[NodeState]:
        """Return how each device is now."""
        return [
            self._node(self.devices[entry.name], _shown_key(entry))
            for entry in self.installation.record.devices
            if entry.name in self.devices
        ]

    def _node(self, device: SmartEnergyDevice, joins_with: str) -> NodeState:
        life = device.life
        parameters = None if life is None else life.node.parameters
        short = None if parameters is None else parameters.short_address
        state = "off" if life is None else "searching" if short is None else "joined"
        return NodeState(
            device.entry.name,
            device.entry.role,
            format_eui64(device.eui64),
            joins_with,
            short,
            "registered" if device.ready else state,
            device.version,
            0 if short is None else self.traffic.by_source[short],
        )

    def _key_made(self, kind: str, key: bytes, label: str) -> None:
        if self._keys is not None:
            self._keys.add(key, f"{kind} {label}".strip())
