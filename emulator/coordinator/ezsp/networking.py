"""Networking commands: form, init, leave, permit joining, what the network is, and who is around."""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct

from bellows.types import EmberNetworkStatus, EmberNodeType

from emulator.air.phy import CHANNELS
from emulator.clock.kernel import MICROSECONDS, Timer
from emulator.coordinator.ezsp.core import (
    MAX_POWER_DBM,
    MIN_POWER_DBM,
    NO_EUI64,
    Answer,
    Core,
    Handler,
    Values,
)
from emulator.coordinator.ezsp.security import SecurityCommands
from emulator.coordinator.ezsp.status import SlStatus
from emulator.stack.events import ChannelChanged, NetworkDown, NetworkUp, PanIdChanged, StackEvent
from emulator.stack.nwk.neighbours import Neighbour, Relationship
from emulator.stack.nwk.service import Capability, NodeType
from emulator.stack.primitives import FIRST_BROADCAST, LONGEST_PERMIT_S

DEFAULT_POWER_DBM = 8
_FOREVER = 255
_OPENED_CALLBACK_SINCE = 8
_SETTINGS = "ncp.network"
_RECORD = Struct("<bIHB")
_ALL_CHANNELS = 0x07FFF800
_STATUS_OF: Mapping[type, int] = {
    NetworkUp: SlStatus.NETWORK_UP,
    NetworkDown: SlStatus.NETWORK_DOWN,
    ChannelChanged: SlStatus.ZIGBEE_CHANNEL_CHANGED,
    PanIdChanged: SlStatus.ZIGBEE_PAN_ID_CHANGED,
}
"""What stackStatusHandler says of what happened to the network."""


