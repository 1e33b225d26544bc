"""The joining side: network discovery, association, and secured or trust-centre rejoin.

ZigBee PRO 3.6.1.3-3.6.1.4 (NLME-NETWORK-DISCOVERY, NLME-JOIN). After an association, and after a
trust-centre rejoin, the node is not yet admitted: it takes unsecured frames from its parent until the key
arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from emulator.air.beacon import Beacon, decode_zigbee_beacon
from emulator.air.mac import Mac
from emulator.clock.kernel import Timer
from emulator.errors import FrameError
from emulator.stack.nwk import frame as nwk_frame
from emulator.stack.nwk.commands import RejoinResponse, pack_rejoin_request
from emulator.stack.nwk.neighbours import Neighbour, Relationship
from emulator.stack.nwk.parent_link import ParentLink
from emulator.stack.nwk.routing import Routing
from emulator.stack.nwk.security import NwkSecurity
from emulator.stack.nwk.service import MILLISECOND, Network, NetworkStatus, NodeType, ParentCandidate
from emulator.stack.nwk.views import Learner, Member, Named, Reporter, Speaker, Timed
from emulator.stack.primitives import FIRST_BROADCAST, NetworkParameters, Status

STACK_PROFILE_PRO = 2
REJOIN_SCAN_EXPONENT = 3
MAX_PARENTS_TRIED = 3
_POLL_FOR_RESPONSE_US = 100 * MILLISECOND


def networks_of(beacons: Sequence[Beacon]) -> list[Network]:
    """Group the beacons of ZigBee PRO networks; the best-heard network comes first."""
    found: dict[tuple[int, int, int], list[ParentCandidate]] = {}
    for beacon in beacons:
        try:
            payload = decode_zigbee_beacon(beacon.payload)
        except FrameError:
            # A beacon of some other kind of network: not ours to join.
            continue
        if payload.stack_profile != STACK_PROFILE_PRO:
            continue
        candidate = ParentCandidate(
            beacon.source,
            beacon.lqi,
            beacon.permit_association,
            payload.depth,
            payload.router_capacity,
            payload.end_device_capacity,
            payload.update_id,
        )
        found.setdefault((beacon.channel, beacon.pan_id, payload.extended_pan_id), []).append(candidate)
    networks = [
        Network(*key, tuple(sorted(parents, key=lambda each: (-each.lqi, each.short_address))))
        for key, parents in found.items()
    ]
    return sorted(networks, key=lambda each: -each.parents[0].lqi)


def _age(update_id: int, own: int) -> int:
    """Return how far behind an nwkUpdateId is, for sorting: the numbers wrap at 256 (3.6.1.4.2)."""
    return -((update_id - own + 128) % 256)


def _gives_address(response: RejoinResponse) -> bool:
    """Whether a parent accepts: with success, and under an address that a device can have."""
    return response.status == Status.SUCCESS and 0 < response.short_address < FIRST_BROADCAST


class _Rejoin:
    """A rejoin under way."""

    __slots__ = ("before", "candidates", "done", "secured", "timer", "trying")

    def __init__(self, secured: bool, before: tuple[int, int, int], done: Callable[[Status], None]) -> None:
        self.secured = secured
        self.before = before
        self.done = done
        self.candidates: list[tuple[Network, ParentCandidate]] = []
        self.trying: tuple[Network, ParentCandidate] | None = None
        self.timer: Timer | None = None


class JoiningView(Timed, Named, Member, Speaker, Reporter, Learner, Protocol):
    """What joining and rejoining work with."""

    mac: Mac
    security: NwkSecurity
    capability: int
    depth: int
    sleepy: bool

    def set_parameters(self, parameters: NetworkParameters) -> None:
        """Take these network parameters."""

    def set_parent(self, short: int) -> None:
        """Make the neighbour with that address our parent."""

    def start(self) -> None:
        """Take up the duties of an authenticated node."""

    def forget(self) -> None:
        """Drop everything about the network."""


class Joining:
    """Joining and rejoining of one node."""

    def __init__(self, nwk: JoiningView, parent_link: ParentLink, routing: Routing) -> None:
        self._nwk = nwk
        self._parent_link = parent_link
        self._routing = routing
        self._rejoin: _Rejoin | None = None

    @property
    def rejoining(self) -> bool:
        """Whether a rejoin is under way."""
        return self._rejoin is not None

    def discover(
        self, channels: Sequence[int], duration_exponent: int, done: Callable[[list[Network]], None]
    ) -> None:
        """Scan and report the networks heard."""
        self._nwk.mac.scan(channels, duration_exponent, lambda beacons: done(networks_of(beacons)))

    def _can_take_us(self, parent: ParentCandidate) -> bool:
        if self._nwk.device_type == NodeType.END_DEVICE:
            return parent.end_device_capacity
        return parent.router_capacity

    # Association

    def join(self, network: Network, done: Callable[[Status], None]) -> None:
        """Associate with the best open parents of `network`, one after another until one accepts."""
        parents = [each for each in network.parents if each.permit_joining and self._can_take_us(each)]
        self._associate(network, parents[:MAX_PARENTS_TRIED], Status.NWK_NOT_PERMITTED, done)

    def _associate(
        self, network: Network, parents: list[ParentCandidate], last: Status, done: Callable[[Status], None]
    ) -> None:
        if not parents:
            self._nwk.scope.call_later(0, done, last)
            return
        parent, others = parents[0], parents[1:]

        def answered(status: Status | int, short: int) -> None:
            if status != Status.SUCCESS:
                reason = status if isinstance(status, Status) else Status.NWK_NOT_PERMITTED
                self._associate(network, others, reason, done)
                return
            self._associated(network, parent, short)
            done(Status.SUCCESS)

        self._nwk.mac.associate(
            network.channel, network.pan_id, parent.short_address, self._nwk.capability, answered
        )

    def _associated(self, network: Network, parent: ParentCandidate, short: int) -> None:
        nwk = self._nwk
        nwk.forget()
        self._adopt(network, parent, short, None)
        nwk.authenticated = False
        self._parent_link.start()
        self._parent_link.fast_poll(nwk.timing.unauthenticated_child_us)

    def _adopt(self, network: Network, parent: ParentCandidate, short: int, parent_eui64: int | None) -> None:
        """Take the network's addresses and the parent for ours."""
        nwk = self._nwk
        key = nwk.security.active
        nwk.depth = min(15, parent.depth + 1)
        nwk.set_parameters(
            NetworkParameters(
                network.pan_id,
                network.extended_pan_id,
                network.channel,
                short,
                parent.update_id,
                key.octets if key else b"",
                key.sequence if key else 0,
            )
        )
        self._set_parent(parent.short_address, parent_eui64, parent.lqi)

    def _set_parent(self, short: int, eui64: int | None, lqi: int) -> None:
        nwk = self._nwk
        previous = nwk.neighbours.parent()
        if previous is not None:
            nwk.neighbours.remove(previous)
        neighbour = Neighbour(eui64, short, NodeType.ROUTER if short else NodeType.COORDINATOR)
        neighbour.relationship = Relationship.PARENT
        neighbour.direct = True
        neighbour.heard(lqi)
        neighbour.heard_us = nwk.scope.now
        nwk.neighbours.add(neighbour)
        nwk.set_parent(short)
        if eui64 is not None:
            nwk.learn(eui64, short)

    # Rejoin

    def rejoin(self, *, secured: bool, channels: Sequence[int], done: Callable[[Status], None]) -> None:
        """Find the network by its extended PAN id and ask its best parents to take us back."""
        nwk = self._nwk
        parameters = nwk.parameters
        if parameters is None or self._rejoin is not None:
            nwk.scope.call_later(0, done, Status.NWK_INVALID_REQUEST)
            return
        if secured and nwk.security.active is None:
            nwk.scope.call_later(0, done, Status.NWK_NO_KEY)
            return
        self._parent_link.stop()
        before = (parameters.channel, parameters.pan_id, nwk.parent_short)
        rejoin = self._rejoin = _Rejoin(secured, before, done)
        nwk.mac.scan(channels, REJOIN_SCAN_EXPONENT, lambda beacons: self._scanned(rejoin, beacons))

    def _scanned(self, rejoin: _Rejoin, beacons: list[Beacon]) -> None:
        parameters = self._nwk.parameters
        if rejoin is not self._rejoin or parameters is None:
            return
        candidates = [
            (network, parent)
            for network in networks_of(beacons)
            if network.extended_pan_id == parameters.extended_pan_id
            for parent in network.parents
            if self._can_take_us(parent) and parent.short_address != parameters.short_address
        ]
        # A parent left behind by a change of the whole network still beacons the older nwkUpdateId.
        candidates.sort(key=lambda each: (_age(each[1].update_id, parameters.update_id), -each[1].lqi))
        rejoin.candidates = candidates[:MAX_PARENTS_TRIED]
        self._try_next(rejoin)

    def _try_next(self, rejoin: _Rejoin) -> None:
        nwk = self._nwk
        if rejoin is not self._rejoin:
            return
        if not rejoin.candidates:
            self._give_up(rejoin)
            return
        network, parent = rejoin.trying = rejoin.candidates.pop(0)
        mac = nwk.mac
        mac.channel, mac.pan_id, mac.parent_address = network.channel, network.pan_id, parent.short_address
        header = nwk.sending.command_header(
            parent.short_address,
            radius=1,
            source_eui64=nwk.eui64,
            destination_eui64=nwk.eui64_of(parent.short_address),
            secure=rejoin.secured,
        )

        def sent(status: Status) -> None:
            if rejoin is not self._rejoin or rejoin.trying != (network, parent):
                return
            if status != Status.SUCCESS:
                self._try_next(rejoin)
            else:
                self._await_response(rejoin)

        nwk.sending.transmit(parent.short_address, header, pack_rejoin_request(nwk.capability), sent)

    def _await_response(self, rejoin: _Rejoin) -> None:
        nwk = self._nwk
        wait = nwk.timing.response_wait_us
        if nwk.sleepy:
            wait *= 2
            self._poll_for_response(rejoin)
        rejoin.timer = nwk.scope.call_later(wait, self._try_next, rejoin)

    def _poll_for_response(self, rejoin: _Rejoin) -> None:
        if rejoin is self._rejoin:
            self._nwk.mac.poll(None)
            self._nwk.scope.call_later(_POLL_FOR_RESPONSE_US, self._poll_for_response, rejoin)

    def response_received(
        self, header: nwk_frame.NwkHeader, response: RejoinResponse, hop: int, lqi: int
    ) -> None:
        """Handle a Rejoin Response; one that is not for the rejoin under way is ignored."""
        rejoin, nwk = self._rejoin, self._nwk
        if rejoin is None:
            self._given_address(header, response, hop)
            return
        if rejoin.trying is None or header.secured != rejoin.secured:
            return
        network, parent = rejoin.trying
        if hop != parent.short_address or header.destination_eui64 not in (None, nwk.eui64):
            return
        nwk.scope.cancel(rejoin.timer)
        if not _gives_address(response):
            self._try_next(rejoin)
            return
        self._rejoin = None
        self._adopt(network, parent._replace(lqi=lqi), response.short_address, header.source_eui64)
        nwk.authenticated = rejoin.secured
        self._routing.clear()
        if rejoin.secured:
            nwk.start()
        else:
            self._parent_link.start()
        self._parent_link.fast_poll(nwk.timing.unauthenticated_child_us)
        rejoin.done(Status.SUCCESS)

    def _given_address(self, header: nwk_frame.NwkHeader, response: RejoinResponse, hop: int) -> None:
        """Take the address that the parent gives unasked, because of a conflict (3.6.1.9.3)."""
        nwk = self._nwk
        ours = header.secured and hop == nwk.parent_short and header.destination_eui64 == nwk.eui64
        if not ours or nwk.parameters is None or nwk.device_type != NodeType.END_DEVICE:
            nwk.counters.drop("rejoin response not asked for")
        elif _gives_address(response):
            nwk.set_parameters(nwk.parameters._replace(short_address=response.short_address))
            nwk.listener.nwk_status(response.short_address, NetworkStatus.ADDRESS_UPDATE)

    def _give_up(self, rejoin: _Rejoin) -> None:
        nwk = self._nwk
        self._rejoin = None
        mac = nwk.mac
        mac.channel, mac.pan_id, mac.parent_address = rejoin.before
        self._parent_link.start()
        rejoin.done(Status.NWK_NO_NETWORKS)

    def abandon(self) -> None:
        """Drop a rejoin under way without a report: the network has been left."""
        if self._rejoin is not None:
            self._nwk.scope.cancel(self._rejoin.timer)
            self._rejoin = None
