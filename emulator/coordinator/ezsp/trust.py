"""The trust centre as the host steers it: policies, join reports, network key updates, removal."""

from __future__ import annotations

from collections.abc import Mapping

from bellows.types import EmberJoinDecision, EmberKeyStatus, EmberNodeType, EzspDecisionId, EzspPolicyId
from bellows.types import EzspDecisionBitmask as Bits

from emulator.coordinator.ezsp.configuration import Configuration
from emulator.coordinator.ezsp.core import Answer, Core, Handler, Values
from emulator.coordinator.ezsp.networking import Networking
from emulator.coordinator.ezsp.security import SecurityCommands
from emulator.coordinator.ezsp.status import SlStatus
from emulator.stack.aps.commands import RemoveDevice
from emulator.stack.events import (
    DeviceJoined,
    DeviceLeft,
    DeviceRefused,
    KeyKind,
    LinkKeyChanged,
    NetworkKeyChanged,
    StackEvent,
)
from emulator.stack.keys.network_key_update import KeyReceiver
from emulator.stack.nwk.neighbours import Neighbour
from emulator.stack.primitives import JoinKind

BITMASK_SINCE = 8
"""From this version the trust centre policy is a bitmask; before, one of a list of decisions."""
_NOT_JOINED: Answer = {"status": SlStatus.NOT_JOINED}
_NOBODY = 0xFFFF
_OPEN_DECISIONS = (
    EzspDecisionId.ALLOW_JOINS,
    EzspDecisionId.ALLOW_JOINS_REJOINS_HAVE_LINK_KEY,
    EzspDecisionId.ALLOW_PRECONFIGURED_KEY_JOINS,
    EzspDecisionId.BDB_JOIN_USES_INSTALL_CODE_KEY,
    EzspDecisionId.DEFER_JOINS_REJOINS_HAVE_LINK_KEY,
)


