"""Where a catalogue's signing keys come from, and what is said of one that cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from firmware_catalog.errors import CatalogError
from firmware_catalog.signing import Keys, load_signer

ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def pem(key: object, secret: bytes | None = None) -> bytes:
    encryption = NoEncryption() if secret is None else BestAvailableEncryption(secret)
    data: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)  # type: ignore[attr-defined]
    return data


def test_a_published_seed_gives_everybody_the_same_keys_and_each_name_its_own() -> None:
    def public(seed: str, name: str) -> object:
        return Keys(seed=seed).make(name).public_key.keyval

    assert public("a", "root-1") == public("a", "root-1")
    assert len({str(public(seed, name)) for seed in "ab" for name in ("root-1", "root-2")}) == 4


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    keys = Keys((tmp_path / "keys",))
    first = keys.make("targets")
    assert keys.make("targets").public_key == first.public_key
    assert keys.at_hand("targets", [first.public_key.keyid])[0].public_key == first.public_key
    assert (tmp_path / "keys" / "targets.pem").stat().st_mode & 0o777 == 0o600


def test_a_catalogue_that_was_opened_for_reading_has_no_key() -> None:
    with pytest.raises(CatalogError, match="opened for reading; give its keys folder to change it"):
        Keys().make("targets")


def test_a_key_that_is_not_at_hand_is_not_made_by_asking_for_it(tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as refused:
        load_signer(tmp_path / "root-1.pem")
    path = tmp_path / "root-1.pem"
    assert str(refused.value) == f"signing key {path}: not there; bring the key to this folder, or use --keys"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "not an unencrypted PEM private key"),
        (b"my key", "not an unencrypted PEM private key"),
        (pem(ED25519)[:60], "not an unencrypted PEM private key"),
        (pem(ec.derive_private_key(5, ec.SECP256R1())), "expected an Ed25519 key"),
        (b"-" * (64 << 10) + b"-", "at most"),
    ],
)
def test_a_file_that_is_no_such_key_is_named(tmp_path: Path, octets: bytes, words: str) -> None:
    path = tmp_path / "targets.pem"
    path.write_bytes(octets)
    with pytest.raises(CatalogError, match=words) as refused:
        load_signer(path)
    assert str(path) in str(refused.value)


def test_a_key_under_a_passphrase_is_named(tmp_path: Path) -> None:
    path = tmp_path / "targets.pem"
    path.write_bytes(pem(ED25519, b"secret"))
    with pytest.raises(CatalogError, match=r"targets\.pem: not an unencrypted PEM private key"):
        load_signer(path)


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling link"])
def test_what_is_no_file_is_no_key(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "targets.pem"
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(CatalogError, match=r"targets\.pem: not there; bring the key to this folder"):
        load_signer(path)
