"""Public firmware images, which are not ours to hand on: a folder named by an environment variable has them.

The images are those of the public index github.com/Koenkk/zigbee-OTA, under the names they have there.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "SMETS1_OTA_SAMPLES"
ABSENT = f"public OTA images are not part of the project: {VARIABLE} names no folder that has them"


def ota_samples() -> list[Path]:
    """Return every image there is, sorted; none when the variable names no folder."""
    folder = os.environ.get(VARIABLE)
    return sorted(path for path in Path(folder).glob("*") if path.is_file()) if folder else []


def ota_sample(start: str) -> Path:
    """Return the image whose file name begins so; skips, saying why, when it is not there."""
    for path in ota_samples():
        if path.name.startswith(start):
            return path
    pytest.skip(f"{ABSENT}: no {start}*" if ota_samples() else ABSENT)


def each_ota_sample() -> pytest.MarkDecorator:
    """Run a test for every image there is, as `path`; without any it is skipped, saying why."""
    absent = pytest.param(None, marks=pytest.mark.skip(reason=ABSENT), id="absent")
    return pytest.mark.parametrize(
        "path", [pytest.param(path, id=path.name[:20]) for path in ota_samples()] or [absent]
    )
