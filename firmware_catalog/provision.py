"""An image file on its way into a catalogue: looked into, named, and described by its supplier."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tuf.api.metadata import TargetFile  # type: ignore[attr-defined]

from emulator.smart_energy.ota.file import OtaFile
from firmware_catalog.errors import CatalogError
from firmware_catalog.inspection import inspect_file
from firmware_catalog.records import Claims, Entry, checked, file_claims, to_custom


class Image(NamedTuple):
    """An OTA file that may be used, octet for octet."""

    name: str
    data: bytes
    file: OtaFile
    sha256: str
    findings: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Image:
        """Read the OTA file at `path`; raises `CatalogError` when it is refused."""
        looked = inspect_file(path)
        if looked.refused_because is not None:
            raise CatalogError(f"{path}: {looked.refused_because}")
        findings = tuple(finding.text for finding in looked.findings)
        return cls(path.name, looked.data, looked.file, looked.sha256, findings)


def target_of(role: str, image: Image) -> TargetFile:
    """Return the target under which a manufacturer's role lists an image."""
    header = image.file.header
    name = f"{header.manufacturer_code:04x}-{header.image_type:04x}-{header.file_version:08x}"
    path = f"{role.replace('.', '/')}/{name}-{image.sha256[:8]}.ota"
    return TargetFile(len(image.data), {"sha256": image.sha256}, path)


def describe(
    target: TargetFile, image: Image, supplier: str, claims: Claims, *, now: datetime, before: Entry | None
) -> Entry:
    """Describe an image and put the record into its target.

    What was said of it `before` stays where nothing new is said. Raises `CatalogError` naming a wrong claim.
    """
    entry = Entry(
        id=image.sha256,
        path=target.path,
        octets=target.length,
        file_name=image.name,
        supplier=supplier,
        **file_claims(image.file),
        models=claims.models or (before.models if before else ()),
        from_versions=claims.from_versions or (before.from_versions if before else ()),
        added=now.replace(microsecond=0).isoformat(),
        added_by=claims.added_by,
        findings=image.findings,
        provenance=claims.provenance or (before.provenance if before else ""),
        capability_release=claims.capability_release or (before.capability_release if before else ""),
    )
    if entry.version in entry.from_versions:
        raise CatalogError(
            f"image {entry.identity}: cannot be installed over itself; correct the from-versions"
        )
    entry = checked(entry)
    target.unrecognized_fields["custom"] = to_custom(entry)
    return entry
