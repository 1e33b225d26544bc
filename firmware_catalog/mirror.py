"""Keeping a copy of a shared catalogue: fetched beside the copy, verified whole, then put in its place.

Nothing of the copy changes before all that is new has been verified; the timestamp, which makes it visible, is
written last.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Snapshot, TargetFile, Targets, Timestamp  # type: ignore[attr-defined]

from firmware_catalog.catalogue import Catalogue
from firmware_catalog.draft import stored_at
from firmware_catalog.errors import CatalogError, CatalogStorageError
from firmware_catalog.files import IMAGE_LIMIT, METADATA_LIMIT, read_octets, write_atomically
from firmware_catalog.listing import Listing
from firmware_catalog.parties import is_manufacturer_of, is_party, party_of
from firmware_catalog.sources import AbsentError, Source
from firmware_catalog.trusted import ROLE_LIMIT, ROOT_LIMIT, read_trusted

_Role = TypeVar("_Role", Timestamp, Snapshot)


def update(
    source: Source, home: Path, now: datetime, *, memory: Path | None = None, root_sha256: str | None = None
) -> Catalogue:
    """Bring the copy at `home` to the state of `source` at the reference time; returns it.

    A copy that is there already pins the first root, as `root_sha256` does. Raises `CatalogError`, leaving the copy as
    it was; what has been downloaded of images is kept, and the next update goes on with it.
    """
    part = home.parent / f"{home.name}.part"
    if (home / "metadata" / "1.root.json").is_file():
        root_sha256 = root_sha256 or Catalogue.open_stale(home, now=now).root_sha256
    try:
        shutil.rmtree(part / "metadata", ignore_errors=True)
        for name in _fetch_metadata(source, part):
            write_atomically(part / "metadata" / name, source.read(f"metadata/{name}", METADATA_LIMIT))
        view = read_trusted(part, now, memory=memory, root_sha256=root_sha256)
        Listing(view)
        for target in view.all_targets():
            _fetch_target(source, home, part, target)
        _put_in_place(home, part, [stored_at(part, target) for target in view.all_targets()])
    except OSError as error:
        raise CatalogStorageError(f"{part}: cannot be written ({error.strerror}); free space") from error
    return Catalogue.open(home, now=now, memory=memory, root_sha256=root_sha256)


def _fetch_metadata(source: Source, part: Path) -> Iterator[str]:
    """Yield the names of the metadata files, each once those that name it are there; nothing is verified yet."""
    yield "1.root.json"
    for number in range(2, ROOT_LIMIT):
        try:
            write_atomically(
                part / "metadata" / f"{number}.root.json",
                source.read(f"metadata/{number}.root.json", METADATA_LIMIT),
            )
        except AbsentError:
            break
    yield "timestamp.json"
    stamp = _signed(Timestamp, part / "metadata" / "timestamp.json")
    snapshot = f"{stamp.snapshot_meta.version}.snapshot.json"
    yield snapshot
    listed = _signed(Snapshot, part / "metadata" / snapshot).meta
    if len(listed) > ROLE_LIMIT:
        raise CatalogError(f"{snapshot}: lists {len(listed)} roles; expected at most {ROLE_LIMIT}")
    for name, meta in sorted(listed.items()):
        role = name.removesuffix(".json")
        if role != Targets.type and not is_party(role) and not _is_manufacturer(role):
            raise CatalogError(
                f"{snapshot}: role {role!r}: expected a party's, as supplier-a; do not use this source"
            )
        yield f"{meta.version}.{role}.json"


def _is_manufacturer(role: str) -> bool:
    return is_party(party_of(role)) and is_manufacturer_of(role, party_of(role))


def _signed(kind: type[_Role], path: Path) -> _Role:
    try:
        signed = Metadata.from_bytes(read_octets(path, METADATA_LIMIT)).signed
    except RepositoryError as error:
        raise CatalogError(f"{path.name}: not TUF metadata; do not use this source") from error
    if not isinstance(signed, kind):
        raise CatalogError(f"{path.name}: not a {kind.type}; do not use this source")
    return signed


def _fetch_target(source: Source, home: Path, part: Path, target: TargetFile) -> None:
    """Bring a target's octets to `part`, unless the copy or an earlier attempt has them."""
    if target.length > IMAGE_LIMIT:
        raise CatalogError(f"{target.path}: {target.length} octets; expected at most {IMAGE_LIMIT}")
    there, path = stored_at(home, target), stored_at(part, target)
    if _is_right(there, target) or _is_right(path, target):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    source.download(str(path.relative_to(part)), path, target.length)
    if not _is_right(path, target):
        path.unlink(missing_ok=True)
        raise CatalogError(
            f"{target.path}: what the source has is not the file that was signed; tell its keeper"
        )


def _is_right(path: Path, target: TargetFile) -> bool:
    if not path.is_file() or path.stat().st_size != target.length:
        return False
    try:
        target.verify_length_and_hashes(read_octets(path, target.length))
    except RepositoryError:
        return False
    return True


def _put_in_place(home: Path, part: Path, targets: Iterable[Path]) -> None:
    metadata = sorted((part / "metadata").iterdir(), key=lambda path: path.name == "timestamp.json")
    for path in (*(path for path in targets if path.is_file()), *metadata):
        write_atomically(home / path.relative_to(part), read_octets(path, IMAGE_LIMIT))
    shutil.rmtree(part)


def export(catalogue: Catalogue, folder: Path) -> int:
    """Write what a reader of a catalogue's present state needs to a new folder; returns how many files.

    Raises `CatalogError` when there is something in the folder.
    """
    if folder.exists() and any(folder.iterdir()):
        raise CatalogError(f"{folder}: not empty; give the name of a new folder")
    for path in sorted(catalogue.files(), key=lambda path: path.name == "timestamp.json"):
        write_atomically(folder / path.relative_to(catalogue.path), read_octets(path, IMAGE_LIMIT))
    return len(catalogue.files())
