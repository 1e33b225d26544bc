from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.nonvolatile import WorldStore
from firmware_catalog.errors import CatalogError
from harness.errors import HarnessError
from harness.examples import DORMANT_SEMI as EXAMPLE
from harness.facts import CODEC
from harness.facts.campaign import Planned
from harness.facts.discovery import Found
from harness.facts.plan import DevicePlan, Hop, Plan
from harness.facts.terms import Verdict
from harness.journal import FolderLock
from harness.workspace.images import ImageError, open_images
from harness.workspace.options import RunOptions
from harness.workspace.workspace import Workspace
from hw_profiles.installation import Installation, load_installation
from hw_profiles.model import DeviceKind
from tests.harness.campaign.conftest import Rig

ELECTRICITY_IMAGE, SECOND_HOP = "1002-0e01-01020000", "1002-0e01-02000000"
TEXT = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=12)
U32 = st.integers(0, 2**32 - 1)
HOPS = st.from_type(Hop)
DEVICES = st.builds(
    DevicePlan,
    TEXT,
    TEXT,
    st.sampled_from(DeviceKind),
    U32,
    TEXT,
    U32,
    TEXT,
    st.lists(HOPS, max_size=3).map(tuple),
)


@given(st.builds(Plan, TEXT, st.lists(DEVICES, max_size=4).map(tuple), st.lists(TEXT, max_size=3).map(tuple)))
def test_a_plan_survives_the_journal(plan: Plan) -> None:
    written = CODEC.write(Planned(plan))
    assert CODEC.read(*written) == Planned(plan)


@given(st.lists(DEVICES, max_size=6).map(tuple))
def test_stages_hold_every_device_that_has_something_to_install(devices: tuple[DevicePlan, ...]) -> None:
    staged = [device for stage in Plan("C", devices).stages for device in stage]
    assert sorted(map(repr, staged)) == sorted(repr(device) for device in devices if device.hops)


def test_what_was_found_survives_the_journal() -> None:
    found = Found("D", True, 7, 0x1002, "Maker", "Model", 1, True, ((1, 0x0501, (0, 0x0702), (0x19,)),))
    assert CODEC.read(*CODEC.write(found)) == found
    assert found.endpoint_serving(0x0702) == 1
    assert found.endpoint_using(0x0019) == 1
    assert found.endpoint_serving(0x0019) is None


# Images


def _example() -> Installation:
    return load_installation(EXAMPLE)


def _stored(prefix: str) -> Path:
    return next((EXAMPLE.parent / "catalogue" / "targets").rglob(f"*{prefix}*"))


def _image_file(folder: Path, prefix: str = ELECTRICITY_IMAGE) -> Path:
    target = folder / "meter.ota"
    shutil.copyfile(_stored(prefix), target)
    return target


def test_a_given_image_with_evidence_is_for_the_device_whose_identity_it_has(tmp_path: Path) -> None:
    installation = _example()
    images = open_images(installation, _image_file(tmp_path))
    takers = [device.name for device in installation.record.devices if images.is_for(device)]
    assert takers == ["electricity"]


def test_a_given_image_that_skips_a_mandatory_hop_is_refused_before_anything_begins(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"in one step: may follow 0x01020000 only, and 0x01000000 runs"):
        open_images(_example(), _image_file(tmp_path, SECOND_HOP))


def test_a_given_image_that_leaves_a_meter_on_unlisted_firmware_is_not_planned(tmp_path: Path) -> None:
    report = Rig(tmp_path / "run", image=_image_file(tmp_path)).run()
    assert report.result is Verdict.NOT_MIGRATED
    assert "brings 1.2.0, which RC-0001 does not list" in report.result_reason


def test_a_given_image_that_was_altered_is_refused(tmp_path: Path) -> None:
    image = _image_file(tmp_path)
    octets = bytearray(image.read_bytes())
    octets[5000] ^= 1
    image.write_bytes(octets)
    with pytest.raises((ImageError, CatalogError), match=r"meter\.ota"):
        open_images(_example(), image)


def test_a_truncated_image_is_refused(tmp_path: Path) -> None:
    image = _image_file(tmp_path)
    image.write_bytes(image.read_bytes()[:-100])
    with pytest.raises((ImageError, CatalogError), match=r"meter\.ota.*missing"):
        open_images(_example(), image)


