"""What the catalogue says of an image, and its form in TUF target metadata."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from firmware_catalog.errors import CatalogError


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence that an image is already used in the field ("known/used").

    `reference` says what shows it; `date` is the ISO date it speaks of; `where` the estate or place; `count`
    how many devices ran it; `document_sha256` the digest of a document that proves it, when there is one.
    """

    reference: str
    date: str | None = None
    where: str | None = None
    count: int | None = None
    document_sha256: str | None = None

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
    for any.
    """

    id: str
    path: str
    octets: int
    file_name: str
    supplier: str
    manufacturer_code: int
    image_type: int
    version: int
    image_octets: int
    header_text: str
    hardware_minimum: int | None
    hardware_maximum: int | None
    models: tuple[str, ...]
    from_versions: tuple[int, ...]
    evidence: Evidence | None
    added: str
    added_by: str
    findings: tuple[str, ...]

    @property
    def identity(self) -> str:
        """Manufacturer, type and version for messages."""
        return f"0x{self.manufacturer_code:04X}/0x{self.image_type:04X} version 0x{self.version:08X}"

    def may_follow(self, version: int) -> bool:
        """Say whether the image may be installed over `version`."""
        return version != self.version and (not self.from_versions or version in self.from_versions)

    def fits(self, model: str, hardware_version: int) -> bool:
        """Say whether the image is for a model (any, when it names none) of that hardware version."""
        if self.models and model not in self.models:
            return False
        if self.hardware_minimum is None or self.hardware_maximum is None:
            return True
        return self.hardware_minimum <= hardware_version <= self.hardware_maximum


def to_custom(entry: Entry) -> dict[str, Any]:
    """Return the custom part of an entry's target metadata (TUF specification, TARGETS `custom`)."""
    table = asdict(entry)
    for carried_by_tuf in ("id", "path", "octets"):
        del table[carried_by_tuf]
    return table


def from_custom(path: str, sha256: str, octets: int, custom: Mapping[str, Any]) -> Entry:
    """Return the entry that target metadata describes; raises `CatalogError` when it is not of our making."""
    try:
        table = dict(custom)
        evidence = table.pop("evidence")
        return Entry(
            id=sha256,
            path=path,
            octets=octets,
            evidence=None if evidence is None else Evidence(**evidence),
            models=tuple(table.pop("models")),
            from_versions=tuple(table.pop("from_versions")),
            findings=tuple(table.pop("findings")),
            **table,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CatalogError(f"catalogue entry {path}: metadata not understood ({error})") from error
