"""The hub's radio: what makes the zigpy application that a comms hub runs on, wherever the radio is."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from zigpy.application import ControllerApplication

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
    """One kind of radio for one hub; a new application is made for each life of the hub."""

    def application(self, site: HubSite) -> ControllerApplication:
        """Return the zigpy application of the hub's next life."""

    async def power_on(self) -> None:
        """Give an emulated radio power, before its application connects."""

    async def power_off(self) -> None:
        """Take it away, after the application has stopped."""

    def port(self, application: Any) -> CoordinatorPort:
        """Return the hub's port of a started application."""


class InprocRadio:
    """The radio is a node of the emulated air in this process; its power is the application's connection."""

    def application(self, site: HubSite) -> ControllerApplication:
        """Return the zigpy application of the hub's next life."""
        return InprocApplication(
            zigpy_config("inproc:", site.network),
            kernel=site.kernel,
            medium=site.medium,
            node_config=site.node,
            nonvolatile=site.memory,
            on_key=site.on_key,
        )

    async def power_on(self) -> None:
        """Nothing to do: connecting is power."""

    async def power_off(self) -> None:
        """Nothing to do: disconnecting is power."""

    def port(self, application: InprocApplication) -> CoordinatorPort:
        """Return the hub's port of a connected application."""
        return application.port


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