class Trust:
    """Who may join, and what the host hears of it."""

    def __init__(
        self, core: Core, configuration: Configuration, security: SecurityCommands, networking: Networking
    ) -> None:
        self._core = core
        self._configuration = configuration
        self._security = security
        self._networking = networking
        self._children: dict[int, int] = {}
        """Type of the children that joined since the last reset, by EUI-64."""
        configuration.on_policy = self._policy_changed
        security.transient.on_change = self._admission
        self._admission()

    def handlers(self) -> Mapping[str, Handler]:
        """Return the commands of this part."""
        return {
            "broadcastNextNetworkKey": self._broadcast_next,
            "unicastNwkKeyUpdate": self._unicast_next,
            "broadcastNetworkKeySwitch": self._switch,
            "unicastCurrentNetworkKey": self._unicast_current,
            "removeDevice": self._remove,
        }

    # Policy

    def _policy_changed(self, identifier: int) -> None:
        if identifier == EzspPolicyId.TRUST_CENTER_POLICY:
            self._admission()
        elif identifier == EzspPolicyId.TC_KEY_REQUEST_POLICY:
            decision = self._configuration.policy(EzspPolicyId.TC_KEY_REQUEST_POLICY)
            self._core.trust_centre.request_key_allowed = decision != EzspDecisionId.DENY_TC_KEY_REQUESTS

    def _admission(self) -> None:
        """Work out which key a device without one of its own may join with."""
        decision = self._configuration.policy(EzspPolicyId.TRUST_CENTER_POLICY)
        if self._core.version >= BITMASK_SINCE:
            allowed = bool(decision & Bits.ALLOW_JOINS)
            install_codes_only = bool(decision & Bits.JOINS_USE_INSTALL_CODE_KEY)
        else:
            allowed = decision in _OPEN_DECISIONS
            install_codes_only = decision == EzspDecisionId.BDB_JOIN_USES_INSTALL_CODE_KEY
        common = self._security.transient.for_everybody or self._security.global_link_key()
        admits_anybody = allowed and not install_codes_only
        self._core.trust_centre.unknown_link_key = common if admits_anybody else None
        self._networking.may_open = allowed

    # Events

    def event(self, event: StackEvent) -> None:
        """Report who came and went, and key changes."""
        if isinstance(event, DeviceJoined):
            self._joined(event)
        elif isinstance(event, DeviceRefused):
            self._report(event.short, event.eui64, JoinKind.UNSECURED_JOIN, EmberJoinDecision.DENY_JOIN, 0)
        elif isinstance(event, DeviceLeft):
            self._left(event)
        elif isinstance(event, NetworkKeyChanged):
            self._core.callback("switchNetworkKeyHandler", {"sequence_number": event.sequence})
        elif isinstance(event, LinkKeyChanged) and event.kind is KeyKind.VERIFIED:
            verified = {"partner": event.eui64, "status": EmberKeyStatus.TC_REQUESTER_VERIFY_KEY_SUCCESS}
            self._core.callback("zigbeeKeyEstablishmentHandler", verified)

    def _joined(self, event: DeviceJoined) -> None:
        child = self._own_end_device(event.eui64)
        if child is not None:
            kind = EmberNodeType.SLEEPY_END_DEVICE if child.indirect else EmberNodeType.END_DEVICE
            self._children[event.eui64] = kind
            self._child_report(event.short, event.eui64, kind, joining=True)
        secured = event.kind is JoinKind.SECURED_REJOIN
        decision = EmberJoinDecision.NO_ACTION if secured else EmberJoinDecision.USE_PRECONFIGURED_KEY
        self._report(event.short, event.eui64, event.kind, decision, event.parent)

    def _left(self, event: DeviceLeft) -> None:
        kind = self._children.pop(event.eui64, None)
        if kind is not None:
            self._child_report(event.short, event.eui64, kind, joining=False)
        self._report(event.short, event.eui64, JoinKind.LEFT, EmberJoinDecision.NO_ACTION, _NOBODY)

    def _own_end_device(self, eui64: int) -> Neighbour | None:
        return next((child for child in self._networking.children() if child.eui64 == eui64), None)

    def _child_report(self, short: int, eui64: int, kind: int, *, joining: bool) -> None:
        self._core.callback(
            "childJoinHandler",
            {"index": 0, "joining": joining, "child_id": short, "child_eui64": eui64, "child_type": kind},
        )

    def _report(self, short: int, eui64: int, kind: JoinKind, decision: int, parent: int) -> None:
        self._core.callback(
            "trustCenterJoinHandler",
            {
                "new_node_id": short,
                "new_node_eui64": eui64,
                "status": int(kind),
                "policy_decision": decision,
                "parent_of_new_node_id": parent,
            },
        )

    # Network keys

    def _broadcast_next(self, values: Values) -> Answer:
        if not self._core.on_network:
            return _NOT_JOINED
        self._core.trust_centre.network_key.broadcast(_key_or_random(values["key"]))
        return {}

    def _unicast_next(self, values: Values) -> Answer:
        if not self._core.on_network:
            return _NOT_JOINED
        receiver = KeyReceiver(values["dest_long"], values["dest_short"])
        return _sent(self._core.trust_centre.network_key.send_next(receiver, _key_or_random(values["key"])))

    def _unicast_current(self, values: Values) -> Answer:
        if not self._core.on_network:
            return _NOT_JOINED
        receiver = KeyReceiver(values["target_long"], values["target_short"])
        return _sent(self._core.trust_centre.network_key.send_current(receiver))

    def _switch(self, _: Values) -> Answer:
        if not self._core.on_network:
            return _NOT_JOINED
        return {} if self._core.trust_centre.network_key.switch() else {"status": SlStatus.INVALID_STATE}

    # Removal

    def _remove(self, values: Values) -> Answer:
        node, target = self._core.node, values["target_long"]
        if not self._core.on_network:
            return {"status": SlStatus.NOT_JOINED}
        if self._own_end_device(target) is not None:
            node.nwk.remove(target)
            return {}
        key = node.key_table.get(values["dest_long"])
        node.aps.command(values["dest_short"], RemoveDevice(target), key=key)
        return {}


def _key_or_random(octets: bytes) -> bytes | None:
    """Return the key that a host gives; all zeros asks for a random one."""
    return octets if any(octets) else None


def _sent(known: bool) -> Answer:
    return {} if known else {"status": SlStatus.NOT_FOUND}
