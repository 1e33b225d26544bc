"""What the catalogue says of an image, and its form in TUF target metadata."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from emulator.crypto.suite import Suite
from emulator.eui64 import format_eui64
from emulator.smart_energy.ota.file import MANUFACTURER_TAGS, OtaFile, OtaHeader, OtaTag, pack_elements
from emulator.smart_energy.ota.signature import signature_suite
from firmware_catalog.errors import CatalogError
from hw_profiles.bounds import U16, U32, Pattern, Sha256
from hw_profiles.installation import Eui64Text
from hw_profiles.records import decode, encode


@dataclass(frozen=True, slots=True)
class Line:
    """Text that fits one line of a terminal, so that a signed record cannot write over it."""

    most: int

    def accepts(self, value: str) -> bool:
        """Say whether every character prints, and there are not too many."""
        return len(value) <= self.most and value.isprintable()

    def __str__(self) -> str:
        return f"one line of at most {self.most} printable characters"


@dataclass(frozen=True, slots=True)
class IsoDate:
    """A day as 2019-03-01."""

    def accepts(self, value: str) -> bool:
        """Say whether there is such a day."""
        try:
            return datetime.date.fromisoformat(value).isoformat() == value
        except ValueError:
            return False

    def __str__(self) -> str:
        return "a date such as 2019-03-01"


Text = Annotated[str, Line(300)]
TargetPath = Annotated[
    str,
    Pattern(
        r"[a-z0-9-]+/[0-9a-f]{4}/[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}", "a path as supplier-a/1002/image.ota"
    ),
]
_R = TypeVar("_R")


class Verification(StrEnum):
    """How whoever receives an image is expected to verify it, as its file is made for."""

    SUITE_1 = "se-suite-1"
    SUITE_2 = "se-suite-2"
    DCC = "dcc-p256"
    """The DCC's trailer: a 64-octet P-256 signature after the manufacturer's image."""
    INTEGRITY_CODE = "integrity-code"
    VENDOR = "vendor"
    """Something in the manufacturer's own sub-elements."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Claims:
    """What whoever adds an image says of it; see `Entry` for the fields."""

    models: tuple[str, ...] = ()
    from_versions: tuple[int, ...] = ()
    provenance: str = ""
    capability_release: str = ""
    added_by: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """An image that a supplier provides. `id` is the SHA-256 of the file, `image_sha256` that of the manufacturer's
    image in it, without header and signature; versions are 32-bit OTA versions.

    `models` are profile ids the image is for; `from_versions` the versions it may be installed over, empty
    for any. `destination` is the one device it was made for, None for any. `provenance` says where the file comes
    from, `capability_release` the enrolment capability that it belongs to; both may be empty.
    """

    id: Sha256
    path: TargetPath
    octets: U32
    file_name: Text
    supplier: Text
    manufacturer_code: U16
    image_type: U16
    version: U32
    image_octets: U32
    header_text: Text
    image_sha256: Sha256
    verification: Verification
    models: tuple[Text, ...]
    from_versions: tuple[U32, ...]
    added: Text
    added_by: Text
    findings: tuple[Text, ...]
    hardware_minimum: U16 | None = None
    hardware_maximum: U16 | None = None
    provenance: Text = ""
    capability_release: Text = ""
    destination: Eui64Text | None = None

    @property
    def identity(self) -> str:
        """Manufacturer, type and version for messages."""
        return f"0x{self.manufacturer_code:04X}/0x{self.image_type:04X} version 0x{self.version:08X}"

    def may_follow(self, version: int) -> bool:
        """Say whether the image may be installed over `version`."""
        return version != self.version and (not self.from_versions or version in self.from_versions)

    def fits(self, model: str, hardware_version: int, eui64: int | None = None) -> bool:
        """Say whether the image is for a model (any, when it names none) of that hardware version, and for the
        device `eui64` when it is for one device only.
        """
        if self.models and model not in self.models:
            return False
        if self.destination is not None and (eui64 is None or self.destination != format_eui64(eui64)):
            return False
        if self.hardware_minimum is None or self.hardware_maximum is None:
            return True
        return self.hardware_minimum <= hardware_version <= self.hardware_maximum

    def require_file(self, file: OtaFile) -> None:
        """Raise `CatalogError` when the signed record claims other than what the file itself is."""
        for name, stated in file_claims(file).items():
            claimed = getattr(self, name)
            if claimed != stated:
                shown = f"{name} {_shown(name, claimed)}, but the file itself says {_shown(name, stated)}"
                raise CatalogError(
                    f"catalogue entry {self.path}: signed as {shown}; its supplier must sign what it is, or withdraw it"
                )