class Networking:
    """The network this co-processor runs."""

    def __init__(self, core: Core, security: SecurityCommands) -> None:
        self._core = core
        self._security = security
        self._reopen: Timer | None = None
        self._closing: Timer | None = None
        self.may_open = True
        """Whether the trust centre's policy admits new devices at all."""
        stored = core.memory.get(_SETTINGS)
        self.power_dbm, self.channel_mask, self.manager, self.update_id = (
            _RECORD.unpack(stored) if stored else (DEFAULT_POWER_DBM, _ALL_CHANNELS, 0, 0)
        )

    def handlers(self) -> Mapping[str, Handler]:
        """Return the commands of this part."""
        return {
            "networkState": self._state,
            "networkInit": self._init,
            "networkInitExtended": self._init,
            "formNetwork": self._form,
            "joinNetwork": _refuse,
            "findAndRejoinNetwork": _refuse,
            "leaveNetwork": self._leave,
            "permitJoining": self._permit,
            "getNetworkParameters": self._parameters,
            "getNodeId": lambda _: {"node_id": self._node_id()},
            "getEui64": lambda _: {"eui64": self._core.node.eui64},
            "getParentChildParameters": self._parent_child,
            "getChildData": self._child,
            "setChildData": self._set_child,
            "childId": self._child_id,
            "neighborCount": lambda _: {"value": len(self._routers())},
            "getNeighbor": self._neighbour,
            "getRouteTableEntry": self._route,
            "setRadioPower": self._set_power,
            "setRadioChannel": self._set_channel,
            "getLogicalChannel": lambda _: {"radio_channel": self._core.node.mac.channel},
            "getRadioParameters": self._radio_parameters,
            "getPhyInterfaceCount": lambda _: {"interface_count": 1},
            "setConcentrator": self._concentrator,
            "sendManyToOneRouteRequest": self._many_to_one,
        }

    def event(self, event: StackEvent) -> None:
        """Tell the host that the stack went up or down, or that the network has moved."""
        status = _STATUS_OF.get(type(event))
        if status is None:
            return
        if isinstance(event, ChannelChanged | PanIdChanged):
            self.update_id = 0  # what a host had written is overtaken
            self.save()
        self._core.callback("stackStatusHandler", {"status": status})

    # Life of the network

    def _node_id(self) -> int:
        short = self._core.node.short_address
        return 0xFFFE if short == 0xFFFF else short

    def _state(self, _: Values) -> Answer:
        up = self._core.on_network
        return {"status": EmberNetworkStatus.JOINED_NETWORK if up else EmberNetworkStatus.NO_NETWORK}

    def _init(self, _: Values) -> Answer:
        if self._core.on_network:
            return {"status": SlStatus.INVALID_STATE}
        return {"status": SlStatus.OK if self._core.node.restore() else SlStatus.NOT_JOINED}

    def _form(self, values: Values) -> Answer:
        wanted = values["parameters"]
        core = self._core
        if core.on_network:
            return {"status": SlStatus.INVALID_STATE}
        if not self._security.is_set:
            return {"status": SlStatus.ZIGBEE_SECURITY_STATE_NOT_SET}
        if wanted["radio_channel"] not in CHANNELS:
            return {"status": SlStatus.TRANSMIT_INVALID_CHANNEL}
        power = _signed(wanted["radio_tx_power"])
        if power > MAX_POWER_DBM:
            return {"status": SlStatus.TRANSMIT_INVALID_POWER}
        choose = core.scope.random
        pan_id = wanted["pan_id"] if 0 < wanted["pan_id"] < 0xFFFE else choose.randrange(1, 0xFFFE)
        extended = wanted["extended_pan_id"]
        if extended in (0, NO_EUI64):
            extended = choose.getrandbits(64)
        self.power_dbm, self.update_id = power, 0
        self.channel_mask, self.manager = wanted["channels"], wanted["nwk_manager_id"]
        self.save()
        core.node.form(wanted["radio_channel"], pan_id, extended, *self._security.network_key())
        return {}

    def save(self) -> None:
        """Write the settings that outlive a reset."""
        record = _RECORD.pack(self.power_dbm, self.channel_mask, self.manager, self.update_id)
        self._core.memory.put(_SETTINGS, record)

    def _leave(self, _: Values) -> Answer:
        if not self._core.on_network:
            return {"status": SlStatus.INVALID_STATE}
        self._close()
        self._core.node.leave()
        return {}

    # Joining

    def _permit(self, values: Values) -> Answer:
        core, seconds = self._core, values["duration"]
        if not core.on_network:
            return {"status": SlStatus.NOT_JOINED}
        was_open = core.node.mac.association_permit
        core.scope.cancel(self._reopen)
        core.scope.cancel(self._closing)
        core.node.nwk.permit_joining(min(seconds, LONGEST_PERMIT_S) if self.may_open else 0)
        if seconds == _FOREVER:
            # The stack opens for 254 s at most; "for ever" is opened again before that ends.
            self._reopen = core.scope.call_later(LONGEST_PERMIT_S * MICROSECONDS // 2, self._again, values)
        elif seconds:
            self._closing = core.scope.call_later(seconds * MICROSECONDS, self._closed)
        if seconds and not was_open:
            self._changed(SlStatus.ZIGBEE_NETWORK_OPENED)
        elif was_open and not seconds:
            self._changed(SlStatus.ZIGBEE_NETWORK_CLOSED)
        return {}

    def _again(self, values: Values) -> None:
        if self._core.on_network:
            self._permit(values)

    def _closed(self) -> None:
        self._changed(SlStatus.ZIGBEE_NETWORK_CLOSED)

    def _close(self) -> None:
        self._core.scope.cancel(self._reopen)
        self._core.scope.cancel(self._closing)

    def _changed(self, status: int) -> None:
        if self._core.version >= _OPENED_CALLBACK_SINCE:
            self._core.callback("stackStatusHandler", {"status": status})

    # What the network is

    def _parameters(self, _: Values) -> Answer:
        parameters = self._core.node.parameters
        if parameters is None:
            return {"status": SlStatus.NOT_JOINED}
        return {
            "node_type": EmberNodeType.COORDINATOR,
            "parameters": {
                "extended_pan_id": parameters.extended_pan_id,
                "pan_id": parameters.pan_id,
                "radio_tx_power": self.power_dbm,
                "radio_channel": parameters.channel,
                "nwk_manager_id": self.manager,
                "nwk_update_id": self.update_id or parameters.update_id,
                "channels": self.channel_mask,
            },
        }

    def _radio_parameters(self, values: Values) -> Answer:
        if values["phy_index"]:
            return {"status": SlStatus.INVALID_INDEX}
        channel = self._core.node.mac.channel
        return {"parameters": {"radio_tx_power": self.power_dbm, "radio_page": 0, "radio_channel": channel}}

    def _parent_child(self, _: Values) -> Answer:
        return {"child_count": len(self.children()), "parent_eui64": 0, "parent_node_id": 0xFFFF}

    # Neighbours

    def children(self) -> list[Neighbour]:
        """Return the end devices whose parent this node is, in order of joining."""
        return [each for each in self._core.node.nwk.children if not each.is_router]

    def _routers(self) -> list[Neighbour]:
        return [each for each in self._core.node.nwk.neighbours.by_short.values() if each.is_router]

    def _child(self, values: Values) -> Answer:
        children, index = self.children(), values["index"]
        if index >= len(children):
            return {"status": SlStatus.NOT_JOINED}
        child = children[index]
        kind = EmberNodeType.SLEEPY_END_DEVICE if child.indirect else EmberNodeType.END_DEVICE
        identity = {"eui64": child.eui64, "type": kind, "id": child.short_address, "timeout": child.timeout}
        return {
            "child": identity,
            "child_id": child.short_address,
            "child_eui64": child.eui64,
            "child_type": kind,
        }

    def _set_child(self, values: Values) -> Answer:
        """Take over a child of another coordinator: it will poll here as if nothing had happened."""
        wanted = values["child"]
        nwk = self._core.node.nwk
        known = any(each.eui64 == wanted["eui64"] for each in nwk.children)
        if not known and len(nwk.children) >= nwk.timing.max_children:
            return {"status": SlStatus.FULL}
        if wanted["id"] >= FIRST_BROADCAST or wanted["eui64"] in (0, NO_EUI64):
            return {"status": SlStatus.INVALID_PARAMETER}
        child = Neighbour(wanted["eui64"], wanted["id"], NodeType.END_DEVICE)
        child.relationship = Relationship.CHILD
        child.indirect = wanted["type"] == EmberNodeType.SLEEPY_END_DEVICE
        child.capability = Capability.ALLOCATE_ADDRESS | (0 if child.indirect else Capability.RX_ON_WHEN_IDLE)
        child.direct = True
        child.heard_us = self._core.scope.now
        nwk.neighbours.add(child)
        nwk.neighbours.save_children()
        nwk.learn(wanted["eui64"], wanted["id"])
        return {}

    def _child_id(self, values: Values) -> Answer:
        children, index = self.children(), values["child_index"]
        return {"child_id": children[index].short_address if index < len(children) else 0xFFFF}

    def _neighbour(self, values: Values) -> Answer:
        routers, index = self._routers(), values["index"]
        if index >= len(routers):
            return {"status": SlStatus.INVALID_INDEX}
        entry = routers[index]
        return {
            "value": {
                "short_id": entry.short_address,
                "average_lqi": entry.lqi,
                "in_cost": entry.incoming_cost,
                "out_cost": entry.outgoing_cost,
                "age": min(entry.age, 255),
                "long_id": entry.eui64 or 0,
            }
        }

    def _route(self, values: Values) -> Answer:
        table, index = self._core.node.nwk.routing.table, values["index"]
        unused = {"destination": 0xFFFF, "next_hop": 0xFFFF, "status": 3}
        if index >= len(table):
            known = index < self._core.node.nwk.timing.max_routes
            return {"value": unused} if known else {"status": SlStatus.INVALID_INDEX}
        destination, route = list(table.items())[index]
        age_s = (self._core.scope.now - route.used_us) // MICROSECONDS
        return {
            "value": {
                "destination": destination,
                "next_hop": route.next_hop,
                "status": 0,
                "age": min(age_s, 255),
                "concentrator_type": int(route.many_to_one),
            }
        }

    # Radio and routes

    def _set_power(self, values: Values) -> Answer:
        if not MIN_POWER_DBM <= values["power"] <= MAX_POWER_DBM:
            return {"status": SlStatus.TRANSMIT_INVALID_POWER}
        self.power_dbm = values["power"]
        self._core.set_power(self.power_dbm)
        return {}

    def _set_channel(self, values: Values) -> Answer:
        """Move the radio, and it alone: the host is to have told the network before."""
        channel = values["channel"]
        if channel not in CHANNELS:
            return {"status": SlStatus.TRANSMIT_INVALID_CHANNEL}
        if self._core.on_network:
            self._core.node.set_channel(channel)
        else:
            self._core.node.mac.channel = channel
        return {}

    def _concentrator(self, values: Values) -> Answer:
        if values["on"] and self._core.on_network:
            self._core.node.nwk.routing.announce_concentrator(radius=values["max_hops"])
        return {}

    def _many_to_one(self, values: Values) -> Answer:
        if not self._core.on_network:
            return {"status": SlStatus.NOT_JOINED}
        self._core.node.nwk.routing.announce_concentrator(radius=values["radius"])
        return {}


def _refuse(_: Values) -> Answer:
    """A coordinator's firmware joins nothing."""
    return {"status": SlStatus.NOT_SUPPORTED}


def _signed(octet: int) -> int:
    return octet - 256 if octet > 127 else octet
