"""The example home with its hub on bellows, at the end of a cable to an emulated dongle."""

from __future__ import annotations

from typing import Any

from emulator.coordinator.ezsp_line import (
    Connection,
    EzspLoopback,
    PtyConnection,
    TcpConnection,
    WireConnection,
)
from emulator.coordinator.zigpy_port import ZigpyPort
from emulator.devices.home import Home
from tests.emulator.devices.home_world import World

CONNECTIONS: dict[str, type[Connection]] = {
    "wire": WireConnection,
    "pty": PtyConnection,
    "tcp": TcpConnection,
}


class EzspWorld(World):
    """A home whose hub reaches its radio through a serial line."""

    def __init__(
        self, *arguments: Any, line: Connection | None = None, version: int = 13, **more: Any
    ) -> None:
        super().__init__(*arguments, **more)
        self.radio = EzspLoopback(line or WireConnection(), version=version)
        self.home = Home(
            self.kernel,
            self.installation,
            self.memory,
            self.medium,
            self.link,
            on_key=lambda kind, key, _label: self.keys.append((kind, key)),
            radio=self.radio,
        )

    @property
    def port(self) -> ZigpyPort:
        port = self.home.hub.port
        assert isinstance(port, ZigpyPort)
        return port

    def again(self, **changes: Any) -> EzspWorld:
        return EzspWorld(self.installation, self.memory, seed=self.kernel.seed, **changes)
