from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.errors import FrameError
from emulator.smart_energy.ota.file import MAGIC, OtaHeader, pack
from emulator.smart_energy.ota.signature import FirmwareTrust, build_signed
from firmware_catalog.inspection import inspect

AUTHORITY = IssuingAuthority.from_seed(Suite.SUITE_1, b"test")
TRUST = FirmwareTrust(Suite.SUITE_1, AUTHORITY.issuer, AUTHORITY.public_key, (5,))
SIGNED = pack(build_signed(OtaHeader(1, 2, 3), b"firmware", AUTHORITY.issue(5)))


def test_a_signature_is_described_without_an_authority_and_verified_with_one() -> None:
    assert "not verified" in inspect(SIGNED).findings[-1].text
    looked = inspect(SIGNED, [TRUST])
    assert looked.findings[-1].code == "signature-verified"
    assert looked.accepted


def test_a_signature_of_another_authority_is_a_reason_to_refuse() -> None:
    other = IssuingAuthority.from_seed(Suite.SUITE_1, b"other", b"ANOTHER!")
    trust = FirmwareTrust(Suite.SUITE_1, other.issuer, other.public_key, (5,))
    assert inspect(SIGNED, [trust]).verdict.startswith("refused: OTA file 0x0001/0x0002")


@pytest.mark.parametrize("place", [100, 65])
def test_an_altered_file_is_refused(place: int) -> None:
    altered = SIGNED[:place] + bytes([SIGNED[place] ^ 1]) + SIGNED[place + 1 :]
    assert not inspect(altered, [TRUST]).accepted


@given(st.binary(max_size=120).map(lambda tail: MAGIC + tail) | st.binary(max_size=50))
def test_any_octets_get_a_verdict_or_a_frame_error(data: bytes) -> None:
    try:
        looked = inspect(data)
    except FrameError:
        return
    assert looked.verdict.startswith(("accepted: ", "refused: "))
