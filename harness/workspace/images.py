"""The images a campaign may send: those of the installation's catalogue, and the one given with `--image`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from emulator.smart_energy.ota.file import OtaHeader
from emulator.smart_energy.ota.signature import trust_of
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.errors import CatalogError
from firmware_catalog.inspection import inspect_file
from firmware_catalog.planning import upgrade_path
from firmware_catalog.records import Entry
from harness.errors import HarnessError
from hw_profiles.installation import DeviceEntry, Installation
from hw_profiles.model import Model, Verification


class ImageError(HarnessError):
    """An image that must not go to any device of the installation, and why."""


@dataclass(frozen=True, slots=True)
class GivenImage:
    """The image of `--image`: its octets exactly as they are in the file."""

    path: Path
    data: bytes
    header: OtaHeader

    @property
    def sha256(self) -> str:
        """SHA-256 of the file in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()


class Images:
    """Where the campaign finds images, and the rules that say who may have them."""

    def __init__(
        self, installation: Installation, catalogue: Catalogue | None, given: GivenImage | None
    ) -> None:
        """Use `open_images`."""
        self._installation = installation
        self._catalogue = catalogue
        self.given = given

    def is_for(self, entry: DeviceEntry) -> bool:
        """Say whether the given image is for this device."""
        return self.given is not None and _fits(self.given.header, self._installation.models[entry.name])

    def path(self, model: Model, installed: int, target: int) -> tuple[Entry, ...]:
        """Return the images that lead from one version to another, only those a dormant meter may have.

        Raises `CatalogError` when there is no such way, saying what is missing.
        """
        if installed == target:
            return ()
        if self._catalogue is None:
            raise CatalogError(
                f"{model.id}: version 0x{target:08X} is wanted, but the installation names no catalogue; add one"
            )
        assert model.ota is not None, "asked for devices with an OTA client only"
        known = self._catalogue.find(model.ota.manufacturer_code, model.ota.image_type)
        hardware = model.identity.hardware_version
        allowed = [entry for entry in known if self._may_be_used(entry)]
        try:
            return upgrade_path(allowed, model.id, hardware, installed, target)
        except CatalogError:
            for entry in upgrade_path(known, model.id, hardware, installed, target):
                self._require(entry)
            raise

    def octets(self, sha256: str) -> bytes:
        """Return an image's file; raises `CatalogError` when the catalogue's copy is not the signed one."""
        if self.given is not None and self.given.sha256 == sha256:
            return self.given.data
        if self._catalogue is None:
            raise CatalogError(f"image {sha256[:12]}: the installation names no catalogue")
        return self._catalogue.fetch(sha256)

    def check_stored(self) -> None:
        """Read every image the catalogue has for a device of this home, so that none is found bad halfway.

        Raises `CatalogError` naming one that is missing or not the signed one.
        """
        if self._catalogue is None:
            return
        for model in self._installation.models.values():
            if model.ota is not None:
                for entry in self._catalogue.find(model.ota.manufacturer_code, model.ota.image_type):
                    self._catalogue.fetch(entry.id)

    def _may_be_used(self, entry: Entry) -> bool:
        try:
            self._require(entry)
        except CatalogError:
            return False
        return True

    def _require(self, entry: Entry) -> None:
        if self._installation.record.dormant and self._catalogue is not None:
            self._catalogue.require_for_dormant(entry.id)


def open_images(installation: Installation, image: Path | None) -> Images:
    """Open the installation's catalogue and check the given image against it and against the devices.

    Raises `CatalogError` or `ImageError`, naming the file.
    """
    catalogue = _catalogue(installation)
    given = None if image is None else _given(installation, catalogue, image)
    return Images(installation, catalogue, given)


def _catalogue(installation: Installation) -> Catalogue | None:
    if installation.catalogue is None:
        return None
    now = datetime.fromtimestamp(installation.start_unix_seconds, UTC)
    return Catalogue.open(
        installation.catalogue, now=now, root_sha256=installation.record.catalogue_root_sha256
    )


def _given(installation: Installation, catalogue: Catalogue | None, image: Path) -> GivenImage:
    trusts = tuple(trust_of(authority) for authority in installation.record.firmware_authorities)
    looked = inspect_file(image)
    if looked.refused_because is not None:
        raise ImageError(f"{image}: {looked.refused_because}")
    header = looked.file.header
    takers = [
        device for device in installation.record.devices if _fits(header, installation.models[device.name])
    ]
    if not takers:
        raise ImageError(f"{image}: {_fits_nobody(installation, header)}")
    if any(_signed(installation.models[device.name]) for device in takers):
        verified = inspect_file(image, trusts)
        if verified.refused_because is not None:
            raise ImageError(f"{image}: {verified.refused_because}; {takers[0].name} would reject it")
    data = image.read_bytes()
    given = GivenImage(image, data, header)
    for device in takers:
        _check_size(installation.models[device.name], given)
    if installation.record.dormant:
        _check_evidence(catalogue, given)
    return given


def _fits(header: OtaHeader, model: Model) -> bool:
    if model.ota is None or (header.manufacturer_code, header.image_type) != (
        model.ota.manufacturer_code,
        model.ota.image_type,
    ):
        return False
    return header.fits_hardware(model.identity.hardware_version)


def _signed(model: Model) -> bool:
    return model.ota is not None and model.ota.verification in (Verification.ECDSA_1, Verification.ECDSA_2)


def _fits_nobody(installation: Installation, header: OtaHeader) -> str:
    wanted = []
    for device in installation.record.devices:
        model = installation.models[device.name]
        if model.ota is not None:
            identity = f"0x{model.ota.manufacturer_code:04X}/0x{model.ota.image_type:04X}"
            wanted.append(
                f"{device.name} takes {identity} for hardware 0x{model.identity.hardware_version:04X}"
            )
    return (
        f"an image of 0x{header.manufacturer_code:04X}/0x{header.image_type:04X}, which no device here takes "
        f"({', '.join(wanted) or 'none is upgradeable'}); give the image of one of them"
    )


def _check_size(model: Model, given: GivenImage) -> None:
    assert model.ota is not None
    assert model.flash is not None
    room = model.ota.max_image_octets or model.flash.slot_octets
    if len(given.data) > room:
        raise ImageError(f"{given.path}: {len(given.data)} octets; {model.id} has room for {room}")


def _check_evidence(catalogue: Catalogue | None, given: GivenImage) -> None:
    known = () if catalogue is None else tuple(e for e in catalogue.list() if e.id == given.sha256)
    if catalogue is None or not known:
        raise ImageError(
            f"{given.path}: no evidence of prior field use is known, so it must not go to a dormant meter; "
            "add it to the installation's catalogue with `smets1 catalog add FILE --evidence ...`"
        )
    try:
        catalogue.require_for_dormant(given.sha256)
    except CatalogError as error:
        raise ImageError(f"{given.path}: {error}") from error
