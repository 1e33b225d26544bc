"""Reading a catalogue the way a TUF client does, so that nobody can roll it back, freeze it, or mix its
parts.

The contract, in the order the rules are enforced:

1. The first root is the one the reader was given (a digest); every later root is signed by the one before it and by
itself, two keys of three. 2. The timestamp is signed, has not expired at the reference time, and is not older than the
one last seen. 3. The snapshot is the one the timestamp names, and no metadata version it lists has gone backwards.
4. Targets and each party's delegated targets are the ones the snapshot names, signed by their own keys, as many
different ones as the delegation demands. 5. A party lists targets of its own namespace only, and only a supplier
delegates further, to the manufacturers of its images. 6. An image's octets have the length and SHA-256 that its
role's targets state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from tuf.api.exceptions import (
    BadVersionNumberError,
    EqualVersionNumberError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import (  # type: ignore[attr-defined]
    DelegatedRole,
    Key,
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
from firmware_catalog.files import METADATA_LIMIT, read_octets
from firmware_catalog.memory import Memory
from firmware_catalog.parties import is_manufacturer_of, is_party, namespace, owns, party_of

_ROOT, _TIMESTAMP, _SNAPSHOT = "root.json", "timestamp.json", "snapshot.json"
ROOT_LIMIT = 1024
"""Root rotations followed in one reading, as the TUF client's own limit bounds them."""
ROLE_LIMIT = 4096
"""Delegated roles of one catalogue: parties, and a manufacturer's role each."""


@dataclass(frozen=True, slots=True)
class TrustedView:
    """A verified reading: the top-level roles, and the targets of each delegated role by its name."""

    root: Root
    timestamp: Timestamp
    snapshot: Snapshot
    targets: Targets
    delegated: dict[str, Targets]

    @property
    def versions(self) -> dict[str, int]:
        """The version of every role, by its name: what a later reading must not fall behind."""
        top = (self.root, self.timestamp, self.snapshot, self.targets)
        named = {role.type: role.version for role in top}
        return {**named, **{name: role.version for name, role in sorted(self.delegated.items())}}

    def all_targets(self) -> list[TargetFile]:
        """Every target of every delegated role, in order of path."""
        found = [target for role in self.delegated.values() for target in role.targets.values()]
        return sorted(found, key=lambda target: target.path)

    def keys(self, party: str) -> frozenset[str]:
        """The public keys, in hexadecimal, with which a party and its manufacturers' roles sign."""
        roles = [role for role in self.delegated if party_of(role) == party]
        return frozenset(_public(key) for role in roles for key in keys_of(self.delegator(role), role))

    def delegator(self, role: str) -> Root | Targets:
        """The role whose keys and threshold say who signs `role`."""
        if "." in role:
            return self.delegated[party_of(role)]
        return self.root if role in (Root.type, Timestamp.type, Snapshot.type, Targets.type) else self.targets


def keys_of(delegator: Root | Targets, role: str) -> list[Key]:
    """Return the keys that sign `role`, which `delegator` delegates."""
    return [delegator.get_key(keyid) for keyid in delegator.get_delegated_role(role).keyids]


def _public(key: Key) -> str:
    return str(key.keyval.get("public", ""))


def root_digest(repository: Path) -> str:
    """Return the SHA-256 of the first root, by which a catalogue is known; raises `CatalogError` when it is absent."""
    return hashlib.sha256(_first_root(repository)).hexdigest()


def read_trusted(
    repository: Path, now: datetime, *, memory: Path | None = None, root_sha256: str | None = None
) -> TrustedView:
    """Read and verify the metadata of `repository` at the reference time `now`.

    `memory` is the folder where what was seen of catalogues is kept (`firmware_catalog.memory`); without it there is
    no protection against a roll-back between two readings. `root_sha256` pins the first root. Raises `CatalogError`.
    """
    metadata = repository / "metadata"
    first = _first_root(repository)
    digest = hashlib.sha256(first).hexdigest()
    if root_sha256 is not None and digest != root_sha256:
        raise CatalogError(
            f"catalogue {repository}: its first root has SHA-256 {digest}, expected {root_sha256}; "
            "this is another catalogue"
        )
    seen = Memory(memory, digest)
    try:
        trusted = _begin(seen, first)
        trusted.reference_time = now
        _follow_roots(trusted, metadata)
        _recall(seen, _TIMESTAMP, trusted.update_timestamp)
        with suppress(EqualVersionNumberError):
            trusted.update_timestamp(_read(metadata / _TIMESTAMP))
        _recall(seen, _SNAPSHOT, partial(trusted.update_snapshot, trusted=True))
        trusted.update_snapshot(_read(metadata / _snapshot_name(trusted.timestamp)))
        view = _targets(trusted, metadata)
    except ExpiredMetadataError as error:
        raise CatalogError(
            f"catalogue {repository}: {error} at {now:%Y-%m-%d}; its keeper must run `smets1 catalog refresh`"
        ) from error
    except BadVersionNumberError as error:
        raise CatalogError(_not_the_newest(repository, seen, error)) from error
    except RepositoryError as error:
        raise CatalogError(
            f"catalogue {repository}: not trusted: {_one_line(error)}; fetch it again from its keeper"
        ) from error
    seen.keep(_to_remember(metadata, view))
    return view


