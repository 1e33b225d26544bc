"""Taking an image out of a catalogue, also one whose record is so wrong that the catalogue is refused for it."""

from __future__ import annotations

from pathlib import Path

from tuf.api.metadata import TargetFile, Targets  # type: ignore[attr-defined]

from firmware_catalog.errors import CatalogError
from firmware_catalog.repository import Access, Writer, exclusive
from firmware_catalog.trusted import TrustedView, read_trusted, root_digest


def withdraw(path: Path, name: str, access: Access) -> str:
    """Sign the targets of a supplier again without one image of the catalogue at `path`; returns the target's path.

    `name` is the target's path, as refusals name it, or 8 or more digits of the image's SHA-256. The stored octets
    stay, unlisted: whoever reads the catalogue now still finds them. Raises `CatalogError` when there is no such
    target, or the keys are not at hand.
    """
    root_digest(path)  # Taking the lock would make the folder of a catalogue that is not there.
    with exclusive(path):
        view = read_trusted(path, access.now, memory=access.memory)
        target = _named(view, path, name)
        role = target.path.partition("/")[0]
        old, writer = view.suppliers[role], Writer(path, access)
        kept = {listed: item for listed, item in old.targets.items() if listed != target.path}
        targets = Targets(version=old.version + 1, expires=writer.targets_expiry(), targets=kept)
        writer.publish_supplier(view, role, targets)
        read_trusted(path, access.now, memory=access.memory)
    return target.path


def _named(view: TrustedView, path: Path, name: str) -> TargetFile:
    digits = name.lower() if len(name) >= 8 else "nothing so short"
    found = [
        target
        for target in view.all_targets()
        if target.path == name or target.hashes.get("sha256", "").startswith(digits)
    ]
    if len(found) != 1:
        how_many = "no image" if not found else f"{len(found)} images"
        raise CatalogError(
            f"catalogue {path}: {how_many} called {name!r}; expected the path of one, as supplier-a/NAME.ota, or 8 or "
            "more digits of its id"
        )
    return found[0]
