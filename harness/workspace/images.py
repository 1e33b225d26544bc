"""The images a campaign may send: those of the installation's catalogue, and the one given with `--image`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from emulator.eui64 import format_eui64
from emulator.smart_energy.ota.file import OtaFile, OtaHeader, parse
from emulator.smart_energy.ota.signature import trust_of
from firmware_catalog.acceptance import (
    Objection,
    ObjectionKind,
    Recipient,
    device_objections,
    is_of_kind,
    listing_objections,
    objections,
)
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.errors import CatalogError
from firmware_catalog.gate import Grounds, Home, entry_for, grounds, lacks
from firmware_catalog.inspection import inspect_file
from firmware_catalog.planning import upgrade_path
from firmware_catalog.records import Entry
from firmware_catalog.standing import Standing
from firmware_catalog.trusted import root_digest
from harness.errors import HarnessError
from hw_profiles.installation import DeviceEntry, Installation


class ImageError(HarnessError):
    """An image that must not go to any device of the installation, and why."""


@dataclass(frozen=True, slots=True)
class GivenImage:
    """The image of `--image`: its octets exactly as they are in the file."""

    path: Path
    data: bytes
    file: OtaFile
    sha256: str

    @property
    def header(self) -> OtaHeader:
        """The header of the file."""
        return self.file.header


class Images:
    """Where the campaign finds images, and the rules that say who may have them."""

    def __init__(
        self, installation: Installation, catalogue: Catalogue | None, given: GivenImage | None
    ) -> None:
        """Use `open_images`."""
        self.installation = installation
        self._catalogue = catalogue
        self._judged: dict[tuple[str, int, int], tuple[Objection, ...]] = {}
        self.given = given

    def is_for(self, entry: DeviceEntry) -> bool:
        """Say whether the given image is for this device."""
        return self.given is not None and _takes(self.installation, entry, self.given.header)

    def given_refusals(self) -> Iterator[str]:
        """Yield why a device that takes the given image may not have it, running what the installation file says:
        one line for each reason, naming the file.
        """
        if self.given is None:
            return
        for entry in self.installation.record.devices:
            if self.is_for(entry):
                yield from self._refusals(self.given, entry)

    def _refusals(self, given: GivenImage, entry: DeviceEntry) -> Iterator[str]:
        version = self.installation.installed_firmware(entry.name).ota_version
        for kind, text in self.objections(entry, given.sha256, version):
            if kind is ObjectionKind.VERSION and given.header.file_version == version:
                continue  # nothing to install is no fault
            said = _ADVICE.get(kind, "{name} would reject it: {text}").format(name=entry.name, text=text)
            yield f"{given.path}: {said}"

    def listing_refusals(self) -> Iterator[str]:
        """Yield a line for each device that the given image would leave on firmware that no combination lists."""
        given = self.given
        for entry in self.installation.record.devices:
            if given is None or not self.is_for(entry):
                continue
            version = given.header.file_version
            if version == self.installation.installed_firmware(entry.name).ota_version:
                continue
            for objection in listing_objections(self.installation, entry.name, version):
                yield (
                    f"{given.path}: {entry.name} would be left on unlisted firmware: {objection.text}; "
                    "give an image of a listed version"
                )

    def recipient(self, entry: DeviceEntry, version: int) -> Recipient:
        """Return a device, running `version`, as images are chosen for it."""
        return recipient_of(self.installation, entry, version)

    def objections(self, entry: DeviceEntry, sha256: str, version: int) -> tuple[Objection, ...]:
        """Return everything that stands against installing an image, the given one or one of the catalogue, over
        `version` of a device; empty when nothing.

        Raises `CatalogError` when the image is in neither, or the catalogue's copy is not the signed one.
        """
        recipient = self.recipient(entry, version)
        return objections(self.file(sha256), recipient, self._standing(sha256), self._today)

    def grounds(self, sha256: str) -> Grounds | None:
        """Return on whose word an image goes to this home, None where nobody's is asked for: it is not dormant."""
        home = home_of(self.installation)
        return grounds(self._standing(sha256), home, self._today) if home.dormant else None

    def lacks(self, sha256: str) -> tuple[str, ...]:
        """Return what the word of the catalogue's parties lacks for an image to go to this home."""
        home = home_of(self.installation)
        return tuple(lack.text for lack in lacks(self._standing(sha256), home, self._today))

    @property
    def _today(self) -> date:
        return self.installation.record.start.date()

    def _standing(self, sha256: str) -> Standing:
        return Standing(sha256) if self._catalogue is None else self._catalogue.standing(sha256)

    def file(self, sha256: str) -> OtaFile:
        """Return an image, read; raises `CatalogError` as `octets` does."""
        if self.given is not None and self.given.sha256 == sha256:
            return self.given.file
        return parse(self.octets(sha256))

    def catalogued(self, device: DeviceEntry) -> tuple[Entry, ...]:
        """Return the catalogue's images of a device's OTA identity, oldest version first."""
        ota = self.installation.models[device.name].ota
        if ota is None or self._catalogue is None:
            return ()
        found = self._catalogue.find(ota.manufacturer_code, ota.image_type)
        home = home_of(self.installation)
        return tuple(each for each in found if each == entry_for(self._standing(each.id), home, self._today))

    @property
    def versions(self) -> dict[str, int]:
        """The versions of the catalogue's roles, empty without a catalogue."""
        return {} if self._catalogue is None else self._catalogue.versions

    @property
    def catalogue_files(self) -> tuple[Path, ...]:
        """The files of the catalogue that a run needs, relative to its folder."""
        if self._catalogue is None:
            return ()
        return tuple(path.relative_to(self._catalogue.path) for path in self._catalogue.files())

    def path(self, device: DeviceEntry, installed: int, target: int) -> tuple[Entry, ...]:
        """Return the images that lead a device from one version to another, only those that it would take and that
        a dormant meter may have.

        Raises `CatalogError` when there is no such way, saying what is missing or why an image is left out.
        """
        if installed == target:
            return ()
        model = self.installation.models[device.name]
        if self._catalogue is None:
            raise CatalogError(
                f"{model.id}: version 0x{target:08X} is wanted, but the installation names no catalogue; add one"
            )
        known = self.catalogued(device)
        out = {entry.id: reason for entry in known if (reason := self._not_admitted(entry)) is not None}
        try:
            return self._acceptable_way(known, out, device, installed, target)
        except CatalogError:
            for entry in self._way(known, device, installed, target):
                if entry.id in out:
                    raise CatalogError(out[entry.id]) from None
            raise

    def _acceptable_way(
        self, known: Sequence[Entry], out: dict[str, str], device: DeviceEntry, installed: int, target: int
    ) -> tuple[Entry, ...]:
        """Find a way of images that the device would take; one that it would not goes into `out`, with the reason."""
        while True:
            way = self._way([entry for entry in known if entry.id not in out], device, installed, target)
            version = installed
            for entry in way:
                against = self._against(entry.id, device, version)
                if against:
                    name = f"image {entry.id[:12]} ({entry.identity})"
                    out[entry.id] = f"{name}: {device.name} would reject it: {against[0].text}"
                    break
                version = entry.version
            else:
                return way

    def _way(
        self, entries: Sequence[Entry], device: DeviceEntry, installed: int, target: int
    ) -> tuple[Entry, ...]:
        model = self.installation.models[device.name]
        hardware = model.identity.hardware_version
        return upgrade_path(entries, model.id, hardware, installed, target, eui64=device.address)

    def _against(self, sha256: str, device: DeviceEntry, version: int) -> tuple[Objection, ...]:
        """Return what the device itself has against an image; each is judged once."""
        key = (sha256, device.address, version)
        if key not in self._judged:
            self._judged[key] = device_objections(self.file(sha256), self.recipient(device, version))
        return self._judged[key]

    def take_verdicts(self, other: Images) -> None:
        """Take over what another reading of the same installation has judged of images, which are known by their
        digest.
        """
        self._judged.update(other._judged)

    def _not_admitted(self, entry: Entry) -> str | None:
        said = "; ".join(self.lacks(entry.id))
        if not said:
            return None
        return f"image {entry.id[:12]} ({entry.identity}): must not go to this home: {said}"

    def octets(self, sha256: str) -> bytes:
        """Return an image's file; raises `CatalogError` when the catalogue's copy is not the signed one."""
        if self.given is not None and self.given.sha256 == sha256:
            return self.given.data
        if self._catalogue is None:
            raise CatalogError(f"image {sha256[:12]}: the installation names no catalogue")
        return self._catalogue.fetch(sha256)

    def check_stored(self) -> None:
        """Read every image the catalogue has for a device of this home, so that none is found bad halfway.

        Raises `CatalogError` naming one that is missing, is not the signed one, or is signed as what its header does
        not say.
        """
        for refusal in self.stored_refusals():
            raise CatalogError(refusal)

    def stored_refusals(self) -> Iterator[str]:
        """Yield a line for each image that `check_stored` would name."""
        stored = [entry for device in self.installation.record.devices for entry in self.catalogued(device)]
        for entry in dict.fromkeys(stored):
            try:
                self.octets(entry.id)
            except CatalogError as error:
                yield str(error)


