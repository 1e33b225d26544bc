"""Attributes of emulated devices: those of defined clusters, by name, and a profile's configuration.

Configuration attributes are data of the model; their present values live in non-volatile memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from emulator.nonvolatile import NonVolatile
from emulator.smart_energy.clusters import definition_of, definitions_of
from emulator.zcl.attributes import Attribute, AttributeTable, Gate
from emulator.zcl.client import Wanted
from emulator.zcl.endpoint import ZclEndpoint
from emulator.zcl.frame import ZclStatus
from hw_profiles.attribute_values import ConfigurationAttribute
from hw_profiles.model import Endpoint, Model

TYPE_IDS: Mapping[str, int] = {
    "bool": 0x10,
    "bitmap8": 0x18,
    "bitmap16": 0x19,
    "bitmap32": 0x1B,
    "uint8": 0x20,
    "uint16": 0x21,
    "uint24": 0x22,
    "uint32": 0x23,
    "uint48": 0x25,
    "int8": 0x28,
    "int16": 0x29,
    "int24": 0x2A,
    "int32": 0x2B,
    "enum8": 0x30,
    "enum16": 0x31,
    "octets": 0x41,
    "string": 0x42,
    "utc": 0xE2,
    "eui64": 0xF0,
}
"""ZCL data type identifiers by the names that profiles use."""


Contents = Mapping[str, Any]
"""Values of attributes, or providers of them, by the names of the cluster's definition."""


def table_of(cluster: int, contents: Contents, gate: Gate | None = None) -> AttributeTable:
    """Return what a device has of a cluster's attributes, as they are defined: those that `gate` says exist.

    A device lets none of them be written, whatever the definition leaves open, and reports any that it is asked to.
    Raises `KeyError` for a cluster or name that is not defined.
    """
    table = AttributeTable.of(definition_of(cluster).AttributeDefs, contents, gate=gate)
    for attribute in table.ordered():
        attribute.writable, attribute.reportable = False, True
    return table


def wanted(cluster: int, name: str, *other_types: str) -> Wanted:
    """Return an attribute to read, of the type it is defined with, or of another that devices are known to use."""
    (definition,) = definitions_of(cluster, name)
    return Wanted(int(definition.id), (int(definition.zcl_type), *(TYPE_IDS[each] for each in other_types)))


def complete(endpoint: ZclEndpoint, described: Endpoint) -> None:
    """Add the clusters that a simple descriptor names and nothing has served yet: they exist, and are empty."""
    for cluster in described.server:
        if endpoint.side(cluster) is None:
            endpoint.add_server(cluster)
    for cluster in described.client:
        if endpoint.side(cluster, server=False) is None:
            endpoint.add_client(cluster)


class Configuration:
    """Present values of a model's configuration attributes, kept through power cuts."""

    def __init__(
        self,
        model: Model,
        nonvolatile: NonVolatile,
        installed: Mapping[str, Any],
        on_change: Callable[[str], None],
    ) -> None:
        """`installed` are the values the device came with; `on_change` is told the name of what was written."""
        self._nonvolatile = nonvolatile
        self._installed = installed
        self._on_change = on_change
        self.attributes = model.configuration

    def value(self, attribute: ConfigurationAttribute) -> Any:
        """Return the value as ZCL holds it: octet strings as octets, the rest as in the profile."""
        stored = self._nonvolatile.get(f"config.{attribute.name}")
        value = (
            self._installed.get(attribute.name, attribute.default) if stored is None else json.loads(stored)
        )
        return bytes.fromhex(value) if attribute.type == "octets" else value

    def define(self, attribute: ConfigurationAttribute, table: AttributeTable) -> None:
        """Put the attribute into the table of its cluster."""
        cell = Attribute(
            attribute.attribute, TYPE_IDS[attribute.type], attribute.name, writable=attribute.writable
        )
        cell.on_write = lambda value: self._write(attribute, value)
        table.add(cell, lambda: self.value(attribute))

    def _write(self, attribute: ConfigurationAttribute, value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            low, high = attribute.minimum, attribute.maximum
            if (low is not None and value < low) or (high is not None and value > high):
                return ZclStatus.INVALID_VALUE
        plain = value.hex() if isinstance(value, bytes) else value
        if self.value(attribute) != value:
            self._nonvolatile.put(f"config.{attribute.name}", json.dumps(plain).encode())
            self._on_change(attribute.name)
        return ZclStatus.SUCCESS