def _begin(seen: Memory, first: bytes) -> TrustedMetadataSet:
    """Begin with the root last seen, which later ones were signed from, or else with the first."""
    kept = seen.recall(_ROOT)
    if kept is None or seen.folder is None:
        return TrustedMetadataSet(first, EnvelopeType.METADATA)
    try:
        return TrustedMetadataSet(kept, EnvelopeType.METADATA)
    except RepositoryError as error:
        path = seen.folder / _ROOT
        raise CatalogError(
            f"{path}: what was seen of the catalogue is not readable ({_one_line(error)}); remove {seen.folder}"
        ) from error


def _not_the_newest(repository: Path, seen: Memory, error: BadVersionNumberError) -> str:
    older = _gone_backwards(repository / "metadata", seen)
    if not older:
        return f"catalogue {repository}: not trusted: {_one_line(error)}; fetch it again from its keeper"
    return (
        f"catalogue {repository}: older than it was seen before ({'; '.join(older)}); fetch its present state from its "
        f"keeper (to accept the old one all the same, remove {seen.folder})"
    )


def _gone_backwards(metadata: Path, seen: Memory) -> list[str]:
    """Say which roles state an older version than was seen, and which one that was."""
    stamp, listed = seen.recall(_TIMESTAMP), seen.recall(_SNAPSHOT)
    if stamp is None or listed is None:
        return []
    try:
        before = _stated(stamp, listed)
        there = _read(metadata / _TIMESTAMP)
        name = _snapshot_name(Metadata[Timestamp].from_bytes(there).signed)
        now = _stated(there, _read(metadata / name))
    except (RepositoryError, CatalogError, AttributeError):
        return []
    older = ((role, now.get(role, 0), version) for role, version in before.items())
    return [f"{role} version {least}, seen {most}" for role, least, most in older if least < most]


def _stated(timestamp: bytes, snapshot: bytes) -> dict[str, int]:
    """Return the versions that a timestamp and a snapshot state, by role; nothing is verified."""
    listed = Metadata[Snapshot].from_bytes(snapshot).signed
    roles = {name.removesuffix(".json"): meta.version for name, meta in listed.meta.items()}
    stamp = Metadata[Timestamp].from_bytes(timestamp).signed
    return {"timestamp": stamp.version, "snapshot": listed.version, **roles}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def last_fresh_moment(repository: Path) -> datetime:
    """Return the last second at which snapshot and timestamp are both unexpired; nothing is verified."""
    _first_root(repository)
    metadata = repository / "metadata"
    try:
        stamp = Metadata[Timestamp].from_bytes(_read(metadata / _TIMESTAMP)).signed
        listed = Metadata[Snapshot].from_bytes(_read(metadata / _snapshot_name(stamp))).signed
        return min(stamp.expires, listed.expires) - timedelta(seconds=1)
    except (RepositoryError, AttributeError, OverflowError) as error:
        # Of another role's type, or expiring before time began.
        said = _one_line(error)
        raise CatalogError(f"catalogue {repository}: not readable: {said}; fetch it again") from error


def _first_root(repository: Path) -> bytes:
    path = repository / "metadata" / "1.root.json"
    if not path.is_file():
        raise CatalogError(f"catalogue {repository}: not there; create it with `smets1 catalog init`")
    return _read(path)


def _follow_roots(trusted: TrustedMetadataSet, metadata: Path) -> None:
    for _ in range(ROOT_LIMIT):
        following = metadata / f"{trusted.root.version + 1}.root.json"
        if not following.is_file():
            return
        trusted.update_root(_read(following))


def _read(path: Path) -> bytes:
    return read_octets(path, METADATA_LIMIT)


def _recall(seen: Memory, name: str, update: Callable[[bytes], object]) -> None:
    """Load what was seen last; what no longer verifies only means that there is less to compare with."""
    data = seen.recall(name)
    if data is not None:
        with suppress(RepositoryError):
            update(data)


def _snapshot_name(timestamp: Timestamp) -> str:
    return f"{timestamp.snapshot_meta.version}.snapshot.json"


