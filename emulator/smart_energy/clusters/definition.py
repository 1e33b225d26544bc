"""The base of this project's Smart Energy clusters: zigpy clusters that know since when each item exists.

Nothing is registered with zigpy on import: `emulator.smart_energy.clusters.install` does that on request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar, cast

import zigpy.types as t
from zigpy.zcl import Cluster
from zigpy.zcl.foundation import (
    BaseAttributeDefs,
    CommandSchema,
    ZCLAttributeAccess,
    ZCLAttributeDef,
    ZCLCommandDef,
)

from emulator.smart_energy.version import SeVersion, gate
from emulator.zcl.attributes import Gate

Since = Mapping[range, SeVersion]
"""Versions by identifier range; the first range that holds an identifier counts."""


def only(identifier: int) -> range:
    """Return the range of one identifier, for `Since`."""
    return range(identifier, identifier + 1)


def cluster_number(identifier: int) -> t.uint16_t:
    """Return a cluster identifier in zigpy's type."""
    return t.uint16_t(identifier)  # type: ignore[no-untyped-call]


def octets(limit: int) -> type:
    """Return zigpy's type for an octet string of at most `limit` octets."""
    return cast(type, t.LimitedLVBytes(limit))  # type: ignore[no-untyped-call]


def attribute(
    identifier: int, python_type: Any, *, access: str = "r", mandatory: bool = False
) -> ZCLAttributeDef:
    """Return an attribute definition; `access` is zigpy's "r", "rw", "rp"..."""
    return ZCLAttributeDef(
        id=t.uint16_t(identifier),  # type: ignore[no-untyped-call]
        type=python_type,
        access=ZCLAttributeAccess.from_str(access),
        mandatory=mandatory,
    )


def command(identifier: int, schema: Mapping[str, Any]) -> ZCLCommandDef:
    """Return a command definition; a field name ending in "?" may be missing at the end of the payload."""
    # zigpy compiles the mapping when the cluster class is made; its annotation names the result only.
    compiled_later = cast(type[CommandSchema], dict(schema))
    return ZCLCommandDef(id=t.uint8_t(identifier), schema=compiled_later)  # type: ignore[no-untyped-call]


def _lookup(since: Since, identifier: int, otherwise: SeVersion) -> SeVersion:
    return next((version for identifiers, version in since.items() if identifier in identifiers), otherwise)


class SmartEnergyMixin:
    """What this project adds to a zigpy cluster.

    zigpy has one attribute list per cluster, for the server side. Attributes of the client side, whose
    identifiers overlap, are in `ClientAttributeDefs`.
    """

    _skip_registry: bool = True
    introduced: ClassVar[SeVersion] = SeVersion.SE_1_0
    attributes_since: ClassVar[Since] = {}
    server_commands_since: ClassVar[Since] = {}
    client_commands_since: ClassVar[Since] = {}

    class ClientAttributeDefs(BaseAttributeDefs):
        """Attributes of the client side."""

    @classmethod
    def attribute_introduced(cls, identifier: int) -> SeVersion:
        """Return the version that introduced a server attribute."""
        return _lookup(cls.attributes_since, identifier, cls.introduced)

    @classmethod
    def server_command_introduced(cls, command: int) -> SeVersion:
        """Return the version that introduced a command the server receives."""
        return _lookup(cls.server_commands_since, command, cls.introduced)

    @classmethod
    def client_command_introduced(cls, command: int) -> SeVersion:
        """Return the version that introduced a command the client receives."""
        return _lookup(cls.client_commands_since, command, cls.introduced)

    @classmethod
    def attribute_gate(cls, version: SeVersion, *, explicitly: Collection[int] = ()) -> Gate:
        """Return the gate of the server attributes for a device of `version`."""
        return gate(cls.attribute_introduced, version, explicitly=explicitly)

    @classmethod
    def server_command_gate(cls, version: SeVersion, *, explicitly: Collection[int] = ()) -> Gate:
        """Return the gate of the commands the server receives."""
        return gate(cls.server_command_introduced, version, explicitly=explicitly)

    @classmethod
    def client_command_gate(cls, version: SeVersion, *, explicitly: Collection[int] = ()) -> Gate:
        """Return the gate of the commands the client receives."""
        return gate(cls.client_command_introduced, version, explicitly=explicitly)


class SmartEnergyCluster(SmartEnergyMixin, Cluster):
    """A Smart Energy cluster defined here in full."""

    _skip_registry = True


def add_series(definitions: type[BaseAttributeDefs], series: Iterable[tuple[str, int, type]]) -> None:
    """Add read-only attributes given as (name, identifier, zigpy type) to a class still being defined."""
    for name, identifier, python_type in series:
        setattr(definitions, name, attribute(identifier, python_type))
