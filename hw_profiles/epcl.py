"""Eligible product combinations: which sets of device models and firmware, with which provider, may be
enrolled.

The official list's columns are recalled, not read (DCC facts 3.2); this file format is the project's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, NamedTuple

from hw_profiles.bounds import U16, Distinct, Length, Pattern, Problem
from hw_profiles.model import DeviceKind
from hw_profiles.toml_file import load_record

GroupId = Annotated[str, Pattern(r"[A-Z]{2}", "two capital letters")]


class Product(NamedTuple):
    """One device as a combination sees it; `firmware` is the inventory version of 1 to 8 characters."""

    kind: DeviceKind
    manufacturer: str
    model: str
    hardware_version: int
    firmware: str


@dataclass(frozen=True, slots=True)
class EligibleDevice:
    """One device of a combination, with every firmware that is eligible in it, the preferred first."""

    kind: DeviceKind
    manufacturer: Annotated[str, Length(1, 30)]
    model: Annotated[str, Length(1, 30)]
    hardware_version: U16
    firmware: Annotated[tuple[Annotated[str, Length(1, 8)], ...], Length(1, 64)]

    def is_model_of(self, product: Product) -> bool:
        """Say whether `product` is this hardware, whatever its firmware."""
        return (self.kind, self.manufacturer, self.model, self.hardware_version) == product[:4]

    def covers(self, product: Product) -> bool:
        """Say whether `product` is this hardware with an eligible firmware."""
        return self.is_model_of(product) and product.firmware in self.firmware


@dataclass(frozen=True, slots=True)
class Combination:
    """One entry: the devices that were tested together, and the communications provider."""

    id: Annotated[str, Pattern(r"[A-Z0-9]+(-[A-Z0-9]+)*", "capital letters and digits joined by hyphens")]
    provider: Annotated[str, Length(1, 40)]
    added: date
    devices: Annotated[tuple[EligibleDevice, ...], Length(2, 16)]
    group_id: GroupId = "AA"

    def problems(self) -> Iterator[Problem]:
        """A combination names a hub and an electricity meter."""
        kinds = [device.kind for device in self.devices]
        for kind in (DeviceKind.CHF, DeviceKind.ESME):
            if kind not in kinds:
                yield Problem("devices", [item.value for item in kinds], f"a device of kind {kind.value}")

    def device_for(self, product: Product) -> EligibleDevice | None:
        """Return the entry for the same hardware as `product`, or None."""
        return next((device for device in self.devices if device.is_model_of(product)), None)

    def lists(self, product: Product) -> bool:
        """Say whether `product` is in this combination, its firmware included."""
        return any(device.covers(product) for device in self.devices)

    def has_models_of(self, products: Sequence[Product]) -> bool:
        """Say whether every product's hardware is in this combination, whatever firmware runs now."""
        return all(self.device_for(product) is not None for product in products)

    def covers(self, products: Sequence[Product]) -> bool:
        """Say whether the products, as they are, form this combination."""
        return all(self.lists(product) for product in products)


@dataclass(frozen=True, slots=True)
class Epcl:
    """A list of eligible product combinations."""

    title: Annotated[str, Length(1, 120)]
    version: Annotated[str, Length(1, 20)]
    combinations: Annotated[tuple[Combination, ...], Length(1, 10_000), Distinct("id", "combination id")]

    def matching(self, products: Sequence[Product], provider: str) -> tuple[Combination, ...]:
        """Return the combinations that the products form now."""
        return tuple(entry for entry in self._of(provider) if entry.covers(products))

    def reachable(self, products: Sequence[Product], provider: str) -> tuple[Combination, ...]:
        """Return the combinations of the same hardware and provider: those that firmware can reach."""
        return tuple(entry for entry in self._of(provider) if entry.has_models_of(products))

    def _of(self, provider: str) -> Iterator[Combination]:
        return (entry for entry in self.combinations if entry.provider == provider)


def load_epcl(path: Path) -> Epcl:
    """Load a list of eligible combinations; raises `ProfileError`."""
    return load_record(Epcl, path)
