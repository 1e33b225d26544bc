from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulator.smart_energy.ota.file import OtaElement, OtaHeader, OtaTag, build, pack
from firmware_catalog.catalogue import Catalogue, keys_folder, parties_folder
from firmware_catalog.errors import CatalogError, CatalogStorageError
from firmware_catalog.files import write_atomically
from firmware_catalog.memory import state_folder
from firmware_catalog.parties import supplier_role
from firmware_catalog.repository import Lifetimes, exclusive
from firmware_catalog.statements import Evidence
from tests.firmware_catalog.forger import Forger

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SUPPLIER = "90-B3-D5-1F-30-01-00-00"
USED = Evidence("Field record 17", "2019-03-01", "East Midlands", 41_000)


def image(folder: Path, version: int = 2, content: bytes = b"firmware") -> Path:
    path = folder / f"image-{version}.ota"
    parts = (OtaElement(OtaTag.UPGRADE_IMAGE, content),)
    path.write_bytes(pack(build(OtaHeader(0x1002, 0x0E01, version), parts)))
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "catalogue"


@pytest.fixture
def catalogue(home: Path) -> Catalogue:
    return Catalogue.create(home, now=NOW)


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_added_image_is_found_shown_and_fetched(catalogue: Catalogue, home: Path, tmp_path: Path) -> None:
    file = image(tmp_path)
    added = catalogue.add(file, SUPPLIER, evidence=USED, models=["meter"], from_versions=[1], added_by="me")
    opened = Catalogue.open(home, now=NOW)
    assert opened.list() == (added,)
    assert opened.show(added.id[:8]) == added
    assert opened.find(0x1002, 0x0E01) == (added,)
    assert opened.find(0x1002, 0x0E01, 3) == ()
    assert opened.fetch(added.id) == file.read_bytes()
    assert [each.says for each in opened.standing(added.id).statements] == [USED]
    assert added.added == "2026-03-01T00:00:00+00:00"


def test_images_are_stored_under_their_sha256_and_keys_outside_the_repository(
    catalogue: Catalogue, home: Path, tmp_path: Path
) -> None:
    added = catalogue.add(image(tmp_path), SUPPLIER)
    (stored,) = (home / "targets").rglob("*.ota")
    assert stored.name.startswith(added.id)
    assert not list(home.rglob("*.pem"))
    keys = sorted(path.stem for path in keys_folder(home).glob("*.pem"))
    offline = [f"{role}-{number}" for role in ("root", "targets") for number in (1, 2, 3)]
    assert keys == sorted([*offline, "snapshot", "timestamp"])
    party = parties_folder(home) / supplier_role(SUPPLIER)
    assert [path.name for path in party.glob("*.pem")] == [f"{supplier_role(SUPPLIER)}.pem"]
    for folder in (keys_folder(home), party):
        assert all(path.stat().st_mode & 0o077 == 0 for path in folder.glob("*.pem"))


def test_root_needs_two_keys_of_three(home: Path, catalogue: Catalogue) -> None:
    root = json.loads((home / "metadata" / "1.root.json").read_text())
    assert root["signed"]["roles"]["root"]["threshold"] == 2
    assert len(root["signed"]["roles"]["root"]["keyids"]) == 3
    root["signatures"] = root["signatures"][:1]
    (home / "metadata" / "1.root.json").write_text(json.dumps(root))
    with pytest.raises(CatalogError, match="not trusted"):
        Catalogue.open(home, now=NOW)


def test_each_supplier_signs_with_its_own_key(catalogue: Catalogue, home: Path, tmp_path: Path) -> None:
    catalogue.add(image(tmp_path, 2), "Supplier A")
    catalogue.add(image(tmp_path, 3), "Supplier B")
    assert [entry.supplier for entry in Catalogue.open(home, now=NOW).list()] == ["Supplier A", "Supplier B"]
    # A role signed by the other supplier's key is not trusted.
    mine, other = (home / "metadata" / f"1.supplier-supplier-{letter}.json" for letter in "ab")
    mine.write_bytes(other.read_bytes())
    with pytest.raises(CatalogError, match="not trusted"):
        Catalogue.open(home, now=NOW)


