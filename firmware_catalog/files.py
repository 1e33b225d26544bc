"""Reading files no further than their kind may go, and writing them so that a reader sees the old content or the
new, never half of either.
"""

from __future__ import annotations

from pathlib import Path

from firmware_catalog.errors import CatalogError, CatalogStorageError
from hw_profiles.errors import FileRefusedError
from hw_profiles.regular_file import read_regular_file
from hw_profiles.whole_file import PRIVATE, PRIVATE_FOLDER, PUBLIC, PUBLIC_FOLDER, make_folders, write_whole

IMAGE_LIMIT = 16 << 20
"""Octets of an OTA file with all that vendors put around it; DUIS takes images of at most 10,240,000 octets of
base64.
"""
METADATA_LIMIT = 5_000_000
"""Octets of one role's metadata, as python-tuf's client bounds the largest."""
DOCUMENT_LIMIT = 64 << 20
"""Octets of a document of evidence, of which only the digest is kept."""
KEY_LIMIT = 64 << 10
"""Octets of a private key in PEM."""


def write_atomically(path: Path, data: bytes, *, mode: int = PUBLIC) -> None:
    """Write `data` beside `path`, sync it, and rename it into place; raises `CatalogError`, leaving `path` as
    it was. A folder that is made for a private file is private too.
    """
    try:
        make_folders(path.parent, mode=PRIVATE_FOLDER if mode == PRIVATE else PUBLIC_FOLDER)
        write_whole(path, data, mode=mode)
    except OSError as error:
        raise _failure(path, error) from error


def read_octets(path: Path, limit: int) -> bytes:
    """Read a regular file of at most `limit` octets; raises `CatalogError`."""
    try:
        return read_regular_file(path, limit)
    except FileRefusedError as error:
        raise CatalogError(str(error)) from error


def _failure(path: Path, error: OSError) -> CatalogError:
    return CatalogStorageError(
        f"{path}: cannot be written ({error.strerror}); free space or choose another folder"
    )
