"""The hub on an EZSP dongle: one at a serial port or socket, or an emulated one in this process."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from emulator.coordinator.ezsp.core import NcpConfig
from emulator.coordinator.ezsp.ncp import Ncp
from emulator.coordinator.ezsp_application import EzspApplication
from emulator.coordinator.hub_application import RadioError
from emulator.coordinator.port import CoordinatorPort
from emulator.coordinator.radio import HubSite, zigpy_config
from emulator.coordinator.transports import LineDevice, PtyServer, TcpServer, serve_pty, serve_tcp
from emulator.coordinator.wire import Wire
from emulator.coordinator.zigpy_port import ZigpyPort
from emulator.eui64 import format_eui64

DEFAULT_VERSION = 13
KEY_SLOTS = 12
"""Link keys a dongle is asked to make room for: the devices of one home."""
Entropy = Callable[[int], bytes]


class EzspLine:
    """A dongle at a serial port or behind a socket. `path` is as bellows takes it: /dev/..., socket://HOST:PORT."""

    def __init__(self, path: str, *, baud: int = 115_200, watchdog: bool = True) -> None:
        """`watchdog` asks the dongle every ten seconds whether it is still there."""
        self.path = path
        self._baud = baud
        self._watchdog = watchdog

    @asynccontextmanager
    async def open(self, site: HubSite) -> AsyncIterator[CoordinatorPort]:
        """Bring the hub's network up on the dongle; raises `RadioError` when it is another hub's."""
        config = ezsp_config(self.path, site.network, baud=self._baud, watchdog=self._watchdog)
        async with started(config, site, secrets.token_bytes) as port:
            yield port


@asynccontextmanager
async def started(config: dict[str, object], site: HubSite, entropy: Entropy) -> AsyncIterator[ZigpyPort]:
    """Run bellows for a hub; `entropy` makes network keys. Raises `RadioError` for a dongle of another address."""
    application = EzspApplication(config)
    application.hub_endpoints = site.node.endpoints
    await application.startup(auto_form=True)
    try:
        port = ZigpyPort(application, site.memory, entropy=entropy)
        if port.eui64 != site.node.eui64:
            raise RadioError(
                f"{application.config['device']['path']}: the dongle is {format_eui64(port.eui64)}, the installation's "
                f"hub is {format_eui64(site.node.eui64)}; give the dongle this address or the installation that one"
            )
        yield port
    finally:
        await application.shutdown()


class Connection(Protocol):
    """How the host reaches an emulated dongle in its own process."""

    async def open(self, ncp: LineDevice) -> str:
        """Connect the dongle and return the path a host opens."""

    async def close(self) -> None:
        """Disconnect it."""


class EzspLoopback:
    """An emulated dongle on the same air and kernel, reached as a real one is: bellows here, an NCP there."""

    def __init__(self, connection: Connection, *, version: int = DEFAULT_VERSION) -> None:
        """`version` is the EZSP version of the dongle's firmware."""
        self.ncp: Ncp | None = None
        self._connection = connection
        self._version = version

    @asynccontextmanager
    async def open(self, site: HubSite) -> AsyncIterator[CoordinatorPort]:
        """Power the dongle, connect it, and bring the hub's network up on it."""
        entropy = site.kernel.scope("hub/network keys").random.randbytes
        async with self._powered(site) as path:
            config = ezsp_config(path, site.network, watchdog=False)
            async with started(config, site, entropy) as port:
                yield port

    @asynccontextmanager
    async def _powered(self, site: HubSite) -> AsyncIterator[str]:
        """Power the dongle and connect it for as long as the block runs; gives the path a host opens."""
        ncp = self.ncp = Ncp(
            site.kernel, site.medium, ncp_config(site, self._version), site.dongle_memory, on_key=site.on_key
        )
        try:
            yield await self._connection.open(ncp)
        finally:
            await self._connection.close()
            ncp.power_off()
            self.ncp = None


class WireConnection:
    """A cable on the event loop: takes no real time, replays exactly."""

    def __init__(
        self, *, baud: int | None = None, spoil: Callable[[bool, bytes], bytes] | None = None
    ) -> None:
        """See `Wire`."""
        self.wire: Wire | None = None
        self._baud = baud
        self._spoil = spoil

    async def open(self, ncp: LineDevice) -> str:
        """Connect the dongle and return the path a host opens."""
        self.wire = Wire(ncp, baud=self._baud, spoil=self._spoil)
        return self.wire.path

    async def close(self) -> None:
        """Pull the cable."""
        if self.wire is not None:
            self.wire.close()
            self.wire = None


class PtyConnection:
    """A pseudo-terminal of the system."""

    def __init__(self) -> None:
        self.server: PtyServer | None = None
        self._folder: TemporaryDirectory[str] | None = None

    async def open(self, ncp: LineDevice) -> str:
        """Connect the dongle and return the path a host opens."""
        self._folder = TemporaryDirectory(prefix="smets1-")
        path = Path(self._folder.name) / "ncp"
        self.server = await serve_pty(ncp, path)
        return str(path)

    async def close(self) -> None:
        """Remove the terminal."""
        if self.server is not None:
            self.server.unplug()
            self.server = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


class TcpConnection:
    """A socket on this machine's loop-back interface."""

    def __init__(self) -> None:
        self.server: TcpServer | None = None

    async def open(self, ncp: LineDevice) -> str:
        """Connect the dongle and return the path a host opens."""
        self.server = await serve_tcp(ncp)
        return f"socket://127.0.0.1:{self.server.port}"

    async def close(self) -> None:
        """Close the port."""
        if self.server is not None:
            await self.server.close()
            self.server = None


def ezsp_config(
    path: str, network: dict[str, object], *, baud: int = 115_200, watchdog: bool = True
) -> dict[str, object]:
    """Return the configuration of bellows: on the caller's event loop, with room for the link keys of a home."""
    return {
        **zigpy_config(path, network),
        "device": {"path": path, "baudrate": baud},
        "watchdog_enabled": watchdog,
        "use_thread": False,
        "ezsp_config": {"CONFIG_KEY_TABLE_SIZE": KEY_SLOTS},
    }


def ncp_config(site: HubSite, version: int = DEFAULT_VERSION) -> NcpConfig:
    """Return the dongle that takes the hub's place on the air."""
    node = site.node
    return NcpConfig(
        eui64=node.eui64,
        version=version,
        name=f"{node.name}/ncp",
        manufacturer_code=node.manufacturer_code,
        max_incoming_transfer=node.max_incoming_transfer,
        position=node.position,
    )