def open_images(installation: Installation, image: Path | None, memory: Path | None = None) -> Images:
    """Open the installation's catalogue and check the given image against it and against the devices.

    `memory` is where what was seen of catalogues is kept (`firmware_catalog.memory`). Raises `CatalogError` or
    `ImageError`, naming the file.
    """
    images = read_images(installation, image, memory)
    for refusal in images.given_refusals():
        raise ImageError(refusal)
    return images


def read_images(installation: Installation, image: Path | None, memory: Path | None = None) -> Images:
    """Open the installation's catalogue and read the given image, which some device here must take.

    Whether it may have it is for `Images.given_refusals`. Raises `CatalogError` or `ImageError`, naming the file.
    """
    given = None if image is None else _given(installation, image)
    return Images(installation, _catalogue(installation, memory), given)


def _catalogue(installation: Installation, memory: Path | None) -> Catalogue | None:
    folder = installation.catalogue
    if folder is None:
        return None
    pin = _pin(installation, folder)
    now = datetime.fromtimestamp(installation.start_unix_seconds, UTC)
    return Catalogue.open(folder, now=now, memory=memory, root_sha256=pin)


def _pin(installation: Installation, folder: Path) -> str:
    """Return the digest of the root that the installation pins, after comparing it with the catalogue's.

    A catalogue proves itself to nobody: whoever puts another in its place signs it with keys of his own.
    """
    pin, digest = installation.record.catalogue_root_sha256, root_digest(folder)
    if pin is None:
        raise ImageError(
            f"{installation.path}: catalogue_root_sha256: missing, so that any catalogue would do; ask the keeper of "
            f'{folder} whether its root is this, then add: catalogue_root_sha256 = "{digest}"'
        )
    if pin != digest:
        raise ImageError(
            f'{installation.path}: catalogue_root_sha256 = "{pin}": the root of the catalogue {folder} is {digest}; '
            "this is another catalogue, or its keeper must say that the pin is to be changed"
        )
    return pin


