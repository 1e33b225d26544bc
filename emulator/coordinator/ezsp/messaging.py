"""Messages: unicast, broadcast and multicast out, with messageSentHandler; incomingMessageHandler in.

The stack fragments and reassembles by itself. A host that sends fragments has them collected here and sent as one
ASDU; an ASDU too long for one frame reaches the host as fragments, whose sendReply acknowledgements are taken and
dropped because the air has acknowledged already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bellows.types import EmberApsOption as Option
from bellows.types import EmberCounterType as Counter
from bellows.types import EmberIncomingMessageType as Incoming
from bellows.types import EmberOutgoingMessageType as Outgoing
from bellows.types import EzspConfigId, EzspDecisionId, EzspPolicyId

from emulator.coordinator.ezsp.configuration import Configuration
from emulator.coordinator.ezsp.core import Answer, Core, Handler, Values, rssi_of
from emulator.coordinator.ezsp.defaults import MAX_PAYLOAD_OCTETS
from emulator.coordinator.ezsp.status import SlStatus, delivery_status
from emulator.coordinator.ezsp.tables import Tables
from emulator.stack.aps.frames import DATA_HEADER_OCTETS, encode_group_header
from emulator.stack.aps.layer import FIRST_BROADCAST
from emulator.stack.aps.security import SECURITY_OCTETS
from emulator.stack.primitives import (
    BROADCAST_RX_ON,
    EVERY_ENDPOINT,
    ApsdeIndication,
    ApsdeRequest,
    Security,
    Status,
)
from emulator.stack.zdo.frames import ZDO_ENDPOINT

_NO_INDEX = 0xFF
_DEFAULT_RADIUS = 30
_GROUP_HEADER_OCTETS = DATA_HEADER_OCTETS + 1
_MAX_FRAGMENTED = 16
ApsFrame = Mapping[str, Any]


class Messaging:
    """The APS data service of the host."""

    def __init__(self, core: Core, configuration: Configuration, tables: Tables) -> None:
        self._core = core
        self._configuration = configuration
        self._tables = tables
        self._sequence = core.scope.random.randrange(256)
        self._unconfirmed = 0
        self._collected: dict[tuple[int, int, int, int], dict[int, bytes]] = {}
        self.counts: dict[int, int] = {}
        """APS counters by `EmberCounterType`."""

    def handlers(self) -> Mapping[str, Handler]:
        """Return the commands of this part."""
        return {
            "sendUnicast": self._unicast,
            "sendReply": self._reply,
            "sendBroadcast": self._broadcast,
            "proxyBroadcast": self._broadcast,
            "sendMulticast": self._multicast,
            "sendMulticastWithAlias": self._multicast,
        }

    # Out

    def _next_sequence(self) -> int:
        self._sequence = (self._sequence + 1) & 0xFF
        return self._sequence

    def _count(self, counter: Counter) -> None:
        self.counts[counter] = self.counts.get(counter, 0) + 1

    def _destination(self, kind: int, number: int) -> int | None:
        if kind == Outgoing.OUTGOING_DIRECT:
            return number
        if kind == Outgoing.OUTGOING_VIA_ADDRESS_TABLE:
            return self._tables.destination_at(number)
        if kind == Outgoing.OUTGOING_VIA_BINDING:
            return self._tables.bound_to(number)
        return None

    def _unicast(self, values: Values) -> Answer:
        aps, message = values["aps_frame"], values["message"]
        destination = self._destination(values["message_type"], values["nwk"])
        status = self._refusal(destination, aps, message)
        if status != SlStatus.OK or destination is None:
            return {"status": status}
        sequence = self._next_sequence()
        report = {**values, "aps_frame": {**aps, "sequence": sequence}}
        if aps["options"] & Option.APS_OPTION_FRAGMENT:
            whole = self._collect(destination, aps, message)
            if whole is None:
                self._sent(report, Status.SUCCESS)
                return {"sequence": sequence}
            message = whole
        self._unconfirmed += 1
        self._core.node.send(
            _request(destination, aps, message), lambda outcome: self._confirmed(report, outcome)
        )
        return {"sequence": sequence}

    def _refusal(self, destination: int | None, aps: ApsFrame, message: bytes) -> int:
        core = self._core
        if not core.on_network:
            return SlStatus.NOT_JOINED
        if destination is None or destination >= FIRST_BROADCAST:
            return SlStatus.INVALID_PARAMETER
        encrypted = bool(aps["options"] & Option.APS_OPTION_ENCRYPTION)
        if len(message) > MAX_PAYLOAD_OCTETS - (SECURITY_OCTETS if encrypted else 0):
            return SlStatus.MESSAGE_TOO_LONG
        own = destination == core.node.short_address
        if encrypted and not own and core.node.key_table.get(core.node.nwk.eui64_of(destination)) is None:
            return SlStatus.ZIGBEE_APS_ENCRYPTION_ERROR
        if self._unconfirmed >= self._configuration.size(EzspConfigId.CONFIG_APS_UNICAST_MESSAGE_COUNT):
            return SlStatus.ZIGBEE_MAX_MESSAGE_LIMIT_REACHED
        return SlStatus.OK

    def _collect(self, destination: int, aps: ApsFrame, message: bytes) -> bytes | None:
        """Keep a fragment; return the whole ASDU with its last one."""
        key = (destination, aps["cluster_id"], aps["source_endpoint"], aps["destination_endpoint"])
        total, index = aps["group_id"] >> 8, aps["group_id"] & 0xFF
        if index == 0:
            self._collected.pop(key, None)
        if key not in self._collected and len(self._collected) >= _MAX_FRAGMENTED:
            del self._collected[next(iter(self._collected))]
        fragments = self._collected.setdefault(key, {})
        fragments[index] = message
        if len(fragments) < max(total, 1):
            return None
        del self._collected[key]
        return b"".join(fragments[each] for each in sorted(fragments))

    def _confirmed(self, report: Values, outcome: Status) -> None:
        self._unconfirmed -= 1
        good = outcome is Status.SUCCESS
        self._count(
            Counter.COUNTER_APS_DATA_TX_UNICAST_SUCCESS
            if good
            else Counter.COUNTER_APS_DATA_TX_UNICAST_FAILED
        )
        self._sent(report, outcome)

    def _sent(self, report: Values, outcome: Status) -> None:
        policy = self._configuration.policy(EzspPolicyId.MESSAGE_CONTENTS_IN_CALLBACK_POLICY)
        contents = policy == EzspDecisionId.MESSAGE_TAG_AND_CONTENTS_IN_CALLBACK
        self._core.callback(
            "messageSentHandler",
            {
                **report,
                "status": delivery_status(outcome),
                "message": report["message"] if contents else b"",
            },
        )

    def _reply(self, values: Values) -> Answer:
        aps, message = values["aps_frame"], values["message_contents"]
        if aps["options"] & Option.APS_OPTION_FRAGMENT and not message:
            return {}
        status = self._refusal(values["sender"], aps, message)
        if status == SlStatus.OK:
            self._core.node.send(_request(values["sender"], aps, message))
        return {"status": status}

    def _broadcast(self, values: Values) -> Answer:
        aps, message, destination = values["aps_frame"], values["message"], values["destination"]
        if not self._core.on_network:
            return {"status": SlStatus.NOT_JOINED}
        if destination < FIRST_BROADCAST:
            return {"status": SlStatus.INVALID_PARAMETER}
        if len(message) > MAX_PAYLOAD_OCTETS:
            return {"status": SlStatus.MESSAGE_TOO_LONG}
        sequence = self._next_sequence()
        report = {
            **values,
            "message_type": Outgoing.OUTGOING_BROADCAST,
            "nwk": destination,
            "aps_frame": {**aps, "sequence": sequence},
        }
        self._count(Counter.COUNTER_APS_DATA_TX_BROADCAST)
        request = _request(destination, aps, message, values["radius"])
        self._core.node.send(request, lambda outcome: self._sent(report, outcome))
        return {"sequence": sequence, "aps_sequence": sequence}

    def _multicast(self, values: Values) -> Answer:
        aps, message = values["aps_frame"], values["message"]
        core = self._core
        if not core.on_network:
            return {"status": SlStatus.NOT_JOINED}
        if len(message) > MAX_PAYLOAD_OCTETS + DATA_HEADER_OCTETS - _GROUP_HEADER_OCTETS:
            return {"status": SlStatus.MESSAGE_TOO_LONG}
        sequence = self._next_sequence()
        group = aps["group_id"]
        header = encode_group_header(
            0, group, aps["cluster_id"], aps["profile_id"], aps["source_endpoint"], sequence
        )
        report = {
            **values,
            "message_type": Outgoing.OUTGOING_MULTICAST,
            "nwk": group,
            "aps_frame": {**aps, "sequence": sequence},
        }
        core.node.nwk.data(
            values.get("broadcast_addr", BROADCAST_RX_ON),
            header + message,
            lambda outcome: self._sent(report, outcome),
            radius=values["hops"] or _DEFAULT_RADIUS,
        )
        return {"sequence": sequence}

    # In

    def indication(self, indication: ApsdeIndication) -> None:
        """Hand an ASDU to the host, when it is for an endpoint the host has."""
        endpoint = indication.destination_endpoint
        registered = [each.endpoint for each in self._core.node.endpoints]
        # bellows does not register its endpoints again after the reset that ends forming, so a host that has
        # registered none hears everything.
        if registered and endpoint not in (ZDO_ENDPOINT, EVERY_ENDPOINT, *registered):
            return
        broadcast = indication.destination >= FIRST_BROADCAST
        self._count(
            Counter.COUNTER_APS_DATA_RX_BROADCAST if broadcast else Counter.COUNTER_APS_DATA_RX_UNICAST
        )
        options = Option.APS_OPTION_ENABLE_ROUTE_DISCOVERY
        if indication.security is Security.APS:
            options |= Option.APS_OPTION_ENCRYPTION
        kind = Incoming.INCOMING_BROADCAST if broadcast else Incoming.INCOMING_UNICAST
        asdu = indication.asdu
        if len(asdu) <= MAX_PAYLOAD_OCTETS:
            self._incoming(indication, kind, int(options), 0, asdu)
            return
        step = MAX_PAYLOAD_OCTETS - SECURITY_OCTETS
        blocks = [asdu[start : start + step] for start in range(0, len(asdu), step)]
        for index, block in enumerate(blocks):
            numbered = len(blocks) << 8 | index
            self._incoming(indication, kind, int(options | Option.APS_OPTION_FRAGMENT), numbered, block)

    def _incoming(
        self, indication: ApsdeIndication, kind: int, options: int, group: int, message: bytes
    ) -> None:
        index = self._tables.index_of(indication.source_eui64)
        eui64 = indication.source_eui64
        self._core.callback(
            "incomingMessageHandler",
            {
                "message_type": kind,
                "aps_frame": {
                    "profile_id": indication.profile,
                    "cluster_id": indication.cluster,
                    "source_endpoint": indication.source_endpoint,
                    "destination_endpoint": indication.destination_endpoint,
                    "options": options,
                    "group_id": group,
                    "sequence": indication.aps_counter,
                },
                "nwk": indication.source,
                "eui64": 0xFFFF_FFFF_FFFF_FFFF if eui64 is None else eui64,
                "binding_index": _NO_INDEX,
                "address_index": _NO_INDEX if index is None else index,
                "lqi": indication.lqi,
                "rssi": rssi_of(indication.lqi),
                "timestamp": self._core.scope.now // 1000,
                "message": message,
            },
        )


def _request(destination: int, aps: ApsFrame, message: bytes, radius: int = 0) -> ApsdeRequest:
    options = aps["options"]
    unicast = destination < FIRST_BROADCAST
    return ApsdeRequest(
        destination=destination,
        destination_endpoint=aps["destination_endpoint"],
        profile=aps["profile_id"],
        cluster=aps["cluster_id"],
        source_endpoint=aps["source_endpoint"],
        asdu=message,
        ack=unicast and bool(options & Option.APS_OPTION_RETRY),
        secure=unicast and bool(options & Option.APS_OPTION_ENCRYPTION),
        radius=radius or _DEFAULT_RADIUS,
    )
