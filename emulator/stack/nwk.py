"""The NWK layer of one ZigBee PRO node: data service, security, forwarding and the state of its network.

The parts of the layer are machines of their own (`routing`, `broadcast`, `link_status`, `joining`, `parenting`,
`parent_link`, `departure`, `network_update`); this class joins them to the MAC below and the listener above, and
carries the frames. ZigBee PRO chapter 3; security 4.3.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from emulator.air.beacon import ZigbeeBeacon, encode_zigbee_beacon
from emulator.air.mac import Mac
from emulator.clock.kernel import Scope
from emulator.errors import FrameError, SecurityError
from emulator.nonvolatile import NonVolatile
from emulator.stack import nwk_frame
from emulator.stack.address_map import AddressMap
from emulator.stack.broadcast import LOWEST_BROADCAST, Broadcasts
from emulator.stack.departure import Departure
from emulator.stack.joining import Joining
from emulator.stack.link_status import LinkStatusExchange
from emulator.stack.neighbours import Neighbour, NeighbourTable, Relationship
from emulator.stack.network_update import NetworkUpdates
from emulator.stack.nwk_commands import (
    NetworkStatusCommand,
    NwkCommand,
    pack_network_status,
    pack_route_record,
    unpack_route_record,
)
from emulator.stack.nwk_commands_in import CommandDispatch
from emulator.stack.nwk_counters import NwkCounters
from emulator.stack.nwk_frame import NwkHeader
from emulator.stack.nwk_memory import SavedNetwork, forget_network, load_network, save_network
from emulator.stack.nwk_security import NwkSecurity, ReplayError, UnknownKeyError
from emulator.stack.nwk_service import (
    Capability,
    Network,
    NetworkStatus,
    NodeType,
    NwkListener,
    NwkTiming,
    ParentCandidate,
)
from emulator.stack.parent_link import ParentLink
from emulator.stack.parenting import Parenting
from emulator.stack.primitives import Confirm, NetworkParameters, NldeIndication, Status
from emulator.stack.routing import Outgoing, Routing

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

NO_ADDRESS = 0xFFFF
MAX_NSDU = nwk_frame.MAX_NPDU_OCTETS - nwk_frame.HEADER_OCTETS - nwk_frame.AUX_OCTETS - 4
"""Octets of NSDU that fit a secured frame without optional header fields (90)."""
COMMAND_RADIUS = 30
_DISCOVERIES = 2
_PLAIN_DATA = nwk_frame.DATA | nwk_frame.VERSION
_SECURED_DATA = _PLAIN_DATA | nwk_frame.SECURITY
_FAST_MASK = 0xFFFF & ~nwk_frame.DISCOVER_ROUTE_MASK
_HEADER = nwk_frame.HEADER
_HEADER_AND_AUX = struct.Struct("<HHHBBBIQB")
_NONCE = struct.Struct("<QIB")
_CONTROL = b"\x28"


class Nwk:
    """The network layer of one node."""

    listener: NwkListener
    parameters: NetworkParameters | None
    """The network this node is on; its `network_key` is empty until the first key has arrived."""

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
        self.scope = scope
        self.mac = mac
        self.nonvolatile = nonvolatile
        self.device_type = device_type
        self.capability = capability
        self.timing = timing or NwkTiming()
        self.eui64 = mac.eui64
        self.parameters = None
        self.authenticated = False
        """Whether this node holds the network key by right: False between joining and the arrival of the key."""
        self.sleepy = device_type == NodeType.END_DEVICE and not mac.rx_on_when_idle
        self.depth = 0
        self.parent_short = NO_ADDRESS
        self.counters = NwkCounters()
        self.security = NwkSecurity(mac.eui64, nonvolatile)
        self.addresses = AddressMap(nonvolatile)
        self.neighbours = NeighbourTable(nonvolatile)
        self.routing = Routing(self)
        self.broadcasts = Broadcasts(self)
        self.links = LinkStatusExchange(self)
        self.joining = Joining(self)
        self.parenting = Parenting(self)
        self.parent_link = ParentLink(self)
        self.departure = Departure(self)
        self.updates = NetworkUpdates(self)
        self._commands = CommandDispatch(self)
        self._short = NO_ADDRESS
        self._sequence = scope.random.getrandbits(8)
        mac.listener = self

    # Starting, joining and leaving

    @property
    def short_address(self) -> int:
        """Our short address; 0xFFFF when on no network."""
        return self._short

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
        self.neighbours.restore_children(self.scope.now)
        self.depth = saved.depth
        if saved.parent_short != NO_ADDRESS:
            self._restore_parent(saved)
        self.authenticated = True
        self.set_parameters(
            NetworkParameters(
                saved.pan_id,
                saved.extended_pan_id,
                saved.channel,
                saved.short_address,
                saved.update_id,
                key.octets,
                key.sequence,
            )
        )
        self.start()
        self.parenting.schedule_ageing()
        return True

    def _restore_parent(self, saved: SavedNetwork) -> None:
        device_type = NodeType.ROUTER if saved.parent_short else NodeType.COORDINATOR
        parent = Neighbour(saved.parent_eui64 or None, saved.parent_short, device_type)
        parent.relationship = Relationship.PARENT
        parent.direct = True
        parent.lqi = saved.parent_lqi
        self.neighbours.add(parent)
        self.set_parent(saved.parent_short)

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

    def remove(self, eui64: int, *, rejoin: bool = False) -> None:
        """Send another device, usually a child, a leave request."""
        self.departure.remove(eui64, rejoin=rejoin)

    def forget(self) -> None:
        """Drop everything about the network, at once and without a frame; the frame counter stays."""
        self.parameters = None
        self.authenticated = False
        self.links.stop()
        self.parent_link.stop()
        self.parenting.stop()
        self.joining.abandon()
        self.routing.clear()
        self.security.forget()
        self.neighbours.clear()
        self.addresses.clear()
        forget_network(self.nonvolatile)
        self._short = self.parent_short = NO_ADDRESS
        mac = self.mac
        mac.coordinator = False
        mac.pan_id = mac.short_address = mac.parent_address = NO_ADDRESS

    def permit_joining(self, seconds: int) -> None:
        """Admit devices for `seconds`; 0 closes. Raises `EmulatorError` for 255 and above."""
        self.parenting.permit(seconds)

    def update_beacon(self) -> None:
        """Put what we are, and whether we have room, in the beacon payload."""
        if self.parameters is not None:
            room = self.parenting.has_room
            self.mac.beacon_payload = encode_zigbee_beacon(
                ZigbeeBeacon(
                    stack_profile=2,
                    protocol_version=2,
                    router_capacity=room,
                    depth=self.depth,
                    end_device_capacity=room,
                    extended_pan_id=self.parameters.extended_pan_id,
                    update_id=self.parameters.update_id,
                )
            )

    def set_parameters(self, parameters: NetworkParameters) -> None:
        """Take these network parameters, in the MAC and in non-volatile memory too."""
        self.parameters = parameters
        self._short = parameters.short_address
        mac = self.mac
        mac.channel, mac.pan_id = parameters.channel, parameters.pan_id
        mac.short_address = parameters.short_address
        self.update_beacon()
        self._save()

    def set_parent(self, short: int) -> None:
        """Make the neighbour with that address our parent."""
        self.parent_short = self.mac.parent_address = short
        self._save()

    def _save(self) -> None:
        parameters, parent = self.parameters, self.neighbours.parent()
        if parameters is None:
            return
        saved = SavedNetwork(
            parameters.pan_id,
            parameters.extended_pan_id,
            parameters.channel,
            parameters.short_address,
            parameters.update_id,
            self.depth,
        )
        if parent is not None:
            saved = saved._replace(
                parent_short=parent.short_address, parent_eui64=parent.eui64 or 0, parent_lqi=parent.lqi
            )
        save_network(self.nonvolatile, saved)

    # Keys

    def set_network_key(self, key: bytes, sequence: int) -> None:
        """Store a network key: in force at once on a node that waits for one, else when it is switched to."""
        waiting = not self.authenticated
        self.security.set_key(key, sequence, activate=waiting)
        self._key_in_force()
        if waiting and self.parameters is not None:
            self.authenticated = True
            self.start()

    def switch_key(self, sequence: int) -> bool:
        """Put the key with `sequence` in force; returns False when this node does not hold it."""
        switched = self.security.switch(sequence)
        if switched:
            self._key_in_force()
        return switched

    def _key_in_force(self) -> None:
        key = self.security.active
        if key is not None and self.parameters is not None:
            self.parameters = self.parameters._replace(network_key=key.octets, key_sequence=key.sequence)

    # Addresses

    def eui64_of(self, short: int) -> int | None:
        """Return the EUI-64 that has that short address."""
        return self.eui64 if short == self._short else self.addresses.eui64_by_short.get(short)

    def short_of(self, eui64: int) -> int | None:
        """Return the short address of that EUI-64."""
        return self._short if eui64 == self.eui64 else self.addresses.short_by_eui64.get(eui64)

    def learn(self, eui64: int, short: int) -> None:
        """Record a pair of addresses seen in a frame, an announcement or a key; notes conflicts."""
        if short >= LOWEST_BROADCAST or eui64 == self.eui64:
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

    def device_at(self, short: int, eui64: int) -> bool:
        """Whether some device other than `eui64` has that short address."""
        other = self.eui64_of(short)
        return other is not None and other != eui64

    def is_child(self, short: int) -> bool:
        """Whether the device is our child, authenticated or not."""
        neighbour = self.neighbours.by_short.get(short)
        return neighbour is not None and neighbour.is_child

    @property
    def children(self) -> list[Neighbour]:
        """Our children, in order of joining."""
        return self.neighbours.children()

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

    # Sending

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

        Unsecured frames are for a child that has no key yet, and for the parent of this node while it has none.
        """
        self._sequence = sequence = (self._sequence + 1) & 0xFF
        neighbour = self.neighbours.by_short.get(destination)
        key = self.security.active
        if (
            neighbour is None
            or not neighbour.direct
            or not secure
            or not self.authenticated
            or key is None
            or len(nsdu) > MAX_NSDU
        ):
            self._data_slowly(destination, nsdu, confirm, secure, radius, discover_route, sequence)
            return
        try:
            counter = self.security.next_counter()
        except SecurityError:
            self._refuse(confirm, Status.NWK_NO_KEY, "frame counter exhausted")
            return
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
                discoveries = _DISCOVERIES if discover_route else 0
                frame = Outgoing(header[:8], nsdu, destination, confirm, discoveries)
                self._unicast_failed(frame, destination, status)

        self.mac.data(
            destination, header[:8] + _CONTROL + header[9:] + sealed, sent, indirect=neighbour.indirect
        )

    def _data_slowly(
        self,
        destination: int,
        nsdu: bytes,
        confirm: Confirm | None,
        secure: bool,
        radius: int,
        discover_route: bool,
        sequence: int,
    ) -> None:
        if self.parameters is None or len(nsdu) > MAX_NSDU:
            self._refuse(confirm, Status.NWK_INVALID_REQUEST, "no network, or too long")
            return
        if destination == self._short:
            self.scope.call_later(0, self._loop_back, nsdu, confirm)
            return
        if secure and not self.authenticated:
            self._refuse(confirm, Status.NWK_NO_KEY, "no network key")
            return
        broadcast = destination >= LOWEST_BROADCAST
        if not secure and (broadcast or (self.authenticated and not self.is_child(destination))):
            self._refuse(confirm, Status.NWK_INVALID_REQUEST, "unsecured to a stranger")
            return
        control = _SECURED_DATA if secure else _PLAIN_DATA
        if discover_route and secure and not broadcast:
            control |= nwk_frame.DISCOVER_ROUTE
        header = _HEADER.pack(control, destination, self._short, radius, sequence)
        if self.sleepy:
            self.parent_link.fast_poll(self.timing.wake_us)
        if broadcast:
            self.broadcasts.originate(header, sequence, nsdu, confirm)
        else:
            discoveries = _DISCOVERIES if discover_route and secure else 0
            self.routing.record_before(destination)
            self.route(Outgoing(header, nsdu, destination, confirm, discoveries))

    def _loop_back(self, nsdu: bytes, confirm: Confirm | None) -> None:
        if confirm is not None:
            confirm(Status.SUCCESS)
        self.listener.nwk_data(NldeIndication(self._short, self.eui64, self._short, nsdu, True, 255))

    def _refuse(self, confirm: Confirm | None, status: Status, reason: str) -> None:
        self.counters.drop(reason)
        if confirm is not None:
            self.scope.call_later(0, confirm, status)

    def command_header(
        self,
        destination: int,
        *,
        radius: int = COMMAND_RADIUS,
        source_eui64: int | None = None,
        destination_eui64: int | None = None,
        secure: bool = True,
    ) -> bytes:
        """Return the packed header of a command of ours, with the next sequence number."""
        self._sequence = (self._sequence + 1) & 0xFF
        control = nwk_frame.COMMAND | nwk_frame.VERSION | (nwk_frame.SECURITY if secure else 0)
        return nwk_frame.pack_header(
            NwkHeader(
                control, destination, self._short, radius, self._sequence, destination_eui64, source_eui64
            )
        )

    def send_command(
        self,
        destination: int,
        payload: bytes,
        confirm: Confirm | None = None,
        *,
        destination_eui64: int | None = None,
    ) -> None:
        """Send a secured command over as many hops as it takes, or broadcast it."""
        header = self.command_header(
            destination, source_eui64=self.eui64, destination_eui64=destination_eui64
        )
        if destination >= LOWEST_BROADCAST:
            self.broadcasts.originate(header, header[7], payload, confirm)
        else:
            self.route(Outgoing(header, payload, destination, confirm, _DISCOVERIES))

    def transmit(
        self,
        hop: int,
        header: bytes,
        payload: bytes,
        confirm: Confirm | None = None,
        *,
        indirect: bool = False,
    ) -> None:
        """Secure a frame if its header says so, and give it to the MAC for the next hop (0xFFFF: everybody)."""
        if self.parameters is None:
            self._refuse(confirm, Status.NWK_INVALID_REQUEST, "no network")
            return
        try:
            secured = header[1] & 0x02
            npdu = self.security.protect(header, payload) if secured else header + payload
        except SecurityError:
            self._refuse(confirm, Status.NWK_NO_KEY, "no network key")
            return
        if len(npdu) > nwk_frame.MAX_NPDU_OCTETS:
            self._refuse(confirm, Status.NWK_INVALID_REQUEST, "frame too long")
            return
        self.counters.sent += 1
        self.mac.data(hop, npdu, confirm, indirect=indirect)

    def route(self, frame: Outgoing) -> None:
        """Send a unicast to its next hop, along a source route, or after a route discovery."""
        destination = frame.destination
        hop = self._next_hop(destination)
        if hop is None and frame.relayed_for is None:
            frame, hop = self._along_source_route(frame)
        if hop is None:
            if frame.discoveries and self.device_type != NodeType.END_DEVICE:
                self.routing.discover(frame._replace(discoveries=frame.discoveries - 1))
            else:
                self.fail(frame, Status.NWK_ROUTE_ERROR)
            return
        neighbour = self.neighbours.by_short.get(hop)
        indirect = neighbour is not None and neighbour.indirect

        def sent(status: Status) -> None:
            if status is not Status.SUCCESS:
                self._unicast_failed(frame, hop, status)
                return
            if neighbour is not None:
                neighbour.failures = 0
            if frame.confirm is not None:
                frame.confirm(status)

        self.transmit(hop, frame.header, frame.payload, sent, indirect=indirect)

    def _next_hop(self, destination: int) -> int | None:
        if self.device_type == NodeType.END_DEVICE:
            return self.parent_short
        neighbour = self.neighbours.by_short.get(destination)
        if neighbour is not None and neighbour.direct:
            return destination
        return self.routing.next_hop(destination)

    def _along_source_route(self, frame: Outgoing) -> tuple[Outgoing, int | None]:
        relays = self.routing.source_routes.get(frame.destination)
        if not relays or len(frame.payload) + 2 + 2 * len(relays) > MAX_NSDU:
            return frame, None
        header, _ = nwk_frame.unpack_header(frame.header)
        if header.frame_type != nwk_frame.DATA:
            return frame, None
        header = header._replace(relays=relays, relay_index=len(relays) - 1)
        return frame._replace(header=nwk_frame.pack_header(header)), relays[-1]

    def _unicast_failed(self, frame: Outgoing, hop: int, status: Status) -> None:
        neighbour = self.neighbours.by_short.get(hop)
        if self.device_type == NodeType.END_DEVICE:
            if status == Status.NO_ACK:
                self.parent_link.missed()
        elif neighbour is None or neighbour.is_router:
            if status == Status.NO_ACK:
                self._hop_lost(frame.destination, hop, neighbour)
            if frame.discoveries:
                self.route(_without_source_route(frame))
                return
        self.fail(frame, status)

    def _hop_lost(self, destination: int, hop: int, neighbour: Neighbour | None) -> None:
        self.routing.broken(destination)
        if neighbour is not None:
            neighbour.failures += 1
            # Four transmissions went unheard: look for another way until link status says otherwise.
            neighbour.direct = False
            if neighbour.failures > 1:
                neighbour.outgoing_cost = 0
                self.routing.broken_via(hop)

    def fail(self, frame: Outgoing, status: Status) -> None:
        """Give up on a unicast: confirm it, or tell the node that sent it (3.6.3.7)."""
        self.counters.drop(f"undelivered: {status.name}")
        if frame.relayed_for is None:
            if frame.confirm is not None:
                self.scope.call_later(0, frame.confirm, status)
            return
        if status == Status.TRANSACTION_EXPIRED or not self.authenticated:
            return
        no_route = status in (Status.NWK_ROUTE_DISCOVERY_FAILED, Status.NWK_ROUTE_ERROR)
        code = NetworkStatus.NO_ROUTE_AVAILABLE if no_route else NetworkStatus.NON_TREE_LINK_FAILURE
        if frame.header[1] & nwk_frame.SOURCE_ROUTE >> 8:
            code = NetworkStatus.SOURCE_ROUTE_FAILURE
        report = pack_network_status(NetworkStatusCommand(code, frame.destination))
        header = self.command_header(frame.relayed_for, source_eui64=self.eui64)
        self.route(Outgoing(header, report, frame.relayed_for, None, 0))

    # Receiving

    def mac_data(self, source: int, destination: int, payload: bytes, lqi: int) -> None:
        """MCPS-DATA.indication: an NPDU from the neighbour `source`."""
        if len(payload) < 26:
            self._receive(source, destination, payload, lqi)
            return
        control, target, origin, _, _, aux_control, counter, eui64, sequence = _HEADER_AND_AUX.unpack_from(
            payload
        )
        if control & _FAST_MASK != _SECURED_DATA or target != self._short or aux_control & 0x38 != 0x28:
            self._receive(source, destination, payload, lqi)
            return
        key = self.security.by_sequence.get(sequence)
        neighbour = self.neighbours.by_short.get(source)
        if key is None or neighbour is None or neighbour.eui64 != eui64 or key is not self.security.active:
            self._receive(source, destination, payload, lqi)
            return
        last = key.incoming.get(eui64, -1)
        if (
            counter <= last
            or (counter ^ last) >> 10
            or neighbour.relationship == Relationship.UNAUTHENTICATED_CHILD
        ):
            self._receive(source, destination, payload, lqi)
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
        if origin != source:
            eui64_or_none = self.addresses.eui64_by_short.get(origin)
        else:
            eui64_or_none = eui64
        self.listener.nwk_data(NldeIndication(origin, eui64_or_none, target, nsdu, True, lqi))

    def _receive(self, hop: int, mac_destination: int, npdu: bytes, lqi: int) -> None:
        try:
            header, offset = nwk_frame.unpack_header(npdu)
            if self.parameters is None or header.frame_type == nwk_frame.INTER_PAN:
                self.counters.drop("no network")
            elif header.destination >= LOWEST_BROADCAST:
                self._receive_broadcast(header, hop, mac_destination, npdu, offset, lqi)
            else:
                self._receive_unicast(header, hop, npdu, offset, lqi)
        except FrameError:
            self.counters.drop("malformed")
        except ReplayError:
            self.counters.drop("replay")
        except UnknownKeyError:
            self.counters.drop("unknown key")
        except SecurityError:
            self.counters.drop("integrity")

    def _receive_broadcast(
        self, header: NwkHeader, hop: int, mac_destination: int, npdu: bytes, offset: int, lqi: int
    ) -> None:
        if self.sleepy and mac_destination == 0xFFFF:
            # The parent delivers a copy indirectly; taking both would break the order of frame counters.
            return
        if not self.broadcasts.concerns(header.destination) or not header.secured:
            return
        if self.broadcasts.seen(header.source, header.sequence, hop) or header.source == self._short:
            return
        payload = self._open(header, hop, npdu, offset, lqi)
        self._notice_moved_child(header.source, hop)
        command = payload[0] if header.frame_type == nwk_frame.COMMAND and payload else 0
        if command not in (NwkCommand.LINK_STATUS, NwkCommand.ROUTE_REQUEST):
            raw = nwk_frame.with_radius(npdu[:offset], max(0, header.radius - 1))
            self.broadcasts.relay(raw, header.source, hop, payload)
        self._deliver(npdu[:offset], header, payload, hop, lqi)

    def _receive_unicast(self, header: NwkHeader, hop: int, npdu: bytes, offset: int, lqi: int) -> None:
        for_us = header.destination == self._short or header.destination_eui64 == self.eui64
        if not header.secured:
            self._receive_unsecured(header, hop, npdu, offset, lqi, for_us)
            return
        if header.source == self._short and not self.joining.rejoining:
            self.counters.drop("own frame came back")
            return
        payload = self._open(header, hop, npdu, offset, lqi)
        if for_us:
            self._deliver(npdu[:offset], header, payload, hop, lqi)
        elif self.device_type == NodeType.END_DEVICE:
            self.counters.drop("not for this end device")
        else:
            self._notice_moved_child(header.source, hop)
            self._relay(header, hop, npdu[:offset], payload)

    def _open(self, header: NwkHeader, hop: int, npdu: bytes, offset: int, lqi: int) -> bytes:
        """Decrypt a frame and learn from it; raises `SecurityError`."""
        payload, aux = self.security.open(npdu, offset)
        self.learn(aux.source_eui64, hop)
        neighbour = self.neighbours.by_short.get(hop)
        if neighbour is not None:
            self._heard(neighbour, aux.source_eui64, lqi)
        if header.source_eui64 is not None:
            self.learn(header.source_eui64, header.source)
        if self.security.newer(aux.key_sequence):
            # Hearing the next key in use is as good as a Switch-Key that was missed (4.4.9).
            self.switch_key(aux.key_sequence)
        return payload

    def _heard(self, neighbour: Neighbour, eui64: int, lqi: int) -> None:
        neighbour.heard(lqi)
        neighbour.heard_us = self.scope.now
        if neighbour.eui64 is None:
            neighbour.eui64 = eui64
            if neighbour.relationship == Relationship.PARENT:
                self._save()
        if neighbour.relationship == Relationship.UNAUTHENTICATED_CHILD and neighbour.eui64 == eui64:
            self.parenting.authenticated(neighbour)

    def _notice_moved_child(self, source: int, hop: int) -> None:
        child = self.neighbours.by_short.get(source)
        if hop != source and child is not None and child.is_child and not child.is_router:
            self.parenting.moved(child)

    def _receive_unsecured(
        self, header: NwkHeader, hop: int, npdu: bytes, offset: int, lqi: int, for_us: bool
    ) -> None:
        neighbour = self.neighbours.by_short.get(hop)
        payload = npdu[offset:]
        if not for_us:
            self.counters.drop("unsecured")
        elif header.frame_type == nwk_frame.COMMAND:
            self._commands.received(npdu[:offset], header, payload, hop, lqi)
        elif (not self.authenticated and hop == self.parent_short) or (
            neighbour is not None
            and neighbour.relationship == Relationship.UNAUTHENTICATED_CHILD
            and header.source == hop
        ):
            if neighbour is not None:
                neighbour.heard(lqi)
            self._deliver(npdu[:offset], header, payload, hop, lqi)
        else:
            self.counters.drop("unsecured")

    def _deliver(self, raw_header: bytes, header: NwkHeader, payload: bytes, hop: int, lqi: int) -> None:
        self.counters.received += 1
        if header.frame_type == nwk_frame.COMMAND:
            self._commands.received(raw_header, header, payload, hop, lqi)
            return
        eui64 = header.source_eui64 or self.addresses.eui64_by_short.get(header.source)
        self.listener.nwk_data(
            NldeIndication(header.source, eui64, header.destination, payload, header.secured, lqi)
        )

    def _relay(self, header: NwkHeader, hop: int, raw_header: bytes, payload: bytes) -> None:
        if header.radius <= 1:
            self.counters.drop("radius exhausted")
            return
        self.counters.relayed += 1
        if header.frame_type == nwk_frame.COMMAND and payload[:1] == bytes((NwkCommand.ROUTE_RECORD,)):
            payload = pack_route_record((*unpack_route_record(payload[1:]), self._short))
        raw_header = nwk_frame.with_radius(raw_header, header.radius - 1)
        discoveries = 1 if header.discover_route else 0
        if header.relays:
            self._relay_along(header, raw_header, payload)
        else:
            self.route(Outgoing(raw_header, payload, header.destination, None, discoveries, header.source))

    def _relay_along(self, header: NwkHeader, raw_header: bytes, payload: bytes) -> None:
        """Pass a source-routed frame to the next relay of its list (3.6.3.3.2)."""
        relays, index = header.relays or (), header.relay_index
        if relays[index] != self._short:
            self.counters.drop("not this relay's turn")
            return
        hop = relays[index - 1] if index else header.destination
        position = len(raw_header) - 2 * len(relays) - 1
        raw_header = raw_header[:position] + bytes((max(0, index - 1),)) + raw_header[position + 1 :]
        frame = Outgoing(raw_header, payload, header.destination, None, 0, header.source)
        neighbour = self.neighbours.by_short.get(hop)

        def sent(status: Status) -> None:
            if status is not Status.SUCCESS:
                self._unicast_failed(frame, hop, status)

        indirect = neighbour is not None and neighbour.indirect
        self.transmit(hop, raw_header, payload, sent, indirect=indirect)

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


def _without_source_route(frame: Outgoing) -> Outgoing:
    header, _ = nwk_frame.unpack_header(frame.header)
    if header.relays is None:
        return frame
    return frame._replace(header=nwk_frame.pack_header(header._replace(relays=None)))
