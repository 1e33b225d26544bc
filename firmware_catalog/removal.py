"""Taking a target out of a catalogue, also one whose record is so wrong that the catalogue is refused for it."""

from __future__ import annotations

from pathlib import Path

from tuf.api.metadata import TargetFile  # type: ignore[attr-defined]

from firmware_catalog.draft import Draft, Signed
from firmware_catalog.errors import CatalogError
from firmware_catalog.repository import Access, exclusive
from firmware_catalog.trusted import TrustedView, read_trusted, root_digest


def remove(path: Path, name: str, access: Access, *, publish: bool = False) -> tuple[str, tuple[Signed, ...]]:
    """Stage the targets of a party without one target of the catalogue at `path`, signed with the keys at hand.

    `name` is the target's path, as refusals name it, or 8 or more digits of its SHA-256. The stored octets
    stay, unlisted: whoever reads the catalogue now still finds them. Returns the target's path, and how far each staged
    role is signed; with `publish` it is published too. Raises `CatalogError` when there is no such target.
    """
    root_digest(path)  # Taking the lock would make the folder of a catalogue that is not there.
    with exclusive(path):
        view = read_trusted(path, access.now, memory=access.memory)
        target = _named(view, path, name)
        draft = Draft(path, view, access)
        role = next(role for role, listed in view.delegated.items() if target.path in listed.targets)
        draft.remove(role, target.path)
        progress = draft.sign()
        if publish:
            draft.publish()
            read_trusted(path, access.now, memory=access.memory)
    return target.path, progress


def _named(view: TrustedView, path: Path, name: str) -> TargetFile:
    digits = name.lower() if len(name) >= 8 else "nothing so short"
    found = [
        target
        for target in view.all_targets()
        if target.path == name or target.hashes.get("sha256", "").startswith(digits)
    ]
    if len(found) != 1:
        how_many = "no target" if not found else f"{len(found)} targets"
        raise CatalogError(
            f"catalogue {path}: {how_many} called {name!r}; expected the path of one, as supplier-a/1002/NAME.ota, or "
            "8 or more digits of its SHA-256"
        )
    return found[0]
