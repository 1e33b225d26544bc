"""What the catalogue says of an image, and its form in TUF target metadata."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from emulator.eui64 import format_eui64
from emulator.smart_energy.ota.file import OtaHeader
from firmware_catalog.errors import CatalogError
from hw_profiles.bounds import U16, U32, Pattern, Range, Sha256
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
TargetPath = Annotated[str, Pattern(r"[a-z0-9-]+/[A-Za-z0-9._-]{1,120}", "a path as supplier-a/image.ota")]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence that an image is already used in the field ("known/used").

    `reference` says what shows it; `date` is the ISO date it speaks of; `where` the estate or place; `count`
    how many devices ran it; `document_sha256` the digest of a document that proves it, when there is one.
    """

    reference: Text
    date: Annotated[str, IsoDate()] | None = None
    where: Text | None = None
    count: Annotated[int, Range(1, 1_000_000_000)] | None = None
    document_sha256: Sha256 | None = None

    def missing(self, today: datetime.date) -> list[str]:
        """List what a dormant meter's image still needs; empty when the evidence is complete."""
        return list(self._missing(today))

    def _missing(self, today: datetime.date) -> Iterator[str]:
        if not self.reference.strip():
            yield "a reference"
        if self.date is None:
            yield "the date of that use"
        elif datetime.date.fromisoformat(self.date) > today:
            yield f"a date of use that is past ({self.date} is after {today})"
        if not (self.where or "").strip():
            yield "where it was used"
        if not self.count:
            yield "how many devices ran it"


@dataclass(frozen=True, slots=True)
class Claims:
    """What whoever adds an image says of it; see `Entry` for the fields."""

    evidence: Evidence | None = None
    models: tuple[str, ...] = ()
    from_versions: tuple[int, ...] = ()
    added_by: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """An image in the catalogue. `id` is the SHA-256 of the file; versions are 32-bit OTA versions.

    `models` are profile ids the image is for; `from_versions` the versions it may be installed over, empty
    for any. `destination` is the one device it was made for, None for any.
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
    models: tuple[Text, ...]
    from_versions: tuple[U32, ...]
    added: Text
    added_by: Text
    findings: tuple[Text, ...]
    hardware_minimum: U16 | None = None
    hardware_maximum: U16 | None = None
    evidence: Evidence | None = None
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

    def require_header(self, header: OtaHeader) -> None:
        """Raise `CatalogError` when the signed record claims other than the file's own header says."""
        for name, stated in header_claims(header).items():
            claimed = getattr(self, name)
            if claimed != stated:
                shown = f"{name} {_shown(name, claimed)}, but the file's header says {_shown(name, stated)}"
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


def _shown(name: str, value: int | str | None) -> str:
    if not isinstance(value, int):
        return "nothing" if value is None else repr(value)
    return str(value) if name == "image_octets" else f"0x{value:0{8 if name == 'version' else 4}X}"


_CARRIED_BY_TUF = ("id", "path", "octets")


def to_custom(entry: Entry) -> dict[str, Any]:
    """Return the custom part of an entry's target metadata (TUF specification, TARGETS `custom`)."""
    table = {name: value for name, value in encode(entry).items() if name not in _CARRIED_BY_TUF}
    if entry.destination is None:
        del table["destination"]
    return table


def from_custom(path: str, sha256: object, octets: int, custom: object) -> Entry:
    """Return the entry that target metadata describes.

    Raises `CatalogError`, naming the target and the field, for anything that is not of our making: signed by its
    supplier, it may still be of any shape.
    """
    source = f"catalogue entry {path if path.isprintable() else repr(path)}"
    if not isinstance(custom, Mapping):
        raise CatalogError(f"{source}: custom is no table; its supplier must sign it again or withdraw it")
    for name in _CARRIED_BY_TUF:
        if name in custom:
            raise CatalogError(
                f"{source}: custom.{name}: unknown key; its supplier must sign it again or withdraw it"
            )
    try:
        return decode(Entry, {**custom, "id": sha256, "path": path, "octets": octets}, source, CatalogError)
    except CatalogError as error:
        raise CatalogError(f"{error}; its supplier must sign it again or withdraw it") from error


def checked(entry: Entry) -> Entry:
    """Return an entry that is to be signed, as it will be read again; raises `CatalogError` naming the field."""
    carried = {name: getattr(entry, name) for name in _CARRIED_BY_TUF}
    return decode(Entry, {**to_custom(entry), **carried}, f"image {entry.identity}", CatalogError)
