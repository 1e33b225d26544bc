"""Writing a TUF repository: new versions of roles, signed, with the timestamp written last.

A change becomes visible only when the timestamp is replaced; killed before that, the repository reads as
before.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]
from tuf.api.metadata import (  # type: ignore[attr-defined]
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from firmware_catalog.errors import CatalogStorageError
from firmware_catalog.files import write_atomically
from firmware_catalog.signing import ROOT_KEYS, ROOT_THRESHOLD, Keys
from firmware_catalog.trusted import TrustedView

_SERIALIZER = JSONSerializer(compact=False)
_Role = TypeVar("_Role", Root, Snapshot, Targets, Timestamp)
_TOP_ROLES = ("timestamp", "snapshot", "targets")


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
    """Signs and writes new versions of a repository's roles, dated at the reference time."""

    def __init__(self, repository: Path, access: Access) -> None:
        self._metadata = repository / "metadata"
        self._keys = access.keys
        self._now = access.now.replace(microsecond=0)
        self._lifetimes = access.lifetimes

    def create(self) -> None:
        """Write the first version of every role, making keys where there are none."""
        root = Root(expires=self._now + self._lifetimes.root, consistent_snapshot=True)
        root.roles[Root.type].threshold = ROOT_THRESHOLD
        root_signers = [self._keys.signer(name, create=True) for name in ROOT_KEYS]
        for signer in root_signers:
            root.add_key(signer.public_key, Root.type)
        for role in _TOP_ROLES:
            root.add_key(self._keys.signer(role, create=True).public_key, role)
        targets = Targets(expires=self._now + self._lifetimes.targets, delegations=Delegations({}, {}))
        self._write("1.root.json", root, root_signers)
        self._write("1.targets.json", targets, [self._keys.signer("targets")])
        self._publish({"targets.json": MetaFile(version=1)}, 1, 1)

    def publish_supplier(self, view: TrustedView, role: str, targets: Targets) -> None:
        """Write a supplier's new targets and the roles that lead to it; delegates to a new supplier first."""
        meta = dict(view.snapshot.meta)
        if role not in view.suppliers:
            meta["targets.json"] = MetaFile(version=self._delegate(view, role))
        self._write(f"{targets.version}.{role}.json", targets, [self._keys.signer(role)])
        meta[f"{role}.json"] = MetaFile(version=targets.version)
        self._publish(meta, view.snapshot.version + 1, view.timestamp.version + 1)

    def refresh(self, view: TrustedView) -> None:
        """Sign snapshot and timestamp again, unchanged but for their versions and expiry."""
        self._publish(dict(view.snapshot.meta), view.snapshot.version + 1, view.timestamp.version + 1)

    def targets_expiry(self) -> datetime:
        """When targets metadata signed now expires."""
        return self._now + self._lifetimes.targets

    def _delegate(self, view: TrustedView, role: str) -> int:
        signer = self._keys.signer(role, create=True)
        targets = deepcopy(view.targets)
        delegations = targets.delegations or Delegations({}, {})
        roles = dict(delegations.roles or {})
        roles[role] = DelegatedRole(role, [], 1, terminating=True, paths=[f"{role}/*"])
        targets.delegations = Delegations(dict(delegations.keys), dict(sorted(roles.items())))
        targets.add_key(signer.public_key, role)
        targets.version += 1
        targets.expires = self.targets_expiry()
        self._write(f"{targets.version}.targets.json", targets, [self._keys.signer("targets")])
        return targets.version

    def _publish(self, meta: dict[str, MetaFile], snapshot: int, timestamp: int) -> None:
        listed = Snapshot(
            version=snapshot, expires=self._now + self._lifetimes.snapshot, meta=dict(sorted(meta.items()))
        )
        stamp = Timestamp(
            version=timestamp,
            expires=self._now + self._lifetimes.timestamp,
            snapshot_meta=MetaFile(version=snapshot),
        )
        self._write(f"{snapshot}.snapshot.json", listed, [self._keys.signer("snapshot")])
        self._write("timestamp.json", stamp, [self._keys.signer("timestamp")])

    def _write(self, name: str, signed: _Role, signers: list[CryptoSigner]) -> None:
        metadata = Metadata(signed)
        for signer in signers:
            metadata.sign(signer, append=True)
        write_atomically(self._metadata / name, metadata.to_bytes(_SERIALIZER) + b"\n")


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
