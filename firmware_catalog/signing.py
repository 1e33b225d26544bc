"""Signing keys of a catalogue: one PEM file per key in a folder outside the repository.

The root keys (two of three sign) are needed only to replace other keys: move them off the machine. A
rehearsal catalogue derives its keys from a published seed instead, so that anybody can rebuild it byte for
byte.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]

from firmware_catalog.errors import CatalogError
from firmware_catalog.files import KEY_LIMIT, read_octets, write_atomically

ROOT_KEYS = ("root-1", "root-2", "root-3")
ROOT_THRESHOLD = 2


@dataclass(frozen=True, slots=True)
class Keys:
    """Where signing keys come from: a folder of PEM files or, for rehearsal only, a published seed."""

    folder: Path | None = None
    seed: str | None = None

    def signer(self, name: str, *, create: bool = False) -> CryptoSigner:
        """Return the signer called `name`; with `create`, make it when it is not there.

        Raises `CatalogError` when the key is absent or unreadable.
        """
        if self.seed is not None:
            secret = hashlib.sha256(f"smets1 rehearsal catalogue/{self.seed}/{name}".encode()).digest()
            return CryptoSigner(Ed25519PrivateKey.from_private_bytes(secret))
        if self.folder is None:
            raise CatalogError("this catalogue was opened for reading; give its keys folder to change it")
        path = self.folder / f"{name}.pem"
        if create and not path.exists():
            self._make(path)
        return self._load(path)

    @staticmethod
    def _make(path: Path) -> None:
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_atomically(path, pem, mode=0o600)

    @staticmethod
    def _load(path: Path) -> CryptoSigner:
        if not path.is_file():
            raise CatalogError(f"signing key {path}: not there; bring the key to this folder, or use --keys")
        try:
            key = load_pem_private_key(read_octets(path, KEY_LIMIT), password=None)
        except (TypeError, ValueError, UnsupportedAlgorithm) as error:
            raise CatalogError(f"signing key {path}: not an unencrypted PEM private key") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise CatalogError(f"signing key {path}: expected an Ed25519 key")
        return CryptoSigner(key)
