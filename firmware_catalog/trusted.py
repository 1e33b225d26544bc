"""Reading a catalogue the way a TUF client does, so that nobody can roll it back, freeze it, or mix its
parts.

The contract, in the order the rules are enforced:

1. The first root is the one the reader was given (a kept copy, or a digest); every later root is signed by
the one before it and by itself, two keys of three. 2. The timestamp is signed, has not expired at the
reference time, and is not older than the one last seen. 3. The snapshot is the one the timestamp names, and
no metadata version it lists has gone backwards. 4. Targets and each supplier's delegated targets are the ones
the snapshot names, signed by their own keys. 5. An image's octets have the length and SHA-256 that its
supplier's targets state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from tuf.api.exceptions import EqualVersionNumberError, ExpiredMetadataError, RepositoryError
from tuf.api.metadata import (  # type: ignore[attr-defined]
    Metadata,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from firmware_catalog.errors import CatalogError
from firmware_catalog.files import METADATA_LIMIT, read_octets, write_atomically

_ROOT_LIMIT = 1024
"""Root rotations followed in one reading, as the TUF client's own limit bounds them."""


@dataclass(frozen=True, slots=True)
class TrustedView:
    """A verified reading: the top-level roles, and each supplier's targets by role name."""

    root: Root
    timestamp: Timestamp
    snapshot: Snapshot
    targets: Targets
    suppliers: dict[str, Targets]

    def all_targets(self) -> list[TargetFile]:
        """Every target of every supplier, in order of path."""
        found = [target for role in self.suppliers.values() for target in role.targets.values()]
        return sorted(found, key=lambda target: target.path)


def read_trusted(
    repository: Path, now: datetime, *, memory: Path | None = None, root_sha256: str | None = None
) -> TrustedView:
    """Read and verify the metadata of `repository` at the reference time `now`.

    `memory` is a folder that keeps the last trusted root, timestamp and snapshot; without it there is no
    protection against a roll-back between two readings. `root_sha256` pins the first root. Raises
    `CatalogError`.
    """
    metadata = repository / "metadata"
    try:
        trusted = TrustedMetadataSet(_first_root(metadata, memory, root_sha256), EnvelopeType.METADATA)
        trusted.reference_time = now
        _follow_roots(trusted, metadata)
        _recall(memory, "timestamp.json", trusted.update_timestamp)
        with suppress(EqualVersionNumberError):
            trusted.update_timestamp(_read(metadata / "timestamp.json"))
        _recall(memory, "snapshot.json", partial(trusted.update_snapshot, trusted=True))
        trusted.update_snapshot(_read(metadata / _snapshot_name(trusted.timestamp)))
        view = _targets(trusted, metadata)
    except ExpiredMetadataError as error:
        raise CatalogError(
            f"catalogue {repository}: {error} at {now:%Y-%m-%d}; its keeper must run `smets1 catalog refresh`"
        ) from error
    except RepositoryError as error:
        raise CatalogError(
            f"catalogue {repository}: not trusted: {error}; fetch it again from its keeper"
        ) from error
    if memory is not None:
        _remember(memory, metadata, view)
    return view


def last_fresh_moment(repository: Path) -> datetime:
    """Return the last second at which snapshot and timestamp are both unexpired; nothing is verified."""
    metadata = repository / "metadata"
    try:
        stamp = Metadata[Timestamp].from_bytes(_read(metadata / "timestamp.json")).signed
        listed = Metadata[Snapshot].from_bytes(_read(metadata / _snapshot_name(stamp))).signed
    except RepositoryError as error:
        raise CatalogError(f"catalogue {repository}: not readable: {error}; fetch it again") from error
    return min(stamp.expires, listed.expires) - timedelta(seconds=1)


def _first_root(metadata: Path, memory: Path | None, root_sha256: str | None) -> bytes:
    kept = None if memory is None else memory / "root.json"
    if kept is not None and kept.is_file():
        return _read(kept)
    path = metadata / "1.root.json"
    if not path.is_file():
        raise CatalogError(f"catalogue {metadata.parent}: not there; create it with `smets1 catalog add`")
    data = _read(path)
    digest = hashlib.sha256(data).hexdigest()
    if root_sha256 is not None and digest != root_sha256:
        raise CatalogError(
            f"catalogue {metadata.parent}: its first root has SHA-256 {digest}, expected {root_sha256}; "
            "this is another catalogue"
        )
    return data


def _follow_roots(trusted: TrustedMetadataSet, metadata: Path) -> None:
    for _ in range(_ROOT_LIMIT):
        following = metadata / f"{trusted.root.version + 1}.root.json"
        if not following.is_file():
            return
        trusted.update_root(_read(following))


def _read(path: Path) -> bytes:
    return read_octets(path, METADATA_LIMIT)


def _recall(memory: Path | None, name: str, update: Callable[[bytes], object]) -> None:
    """Load what was seen last; what no longer verifies only means that there is less to compare with."""
    if memory is None or not (memory / name).is_file():
        return
    with suppress(RepositoryError):
        update(_read(memory / name))


def _snapshot_name(timestamp: Timestamp) -> str:
    return f"{timestamp.snapshot_meta.version}.snapshot.json"


def _targets(trusted: TrustedMetadataSet, metadata: Path) -> TrustedView:
    meta = trusted.snapshot.meta
    targets = trusted.update_targets(_read(metadata / f"{meta['targets.json'].version}.targets.json"))
    suppliers: dict[str, Targets] = {}
    roles = {} if targets.delegations is None else targets.delegations.roles or {}
    for name in sorted(roles):
        if f"{name}.json" not in meta:
            raise CatalogError(
                f"catalogue {metadata.parent}: the snapshot does not list supplier role {name}"
            )
        data = _read(metadata / f"{meta[f'{name}.json'].version}.{name}.json")
        suppliers[name] = trusted.update_delegated_targets(data, name, Targets.type)
    return TrustedView(trusted.root, trusted.timestamp, trusted.snapshot, targets, suppliers)


def _remember(memory: Path, metadata: Path, view: TrustedView) -> None:
    sources = {
        "root.json": f"{view.root.version}.root.json",
        "snapshot.json": _snapshot_name(view.timestamp),
        "timestamp.json": "timestamp.json",
    }
    for name, source in sources.items():
        data = _read(metadata / source)
        path = memory / name
        if not path.is_file() or _read(path) != data:
            write_atomically(path, data)
