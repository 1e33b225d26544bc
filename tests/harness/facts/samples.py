"""Facts for tests that need some, and do not care which."""

from __future__ import annotations

from harness.facts.campaign import Begun, Request
from harness.facts.enrolment import KeyRotation
from harness.facts.firmware import VersionReadBack
from harness.facts.plan import Hop
from harness.facts.terms import KeyRole

DEVICE = "00-DB-12-34-56-78-90-A1"
HOP = Hop("00" * 32, "meter.ota", 10_000, 1, "1.0.0", 2, "2.0.0")


def begun(seed: int = 7) -> Begun:
    """Return the header of a campaign."""
    request = Request("inputs/home/installation.toml", None, seed, False, "inproc:", (), "00" * 32)
    return Begun(
        product_version="0",
        installation="example-home",
        mpan="1300001234560",
        epoch_unix_seconds=1_767_225_600,
        request=request,
        inputs={},
    )


def seen(device: str = DEVICE, version: int = 1) -> VersionReadBack:
    """Return something seen."""
    return VersionReadBack(device, version)


def rotation(device: str = DEVICE) -> KeyRotation:
    """Return something irreversible."""
    return KeyRotation(device, sender="DCO", role=KeyRole.CRITICAL, generation=1)
