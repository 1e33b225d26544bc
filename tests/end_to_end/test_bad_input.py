"""Input that cannot be used: one line that says what to do, a documented status, nothing half-written."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.command.main import main
from harness.examples import make_images
from tests.end_to_end.quick_scenario import Replacement, catalogue, changed, image, variant

Spoil = Callable[[Path], tuple[str | Path, ...]]
"""Given a copy of the quick home's folder, spoil it; returns more arguments of the command."""


class Case(NamedTuple):
    """One kind of bad input, the exit status, and what the complaint must say."""

    name: str
    spoil: Spoil
    status: int
    says: tuple[str, ...]


def _installation(*replacements: Replacement) -> Spoil:
    def spoil(home: Path) -> tuple[str | Path, ...]:
        path = home / "installation.toml"
        path.write_text(changed(path.read_text(), replacements))
        return ()

    return spoil


def _in_sequence(*replacements: Replacement) -> Spoil:
    def spoil(home: Path) -> tuple[str | Path, ...]:
        path = home / "sequence.toml"
        path.write_text(changed(path.read_text(), replacements))
        return ()

    return spoil


def _image_of(name: str, change: Callable[[bytes], bytes]) -> Spoil:
    def spoil(home: Path) -> tuple[str | Path, ...]:
        path = home / "given.ota"
        path.write_bytes(change(image(name)))
        return ("--image", path)

    return spoil


def _missing_image(home: Path) -> tuple[str | Path, ...]:
    return ("--image", home / "nowhere.ota")


def _without_approval(home: Path) -> tuple[str | Path, ...]:
    files = tuple((home / "images").iterdir())
    path = home / "installation.toml"
    shutil.rmtree(home / "catalogue")
    shutil.rmtree(home / "catalogue.keys", ignore_errors=True)
    root = catalogue(home / "catalogue", files, approved=False)
    text = re.sub(r'(?m)^catalogue_root_sha256 = ".*"', f'catalogue_root_sha256 = "{root}"', path.read_text())
    path.write_text(text)
    given = home / "given.ota"
    given.write_bytes(image("gsme-1.4.0"))
    return ("--image", given)


def _tampered_metadata(home: Path) -> tuple[str | Path, ...]:
    path = home / "catalogue" / "metadata" / "timestamp.json"
    path.write_bytes(re.sub(rb'"expires": ?"20', b'"expires": "21', path.read_bytes()))
    return ()


def _tampered_target(home: Path) -> tuple[str | Path, ...]:
    target = next((home / "catalogue" / "targets").rglob("*0601-01040000*"))
    octets = bytearray(target.read_bytes())
    octets[3000] ^= 1
    target.write_bytes(octets)
    return ()


def _missing_target(home: Path) -> tuple[str | Path, ...]:
    next((home / "catalogue" / "targets").rglob("*0601-01040000*")).unlink()
    return ()


def _foreign_image(home: Path) -> tuple[str | Path, ...]:
    known = next(item for item in make_images.IMAGES if item.name == "gsme-1.4.0")
    path = home / "given.ota"
    odd = known._replace(image_type=0x1234, octets=3000)
    path.write_bytes(make_images.make(odd, make_images.firmware_signer()[1]))
    return ("--image", path)


def _no_catalogue(home: Path) -> tuple[str | Path, ...]:
    shutil.rmtree(home / "catalogue")
    return ()


def _other_authority(home: Path) -> tuple[str | Path, ...]:
    _installation(('issuer = "52-45-48-45-41-52-46-57"', 'issuer = "52-45-48-45-41-52-46-58"'))(home)
    return _image_of("gsme-1.4.0", lambda data: data)(home)


