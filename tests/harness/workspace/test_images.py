from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from emulator.crypto.authority import Identity, IssuingAuthority
from emulator.crypto.suite import Suite
from firmware_catalog.acceptance import ObjectionKind
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.errors import CatalogError
from harness.examples import DORMANT_SEMI
from harness.examples import make_images as example
from harness.workspace.images import Images, open_images
from hw_profiles.installation import load_installation

OLD, MIDDLE, NEW = 0x01000000, 0x01020000, 0x02000000


def _stranger() -> Identity:
    return IssuingAuthority.from_seed(Suite.SUITE_1, b"stranger", b"STRANGER").issue(example.SIGNER)


def _images(folder: Path, signers: dict[str, Identity]) -> Images:
    """Open the example's home with small images, those named in `signers` signed by somebody else."""
    for name in ("installation.toml", "epcl.toml", "sequence.toml"):
        shutil.copyfile(DORMANT_SEMI.parent / name, folder / name)
    seed = {"seed": example.SEED, "lifetimes": example.LASTING}
    catalogue = Catalogue.create(folder / "catalogue", now=example.MADE, **seed)  # type: ignore[arg-type]
    for image in example.IMAGES:
        file = folder / f"{image.name}.ota"
        signer = signers.get(image.name, example.firmware_signer()[1])
        file.write_bytes(example.make(image._replace(octets=100), signer))
        catalogue.add(
            file,
            example.SUPPLIER,
            evidence=example.evidence(image),
            models=(image.model,),
            from_versions=image.from_versions,
        )
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


def test_every_objection_to_a_catalogued_image_can_be_asked_for(tmp_path: Path) -> None:
    images = _images(tmp_path, {"esme-1.2.0": _stranger()})
    meter, gas = images.installation.device("electricity"), images.installation.device("gas")
    wrong = next(entry for entry in images.catalogued(meter) if entry.version == MIDDLE)
    assert [item.kind for item in images.objections(meter, wrong.id, OLD)] == [ObjectionKind.VERIFICATION]
    assert {item.kind for item in images.objections(gas, wrong.id, OLD)} == {
        ObjectionKind.IDENTITY,
        ObjectionKind.MODEL,
    }
