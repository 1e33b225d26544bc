"""Changes on their way into a catalogue: staged by whoever makes them, signed by each with his own keys, published.

What is staged lies in the catalogue's `staged` folder as TUF metadata of the next version, signed as far as it has
been. Nobody needs another's keys: a supplier stages and signs its targets, and the operator, who has only the
snapshot and timestamp keys, makes visible what enough keys have signed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

from securesystemslib.signer import Key  # type: ignore[attr-defined]
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (  # type: ignore[attr-defined]
    DelegatedRole,
    Delegations,
    Metadata,
    Root,
    TargetFile,
    Targets,
)
from tuf.api.serialization import SerializationError

from firmware_catalog.errors import CatalogError
from firmware_catalog.files import METADATA_LIMIT, read_octets, write_atomically
from firmware_catalog.parties import is_manufacturer_of, is_party, namespace, party_of
from firmware_catalog.repository import Access, Writer
from firmware_catalog.trusted import TrustedView, keys_of

STAGED = "staged"


class Signed(NamedTuple):
    """How far a staged role is signed."""

    role: str
    version: int
    signatures: int
    threshold: int

    @property
    def enough(self) -> bool:
        """Say whether it can be published."""
        return self.signatures >= self.threshold


class Draft:
    """The staged changes of the catalogue at `path`, whose published state is `view`."""

    def __init__(self, path: Path, view: TrustedView, access: Access) -> None:
        self.path = path
        self._view = view
        self._access = access
        self._writer = Writer(path, access)
        self._staged = dict(self._read())

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that are staged."""
        return tuple(sorted(self._staged))

    def delegate(self, role: str, keys: Sequence[Key], threshold: int) -> None:
        """Stage that `role`, a party's or a manufacturer's, is signed by these keys from now on.

        Manufacturers' roles that a supplier signed with its old keys go to its new ones too: an old key that is lost
        must open nothing. Raises `CatalogError` for fewer different keys than the threshold.
        """
        before = self._keyids(role)
        self._delegate(role, keys, threshold)
        for below in self._below(role):
            if self._keyids(below) == before:
                self._delegate(below, keys, threshold)

    def _keyids(self, role: str) -> set[str]:
        return {key.keyid for key in self.keys(role)} if self.delegates(role) else set()

    def _below(self, role: str) -> list[str]:
        listed = self._latest(role)
        return [] if listed is None or listed.delegations is None else list(listed.delegations.roles or {})

    def _delegate(self, role: str, keys: Sequence[Key], threshold: int) -> None:
        publics = {str(key.keyval.get("public")) for key in keys}
        if not 1 <= threshold <= len(publics):
            raise CatalogError(
                f"role {role}: threshold {threshold} of {len(publics)} different keys; expected 1 or more, and as many "
                "keys"
            )
        above = party_of(role) if "." in role else Targets.type
        signed = self._next(above)
        delegations = signed.delegations or Delegations({}, {})
        roles = dict(delegations.roles or {})
        roles[role] = DelegatedRole(role, [], threshold, terminating=True, paths=[namespace(role)])
        used = {keyid for name, each in roles.items() if name != role for keyid in each.keyids}
        kept = {keyid: key for keyid, key in delegations.keys.items() if keyid in used}
        signed.delegations = Delegations(kept, dict(sorted(roles.items())))
        for key in keys:
            signed.add_key(key, role)
        self._stage(above, signed)
        # Signed by others before, what it says must be signed anew, and a new party begins with nothing said.
        self._stage(role, self._next(role))

    def delegates(self, role: str) -> bool:
        """Say whether a role is delegated, in what is staged or published."""
        above = party_of(role) if "." in role else Targets.type
        listed = self._latest(above)
        return (
            listed is not None and listed.delegations is not None and role in (listed.delegations.roles or {})
        )

    def keys(self, role: str) -> list[Key]:
        """Return the keys that sign a delegated role, staged changes included."""
        return keys_of(self._delegator(role), role)

    def threshold(self, role: str) -> int:
        """Return how many of the keys of a delegated role must sign."""
        return self._delegator(role).get_delegated_role(role).threshold

    def require(self, role: str) -> None:
        """Raise `CatalogError` when nobody delegates to a role."""
        if not self.delegates(role):
            raise CatalogError(
                f"catalogue {self.path}: there is no role {role}; add it with `smets1 catalog supplier add` or "
                "`smets1 catalog party add`"
            )

    def put(self, role: str, target: TargetFile, data: bytes) -> None:
        """Stage a target of a role, and store its octets."""
        self.require(role)
        signed = self._next(role)
        signed.targets = dict(sorted({**signed.targets, target.path: target}.items()))
        write_atomically(stored_at(self.path, target), data)
        self._stage(role, signed)

    def remove(self, role: str, path: str) -> None:
        """Stage that a role lists a target no more; its octets stay."""
        signed = self._next(role)
        signed.targets = {name: target for name, target in signed.targets.items() if name != path}
        self._stage(role, signed)

    def latest(self, role: str) -> dict[str, TargetFile]:
        """Return the targets of a role, staged changes included."""
        listed = self._latest(role)
        return {} if listed is None else dict(listed.targets)

    def sign(self) -> tuple[Signed, ...]:
        """Sign every staged role with the keys of it that are at hand; says how far each is."""
        for role, metadata in self._staged.items():
            keyids = [key.keyid for key in self.keys(role)]
            for signer in self._access.keys.at_hand(role, keyids):
                if signer.public_key.keyid not in metadata.signatures:
                    metadata.sign(signer, append=True)
            self._write(role, metadata)
        return self.signed()

    def signed(self) -> tuple[Signed, ...]:
        """Say how far each staged role is signed by keys of its own."""
        return tuple(self._signed(role, metadata) for role, metadata in sorted(self._staged.items()))

    def publish(self) -> tuple[str, ...]:
        """Make what is staged visible, all of it or nothing; returns the roles, none when nothing is staged.

        Raises `CatalogError` when a role lacks signatures, a delegation leaves a published role without its
        signatures, somebody has published meanwhile, or the operator's keys are not at hand.
        """
        if not self._staged:
            return ()
        self._writer.require_keys(self._view)
        for role, version, signatures, threshold in self.signed():
            if signatures < threshold:
                raise CatalogError(
                    f"staged role {role}: {signatures} of {threshold} signatures; sign it with `smets1 catalog sign` "
                    "where its keys are"
                )
            if version != self._version(role) + 1:
                raise CatalogError(
                    f"staged role {role}: version {version}, but {self._version(role)} is published; remove "
                    f"{self._file(role)} and make the change again"
                )
        for role in self._orphans():
            raise CatalogError(
                f"role {role}: what is published is not signed by its new keys; stage and sign it too"
            )
        roles = self.roles
        self._writer.publish(self._view, self._staged)
        self.discard()
        return roles

    def discard(self) -> None:
        """Forget what is staged."""
        for role in self.roles:
            self._file(role).unlink(missing_ok=True)
        self._staged = {}
        with suppress(OSError):
            (self.path / STAGED).rmdir()

    def _orphans(self) -> Iterator[str]:
        """Yield published roles that staged delegations leave without valid signatures."""
        for role, listed in self._view.delegated.items():
            above = party_of(role) if "." in role else Targets.type
            if role in self._staged or above not in self._staged or not self.delegates(role):
                continue
            published = Metadata[Targets].from_bytes(
                read_octets(self.path / "metadata" / f"{listed.version}.{role}.json", METADATA_LIMIT)
            )
            if not self._signed(role, published).enough:
                yield role

    def _signed(self, role: str, metadata: Metadata[Targets]) -> Signed:
        result = self._delegator(role).get_verification_result(
            role, metadata.signed_bytes, metadata.signatures
        )
        return Signed(role, metadata.signed.version, len(result.signed), result.threshold)

    def _delegator(self, role: str) -> Root | Targets:
        if role == Targets.type:
            return self._view.root
        listed = self._latest(party_of(role) if "." in role else Targets.type)
        if listed is None or not self.delegates(role):
            raise CatalogError(f"catalogue {self.path}: nobody delegates to role {role}")
        return listed

    def _published(self, role: str) -> Targets | None:
        return self._view.targets if role == Targets.type else self._view.delegated.get(role)

    def _latest(self, role: str) -> Targets | None:
        return self._staged[role].signed if role in self._staged else self._published(role)

    def _version(self, role: str) -> int:
        listed = self._view.snapshot.meta.get(f"{role}.json")
        return 0 if listed is None else listed.version

    def _next(self, role: str) -> Targets:
        latest = self._latest(role)
        signed = Targets() if latest is None else deepcopy(latest)
        signed.version = self._version(role) + 1
        signed.expires = self._writer.targets_expiry()
        return signed

    def _stage(self, role: str, signed: Targets) -> None:
        self._staged[role] = Metadata(signed)
        self._write(role, self._staged[role])

    def _write(self, role: str, metadata: Metadata[Targets]) -> None:
        write_atomically(self._file(role), metadata.to_bytes())

    def _file(self, role: str) -> Path:
        return self.path / STAGED / f"{role}.json"

    def _read(self) -> Iterator[tuple[str, Metadata[Targets]]]:
        for path in sorted((self.path / STAGED).glob("*.json")):
            role = path.stem
            known = role == Targets.type or is_party(role) or is_manufacturer_of(role, party_of(role))
            if not known:
                raise CatalogError(f"{path}: expected the staged targets of a party; remove it")
            yield role, read_targets(path)


def read_targets(path: Path) -> Metadata[Targets]:
    """Read targets metadata that nothing has verified yet; raises `CatalogError`."""
    try:
        metadata = Metadata[Targets].from_bytes(read_octets(path, METADATA_LIMIT))
    except (RepositoryError, SerializationError) as error:
        raise CatalogError(f"{path}: not TUF metadata ({' '.join(str(error).split())}); remove it") from error
    if not isinstance(metadata.signed, Targets):
        raise CatalogError(f"{path}: not TUF targets; remove it")
    return metadata


def stored_at(repository: Path, target: TargetFile) -> Path:
    """Return where a target's octets lie, named by their SHA-256."""
    folder, _, name = target.path.rpartition("/")
    return repository / "targets" / folder / f"{target.hashes['sha256']}.{name}"