CASES = (
    Case("malformed-toml", _installation(("[wan]", "[wan")), 2, ("installation.toml", "line")),
    Case("not-toml-at-all", lambda home: _overwrite(home, b"\xff\xfe\x00"), 2, ("installation.toml",)),
    Case("empty-file", lambda home: _overwrite(home, b""), 2, ("installation.toml",)),
    Case(
        "unknown-key",
        _installation(("dormant = true", 'dormant = true\ncolour = "red"')),
        2,
        ("installation.toml", "colour"),
    ),
    Case("wrong-type", _installation(("channel = 15", 'channel = "15"')), 2, ("network.channel", "15")),
    Case("out-of-range", _installation(("channel = 15", "channel = 27")), 2, ("network.channel", "27", "26")),
    Case(
        "unknown-model",
        _installation(('"generic-gas-meter"', '"acme-9000"')),
        2,
        ("acme-9000",),
    ),
    Case(
        "model-of-another-kind",
        _installation(('"generic-gas-meter"', '"generic-electricity-meter"')),
        2,
        ("devices[2].model", "GSME"),
    ),
    Case("mpan-check-digit", _installation(("1400001234565", "1400001234566")), 2, ("mpan", "1400001234566")),
    Case("mprn-check-digits", _installation(("3938424403", "3938424404")), 2, ("mprn", "3938424404")),
    Case(
        "install-code-crc",
        _installation(("BF7B185E227B4178CBFCD9C41285B611511E", "BF7B185E227B4178CBFCD9C41285B611511F")),
        2,
        ("install_code", "BF7B185E227B4178CBFCD9C41285B611511F", "CRC"),
    ),
    Case(
        "unknown-firmware", _installation(('firmware = "1.1.0"', 'firmware = "9.9.9"')), 2, ("9.9.9", "1.1.0")
    ),
    Case(
        "unknown-target", _in_sequence(('target = "gas"', 'target = "attic"')), 2, ("sequence.toml", "attic")
    ),
    Case("no-epcl", _installation(('epcl = "epcl.toml"', 'epcl = "none.toml"')), 2, ("none.toml",)),
    Case("no-catalogue", _no_catalogue, 2, ("catalogue",)),
    Case("tampered-catalogue-metadata", _tampered_metadata, 2, ("catalogue", "timestamp")),
    Case("tampered-catalogue-target", _tampered_target, 2, ("0x0601", "0x01040000", "signed")),
    Case("missing-catalogue-target", _missing_target, 2, ("0601-01040000",)),
    Case(
        "another-catalogue-root",
        _installation(('catalogue_root_sha256 = "', 'catalogue_root_sha256 = "' + "0" * 64 + '" #')),
        2,
        ("root",),
    ),
    Case(
        "image-for-another-device",
        _foreign_image,
        2,
        ("given.ota", "0x1234", "gas", "0x1002"),
    ),
    Case("truncated-image", _image_of("gsme-1.4.0", lambda data: data[:-100]), 2, ("given.ota",)),
    Case("image-of-nothing", _image_of("gsme-1.4.0", lambda data: b""), 2, ("given.ota",)),
    Case("no-image-at-all", _image_of("gsme-1.4.0", lambda data: b"MZ" * 900), 2, ("given.ota",)),
    Case(
        "image-altered",
        _image_of("gsme-1.4.0", lambda data: data[:2000] + bytes((data[2000] ^ 1,)) + data[2001:]),
        2,
        ("given.ota", "altered"),
    ),
    Case("unknown-issuer", _other_authority, 2, ("given.ota", "52-45-48-45-41-52-46-57")),
    Case(
        "image-without-approval",
        _without_approval,
        2,
        ("given.ota", "nobody other than its provider", "smets1 catalog approve"),
    ),
    Case(
        "image-skips-a-mandatory-hop",
        _image_of("esme-2.0.0", lambda data: data),
        2,
        ("given.ota", "cannot go there in one step", "0x01020000"),
    ),
    Case(
        "image-leaves-a-meter-on-unlisted-firmware",
        _image_of("esme-1.2.0", lambda data: data),
        2,
        ("given.ota", "electricity", "unlisted firmware", "RC-0001"),
    ),
    Case(
        "misspelt-attribute",
        _in_sequence(('name = "update_period"\nvalue', 'name = "udpate_period"\nvalue')),
        2,
        ("sequence.toml: steps[1].name", "udpate_period", "did you mean update_period?"),
    ),
    Case(
        "value-of-another-type",
        _in_sequence(("value = 10\n", 'value = "10"\n')),
        2,
        ("sequence.toml: steps[1].value", "'10'", "0 to 255"),
    ),
    Case(
        "value-out-of-range",
        _in_sequence(("value = 0x0600", "value = 0x2000")),
        2,
        ("sequence.toml: steps[6].value", "8192", "0 to 5947"),
    ),
    Case(
        "configuration-of-another-type",
        _installation(
            ('name = "electricity"', 'name = "electricity"\nconfiguration = { update_period = "abc" }')
        ),
        2,
        ("devices[1].configuration.update_period", "'abc'", "0 to 255"),
    ),
    Case(
        "no-supplier-certificate-ever",
        _installation(('supplier_certificates = "before-cut-off"', 'supplier_certificates = "never"')),
        2,
        ("authorisation.supplier_certificates", "never", "before-cut-off"),
    ),
    Case(
        "supplier-with-the-address-of-another-party",
        _installation(("90-B3-D5-1F-30-01-00-00", "90-B3-D5-1F-30-02-00-00")),
        2,
        ("suppliers.responsible", "the DNO"),
    ),
    Case(
        "clock-outside-the-certificates",
        _installation(("2026-03-02T08:00:00Z", "2034-12-01T08:00:00Z")),
        2,
        ("start", "2034-12-01", "2025-01-01"),
    ),
    Case(
        "power-cuts-that-overlap",
        _installation(
            (
                'firmware = "1.1.0"\n',
                'firmware = "1.1.0"\nfaults = [ { name = "power_cut", at_s = 100, parameters = { off_s = 100 } }, '
                '{ name = "power_cut", at_s = 150, parameters = { off_s = 10 } } ]\n',
            )
        ),
        2,
        ("devices[2].faults[1]", "power_cut", "until 200 s"),
    ),
    Case("missing-image", _missing_image, 2, ("nowhere.ota",)),
    Case(
        "unknown-radio",
        lambda home: ("--radio", "carrier-pigeon:"),
        2,
        ("--radio", "carrier-pigeon:", "inproc:"),
    ),
    Case(
        "radio-not-rehearsed",
        lambda home: ("--radio", "serial:/dev/ttyX"),
        2,
        ("--radio", "serial:/dev/ttyX"),
    ),
    Case("bad-seed", lambda home: ("--seed", "minus one"), 2, ("--seed", "minus one", "whole number")),
    Case("no-model-folder", lambda home: ("--models", home / "nowhere"), 2, ("nowhere",)),
)


