from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.crypto.ccm import CcmKey
from emulator.crypto.mmo import key_transport_key, verify_key_hash
from emulator.errors import FrameError, SecurityError
from emulator.stack.aps.commands import (
    ApsCommand,
    ConfirmKey,
    RemoveDevice,
    RequestKey,
    SwitchKey,
    TransportApplicationKey,
    TransportNetworkKey,
    TransportTrustCentreKey,
    Tunnel,
    UpdateDevice,
    VerifyKey,
    decode_command,
)
from emulator.stack.aps.frames import decode_header
from emulator.stack.aps.security import KEY_DATA, KEY_TRANSPORT, decode_aux, seal, seal_extended, unseal
from emulator.stack.primitives import JoinKind

eui64s = st.integers(0, 2**64 - 1)
keys = st.binary(min_size=16, max_size=16)
octet = st.integers(0, 0xFF)

commands = st.one_of(
    st.builds(TransportNetworkKey, keys, octet, eui64s, eui64s),
    st.builds(TransportApplicationKey, keys, eui64s, st.booleans()),
    st.builds(TransportTrustCentreKey, keys, eui64s, eui64s),
    st.builds(UpdateDevice, eui64s, st.integers(0, 0xFFFF), st.sampled_from(JoinKind)),
    st.builds(RemoveDevice, eui64s),
    st.builds(RequestKey, st.none() | eui64s),
    st.builds(SwitchKey, octet),
    st.builds(Tunnel, eui64s, st.binary(max_size=60)),
    st.builds(VerifyKey, eui64s, keys),
    st.builds(ConfirmKey, octet, eui64s),
)

# Transport-Key of a real join, from the NET2 capture of zigbee-on-host (fact sheet, protocol 4.1).
ALLIANCE_KEY = b"ZigBeeAlliance09"
CAPTURED_NSDU = bytes.fromhex(
    "216a3006500100f99905feff504b80de473c64b569cac62c72ac2ffd682f57590baa2b6f1e0306f824a5a90358b26c8e68e6e8a75aff"
)
COORDINATOR_EUI64 = 0x804B50FFFE0599F9
DEVICE_EUI64 = 0xA4C1386D9B280FDF
NETWORK_KEY = bytes.fromhex("01030507090b0d0f00020406080a0c0d")


@given(commands)
def test_commands_survive_a_round_trip(command: ApsCommand) -> None:
    assert decode_command(command.encode()) == command


@given(st.binary(max_size=40))
def test_any_octets_are_a_command_or_a_frame_error(octets: bytes) -> None:
    with suppress(FrameError):
        decode_command(octets)


@pytest.mark.parametrize(
    ("command", "octets"),
    [
        (SwitchKey(1), "0901"),
        (RequestKey(None), "0804"),
        (RequestKey(2), "08020200000000000000"),
        (ConfirmKey(0, DEVICE_EUI64), "100004df0f289b6d38c1a4"),
        (
            VerifyKey(DEVICE_EUI64, verify_key_hash(ALLIANCE_KEY)),
            "0f04df0f289b6d38c1a41ab128df1639a1246aaba72a6a559124",
        ),
        (UpdateDevice(2, 0x1234, JoinKind.UNSECURED_JOIN), "060200000000000000341201"),
        (RemoveDevice(2), "070200000000000000"),
    ],
)
def test_commands_are_the_octets_of_captures(command: ApsCommand, octets: str) -> None:
    assert command.encode().hex() == octets


def test_a_captured_transport_key_opens_under_the_key_transport_key() -> None:
    header = decode_header(CAPTURED_NSDU)
    aux = decode_aux(CAPTURED_NSDU, header.length)
    assert (aux.key_id, aux.source_eui64, aux.frame_counter) == (KEY_TRANSPORT, COORDINATOR_EUI64, 0x00015006)
    cipher = CcmKey(key_transport_key(ALLIANCE_KEY))
    command = decode_command(unseal(cipher, aux, COORDINATOR_EUI64, CAPTURED_NSDU, header.length))
    assert command == TransportNetworkKey(NETWORK_KEY, 0, DEVICE_EUI64, COORDINATOR_EUI64)


def test_a_captured_transport_key_is_rebuilt_octet_for_octet() -> None:
    cipher = CcmKey(key_transport_key(ALLIANCE_KEY))
    command = TransportNetworkKey(NETWORK_KEY, 0, DEVICE_EUI64, COORDINATOR_EUI64)
    rebuilt = seal_extended(
        cipher, KEY_TRANSPORT, 0x00015006, COORDINATOR_EUI64, b"\x21\x6a", command.encode()
    )
    assert rebuilt == CAPTURED_NSDU


@given(keys, eui64s, st.integers(0, 2**32 - 1), st.binary(max_size=70), st.booleans())
def test_sealed_frames_open_again_and_only_unchanged(
    key: bytes, source: int, counter: int, payload: bytes, extended: bool
) -> None:
    cipher = CcmKey(key)
    header = b"\x20\x01\x02\x07\x09\x01\x01\x07"
    frame = (seal_extended if extended else seal)(cipher, KEY_DATA, counter, source, header, payload)
    aux = decode_aux(frame, 8)
    assert (aux.frame_counter, aux.source_eui64) == (counter, source if extended else None)
    assert len(frame) == 8 + (17 if extended else 9) + len(payload)
    assert unseal(cipher, aux, source, frame, 8) == payload
    spoilt = frame[:-1] + bytes((frame[-1] ^ 1,))
    with pytest.raises(SecurityError):
        unseal(cipher, aux, source, spoilt, 8)


@pytest.mark.parametrize("octets", ["2000", "20000000000102"])
def test_an_auxiliary_header_cut_short_names_the_offset(octets: str) -> None:
    with pytest.raises(FrameError, match="offset 0"):
        decode_aux(bytes.fromhex(octets), 0)
