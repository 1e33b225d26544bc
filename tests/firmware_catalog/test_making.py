"""Images made for tests are what was asked for: well formed, signed, of another version, or wrong in one way."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.smart_energy.ota.file import OtaHeader, OtaTag, parse
from emulator.smart_energy.ota.signature import FirmwareTrust, verify_signature
from firmware_catalog.errors import CatalogError
from firmware_catalog.inspection import inspect
from firmware_catalog.making import ISSUER, SIGNER, bump, corrupted, cut_short, synthesize, too_long
from tests.firmware_catalog.test_catalog_command import smets1

HEADER = OtaHeader(0x1002, 0x0E01, 2)
SUITES = [None, Suite.SUITE_1, Suite.SUITE_2]


@pytest.mark.parametrize("suite", SUITES)
def test_a_made_image_is_well_formed_and_its_version_can_be_raised(suite: Suite | None) -> None:
    made = synthesize(HEADER, 300, seed="x", suite=suite)
    assert made == synthesize(HEADER, 300, seed="x", suite=suite)
    raised = bump(made, 3, seed="x")
    for data, version in ((made, 2), (raised, 3)):
        looked = inspect(data)
        assert looked.accepted
        assert looked.coverage is not None
        assert looked.file.header.file_version == version
        if suite is not None:
            authority = IssuingAuthority.from_seed(suite, b"x/firmware", ISSUER)
            trust = FirmwareTrust(suite, ISSUER, authority.public_key, (SIGNER,))
            assert verify_signature(looked.file, suite, [trust]) == SIGNER
    assert parse(raised).element(OtaTag.UPGRADE_IMAGE) == parse(made).element(OtaTag.UPGRADE_IMAGE)


def test_each_fault_is_the_one_asked_for() -> None:
    made = synthesize(HEADER, 300, seed="x")
    assert "integrity code does not match" in str(inspect(corrupted(made, 100)).refused_because)
    assert "1 are missing" in str(inspect(cut_short(made, 1)).refused_because)
    assert inspect(too_long(made, 4)).file.trailing == bytes(4)


@pytest.mark.parametrize("amount", [-1, 0, 1 << 30])
def test_an_amount_that_makes_no_sense_is_refused(amount: int) -> None:
    made = synthesize(HEADER, 300, seed="x")
    for make in (cut_short, too_long):
        with pytest.raises(CatalogError, match="octets = "):
            make(made, amount)
    with pytest.raises(CatalogError, match="offset = "):
        corrupted(made, amount or len(made))
    with pytest.raises(CatalogError, match="octets = "):
        synthesize(HEADER, amount, seed="x")


def test_what_cannot_be_made_anew_is_refused() -> None:
    with pytest.raises(CatalogError, match="no identifier"):
        bump(b"text", 3, seed="x")
    with pytest.raises(CatalogError, match="its body is no sub-elements"):
        bump(cut_short(synthesize(HEADER, 300, seed="x"), 1), 3, seed="x")


def test_the_commands_write_what_check_then_judges(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first.ota", tmp_path / "second.ota"
    code = ("--manufacturer", "0x1002", "--type", "0x0E01", "--version", "0x2", "--octets", 300)
    assert smets1("synth", *code, "--suite", 1, "--out", first) == 0
    assert smets1("check", first) == 0
    assert smets1("bump", first, "--version", "0x3", "--corrupt", 80, "--out", second) == 0
    assert smets1("check", second) == 1
    assert "0x1002/0x0E01 version 0x00000003" in capsys.readouterr().out
    with pytest.raises(CatalogError, match="32 ASCII characters"):
        smets1("synth", *code, "--text", "x" * 33, "--out", first)
