"""The firmware of a campaign: catalogue and given image as they are, and the way of each device to an eligible version.

The installation file says what runs now; what discovery finds may differ, so the plan is made again then, by the
same rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from emulator.errors import EmulatorError
from emulator.smart_energy.ota.signature import trust_of
from firmware_catalog.acceptance import ObjectionKind
from firmware_catalog.errors import CatalogError
from harness.campaign.eligibility import NoPlanError, choose_plan, recorded_versions
from harness.campaign.readiness.finding import Finding, Weight, of_message
from harness.errors import HarnessError
from harness.facts.plan import Plan
from harness.workspace.images import Images, read_images
from hw_profiles.installation import Installation


class Firmware(NamedTuple):
    """What was found, and the plan from what the installation file says, when there is one."""

    findings: tuple[Finding, ...]
    plan: Plan | None = None
    images: Images | None = None


def check_firmware(installation: Installation, image: Path | None, memory: Path | None = None) -> Firmware:
    """Look at the firmware authorities, open the catalogue, read every image that may be sent, and plan.

    `memory` is where what was seen of catalogues is kept, so that an older state of one is found.
    """
    if untrusted := tuple(_authorities(installation)):
        return Firmware(untrusted)
    try:
        images = read_images(installation, image, memory)
    except (CatalogError, HarnessError, EmulatorError) as error:
        return Firmware((of_message(str(error)),))
    lines = (*images.stored_refusals(), *images.given_refusals(), *images.listing_refusals())
    refused = tuple(of_message(line) for line in lines)
    if refused:
        # What can be reached without the images just refused would only say the same again.
        return Firmware(refused, images=images)
    found, plan = _plan(installation, images)
    return Firmware(found, plan, images)


def _plan(installation: Installation, images: Images) -> tuple[tuple[Finding, ...], Plan | None]:
    versions = recorded_versions(installation)
    try:
        return (), choose_plan(installation, versions, images)
    except NoPlanError as error:
        rejected = tuple(_rejected(images, versions))
        if rejected:
            return rejected, None
        # With an image of their own choice people mean to get further than where this ends.
        weight = Weight.FORESEEN if images.given is None else Weight.REFUSED
        place = str(installation.path)
        return tuple(
            Finding(place, "", f"{problem.what}: {problem.cause}", problem.action, weight)
            for problem in error.problems
        ), None


_WRONG = (ObjectionKind.DAMAGED, ObjectionKind.SIZE, ObjectionKind.VERIFICATION)
"""Objections to an image itself; others only say that it is for another device or another moment."""


def _rejected(images: Images, versions: Mapping[str, int]) -> Iterator[Finding]:
    """Yield each image of the catalogue that its device would reject once it had all of it."""
    installation = images.installation
    for device in installation.record.devices:
        model = installation.models[device.name]
        for entry in images.catalogued(device):
            if not entry.fits(model.id, model.identity.hardware_version, device.address):
                continue
            for kind, text in images.objections(device, entry.id, versions[device.name]):
                if kind in _WRONG:
                    place = f"{installation.catalogue}: image {entry.id[:12]} ({entry.identity})"
                    expected = f"an image that {device.name} takes; it would reject this one: {text}"
                    yield Finding(
                        place, entry.file_name, expected, "have its supplier sign it for these meters"
                    )


def _authorities(installation: Installation) -> Iterator[Finding]:
    seen = set()
    for index, authority in enumerate(installation.record.firmware_authorities):
        place = f"{installation.path}: firmware_authorities[{index}]"
        try:
            trust = trust_of(authority)
        except EmulatorError as error:
            yield Finding(
                f"{place}.public_key", authority.public_key, f"a point of the suite's curve ({error})"
            )
            continue
        if (trust.suite, trust.issuer) in seen:
            expected = "each issuer once a suite: devices know one key of each"
            yield Finding(f"{place}.issuer", authority.issuer, expected, "remove one")
        seen.add((trust.suite, trust.issuer))
