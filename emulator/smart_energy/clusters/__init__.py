"""Smart Energy clusters defined the zigpy way, each item with the version that introduced it.

zigpy ships empty stubs for all of them but Metering. Importing this package changes nothing in zigpy:
`install` puts these definitions into its registry, so that applications see them, and returns the undo.
"""

from __future__ import annotations

from collections.abc import Callable

from zigpy.zcl import Cluster
from zigpy.zcl.clusters import general
from zigpy.zcl.foundation import ZCLAttributeDef

from emulator.smart_energy.clusters.calendar import Calendar
from emulator.smart_energy.clusters.definition import SmartEnergyCluster, SmartEnergyMixin
from emulator.smart_energy.clusters.device_management import DeviceManagement
from emulator.smart_energy.clusters.load_control import Drlc, EnergyManagement
from emulator.smart_energy.clusters.messaging import Messaging
from emulator.smart_energy.clusters.metering import Metering
from emulator.smart_energy.clusters.network import Events, KeepAlive, KeyEstablishment, MduPairing, Ota
from emulator.smart_energy.clusters.prepayment import Prepayment
from emulator.smart_energy.clusters.price import Price
from emulator.smart_energy.clusters.tunneling import Tunneling

__all__ = [
    "CLUSTERS",
    "Calendar",
    "DeviceManagement",
    "Drlc",
    "EnergyManagement",
    "Events",
    "KeepAlive",
    "KeyEstablishment",
    "MduPairing",
    "Messaging",
    "Metering",
    "Ota",
    "Prepayment",
    "Price",
    "SmartEnergyCluster",
    "SmartEnergyMixin",
    "Tunneling",
    "attribute_ids",
    "definition_of",
    "definitions_of",
    "install",
]

_DEFINED: tuple[type[Cluster], ...] = (
    Ota,
    KeepAlive,
    Price,
    Drlc,
    Metering,
    Messaging,
    Tunneling,
    Prepayment,
    EnergyManagement,
    Calendar,
    DeviceManagement,
    Events,
    MduPairing,
    KeyEstablishment,
)

CLUSTERS: dict[int, type[Cluster]] = {int(cluster.cluster_id): cluster for cluster in _DEFINED}
"""Definitions by cluster identifier; each is a `SmartEnergyMixin` too."""

_OF_ZIGPY: tuple[type[Cluster], ...] = (general.Basic, general.PowerConfiguration, general.Time)
_ALL = CLUSTERS | {int(cluster.cluster_id): cluster for cluster in _OF_ZIGPY}


def definition_of(cluster: int) -> type[Cluster]:
    """Return the definition of a cluster that devices here have attributes of; raises `KeyError` for another."""
    return _ALL[cluster]


def definitions_of(cluster: int, *names: str) -> tuple[ZCLAttributeDef, ...]:
    """Return the definitions of attributes; raises `KeyError` or `AttributeError` for what is not defined."""
    return tuple(getattr(definition_of(cluster).AttributeDefs, name) for name in names)


def attribute_ids(cluster: int, *names: str) -> tuple[int, ...]:
    """Return the identifiers of attributes; raises as `definitions_of`."""
    return tuple(int(each.id) for each in definitions_of(cluster, *names))


def install() -> Callable[[], None]:
    """Make zigpy use these definitions for every endpoint created from now on; return the undo."""
    registry = Cluster._registry
    before = {cluster_id: registry.get(cluster_id) for cluster_id in CLUSTERS}
    registry.update(CLUSTERS)

    def undo() -> None:
        for cluster_id, cluster in before.items():
            if cluster is None:
                registry.pop(cluster_id, None)
            else:
                registry[cluster_id] = cluster

    return undo
