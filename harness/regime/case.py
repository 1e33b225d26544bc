"""What an enrolment is about, and what it needs from outside.

`case_of` makes the case from an installation file and the firmware that its devices run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from emulator.eui64 import format_eui64
from hw_profiles.epcl import Product
from hw_profiles.installation import Authorisation, Installation
from hw_profiles.model import DeviceKind, Model

CONTROLLED_KINDS = (DeviceKind.CHF, DeviceKind.ESME, DeviceKind.GSME)
"""Kinds of device that a head end controls; displays are listed in the files and nothing more."""


@dataclass(frozen=True, slots=True)
class MigratingDevice:
    """One device of an installation; `firmware` is its inventory version, 1 to 8 characters."""

    eui64: int
    kind: DeviceKind
    manufacturer: str
    model: str
    hardware_version: int
    firmware: str

    @property
    def name(self) -> str:
        """The EUI-64 as the DCC writes it: the subject of journal entries."""
        return format_eui64(self.eui64)

    @property
    def controlled(self) -> bool:
        """Whether a head end holds control keys for it."""
        return self.kind in CONTROLLED_KINDS

    @property
    def product(self) -> Product:
        """The device as the list of eligible combinations sees it."""
        return Product(self.kind, self.manufacturer, self.model, self.hardware_version, self.firmware)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentCase:
    """One installation to enrol. Suppliers are EUI-64s; `certificates` says what comes when."""

    installation: str
    mpan: str
    mprn: str | None
    group_id: str
    wan_provider: str
    dormant: bool
    responsible_supplier: int
    installing_supplier: int
    devices: tuple[MigratingDevice, ...]
    certificates: Authorisation = field(default_factory=Authorisation)

    def controlled(self) -> tuple[MigratingDevice, ...]:
        """Return the hub and the meters."""
        return tuple(device for device in self.devices if device.controlled)


def case_of(installation: Installation, firmware: Mapping[str, int]) -> EnrolmentCase:
    """Return the case of an installation file; `firmware` is the OTA version running, by device name.

    Devices not in `firmware` keep the version of the file; a version that the profile does not know is in hexadecimal,
    and no list has it.
    """
    record = installation.record
    devices = []
    for entry in record.devices:
        model = installation.models[entry.name]
        listed = model.firmware_displayed(entry.firmware)
        running = firmware.get(entry.name, None if listed is None else listed.ota_version)
        identity = model.identity
        devices.append(
            MigratingDevice(
                entry.address,
                entry.role,
                identity.inventory_manufacturer,
                identity.inventory_model,
                identity.hardware_version,
                "" if running is None else inventory_version(model, running),
            )
        )
    return EnrolmentCase(
        installation=record.id,
        mpan=record.mpan,
        mprn=record.mprn,
        group_id=record.enrolment.group_id,
        wan_provider=record.wan.provider,
        dormant=record.dormant,
        responsible_supplier=int(record.suppliers.responsible.replace("-", ""), 16),
        installing_supplier=int(record.suppliers.installing.replace("-", ""), 16),
        devices=tuple(devices),
        certificates=record.authorisation,
    )


def inventory_version(model: Model, ota_version: int) -> str:
    """Return how the inventory writes a version: in hexadecimal where the model's profile does not know it."""
    known = model.firmware_version(ota_version)
    return f"{ota_version:08X}" if known is None else known.inventory_version


@dataclass(frozen=True, slots=True)
class DeviceTest:
    """What a device answered when it was tested over the WAN link."""

    answered: bool
    detail: str = ""


class OutsideWorld(Protocol):
    """How the parties reach the devices: over the WAN link, whatever is behind it."""

    async def device_test(self, eui64: int) -> DeviceTest:
        """Ask a device to answer; a device of the HAN that stays silent is `answered=False`.

        Raises `UnreachableError` when the hub itself gives no answer.
        """

    async def firmware(self, eui64: int) -> str | None:
        """Return the version a device says it runs now, as the inventory writes it; None when it has no say in it.

        Raises `UnreachableError` when neither it nor the hub for it gives an answer.
        """

    async def send_control(self, eui64: int, envelope: bytes) -> bytes:
        """Carry a control envelope to the device and return its response.

        Raises `UnreachableError` when no response came; the envelope may or may not have arrived.
        """
