"""What is to be done to one installation, decided before anything is done to it.

A plan is data: it goes into the journal as it is, and a resumed campaign carries on with the plan it began with.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_catalog.gate import Grounds
from hw_profiles.model import DeviceKind

ORDER = ((DeviceKind.CHF,), (DeviceKind.ESME, DeviceKind.GSME), (DeviceKind.IHD, DeviceKind.CAD))
"""Kinds in the order they are upgraded, those of one group at the same time; the hub first, as it serves the rest."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One installation of one image. `sha256` names the file, versions are 32-bit OTA versions.

    `display` and `from_display` are what people call them.
    """

    sha256: str
    name: str
    octets: int
    from_version: int
    from_display: str
    version: int
    display: str


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """What one device is to become; no `hops` when it is right as it is. `name` is the device's in the file."""

    name: str
    device: str
    kind: DeviceKind
    current: int
    current_display: str
    target: int
    target_display: str
    hops: tuple[Hop, ...] = ()


@dataclass(frozen=True, slots=True)
class Admitted:
    """An image that may go to a device of a dormant home, and on whose word; `device` is its EUI-64 as text."""

    device: str
    sha256: str
    display: str
    grounds: Grounds


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of an installation: which combination it is to form, and each device's part."""

    combination: str
    devices: tuple[DevicePlan, ...]
    steps: tuple[str, ...] = ()
    """The configuration steps, `sequence/step on device`, in order."""
    admitted: tuple[Admitted, ...] = ()
    """On whose word each hop's image goes to its device, in order; empty for a home that is not dormant."""

    @property
    def stages(self) -> tuple[tuple[DevicePlan, ...], ...]:
        """The devices that have something to install, grouped in the order of upgrading."""
        due = [device for device in self.devices if device.hops]
        stages = (tuple(device for device in due if device.kind in kinds) for kinds in ORDER)
        return tuple(stage for stage in stages if stage)

    @property
    def is_work(self) -> bool:
        """Whether anything is to be installed or configured."""
        return bool(self.stages or self.steps)

    def device(self, eui64: str) -> DevicePlan | None:
        """Return the plan of a device, or None for one the plan does not mention."""
        return next((device for device in self.devices if device.device == eui64), None)

    def admitted_to(self, eui64: str) -> tuple[Admitted, ...]:
        """Return the images admitted to a device, in order."""
        return tuple(each for each in self.admitted if each.device == eui64)
