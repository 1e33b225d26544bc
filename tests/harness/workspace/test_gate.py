"""The gate of a dormant home: what is missing is said, of images of the catalogue and of the one given alike."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_catalog.catalogue import Catalogue
from firmware_catalog.errors import CatalogError
from firmware_catalog.parties import PartyKind
from firmware_catalog.provision import Image
from firmware_catalog.records import Claims
from firmware_catalog.statements import Adoption, Approval, Requirement, Waiver, Withdrawal
from harness.examples import DORMANT_SEMI
from harness.examples import make_images as example
from harness.workspace.images import ImageError, Images, open_images, read_images
from hw_profiles.installation import Installation, load_installation

OLD, MIDDLE = 0x01000000, 0x01020000
RECIPE = example.IMAGES[0]
STRANGER = "A stranger"
MPAN = "1400001234565"
Change = Callable[[Catalogue, Path], None]


def _provide(catalogue: Catalogue, file: Path, supplier: str, from_versions: tuple[int, ...] = (OLD,)) -> str:
    claims = Claims((RECIPE.model,), from_versions)
    return catalogue.stage_image(Image.read(file), supplier, claims).id


def _vouch(catalogue: Catalogue, supplier: str, id: str) -> None:
    catalogue.stage_statement(PartyKind.SUPPLIER, supplier, id, example.evidence(RECIPE))


def _approve(catalogue: Catalogue, id: str) -> None:
    catalogue.stage_statement(PartyKind.APPROVER, example.APPROVER, id, Approval("Minute 1"))


def _whole(catalogue: Catalogue, file: Path) -> None:
    id = _provide(catalogue, file, example.SUPPLIER)
    _vouch(catalogue, example.SUPPLIER, id)
    _approve(catalogue, id)


def _strangers(catalogue: Catalogue, file: Path) -> None:
    id = _provide(catalogue, file, STRANGER)
    _vouch(catalogue, STRANGER, id)
    _approve(catalogue, id)


def _adopted(catalogue: Catalogue, file: Path) -> None:
    _strangers(catalogue, file)
    id = Image.read(file).sha256
    catalogue.stage_statement(PartyKind.DCC, "DCC", id, Adoption("the supplier has left"))


def _withdrawn(catalogue: Catalogue, file: Path) -> None:
    _whole(catalogue, file)
    id = Image.read(file).sha256
    catalogue.stage_statement(PartyKind.SUPPLIER, example.SUPPLIER, id, Withdrawal("meters stop"))


def _unapproved(catalogue: Catalogue, file: Path) -> None:
    _vouch(catalogue, example.SUPPLIER, _provide(catalogue, file, example.SUPPLIER))


def _unvouched(catalogue: Catalogue, file: Path) -> None:
    _approve(catalogue, _provide(catalogue, file, example.SUPPLIER))


def _elsewhere(catalogue: Catalogue, file: Path) -> None:
    id = _provide(catalogue, file, example.SUPPLIER, (0x00FF0000,))
    _vouch(catalogue, example.SUPPLIER, id)
    _approve(catalogue, id)


def _absent(catalogue: Catalogue, file: Path) -> None:
    pass


REFUSED = [
    (_strangers, "provided by A stranger, not by the home's Installing Supplier, 90-B3-D5-1F-30-03-00-00"),
    (_withdrawn, "withdrawn by 90-B3-D5-1F-30-03-00-00 on 2026-01-05: meters stop"),
    (_unapproved, "nobody other than its provider has approved it"),
    (_unvouched, "no evidence of prior field use is known"),
    (_elsewhere, "may "),
]


def _home(folder: Path, change: Change) -> tuple[Installation, Path]:
    """Make the example's home with a catalogue of one small image, as `change` puts it there."""
    for name in ("epcl.toml", "sequence.toml"):
        shutil.copyfile(DORMANT_SEMI.parent / name, folder / name)
    file = folder / "given.ota"
    file.write_bytes(example.make(RECIPE._replace(octets=100), example.firmware_signer()[1]))
    made = Catalogue.create(
        folder / "catalogue", now=example.MADE, seed=example.SEED, lifetimes=example.LASTING
    )
    parties = {
        example.SUPPLIER: PartyKind.SUPPLIER,
        STRANGER: PartyKind.SUPPLIER,
        example.APPROVER: PartyKind.APPROVER,
        "DCC": PartyKind.DCC,
    }
    for name, kind in parties.items():
        made.stage_party(kind, name)
    change(made, file)
    made.publish()
    text = (DORMANT_SEMI).read_text()
    old = next(line for line in text.splitlines() if line.startswith("catalogue_root_sha256"))
    path = folder / "installation.toml"
    path.write_text(text.replace(old, f'catalogue_root_sha256 = "{made.root_sha256}"'))
    return load_installation(path), file


