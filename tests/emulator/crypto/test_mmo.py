"""AES-MMO, the keyed hash and derived keys; vectors of the Zigbee core specification, Annex C.5 and C.6."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.crypto.mmo import (
    AesMmo,
    aes_mmo,
    hmac_mmo,
    key_load_key,
    key_transport_key,
    verify_key_hash,
)

LINK_KEY = bytes.fromhex("5a6967426565416c6c69616e63653039")


def counting(octets: int) -> bytes:
    return bytes(i % 256 for i in range(octets))


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"\xc0", "ae3a102a28d43ee0d4a09e22788b206c"),
        (bytes(range(0xC0, 0xD0)), "a7977e88bc0b61e8210827109a228f2d"),
        (counting(8191), "24ec2fe75bbffcb34789bc0610e7f165"),
        (counting(8192), "dc6b0687f09f8607131c170b3bd31591"),
    ],
    ids=["C.5.1", "C.5.2", "longest with 16-bit length", "shortest with 32-bit length"],
)
def test_hash_of_published_messages(message: bytes, digest: str) -> None:
    assert aes_mmo(message).hex() == digest


@pytest.mark.parametrize(
    ("key", "message", "digest"),
    [
        (bytes(range(0x40, 0x50)), b"\xc0", "4512807bf94cb3400f0e2c25fb76e999"),
        (bytes(range(0x40, 0x60)), bytes(range(0xC0, 0xD0)), "a3b0079984bf1557f74a0d6387e0a11a"),
    ],
    ids=["C.6.1", "C.6.2 (key hashed first)"],
)
def test_keyed_hash_of_published_messages(key: bytes, message: bytes, digest: str) -> None:
    assert hmac_mmo(key, message).hex() == digest


def test_keys_derived_from_the_default_trust_centre_link_key() -> None:
    assert key_transport_key(LINK_KEY).hex() == "4bab0f173e1434a2d572e1c1ef478782"
    assert key_load_key(LINK_KEY).hex() == "c5a47035c332ccbf251571d8baded188"
    assert verify_key_hash(LINK_KEY).hex() == "1ab128df1639a1246aaba72a6a559124"


@given(st.lists(st.binary(max_size=70), max_size=8))
def test_pieces_hash_like_the_whole(pieces: list[bytes]) -> None:
    running = AesMmo()
    for piece in pieces:
        assert running.update(piece) is running
    assert running.digest() == aes_mmo(b"".join(pieces)) == running.digest()


@pytest.mark.parametrize("octets", range(8176, 8210))
def test_pieces_hash_like_the_whole_where_the_length_field_grows(octets: int) -> None:
    message = counting(octets)
    assert AesMmo(message[:100]).update(message[100:]).digest() == aes_mmo(message)


def test_a_copy_goes_its_own_way() -> None:
    first = AesMmo(b"abc")
    second = first.copy().update(b"def")
    assert first.digest() == aes_mmo(b"abc")
    assert second.digest() == aes_mmo(b"abcdef")
