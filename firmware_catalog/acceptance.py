"""Whether one device may be given one image: every objection there is, before anything touches the device.

Pure functions of a file, what the catalogue says of it, and the device as its model and installation describe it.
The signature and the integrity code are judged by the very code with which the emulated device judges its download.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from emulator.errors import SecurityError
from emulator.eui64 import format_eui64
from emulator.smart_energy.ota.file import OtaFile, OtaHeader
from emulator.smart_energy.ota.findings import findings, refusal
from emulator.smart_energy.ota.signature import FirmwareTrust, verify_image
from firmware_catalog.errors import CatalogError
from firmware_catalog.gate import Home, entry_for, lacks
from firmware_catalog.records import Entry
from firmware_catalog.standing import Standing
from firmware_catalog.statements import Requirement
from hw_profiles.epcl import Product
from hw_profiles.installation import DeviceEntry, Installation
from hw_profiles.model import DeviceKind, Model

LISTED_KINDS = (DeviceKind.CHF, DeviceKind.ESME, DeviceKind.GSME)
"""Kinds that a combination is compared by; displays and consumer devices do not decide."""


class ObjectionKind(StrEnum):
    """What stands against giving an image to a device."""

    DAMAGED = "damaged"
    """The file is malformed, cut short or empty."""
    IDENTITY = "identity"
    """Manufacturer code or image type is another, or the model has no OTA client."""
    HARDWARE = "hardware"
    DESTINATION = "destination"
    """The header names another device."""
    SIZE = "size"
    VERIFICATION = "verification"
    """The device would reject it: its signer is on no firmware authority's list, or a signature or integrity code is
    wrong or absent where the model demands it.
    """
    VERSION = "version"
    """It is what runs already, or older and the model refuses that."""
    CLAIMS = "claims"
    """The signed record says other than the header."""
    MODEL = "model"
    """The signed record is for other models."""
    FROM_VERSIONS = "from-versions"
    """The signed record does not allow it over the version that runs."""
    WITHDRAWN = "withdrawn"
    PROVIDER = "provider"
    """The home is dormant, and neither its own Installing Supplier provides it nor has the DCC adopted it."""
    EVIDENCE = "evidence"
    """The home is dormant, and prior field use is not shown."""
    APPROVAL = "approval"
    """The home is dormant, and nobody other than the provider has approved it."""
    LISTING = "listing"
    """No eligible product combination of the home's models lists the version."""


class Objection(NamedTuple):
    """One reason why a device may not have an image; `text` says it in one clause."""

    kind: ObjectionKind
    text: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """A device as images are chosen for it. `version` is the 32-bit OTA version it runs.

    `trusts` are those of its firmware authorities; `home` is where it stands, which decides on whose word it may have
    firmware.
    """

    model: Model
    eui64: int
    version: int
    home: Home
    trusts: tuple[FirmwareTrust, ...] = ()


def is_of_kind(header: OtaHeader, model: Model) -> bool:
    """Say whether an image has the OTA identity and hardware range of a model."""
    return not list(_identity(header, model))


def objections(
    file: OtaFile, recipient: Recipient, standing: Standing, today: datetime.date
) -> tuple[Objection, ...]:
    """Return everything that stands against giving `file` to `recipient` at the date `today`; empty when nothing.

    `standing` is what the catalogue says of the file: nothing, for one that is in none.
    """
    return (*device_objections(file, recipient), *record_objections(file, recipient, standing, today))


def device_objections(file: OtaFile, recipient: Recipient) -> tuple[Objection, ...]:
    """Return why the device itself would refuse or fail to run the file: what it checks, checked beforehand."""
    return tuple(_of_device(file, recipient))


def record_objections(
    file: OtaFile, recipient: Recipient, standing: Standing, today: datetime.date
) -> tuple[Objection, ...]:
    """Return what the catalogue's parties, or the want of their word, have against it."""
    waived = {str(requirement) for requirement in standing.waivers(recipient.home.mpan, today)}
    return tuple(each for each in _of_record(file, recipient, standing, today) if each.kind not in waived)


def listing_objections(installation: Installation, name: str, image: int) -> tuple[Objection, ...]:
    """Return whether the device called `name` would be left on firmware that no eligible combination lists.

    The other devices count by their models, since they may yet be upgraded; devices that no combination is compared
    by, and homes whose models form none at all, are not this function's business.
    """
    device = installation.device(name)
    if device.role not in LISTED_KINDS:
        return ()
    others = [entry for entry in installation.record.devices if entry.role in LISTED_KINDS]
    products = [_product(installation, entry) for entry in others]
    provider = installation.record.wan.provider
    combinations = installation.epcl.reachable([item for item in products if item is not None], provider)
    wanted = installation.product(name, image)
    if not combinations or (wanted is not None and any(item.lists(wanted) for item in combinations)):
        return ()
    known = installation.models[name].firmware_version(image)
    shown = f"0x{image:08X}" if known is None else f"{known.display} (0x{image:08X})"
    listing = ", ".join(item.id for item in combinations)
    return (Objection(ObjectionKind.LISTING, f"version {shown} is in no eligible combination ({listing})"),)


