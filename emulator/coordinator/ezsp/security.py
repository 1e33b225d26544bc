"""Security commands: the initial state, network key, trust centre key, link keys and transient keys.

Before EZSP 13 keys are read and written as structures (getKey and its kin), from 12 on through the security manager.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Any

from bellows.types import EmberCurrentSecurityBitmask as Current
from bellows.types import EmberInitialSecurityBitmask as Initial
from bellows.types import EmberKeyStructBitmask as KeyBits
from bellows.types import EmberKeyType as OldKey
from bellows.types import EzspConfigId
from bellows.types import SecurityManagerContextFlags as ContextFlags
from bellows.types import SecurityManagerKeyType as KeyType

from emulator.coordinator.ezsp.configuration import Configuration
from emulator.coordinator.ezsp.core import Answer, Core, Handler, Values
from emulator.coordinator.ezsp.key_slots import KeySlots
from emulator.coordinator.ezsp.status import SlStatus
from emulator.coordinator.ezsp.transient_keys import TransientKey, TransientKeys
from emulator.crypto.mmo import aes_mmo
from emulator.stack.aps.key_table import LinkKey

_STATE = "ncp.security"
_RECORD = Struct("<H16s")
_NO_KEY = bytes(16)
_COUNTERS = KeyBits.KEY_HAS_OUTGOING_FRAME_COUNTER | KeyBits.KEY_HAS_INCOMING_FRAME_COUNTER
_LINK_KEY_BITS = _COUNTERS | KeyBits.KEY_HAS_PARTNER_EUI64 | KeyBits.KEY_IS_AUTHORIZED
_HASHED = 0x0080
"""What TRUST_CENTER_USES_HASHED_LINK_KEY adds to the global link key bit."""
_NO_SLOT = 0xFF


class SecurityCommands:
    """Keys and the security state of the network."""

    def __init__(self, core: Core, configuration: Configuration) -> None:
        self._core = core
        stored = core.memory.get(_STATE)
        self.bitmask: int = 0
        self.trust_centre_key: bytes = _NO_KEY
        if stored:
            self.bitmask, self.trust_centre_key = _RECORD.unpack(stored)
        self._network_key: tuple[bytes, int] | None = None
        self.is_set = False
        """Whether the host has given an initial state since the last reset."""
        self.slots = KeySlots(core, lambda: configuration.size(EzspConfigId.CONFIG_KEY_TABLE_SIZE))
        self.transient = TransientKeys(
            core, lambda: configuration.size(EzspConfigId.CONFIG_TRANSIENT_KEY_TIMEOUT_S)
        )

    def handlers(self) -> Mapping[str, Handler]:
        """Return the commands of this part."""
        return {
            "setInitialSecurityState": self._set_initial,
            "getCurrentSecurityState": self._current,
            "getKey": self._get_key,
            "getKeyTableEntry": self._get_entry,
            "setKeyTableEntry": self._set_entry,
            "addOrUpdateKeyTableEntry": self._update_entry,
            "findKeyTableEntry": self._find_entry,
            "eraseKeyTableEntry": self._erase_entry,
            "clearKeyTable": self._clear_entries,
            "addTransientLinkKey": lambda v: self._add_transient(v["partner"], v["transient_key"]),
            "importTransientKey": lambda v: self._add_transient(v["eui64"], v["key"]),
            "clearTransientLinkKeys": self._clear_transient,
            "getTransientLinkKey": lambda v: self._transient_structure(self.transient.get(v["eui64"])),
            "getTransientKeyTableEntry": lambda v: self._transient_structure(self._transient_at(v["index"])),
            "exportTransientKeyByEui": lambda v: self._export_transient(self.transient.get(v["eui64"])),
            "exportTransientKeyByIndex": lambda v: self._export_transient(self._transient_at(v["index"])),
            "exportKey": self._export,
            "importKey": self._import,
            "checkKeyContext": lambda v: {"status": self._export(v)["status"]},
            "exportLinkKeyByIndex": lambda v: self._export_link(v["index"]),
            "exportLinkKeyByEui": lambda v: self._export_link(self.slots.find(v["eui64"])),
            "importLinkKey": self._import_link,
            "getApsKeyInfo": self._key_info,
            "getNetworkKeyInfo": self._network_key_info,
            "aesMmoHash": self._hash,
        }

    # The state

    def network_key(self) -> tuple[bytes, int]:
        """Return the network key and sequence to form with: the host's, or a random key."""
        if self._network_key is not None:
            return self._network_key
        return self._core.scope.random.randbytes(16), 0

    def global_link_key(self) -> bytes | None:
        """Return the key that any device may join with; None when each has its own (hashed)."""
        if not self.bitmask & Initial.TRUST_CENTER_GLOBAL_LINK_KEY or self.bitmask & _HASHED:
            return None
        return self.trust_centre_key

    def _set_initial(self, values: Values) -> Answer:
        if self._core.on_network:
            return {"status": SlStatus.INVALID_STATE}
        state = values["state"]
        self.bitmask = state["bitmask"]
        self.trust_centre_key = (
            state["preconfigured_key"]
            if self.bitmask & Initial.HAVE_PRECONFIGURED_KEY
            else self._core.scope.random.randbytes(16)
        )
        if self.bitmask & Initial.HAVE_NETWORK_KEY:
            self._network_key = (state["network_key"], state["network_key_sequence_number"])
        self._save()
        self.is_set = True
        self.transient.on_change()
        return {}

    def _save(self) -> None:
        self._core.memory.put(_STATE, _RECORD.pack(self.bitmask, self.trust_centre_key))

    def _current(self, _: Values) -> Answer:
        if not self._core.on_network:
            return {"status": SlStatus.NOT_JOINED}
        bits = self.bitmask & (Initial.TRUST_CENTER_GLOBAL_LINK_KEY | _HASHED)
        return {
            "state": {
                "bitmask": bits | Current.HAVE_TRUST_CENTER_LINK_KEY,
                "trust_center_long_address": self._core.node.eui64,
            }
        }

    # Keys as structures, to EZSP 12

    def _get_key(self, values: Values) -> Answer:
        kind = values["key_type"]
        node = self._core.node
        parameters = node.parameters
        if parameters is None:
            return {"status": SlStatus.NOT_JOINED}
        if kind == OldKey.CURRENT_NETWORK_KEY:
            structure = {
                "bitmask": KeyBits.KEY_HAS_SEQUENCE_NUMBER | KeyBits.KEY_HAS_OUTGOING_FRAME_COUNTER,
                "type": kind,
                "key": parameters.network_key,
                "outgoing_frame_counter": node.nwk.security.frame_counter,
                "sequence_number": parameters.key_sequence,
            }
        elif kind == OldKey.TRUST_CENTER_LINK_KEY:
            structure = {
                "bitmask": _COUNTERS | KeyBits.KEY_HAS_PARTNER_EUI64,
                "type": kind,
                "key": self.trust_centre_key,
                "partner_eui64": 0xFFFF_FFFF_FFFF_FFFF,
            }
        else:
            return {"status": SlStatus.INVALID_KEY}
        return {"key_struct": structure}

    def _get_entry(self, values: Values) -> Answer:
        index = values["index"]
        if not self.slots.in_range(index):
            return {"status": SlStatus.INVALID_INDEX}
        key = self.slots.at(index)
        if key is None:
            return {"status": SlStatus.NOT_FOUND}
        structure = {
            "bitmask": _LINK_KEY_BITS,
            "type": OldKey.APPLICATION_LINK_KEY,
            "key": key.octets,
            "outgoing_frame_counter": key.outgoing,
            "incoming_frame_counter": key.incoming,
            "partner_eui64": key.eui64,
        }
        return {"key_struct": structure}

    def _set_entry(self, values: Values) -> Answer:
        return self._put(values["address"], values["key_data"], values["index"])

    def _update_entry(self, values: Values) -> Answer:
        return self._put(values["address"], values["key_data"], self.slots.find(values["address"]))

    def _put(self, eui64: int, octets: bytes, index: int | None) -> Answer:
        if index is not None and not self.slots.in_range(index):
            return {"status": SlStatus.INVALID_INDEX}
        return {"status": SlStatus.OK if self.slots.put(eui64, octets, index) else SlStatus.FULL}

    def _find_entry(self, values: Values) -> Answer:
        index = self.slots.find(values["address"])
        return {"index": _NO_SLOT if index is None else index}

    def _erase_entry(self, values: Values) -> Answer:
        index = values["index"]
        if not self.slots.in_range(index):
            return {"status": SlStatus.INVALID_INDEX}
        return {"status": SlStatus.OK if self.slots.erase(index) else SlStatus.NOT_FOUND}

    def _clear_entries(self, _: Values) -> Answer:
        self.slots.clear()
        return {}

    # Transient keys

    def _add_transient(self, eui64: int, octets: bytes) -> Answer:
        return {"status": SlStatus.OK if self.transient.add(eui64, octets) else SlStatus.FULL}

    def _clear_transient(self, _: Values) -> Answer:
        self.transient.clear()
        return {}

    def _transient_at(self, index: int) -> TransientKey | None:
        keys = self.transient.all
        return keys[index] if index < len(keys) else None

    def _transient_structure(self, key: TransientKey | None) -> Answer:
        if key is None:
            return {"status": SlStatus.NOT_FOUND}
        seconds = key.seconds_left(self._core.scope.now)
        structure = {
            "eui64": key.eui64,
            "key_data": key.octets,
            "bitmask": KeyBits.KEY_HAS_PARTNER_EUI64 | KeyBits.KEY_HAS_KEY_DATA,
            "countdown_timer_ms": seconds * 1000,
            "remaining_time_seconds": seconds,
        }
        return {"key": structure}

    def _export_transient(self, key: TransientKey | None) -> Answer:
        if key is None:
            return {"status": SlStatus.NOT_FOUND}
        seconds = min(key.seconds_left(self._core.scope.now), 0xFFFF)
        context = {"core_key_type": KeyType.TC_LINK_WITH_TIMEOUT, "eui64": key.eui64}
        context["flags"] = ContextFlags.EUI_IS_VALID
        metadata = {"bitmask": KeyBits.KEY_HAS_PARTNER_EUI64, "ttl_in_seconds": seconds}
        return {"status": SlStatus.OK, "context": context, "key": key.octets, "key_data": metadata}

    # The security manager, from EZSP 12

    def _export(self, values: Values) -> Answer:
        context = values["context"]
        octets = self._exported(context)
        if octets is None:
            return {"status": SlStatus.NOT_FOUND, "context": context}
        return {"status": SlStatus.OK, "key": octets, "context": context}

    def _exported(self, context: Mapping[str, Any]) -> bytes | None:
        kind, index = context["core_key_type"], context["key_index"]
        if kind == KeyType.NETWORK:
            return self._network_key_at(index)
        if kind == KeyType.TC_LINK:
            return self.trust_centre_key if self._core.on_network else None
        if kind == KeyType.TC_LINK_WITH_TIMEOUT:
            by_eui64 = context["flags"] & ContextFlags.EUI_IS_VALID
            transient = self.transient.get(context["eui64"]) if by_eui64 else self._transient_at(index)
            return None if transient is None else transient.octets
        if kind == KeyType.APP_LINK:
            key = self._slot_of(context)
            return None if key is None else key.octets
        return None

    def _network_key_at(self, index: int) -> bytes | None:
        security = self._core.node.nwk.security
        keys = [key for key in security.by_sequence.values() if key is not security.active]
        if index == 0:
            return security.active.octets if security.active is not None else None
        return keys[0].octets if keys else None

    def _slot_of(self, context: Mapping[str, Any]) -> LinkKey | None:
        if context["flags"] & ContextFlags.EUI_IS_VALID:
            found = self.slots.find(context["eui64"])
            return None if found is None else self.slots.at(found)
        return self.slots.at(context["key_index"])

    def _import(self, values: Values) -> Answer:
        context, octets = values["context"], values["key"]
        kind = context["core_key_type"]
        if kind == KeyType.TC_LINK:
            self.trust_centre_key = octets
            self._save()
            return {"context": context}
        if kind == KeyType.TC_LINK_WITH_TIMEOUT:
            return {**self._add_transient(context["eui64"], octets), "context": context}
        if kind == KeyType.APP_LINK:
            return {**self._put(context["eui64"], octets, context["key_index"]), "context": context}
        if kind == KeyType.NETWORK and not self._core.on_network:
            self._network_key = (octets, 0)
            return {"context": context}
        return {"status": SlStatus.INVALID_STATE, "context": context}

    def _export_link(self, index: int | None) -> Answer:
        key = None if index is None else self.slots.at(index)
        if key is None:
            in_range = index is None or self.slots.in_range(index)
            return {"status": SlStatus.NOT_FOUND if in_range else SlStatus.INVALID_INDEX}
        context = {
            "core_key_type": KeyType.APP_LINK,
            "key_index": index,
            "eui64": key.eui64,
            "flags": ContextFlags.EUI_IS_VALID | ContextFlags.KEY_INDEX_IS_VALID,
        }
        return {
            "status": SlStatus.OK,
            "eui64": key.eui64,
            "key": key.octets,
            "index": index,
            "key_data": _metadata(key),
            "context": context,
        }

    def _import_link(self, values: Values) -> Answer:
        index = values["index"]
        return self._put(values["address"], values["key"], None if index == _NO_SLOT else index)

    def _key_info(self, values: Values) -> Answer:
        context = values["context"]
        key = self._slot_of(context)
        if key is None:
            return {"status": SlStatus.NOT_FOUND, "context": context}
        return {"eui64": key.eui64, "key_data": _metadata(key), "context": context}

    def _network_key_info(self, _: Values) -> Answer:
        security = self._core.node.nwk.security
        others = [key for key in security.by_sequence.values() if key is not security.active]
        information = {
            "network_key_set": security.active is not None and self._core.on_network,
            "alternate_network_key_set": bool(others),
            "network_key_sequence_number": security.active.sequence if security.active is not None else 0,
            "alt_network_key_sequence_number": others[0].sequence if others else 0,
            "network_key_frame_counter": security.frame_counter,
        }
        return {"network_key_info": information}

    def _hash(self, values: Values) -> Answer:
        """Hash a message that fits one command; the running form has no state to go on from here."""
        if values["context"]["length"] or not values["finalize"]:
            return {"status": SlStatus.NOT_SUPPORTED}
        data = values["data"]
        return {"return_context": {"result": aes_mmo(data), "length": len(data)}}


def _metadata(key: LinkKey) -> dict[str, int]:
    return {
        "bitmask": _LINK_KEY_BITS | KeyBits.KEY_HAS_KEY_DATA,
        "outgoing_frame_counter": key.outgoing,
        "incoming_frame_counter": key.incoming,
    }
