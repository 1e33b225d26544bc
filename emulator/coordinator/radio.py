"""The hub's radio, wherever it is: `async with radio.open(site) as port`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple, Protocol

from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.coordinator.inproc import InprocApplication
from emulator.coordinator.port import CoordinatorPort
from emulator.nonvolatile import NonVolatile
from emulator.stack.aps.key_table import KeyObserver
from emulator.stack.node import NodeConfig


class HubSite(NamedTuple):
    """The hub a radio serves. `network` is zigpy's `network` configuration of the network to form.

    `memory` is the hub's own; `dongle_memory` that of an emulated dongle it may have.
    """

    kernel: Kernel
    medium: Medium
    node: NodeConfig
    network: dict[str, object]
    memory: NonVolatile
    dongle_memory: NonVolatile
    on_key: KeyObserver | None = None


class Radio(Protocol):
    """One kind of radio for one hub."""

    def open(self, site: HubSite) -> AbstractAsyncContextManager[CoordinatorPort]:
        """Bring the hub's network up on the radio, forming it if need be, for as long as the block runs.

        An emulated radio is given its power first, and loses it at the end. Raises `RadioError` for a radio that cannot
        serve, and what zigpy's radio libraries raise for a line that fails.
        """


class InprocRadio:
    """The radio is a node of the emulated air in this process; its power is the application's connection."""

    @asynccontextmanager
    async def open(self, site: HubSite) -> AsyncIterator[CoordinatorPort]:
        """Bring the hub's network up on its own node."""
        application = InprocApplication(
            zigpy_config("inproc:", site.network),
            kernel=site.kernel,
            medium=site.medium,
            node_config=site.node,
            nonvolatile=site.memory,
            on_key=site.on_key,
        )
        await application.startup(auto_form=True)
        try:
            yield application.port
        finally:
            await application.shutdown()


def zigpy_config(path: str, network: dict[str, object], **more: object) -> dict[str, object]:
    """Return a zigpy configuration with everything switched off that the hub does itself."""
    return {
        "device": {"path": path},
        "database_path": None,
        "watchdog_enabled": False,
        "backup_enabled": False,
        "topology_scan_enabled": False,
        "ota": {"enabled": False},
        "network": network,
        **more,
    }
