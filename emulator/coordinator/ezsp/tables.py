"""Tables the host keeps in the co-processor: addresses, multicast groups, bindings, source routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bellows.types import EzspConfigId

from emulator.coordinator.ezsp.configuration import Configuration
from emulator.coordinator.ezsp.core import Answer, Core, Handler, Values
from emulator.coordinator.ezsp.defaults import SOURCE_ROUTES
from emulator.coordinator.ezsp.status import SlStatus

UNUSED = 0xFFFF
MAX_EXTENDED = 512
"""Devices a host may ask more patience for; beyond them the one named longest ago is forgotten."""
_NOBODY = 0xFFFF_FFFF_FFFF_FFFF
_STATUS_IN_TIMEOUT_SINCE = 14
_BAD_INDEX: Answer = {"status": SlStatus.INVALID_INDEX}
_FIRST_DISTINGUISHED = 0xFFF8


class Tables:
    """The tables; like the real ones they are empty after a reset."""

    def __init__(self, core: Core, configuration: Configuration) -> None:
        self._core = core
        self._configuration = configuration
        self._addresses: dict[int, tuple[int, int]] = {}
        """EUI-64 and short address by index."""
        self._extended: dict[int, None] = {}
        """Devices to wait longer for, in the order they were named."""
        self._multicasts: dict[int, dict[str, Any]] = {}
        self._bindings: dict[int, dict[str, Any]] = {}

    def handlers(self) -> Mapping[str, Handler]:
        """Return the commands of this part."""
        return {
            "addressTableEntryIsActive": lambda v: {"active": v["address_table_index"] in self._addresses},
            "setAddressTableRemoteEui64": self._set_eui64,
            "setAddressTableRemoteNodeId": self._set_node_id,
            "getAddressTableRemoteEui64": lambda v: {"eui64": self._address(v["address_table_index"])[0]},
            "getAddressTableRemoteNodeId": lambda v: {"node_id": self._address(v["address_table_index"])[1]},
            "getAddressTableInfo": self._get_address,
            "setAddressTableInfo": self._set_address,
            "replaceAddressTableEntry": self._replace_address,
            "setExtendedTimeout": self._set_extended,
            "getExtendedTimeout": self._get_extended,
            "lookupNodeIdByEui64": self._node_id_of,
            "lookupEui64ByNodeId": self._eui64_of,
            "getMulticastTableEntry": self._get_multicast,
            "setMulticastTableEntry": self._set_multicast,
            "clearBindingTable": self._clear_bindings,
            "setBinding": self._set_binding,
            "getBinding": self._get_binding,
            "deleteBinding": self._delete_binding,
            "bindingIsActive": lambda _: {"active": False},
            "getBindingRemoteNodeId": lambda v: {"node_id": self.bound_to(v["index"]) or UNUSED},
            "setBindingRemoteNodeId": lambda _: {},
            "setSourceRoute": self._set_source_route,
            "getSourceRouteTableTotalSize": lambda _: {"source_route_table_total_size": SOURCE_ROUTES},
            "getSourceRouteTableFilledSize": self._filled,
            "getSourceRouteTableEntry": self._get_source_route,
        }

    # Addresses

    def _in_table(self, index: int) -> bool:
        return index < self._configuration.size(EzspConfigId.CONFIG_ADDRESS_TABLE_SIZE)

    def _address(self, index: int) -> tuple[int, int]:
        return self._addresses.get(index, (_NOBODY, UNUSED))

    def destination_at(self, index: int) -> int | None:
        """Return the short address in an entry of the address table."""
        eui64, short = self._address(index)
        return short if short < _FIRST_DISTINGUISHED else self.find(eui64)

    def index_of(self, eui64: int | None) -> int | None:
        """Return the address table entry of a device."""
        return next((index for index, (known, _) in self._addresses.items() if known == eui64), None)

    def find(self, eui64: int) -> int | None:
        """Return the short address of a device, as the stack or the address table has it."""
        short = self._core.node.nwk.short_of(eui64)
        if short is not None:
            return short
        entries = self._addresses.values()
        return next(
            (short for known, short in entries if known == eui64 and short < _FIRST_DISTINGUISHED), None
        )

    def _store(self, index: int, eui64: int, short: int) -> None:
        if eui64 in (0, _NOBODY):
            self._addresses.pop(index, None)
            return
        self._addresses[index] = (eui64, short)
        if short < _FIRST_DISTINGUISHED and self._core.on_network:
            self._core.node.nwk.learn(eui64, short)

    def _set_eui64(self, values: Values) -> Answer:
        index = values["address_table_index"]
        if not self._in_table(index):
            return _BAD_INDEX
        self._store(index, values["eui64"], self._address(index)[1])
        return {}

    def _set_node_id(self, values: Values) -> Answer:
        index = values["address_table_index"]
        if index in self._addresses:
            self._store(index, self._address(index)[0], values["id"])
        return {}

    def _get_address(self, values: Values) -> Answer:
        index = values["index"]
        if not self._in_table(index):
            return _BAD_INDEX
        eui64, short = self._address(index)
        return {"eui64": eui64, "nwk": short}

    def _set_address(self, values: Values) -> Answer:
        index = values["index"]
        if not self._in_table(index):
            return _BAD_INDEX
        self._store(index, values["eui64"], values["nwk"])
        return {}

    def _replace_address(self, values: Values) -> Answer:
        index = values["address_table_index"]
        if not self._in_table(index):
            return _BAD_INDEX
        eui64, short = self._address(index)
        was_extended = eui64 in self._extended
        self._store(index, values["new_eui64"], values["new_id"])
        self._extend(values["new_eui64"], bool(values["new_extended_timeout"]))
        return {"old_eui64": eui64, "old_id": short, "old_extended_timeout": was_extended}

    def _extend(self, eui64: int, extended: bool) -> None:
        self._extended.pop(eui64, None)
        if extended:
            self._extended[eui64] = None
        if len(self._extended) > MAX_EXTENDED:
            del self._extended[next(iter(self._extended))]

    def _set_extended(self, values: Values) -> Answer:
        self._extend(values["remote_eui64"], bool(values["extended_timeout"]))
        return {}

    def _get_extended(self, values: Values) -> Answer:
        extended = values["remote_eui64"] in self._extended
        if self._core.version >= _STATUS_IN_TIMEOUT_SINCE:
            return {"status": SlStatus.OK if extended else SlStatus.FAIL}
        return {"extended_timeout": extended}

    def _node_id_of(self, values: Values) -> Answer:
        short = self.find(values["eui64"])
        if short is None:
            return {"status": SlStatus.NOT_FOUND, "node_id": UNUSED}
        return {"node_id": short}

    def _eui64_of(self, values: Values) -> Answer:
        short = values["node_id"]
        eui64 = self._core.node.nwk.eui64_of(short)
        if eui64 is None:
            eui64 = next((known for known, at in self._addresses.values() if at == short), None)
        return {"status": SlStatus.NOT_FOUND} if eui64 is None else {"eui64": eui64}

    # Multicast groups

    def _get_multicast(self, values: Values) -> Answer:
        index = values["index"]
        if index >= self._configuration.size(EzspConfigId.CONFIG_MULTICAST_TABLE_SIZE):
            return _BAD_INDEX
        return {"value": self._multicasts.get(index)}

    def _set_multicast(self, values: Values) -> Answer:
        index = values["index"]
        if index >= self._configuration.size(EzspConfigId.CONFIG_MULTICAST_TABLE_SIZE):
            return _BAD_INDEX
        self._multicasts[index] = values["value"]
        if values["value"]["endpoint"] == 0:
            del self._multicasts[index]
        return {}

    # Bindings

    def bound_to(self, index: int) -> int | None:
        """Return the short address of a binding's partner."""
        entry = self._bindings.get(index)
        return None if entry is None else self.find(entry["identifier"])

    def _binding_in_range(self, index: int) -> bool:
        return index < self._configuration.size(EzspConfigId.CONFIG_BINDING_TABLE_SIZE)

    def _clear_bindings(self, _: Values) -> Answer:
        self._bindings.clear()
        return {}

    def _set_binding(self, values: Values) -> Answer:
        if not self._binding_in_range(values["index"]):
            return _BAD_INDEX
        self._bindings[values["index"]] = values["value"]
        return {}

    def _get_binding(self, values: Values) -> Answer:
        if not self._binding_in_range(values["index"]):
            return _BAD_INDEX
        return {"value": self._bindings.get(values["index"])}

    def _delete_binding(self, values: Values) -> Answer:
        if not self._binding_in_range(values["index"]):
            return _BAD_INDEX
        self._bindings.pop(values["index"], None)
        return {}

    # Source routes

    def _set_source_route(self, values: Values) -> Answer:
        relays = tuple(values["relay_list"])
        self._core.node.nwk.routing.record_received(values["destination"], relays)
        return {}

    def _filled(self, _: Values) -> Answer:
        return {"source_route_table_filled_size": min(len(self._core.node.nwk.routing.source_routes), 255)}

    def _get_source_route(self, values: Values) -> Answer:
        routes = list(self._core.node.nwk.routing.source_routes)
        index = values["index"]
        if index >= len(routes):
            return {"status": SlStatus.NOT_FOUND if index < SOURCE_ROUTES else SlStatus.INVALID_INDEX}
        return {"destination": routes[index], "closer_index": 0xFF}
