from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from emulator.smart_energy.ota.file import OtaElement, OtaHeader, OtaTag, build, pack
from emulator.smart_energy.ota.integrity import with_integrity_code
from firmware_catalog.cli import register
from firmware_catalog.errors import CatalogError
from tests.ota_samples import ota_sample

AT = ("--at", "2026-03-01")
EVIDENCE = (
    *("--evidence", "Field record 17", "--evidence-date", "2019-03-01"),
    *("--evidence-where", "East Midlands", "--evidence-count", "41000"),
)


def smets1(*words: object) -> int:
    parser = argparse.ArgumentParser(prog="smets1")
    register(parser.add_subparsers())
    options = parser.parse_args([str(word) for word in ("catalog", *words)])
    status: int = options.handler(options)
    return status


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SMETS1_CATALOGUE", raising=False)
    plain = build(OtaHeader(0x1002, 0x0E01, 2), (OtaElement(OtaTag.UPGRADE_IMAGE, b"firmware"),))
    path = tmp_path / "meter.ota"
    path.write_bytes(pack(with_integrity_code(plain)))
    return path


def test_add_makes_the_catalogue_and_says_whether_a_dormant_meter_may_have_the_image(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smets1("add", file, "--supplier", "S", *AT) == 0
    assert "may not go to a dormant meter yet: evidence of prior field use" in capsys.readouterr().out
    assert smets1("add", file, "--supplier", "S", *EVIDENCE, "--evidence-document", file, *AT) == 0
    assert "may go to a dormant meter" in capsys.readouterr().out
    assert (file.parent / "catalogue.keys" / "root-1.pem").is_file()


def test_list_and_show_tell_what_was_added(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smets1("add", file, "--supplier", "S", "--model", "m", "--from-version", "0x1", *EVIDENCE, *AT)
    capsys.readouterr()
    assert smets1("list", *AT) == 0
    line = capsys.readouterr().out
    assert "0x1002/0x0E01 version 0x00000002" in line
    assert "known/used" in line
    assert smets1("show", line.split()[0], *AT) == 0
    shown = capsys.readouterr().out
    assert "41000 devices, East Midlands, 2019-03-01" in shown
    assert "may follow     0x00000001" in shown


def test_json_is_complete(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smets1("add", file, "--supplier", "S", "--json", *AT)
    added = json.loads(capsys.readouterr().out)
    assert added["missing_for_dormant"] == ["evidence of prior field use"]
    smets1("list", "--json", *AT)
    assert json.loads(capsys.readouterr().out) == [added]
    smets1("show", added["id"], "--json", *AT)
    assert json.loads(capsys.readouterr().out) == added
    smets1("check", file, "--json")
    assert json.loads(capsys.readouterr().out)["accepted"] is True


def test_check_refuses_with_status_1_and_the_reason(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert smets1("check", file) == 0
    file.write_bytes(file.read_bytes().replace(b"firmware", b"Firmware"))
    assert smets1("check", file) == 1
    assert "refused: the integrity code does not match the content" in capsys.readouterr().out


def test_an_empty_catalogue_says_how_to_fill_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CatalogError, match="smets1 catalog add"):
        smets1("list", *AT)
    assert smets1("add", file, "--supplier", "S", "--catalogue", "other", *AT) == 0
    assert smets1("refresh", "--catalogue", "other", "--at", "2027-03-02") == 0
    assert smets1("list", "--catalogue", "other", "--at", "2028-01-01") == 0


def test_evidence_details_without_a_reference_are_refused(file: Path) -> None:
    with pytest.raises(CatalogError, match="expected --evidence TEXT as well"):
        smets1("add", file, "--supplier", "S", "--evidence-count", "3", *AT)
    with pytest.raises(CatalogError, match="expected 1 or more devices"):
        smets1("add", file, "--supplier", "S", "--evidence", "x", "--evidence-count", "0", *AT)
    assert not (file.parent / "catalogue").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--evidence-date", "March"], "expected a date such as 2019-03-01"),
        (["--from-version", "1.2.0"], "expected a 32-bit OTA version"),
        (["--at", "noon"], "expected a time such as"),
    ],
)
def test_a_wrong_option_says_what_is_expected(
    file: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        smets1("add", file, "--supplier", "S", *words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("start", "verdict"),
    [
        ("10F2", "accepted: well formed, and its integrity code is right"),
        ("128b", "accepted: well formed, and its integrity code is right"),
        ("152F", "accepted: well formed; its signature is not verified here"),
        ("Emi", "accepted: well formed, and its integrity code is right"),
        ("SAL2", "accepted: well formed; it carries neither integrity code nor signature"),
        ("ct-clamp", "accepted: well formed; it carries neither integrity code nor signature"),
        ("gfi", "accepted: GBCS layout"),
    ],
)
def test_every_public_sample_gets_its_verdict_for_the_right_reason(
    capsys: pytest.CaptureFixture[str], start: str, verdict: str
) -> None:
    path = ota_sample(start)
    assert smets1("check", path) == 0
    assert f"{path.name}: {verdict}" in capsys.readouterr().out
