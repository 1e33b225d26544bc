"""The emulated home as a radio of zigpy's: programs that read zigpy's `zigpy.radio` entry points find it as `smets1`.

The device path names an installation file: `home.toml`, or `home.toml?speed=10&seed=7`. Its meters and displays are on
the air of this process; the program's coordinator takes the hub's place.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import zigpy.config

from emulator.air.medium import Medium
from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.coordinator.inproc import InprocApplication
from emulator.devices.home import household, hub_site, set_links, surroundings_of
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.nonvolatile import IN_MEMORY, WorldStore
from harness.errors import HarnessError
from hw_profiles.installation import Installation, load_installation

TICK_S = 0.005
"""Real seconds between looks at the clock: what the emulation may be late by."""


class EmulatedHomeApplication(InprocApplication):
    """A zigpy `ControllerApplication` on the air of an emulated installation, in real time."""

    DISPLAY_NAME = "Emulated SMETS1 home"
    DESCRIPTION = "Meters and displays of an installation file, emulated in this process"

    def __init__(self, config: dict[str, Any]) -> None:
        """`config` is zigpy's; raises `HarnessError` or `ProfileError` for a path that names no installation."""
        checked = self.SCHEMA(config)
        path, seed, self._speed = _place(
            str(checked[zigpy.config.CONF_DEVICE][zigpy.config.CONF_DEVICE_PATH])
        )
        self.installation: Installation = load_installation(path)
        self.kernel = Kernel(seed, epoch_unix_seconds=self.installation.start_unix_seconds)
        self._store = WorldStore(IN_MEMORY)
        medium = Medium(self.kernel, capture=None)
        surroundings = surroundings_of(self.kernel, medium, self.installation)
        self.household: dict[str, SmartEnergyDevice] = household(self.installation, self._store, surroundings)
        set_links(medium, self.installation)
        site = hub_site(self.installation, self._store, surroundings)
        super().__init__(
            config, kernel=self.kernel, medium=medium, node_config=site.node, nonvolatile=site.memory
        )
        self._clock: asyncio.TimerHandle | None = None
        self._origin = (0.0, 0)

    async def connect(self) -> None:
        """Power the coordinator and the devices up, and let time pass."""
        await super().connect()
        for device in self.household.values():
            device.power_on()
        loop = asyncio.get_running_loop()
        self._origin = (loop.time(), self.kernel.now)
        self._tick(loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        began_s, began_us = self._origin
        self.kernel.run_until(began_us + int((loop.time() - began_s) * self._speed * MICROSECONDS))
        self._clock = loop.call_later(TICK_S, self._tick, loop)

    async def disconnect(self) -> None:
        """Cut the power; time stops."""
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
        for device in self.household.values():
            device.power_off()
        await super().disconnect()


def _place(path: str) -> tuple[Path, int, float]:
    """Return the installation file, the seed and the speed that a device path names."""
    file, _, query = path.partition("?")
    fields = parse_qs(query, keep_blank_values=True)
    try:
        seed = int(fields.pop("seed", ["1"])[0])
        speed = float(fields.pop("speed", ["1"])[0])
    except ValueError:
        raise HarnessError(f"{path!r}: expected home.toml?seed=N&speed=X with numbers") from None
    if fields or not speed > 0:
        raise HarnessError(f"{path!r}: expected home.toml, at most with ?seed=N&speed=X, X above 0")
    if not Path(file).is_file():
        raise HarnessError(f"{file}: no such installation file; check the path")
    return Path(file), seed, speed
