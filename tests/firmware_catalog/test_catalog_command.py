from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emulator.smart_energy.ota.file import OtaElement, OtaHeader, OtaTag, build, pack
from emulator.smart_energy.ota.integrity import with_integrity_code
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.cli import register
from firmware_catalog.errors import CatalogError
from firmware_catalog.signing import Keys
from tests.firmware_catalog.forger import Forger
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


@pytest.mark.parametrize("stray", ["/dev/zero", "pipe", "loop", ".", "absent", "notes.txt", "large"])
def test_one_file_that_cannot_be_checked_does_not_hide_what_is_found_in_the_others(
    file: Path, capsys: pytest.CaptureFixture[str], stray: str
) -> None:
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    Path("notes.txt").write_text("no firmware")
    with Path("large").open("wb") as large:
        large.truncate(1 << 34)
    Path("damaged.ota").write_bytes(file.read_bytes()[:-1])
    assert smets1("check", stray, file, stray, "damaged.ota") == 2
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert [line.split(": ")[:2] for line in lines] == [
        [stray, "not checked"],
        [str(file), "accepted"],
        [stray, "not checked"],
        ["damaged.ota", "refused"],
    ]
    assert smets1("check", stray, file, "--json") == 2
    unread, read = json.loads(capsys.readouterr().out)
    assert (unread["file"], unread["accepted"], read["accepted"]) == (stray, False, True)
    assert smets1("check", file, "damaged.ota") == 1


def test_check_without_files_looks_into_those_of_the_catalogue(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = file.parent / "catalogue"
    Catalogue.create(home, now=datetime(2026, 3, 1, tzinfo=UTC), seed="published").add(file, "A")
    assert smets1("check", *AT) == 0
    assert "meter.ota: accepted: well formed, and its integrity code is right" in capsys.readouterr().out
    Forger(home, "published").claims("supplier-a", lambda custom: custom.update(version=3))
    assert smets1("check", *AT) == 2
    said = capsys.readouterr().out
    assert "signed as version 0x00000003, but the file's header says 0x00000002" in said


def test_a_record_so_wrong_that_the_catalogue_is_refused_for_it_can_be_withdrawn(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smets1("add", file, "--supplier", "A", *AT)
    added = capsys.readouterr().out.split()[1]
    keys = Keys(folder=Path("catalogue.keys"))
    path = Forger(Path("catalogue"), keys).claims("supplier-a", lambda custom: custom.pop("models"))
    for words in (["list"], ["add", file, "--supplier", "A"]):
        with pytest.raises(CatalogError, match="sign it again or withdraw it"):
            smets1(*words, *AT)
    assert smets1("withdraw", path, *AT) == 0
    assert f"withdrew {path}" in capsys.readouterr().out
    assert smets1("add", file, "--supplier", "A", *AT) == 0
    assert smets1("withdraw", added, "--json", *AT) == 0
    capsys.readouterr()
    assert smets1("list", "--json", *AT) == 0
    assert json.loads(capsys.readouterr().out) == []
    for name in (added, path, added[:7]):
        with pytest.raises(CatalogError, match="no image called"):
            smets1("withdraw", name, *AT)


def test_the_digest_that_an_installation_pins_is_printed(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smets1("add", file, "--supplier", "S", *AT)
    root = hashlib.sha256(Path("catalogue/metadata/1.root.json").read_bytes()).hexdigest()
    added = capsys.readouterr().out
    assert f"root {root}: pin it in installation.toml as catalogue_root_sha256" in added
    smets1("show", added.split()[1], *AT)
    assert root in capsys.readouterr().out
    smets1("list", "--json", *AT)
    assert json.loads(capsys.readouterr().out)[0]["catalogue_root_sha256"] == root


def test_an_older_state_put_back_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    smets1("add", file, "--supplier", "S", *AT)
    shutil.copytree("catalogue", "old")
    smets1("add", file, "--supplier", "T", *AT)
    assert smets1("list", *AT) == 0
    shutil.rmtree("catalogue")
    shutil.copytree("old", "catalogue")
    for words in (
        ("list",),
        ("show", "12345678"),
        ("check",),
        ("add", file, "--supplier", "U"),
        ("refresh",),
    ):
        with pytest.raises(
            CatalogError, match=r"older than it was seen before \(timestamp version 2, seen 3"
        ):
            smets1(*words, *AT)


def test_a_piped_list_cuts_no_identifier(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    models = [f"a-model-with-a-name-that-goes-on-and-on-{number}" for number in range(3)]
    supplier = "Supplier of a long name " * 2
    words = [word for model in models for word in ("--model", model)]
    smets1("add", file, "--supplier", supplier, *words, *AT)
    capsys.readouterr()
    smets1("list", *AT)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(f"{', '.join(models)}  {supplier}")


def test_a_destination_is_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alone = OtaHeader(0x1002, 0x0E01, 2, destination=0x00DB1234567890A1)
    file.write_bytes(pack(build(alone, (OtaElement(OtaTag.UPGRADE_IMAGE, b"firmware"),))))
    assert smets1("check", file) == 0
    assert "for one device only: 00-DB-12-34-56-78-90-A1" in capsys.readouterr().out
    smets1("add", file, "--supplier", "S", "--json", *AT)
    added = json.loads(capsys.readouterr().out)
    assert added["destination"] == "00-DB-12-34-56-78-90-A1"
    smets1("show", added["id"], *AT)
    assert "destination    00-DB-12-34-56-78-90-A1" in capsys.readouterr().out


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
