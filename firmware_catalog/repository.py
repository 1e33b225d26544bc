"""Writing a TUF repository: new versions of roles, signed, with the timestamp written last.

A change becomes visible only when the timestamp is replaced; killed before that, the repository reads as
before.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]
from tuf.api.metadata import (  # type: ignore[attr-defined]
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from firmware_catalog.errors import CatalogError, CatalogStorageError
from firmware_catalog.files import write_atomically
from firmware_catalog.signing import OFFLINE_THRESHOLD, ROOT_KEYS, TARGETS_KEYS, Keys
from firmware_catalog.trusted import TrustedView, keys_of

_SERIALIZER = JSONSerializer(compact=False)
_Role = TypeVar("_Role", Root, Snapshot, Targets, Timestamp)
_HASHES = ["sha256"]


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long each role's metadata is valid after it is signed."""

    root: timedelta = timedelta(days=3650)
    targets: timedelta = timedelta(days=3650)
    snapshot: timedelta = timedelta(days=365)
    timestamp: timedelta = timedelta(days=365)


DEFAULT_LIFETIMES = Lifetimes()


@dataclass(frozen=True, slots=True)
class Access:
    """How a catalogue is opened: the reference time, the keys there are, how long new metadata lives, and the folder
    that keeps what was last seen (`firmware_catalog.memory`), None to keep nothing.
    """

    now: datetime
    keys: Keys
    lifetimes: Lifetimes = DEFAULT_LIFETIMES
    memory: Path | None = None


class Writer:
    """Signs and writes new versions of the operator's roles, and puts others' signed roles beside them."""

    def __init__(self, repository: Path, access: Access) -> None:
        self._metadata = repository / "metadata"
        self._keys = access.keys
        self._now = access.now.replace(microsecond=0)
        self._lifetimes = access.lifetimes

    def create(self) -> None:
        """Write the first version of every top-level role, making keys where there are none."""
        root = Root(expires=self._now + self._lifetimes.root, consistent_snapshot=True)
        names = {Root.type: ROOT_KEYS, Targets.type: TARGETS_KEYS, Snapshot.type: None, Timestamp.type: None}
        signers = {role: [self._keys.make(name) for name in each or (role,)] for role, each in names.items()}
        for role, each in signers.items():
            for signer in each:
                root.add_key(signer.public_key, role)
            root.roles[role].threshold = min(len(each), OFFLINE_THRESHOLD)
        self._write("1.root.json", root, signers[Root.type])
        targets = Targets(expires=self.targets_expiry(), delegations=Delegations({}, {}))
        data = self._write("1.targets.json", targets, signers[Targets.type])
        self._publish(root, {"targets.json": _meta_file(1, data)}, 1, 1)

    def publish(self, view: TrustedView, roles: Mapping[str, Metadata[Targets]]) -> None:
        """Write signed targets of roles by their names, and the snapshot and timestamp that make them visible."""
        meta = dict(view.snapshot.meta)
        for role, metadata in sorted(roles.items()):
            data = _octets(metadata)
            write_atomically(self._metadata / f"{metadata.signed.version}.{role}.json", data)
            meta[f"{role}.json"] = _meta_file(metadata.signed.version, data)
        self._publish(view.root, meta, view.snapshot.version + 1, view.timestamp.version + 1)

    def require_keys(self, view: TrustedView) -> None:
        """Raise `CatalogError` when the keys that make a change visible are not at hand."""
        for role in (Snapshot.type, Timestamp.type):
            self._signers(view.root, role)

    def refresh(self, view: TrustedView) -> None:
        """Sign snapshot and timestamp again, unchanged but for their versions and expiry."""
        self.publish(view, {})

    def targets_expiry(self) -> datetime:
        """When targets metadata signed now expires."""
        return self._now + self._lifetimes.targets

    def _signers(self, root: Root, role: str) -> list[CryptoSigner]:
        keyids = [key.keyid for key in keys_of(root, role)]
        found = list(self._keys.at_hand(role, keyids))
        if len(found) < root.roles[role].threshold:
            raise CatalogError(
                f"signing key of role {role}: not there; bring the key to the keys folder, or use --keys"
            )
        return found

    def _publish(self, root: Root, meta: dict[str, MetaFile], snapshot: int, timestamp: int) -> None:
        expires = self._now + self._lifetimes.snapshot
        listed = Snapshot(version=snapshot, expires=expires, meta=dict(sorted(meta.items())))
        signers = {role: self._signers(root, role) for role in (Snapshot.type, Timestamp.type)}
        data = self._write(f"{snapshot}.snapshot.json", listed, signers[Snapshot.type])
        stamp = Timestamp(
            version=timestamp,
            expires=self._now + self._lifetimes.timestamp,
            snapshot_meta=_meta_file(snapshot, data),
        )
        self._write("timestamp.json", stamp, signers[Timestamp.type])

    def _write(self, name: str, signed: _Role, signers: list[CryptoSigner]) -> bytes:
        metadata = Metadata(signed)
        for signer in signers:
            metadata.sign(signer, append=True)
        data = _octets(metadata)
        write_atomically(self._metadata / name, data)
        return data


def _octets(metadata: Metadata[Any]) -> bytes:
    return metadata.to_bytes(_SERIALIZER) + b"\n"


def _meta_file(version: int, data: bytes) -> MetaFile:
    """Name the very octets: a role signed twice under one version is not taken for the same."""
    return MetaFile.from_data(version, data, _HASHES)


@contextmanager
def exclusive(repository: Path) -> Iterator[None]:
    """Hold the repository's lock; raises `CatalogStorageError` when somebody else is changing it."""
    try:
        repository.mkdir(parents=True, exist_ok=True)
        handle = os.open(repository, os.O_RDONLY)
    except OSError as error:
        raise CatalogStorageError(f"catalogue {repository}: cannot be written ({error.strerror})") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise CatalogStorageError(
            f"catalogue {repository}: being changed by another process; try again"
        ) from error
    finally:
        os.close(handle)
