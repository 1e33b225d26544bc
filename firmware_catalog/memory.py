"""What this user has seen of each catalogue, so that an older state of it, put back, is noticed.

A folder for each catalogue, named by the SHA-256 of its first root, keeps the last root, timestamp and snapshot that
were trusted: between them they hold the versions of every role. The folder lies in the user's state, is readable by
nobody else, and is written whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from firmware_catalog.errors import CatalogStorageError
from firmware_catalog.files import METADATA_LIMIT, read_octets, write_atomically

STATE_VARIABLE = "XDG_STATE_HOME"


def state_folder(environment: Mapping[str, str]) -> Path | None:
    """Return where what was seen is kept: `$XDG_STATE_HOME/smets1/catalogues`, by default under `~/.local/state`.

    None when the environment names neither: then nothing is kept (XDG Base Directory Specification).
    """
    state = environment.get(STATE_VARIABLE, "")
    if state.startswith("/"):
        return Path(state) / "smets1" / "catalogues"
    home = environment.get("HOME", "")
    return Path(home) / ".local" / "state" / "smets1" / "catalogues" if home.startswith("/") else None


class Memory:
    """What was seen of one catalogue; `folder` None remembers nothing."""

    def __init__(self, folder: Path | None, root_sha256: str) -> None:
        self.folder = None if folder is None else folder / root_sha256

    def recall(self, name: str) -> bytes | None:
        """Return a role's metadata as it was last seen, or None; raises `CatalogError` when it cannot be read."""
        path = None if self.folder is None else self.folder / name
        return read_octets(path, METADATA_LIMIT) if path is not None and path.is_file() else None

    def keep(self, seen: Mapping[str, bytes]) -> None:
        """Keep the metadata of roles by name. Where the state cannot be written, what was seen is not remembered."""
        if self.folder is None:
            return
        with suppress(CatalogStorageError):
            for name, data in seen.items():
                if self.recall(name) != data:
                    write_atomically(self.folder / name, data, mode=0o600)
