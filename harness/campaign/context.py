"""What every phase of a campaign works with."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.eui64 import format_eui64
from emulator.wan import operations as wan
from emulator.zcl.identifiers import OTA_UPGRADE
from harness.campaign.discovery import CURRENT_FILE_VERSION
from harness.facts.discovery import Found
from harness.head_end import HeadEnd, HubRefusedError
from harness.journal import Journal
from harness.workspace.images import Images
from hw_profiles.installation import DeviceEntry, Installation
from hw_profiles.limits import Limits


class NoAnswerError(Exception):
    """A device of the home gave no usable answer; says which and what was asked."""


@dataclass(frozen=True, slots=True)
class Context:
    """One campaign: the installation, the way to its hub, the journal, and what was found."""

    installation: Installation
    head_end: HeadEnd
    journal: Journal
    images: Images
    found: dict[str, Found]
    """What the survey found, by EUI-64 as text."""

    @property
    def limits(self) -> Limits:
        """How patient the campaign is."""
        return self.installation.record.limits

    def found_of(self, entry: DeviceEntry) -> Found:
        """Return what was found of a device."""
        return self.found[format_eui64(entry.address)]

    def tells_version(self, entry: DeviceEntry) -> bool:
        """Whether there is anything to read a device's OTA version from."""
        return entry is self.installation.hub or self.found_of(entry).endpoint_using(OTA_UPGRADE) is not None

    async def read_version(self, entry: DeviceEntry, *, timeout_s: float | None = None) -> int:
        """Ask a device, or the hub about itself, which OTA version it runs; raises `NoAnswerError`."""
        if entry is self.installation.hub:
            return (await self.head_end.call(wan.Status(), timeout_s=timeout_s)).firmware
        endpoint = self.found_of(entry).endpoint_using(OTA_UPGRADE)
        if endpoint is None:
            raise NoAnswerError(f"{entry.name} has no OTA client to read a version from")
        value = await self.read(
            entry, endpoint, OTA_UPGRADE, CURRENT_FILE_VERSION, from_server=True, timeout_s=timeout_s
        )
        if not isinstance(value, int) or isinstance(value, bool):
            raise NoAnswerError(f"{entry.name} says that it runs {value!r}, which is no version")
        return value

    async def read(
        self,
        entry: DeviceEntry,
        endpoint: int,
        cluster: int,
        attribute: int,
        *,
        from_server: bool = False,
        timeout_s: float | None = None,
    ) -> bool | int | float | str:
        """Read one attribute of a device, octet strings in hexadecimal; raises `NoAnswerError`."""
        name = f"{entry.name}, cluster 0x{cluster:04X} attribute 0x{attribute:04X}"
        try:
            address = format_eui64(entry.address)
            question = wan.Read(address, endpoint, cluster, (attribute,), from_server)
            answer = await self.head_end.call(question, timeout_s=timeout_s)
        except HubRefusedError as error:
            raise NoAnswerError(f"{name}: {error.text}") from error
        read = answer.values.get(f"{attribute:04x}")
        if read is None or read.status != 0 or not isinstance(read.value, bool | int | float | str):
            raise NoAnswerError(f"{name}: {(read and read.name) or 'no value'}")
        return read.value