def recipient_of(installation: Installation, entry: DeviceEntry, version: int) -> Recipient:
    """Return a device of an installation, running `version`, as images are chosen for it."""
    trusts = tuple(trust_of(authority) for authority in installation.record.firmware_authorities)
    model = installation.models[entry.name]
    return Recipient(model, entry.address, version, home_of(installation), trusts)


def home_of(installation: Installation) -> Home:
    """Return an installation as the catalogue's gate knows it."""
    record = installation.record
    return Home(record.mpan, record.suppliers.installing, record.dormant)


def _given(installation: Installation, image: Path) -> GivenImage:
    looked = inspect_file(image)
    if looked.refused_because is not None:
        raise ImageError(f"{image}: {looked.refused_because}")
    given = GivenImage(image, looked.data, looked.file, looked.sha256)
    if not any(_takes(installation, entry, given.header) for entry in installation.record.devices):
        raise ImageError(f"{image}: {_fits_nobody(installation, given.header)}")
    return given


_ADVICE = {
    ObjectionKind.SIZE: "{text}",
    ObjectionKind.MODEL: "{text}; give the image of that model",
    ObjectionKind.FROM_VERSIONS: "{name} cannot go there in one step: {text}; give the image that comes first",
    ObjectionKind.WITHDRAWN: "{text}; give the image that replaces it",
    ObjectionKind.PROVIDER: (
        "{text}, so it must not go to a dormant meter; have that supplier provide it (`smets1 catalog add`)"
    ),
    ObjectionKind.EVIDENCE: (
        "{text}, so it must not go to a dormant meter; have it vouched for (`smets1 catalog vouch`)"
    ),
    ObjectionKind.APPROVAL: (
        "{text}, so it must not go to a dormant meter; have it approved (`smets1 catalog approve`)"
    ),
}
"""What to say of a given image, where it is not the device that would reject it."""


def _takes(installation: Installation, entry: DeviceEntry, header: OtaHeader) -> bool:
    """Say whether a device's OTA client asks for such an image: its identity, its hardware, for it alone or for any."""
    return is_of_kind(header, installation.models[entry.name]) and header.is_for(entry.address)


def _fits_nobody(installation: Installation, header: OtaHeader) -> str:
    wanted = []
    for device in installation.record.devices:
        model = installation.models[device.name]
        if model.ota is not None:
            identity = f"0x{model.ota.manufacturer_code:04X}/0x{model.ota.image_type:04X}"
            wanted.append(
                f"{device.name} takes {identity} for hardware 0x{model.identity.hardware_version:04X}"
            )
    alone = "" if header.destination is None else f" made for {format_eui64(header.destination)} alone"
    return (
        f"an image of 0x{header.manufacturer_code:04X}/0x{header.image_type:04X}{alone}, which no device here "
        f"takes ({', '.join(wanted) or 'none is upgradeable'}); give the image of one of them"
    )
