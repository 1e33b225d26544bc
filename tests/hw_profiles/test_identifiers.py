from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_profiles.errors import ProfileError
from hw_profiles.identifiers import (
    distributor_id,
    install_code_crc,
    mpan_check_digit,
    mprn_check_digits,
    parse_eui64_text,
    parse_install_code,
    parse_mpan,
    parse_mprn,
)

# Check digits of dd0000123456, DCC facts 5.4.
MPAN_VECTORS = {
    10: 7,
    11: 1,
    12: 6,
    13: 0,
    14: 5,
    15: 0,
    16: 4,
    17: 9,
    18: 3,
    19: 8,
    20: 0,
    21: 4,
    22: 9,
    29: 0,
}


@pytest.mark.parametrize(("distributor", "digit"), MPAN_VECTORS.items())
def test_mpan_check_digits(distributor: int, digit: int) -> None:
    assert mpan_check_digit(f"{distributor}0000123456") == digit
    assert distributor_id(parse_mpan(f"{distributor}0000123456{digit}")) == distributor


@pytest.mark.parametrize("mpan", ["1312345678111", "1312345678222", "1312345678333"])
def test_the_dccs_own_template_mpans_fail_the_check(mpan: str) -> None:
    with pytest.raises(ProfileError, match="check digit"):
        parse_mpan(mpan)


@pytest.mark.parametrize("mprn", ["3938424403", "1234567810", "7400000108", "7512345604"])
def test_mprn_check_digits(mprn: str) -> None:
    assert parse_mprn(mprn) == mprn


@pytest.mark.parametrize("text", ["393842440", "393842440x", "3938424404", "12", ""])
def test_a_wrong_mprn_is_refused(text: str) -> None:
    with pytest.raises(ProfileError, match="MPRN"):
        parse_mprn(text)


@given(st.text("0123456789", min_size=12, max_size=12), st.integers(0, 11), st.integers(1, 9))
def test_a_changed_mpan_digit_is_nearly_always_seen(first: str, place: int, change: int) -> None:
    changed = first[:place] + str((int(first[place]) + change) % 10) + first[place + 1 :]
    # The weights are prime to 11, so the sums differ modulo 11; only the fold of 10 to 0 can hide it.
    same = mpan_check_digit(first) == mpan_check_digit(changed)
    assert not same or mpan_check_digit(first) == 0


@given(st.text("0123456789", min_size=4, max_size=9))
def test_a_computed_mprn_parses(body: str) -> None:
    assert parse_mprn(body + mprn_check_digits(body)) == body + mprn_check_digits(body)


def test_eui64_in_the_dccs_form() -> None:
    assert parse_eui64_text("00-DB-12-34-56-78-90-A0") == 0x00DB1234567890A0
    with pytest.raises(ProfileError, match="EUI-64"):
        parse_eui64_text("00DB1234567890A0")


def test_install_code_crc_is_crc16_x25() -> None:
    assert install_code_crc(b"123456789") == bytes.fromhex("6e90")
    # 12-octet code of the zigpy test suite.
    assert install_code_crc(bytes.fromhex("7a939723a5c639b269161802")) == bytes.fromhex("819b")


@given(st.sampled_from([6, 8, 12, 16]).flatmap(lambda size: st.binary(min_size=size, max_size=size)))
def test_a_code_with_its_crc_parses_and_one_bit_off_does_not(code: bytes) -> None:
    whole = code + install_code_crc(code)
    assert parse_install_code(whole.hex("-")) == whole
    with pytest.raises(ProfileError, match="CRC"):
        parse_install_code((whole[:-1] + bytes([whole[-1] ^ 1])).hex())


@pytest.mark.parametrize("text", ["", "xyz", "0102", "01020304050607"])
def test_what_is_no_install_code_is_refused(text: str) -> None:
    with pytest.raises(ProfileError, match="install code"):
        parse_install_code(text)
