"""The joining side of key management: getting the network key, keeping it current, relaying for the trust
centre.

Source: ZigBee PRO 4.6.3 (authentication, key update, tunnelling), Smart Energy 5.4-5.5 as restated in the
fact sheet (devices 2.8): a device joins under its preconfigured key and comes back under the link key it
holds by then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from emulator.clock.kernel import Scope, Timer
from emulator.crypto.mmo import verify_key_hash
from emulator.nonvolatile import NonVolatile
from emulator.stack.aps.commands import (
    ConfirmKey,
    RemoveDevice,
    RequestKey,
    SwitchKey,
    TransportApplicationKey,
    TransportNetworkKey,
    TransportTrustCentreKey,
    Tunnel,
    UpdateDevice,
    VerifyKey,
)
from emulator.stack.aps.key_table import KeyTable, LinkKey
from emulator.stack.aps.security import KEY_DATA, KEY_LOAD, KEY_TRANSPORT
from emulator.stack.aps.service import ApsCommandIndication
from emulator.stack.events import (
    KeyKind,
    LinkKeyChanged,
    LinkKeyRefused,
    StackEvent,
)
from emulator.stack.keys.views import CommandCarrier, JoinerNetwork
from emulator.stack.nwk.service import Network, NodeType
from emulator.stack.primitives import COORDINATOR, JoinKind, Status

AUTHENTICATION_US = 5_000_000
"""How long a joiner waits for the network key."""
SCAN_DURATION = 3
"""Scan duration exponent: about 138 ms on each channel."""
UNKNOWN_EUI64 = 0
TO_EVERYBODY = 0
"""Destination of a Transport-Key that is broadcast (4.4.3.2)."""

_TOKEN_TRUST_CENTRE = "aps.trust_centre"


class JoinerUser(Protocol):
    """Who the joiner reports to: the node."""

    def joiner_up(self, rejoined: bool) -> None:
        """The network key is here: announce this node and say that the network is up."""

    def joiner_failed(self, status: Status, rejoin: bool) -> None:
        """A join or rejoin came to nothing."""

    def joiner_told_to_leave(self, source_eui64: int | None) -> None:
        """The trust centre removed this node by an APS-secured Remove-Device."""

    def joiner_event(self, event: StackEvent) -> None:
        """Pass an event on."""


class Joiner:
    """Key management of every node that is not the trust centre."""

    def __init__(
        self,
        scope: Scope,
        nwk: JoinerNetwork,
        aps: CommandCarrier,
        *,
        keys: KeyTable,
        nonvolatile: NonVolatile,
        user: JoinerUser,
        device_type: NodeType,
        preconfigured: bytes | None,
        request_own_key: bool = False,
    ) -> None:
        self._scope = scope
        self._nwk = nwk
        self._aps = aps
        self._keys = keys
        self._nonvolatile = nonvolatile
        self._user = user
        self._device_type = device_type
        self._request_own_key = request_own_key
        self.preconfigured = preconfigured
        """The link key a join starts from; may be replaced before `join()`."""
        saved = nonvolatile.get(_TOKEN_TRUST_CENTRE)
        self.trust_centre: int | None = None if saved is None else int.from_bytes(saved, "big")
        """EUI-64 of the trust centre, once known."""
        self._done: Callable[[Status], None] | None = None
        self._rejoin = False
        self._busy = False
        self._timer: Timer | None = None
        self._sweeps: list[Sequence[int]] = []
        self._networks: list[Network] = []
        self._wanted: int | None = None
        self._status = Status.NWK_NO_NETWORKS

    # ---- joining

    def join(
        self,
        sweeps: Sequence[Sequence[int]],
        done: Callable[[Status], None] | None,
        extended_pan_id: int | None,
    ) -> None:
        """Scan the channels of one sweep after another, trying every open network, best link first."""
        if not self._begin(done, rejoin=False):
            return
        self._status = Status.NWK_NO_NETWORKS
        self._wanted = extended_pan_id
        self._sweeps, self._networks = list(sweeps), []
        if self.preconfigured is not None:
            self._aps.joining_key = LinkKey(UNKNOWN_EUI64, self.preconfigured, KeyKind.PRECONFIGURED)
        self._next_network()

    def rejoin(
        self, *, secured: bool, channels: Sequence[int], done: Callable[[Status], None] | None
    ) -> None:
        """NWK rejoin; an unsecured one waits for the network key under the current trust centre link key."""
        if not self._begin(done, rejoin=True):
            return

        def answered(status: Status) -> None:
            if status != Status.SUCCESS:
                self._end(status)
            elif secured:
                self._end(Status.SUCCESS)
            else:
                self._await_key()

        self._nwk.rejoin(secured=secured, channels=channels, done=answered)

    def forget(self) -> None:
        """Forget the network: keys, trust centre, and a join under way."""
        self._keys.clear()
        self._nonvolatile.delete(_TOKEN_TRUST_CENTRE)
        self.trust_centre = None
        if self._busy:
            self._end(Status.NWK_INVALID_REQUEST)

    def request_key(self, partner: int | None) -> None:
        """Send Request-Key for the trust centre link key, or for one shared with `partner`."""
        self._aps.command(COORDINATOR, RequestKey(partner), key=self._keys.get(self.trust_centre))

    def _begin(self, done: Callable[[Status], None] | None, *, rejoin: bool) -> bool:
        if self._busy:
            if done is not None:
                self._scope.call_later(0, done, Status.NWK_INVALID_REQUEST)
            return False
        self._busy, self._rejoin, self._done = True, rejoin, done
        return True

    def _next_network(self) -> None:
        if self._networks:
            self._nwk.join(self._networks.pop(0), self._associated)
        elif self._sweeps:
            self._nwk.discover(self._sweeps.pop(0), SCAN_DURATION, self._found)
        else:
            self._end(self._status)

    def _found(self, networks: list[Network]) -> None:
        if self._busy:
            wanted = (each for each in networks if self._wanted in (None, each.extended_pan_id))
            self._networks = [each for each in wanted if each.permit_joining]
            self._next_network()

    def _associated(self, status: Status) -> None:
        if status == Status.SUCCESS:
            self._await_key()
        else:
            self._status = status
            self._next_network()

    def _await_key(self) -> None:
        self._timer = self._scope.call_later(AUTHENTICATION_US, self._no_key)
        self._nwk.fast_poll(AUTHENTICATION_US)

    def _no_key(self) -> None:
        self._timer = None
        self._status = Status.NWK_NO_KEY
        if self._rejoin:
            self._end(Status.NWK_NO_KEY)
        else:
            self._nwk.forget()
            self._next_network()

    def _end(self, status: Status) -> None:
        self._scope.cancel(self._timer)
        self._timer = None
        self._busy = False
        self._aps.joining_key = None
        done, self._done = self._done, None
        if status == Status.SUCCESS:
            self._user.joiner_up(self._rejoin)
        else:
            self._user.joiner_failed(status, self._rejoin)
        if done is not None:
            done(status)

    # ---- commands

    def command(self, indication: ApsCommandIndication) -> None:
        """Take an APS command; one that is not protected as it must be is ignored."""
        command = indication.command
        if isinstance(command, TransportNetworkKey):
            self._network_key(indication, command)
        elif isinstance(command, Tunnel):
            self._tunnelled(indication, command)
        elif indication.nwk_secured and self._from_trust_centre(indication):
            self._from_trusted(indication, command)

    def _from_trusted(self, indication: ApsCommandIndication, command: object) -> None:
        if isinstance(command, SwitchKey):
            self._switch(command.sequence)
        elif indication.key is None:
            return  # everything below must be protected by a link key
        elif isinstance(command, TransportTrustCentreKey) and indication.key_id == KEY_LOAD:
            self._trust_centre_key(command)
        elif isinstance(command, TransportApplicationKey) and indication.key_id == KEY_LOAD:
            self._keys.put(command.partner, command.key, KeyKind.APPLICATION)
            self._user.joiner_event(LinkKeyChanged(command.partner, KeyKind.APPLICATION))
        elif isinstance(command, ConfirmKey) and indication.key_id == KEY_DATA:
            self._confirmed(indication.key, command)
        elif isinstance(command, RemoveDevice) and indication.key_id == KEY_DATA:
            self._remove(indication, command)

    def _from_trust_centre(self, indication: ApsCommandIndication) -> bool:
        if indication.source_eui64 is not None:
            return indication.source_eui64 == self.trust_centre
        return indication.source == COORDINATOR

    def _network_key(self, indication: ApsCommandIndication, command: TransportNetworkKey) -> None:
        """Take a network key: the one this node waits for, or the next one of an update."""
        key = indication.key
        if key is None:
            self._broadcast_key(indication, command)
            return
        if indication.key_id != KEY_TRANSPORT or indication.source_eui64 != command.source:
            return
        if command.destination not in (self._nwk.eui64, TO_EVERYBODY):
            return
        joining = key is self._aps.joining_key
        if not joining and command.source != self.trust_centre:
            return
        if self._timer is not None:
            self._scope.cancel(self._timer)
            self._timer = None
            self._trust(command.source, key, joining=joining)
            self._nwk.set_network_key(command.key, command.sequence)
            self._end(Status.SUCCESS)
            if self._request_own_key and not self._rejoin:
                self.request_key(None)
        elif indication.nwk_secured:
            self._hold_next(command)

    def _broadcast_key(self, indication: ApsCommandIndication, command: TransportNetworkKey) -> None:
        """Take a network key that the trust centre gives to everybody at once, under NWK security alone.

        ZigBee PRO 4.6.3.4.2: such a command names no device, and its source is the trust centre.
        """
        named = command.destination != TO_EVERYBODY or command.source != self.trust_centre
        if indication.nwk_secured and not named and self._from_trust_centre(indication):
            self._hold_next(command)

    def _hold_next(self, command: TransportNetworkKey) -> None:
        """Keep a key beside the one in use until it is switched to; the one in use is never replaced."""
        nwk = self._nwk
        held = None if nwk.parameters is None else nwk.parameters.key_sequence
        if nwk.authenticated and command.sequence != held:
            nwk.set_network_key(command.key, command.sequence)

    def _trust(self, trust_centre: int, key: LinkKey, *, joining: bool) -> None:
        """Remember who the trust centre is, and that it shares the preconfigured key."""
        self.trust_centre = trust_centre
        self._nonvolatile.put(_TOKEN_TRUST_CENTRE, trust_centre.to_bytes(8, "big"))
        self._nwk.learn(trust_centre, COORDINATOR)
        if joining:
            entry = self._keys.put(trust_centre, key.octets, KeyKind.PRECONFIGURED)
            entry.incoming = key.incoming
            self._keys.save(entry)
        self._keys.located(trust_centre, COORDINATOR)

    def _switch(self, sequence: int) -> None:
        parameters = self._nwk.parameters
        if parameters is None or parameters.key_sequence == sequence:
            return
        self._nwk.switch_key(sequence)

    def _trust_centre_key(self, command: TransportTrustCentreKey) -> None:
        """Take a new trust centre link key on trial and prove that it arrived (4.6.3.8)."""
        if command.destination != self._nwk.eui64:
            return
        self._aps.joining_key = LinkKey(command.source, command.key, KeyKind.UNVERIFIED)
        self._aps.command(COORDINATOR, VerifyKey(self._nwk.eui64, verify_key_hash(command.key)))

    def _confirmed(self, key: LinkKey, command: ConfirmKey) -> None:
        if self._aps.joining_key is None or self.trust_centre is None:
            return
        proven = key is self._aps.joining_key
        self._aps.joining_key = None
        if command.status != Status.SUCCESS or not proven:
            self._user.joiner_event(LinkKeyRefused(self.trust_centre, command.status))
            return
        entry = self._keys.put(self.trust_centre, key.octets, KeyKind.VERIFIED)
        entry.incoming = key.incoming
        self._keys.save(entry)
        self._user.joiner_event(LinkKeyChanged(self.trust_centre, KeyKind.VERIFIED))

    def _remove(self, indication: ApsCommandIndication, command: RemoveDevice) -> None:
        """Leave, or have a child leave (4.6.3.6)."""
        if command.eui64 == self._nwk.eui64:
            self._user.joiner_told_to_leave(indication.source_eui64)
        elif self._device_type == NodeType.ROUTER:
            self._nwk.remove(command.eui64)

    # ---- serving the trust centre on a router

    def child_joined(self, eui64: int, short: int, kind: JoinKind) -> None:
        """Tell the trust centre who came or went at this router."""
        self._aps.command(
            COORDINATOR, UpdateDevice(eui64, short, kind), key=self._keys.get(self.trust_centre)
        )

    def _tunnelled(self, indication: ApsCommandIndication, command: Tunnel) -> None:
        """Hand a tunnelled Transport-Key to the child it is for."""
        child = self._nwk.short_of(command.destination)
        if indication.nwk_secured and self._from_trust_centre(indication) and child is not None:
            self._aps.forward(child, command.frame)