def test_evidence_can_be_added_later_and_is_not_lost_by_adding_again(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    file = image(tmp_path)
    catalogue.add(file, SUPPLIER, models=["meter"])
    catalogue.add(file, SUPPLIER, evidence=USED)
    again = catalogue.add(file, SUPPLIER)
    assert catalogue.list() == (again,)
    assert again.models == ("meter",)
    assert [each.says for each in catalogue.standing(again.id).statements] == [USED]


def test_a_refused_file_changes_nothing(catalogue: Catalogue, home: Path, tmp_path: Path) -> None:
    before = _tree(tmp_path)
    file = image(tmp_path)
    file.write_bytes(file.read_bytes()[:-2])
    with pytest.raises(CatalogError, match=r"image-2\.ota: declares 70 octets but holds 68"):
        catalogue.add(file, SUPPLIER)
    file.write_bytes(b"text")
    with pytest.raises(CatalogError, match=r"image-2\.ota: OTA file: no identifier"):
        catalogue.add(file, SUPPLIER)
    file.unlink()
    with pytest.raises(CatalogError, match="cannot be read"):
        catalogue.add(file, SUPPLIER)
    assert _tree(tmp_path) == before


def test_an_altered_image_is_not_fetched(catalogue: Catalogue, home: Path, tmp_path: Path) -> None:
    added = catalogue.add(image(tmp_path), SUPPLIER)
    (stored,) = (home / "targets").rglob("*.ota")
    stored.write_bytes(stored.read_bytes().replace(b"firmware", b"Firmware"))
    with pytest.raises(CatalogError, match="not the one that was signed"):
        catalogue.fetch(added.id)


@pytest.mark.parametrize(
    "name",
    [
        "1.root.json",
        "timestamp.json",
        "2.snapshot.json",
        "2.targets.json",
        "1.supplier-90-b3-d5-1f-30-01-00-00.json",
    ],
)
def test_altered_metadata_is_not_trusted(catalogue: Catalogue, home: Path, tmp_path: Path, name: str) -> None:
    catalogue.add(image(tmp_path), SUPPLIER)
    path = home / "metadata" / name
    path.write_text(path.read_text().replace('"expires": "2', '"expires": "3', 1))
    with pytest.raises(CatalogError, match="not trusted"):
        Catalogue.open(home, now=NOW)


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "catalogues"


def _put_back(home: Path, old: Path) -> None:
    shutil.rmtree(home)
    shutil.copytree(old, home)


def test_a_roll_back_to_an_older_state_is_seen(
    catalogue: Catalogue, home: Path, tmp_path: Path, memory: Path
) -> None:
    catalogue.add(image(tmp_path, 2), SUPPLIER)
    shutil.copytree(home, tmp_path / "old")
    catalogue.add(image(tmp_path, 3), SUPPLIER)
    assert len(Catalogue.open(home, now=NOW, memory=memory).list()) == 2
    shutil.copytree(home, tmp_path / "new")
    _put_back(home, tmp_path / "old")
    with pytest.raises(CatalogError) as caught:
        Catalogue.open(home, now=NOW, memory=memory)
    said = str(caught.value)
    assert "older than it was seen before (timestamp version 2, seen 3; snapshot version 2, seen 3" in said
    assert str(memory / catalogue.root_sha256) in said
    _put_back(home, tmp_path / "new")
    assert len(Catalogue.open(home, now=NOW, memory=memory).list()) == 2


def test_an_older_supplier_under_a_newer_timestamp_is_seen(home: Path, tmp_path: Path, memory: Path) -> None:
    made = Catalogue.create(home, now=NOW, seed="published")
    made.add(image(tmp_path, 2), "A")
    made.add(image(tmp_path, 3), "A")
    Catalogue.open(home, now=NOW, memory=memory)
    Forger(home, "published").snapshot(
        lambda listed: listed["meta"].update({"supplier-a.1002.json": {"version": 1}})
    )
    with pytest.raises(CatalogError, match=r"seen before \(supplier-a.1002 version 1, seen 2\)"):
        Catalogue.open(home, now=NOW, memory=memory)


def test_what_was_seen_is_kept_for_nobody_else_and_for_each_catalogue(
    catalogue: Catalogue, home: Path, tmp_path: Path, memory: Path
) -> None:
    other = Catalogue.create(tmp_path / "other", now=NOW)
    other.add(image(tmp_path), SUPPLIER)
    for opened in (other, catalogue):
        assert Catalogue.open(opened.path, now=NOW, memory=memory).versions == opened.versions
    assert sorted(path.name for path in memory.iterdir()) == sorted(
        [catalogue.root_sha256, other.root_sha256]
    )
    kept = list(memory.rglob("*.json"))
    assert len(kept) == 6
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert {path.parent.stat().st_mode & 0o777 for path in kept} == {0o700}


def test_where_nothing_can_be_kept_a_catalogue_is_read_all_the_same(catalogue: Catalogue, home: Path) -> None:
    assert Catalogue.open(home, now=NOW, memory=Path(os.devnull) / "smets1").list() == ()


def test_a_damaged_memory_says_which(catalogue: Catalogue, home: Path, memory: Path) -> None:
    Catalogue.open(home, now=NOW, memory=memory)
    (memory / catalogue.root_sha256 / "root.json").write_text("{")
    with pytest.raises(
        CatalogError, match=r"root\.json: what was seen of the catalogue is not readable.*remove"
    ):
        Catalogue.open(home, now=NOW, memory=memory)


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/smets1/catalogues"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/smets1/catalogues"),
        ({"HOME": "/h"}, "/h/.local/state/smets1/catalogues"),
        ({}, None),
    ],
)
def test_the_state_lies_where_the_environment_says(environment: dict[str, str], folder: str | None) -> None:
    assert state_folder(environment) == (None if folder is None else Path(folder))


