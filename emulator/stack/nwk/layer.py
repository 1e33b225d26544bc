"""The NWK layer of one ZigBee PRO node: data service, security, forwarding and the state of its network.

The parts of the layer are machines of their own (`nwk_sending`, `nwk_receiving`, `routing`, `broadcast`,
`link_status`, `joining`, `parenting`, `parent_link`, `departure`, `network_update`); this class joins them
to the MAC below and the listener above, and carries plain data between neighbours. ZigBee PRO chapter 3;
security 4.3.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from emulator.air.mac import Mac
from emulator.clock.kernel import Scope
from emulator.errors import SecurityError
from emulator.nonvolatile import NonVolatile
from emulator.stack.nwk import frame as nwk_frame
from emulator.stack.nwk.broadcast import Broadcasts
from emulator.stack.nwk.departure import Departure
from emulator.stack.nwk.dispatch import CommandDispatch
from emulator.stack.nwk.frame import MAX_NSDU
from emulator.stack.nwk.joining import Joining
from emulator.stack.nwk.link_status import LinkStatusExchange
from emulator.stack.nwk.memory import Management, forget_network, load_network, network_parameters
from emulator.stack.nwk.neighbours import Neighbour, Relationship
from emulator.stack.nwk.network_update import NetworkUpdates
from emulator.stack.nwk.parent_link import ParentLink
from emulator.stack.nwk.parenting import Parenting
from emulator.stack.nwk.receiving import Receiving
from emulator.stack.nwk.routing import Routing
from emulator.stack.nwk.security import COARSE_BITS
from emulator.stack.nwk.sending import DISCOVERIES, DataRequest, Sending
from emulator.stack.nwk.service import (
    Capability,
    Network,
    NetworkStatus,
    NodeType,
    NwkListener,
    NwkTiming,
    ParentCandidate,
)
from emulator.stack.nwk.state import COMMAND_RADIUS, NO_ADDRESS, NwkState
from emulator.stack.nwk.transit import Outgoing
from emulator.stack.primitives import FIRST_BROADCAST, Confirm, NetworkParameters, NldeIndication, Status

__all__ = [
    "Capability",
    "Network",
    "NetworkStatus",
    "NodeType",
    "Nwk",
    "NwkListener",
    "NwkTiming",
    "ParentCandidate",
]

_SECURED_DATA = nwk_frame.DATA | nwk_frame.VERSION | nwk_frame.SECURITY
_FAST_MASK = 0xFFFF & ~nwk_frame.DISCOVER_ROUTE_MASK
_HEADER_AND_AUX = struct.Struct("<HHHBBBIQB")
_NONCE = struct.Struct("<QIB")
_CONTROL = b"\x28"


class Nwk(NwkState):
    """The network layer of one node."""

    def __init__(
        self,
        scope: Scope,
        mac: Mac,
        nonvolatile: NonVolatile,
        *,
        device_type: NodeType,
        capability: int,
        timing: NwkTiming | None = None,
    ) -> None:
        """Attach to `mac`; `capability` is the MAC capability information sent when joining."""
        super().__init__(
            scope, mac, nonvolatile, device_type=device_type, capability=capability, timing=timing
        )
        self.routing = Routing(self)
        self.broadcasts = Broadcasts(self)
        self.links = LinkStatusExchange(self, self.routing)
        self.parent_link = ParentLink(self)
        self.joining = Joining(self, self.parent_link, self.routing)
        self.parenting = Parenting(self, self.routing)
        self.updates = NetworkUpdates(self, self.parenting)
        self.departure = Departure(self, self.joining, self.parenting, self.routing)
        self.sending: Sending = Sending(self, self.routing, self.broadcasts, self.parent_link)
        commands = CommandDispatch(
            self,
            routing=self.routing,
            links=self.links,
            parent_link=self.parent_link,
            updates=self.updates,
            joining=self.joining,
            parenting=self.parenting,
            departure=self.departure,
        )
        self.receiving = Receiving(
            self,
            sending=self.sending,
            broadcasts=self.broadcasts,
            joining=self.joining,
            parenting=self.parenting,
            commands=commands,
        )
        mac.listener = self

    # Starting, joining and leaving

    def form(
        self,
        channel: int,
        pan_id: int,
        extended_pan_id: int,
        network_key: bytes,
        key_sequence: int = 0,
    ) -> None:
        """Coordinator: start a network (NLME-NETWORK-FORMATION) with the key given."""
        self.forget()
        self.security.set_key(network_key, key_sequence, activate=True)
        self.depth = 0
        self.authenticated = True
        self.alone = True
        self.set_parameters(
            NetworkParameters(pan_id, extended_pan_id, channel, 0, 0, network_key, key_sequence)
        )
        self.start()

    def restore(self) -> bool:
        """Return to the network in non-volatile memory after a power cut; False when there is none."""
        saved = load_network(self.nonvolatile)
        self.security.restore()
        key = self.security.active
        if saved is None or key is None:
            return False
        self.addresses.restore()
        self.neighbours.restore(saved, self.scope.now)
        self.depth = saved.depth
        self.parent_short = self.mac.parent_address = saved.parent_short
        self.authenticated = True
        self.set_parameters(network_parameters(saved, key.octets, key.sequence))
        self.start()
        self.parenting.schedule_ageing()
        return True

    def start(self) -> None:
        """Take up the duties of an authenticated node: beacons, link status, polling."""
        self.mac.coordinator = self.device_type != NodeType.END_DEVICE
        self.update_beacon()
        self.links.start()
        self.parent_link.start()
        self.parent_link.request_timeout()

    def discover(
        self, channels: Sequence[int], duration_exponent: int, done: Callable[[list[Network]], None]
    ) -> None:
        """NLME-NETWORK-DISCOVERY: scan actively and report the networks, best heard first."""
        self.joining.discover(channels, duration_exponent, done)

    def join(self, network: Network, done: Callable[[Status], None]) -> None:
        """Associate with a parent of `network`; then only unsecured frames pass until `set_network_key`."""
        self.joining.join(network, done)

    def rejoin(self, *, secured: bool, channels: Sequence[int], done: Callable[[Status], None]) -> None:
        """NWK rejoin on the same extended PAN id; an unsecured one must be followed by a key from the TC."""
        self.joining.rejoin(secured=secured, channels=channels, done=done)

    def leave(self, *, rejoin: bool = False, remove_children: bool = False) -> None:
        """Leave the network; `nwk_leave_self` follows when it is done."""
        self.departure.leave(rejoin=rejoin, remove_children=remove_children)

    def remove(self, eui64: int, *, rejoin: bool = False, remove_children: bool = False) -> bool:
        """Send another device, usually a child, a leave request; False when it is not known where that is."""
        return self.departure.remove(eui64, rejoin=rejoin, remove_children=remove_children)

    def forget(self) -> None:
        """Drop everything about the network, at once and without a frame; the frame counter stays."""
        self.parameters = None
        self.authenticated = False
        self.links.stop()
        self.parent_link.stop()
        self.parenting.stop()
        self.updates.stop()
        self.joining.abandon()
        self.routing.clear()
        self.broadcasts.clear()
        self.security.forget()
        self.neighbours.clear()
        self.addresses.clear()
        forget_network(self.nonvolatile)
        self.management = Management()
        self._short = self.parent_short = NO_ADDRESS
        mac = self.mac
        mac.purge_all()
        mac.coordinator = False
        mac.pan_id = mac.short_address = mac.parent_address = NO_ADDRESS

    def permit_joining(self, seconds: int) -> None:
        """Admit devices for `seconds`; 0 closes. Raises `EmulatorError` for 255 and above."""
        self.parenting.permit(seconds)

    # Keys

    def set_network_key(self, key: bytes, sequence: int) -> None:
        """Store a network key: in force at once on a node that waits for one, else when it is switched to."""
        waiting = not self.authenticated
        self.security.set_key(key, sequence, activate=waiting)
        self._key_in_force()
        if waiting and self.parameters is not None:
            self.authenticated = True
            self.start()

    # Addresses

    def learn(self, eui64: int, short: int) -> None:
        """Record a pair of addresses seen in a frame, an announcement or a key; notes conflicts."""
        if short >= FIRST_BROADCAST or eui64 == self.eui64:
            return
        if self.addresses.short_by_eui64.get(eui64) == short:
            return
        if short == self._short:
            self.updates.address_conflict(short)
            return
        neighbour = self.neighbours.by_eui64(eui64)
        if neighbour is not None and neighbour.short_address != short:
            self._readdressed(neighbour)
        other = self.addresses.learn(eui64, short)
        if other is not None:
            known = self.neighbours.by_short.get(short)
            if known is not None and known.eui64 == other:
                self._readdressed(known)
            self.counters.drop("address taken over")

    def _readdressed(self, neighbour: Neighbour) -> None:
        if neighbour.is_child:
            self.parenting.moved(neighbour)
        else:
            self.neighbours.remove(neighbour)

    # Sleeping

    def poll(self, done: Callable[[Status], None] | None = None) -> None:
        """Ask the parent for what it holds, now."""
        self.parent_link.poll(done)

    def set_poll_interval(self, long_us: int, short_us: int) -> None:
        """Change the intervals of a sleepy device's polls: normal, and while it expects something."""
        self.parent_link.set_interval(long_us, short_us)

    def fast_poll(self, duration_us: int) -> None:
        """Poll at the short interval for that long."""
        self.parent_link.fast_poll(duration_us)

    # Data

    def data(
        self,
        destination: int,
        nsdu: bytes,
        confirm: Confirm | None = None,
        *,
        secure: bool = True,
        radius: int = COMMAND_RADIUS,
        discover_route: bool = True,
    ) -> None:
        """NLDE-DATA.request: send an NSDU of at most `MAX_NSDU` octets to a short or broadcast address.

        Unsecured frames are for a child that has no key yet, and for the parent of this node while it has
        none.
        """
        neighbour = self.neighbours.by_short.get(destination)
        key = self.security.active
        if (
            neighbour is None
            or not neighbour.direct
            or not (secure and self.authenticated)
            or key is None
            or len(nsdu) > MAX_NSDU
        ):
            self.sending.data(DataRequest(destination, nsdu, confirm, secure, radius, discover_route))
            return
        try:
            counter = self.security.next_counter()
        except SecurityError:
            self.sending.refuse(confirm, Status.NWK_NO_KEY, "frame counter exhausted")
            return
        self._sequence = sequence = (self._sequence + 1) & 0xFF
        eui64 = self.eui64
        control = _SECURED_DATA | nwk_frame.DISCOVER_ROUTE if discover_route else _SECURED_DATA
        header = _HEADER_AND_AUX.pack(
            control, destination, self._short, radius, sequence, 0x2D, counter, eui64, key.sequence
        )
        sealed = key.cipher.encrypt(_NONCE.pack(eui64, counter, 0x2D), header, nsdu)
        self.counters.sent += 1
        if self.sleepy:
            self.parent_link.fast_poll(self.timing.wake_us)

        def sent(status: Status) -> None:
            if status is Status.SUCCESS:
                neighbour.failures = 0
                if confirm is not None:
                    confirm(status)
            else:
                discoveries = DISCOVERIES if discover_route else 0
                frame = Outgoing(header[:8], nsdu, destination, confirm, discoveries)
                self.sending.unicast_failed(frame, destination, status)

        self.mac.data(
            destination, header[:8] + _CONTROL + header[9:] + sealed, sent, indirect=neighbour.indirect
        )

    def mac_data(self, source: int, destination: int, payload: bytes, lqi: int) -> None:
        """MCPS-DATA.indication: an NPDU from the neighbour `source`.

        Secured data for this node from a known neighbour under the key in force is taken here, for speed;
        every other frame, and whatever looks wrong, goes through `Receiving`.
        """
        if len(payload) < _HEADER_AND_AUX.size:
            self.receiving.frame(source, destination, payload, lqi)
            return
        fields = _HEADER_AND_AUX.unpack_from(payload)
        control, target, origin, _, _, aux_control, counter, eui64, sequence = fields
        key = self.security.active
        neighbour = self.neighbours.by_short.get(source)
        if (
            control & _FAST_MASK != _SECURED_DATA
            or target != self._short
            or aux_control & 0xF8 != nwk_frame.AUX_CONTROL
            or key is None
            or key.sequence != sequence
            or neighbour is None
            or neighbour.eui64 != eui64
            or neighbour.relationship is Relationship.UNAUTHENTICATED_CHILD
        ):
            self.receiving.frame(source, destination, payload, lqi)
            return
        last = key.incoming.get(eui64, -1)
        if counter <= last or (counter ^ last) >> COARSE_BITS:
            self.receiving.frame(source, destination, payload, lqi)
            return
        try:
            nsdu = key.cipher.decrypt(
                _NONCE.pack(eui64, counter, 0x2D), payload[:8] + b"\x2d" + payload[9:22], payload[22:]
            )
        except SecurityError:
            self.counters.drop("integrity")
            return
        key.incoming[eui64] = counter
        neighbour.lqi = (neighbour.lqi * 7 + lqi) >> 3
        neighbour.heard_us = self.scope.now
        self.counters.received += 1
        origin_eui64: int | None = eui64
        if origin != source:
            origin_eui64 = self.addresses.eui64_by_short.get(origin)
            self.receiving.notice_moved_child(origin, source)
        self.listener.nwk_data(NldeIndication(origin, origin_eui64, target, nsdu, True, lqi))

    # Other indications of the MAC

    def mac_associate(self, eui64: int, capability: int) -> None:
        """MLME-ASSOCIATE.indication."""
        self.parenting.associate(eui64, capability)

    def mac_polled(self, source: int) -> None:
        """A data request arrived."""
        if self.parameters is not None:
            self.parenting.polled(source)

    def mac_beacon_request(self) -> None:
        """The MAC has answered a scan; nothing to do."""
