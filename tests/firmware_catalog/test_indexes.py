"""Indexes of zigpy and Zigbee2MQTT: read, held against the files, and marked as signed by nobody."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from emulator.smart_energy.ota.file import OtaHeader
from firmware_catalog.errors import CatalogError
from firmware_catalog.indexes import read_index
from firmware_catalog.making import synthesize
from firmware_catalog.provision import Image
from tests.firmware_catalog.test_catalog_command import smets1

AT = ("--at", "2026-03-01")
DATA = synthesize(OtaHeader(0x1002, 0x0E01, 2), 100, seed="x")
ZIGPY = {
    "binary_url": "https://example.org/a/meter%20two.ota",
    "file_version": 2,
    "file_size": len(DATA),
    "image_type": 0x0E01,
    "manufacturer_id": 0x1002,
    "checksum": f"sha3-256:{hashlib.sha3_256(DATA).hexdigest()}",
    "manufacturer_names": [],
    "changelog": "",
}
Z2M = {
    "fileName": "meter two.ota",
    "fileVersion": 2,
    "fileSize": len(DATA),
    "url": "https://example.org/a/meter%20two.ota",
    "imageType": 0x0E01,
    "manufacturerCode": 0x1002,
    "sha512": hashlib.sha512(DATA).hexdigest(),
}


def index(folder: Path, document: Any) -> Path:
    path = folder / "index.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "meter two.ota").write_bytes(DATA)
    return folder


@pytest.mark.parametrize("document", [{"firmwares": [ZIGPY]}, [Z2M]], ids=["zigpy", "zigbee2mqtt"])
def test_an_image_of_either_format_is_staged_as_signed_by_nobody(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], document: Any
) -> None:
    smets1("init", *AT)
    smets1("supplier", "add", "S", *AT)
    path = index(tmp_path, document)
    assert smets1("import", path, "--files", files, "--supplier", "S", "--publish", *AT) == 0
    assert "staged 1 images of an unsigned index; 0 have no file" in capsys.readouterr().out
    smets1("list", "--json", *AT)
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["provenance"] == "unsigned index index.json: https://example.org/a/meter%20two.ota"
    assert "no evidence of prior field use is known" in entry["missing_for_dormant"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sha512": "0" * 128}, "its sha512 is not the one of the index"),
        ({"fileSize": 5}, "the index says 5"),
        ({"imageType": 1}, "which is not what the index says"),
    ],
)
def test_a_file_that_is_not_what_the_index_says_is_refused(
    files: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    (listed,) = read_index(index(tmp_path, [{**Z2M, **change}]))
    with pytest.raises(CatalogError, match=words):
        listed.require(Image.read(files / "meter two.ota"))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "expected a list of images"),
        ([5], "Zigbee2MQTT entry 0: expected a table"),
        ([{**Z2M, "imageType": "x"}], "image_type = 'x'"),
        ([{**Z2M, "sha512": None}], "checksum: missing"),
        ({"firmwares": [{**ZIGPY, "checksum": "md5:00"}]}, "zigpy entry 0: checksum"),
        ({"firmwares": [{**ZIGPY, "binary_url": 5}]}, "url = 5"),
    ],
)
def test_a_malformed_index_is_refused_by_entry_and_field(tmp_path: Path, document: Any, words: str) -> None:
    with pytest.raises(CatalogError, match=words):
        read_index(index(tmp_path, document))


def test_what_is_no_json_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(CatalogError, match="not JSON"):
        read_index(tmp_path / "index.json")
