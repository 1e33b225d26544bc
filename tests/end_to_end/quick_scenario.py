"""The dormant home of the example with images of a few kilobytes, so that a whole run takes seconds.

Same four devices, same sequence, same two-hop path for electricity; the gas meter asks for a block every second
instead of every minute. Everything is made from the example's own files and generator, so that both stay alike.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from firmware_catalog.catalogue import Catalogue
from harness.examples import DORMANT_SEMI, make_images

PROJECT = Path(__file__).parents[2]
EXAMPLE = DORMANT_SEMI.parent
SHIPPED_MODELS = PROJECT / "hw_profiles" / "models"
OCTETS = {"esme-1.2.0": 6_000, "esme-2.0.0": 9_000, "gsme-1.4.0": 6_000}
Replacement = tuple[str, str]

QUICKER: dict[str, tuple[Replacement, ...]] = {
    "generic-gas-meter": (
        ("request_interval_ms = 60000", "request_interval_ms = 1000\nquery_interval_s = 600"),
        ("poll_long_s = 300", "poll_long_s = 60"),
    ),
    "generic-in-home-display": (("electricity_s = 10", "electricity_s = 300"),),
}
"""What the quick home's models have otherwise than the shipped ones."""


def image(name: str) -> bytes:
    """Return the signed OTA file called `name`, small."""
    small = next(item._replace(octets=OCTETS[name]) for item in make_images.IMAGES if item.name == name)
    return make_images.make(small, make_images.firmware_signer()[1])


def build(folder: Path) -> Path:
    """Make the quick home in `folder`; returns its installation file."""
    folder.mkdir(parents=True)
    (folder / "images").mkdir()
    for name in OCTETS:
        (folder / "images" / f"{name}.ota").write_bytes(image(name))
    root = catalogue(folder / "catalogue", tuple((folder / "images").iterdir()))
    for name in ("epcl.toml", "sequence.toml"):
        shutil.copyfile(EXAMPLE / name, folder / name)
    (folder / "models").mkdir()
    for model, replacements in QUICKER.items():
        shipped = (SHIPPED_MODELS / f"{model}.toml").read_text()
        (folder / "models" / f"{model}.toml").write_text(changed(shipped, replacements))
    text = (EXAMPLE / "installation.toml").read_text()
    old = next(line for line in text.splitlines() if line.startswith("catalogue_root_sha256"))
    path = folder / "installation.toml"
    path.write_text(changed(text, ((old, f'catalogue_root_sha256 = "{root}"'),)))
    return path


def catalogue(folder: Path, files: Sequence[Path], *, approved: bool = True) -> str:
    """Make a signed catalogue of the quick images among `files`; returns the digest of its root metadata."""
    made = Catalogue.create(
        folder, now=make_images.MADE, seed=make_images.SEED, lifetimes=make_images.LASTING
    )
    make_images.provide(made, {file.stem: file for file in files}, approved=approved)
    return made.root_sha256


def changed(text: str, replacements: Sequence[Replacement]) -> str:
    """Return `text` with each passage replaced; every one must be there."""
    for old, new in replacements:
        assert old in text, f"{old!r} is not in the file"
        text = text.replace(old, new)
    return text


def variant(home: Path, folder: Path, *replacements: Replacement, append: str = "") -> Path:
    """Copy the quick home at the installation file `home` to `folder`, changed; returns its installation file."""
    shutil.copytree(home.parent, folder)
    path = folder / home.name
    path.write_text(changed(path.read_text(), replacements) + append)
    return path
