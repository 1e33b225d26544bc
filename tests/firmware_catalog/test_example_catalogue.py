from __future__ import annotations

from pathlib import Path

import pytest

from emulator.smart_energy.ota.file import parse
from emulator.smart_energy.ota.signature import trust_of, verify_image
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.gate import lacks
from firmware_catalog.planning import upgrade_path
from harness.examples import DORMANT_SEMI, make_images
from harness.workspace.images import home_of
from hw_profiles.installation import Installation, load_installation

EXAMPLE = DORMANT_SEMI.parent


@pytest.fixture(scope="module")
def installation() -> Installation:
    return load_installation(DORMANT_SEMI)


@pytest.fixture(scope="module")
def catalogue(installation: Installation) -> Catalogue:
    assert installation.catalogue is not None
    return Catalogue.open(
        installation.catalogue,
        now=installation.record.start,
        root_sha256=installation.record.catalogue_root_sha256,
    )


@pytest.mark.parametrize(
    ("device", "target", "hops"),
    [("electricity", 0x02000000, [0x01020000, 0x02000000]), ("gas", 0x01040000, [0x01040000])],
)
def test_the_example_leads_each_meter_to_its_target_with_images_it_will_accept(
    installation: Installation, catalogue: Catalogue, device: str, target: int, hops: list[int]
) -> None:
    model = installation.models[device]
    assert model.ota is not None
    assert model.flash is not None
    trusts = [trust_of(authority) for authority in installation.record.firmware_authorities]
    path = upgrade_path(
        catalogue.find(model.ota.manufacturer_code, model.ota.image_type),
        model.id,
        model.identity.hardware_version,
        installation.installed_firmware(device).ota_version,
        target,
    )
    assert [entry.version for entry in path] == hops
    for entry in path:
        assert (
            lacks(catalogue.standing(entry.id), home_of(installation), installation.record.start.date()) == ()
        )
        file = parse(catalogue.fetch(entry.id))
        assert file.header.total_size <= model.flash.slot_octets
        assert file.header.fits_hardware(model.identity.hardware_version)
        verify_image(file, model.ota.verification, model.ota.integrity_coverage, trusts)


def test_the_catalogue_in_the_project_is_what_its_generator_makes(tmp_path: Path) -> None:
    make_images.main(tmp_path)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    kept = {
        path.relative_to(EXAMPLE): path.read_bytes()
        for path in (EXAMPLE / "catalogue").rglob("*")
        if path.is_file()
    }
    assert made == kept
    assert sum(len(data) for data in kept.values()) < 1_000_000
