"""Install codes; vectors of the public test suites named in the protocol fact sheet, section 3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.crypto.install_code import (
    crc16_x25,
    install_code_link_key,
    parse_install_code,
    with_crc,
)
from emulator.errors import CryptoError

CODES = [
    ("83FED3407A93", "2B70", "CD4FA064773F46941EC986C09963D1A8"),
    ("1122334455667788", "4AF7", "41618FC0C83B0E14A589954B16E31466"),
    ("83FED3407A939738", "C552", "A833A77434F3BFBD7A7AB97942149287"),
    ("966B9F3EF98AE605", "9708", "CA48267EF8A76B6B4091044190B4FAF1"),
    ("7A939723A5C639B269161802", "819B", "F93903721685FD329D26849B90F2959A"),
    ("83FED3407A939723A5C639B26916D505", "C3B5", "66B6900981E1EE3CA4206B6B861C02BB"),
    ("83FED3407A939723A5C639B269161802", "AEBB", "333C23686079468EB27BA24BD9C7E564"),
]
LENGTHS = st.sampled_from([6, 8, 12, 16])


@pytest.mark.parametrize(("code", "crc", "key"), CODES)
def test_published_codes_give_their_link_keys(code: str, crc: str, key: str) -> None:
    parsed = parse_install_code(code + crc)
    assert parsed.code.hex().upper() == code
    assert parsed.crc.hex().upper() == crc
    assert parsed.link_key.hex().upper() == key
    assert install_code_link_key(bytes.fromhex(code + crc)) == parsed.link_key


@pytest.mark.parametrize(("code", "crc", "key"), CODES)
def test_a_code_stated_to_lack_its_crc_gets_it(code: str, crc: str, key: str) -> None:
    assert parse_install_code(code, crc_present=False).octets.hex().upper() == code + crc


def test_crc_check_value() -> None:
    assert crc16_x25(b"123456789") == 0x906E


@pytest.mark.parametrize(
    "text",
    ["83FE D340 7A93 2B70", "83:fe:d3:40:7a:93:2b:70", "83-FE-D3-40-7A-93-2B-70", " 83fed3407a932b70\n"],
)
def test_labels_are_read_with_their_separators(text: str) -> None:
    assert parse_install_code(text).code.hex() == "83fed3407a93"


def test_a_wrong_crc_is_named_with_the_one_expected() -> None:
    with pytest.raises(CryptoError, match=r"83FED3407A93: CRC 2B71 is wrong, expected 2B70"):
        parse_install_code("83FED3407A932B71")


def test_eight_octets_are_six_and_crc_and_the_other_reading_is_offered() -> None:
    with pytest.raises(CryptoError, match=r"112233445566: CRC 7788 is wrong.*full code 11223344556677884AF7"):
        parse_install_code("1122334455667788")


@pytest.mark.parametrize("code", ["83FED3407A93", "7A939723A5C639B269161802"])
def test_a_missing_crc_is_pointed_out(code: str) -> None:
    with pytest.raises(CryptoError, match="without its CRC"):
        parse_install_code(code)


@pytest.mark.parametrize("text", ["", "83FED3407A932B7", "83FED3407A932B7G", "install code", "83" * 20, "83"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(CryptoError, match="install code"):
        parse_install_code(text)


@pytest.mark.parametrize("octets", [0, 5, 7, 10, 18])
def test_no_crc_for_codes_of_other_lengths(octets: int) -> None:
    with pytest.raises(CryptoError, match="expected 6, 8, 12 or 16"):
        with_crc(bytes(octets))


@given(LENGTHS.flatmap(lambda octets: st.binary(min_size=octets, max_size=octets)))
def test_round_trip(code: bytes) -> None:
    assert parse_install_code(with_crc(code).hex("-")).code == code


@given(LENGTHS.flatmap(lambda octets: st.binary(min_size=octets, max_size=octets)), st.data())
def test_no_single_mistyped_digit_goes_unnoticed(code: bytes, data: st.DataObject) -> None:
    octets = bytearray(with_crc(code))
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] ^= data.draw(st.sampled_from([0x0F, 0xF0, 0x01, 0x80, 0x30]))
    with pytest.raises(CryptoError):
        install_code_link_key(bytes(octets))
