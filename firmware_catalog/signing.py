"""Signing keys: one PEM file a key, in folders outside the repository, each party's apart from the others'.

The root and targets keys (two of three sign) say who is trusted, and are needed only when that changes: move them off
the machine. A rehearsal catalogue derives its keys from a published seed instead, so that anybody can rebuild it
octet for octet; what is signed with them proves nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, Key, SSlibKey  # type: ignore[attr-defined]

from firmware_catalog.errors import CatalogError
from firmware_catalog.files import KEY_LIMIT, read_octets, write_atomically
from firmware_catalog.parties import party_of

ROOT_KEYS = ("root-1", "root-2", "root-3")
TARGETS_KEYS = ("targets-1", "targets-2", "targets-3")
OFFLINE_THRESHOLD = 2
"""How many of the root keys, and of the targets keys, must sign."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Where signing keys come from: folders of PEM files, searched in order, or a published seed for rehearsal."""

    folders: tuple[Path, ...] = ()
    seed: str | None = None

    def make(self, name: str, folder: Path | None = None) -> CryptoSigner:
        """Return the signer called `name`, made in `folder` (by default the first) when it is not there."""
        if self.seed is not None:
            return _derived(self.seed, name)
        path = self._folder(folder) / f"{name}.pem"
        if not path.exists():
            key = Ed25519PrivateKey.generate()
            private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            write_atomically(path.with_suffix(".pub"), public)
            write_atomically(path, private, mode=0o600)
        return load_signer(path)

    def at_hand(self, role: str, keyids: Iterable[str]) -> tuple[CryptoSigner, ...]:
        """Return the signers among `keyids`, the keys of `role`, that are here."""
        wanted = set(keyids)
        found = {signer.public_key.keyid: signer for signer in self._candidates(role)}
        return tuple(signer for keyid, signer in sorted(found.items()) if keyid in wanted)

    def _folder(self, folder: Path | None) -> Path:
        if folder is None and not self.folders:
            raise CatalogError("this catalogue was opened for reading; give its keys folder to change it")
        return folder or self.folders[0]

    def _candidates(self, role: str) -> Iterator[CryptoSigner]:
        if self.seed is not None:
            stems = dict.fromkeys((role, party_of(role)))
            names = (name for stem in stems for name in (stem, *(f"{stem}-{n}" for n in (1, 2, 3))))
            yield from (_derived(self.seed, name) for name in names)
        for folder in self.folders:
            yield from (load_signer(path) for path in sorted(folder.rglob("*.pem")) if path.is_file())


def _derived(seed: str, name: str) -> CryptoSigner:
    secret = hashlib.sha256(f"smets1 rehearsal catalogue/{seed}/{name}".encode()).digest()
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(secret))


def load_signer(path: Path) -> CryptoSigner:
    """Read a private key; raises `CatalogError` naming the file."""
    if not path.is_file():
        raise CatalogError(f"signing key {path}: not there; bring the key to this folder, or use --keys")
    try:
        key = load_pem_private_key(read_octets(path, KEY_LIMIT), password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise CatalogError(f"signing key {path}: not an unencrypted PEM private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CatalogError(f"signing key {path}: expected an Ed25519 key")
    return CryptoSigner(key)


def load_public(path: Path) -> Key:
    """Read the public key that a party gives out; raises `CatalogError` naming the file."""
    try:
        key = load_pem_public_key(read_octets(path, KEY_LIMIT))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CatalogError(
            f"public key {path}: not a PEM public key; `smets1 catalog key` makes a pair, give its .pub file"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise CatalogError(f"public key {path}: expected an Ed25519 key")
    return SSlibKey.from_crypto(key)
