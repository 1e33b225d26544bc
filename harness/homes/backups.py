"""The state of a hub's radio in zigpy's open backup format: network, keys, counters, devices.

It is what another dongle needs to take the place of this one, whoever made either of them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import zigpy.state
import zigpy.types as t
from zigpy.application import ControllerApplication
from zigpy.backups import NetworkBackup

from emulator.coordinator.hub_application import to_zigpy
from emulator.coordinator.radio_memory import KnownDevice
from emulator.devices.comms_hub.hub import CommsHub
from emulator.errors import SurroundingsError
from harness.errors import HarnessError
from harness.files import write_atomically
from hw_profiles.errors import FileRefusedError
from hw_profiles.regular_file import TEXT_LIMIT, read_regular_file

LOGGER = logging.getLogger(__name__)

BEFORE_FILE = "backup-before.json"
AFTER_FILE = "backup-after.json"
COUNTER_INCREMENT = 10_000
"""Added to frame counters on restoring: more than the old dongle can have sent since the backup."""


class BackupError(HarnessError):
    """A backup that cannot be read or restored."""


async def take(
    application: ControllerApplication, unix_seconds: int, known: Mapping[int, KnownDevice] | None = None
) -> dict[str, Any]:
    """Return the state of a running radio as the open format's JSON, with what the host knows of devices."""
    await application.load_network_info(load_devices=True)
    network = application.state.network_info
    _add_host_table(network, known or {})
    backup = NetworkBackup(
        backup_time=datetime.fromtimestamp(unix_seconds, UTC),
        network_info=network,
        node_info=application.state.node_info,
    )
    document = backup.as_open_coordinator_json()
    document["metadata"]["internal"]["creation_time"] = backup.backup_time.isoformat(timespec="seconds")
    return document


def _add_host_table(network: zigpy.state.NetworkInfo, known: Mapping[int, KnownDevice]) -> None:
    """Complete what the dongle tells with what the host knows: keys it has no slot for, addresses it forgets."""
    held = {key.partner_ieee for key in network.key_table}
    for eui64, device in known.items():
        address = to_zigpy(eui64)
        if device.link_key is not None and not device.expected and address not in held:
            network.key_table.append(zigpy.state.Key(key=t.KeyData(device.link_key), partner_ieee=address))
        if device.short is not None:
            network.nwk_addresses[address] = t.NWK(device.short)


async def keep(hub: CommsHub, folder: Path, name: str, unix_seconds: int) -> None:
    """Write the backup of a started hub's radio into a run folder; raises `JournalError` when the disk is full.

    A radio that does not answer leaves no backup, which is said: the campaign's outcome does not hang on it.
    """
    try:
        port = hub.port
        document = await take(port.application, unix_seconds, port.known_devices)
    except SurroundingsError:
        raise
    except Exception as error:
        # Each radio library has its own errors for a line that is gone.
        LOGGER.warning("%s: no backup, the radio does not answer: %s", name, str(error) or repr(error))
        return
    write(folder / name, document)


def write(path: Path, document: dict[str, Any]) -> None:
    """Write a backup, readable by its owner alone: it holds keys."""
    write_atomically(path, (json.dumps(document, indent=2, sort_keys=True) + "\n").encode(), private=True)


def read(path: Path) -> NetworkBackup:
    """Return a backup from a file; raises `BackupError` when it is none or not whole."""
    try:
        document = json.loads(read_regular_file(path, TEXT_LIMIT))
        backup = NetworkBackup.from_dict(document)
    except FileRefusedError as error:
        raise BackupError(str(error)) from error
    except (RecursionError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{path}: not a backup in zigpy's open format ({error!r})") from error
    if not backup.is_complete():
        raise BackupError(f"{path}: the backup lacks the network's key, channel or identity; take a new one")
    return backup


async def restore(application: ControllerApplication, backup: NetworkBackup) -> None:
    """Write a backup to a connected radio; what network the radio has is replaced."""
    await application.backups.restore_backup(backup, counter_increment=COUNTER_INCREMENT)


def describe(network: zigpy.state.NetworkInfo) -> str:
    """Return a network in a few words for messages."""
    return f"PAN 0x{int(network.pan_id):04X} on channel {int(network.channel)}"
