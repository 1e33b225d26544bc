"""Tokens: manufacturing data, the host's own small tokens, and the stack's non-volatile objects by key.

Of the stack's objects those are readable that hosts use: the restored EUI-64, node data, network management, trust
centre and child table. They are what memory holds, so that a host may read them before networkInit as well as after.
Writing them changes what they stand for, from the next reset on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import Struct

from bellows.types import EzspMfgTokenId as Mfg
from bellows.types import NV3KeyId

from emulator.coordinator.ezsp.cbke import CBKE_TOKENS, CbkeCommands
from emulator.coordinator.ezsp.core import NO_EUI64, RESTORED_EUI64, Answer, Core, Handler, Values
from emulator.coordinator.ezsp.networking import Networking
from emulator.coordinator.ezsp.security import SecurityCommands
from emulator.coordinator.ezsp.status import SlStatus
from emulator.stack.node import TOKEN_BOOTS
from emulator.stack.nwk.memory import load_network
from emulator.stack.nwk.neighbours import saved_children
from emulator.stack.nwk.security import TOKEN_COUNTER

_MFG = "ncp.mfg."
_STACK = "ncp.token."
_TOKEN_OCTETS = 8
_MAX_TOKENS = 64
_KEPT_BY_FACTORY_RESET = (_MFG, CBKE_TOKENS, RESTORED_EUI64, TOKEN_BOOTS)

_NODE_DATA = Struct("<HbBBBHQ")
_MANAGEMENT = Struct("<IHBB")
_TRUST_CENTRE = Struct("<HQ16s")
_CHILD = Struct("<QHB")
_CHILD_IN_USE = 0x80

MFG_OCTETS: Mapping[int, int] = {
    Mfg.MFG_CUSTOM_VERSION: 2,
    Mfg.MFG_STRING: 16,
    Mfg.MFG_BOARD_NAME: 16,
    Mfg.MFG_MANUF_ID: 2,
    Mfg.MFG_PHY_CONFIG: 2,
    Mfg.MFG_BOOTLOAD_AES_KEY: 16,
    Mfg.MFG_ASH_CONFIG: 40,
    Mfg.MFG_STORAGE: 8,
    Mfg.STACK_CAL_DATA: 0,
    Mfg.MFG_CBKE_DATA: 92,
    Mfg.MFG_INSTALLATION_CODE: 20,
    Mfg.STACK_CAL_FILTER: 1,
    Mfg.MFG_CUSTOM_EUI_64: 8,
    Mfg.MFG_CTUNE: 2,
}
"""Width of each manufacturing token, octets; blank ones read 0xFF."""


class Tokens:
    """Everything that is kept when the power goes."""

    def __init__(
        self,
        core: Core,
        networking: Networking,
        security: SecurityCommands,
        cbke: CbkeCommands,
        reboot: Callable[[], None],
    ) -> None:
        """`reboot` powers the stack down and up after its memory has been wiped."""
        self._core = core
        self._networking = networking
        self._security = security
        self._cbke = cbke
        self._reboot = reboot
        self._readers: Mapping[int, Callable[[int], bytes | None]] = {
            NV3KeyId.CREATOR_STACK_RESTORED_EUI64: self._restored_eui64,
            NV3KeyId.NVM3KEY_STACK_NODE_DATA: self._node_data,
            NV3KeyId.NVM3KEY_STACK_NETWORK_MANAGEMENT: self._management,
            NV3KeyId.NVM3KEY_STACK_TRUST_CENTER: self._trust_centre,
            NV3KeyId.NVM3KEY_STACK_CHILD_TABLE: self._child,
        }
        self._writers: Mapping[int, tuple[int, Callable[[bytes], None]]] = {
            NV3KeyId.CREATOR_STACK_RESTORED_EUI64: (8, lambda data: core.memory.put(RESTORED_EUI64, data)),
            NV3KeyId.NVM3KEY_STACK_NODE_DATA: (_NODE_DATA.size, self._write_node_data),
            NV3KeyId.NVM3KEY_STACK_NETWORK_MANAGEMENT: (_MANAGEMENT.size, self._write_management),
            NV3KeyId.NVM3KEY_STACK_TRUST_CENTER: (_TRUST_CENTRE.size, lambda _: None),
            NV3KeyId.NVM3KEY_STACK_CHILD_TABLE: (_CHILD.size, lambda _: None),
        }

    def handlers(self) -> Mapping[str, Handler]:
        """Return the commands of this part."""
        return {
            "getMfgToken": self._get_mfg,
            "setMfgToken": self._set_mfg,
            "getToken": self._get_token,
            "setToken": self._set_token,
            "getTokenData": self._get_data,
            "setTokenData": self._set_data,
            "getTokenCount": lambda _: {"count": len(self._readers)},
            "getTokenInfo": self._get_information,
            "tokenFactoryReset": self._factory_reset,
        }

    # Manufacturing tokens

    def _get_mfg(self, values: Values) -> Answer:
        identifier, config = values["token_id"], self._core.config
        octets = MFG_OCTETS.get(identifier)
        if octets is None:
            return {"token_data": b""}
        if identifier == Mfg.MFG_CBKE_DATA:
            content = self._cbke.token()
        else:
            texts = {Mfg.MFG_STRING: config.manufacturer.encode(), Mfg.MFG_BOARD_NAME: config.board.encode()}
            content = self._core.memory.get(f"{_MFG}{identifier}") or texts.get(identifier, b"")
        return {"token_data": content[:octets].ljust(octets, b"\xff")}

    def _set_mfg(self, values: Values) -> Answer:
        """Write a token that is still blank; manufacturing tokens are written once."""
        identifier, content = values["token_id"], values["token_data"]
        name = f"{_MFG}{identifier}"
        if identifier not in MFG_OCTETS or len(content) > MFG_OCTETS[identifier]:
            return {"status": SlStatus.INVALID_PARAMETER}
        if self._core.memory.get(name) is not None:
            return {"status": SlStatus.INVALID_STATE}
        self._core.memory.put(name, content)
        if identifier == Mfg.MFG_CUSTOM_EUI_64:
            self._core.memory.put(RESTORED_EUI64, content)
        return {}

    # The host's tokens

    def _get_token(self, values: Values) -> Answer:
        stored = self._core.memory.get(f"{_STACK}{values['token_id']}")
        return {"token_data": stored or b"\xff" * _TOKEN_OCTETS}

    def _set_token(self, values: Values) -> Answer:
        if values["token_id"] >= _MAX_TOKENS:
            return {"status": SlStatus.INVALID_INDEX}
        self._core.memory.put(f"{_STACK}{values['token_id']}", values["token_data"])
        return {}

    # The stack's objects

    def _get_data(self, values: Values) -> Answer:
        reader = self._readers.get(values["token"])
        found = None if reader is None else reader(values["index"])
        return {"status": SlStatus.NOT_FOUND} if found is None else {"value": found}

    def _set_data(self, values: Values) -> Answer:
        writer = self._writers.get(values["token"])
        if writer is None:
            return {"status": SlStatus.NOT_FOUND}
        octets, write = writer
        if len(values["token_data"]) != octets:
            return {"status": SlStatus.INVALID_PARAMETER}
        write(values["token_data"])
        return {}

    def _get_information(self, values: Values) -> Answer:
        tokens, index = list(self._writers.items()), values["index"]
        if index >= len(tokens):
            return {"status": SlStatus.INVALID_INDEX}
        token, (octets, _) = tokens[index]
        indexed = token == NV3KeyId.NVM3KEY_STACK_CHILD_TABLE
        size = {"size": octets, "array_size": 32 if indexed else 1}
        return {"token_info": {"nvm3_key": token, "is_idx": indexed, **size}}

    def _restored_eui64(self, _: int) -> bytes:
        return self._core.memory.get(RESTORED_EUI64) or NO_EUI64.to_bytes(8, "little")

    def _node_data(self, _: int) -> bytes | None:
        stored = load_network(self._core.memory)
        if stored is None:
            return None
        power, short = self._networking.power_dbm, stored.short_address
        return _NODE_DATA.pack(stored.pan_id, power, stored.channel, 2, 1, short, stored.extended_pan_id)

    def _write_node_data(self, data: bytes) -> None:
        self._networking.power_dbm = _NODE_DATA.unpack(data)[1]
        self._networking.save()

    def _management(self, _: int) -> bytes:
        networking = self._networking
        return _MANAGEMENT.pack(networking.channel_mask, networking.manager, networking.update_id, 0)

    def _write_management(self, data: bytes) -> None:
        networking = self._networking
        networking.channel_mask, networking.manager, networking.update_id, _ = _MANAGEMENT.unpack(data)
        networking.save()

    def _trust_centre(self, _: int) -> bytes:
        security = self._security
        return _TRUST_CENTRE.pack(security.bitmask, self._core.node.eui64, security.trust_centre_key)

    def _child(self, index: int) -> bytes | None:
        children = [each for each in saved_children(self._core.memory) if not each.is_router]
        if index >= len(children):
            return None
        return _CHILD.pack(children[index].eui64 or 0, children[index].short_address, _CHILD_IN_USE)

    def _factory_reset(self, values: Values) -> Answer:
        """Forget the network and every key; what the factory or a restore wrote stays."""
        memory = self._core.memory
        self._core.node.power_off()
        for name in memory.keys(""):
            keeps_counter = values["exclude_outgoing_fc"] and name == TOKEN_COUNTER
            if not keeps_counter and not name.startswith(_KEPT_BY_FACTORY_RESET):
                memory.delete(name)
        self._reboot()
        return {}
