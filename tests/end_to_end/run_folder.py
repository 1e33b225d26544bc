"""What a finished run folder says: its end state, and what each device remembers of the irreversible acts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from emulator.devices.control import ControlReceiver, ControlRole
from emulator.devices.event_log import EventLog
from emulator.nonvolatile import WorldStore
from hw_profiles.installation import DeviceEntry, load_installation
from hw_profiles.model import Event

UPGRADES = {"electricity": ["01020000", "02000000"], "gas": ["01040000"]}
"""What every device of the quick home has activated at the end of a whole run, in this order."""


def report(folder: Path) -> dict[str, Any]:
    """Return `report.json`."""
    content: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return content


def end_state(folder: Path) -> dict[str, Any]:
    """Return the part of the report that must not depend on interruptions."""
    state: dict[str, Any] = report(folder)["end_state"]
    return state


def devices(folder: Path) -> tuple[DeviceEntry, ...]:
    """Return the devices of the run's installation."""
    return load_installation(folder / "inputs" / "home" / "installation.toml").record.devices


@contextmanager
def _memory(folder: Path) -> Iterator[WorldStore]:
    """Open a copy of the devices' memory: the file itself is sealed."""
    with TemporaryDirectory() as place:
        store = WorldStore(Path(shutil.copyfile(folder / "world.sqlite", Path(place) / "world.sqlite")))
        try:
            yield store
        finally:
            store.close()


def events(folder: Path, device: str, event: Event) -> list[str]:
    """Return the details of every entry of one kind in a device's own log."""
    with _memory(folder) as store:
        log = EventLog(store.device(device), {})
        return [entry.detail for entry in log.entries() if entry.event == event.value]


def rotations(folder: Path) -> dict[str, list[int]]:
    """Return how often each device's keys were rotated, by role."""
    with _memory(folder) as store:
        found = {}
        for entry in devices(folder):
            receiver = ControlReceiver(entry.address, store.device(entry.name))
            found[entry.name] = [receiver.rotations(role) for role in ControlRole]
        return found


def assert_once(folder: Path) -> None:
    """Every activation and key rotation of a whole run happened, in the devices' own memory, exactly once."""
    for name, versions in UPGRADES.items():
        assert events(folder, name, Event.FIRMWARE_ACTIVATED) == versions, name
    assert rotations(folder) == {"hub": [1, 1], "electricity": [1, 1], "gas": [1, 1], "display": [0, 0]}