def _product(installation: Installation, entry: DeviceEntry) -> Product | None:
    return installation.product(entry.name, installation.installed_firmware(entry.name).ota_version)


def _of_device(file: OtaFile, recipient: Recipient) -> Iterator[Objection]:
    damage = refusal(findings(file))
    if damage is not None:
        yield Objection(ObjectionKind.DAMAGED, damage)
    identity = list(_identity(file.header, recipient.model))
    yield from identity
    if not file.header.is_for(recipient.eui64):
        other = format_eui64(file.header.destination or 0)
        text = f"made for the device {other} only, not for {format_eui64(recipient.eui64)}"
        yield Objection(ObjectionKind.DESTINATION, text)
    if not identity:
        yield from _size(file, recipient.model)
        if damage is None:
            yield from _verification(file, recipient)
    yield from _version(file.header.file_version, recipient)


def _identity(header: OtaHeader, model: Model) -> Iterator[Objection]:
    if model.ota is None:
        yield Objection(ObjectionKind.IDENTITY, f"{model.id} cannot be upgraded over the air")
        return
    wanted = (model.ota.manufacturer_code, model.ota.image_type)
    if (header.manufacturer_code, header.image_type) != wanted:
        stated = f"0x{header.manufacturer_code:04X}/0x{header.image_type:04X}"
        expected = f"0x{wanted[0]:04X}/0x{wanted[1]:04X}"
        yield Objection(ObjectionKind.IDENTITY, f"an image of {stated}; {model.id} takes {expected}")
    hardware = model.identity.hardware_version
    if not header.fits_hardware(hardware):
        rated = f"0x{header.hardware_minimum or 0:04X} to 0x{header.hardware_maximum or 0:04X}"
        text = f"for hardware {rated}; {model.id} is hardware 0x{hardware:04X}"
        yield Objection(ObjectionKind.HARDWARE, text)


def _size(file: OtaFile, model: Model) -> Iterator[Objection]:
    if model.ota is None or model.flash is None:
        return
    room = min(model.flash.slot_octets, model.ota.max_image_octets or model.flash.slot_octets)
    if len(file.image) > room:
        text = f"{len(file.image)} octets; {model.id} has room for {room}"
        yield Objection(ObjectionKind.SIZE, text)


def _verification(file: OtaFile, recipient: Recipient) -> Iterator[Objection]:
    ota = recipient.model.ota
    if ota is None:
        return
    try:
        verify_image(file, ota.verification, ota.integrity_coverage, recipient.trusts)
    except SecurityError as error:
        yield Objection(ObjectionKind.VERIFICATION, str(error))


def _version(image: int, recipient: Recipient) -> Iterator[Objection]:
    running, ota = recipient.version, recipient.model.ota
    if image == running:
        yield Objection(ObjectionKind.VERSION, f"version 0x{image:08X} runs already")
    elif ota is not None and ota.refuses_downgrade and image < running:
        text = f"version 0x{image:08X} is older than 0x{running:08X}, which {recipient.model.id} refuses"
        yield Objection(ObjectionKind.VERSION, text)


def _of_record(
    file: OtaFile, recipient: Recipient, standing: Standing, today: datetime.date
) -> Iterator[Objection]:
    entry = entry_for(standing, recipient.home, today)
    if entry is not None:
        yield from _of_entry(entry, file, recipient)
    for requirement, text in lacks(standing, recipient.home, today):
        yield Objection(_KIND_OF[requirement], text)


_KIND_OF = {
    None: ObjectionKind.WITHDRAWN,
    Requirement.PROVIDER: ObjectionKind.PROVIDER,
    Requirement.EVIDENCE: ObjectionKind.EVIDENCE,
    Requirement.APPROVAL: ObjectionKind.APPROVAL,
}


def _of_entry(entry: Entry, file: OtaFile, recipient: Recipient) -> Iterator[Objection]:
    try:
        entry.require_file(file)
    except CatalogError as error:
        yield Objection(ObjectionKind.CLAIMS, str(error))
    if entry.models and recipient.model.id not in entry.models:
        text = f"recorded for {', '.join(entry.models)}, not for {recipient.model.id}"
        yield Objection(ObjectionKind.MODEL, text)
    yield from _from_versions(file.header.file_version, recipient.version, entry.from_versions)


def _from_versions(image: int, running: int, allowed: Sequence[int]) -> Iterator[Objection]:
    if allowed and running not in allowed and running != image:
        versions = ", ".join(f"0x{version:08X}" for version in allowed)
        text = f"may follow {versions} only, and 0x{running:08X} runs; the steps between are missing"
        yield Objection(ObjectionKind.FROM_VERSIONS, text)
