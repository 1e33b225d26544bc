"""The NPDU codec against captured frames and against itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.crypto.ccm import CcmKey, nonce
from emulator.errors import CryptoError, FrameError, SecurityError
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.nwk.frame import (
    AUX_OCTETS,
    DATA,
    VERSION,
    AuxHeader,
    NwkHeader,
    pack_aux,
    pack_header,
    unpack_aux,
    unpack_header,
)
from emulator.stack.nwk.security import NwkSecurity
from tests.vectors import vectors

shorts = st.integers(0, 0xFFFF)
octets = st.integers(0, 0xFF)
eui64s = st.none() | st.integers(0, (1 << 64) - 1)


@st.composite
def headers(draw: st.DrawFn) -> NwkHeader:
    relays = draw(st.none() | st.lists(shorts, max_size=8).map(tuple))
    index = draw(st.integers(0, max(0, len(relays) - 1))) if relays is not None else 0
    fields = NwkHeader(
        draw(st.sampled_from([0, 1, 3])) | VERSION | draw(st.sampled_from([0, 0x40, 0x200, 0x240, 0x2000])),
        draw(shorts),
        draw(shorts),
        draw(octets),
        draw(octets),
        draw(eui64s),
        draw(eui64s),
        draw(st.none() | octets),
        index,
        relays,
    )
    return unpack_header(pack_header(fields))[0]


@given(headers(), st.binary(max_size=30))
def test_a_header_survives_packing_with_every_option(header: NwkHeader, payload: bytes) -> None:
    packed = pack_header(header)
    assert unpack_header(packed + payload) == (header, len(packed))


@given(st.binary(max_size=60))
def test_any_octets_are_a_header_or_a_frame_error(octets: bytes) -> None:
    try:
        header, offset = unpack_header(octets)
    except FrameError:
        return
    assert offset <= len(octets)
    assert pack_header(header) == octets[:offset]


@given(octets, st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1))
def test_an_auxiliary_header_survives_packing(sequence: int, counter: int, eui64: int) -> None:
    aux = AuxHeader(0x28, counter, eui64, sequence)
    assert unpack_aux(b"\xff" + pack_aux(aux), 1) == aux


def test_other_protocol_versions_and_short_frames_are_refused() -> None:
    with pytest.raises(FrameError, match="version 2"):
        unpack_header(bytes(8))
    with pytest.raises(FrameError, match="5 octets"):
        unpack_header(bytes(5))
    with pytest.raises(FrameError, match="offset 8"):
        unpack_header(bytes.fromhex("0912fdff8fa101c3df0f289b6d38c1"))
    with pytest.raises(FrameError, match="expected 14"):
        unpack_aux(bytes(13), 0)
    with pytest.raises(FrameError, match="0x20"):
        unpack_aux(b"\x20" + bytes(13), 0)


def test_a_source_route_index_outside_its_list_is_refused() -> None:
    header = NwkHeader(DATA | VERSION, 1, 2, 30, 0, relays=(3,), relay_index=1)
    with pytest.raises(FrameError, match="index 1 of 1"):
        pack_header(header)
    packed = bytearray(pack_header(header._replace(relay_index=0)))
    packed[9] = 4
    with pytest.raises(FrameError, match="index 4 of 1"):
        unpack_header(bytes(packed))


# Capture NET2_DEVICE_LEAVE_BROADCAST of zigbee-on-host's test data (MIT), NPDU only.
LEAVE = bytes.fromhex("0912fdff8fa101c3df0f289b6d38c1a428cb820000df0f289b6d38c1a40051cb508ebdc6")
LEAVE_KEY = bytes.fromhex("01030507090b0d0f00020406080a0c0d")


def security(source: int, key: bytes, sequence: int, counter: int) -> NwkSecurity:
    made = NwkSecurity(source, MemoryNonVolatile())
    made.set_key(key, sequence, activate=True)
    made.frame_counter = counter
    return made


def rebuild(npdu: bytes, key: bytes) -> bytes:
    """Decode, decrypt, re-encode and re-encrypt a captured NPDU."""
    header, offset = unpack_header(npdu)
    aux = unpack_aux(npdu, offset)
    payload, _ = security(0, key, aux.key_sequence, 0).open(npdu, offset)
    again = security(aux.source_eui64, key, aux.key_sequence, aux.frame_counter)
    return again.protect(pack_header(header), payload)


def test_a_captured_frame_decrypts_and_rebuilds_byte_for_byte() -> None:
    payload, aux = security(0, LEAVE_KEY, 0, 0).open(LEAVE, 16)
    assert payload == b"\x04\x00"
    assert (aux.frame_counter, aux.source_eui64) == (0x82CB, 0xA4C1386D9B280FDF)
    assert rebuild(LEAVE, LEAVE_KEY) == LEAVE


def test_every_captured_frame_decodes_decrypts_and_rebuilds() -> None:
    captured = [frame for frame in vectors("frames")["frames_captured"] if "nwk" in frame]
    assert len(captured) > 20
    for frame in captured:
        npdu = bytes.fromhex(frame["frame_with_2_fcs_placeholder"])[9:-2]
        header, offset = unpack_header(npdu)
        expected = frame["nwk"]
        assert header.frame_control == int(expected["fc"], 16), frame["name"]
        assert header.source == int(expected["src"], 16)
        assert pack_header(header) == npdu[:offset]
        if not header.secured:
            assert npdu[offset:].hex() == frame["nwk_plaintext"]
            continue
        key = bytes.fromhex(frame["network_key"])
        payload, aux = security(0, key, npdu[offset + AUX_OCTETS - 1], 0).open(npdu, offset)
        assert payload.hex() == frame["nwk_plaintext"], frame["name"]
        assert aux.frame_counter == int(expected["secfc"], 16)
        assert rebuild(npdu, key) == npdu


def test_every_synthetic_frame_decrypts_and_rebuilds() -> None:
    sets = vectors("frames")
    key = bytes.fromhex(sets["frames_synthetic_smart_energy"]["network_key"])
    frames = [frame["frame"] for frame in sets["frames_synthetic_commands"]["frames"]]
    frames += sets["frames_synthetic_smart_energy"]["frames"]
    secured = 0
    for text in frames:
        mpdu = bytes.fromhex(text)
        if mpdu[:2] not in (b"\x41\x88", b"\x61\x88"):
            continue
        header, _ = unpack_header(mpdu[9:])
        if header.secured:
            secured += 1
            assert rebuild(mpdu[9:], key) == mpdu[9:]
    assert secured > 60


def test_ccm_star_known_answer() -> None:
    """Vector of killerbee's test_zigbee_crypt.py (BSD)."""
    key = CcmKey(bytes(range(16)))
    nonce_octets = bytes(range(13))
    sealed = key.encrypt(nonce_octets, bytes(4), bytes.fromhex("01020304"))
    assert sealed.hex() == "1736b78cfce0ce86"
    assert key.decrypt(nonce_octets, bytes(4), sealed) == bytes.fromhex("01020304")


@given(st.binary(max_size=90), st.binary(max_size=40), st.integers(0, 200))
def test_ccm_star_refuses_any_altered_octet(payload: bytes, aad: bytes, where: int) -> None:
    key = CcmKey(bytes(range(16)))
    n = nonce(1, 2, 0x28)
    sealed = bytearray(key.encrypt(n, aad, payload))
    assert key.decrypt(n, aad, bytes(sealed)) == payload
    sealed[where % len(sealed)] ^= 1
    with pytest.raises(SecurityError):
        key.decrypt(n, aad, bytes(sealed))


def test_ccm_star_nonce_has_the_level_restored_and_keys_are_sixteen_octets() -> None:
    assert nonce(1, 2, 0x28).hex() == "0100000000000000" + "02000000" + "2d"
    with pytest.raises(CryptoError, match="15 octets"):
        CcmKey(bytes(15))
    with pytest.raises(SecurityError):
        CcmKey(bytes(16)).decrypt(bytes(13), b"", b"abc")
