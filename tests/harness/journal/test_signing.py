"""Keys that sign a journal: whose they may be, the one form of a signature, what people compare."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.journal.signing import (
    campaign_key,
    checkpoint_message,
    fingerprint,
    key_from_seed,
    public_point,
    read_signing_key,
    sign,
    signature_holds,
)

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
KEY = campaign_key(7)
POINT = public_point(KEY)
few = settings(max_examples=15)


def pem(key: object, encryption: object = None, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    data: bytes = key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())  # type: ignore[attr-defined]
    return data


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_of_p256_is_taken_in_either_form(tmp_path: Path, form: PrivateFormat) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(pem(KEY, form=form))
    assert public_point(read_signing_key(file)) == POINT


OTHERS = {
    "another curve": pem(ec.generate_private_key(ec.SECP384R1())),
    "RSA": pem(rsa.generate_private_key(65537, 1024)),
    "DSA": pem(dsa.generate_private_key(1024)),
    "Edwards": pem(ed25519.Ed25519PrivateKey.generate()),
}


@pytest.mark.parametrize("octets", OTHERS.values(), ids=OTHERS)
def test_a_key_of_another_kind_is_refused_with_the_kind_that_is_wanted(tmp_path: Path, octets: bytes) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(octets)
    with pytest.raises(HarnessError) as refused:
        read_signing_key(file)
    assert str(refused.value) == f"{file}: expected a key on the curve P-256 (prime256v1)"


NO_KEYS = {
    "empty": b"",
    "words": b"my key",
    "a public key": KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "encrypted": pem(KEY, BestAvailableEncryption(b"secret")),
    "cut": pem(KEY)[:60],
    "DER": KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
}


@pytest.mark.parametrize("octets", NO_KEYS.values(), ids=NO_KEYS)
def test_what_is_no_unencrypted_private_key_is_refused_with_how_to_make_one(
    tmp_path: Path, octets: bytes
) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(octets)
    with pytest.raises(HarnessError) as refused:
        read_signing_key(file)
    assert str(refused.value) == (
        f"{file}: not an unencrypted PEM private key; make one with: "
        f"openssl ecparam -name prime256v1 -genkey -noout -out {file}"
    )


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, what in (("", "a folder"), ("pipe", "a pipe"), ("nowhere", "there is no such file")):
        with pytest.raises(
            HarnessError, match=rf"cannot be read \({what}\).*; give the PEM file of a signing key"
        ):
            read_signing_key(tmp_path / name)


def test_the_advice_makes_a_key_that_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    words = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(file)]
    subprocess.run(words, check=True, capture_output=True)
    key = read_signing_key(file)
    der = subprocess.run(
        ["openssl", "pkey", "-in", str(file), "-pubout", "-outform", "DER"], check=True, capture_output=True
    ).stdout
    import hashlib

    assert fingerprint(public_point(key)) == hashlib.sha256(der).hexdigest()


@pytest.mark.parametrize("point", [b"", b"\x04" + bytes(64), POINT[:-1], POINT + b"\0", b"\x05" + POINT[1:]])
def test_what_is_no_point_has_no_fingerprint_and_verifies_nothing(point: bytes) -> None:
    assert fingerprint(point) == ""
    assert not signature_holds(point, b"message", sign(KEY, b"message"))


@few
@given(st.integers(0, 2**63 - 1))
def test_rehearsal_keys_follow_from_the_seed_alone(seed: int) -> None:
    assert (
        public_point(campaign_key(seed))
        == public_point(campaign_key(seed))
        != public_point(campaign_key(seed + 1))
    )
    assert public_point(key_from_seed(str(seed).encode(), "other")) != public_point(campaign_key(seed))


@few
@given(st.binary(max_size=80))
def test_a_signature_is_the_same_each_time_and_holds_for_its_message_alone(message: bytes) -> None:
    signature = sign(KEY, message)
    assert signature == sign(KEY, message)
    assert signature_holds(POINT, message, signature)
    assert not signature_holds(POINT, message + b"\0", signature)
    assert not signature_holds(public_point(campaign_key(8)), message, signature)


@few
@given(st.binary(max_size=20))
def test_the_other_value_of_s_verifies_elsewhere_and_not_here(message: bytes) -> None:
    r, s = decode_dss_signature(sign(KEY, message))
    assert s <= ORDER // 2
    assert not signature_holds(POINT, message, encode_dss_signature(r, ORDER - s))


@few
@given(st.integers(0, 69), st.integers(1, 255))
def test_no_octet_of_a_signature_can_change(place: int, change: int) -> None:
    signature = bytearray(sign(KEY, b"message"))
    signature[place % len(signature)] ^= change
    assert not signature_holds(POINT, b"message", bytes(signature))


@pytest.mark.parametrize(
    "signature", [b"", b"\x30", sign(KEY, b"message") + b"\0", sign(KEY, b"message")[:-1]]
)
def test_what_is_not_exactly_a_signature_does_not_hold(signature: bytes) -> None:
    assert not signature_holds(POINT, b"message", signature)


def test_a_checkpoint_signs_each_part_of_its_entry() -> None:
    message = checkpoint_message("upgraded", "ab" * 32, 4, (1, 2))
    others = [
        checkpoint_message("enrolled", "ab" * 32, 4, (1, 2)),
        checkpoint_message("upgraded", "ac" * 32, 4, (1, 2)),
        checkpoint_message("upgraded", "ab" * 32, 5, (1, 2)),
        checkpoint_message("upgraded", "ab" * 32, 4, (2, 2)),
        checkpoint_message("upgraded", "ab" * 32, 4, (1, 3)),
    ]
    assert len({message, *others}) == 6
    assert not any(signature_holds(POINT, other, sign(KEY, message)) for other in others)
