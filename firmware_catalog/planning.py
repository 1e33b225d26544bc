"""Finding an upgrade path: the fewest installations that lead from one version to another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from firmware_catalog.errors import CatalogError
from firmware_catalog.records import Entry


def upgrade_path(
    entries: Iterable[Entry],
    model: str,
    hardware_version: int,
    installed: int,
    target: int,
    *,
    eui64: int | None = None,
) -> tuple[Entry, ...]:
    """Return the images to install in order, fewest first; empty when `target` is installed already.

    Only images for `model`, its hardware and the device `eui64` count, and each must allow the version before
    it (`from_versions`). Among equally short paths the one through the higher versions is taken. Raises
    `CatalogError` when there is none.
    """
    if installed == target:
        return ()
    usable = [entry for entry in entries if entry.fits(model, hardware_version, eui64)]
    usable.sort(key=lambda entry: (-entry.version, entry.path))
    paths: dict[int, tuple[Entry, ...]] = {installed: ()}
    waiting = deque([installed])
    while waiting:
        version = waiting.popleft()
        for entry in usable:
            if entry.version in paths or not entry.may_follow(version):
                continue
            paths[entry.version] = (*paths[version], entry)
            if entry.version == target:
                return paths[target]
            waiting.append(entry.version)
    raise CatalogError(_no_path(usable, model, installed, target))


def _no_path(usable: Sequence[Entry], model: str, installed: int, target: int) -> str:
    wanted = [entry for entry in usable if entry.version == target]
    start = f"{model}: no way from version 0x{installed:08X} to 0x{target:08X}"
    if not wanted:
        return f"{start}: no image of the target version fits this model, hardware and device; add one to the catalogue"
    allowed = sorted({version for entry in wanted for version in entry.from_versions})
    versions = ", ".join(f"0x{version:08X}" for version in allowed)
    return f"{start}: it may only follow {versions}; add an image that leads there"
