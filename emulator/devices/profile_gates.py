"""Which attributes and commands exist in the Smart Energy version a device's firmware was made to."""

from __future__ import annotations

from emulator.smart_energy.clusters import CLUSTERS, SmartEnergyMixin
from emulator.smart_energy.version import SeVersion
from emulator.zcl.attributes import Gate
from hw_profiles.model import Model


class ProfileGates:
    """Gates of one firmware by cluster; a cluster that is not Smart Energy's has none (None: everything exists)."""

    def __init__(self, model: Model, version: int) -> None:
        """`version` is the running firmware: an upgrade may bring another version of the profile."""
        firmware = model.firmware_version(version)
        declared = firmware.se_version if firmware is not None else None
        self.se_version = SeVersion.parse((declared or model.se_version).value)

    def attributes(self, cluster: int) -> Gate | None:
        """Return the gate of the server's attributes."""
        definition = _definition(cluster)
        return None if definition is None else definition.attribute_gate(self.se_version)

    def server_commands(self, cluster: int) -> Gate | None:
        """Return the gate of the commands a server receives."""
        definition = _definition(cluster)
        return None if definition is None else definition.server_command_gate(self.se_version)

    def client_commands(self, cluster: int) -> Gate | None:
        """Return the gate of the commands a client receives."""
        definition = _definition(cluster)
        return None if definition is None else definition.client_command_gate(self.se_version)


def _definition(cluster: int) -> type[SmartEnergyMixin] | None:
    definition = CLUSTERS.get(cluster)
    return definition if definition is not None and issubclass(definition, SmartEnergyMixin) else None
