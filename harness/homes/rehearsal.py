"""The emulated home under a campaign: power on, a wide-area link to its hub, and power off."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Protocol

from emulator.air.capture import PcapngCapture
from emulator.air.keylog import KeyLog
from emulator.air.medium import Medium
from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.coordinator.radio import Radio
from emulator.devices.home import Home
from emulator.devices.world_clock import world_clock
from emulator.faults.schedule import FaultObserver, TimedFault
from emulator.nonvolatile import WorldStore
from emulator.wan.link import WanLink, WanParameters
from harness.facts.campaign import Ended
from harness.homes import backups
from harness.homes.device_memory import mark_of, open_memory
from harness.journal import Entry, FolderLock, lock_of, read_entries, told
from harness.workspace.workspace import Workspace, begin_us
from hw_profiles.installation import Wan

RESUME_GAP_US = MICROSECONDS
"""A resumed world starts this long after the last thing known of it."""
WAKE_LATENCY_US = 8 * MICROSECONDS


class World(Protocol):
    """What a campaign needs of the home it works on: the wide-area link to its hub, and power."""

    link: WanLink

    async def start(self) -> None:
        """Bring the installation up as the old head end left it."""

    def sync(self, last: Entry) -> None:
        """Have all that the devices remember on disk before the journal goes on after `last`."""

    def watch_faults(self, observer: FaultObserver) -> None:
        """Tell `observer` of every fault that is put into the home; one that is real, or elsewhere, tells none."""

    async def stop(self) -> None:
        """Cut the power and close the files."""


class Rehearsal:
    """The emulated home of a run folder."""

    def __init__(self, workspace: Workspace, kernel: Kernel, radio: Radio | None = None) -> None:
        """Build the home on the memory it left in the folder, or a new one, with its hub on `radio`."""
        self._workspace = workspace
        self._kernel = kernel
        self._started = False
        self.link = WanLink(kernel, wan_parameters(workspace.installation.record.wan))
        self._store = open_memory(workspace)
        self._capture = _capture_of(workspace, kernel)
        self._keys = None if self._capture is None else KeyLog(workspace.keys_path)
        medium = Medium(kernel, capture=self._capture)
        self._home = Home(
            kernel, workspace.installation, self._store, medium, self.link, on_key=self._key_made, radio=radio
        )

    async def start(self) -> None:
        """Power on; a new home is installed first, as its installer would."""
        await self._home.start()
        self._started = True
        if not (self._workspace.folder / backups.BEFORE_FILE).exists():
            await self._backup(backups.BEFORE_FILE)

    def sync(self, last: Entry) -> None:
        """Have all that the devices remember on disk, with the journal's last entry as its mark."""
        self._store.sync(mark_of(last))

    def watch_faults(self, observer: FaultObserver) -> None:
        """Tell `observer` of those built into firmware now, and of every timed one as it begins and ends."""
        self._home.faults.observer = observer
        for entry in self._workspace.installation.record.devices:
            for fault in entry.faults:
                if not fault.kind.takes:
                    observer(TimedFault(entry, fault, 0, None), True)

    async def stop(self) -> None:
        """Cut the power; what is on disk is what a power cut leaves."""
        with ExitStack() as files:
            files.callback(self._store.close)
            if self._capture is not None:
                files.callback(self._capture.close)
            if self._started:
                await self._backup(backups.AFTER_FILE)
            await self._home.stop()

    async def _backup(self, name: str) -> None:
        await backups.keep(self._home.hub, self._workspace.folder, name, self._kernel.unix_seconds)

    def _key_made(self, kind: str, key: bytes, label: str) -> None:
        if self._keys is not None:
            self._keys.add(key, f"{kind} {label}".strip())


def _capture_of(workspace: Workspace, kernel: Kernel) -> PcapngCapture | None:
    request = workspace.request
    if not request.capture:
        return None
    # After a power cut the capture may have got further than the world that goes on.
    return PcapngCapture(
        workspace.capture_path,
        append=workspace.resumed,
        keep_until_us=kernel.unix_us,
        limit=request.capture_limit,
    )


def wan_parameters(wan: Wan) -> WanParameters:
    """Return the wide-area link an installation file describes."""
    return WanParameters(
        latency_us=wan.latency_ms * 1000,
        jitter_us=wan.jitter_ms * 1000,
        wake_messages=wan.sms_wake_count,
        wake_latency_us=WAKE_LATENCY_US,
        wake_window_us=int(wan.sms_window_s * MICROSECONDS),
        asleep_after_us=int(wan.awake_s * MICROSECONDS),
    )


def kernel_for(workspace: Workspace, *, real_time: bool = False) -> Kernel:
    """Return the kernel of a run: at the start of the scenario, or after all that is known to have happened.

    With `real_time` it shows the time of the real world, unless the scenario has got beyond that.
    """
    start_us = 0
    if workspace.resumed:
        entries = read_entries(workspace.journal_path)
        # The memory of a run that has ended is sealed: not even a look may change an octet of its file.
        world_us = 0 if any(told(entries, Ended)) else _world_clock(workspace)
        start_us = max(entries[-1].time_us, world_us) + RESUME_GAP_US
    epoch = workspace.installation.start_unix_seconds
    start_us = max(start_us, begin_us(epoch, real_time=real_time))
    return Kernel(workspace.request.seed, epoch_unix_seconds=epoch, start_us=start_us)


def _world_clock(workspace: Workspace) -> int:
    if not workspace.world_path.exists():
        return 0
    # The memory of a run that is under way is not opened beside it, not even for a look.
    lock = FolderLock(lock_of(workspace.journal_path))
    try:
        store = WorldStore(workspace.world_path)
        try:
            return world_clock(store)
        finally:
            store.abandon()
    finally:
        lock.release()