def _path(images: Images) -> list[int]:
    meter = images.installation.device("electricity")
    return [entry.version for entry in images.path(meter, OLD, MIDDLE)]


@pytest.mark.parametrize("change", [_whole, _adopted])
def test_an_image_with_everybodys_word_goes_to_a_dormant_meter(tmp_path: Path, change: Change) -> None:
    installation, file = _home(tmp_path, change)
    assert _path(open_images(installation, None)) == [MIDDLE]
    assert open_images(installation, file).given is not None


@pytest.mark.parametrize(("change", "words"), REFUSED)
def test_an_image_of_the_catalogue_without_somebodys_word_is_in_no_plan(
    tmp_path: Path, change: Change, words: str
) -> None:
    installation, _ = _home(tmp_path, change)
    with pytest.raises(CatalogError) as caught:
        _path(open_images(installation, None))
    assert words in str(caught.value)


@pytest.mark.parametrize(("change", "words"), [*REFUSED, (_absent, "not in the catalogue: neither")])
def test_the_image_given_obeys_the_same_gate(tmp_path: Path, change: Change, words: str) -> None:
    installation, file = _home(tmp_path, change)
    with pytest.raises(ImageError) as caught:
        open_images(installation, file)
    assert str(caught.value).startswith(f"{file}: ")
    assert words in str(caught.value)


def _waived(*lifts: Requirement, installation: str = MPAN, until: str = "2026-04-01") -> Change:
    def change(catalogue: Catalogue, file: Path) -> None:
        says = Waiver(installation, lifts, until, "the field trial of March")
        catalogue.stage_statement(PartyKind.APPROVER, example.APPROVER, Image.read(file).sha256, says)

    return change


EVERYTHING = (Requirement.PROVIDER, Requirement.EVIDENCE, Requirement.APPROVAL)


def test_a_waiver_of_this_home_lets_the_given_image_in_and_is_recorded_with_its_reason(
    tmp_path: Path,
) -> None:
    installation, file = _home(tmp_path, _waived(*EVERYTHING))
    images = open_images(installation, file)
    assert images.given is not None
    grounds = images.grounds(images.given.sha256)
    assert grounds is not None
    assert (grounds.supplier, grounds.evidence, grounds.approver) == ("", "", "")
    assert f"evidence waived by {example.APPROVER}: the field trial of March" in grounds.waived
    assert len(grounds.waiver_sha256) == 1


@pytest.mark.parametrize(
    "change",
    [
        _waived(*EVERYTHING[:2]),
        _waived(*EVERYTHING, installation="1400001234567"),
        _waived(*EVERYTHING, until="2026-02-28"),
    ],
)
def test_a_waiver_lifts_what_it_names_for_the_home_it_names_until_it_ends(
    tmp_path: Path, change: Change
) -> None:
    installation, file = _home(tmp_path, change)
    with pytest.raises(ImageError, match=r"nobody other than its provider|not in the catalogue"):
        open_images(installation, file)


def test_an_adopted_image_says_who_adopted_it(tmp_path: Path) -> None:
    installation, file = _home(tmp_path, _adopted)
    grounds = read_images(installation, file).grounds(Image.read(file).sha256)
    assert grounds is not None
    assert (grounds.supplier, grounds.adopted_by, grounds.approver) == (STRANGER, "DCC", example.APPROVER)
    assert "says A stranger" in grounds.evidence
