"""The index formats of zigpy and Zigbee2MQTT: lists of images that nobody has signed.

Such an index says what a file should be, not who stands for it. What is taken from one is held against the file itself
and marked; evidence and approval must come from parties of the catalogue.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlparse

from firmware_catalog.errors import CatalogError
from firmware_catalog.files import METADATA_LIMIT, read_octets
from firmware_catalog.provision import Image
from hw_profiles.bounds import U16, U32, Pattern
from hw_profiles.records import decode

UNSIGNED = "unsigned index"
"""What the provenance of an image from an index begins with."""
_DIGEST_NAMES = {"sha3-256": "sha3_256", "sha256": "sha256", "sha512": "sha512", "sha3-512": "sha3_512"}
_FIELDS = {
    "zigpy": {
        "url": ("binary_url", "path"),
        "octets": ("file_size",),
        "manufacturer_code": ("manufacturer_id",),
        "image_type": ("image_type",),
        "version": ("file_version",),
        "checksum": ("checksum",),
    },
    "Zigbee2MQTT": {
        "url": ("url", "path"),
        "octets": ("fileSize",),
        "manufacturer_code": ("manufacturerCode",),
        "image_type": ("imageType",),
        "version": ("fileVersion",),
        "checksum": ("sha512",),
    },
}


@dataclass(frozen=True, slots=True)
class Listed:
    """An image as an index lists it. `checksum` is `algorithm:digest`; `octets` is the size of the file."""

    url: str
    manufacturer_code: U16
    image_type: U16
    version: U32
    checksum: Annotated[
        str, Pattern(r"(sha3-256|sha3-512|sha256|sha512):[0-9a-f]{64,128}", "as sha512:0123...")
    ]
    octets: U32 | None = None

    @property
    def file_name(self) -> str:
        """The name of the file, at the end of its URL."""
        return unquote(urlparse(self.url).path).rpartition("/")[2]

    def require(self, image: Image) -> None:
        """Raise `CatalogError` when a file is not what the index says."""
        algorithm, _, digest = self.checksum.partition(":")
        header = image.file.header
        stated = (header.manufacturer_code, header.image_type, header.file_version)
        if hashlib.new(_DIGEST_NAMES[algorithm], image.data).hexdigest() != digest:
            raise CatalogError(f"{image.name}: its {algorithm} is not the one of the index; fetch it again")
        if self.octets not in (None, len(image.data)):
            raise CatalogError(f"{image.name}: {len(image.data)} octets; the index says {self.octets}")
        if stated != (self.manufacturer_code, self.image_type, self.version):
            raise CatalogError(
                f"{image.name}: an image of {header.identity}, which is not what the index says"
            )


def read_index(path: Path) -> tuple[Listed, ...]:
    """Read an index of either format; raises `CatalogError` naming the entry and the field."""
    try:
        document = json.loads(read_octets(path, METADATA_LIMIT))
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{path}: not JSON; expected an index of zigpy or Zigbee2MQTT") from error
    kind, entries = "Zigbee2MQTT", document
    if isinstance(document, dict):
        kind, entries = "zigpy", document.get("firmwares")
    if not isinstance(entries, list):
        raise CatalogError(f"{path}: expected a list of images, or a table with one called firmwares")
    return tuple(_listed(kind, each, f"{path}: {kind} entry {place}") for place, each in enumerate(entries))


def _listed(kind: str, entry: object, source: str) -> Listed:
    if not isinstance(entry, Mapping):
        raise CatalogError(f"{source}: expected a table")
    table: dict[str, Any] = {}
    for name, keys in _FIELDS[kind].items():
        found = next((entry[key] for key in keys if entry.get(key) is not None), None)
        if found is not None:
            table[name] = f"sha512:{found}" if keys == ("sha512",) else found
    return decode(Listed, table, source, CatalogError)
