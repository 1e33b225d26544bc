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
from firmware_catalog.command import register
from firmware_catalog.errors import CatalogError
from firmware_catalog.signing import Keys
from tests.firmware_catalog.forger import Forger
from tests.ota_samples import ota_sample

AT = ("--at", "2026-03-01")


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


@pytest.fixture
def made(file: Path) -> Path:
    """A catalogue of the supplier S and an approver, Board, with nothing in it."""
    smets1("init", *AT)
    smets1("supplier", "add", "S", *AT)
    smets1("party", "add", "Board", "--kind", "approver", "--publish", *AT)
    return file


def added(file: Path, *words: object, supplier: str = "S") -> str:
    """Add an image and publish it; returns its id."""
    smets1("add", file, "--supplier", supplier, *words, "--publish", *AT)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def vouched(id: str) -> int:
    return smets1(
        *("vouch", id, "--by", "S", "--reference", "Field record 17", "--since", "2019-03-01"),
        *("--where", "East Midlands", "--count", "41000", "--publish", *AT),
    )


def test_an_image_goes_to_a_dormant_meter_once_it_is_vouched_for_and_approved(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    id = added(made, "--model", "m", "--from-version", "0x1", "--provenance", "mail of 1 March")

    def standing() -> str:
        capsys.readouterr()
        smets1("show", id[:8], *AT)
        return capsys.readouterr().out

    assert (
        "may not go to a dormant meter: no evidence of prior field use is known; nobody other" in standing()
    )
    assert vouched(id[:8]) == 0
    assert "may not go to a dormant meter: nobody other than its provider has approved it" in standing()
    smets1("approve", id, "--by", "Board", "--reference", "Minute 12", "--publish", *AT)
    shown = standing()
    assert "dormant        may go to a dormant meter of its supplier" in shown
    assert "count 41000" in shown
    assert "may follow     0x00000001" in shown
    assert "provenance     mail of 1 March" in shown
    smets1("list", *AT)
    assert "dormant: yes" in capsys.readouterr().out
    smets1("withdraw", id, "--by", "S", "--reason", "meters stop", "--publish", *AT)
    assert "withdrawn by S on 2026-03-01: meters stop" in standing()


def test_what_is_staged_is_seen_by_nobody_until_it_is_signed_and_published(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smets1("add", made, "--supplier", "S", *AT)
    assert "supplier-s.1002 version 1: 1 of 1 signatures, ready to publish" in capsys.readouterr().out
    smets1("list", "--json", *AT)
    assert json.loads(capsys.readouterr().out) == []
    assert smets1("publish", *AT) == 0
    assert "published supplier-s, supplier-s.1002" in capsys.readouterr().out
    assert smets1("publish", *AT) == 0
    assert "nothing is staged" in capsys.readouterr().out
    assert not Path("catalogue/staged").exists()


def test_supplier_and_operator_need_nothing_of_each_others_keys(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        smets1("key", "S", "--kind", "supplier", "--out", "at-s", "--number", number)
    smets1("init", "--keys", "at-operator", *AT)
    publics = [word for number in (1, 2) for word in ("--public-key", f"at-s/supplier-s-{number}.pub")]
    smets1("supplier", "add", "S", *publics, "--threshold", 2, "--keys", "at-operator", *AT)
    with pytest.raises(CatalogError, match=r"staged role supplier-s: 0 of 2 signatures"):
        smets1("publish", "--keys", "at-operator", *AT)
    smets1("sign", "--keys", "at-s", *AT)
    smets1("publish", "--keys", "at-operator", *AT)
    smets1("add", file, "--supplier", "S", "--keys", "at-operator", *AT)
    capsys.readouterr()
    smets1("sign", "--keys", "at-operator", "--json", *AT)
    assert [each["signatures"] for each in json.loads(capsys.readouterr().out)] == [0, 0]
    with pytest.raises(CatalogError, match=r"0 of 2 signatures; sign it with `smets1 catalog sign`"):
        smets1("publish", "--keys", "at-operator", *AT)
    smets1("sign", "--keys", "at-s", *AT)
    with pytest.raises(CatalogError, match="signing key of role snapshot: not there"):
        smets1("publish", "--keys", "at-s", *AT)
    assert smets1("publish", "--keys", "at-operator", *AT) == 0
    assert smets1("verify", *AT) == 0


def test_new_keys_of_a_supplier_are_published_with_what_they_sign_again(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    added(made)
    smets1("key", "S", "--kind", "supplier", "--out", "new")
    capsys.readouterr()
    smets1("supplier", "add", "S", "--public-key", "new/supplier-s.pub", *AT)
    said = capsys.readouterr().out
    assert "supplier-s version 3: 0 of 1 signatures, to be signed where its keys are" in said
    assert "supplier-s.1002 version 2: 0 of 1 signatures" in said
    everybody = ("--keys", "catalogue.keys", "--keys", "catalogue.parties", "--keys", "new")
    assert smets1("publish", *everybody, *AT) == 0
    assert smets1("verify", *AT) == 0
    with pytest.raises(CatalogError, match=r"staged role supplier-s: 0 of 1"):
        vouched(hashlib.sha256(made.read_bytes()).hexdigest())


def test_a_manufacturers_own_key_signs_its_images(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smets1("key", "M", "--kind", "supplier", "--out", "at-m")
    key = ("--public-key", "at-m/supplier-m.pub", "--manufacturer", "0x1002")
    smets1("supplier", "add", "S", *key, *AT)
    smets1("add", made, "--supplier", "S", *AT)
    with pytest.raises(CatalogError, match=r"staged role supplier-s.1002: 0 of 1"):
        smets1("publish", *AT)
    smets1("sign", "--keys", "at-m", *AT)
    assert smets1("publish", *AT) == 0


def test_verify_reads_every_file_and_says_what_dormant_meters_miss(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    id = added(made)
    vouched(id)
    capsys.readouterr()
    assert smets1("verify", "--json", *AT) == 0
    (missing,) = json.loads(capsys.readouterr().out)["missing_for_dormant"].values()
    assert missing == ["nobody other than its provider has approved it"]
    (document,) = Path("catalogue/targets/supplier-s/statements").iterdir()
    document.write_text(document.read_text().replace("41000", "41001"))
    with pytest.raises(CatalogError, match="the stored file is not the one that was signed"):
        smets1("verify", *AT)


def test_diff_says_what_a_newer_state_has_otherwise(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree("catalogue", "old")
    id = added(made)
    vouched(id)
    capsys.readouterr()
    assert smets1("diff", "catalogue", "--catalogue", "old", *AT) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[0] for line in lines] == ["+", "+"]
    assert "image 0x1002/0x0E01 version 0x00000002" in lines[0]
    assert f"evidence of {id[:12]} by S, 2026-03-01" in lines[1]
    smets1("diff", "catalogue", *AT)
    assert capsys.readouterr().out == "no difference\n"


VOUCH = "vouch ID --by {} --reference x --since 2019-01-01 --where x --count {}"
WAIVE = "waive ID --by Board --installation 12 --lift approval --until 2026-04-01 --reason x"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (VOUCH.format("T", 1), "no role supplier-t"),
        ("approve ID --by S --reference x", "no role approver-s"),
        ("approve 12345678 --by Board --reference x", "not in catalogue"),
        (VOUCH.format("S", 0), "count = 0"),
        (WAIVE, "an MPAN of 13 digits"),
    ],
)
def test_what_nobody_may_say_is_not_staged(made: Path, words: str, message: str) -> None:
    id = added(made)
    with pytest.raises(CatalogError, match=message):
        smets1(*(id if word == "ID" else word for word in words.split()), *AT)
    assert not Path("catalogue/staged").exists()


def test_json_is_complete(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    smets1("add", made, "--supplier", "S", "--publish", "--json", *AT)
    published = json.loads(capsys.readouterr().out)
    smets1("list", "--json", *AT)
    (listed,) = json.loads(capsys.readouterr().out)
    assert (published["id"], published["path"]) == (listed["id"], listed["path"])
    smets1("show", listed["id"], "--json", *AT)
    assert json.loads(capsys.readouterr().out) == listed
    assert listed["verification"] == "integrity-code"
    smets1("check", made, "--json")
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
    Forger(home, "published").claims("supplier-a.1002", lambda custom: custom.update(version=3))
    assert smets1("check", *AT) == 2
    said = capsys.readouterr().out
    assert "signed as version 0x00000003, but the file itself says 0x00000002" in said


def test_a_record_so_wrong_that_the_catalogue_is_refused_for_it_can_be_removed(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    id = added(made)
    keys = Keys((Path("catalogue.keys"), Path("catalogue.parties")))
    path = Forger(Path("catalogue"), keys).claims("supplier-s.1002", lambda custom: custom.pop("models"))
    for words in (["list"], ["add", made, "--supplier", "S"]):
        with pytest.raises(CatalogError, match="sign it again or withdraw it"):
            smets1(*words, *AT)
    assert smets1("remove", path, "--publish", *AT) == 0
    assert f"removed {path}" in capsys.readouterr().out
    assert added(made) == id
    assert smets1("remove", id[:12], "--json", "--publish", *AT) == 0
    capsys.readouterr()
    assert smets1("list", "--json", *AT) == 0
    assert json.loads(capsys.readouterr().out) == []
    for name in (id, path, id[:7]):
        with pytest.raises(CatalogError, match="no target called"):
            smets1("remove", name, *AT)


def test_the_digest_that_an_installation_pins_is_printed(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smets1("init", *AT)
    root = hashlib.sha256(Path("catalogue/metadata/1.root.json").read_bytes()).hexdigest()
    assert f"root {root}: pin it in installation.toml as catalogue_root_sha256" in capsys.readouterr().out
    smets1("supplier", "add", "S", *AT)
    smets1("show", added(file)[:8], *AT)
    assert root in capsys.readouterr().out
    smets1("list", "--json", *AT)
    assert json.loads(capsys.readouterr().out)[0]["catalogue_root_sha256"] == root


def test_an_older_state_put_back_is_refused(
    made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    shutil.copytree("catalogue", "old")
    added(made)
    assert smets1("list", *AT) == 0
    shutil.rmtree("catalogue")
    shutil.copytree("old", "catalogue")
    for words in (
        ("list",),
        ("show", "12345678"),
        ("check",),
        ("add", made, "--supplier", "S"),
        ("publish",),
        ("refresh",),
    ):
        with pytest.raises(
            CatalogError, match=r"older than it was seen before \(timestamp version 2, seen 3"
        ):
            smets1(*words, *AT)


def test_a_piped_list_cuts_no_identifier(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    models = [f"a-model-with-a-name-that-goes-on-and-on-{number}" for number in range(3)]
    supplier = "Supplier of a long name " * 2
    words = [word for model in models for word in ("--model", model)]
    smets1("supplier", "add", supplier, *AT)
    added(made, *words, supplier=supplier)
    capsys.readouterr()
    smets1("list", *AT)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(f"{', '.join(models)}  {supplier}")


def test_a_destination_is_shown(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alone = OtaHeader(0x1002, 0x0E01, 2, destination=0x00DB1234567890A1)
    made.write_bytes(pack(build(alone, (OtaElement(OtaTag.UPGRADE_IMAGE, b"firmware"),))))
    assert smets1("check", made) == 0
    assert "for one device only: 00-DB-12-34-56-78-90-A1" in capsys.readouterr().out
    smets1("show", added(made), *AT)
    assert "destination    00-DB-12-34-56-78-90-A1" in capsys.readouterr().out


def test_a_catalogue_is_made_before_it_is_filled_and_kept_fresh(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CatalogError, match="smets1 catalog init"):
        smets1("list", *AT)
    assert smets1("init", "--catalogue", "other", *AT) == 0
    with pytest.raises(CatalogError, match="no role supplier-s; add it with `smets1 catalog supplier add`"):
        smets1("add", file, "--supplier", "S", "--catalogue", "other", *AT)
    assert smets1("refresh", "--catalogue", "other", "--at", "2027-03-02") == 0
    assert smets1("list", "--catalogue", "other", "--at", "2028-01-01") == 0
    assert "the catalogue is empty" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--manufacturer", "Acme"], "expected a manufacturer code such as 0x1002"),
        (["--from-version", "1.2.0"], "expected a 32-bit OTA version"),
        (["--at", "noon"], "expected a time such as"),
    ],
)
def test_a_wrong_option_says_what_is_expected(
    file: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    verb = ("supplier", "add", "S") if "--manufacturer" in words else ("add", file, "--supplier", "S")
    with pytest.raises(SystemExit) as caught:
        smets1(*verb, *words)
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
