"""A home whose air is elsewhere: the hub runs here, on a dongle; the meters are wherever its radio reaches.

Behind a socket or terminal they may be another process's emulation; behind a serial port they may be real.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.coordinator.ezsp_line import EzspLine
from emulator.coordinator.monikers import Moniker
from emulator.devices.comms_hub.hub import CommsHub
from emulator.devices.home import hub_of, hub_site, surroundings_of
from emulator.devices.joining_key import joining_key
from emulator.devices.world_clock import WorldClock
from emulator.faults.schedule import FaultObserver
from emulator.stack.primitives import LONGEST_PERMIT_S
from emulator.wan.link import WanLink
from harness.errors import UnreachableError
from harness.homes import backups
from harness.homes.device_memory import mark_of, open_memory
from harness.homes.dongle import check_network
from harness.homes.rehearsal import wan_parameters
from harness.journal import Entry
from harness.workspace.workspace import Workspace
from hw_profiles.installation import DeviceEntry
from hw_profiles.model import DeviceKind

LOGGER = logging.getLogger(__name__)

REOPEN_S = 200
"""The network is opened again this often while devices are awaited; it closes by itself after 254 s."""


class DistantHome:
    """The hub of a run folder on a dongle of its own; a `World` for the campaign."""

    def __init__(
        self, workspace: Workspace, kernel: Kernel, moniker: Moniker, *, overwrite_network: bool = False
    ) -> None:
        """`overwrite_network` lets the dongle lose a network that is not this hub's."""
        installation = workspace.installation
        self.link = WanLink(kernel, wan_parameters(installation.record.wan))
        self._workspace = workspace
        self._kernel = kernel
        self._moniker = moniker
        self._overwrite = overwrite_network
        self._store = open_memory(workspace)
        self._clock = WorldClock(kernel, self._store)
        self._surroundings = surroundings_of(kernel, Medium(kernel, capture=None), installation)
        self._site = hub_site(installation, self._store, self._surroundings)
        self._line = EzspLine(moniker.address, watchdog=True)
        self._hub: CommsHub | None = None
        self._open = AsyncExitStack()
        """Holds the radio while the hub runs."""

    async def start(self) -> None:
        """Bring the radio up on the hub's own network, and wait until every device of the installation is on it.

        Raises `RadioError` or `HarnessError` when the dongle does not serve, `UnreachableError` for missing devices.
        """
        self._clock.start()
        await check_network(self._line.path, self._site, overwrite=self._overwrite)
        port = await self._open.enter_async_context(self._line.open(self._site))
        installation = self._workspace.installation
        hub = hub_of(installation, self._store, self._surroundings, port, self.link)
        self._hub = hub
        port.on_radio = self._radio_changed
        if not (self._workspace.folder / backups.BEFORE_FILE).exists():
            await self._keep(hub, backups.BEFORE_FILE)
        await self._install(hub)

    def sync(self, last: Entry) -> None:
        """Have all that the hub remembers on disk, with the journal's last entry as its mark."""
        self._store.sync(mark_of(last))

    def watch_faults(self, observer: FaultObserver) -> None:
        """Tell of none: who put faults into devices elsewhere knows of them."""

    async def stop(self) -> None:
        """Stop the hub and close the files; the dongle goes on."""
        try:
            if self._hub is not None:
                await self._keep(self._hub, backups.AFTER_FILE)
                await self._hub.stop()
        finally:
            try:
                await self._open.aclose()
            finally:
                self._clock.stop()
                self._store.close()

    def _radio_changed(self, up: bool) -> None:
        """A hub without its radio answers nothing: what the head end asks meanwhile it asks again afterwards."""
        self.link.up = up

    async def _keep(self, hub: CommsHub, name: str) -> None:
        await backups.keep(hub, self._workspace.folder, name, self._kernel.unix_seconds)

    async def _install(self, hub: CommsHub) -> None:
        """Let in what is not there yet, as an installer would: by install code, in the installation's order.

        What an earlier run let in, a dry run for one, is on the network still: the dongle remembers it.
        """
        await hub.recall({entry.address: joining_key(entry) for entry in self._missing(hub)})
        patience_s = limit_s = self._workspace.installation.record.limits.join_s
        while missing := self._missing(hub):
            names = ", ".join(entry.name for entry in missing)
            if patience_s <= 0:
                raise UnreachableError(
                    f"{self._moniker}: {names} did not join within {limit_s / 60:.3g} minutes; check power, "
                    "range and install codes, and that each device is in its joining mode"
                )
            for entry in missing:
                hub.admit(entry.address, joining_key(entry), LONGEST_PERMIT_S)
            if patience_s < limit_s:
                LOGGER.warning("%s: still waiting for %s to join", self._moniker, names)
            await self._all_arrive(hub)
            patience_s -= REOPEN_S
        hub.port.permit_joining(0)

    async def _all_arrive(self, hub: CommsHub) -> None:
        """Wait until nobody is missing any more, or the network must be opened again."""
        for _ in range(REOPEN_S):
            await asyncio.sleep(1)
            if not self._missing(hub):
                return

    def _missing(self, hub: CommsHub) -> list[DeviceEntry]:
        """Return the devices that have not established a link key of their own."""
        return [
            entry
            for entry in self._workspace.installation.record.devices
            if entry.role is not DeviceKind.CHF
            and hub.port.link_key(entry.address) in (None, joining_key(entry))
        ]
