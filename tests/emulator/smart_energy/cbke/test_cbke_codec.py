"""Commands of the Key Establishment cluster as octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.errors import CryptoError, FrameError
from emulator.smart_energy.cbke.codec import (
    Initiate,
    Terminate,
    best_common_suite,
    check_confirmation,
    check_ephemeral,
    decode_initiate,
    decode_terminate,
)
from emulator.smart_energy.cbke.cryptography import ComputeSecrets, HostCryptography


def test_initiate_of_annex_c_5_2_1() -> None:
    certificate = bytes(48)
    payload = bytes.fromhex("01000306") + certificate
    assert decode_initiate(payload) == Initiate(1, 3, 6, certificate)
    assert Initiate(1, 3, 6, certificate).encode() == payload


@given(st.binary(max_size=90))
def test_an_initiate_round_trips_or_is_refused(payload: bytes) -> None:
    if len(payload) < 4 or 0xFF in payload[2:4]:
        with pytest.raises(FrameError, match="CBKE Initiate"):
            decode_initiate(payload)
    else:
        assert decode_initiate(payload).encode() == payload


@given(st.binary(max_size=6))
def test_a_terminate_round_trips_or_is_refused(payload: bytes) -> None:
    if len(payload) != 4:
        with pytest.raises(FrameError, match="CBKE Terminate"):
            decode_terminate(payload)
    else:
        assert decode_terminate(payload).encode() == payload


def test_terminate_has_status_wait_time_and_suites() -> None:
    assert Terminate(4, 30, 3).encode() == bytes.fromhex("041e0300")


@pytest.mark.parametrize(("suite", "octets"), [(Suite.SUITE_1, 22), (Suite.SUITE_2, 37)])
def test_ephemeral_data_has_the_length_of_a_point(suite: Suite, octets: int) -> None:
    assert check_ephemeral(suite, bytes(octets)) == bytes(octets)
    with pytest.raises(FrameError, match=f"expected {octets}"):
        check_ephemeral(suite, bytes(octets + 1))


def test_a_confirmation_has_sixteen_octets() -> None:
    assert check_confirmation(bytes(16)) == bytes(16)
    with pytest.raises(FrameError, match="15 octets, expected 16"):
        check_confirmation(bytes(15))


@pytest.mark.parametrize(
    ("own", "partner", "best"),
    [
        (3, 3, Suite.SUITE_2),
        (3, 1, Suite.SUITE_1),
        (2, 3, Suite.SUITE_2),
        (1, 2, None),
        (0, 3, None),
        (7, 4, None),
    ],
)
def test_the_highest_common_suite_is_chosen(own: int, partner: int, best: Suite | None) -> None:
    assert best_common_suite(own, partner) is best


class NoNumbers:
    def randrange(self, start: int, stop: int) -> int:
        raise AssertionError("no number was to be drawn")


def test_a_provider_needs_identities_of_one_device() -> None:
    one = IssuingAuthority.from_seed(Suite.SUITE_1, b"codec")
    two = IssuingAuthority.from_seed(Suite.SUITE_2, b"codec")
    assert HostCryptography([one.issue(1), two.issue(1)], NoNumbers()).suites == 3
    with pytest.raises(CryptoError, match="different devices"):
        HostCryptography([one.issue(1), two.issue(2)], NoNumbers())
    for identities in ([], [one.issue(1), one.issue(2)]):
        with pytest.raises(CryptoError, match="one identity for each suite"):
            HostCryptography(identities, NoNumbers())


def test_secrets_need_an_ephemeral_key_first() -> None:
    identity = IssuingAuthority.from_seed(Suite.SUITE_1, b"codec").issue(1)
    provider = HostCryptography([identity], NoNumbers())
    with pytest.raises(CryptoError, match="before an ephemeral key"):
        provider.perform(ComputeSecrets(Suite.SUITE_1, True, identity.certificate, bytes(22)))