def _targets(trusted: TrustedMetadataSet, metadata: Path) -> TrustedView:
    for role in (Root.type, Timestamp.type, Snapshot.type, Targets.type):
        _require_different_keys(metadata.parent, trusted.root, role)
    targets = trusted.update_targets(_read(metadata / _listed(trusted, metadata, Targets.type)))
    if targets.targets:
        raise CatalogError(
            f"catalogue {metadata.parent}: its top-level targets list {min(targets.targets)!r} themselves; expected "
            "parties only: do not use this catalogue, and tell its keeper"
        )
    delegated: dict[str, Targets] = {}
    for role in _roles(metadata.parent, targets, Targets.type):
        delegated[role] = _delegate(trusted, metadata, role, Targets.type)
        for below in _roles(metadata.parent, delegated[role], role):
            delegated[below] = _delegate(trusted, metadata, below, role)
            if below_that := _roles(metadata.parent, delegated[below], below):
                raise CatalogError(
                    f"catalogue {metadata.parent}: role {below} delegates to {below_that[0]!r}; expected no delegation "
                    "below a manufacturer's"
                )
            _require_few(metadata.parent, delegated)
        _require_few(metadata.parent, delegated)
    return TrustedView(trusted.root, trusted.timestamp, trusted.snapshot, targets, delegated)


def _roles(repository: Path, listed: Targets, role: str) -> list[str]:
    """Return the roles that a role delegates to, each of which must be one that it may delegate to."""
    if listed.delegations is None:
        return []
    if listed.delegations.roles is None:
        raise CatalogError(
            f"catalogue {repository}: role {role} delegates by the hash of a path; expected one role a party"
        )
    for name in listed.delegations.roles:
        allowed = (
            is_party(name) if role == Targets.type else "." not in role and is_manufacturer_of(name, role)
        )
        if not allowed:
            shape = (
                "a party's, as supplier-a" if role == Targets.type else f"a manufacturer's, as {role}.1002"
            )
            raise CatalogError(f"catalogue {repository}: role {name!r}: expected {shape}")
    return sorted(listed.delegations.roles)


def _require_few(repository: Path, delegated: dict[str, Targets]) -> None:
    if len(delegated) > ROLE_LIMIT:
        raise CatalogError(f"catalogue {repository}: more than {ROLE_LIMIT} roles; expected fewer parties")


def _delegate(trusted: TrustedMetadataSet, metadata: Path, role: str, delegator: str) -> Targets:
    above = trusted.targets if delegator == Targets.type else trusted[delegator]
    assert isinstance(above, Targets)
    _require_different_keys(metadata.parent, above, role)
    listed = trusted.update_delegated_targets(
        _read(metadata / _listed(trusted, metadata, role)), role, delegator
    )
    delegation = above.get_delegated_role(role)
    assert isinstance(delegation, DelegatedRole)
    _require_own_namespace(metadata.parent, delegation, listed)
    return listed


def _require_different_keys(repository: Path, delegator: Root | Targets, role: str) -> None:
    """Refuse one key under several names: it would meet a threshold of several alone."""
    publics = [_public(key) for key in keys_of(delegator, role)]
    if len(set(publics)) < len(publics):
        raise CatalogError(
            f"catalogue {repository}: role {role} names one key twice, as if two had to sign; do not use this "
            "catalogue, and tell its keeper"
        )


def _listed(trusted: TrustedMetadataSet, metadata: Path, role: str) -> str:
    """Return the file of the version of a role that the snapshot names."""
    listed = trusted.snapshot.meta.get(f"{role}.json")
    if listed is None:
        raise CatalogError(
            f"catalogue {metadata.parent}: the snapshot does not list role {role}; fetch it again from its keeper"
        )
    return f"{listed.version}.{role}.json"


def _require_own_namespace(repository: Path, role: DelegatedRole, listed: Targets) -> None:
    """Refuse a party that speaks in another's place: neither its key nor a wide delegation gives it that right."""
    for path in listed.targets:
        if not owns(role.name, path) or not role.is_delegated_path(path):
            raise CatalogError(
                f"catalogue {repository}: role {role.name} lists {path!r}, which is not its own; expected a name below "
                f"{namespace(role.name)}: do not use this catalogue, and tell its keeper"
            )


def _to_remember(metadata: Path, view: TrustedView) -> dict[str, bytes]:
    return {
        _ROOT: _read(metadata / f"{view.root.version}.root.json"),
        _SNAPSHOT: _read(metadata / _snapshot_name(view.timestamp)),
        _TIMESTAMP: _read(metadata / _TIMESTAMP),
    }