def _without_catalogue(folder: Path) -> Path:
    for name in ("installation.toml", "epcl.toml", "sequence.toml"):
        shutil.copyfile(EXAMPLE.parent / name, folder / name)
    path = folder / "installation.toml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("catalogue")]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_dormant_meter_is_refused_a_given_image_that_is_in_no_catalogue(tmp_path: Path) -> None:
    installation = load_installation(_without_catalogue(tmp_path))
    with pytest.raises(ImageError, match="not in the catalogue: neither the home's Installing Supplier"):
        open_images(installation, _image_file(tmp_path))


def test_without_a_catalogue_an_installation_that_needs_firmware_is_not_migrated(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    report = Rig(tmp_path / "run", _without_catalogue(home)).run()
    assert report.result is Verdict.NOT_MIGRATED
    assert "names no catalogue" in report.result_reason
    assert any("cannot reach an eligible firmware" in item.what for item in report.exceptions)


def test_a_model_nobody_has_listed_is_not_migrated(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    path = _without_catalogue(home)
    epcl = home / "epcl.toml"
    epcl.write_text(epcl.read_text().replace("45534D31", "FFFFFFFF"))
    report = Rig(tmp_path / "run", path).run()
    assert report.result is Verdict.NOT_MIGRATED
    assert any("no eligible product combination" in item.what for item in report.exceptions)


# The run folder


def test_inputs_that_cannot_be_used_leave_nothing_behind(tmp_path: Path) -> None:
    image = tmp_path / "broken.ota"
    image.write_bytes(b"not an image")
    with pytest.raises(CatalogError, match=r"broken\.ota"):
        Workspace.create(RunOptions(installation=EXAMPLE, out=tmp_path / "out", image=image))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.ota"]


def test_a_run_needs_nothing_but_its_folder_to_be_resumed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(EXAMPLE.parent, home)
    Workspace.create(RunOptions(installation=home / "installation.toml", out=tmp_path / "run"))
    shutil.rmtree(home)
    (tmp_path / "run").rename(tmp_path / "moved")
    resumed = Workspace.resume(tmp_path / "moved")
    assert resumed.installation.record.id == "dormant-semi"
    assert resumed.images.octets(
        resumed.images.path(resumed.installation.device("gas"), 0x01010000, 0x01040000)[0].id
    )


def test_a_folder_left_half_prepared_does_not_stand_in_the_way(tmp_path: Path) -> None:
    part = tmp_path / ".run.0123456789abcdef.part"
    (part / "inputs").mkdir(parents=True)
    (part / "run.json").write_text("{")
    (part / "preparing.lock").write_text("1")
    Workspace.create(RunOptions(installation=EXAMPLE, out=tmp_path / "run"))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_that_another_process_prepares_is_left_to_it(tmp_path: Path) -> None:
    part = tmp_path / ".run.0123456789abcdef.part"
    part.mkdir()
    lock = FolderLock(part / "preparing.lock")
    Workspace.create(RunOptions(installation=EXAMPLE, out=tmp_path / "run"))
    lock.release()
    assert part.is_dir()


def test_what_the_user_has_beside_the_run_is_never_touched(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "photo").write_text("mine")
    (tmp_path / "run.part").symlink_to(elsewhere)
    (tmp_path / ".run.0123456789abcdef.part").symlink_to(elsewhere)
    Workspace.create(RunOptions(installation=EXAMPLE, out=tmp_path / "run"))
    assert (elsewhere / "photo").read_text() == "mine"
    assert (tmp_path / "run.part").is_symlink()


def test_a_run_folder_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        workspace = Workspace.create(RunOptions(installation=EXAMPLE, out=tmp_path / "run"))
        WorldStore(workspace.world_path).close()
    finally:
        os.umask(before)
    modes = {
        path.name: path.stat().st_mode & 0o777 for path in (workspace.folder, *workspace.folder.iterdir())
    }
    assert modes["run"] == modes["inputs"] == 0o700
    assert modes["journal.sqlite"] == modes["world.sqlite"] == 0o600


def test_the_current_folder_is_not_a_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HarnessError, match="not a new folder"):
        Workspace.create(RunOptions(installation=EXAMPLE, out=Path()))


def test_a_folder_that_is_no_run_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"no run\.json"):
        Workspace.resume(tmp_path)
