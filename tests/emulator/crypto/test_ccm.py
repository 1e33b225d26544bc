"""CCM* at security level 5 (ZigBee PRO annex A and 4.3.1): the nonce, the known answer, and every refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.crypto.ccm import KEY_OCTETS, MIC_OCTETS, CcmKey, nonce
from emulator.errors import CryptoError, SecurityError

KEY = bytes.fromhex("01030507090b0d0f00020406080a0c0d")
NONCE = nonce(0x00DB000000000001, 7, 0x28)


@pytest.mark.parametrize(
    ("source", "counter", "control", "octets"),
    [
        (0, 0, 0x00, "00000000000000000000000005"),
        (0x804B50FFFE0599F9, 0x0065301A, 0x28, "f99905feff504b801a3065002d"),
        (1, 0xFFFFFFFF, 0x2D, "0100000000000000ffffffff2d"),
        (1, 1, 0x20, "01000000000000000100000025"),
        (1, 1, 0x30, "01000000000000000100000035"),
        (1, 1, 0x38, "0100000000000000010000003d"),
    ],
)
def test_the_nonce_is_source_counter_and_control_with_its_level_restored(
    source: int, counter: int, control: int, octets: str
) -> None:
    # 4.3.1.1: the level bits are zero on the air and 5 in the nonce.
    assert nonce(source, counter, control).hex() == octets


@pytest.mark.parametrize("octets", [0, 15, 17, 32])
def test_a_key_of_another_length_is_refused(octets: int) -> None:
    with pytest.raises(CryptoError, match=rf"^AES-CCM\* key of {octets} octets: expected {KEY_OCTETS}$"):
        CcmKey(bytes(octets))


@given(st.binary(max_size=40), st.binary(max_size=100))
def test_what_is_encrypted_decrypts_and_is_four_octets_longer(aad: bytes, payload: bytes) -> None:
    key = CcmKey(KEY)
    secured = key.encrypt(NONCE, aad, payload)
    assert len(secured) == len(payload) + MIC_OCTETS
    assert key.decrypt(NONCE, aad, secured) == payload


@given(st.binary(min_size=1, max_size=40), st.binary(max_size=40), st.data())
def test_one_bit_changed_anywhere_fails_the_integrity_check(
    aad: bytes, payload: bytes, data: st.DataObject
) -> None:
    key = CcmKey(KEY)
    parts = {
        "nonce": bytearray(NONCE),
        "aad": bytearray(aad),
        "secured": bytearray(key.encrypt(NONCE, aad, payload)),
    }
    part = parts[data.draw(st.sampled_from(sorted(parts)))]
    part[data.draw(st.integers(0, len(part) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SecurityError, match="fail the integrity check"):
        key.decrypt(bytes(parts["nonce"]), bytes(parts["aad"]), bytes(parts["secured"]))


@pytest.mark.parametrize("octets", range(MIC_OCTETS + 1))
def test_too_few_octets_to_hold_a_code_are_forged_not_a_crash(octets: int) -> None:
    with pytest.raises(SecurityError, match=rf"^CCM\*: {octets} octets fail the integrity check$"):
        CcmKey(KEY).decrypt(NONCE, b"header", bytes(octets))


def test_another_key_opens_nothing() -> None:
    secured = CcmKey(KEY).encrypt(NONCE, b"header", b"payload")
    with pytest.raises(SecurityError, match="integrity"):
        CcmKey(bytes(16)).decrypt(NONCE, b"header", secured)


def test_the_captured_device_announcement_decrypts() -> None:
    # A Device_annce of the public zigbee-on-host capture NET2, with the network key of that capture.
    npdu = bytes.fromhex(
        "0802fdff8fa11e1b28cc820000df0f289b6d38c1a40064f9f0b0bbdc55e02482917e903855baba56d579337383aa"
    )
    header, auxiliary, secured = npdu[:8], npdu[8:22], npdu[22:]
    clear = CcmKey(KEY).decrypt(
        nonce(0xA4C1386D9B280FDF, 0x82CC, auxiliary[0]), header + b"\x2d" + auxiliary[1:], secured
    )
    assert clear[-11:] == bytes.fromhex("8fa1df0f289b6d38c1a48e")