def _overwrite(home: Path, octets: bytes) -> tuple[str | Path, ...]:
    (home / "installation.toml").write_bytes(octets)
    return ()


def one_line(complaint: str) -> str:
    """Return the complaint, checked to be a single line in the command's form without a traceback."""
    assert complaint.count("\n") == 1, complaint
    assert complaint.startswith("smets1: error: "), complaint
    assert "Traceback" not in complaint
    assert "defect" not in complaint
    return complaint


def run(*arguments: str | Path) -> int:
    """Run the command here; a usage error ends it with its status too."""
    try:
        return main([*map(str, arguments)])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else -1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_refused_before_anything_is_written(
    case: Case, quick_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = variant(quick_home, tmp_path / "home")
    arguments = case.spoil(path.parent)
    status = run("run", path, "--out", tmp_path / "runs" / "run", *arguments)
    complaint = one_line(capsys.readouterr().err)
    print(complaint)
    assert status == case.status
    for said in case.says:
        assert said in complaint
    assert sorted(item.name for item in tmp_path.iterdir()) == ["home"]


def test_everything_that_stands_against_a_run_is_said_a_line_each(
    quick_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = variant(quick_home, tmp_path / "home", ('name = "Rehearsal S', 'name = "R'))
    _installation(('signers = ["00-DB-12-34-56-78-9F-01"]', 'signers = ["00-DB-12-34-56-78-9F-02"]'))(
        path.parent
    )
    _in_sequence(("value = 10\n", "value = 300\n"))(path.parent)
    assert run("run", path, "--out", tmp_path / "runs" / "run") == 2
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 4
    assert all(line.startswith("smets1: error: ") for line in complaint.splitlines())
    assert complaint.count("is not on the device's list") == 3
    assert "steps[1].value = 300" in complaint
    assert sorted(item.name for item in tmp_path.iterdir()) == ["home"]
    assert run("check", path) == 2
    assert capsys.readouterr().out.count("refused ") == 4


@pytest.mark.parametrize("folder", [".", "..", "/"])
def test_a_run_folder_needs_a_name(
    folder: str,
    quick_home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("run", quick_home, "--out", folder) == 2
    assert "expected the name of a folder" in one_line(capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_prints_each_devices_hops_and_target(
    quick_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", quick_home, "--dry-run", "--out", tmp_path / "run") == 0
    shown = capsys.readouterr().out
    assert "1.0.0 \u2192 1.2.0 \u2192 2.0.0, target 2.0.0" in shown
    assert "1.1.0 \u2192 1.4.0, target 1.4.0" in shown
    assert "stays on 1.0.0" in shown
