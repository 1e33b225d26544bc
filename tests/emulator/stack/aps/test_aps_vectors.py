"""Every frame of tests/vectors/frames.json: captured and synthetic ones are read, and rebuilt octet for octet."""

from __future__ import annotations

import pytest

from emulator.crypto.ccm import CcmKey, nonce
from emulator.crypto.mmo import key_load_key, key_transport_key
from emulator.errors import SecurityError
from emulator.stack.aps.commands import decode_command
from emulator.stack.aps.frames import FRAME_COMMAND, FRAME_TYPE_MASK, SECURED, decode_header
from emulator.stack.aps.security import (
    KEY_DATA,
    KEY_LOAD,
    KEY_TRANSPORT,
    decode_aux,
    seal,
    seal_extended,
    unseal,
)
from tests.vectors import vectors

EUI64 = {0x0000: 1, 0x1234: 2, 0x5678: 3}


def nsdu_of(frame: bytes, network_key: CcmKey) -> tuple[int, bytes] | None:
    """Return (source, NSDU) of a NWK data frame in a MAC data frame with short addresses."""
    if frame[0] & 7 != 1 or len(frame) < 17:
        return None
    npdu = frame[9:]
    control = int.from_bytes(npdu[:2], "little")
    source = int.from_bytes(npdu[4:6], "little")
    offset = 8 + 8 * (control >> 11 & 1) + 8 * (control >> 12 & 1)
    if control & 3 or control >> 10 & 1:
        return None
    if not control >> 9 & 1:
        return source, npdu[offset:]
    counter, eui64 = int.from_bytes(npdu[offset + 1 : offset + 5], "little"), npdu[offset + 5 : offset + 13]
    aad = npdu[:offset] + b"\x2d" + npdu[offset + 1 : offset + 14]
    plain = network_key.decrypt(
        nonce(int.from_bytes(eui64, "little"), counter, 0x2D), aad, npdu[offset + 14 :]
    )
    return source, plain


def ciphers(link_keys: list[bytes]) -> dict[int, list[CcmKey]]:
    return {
        KEY_DATA: [CcmKey(key) for key in link_keys],
        KEY_TRANSPORT: [CcmKey(key_transport_key(key)) for key in link_keys],
        KEY_LOAD: [CcmKey(key_load_key(key)) for key in link_keys],
    }


def check(source: int, nsdu: bytes, keys: dict[int, list[CcmKey]]) -> bool:
    """Read a frame; a secured one must open under one of the keys and be rebuilt alike. True when it was secured."""
    header = decode_header(nsdu)
    payload = nsdu[header.length :]
    secured = bool(header.frame_control & SECURED)
    if secured:
        aux = decode_aux(nsdu, header.length)
        eui64 = aux.source_eui64 if aux.source_eui64 is not None else EUI64[source]
        for cipher in keys[aux.key_id]:
            try:
                payload = unseal(cipher, aux, eui64, nsdu, header.length)
            except SecurityError:
                continue
            build = seal if aux.source_eui64 is None else seal_extended
            rebuilt = build(cipher, aux.key_id, aux.frame_counter, eui64, nsdu[: header.length], payload)
            assert rebuilt == nsdu
            break
        else:
            pytest.fail(f"no key opens {nsdu.hex()}")
    if header.frame_control & FRAME_TYPE_MASK == FRAME_COMMAND:
        command = decode_command(payload)
        assert command.encode() == payload
    return secured


@pytest.mark.parametrize("part", ["frames_synthetic_smart_energy", "frames_synthetic_commands"])
def test_synthetic_frames_are_read_and_rebuilt(part: str) -> None:
    data = vectors("frames")
    keys = data["frames_synthetic_smart_energy"]
    network_key = CcmKey(bytes.fromhex(keys["network_key"]))
    link = ciphers([bytes.fromhex(keys[name]) for name in ("link_key", "cbke1_key", "cbke2_key")])
    results = []
    for frame in data[part]["frames"]:
        octets = bytes.fromhex(frame if isinstance(frame, str) else frame["frame"])
        found = nsdu_of(octets, network_key)
        if found is not None:
            results.append(check(*found, link))
    assert len(results) > 20
    assert sum(results) >= 2


def test_captured_frames_are_read_and_rebuilt() -> None:
    data = vectors("frames")
    link = ciphers([bytes.fromhex(data["frames_captured_tc_link_key"])])
    results = []
    for vector in data["frames_captured"]:
        plain = bytes.fromhex(vector.get("nwk_plaintext", ""))
        if "aps" in vector and plain:
            results.append(check(0, plain, link))
    assert len(results) > 10
    assert sum(results) >= 3
