from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.clock.kernel import Kernel
from emulator.crypto.authority import Identity, IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.smart_energy.ota.file import OtaTag, pack, parse
from emulator.smart_energy.ota.signature import build_signed
from firmware_catalog.acceptance import ObjectionKind
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.errors import CatalogError
from firmware_catalog.parties import manufacturer_role, supplier_role
from harness.errors import HarnessError
from harness.examples import DORMANT_SEMI
from harness.examples import make_images as example
from harness.workspace.images import ImageError, Images, open_images
from harness.workspace.options import RunOptions
from harness.workspace.workspace import Workspace
from hw_profiles.installation import Installation, load_installation
from tests.firmware_catalog.forger import Forger, Json

ROLE = manufacturer_role(supplier_role(example.SUPPLIER), 0x1002)
OLD, MIDDLE, NEW = 0x01000000, 0x01020000, 0x02000000


def _stranger() -> Identity:
    return IssuingAuthority.from_seed(Suite.SUITE_1, b"stranger", b"STRANGER").issue(example.SIGNER)


def _images(folder: Path, signers: dict[str, Identity], destination: int | None = None) -> Images:
    """Open the example's home with small images, those named in `signers` signed by somebody else; all are made for
    the device `destination` when it is given.
    """
    for name in ("installation.toml", "epcl.toml", "sequence.toml"):
        shutil.copyfile(DORMANT_SEMI.parent / name, folder / name)
    seed = {"seed": example.SEED, "lifetimes": example.LASTING}
    catalogue = Catalogue.create(folder / "catalogue", now=example.MADE, **seed)  # type: ignore[arg-type]
    files = {image.name: folder / f"{image.name}.ota" for image in example.IMAGES}
    for image in example.IMAGES:
        file = folder / f"{image.name}.ota"
        signer = signers.get(image.name, example.firmware_signer()[1])
        made = parse(example.make(image._replace(octets=100), signer))
        header = replace(made.header, destination=destination)
        content = made.element(OtaTag.UPGRADE_IMAGE)
        assert content is not None
        file.write_bytes(pack(build_signed(header, content, signer)))
    example.provide(catalogue, files)
    return open_images(load_installation(folder / "installation.toml"), None)


def test_a_way_of_images_that_the_meter_takes_is_found(tmp_path: Path) -> None:
    images = _images(tmp_path, {})
    meter = images.installation.device("electricity")
    assert [entry.version for entry in images.path(meter, OLD, NEW)] == [MIDDLE, NEW]


@pytest.mark.parametrize("name", ["esme-1.2.0", "esme-2.0.0"])
def test_an_image_whose_signer_the_meter_does_not_trust_is_out_before_it_is_sent(
    tmp_path: Path, name: str
) -> None:
    images = _images(tmp_path, {name: _stranger()})
    meter = images.installation.device("electricity")
    with pytest.raises(CatalogError, match=r"electricity would reject it: .*unknown certificate issuer"):
        images.path(meter, OLD, NEW)


def test_an_image_made_for_one_meter_is_planned_for_that_meter_only(tmp_path: Path) -> None:
    images = _images(tmp_path, {}, destination=0x00DB12345678_90A1)
    meter, gas = images.installation.device("electricity"), images.installation.device("gas")
    assert [entry.version for entry in images.path(meter, OLD, NEW)] == [MIDDLE, NEW]
    with pytest.raises(
        CatalogError, match="no image of the target version fits this model, hardware and device"
    ):
        images.path(gas, 0x01010000, 0x01040000)
    given = next((tmp_path / "catalogue" / "targets").rglob("*0601-01040000*"))
    with pytest.raises(
        ImageError, match=r"0x1002/0x0601 made for 00-DB-12-34-56-78-90-A1 alone, which no device"
    ):
        open_images(images.installation, given)


def test_every_objection_to_a_catalogued_image_can_be_asked_for(tmp_path: Path) -> None:
    images = _images(tmp_path, {"esme-1.2.0": _stranger()})
    meter, gas = images.installation.device("electricity"), images.installation.device("gas")
    wrong = next(entry for entry in images.catalogued(meter) if entry.version == MIDDLE)
    assert [item.kind for item in images.objections(meter, wrong.id, OLD)] == [ObjectionKind.VERIFICATION]
    assert {item.kind for item in images.objections(gas, wrong.id, OLD)} == {
        ObjectionKind.IDENTITY,
        ObjectionKind.MODEL,
    }


# The catalogue is the one that is pinned


def _home(folder: Path, change: Callable[[str], str]) -> Installation:
    shutil.copytree(DORMANT_SEMI.parent, folder)
    path = folder / "installation.toml"
    path.write_text(change(path.read_text()))
    return load_installation(path)


