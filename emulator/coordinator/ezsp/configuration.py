"""Configuration commands: configuration values, values, policies and endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from bellows.types import EzspConfigId, EzspExtendedValueId, EzspPolicyId, EzspValueId

from emulator.coordinator.ezsp.core import Answer, Core, Handler, Values
from emulator.coordinator.ezsp.defaults import CONFIGURATION, POLICIES, RELEASES, VALUES
from emulator.coordinator.ezsp.status import SlStatus
from emulator.errors import SecurityError
from emulator.stack.zdo.descriptors import PowerDescriptor, SimpleDescriptor

_UNKNOWN_ID: Answer = {"status": SlStatus.NOT_SUPPORTED}
_MAX_ENDPOINTS = 16
_FIXED_ONCE_UP = frozenset(
    {
        EzspConfigId.CONFIG_BINDING_TABLE_SIZE,
        EzspConfigId.CONFIG_KEY_TABLE_SIZE,
        EzspConfigId.CONFIG_STACK_PROFILE,
        EzspConfigId.CONFIG_SECURITY_LEVEL,
    }
)
_COUNTER_OCTETS = 4


class Configuration:
    """What the host sets after every reset; none of it survives one."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.configuration = {identifier: each.default for identifier, each in CONFIGURATION.items()}
        self.policies = dict(POLICIES)
        self.values = dict(VALUES)
        self.values[EzspValueId.VALUE_MAXIMUM_INCOMING_TRANSFER_SIZE] = (
            core.config.max_incoming_transfer.to_bytes(2, "little")
        )
        self.on_policy: Callable[[int], None] = _ignore
        """Called with the id of a policy that the host has set."""
        self.on_value: Callable[[int, bytes], None] = lambda _id, _value: None
        """Called when the host sets a value."""
        self._computed: Mapping[int, Callable[[], bytes]] = {
            EzspValueId.VALUE_FREE_BUFFERS: lambda: bytes((self.configuration[1] & 0xFF,)),
            EzspValueId.VALUE_VERSION_INFO: lambda: RELEASES[core.version].version_information,
            EzspValueId.VALUE_NODE_SHORT_ID: lambda: core.node.short_address.to_bytes(2, "little"),
            EzspValueId.VALUE_NWK_FRAME_COUNTER: lambda: core.node.nwk.security.frame_counter.to_bytes(
                _COUNTER_OCTETS, "little"
            ),
            EzspValueId.VALUE_APS_FRAME_COUNTER: lambda: bytes(_COUNTER_OCTETS),
        }

    def handlers(self) -> Mapping[str, Handler]:
        """Return the commands of this part."""
        return {
            "getConfigurationValue": self._get_configuration,
            "setConfigurationValue": self._set_configuration,
            "getPolicy": self._get_policy,
            "setPolicy": self._set_policy,
            "getValue": self._get_value,
            "setValue": self._set_value,
            "getExtendedValue": self._get_extended_value,
            "addEndpoint": self._add_endpoint,
            "setManufacturerCode": self._set_manufacturer_code,
            "setPowerDescriptor": self._set_power_descriptor,
            "maximumPayloadLength": lambda _: {"aps_length": 82},
        }

    def size(self, identifier: int) -> int:
        """Return a configuration value."""
        return self.configuration[identifier]

    def _get_configuration(self, values: Values) -> Answer:
        found = self.configuration.get(values["config_id"])
        return _UNKNOWN_ID if found is None else {"value": found}

    def _set_configuration(self, values: Values) -> Answer:
        identifier = values["config_id"]
        if identifier not in self.configuration:
            return _UNKNOWN_ID
        if self._core.on_network and identifier in _FIXED_ONCE_UP:
            return {"status": SlStatus.INVALID_STATE}
        setting = CONFIGURATION[identifier]
        if not setting.lowest <= values["value"] <= setting.highest:
            return {"status": SlStatus.INVALID_PARAMETER}
        self.configuration[identifier] = values["value"]
        return {}

    def _get_policy(self, values: Values) -> Answer:
        found = self.policies.get(values["policy_id"])
        return _UNKNOWN_ID if found is None else {"decision_id": found}

    def _set_policy(self, values: Values) -> Answer:
        identifier = values["policy_id"]
        if identifier not in self.policies:
            return _UNKNOWN_ID
        self.policies[identifier] = values["decision_id"]
        self.on_policy(identifier)
        return {}

    def policy(self, identifier: EzspPolicyId) -> int:
        """Return the decision in force."""
        return self.policies[identifier]

    def _get_value(self, values: Values) -> Answer:
        identifier = values["value_id"]
        if identifier in self._computed:
            return {"value": self._computed[identifier]()}
        found = self.values.get(identifier)
        return _UNKNOWN_ID if found is None else {"value": found}

    def _set_value(self, values: Values) -> Answer:
        identifier, content = values["value_id"], values["value"]
        if identifier == EzspValueId.VALUE_NWK_FRAME_COUNTER:
            return self._set_frame_counter(content)
        if identifier == EzspValueId.VALUE_APS_FRAME_COUNTER:
            # Each link key counts for itself here, and a fresh network has fresh keys.
            return {"status": SlStatus.OK if len(content) == _COUNTER_OCTETS else SlStatus.INVALID_PARAMETER}
        if identifier not in self.values:
            return _UNKNOWN_ID
        self.values[identifier] = content
        if identifier == EzspValueId.VALUE_MAXIMUM_INCOMING_TRANSFER_SIZE and len(content) >= 2:
            node = self._core.node
            node.config = replace(node.config, max_incoming_transfer=int.from_bytes(content[:2], "little"))
        self.on_value(identifier, content)
        return {}

    def _set_frame_counter(self, content: bytes) -> Answer:
        if len(content) != _COUNTER_OCTETS:
            return {"status": SlStatus.INVALID_PARAMETER}
        if self._core.on_network:
            return {"status": SlStatus.INVALID_STATE}
        try:
            self._core.node.nwk.security.frame_counter = int.from_bytes(content, "little")
        except SecurityError:  # so near its end that no frame could be sent
            return {"status": SlStatus.INVALID_PARAMETER}
        return {}

    def _get_extended_value(self, values: Values) -> Answer:
        identifier, characteristics = values["value_id"], values["characteristics"]
        if identifier == EzspExtendedValueId.EXTENDED_VALUE_ENDPOINT_FLAGS:
            known = any(each.endpoint == characteristics for each in self._core.node.endpoints)
            # Two octets in any case: zigbee-herdsman looks at them before it looks at the status.
            return (
                {"value": b"\x01\x00"} if known else {"status": SlStatus.INVALID_PARAMETER, "value": bytes(2)}
            )
        if identifier == EzspExtendedValueId.EXTENDED_VALUE_LAST_LEAVE_REASON:
            return {"value": b"\x00\xff\xff"}
        if identifier == EzspExtendedValueId.EXTENDED_VALUE_GET_SOURCE_ROUTE_OVERHEAD:
            relays = self._core.node.nwk.routing.source_routes.get(characteristics & 0xFFFF)
            return {"value": bytes((0 if relays is None else 2 + 2 * len(relays),))}
        return _UNKNOWN_ID

    def _add_endpoint(self, values: Values) -> Answer:
        node = self._core.node
        # Both lists are one after the other on the wire; the counts say where the second begins.
        clusters = (*values["input_cluster_list"], *values["output_cluster_list"])
        inputs, outputs = values["input_cluster_count"], values["output_cluster_count"]
        endpoint = values["endpoint"]
        if len(clusters) < inputs + outputs or not 1 <= endpoint <= 254:
            return {"status": SlStatus.INVALID_PARAMETER}
        kept = tuple(each for each in node.endpoints if each.endpoint != endpoint)
        if self._core.on_network:
            return {"status": SlStatus.INVALID_STATE}
        if len(kept) >= _MAX_ENDPOINTS:
            return {"status": SlStatus.NO_MORE_RESOURCE}
        descriptor = SimpleDescriptor(
            endpoint,
            values["profile_id"],
            values["device_id"],
            values["device_version"],
            clusters[:inputs],
            clusters[inputs : inputs + outputs],
        )
        node.endpoints = (*kept, descriptor)
        return {}

    def _set_manufacturer_code(self, values: Values) -> Answer:
        node = self._core.node
        node.config = replace(node.config, manufacturer_code=values["code"])
        return {}

    def _set_power_descriptor(self, values: Values) -> Answer:
        self._core.node.power = PowerDescriptor.decode(values["descriptor"].to_bytes(2, "little"))
        return {}


def _ignore(_: int) -> None:
    """Stand in until somebody listens."""
