"""What is to be done to one installation, decided before anything is done to it.

A plan is data: it goes into the journal as it is, and a resumed campaign carries on with the plan it began with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.journal import Json
from hw_profiles.model import DeviceKind

ORDER = ((DeviceKind.CHF,), (DeviceKind.ESME, DeviceKind.GSME), (DeviceKind.IHD, DeviceKind.CAD))
"""Kinds in the order they are upgraded, those of one group at the same time; the hub first, as it serves the rest."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One installation of one image. `sha256` names the file, versions are 32-bit OTA versions."""

    sha256: str
    name: str
    octets: int
    from_version: int
    version: int
    display: str

    def to_json(self) -> dict[str, Json]:
        """Return the hop as JSON data."""
        return {name: getattr(self, name) for name in self.__slots__}


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

    def to_json(self) -> dict[str, Json]:
        """Return the device's plan as JSON data."""
        return {
            "name": self.name,
            "device": self.device,
            "kind": str(self.kind),
            "current": self.current,
            "current_display": self.current_display,
            "target": self.target,
            "target_display": self.target_display,
            "hops": [hop.to_json() for hop in self.hops],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of an installation: which combination it is to form, and each device's part."""

    combination: str
    devices: tuple[DevicePlan, ...]
    steps: tuple[str, ...] = ()
    """The configuration steps, `sequence/step on device`, in order."""

    @property
    def stages(self) -> tuple[tuple[DevicePlan, ...], ...]:
        """The devices that have something to install, grouped in the order of upgrading."""
        due = [device for device in self.devices if device.hops]
        stages = (tuple(device for device in due if device.kind in kinds) for kinds in ORDER)
        return tuple(stage for stage in stages if stage)

    def device(self, eui64: str) -> DevicePlan | None:
        """Return the plan of a device, or None for one the plan does not mention."""
        return next((device for device in self.devices if device.device == eui64), None)

    def to_json(self) -> dict[str, Json]:
        """Return the plan as JSON data."""
        return {
            "combination": self.combination,
            "devices": [device.to_json() for device in self.devices],
            "steps": list(self.steps),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Plan:
        """Read `to_json` data, as the journal kept it."""
        devices, steps = value["devices"], value["steps"]
        assert isinstance(devices, list)
        assert isinstance(steps, list)
        return cls(
            str(value["combination"]),
            tuple(_device(item) for item in devices if isinstance(item, dict)),
            tuple(map(str, steps)),
        )


def _device(value: Mapping[str, Json]) -> DevicePlan:
    hops = value["hops"]
    assert isinstance(hops, list)
    return DevicePlan(
        str(value["name"]),
        str(value["device"]),
        DeviceKind(str(value["kind"])),
        int(str(value["current"])),
        str(value["current_display"]),
        int(str(value["target"])),
        str(value["target_display"]),
        tuple(_hop(item) for item in hops if isinstance(item, dict)),
    )


def _hop(value: Mapping[str, Json]) -> Hop:
    return Hop(
        str(value["sha256"]),
        str(value["name"]),
        int(str(value["octets"])),
        int(str(value["from_version"])),
        int(str(value["version"])),
        str(value["display"]),
    )