def test_a_catalogue_that_is_not_pinned_is_refused_with_the_digest_to_pin(tmp_path: Path) -> None:
    pin = load_installation(DORMANT_SEMI).record.catalogue_root_sha256
    installation = _home(tmp_path / "home", lambda text: text.replace(f'catalogue_root_sha256 = "{pin}"', ""))
    with pytest.raises(ImageError) as caught:
        open_images(installation, None)
    said = str(caught.value)
    assert said.startswith(f"{installation.path}: catalogue_root_sha256: missing")
    assert f'then add: catalogue_root_sha256 = "{pin}"' in said
    assert caught.value.exit_status == 2


def test_a_catalogue_other_than_the_pinned_one_is_refused_with_both_digests(tmp_path: Path) -> None:
    pin = str(load_installation(DORMANT_SEMI).record.catalogue_root_sha256)
    installation = _home(tmp_path / "home", lambda text: text.replace(pin, "0" * 64))
    with pytest.raises(ImageError) as caught:
        open_images(installation, None)
    said = str(caught.value)
    assert said.startswith(f'{installation.path}: catalogue_root_sha256 = "{"0" * 64}"')
    assert f"the root of the catalogue {tmp_path / 'home' / 'catalogue'} is {pin}" in said


def test_a_run_begins_with_no_older_catalogue_than_was_seen_and_goes_on_with_its_own(tmp_path: Path) -> None:
    installation = _home(tmp_path / "home", str)
    old, state = tmp_path / "old", tmp_path / "state"
    catalogue = tmp_path / "home" / "catalogue"
    shutil.copytree(catalogue, old)
    options = RunOptions(installation=installation.path, out=tmp_path / "first", catalogue_memory=state)
    began = Workspace.create(options)
    Catalogue.open(catalogue, now=example.MADE, seed=example.SEED).refresh()
    Workspace.create(replace(options, out=tmp_path / "second"))
    shutil.rmtree(catalogue)
    shutil.copytree(old, catalogue)
    with pytest.raises(CatalogError, match=r"older than it was seen before \(timestamp version 2, seen 3"):
        Workspace.create(replace(options, out=tmp_path / "third"))
    assert not (tmp_path / "third").exists()
    Workspace.resume(began.folder)


def test_the_journal_pins_the_catalogue_that_a_run_began_with(tmp_path: Path) -> None:
    installation = _home(tmp_path / "home", str)
    old = tmp_path / "old"
    shutil.copytree(tmp_path / "home" / "catalogue", old)
    Catalogue.open(tmp_path / "home" / "catalogue", now=example.MADE, seed=example.SEED).refresh()
    run = Workspace.create(RunOptions(installation=installation.path, out=tmp_path / "run"))
    kernel = Kernel(1, epoch_unix_seconds=installation.start_unix_seconds)
    with run.open_journal(kernel) as journal:
        assert journal.header.catalogue_versions == run.images.versions
    copied = run.folder / "inputs" / "home" / "catalogue"
    shutil.rmtree(copied)
    shutil.copytree(old, copied)
    older = Workspace(run.folder, run.request, resumed=True)
    with pytest.raises(
        HarnessError, match=r"the catalogue's snapshot is version 2, but the run began with version 3"
    ):
        older.open_journal(kernel)


def test_a_record_that_lies_about_its_file_stops_a_run_before_it_begins(tmp_path: Path) -> None:
    installation = _home(tmp_path / "home", str)
    catalogue = tmp_path / "home" / "catalogue"

    def lie(signed: Json) -> None:
        for path, target in signed["targets"].items():
            if "01020000" in path:
                target["custom"].update(version=NEW, from_versions=[OLD])

    Forger(catalogue, example.SEED).role(ROLE, lie)
    with pytest.raises(
        CatalogError, match=r"signed as version 0x02000000, but the file itself says 0x01020000"
    ):
        Workspace.create(RunOptions(installation=installation.path, out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_run_takes_what_is_signed_along_and_nothing_else_that_lies_in_the_catalogue(tmp_path: Path) -> None:
    installation = _home(tmp_path / "home", str)
    catalogue = tmp_path / "home" / "catalogue"
    with (catalogue / "targets" / "stray.ota").open("wb") as stray:
        stray.truncate(1 << 34)
    (catalogue / "metadata" / "loop").symlink_to("/dev/zero")
    run = Workspace.create(RunOptions(installation=installation.path, out=tmp_path / "run"))
    copied = run.folder / "inputs" / "home" / "catalogue"
    assert sorted(path.name for path in (copied / "targets").rglob("*.ota")) == sorted(
        path.name for path in (DORMANT_SEMI.parent / "catalogue" / "targets").rglob("*.ota")
    )
    assert sorted(path.name for path in (copied / "metadata").iterdir()) == [
        "1.approver-rehearsal-firmware-board.json",
        "1.root.json",
        "1.supplier-90-b3-d5-1f-30-03-00-00.1002.json",
        "1.supplier-90-b3-d5-1f-30-03-00-00.json",
        "2.snapshot.json",
        "2.targets.json",
        "timestamp.json",
    ]
    assert Workspace.resume(run.folder).images.versions == run.images.versions