def header_claims(header: OtaHeader) -> dict[str, Any]:
    """Return the fields of an entry that the file's header decides."""
    return {
        "manufacturer_code": header.manufacturer_code,
        "image_type": header.image_type,
        "version": header.file_version,
        "image_octets": header.total_size,
        "header_text": header.text,
        "hardware_minimum": header.hardware_minimum,
        "hardware_maximum": header.hardware_maximum,
        "destination": None if header.destination is None else format_eui64(header.destination),
    }


def file_claims(file: OtaFile) -> dict[str, Any]:
    """Return the fields of an entry that the whole file decides, those of its header included."""
    return {
        **header_claims(file.header),
        "image_sha256": hashlib.sha256(manufacturer_image(file)).hexdigest(),
        "verification": verification_of(file),
    }


def manufacturer_image(file: OtaFile) -> bytes:
    """Return the manufacturer's image: what lies between header and signature, whose hash differs from the file's."""
    if file.gbcs is not None:
        return file.gbcs.manufacturer_image
    held = next((element.data for element in file.elements if element.is_image), None)
    return pack_elements(file.elements) + file.rest if held is None else held


def verification_of(file: OtaFile) -> Verification:
    """Return how a file is made to be verified, by what it carries."""
    suite = signature_suite(file)
    if suite is not None:
        return Verification.SUITE_1 if suite is Suite.SUITE_1 else Verification.SUITE_2
    if file.gbcs is not None:
        return Verification.DCC
    if file.element(OtaTag.INTEGRITY_CODE) is not None:
        return Verification.INTEGRITY_CODE
    own = any(element.tag >= MANUFACTURER_TAGS and not element.is_image for element in file.elements)
    return Verification.VENDOR if own else Verification.NONE


def _shown(name: str, value: int | str | None) -> str:
    if not isinstance(value, int):
        return "nothing" if value is None else repr(str(value))
    return str(value) if name == "image_octets" else f"0x{value:0{8 if name == 'version' else 4}X}"


_CARRIED_BY_TUF = ("id", "path", "octets")


def to_custom(entry: Entry) -> dict[str, Any]:
    """Return the custom part of an entry's target metadata (TUF specification, TARGETS `custom`)."""
    table: dict[str, Any] = encode(entry, sparse=True)
    return {name: value for name, value in table.items() if name not in _CARRIED_BY_TUF}


def from_custom(path: str, sha256: object, octets: int, custom: object) -> Entry:
    """Return the entry that target metadata describes.

    Raises `CatalogError`, naming the target and the field, for anything that is not of our making: signed by its
    supplier, it may still be of any shape.
    """
    source = f"catalogue entry {path if path.isprintable() else repr(path)}"
    if not isinstance(custom, Mapping):
        raise CatalogError(f"{source}: custom is no table; {_ADVICE}")
    for name in _CARRIED_BY_TUF:
        if name in custom:
            raise CatalogError(f"{source}: custom.{name}: unknown key; {_ADVICE}")
    return read_signed(Entry, {**custom, "id": sha256, "path": path, "octets": octets}, source)


def checked(entry: Entry) -> Entry:
    """Return an entry that is to be signed, as it will be read again; raises `CatalogError` naming the field."""
    return from_custom(entry.path, entry.id, entry.octets, to_custom(entry))


_ADVICE = "its party must sign it again or withdraw it"


def read_signed(record: type[_R], table: object, source: str) -> _R:
    """Read a record that somebody signed; raises `CatalogError` of one line."""
    try:
        return decode(record, table, source, CatalogError)
    except CatalogError as error:
        raise CatalogError(f"{error}; {_ADVICE}") from error