def test_the_versions_of_every_role_are_told(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.add(image(tmp_path), "A")
    assert catalogue.versions == {
        "root": 1,
        "timestamp": 2,
        "snapshot": 2,
        "targets": 2,
        "supplier-a": 1,
        "supplier-a.1002": 1,
    }


def test_a_frozen_catalogue_is_seen_and_can_be_refreshed(home: Path) -> None:
    lifetimes = Lifetimes(timestamp=timedelta(days=30))
    Catalogue.create(home, now=NOW, lifetimes=lifetimes)
    later = NOW + timedelta(days=31)
    with pytest.raises(CatalogError, match="smets1 catalog refresh"):
        Catalogue.open(home, now=later)
    Catalogue.open_stale(home, now=later).refresh()
    assert Catalogue.open(home, now=later).list() == ()


def test_another_catalogue_in_its_place_is_seen(catalogue: Catalogue, home: Path) -> None:
    with pytest.raises(CatalogError, match="this is another catalogue"):
        Catalogue.open(home, now=NOW, root_sha256="00" * 32)


def test_equal_seeds_and_times_make_equal_catalogues(tmp_path: Path) -> None:
    file = image(tmp_path)
    for name in ("a", "b"):
        made = Catalogue.create(tmp_path / name, now=NOW, seed="published")
        made.add(file, SUPPLIER, evidence=USED)
    assert _tree(tmp_path / "a") == _tree(tmp_path / "b")


def test_a_write_that_fails_leaves_the_old_state(
    catalogue: Catalogue, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = catalogue.add(image(tmp_path, 2), SUPPLIER)
    written: list[Path] = []

    def full_disk(path: Path, data: bytes, *, mode: int = 0o644) -> None:
        if path.name == "timestamp.json":
            raise CatalogStorageError(f"{path}: cannot be written (No space left on device)")
        written.append(path)
        write_atomically(path, data, mode=mode)

    monkeypatch.setattr("firmware_catalog.repository.write_atomically", full_disk)
    with pytest.raises(CatalogStorageError):
        catalogue.add(image(tmp_path, 3), SUPPLIER)
    assert written
    assert Catalogue.open(home, now=NOW).list() == (first,)
    monkeypatch.undo()
    assert len({entry.id for entry in (first, catalogue.add(image(tmp_path, 3), SUPPLIER))}) == 2
    assert len(Catalogue.open(home, now=NOW).list()) == 2


def test_an_atomic_write_leaves_nothing_behind_when_it_fails(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "name").mkdir()
    with pytest.raises(CatalogStorageError, match="cannot be written"):
        write_atomically(folder / "name", b"x")
    assert [path.name for path in folder.iterdir()] == ["name"]


def test_two_writers_do_not_mix(catalogue: Catalogue, home: Path, tmp_path: Path) -> None:
    with exclusive(home), pytest.raises(CatalogStorageError, match="being changed by another process"):
        catalogue.add(image(tmp_path), SUPPLIER)


def test_without_keys_a_catalogue_can_be_read_but_not_changed(
    catalogue: Catalogue, home: Path, tmp_path: Path
) -> None:
    catalogue.add(image(tmp_path), SUPPLIER)
    shutil.rmtree(keys_folder(home))
    shutil.rmtree(parties_folder(home))
    opened = Catalogue.open(home, now=NOW)
    assert len(opened.list()) == 1
    with pytest.raises(CatalogError, match="not there; bring the key"):
        opened.add(image(tmp_path, 3), SUPPLIER)
    assert len(Catalogue.open(home, now=NOW).list()) == 1


def test_a_catalogue_is_not_created_over_another(catalogue: Catalogue, home: Path) -> None:
    with pytest.raises(CatalogError, match="there is one already"):
        Catalogue.create(home, now=NOW)


@pytest.mark.parametrize(
    ("id", "words"), [("zz", "8 to 64 hexadecimal digits"), ("0" * 8, "not in catalogue")]
)
def test_an_unknown_id_is_refused(catalogue: Catalogue, id: str, words: str) -> None:
    with pytest.raises(CatalogError, match=words):
        catalogue.show(id)


def test_an_absent_catalogue_says_how_to_make_one(home: Path) -> None:
    with pytest.raises(CatalogError, match="smets1 catalog init"):
        Catalogue.open(home, now=NOW)


def test_an_image_cannot_follow_itself(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="over itself"):
        catalogue.add(image(tmp_path, 2), SUPPLIER, from_versions=[2])
