"""The NWK layer of one ZigBee PRO node: its machines, put together, and the services they make up.

`NwkState` holds the facts; each machine (`joining`, `parenting`, `routing` and the others) works on the part of them
that its view names. This class owns all of them, starts and ends what concerns them together, and stands
between the MAC below and the listener above. ZigBee PRO chapter 3; security 4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emulator.air.mac import Mac
from emulator.clock.kernel import Scope
from emulator.nonvolatile import NonVolatile
from emulator.stack.nwk.addressing import Addressing
from emulator.stack.nwk.broadcast import Broadcasts
from emulator.stack.nwk.departure import Departure
from emulator.stack.nwk.dispatch import CommandDispatch
from emulator.stack.nwk.fast_path import FastPath
from emulator.stack.nwk.joining import Joining
from emulator.stack.nwk.link_status import LinkStatusExchange
from emulator.stack.nwk.memory import Management, forget_network, load_network, network_parameters
from emulator.stack.nwk.neighbours import Neighbour
from emulator.stack.nwk.network_update import NetworkUpdates
from emulator.stack.nwk.parent_link import ParentLink
from emulator.stack.nwk.parenting import Parenting
from emulator.stack.nwk.receiving import Receiving
from emulator.stack.nwk.routing import Routing
from emulator.stack.nwk.sending import Sending
from emulator.stack.nwk.service import (
    Capability,
    Network,
    NetworkStatus,
    NodeType,
    NwkListener,
    NwkTiming,
    ParentCandidate,
)
from emulator.stack.nwk.state import NwkState
from emulator.stack.nwk.views import COMMAND_RADIUS, NO_ADDRESS
from emulator.stack.primitives import Confirm, NetworkParameters, Status

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


class Nwk:
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
        self.state = state = NwkState(
            scope, mac, nonvolatile, device_type=device_type, capability=capability, timing=timing
        )
        self.mac = mac
        self.eui64 = state.eui64
        self.counters = state.counters
        self.security = state.security
        self.addresses = state.addresses
        self.neighbours = state.neighbours
        self.routing = Routing(state)
        self.broadcasts = Broadcasts(state)
        self.links = LinkStatusExchange(state, self.routing)
        self.parent_link = ParentLink(state)
        self.joining = Joining(state, self.parent_link, self.routing)
        self.parenting = Parenting(state, self.routing)
        self.updates = NetworkUpdates(state, self.parenting)
        self.addressing = Addressing(state, self.updates, self.parenting)
        self.departure = Departure(state, self.joining, self.parenting, self.routing)
        self.sending = Sending(state, self.routing, self.broadcasts, self.parent_link)
        commands = CommandDispatch(
            state,
            routing=self.routing,
            links=self.links,
            parent_link=self.parent_link,
            updates=self.updates,
            joining=self.joining,
            parenting=self.parenting,
            departure=self.departure,
        )
        self.receiving = Receiving(
            state,
            sending=self.sending,
            broadcasts=self.broadcasts,
            joining=self.joining,
            parenting=self.parenting,
            commands=commands,
        )
        self._fast = FastPath(state, self.sending, self.receiving, self.parent_link)
        state.sending, state.layer = self.sending, self
        mac.listener = self

    # What is known

    @property
    def listener(self) -> NwkListener:
        """The layer above; set before anything happens."""
        return self.state.listener

    @listener.setter
    def listener(self, listener: NwkListener) -> None:
        self.state.listener = listener

    @property
    def timing(self) -> NwkTiming:
        """Every duration and bound of the layer; may be replaced."""
        return self.state.timing

    @timing.setter
    def timing(self, timing: NwkTiming) -> None:
        self.state.timing = timing

    @property
    def parameters(self) -> NetworkParameters | None:
        """The network this node is on; its `network_key` is empty until the first key has arrived."""
        return self.state.parameters

    @property
    def authenticated(self) -> bool:
        """Whether this node holds the network key by right."""
        return self.state.authenticated

    @property
    def management(self) -> Management:
        """What the network manager has told."""
        return self.state.management

    @property
    def short_address(self) -> int:
        """Our short address; 0xFFFF when on no network."""
        return self.state.short_address

    @property
    def children(self) -> list[Neighbour]:
        """Our children, in order of joining."""
        return self.neighbours.children()

    def eui64_of(self, short: int) -> int | None:
        """Return the EUI-64 that has that short address."""
        return self.state.eui64_of(short)

    def short_of(self, eui64: int) -> int | None:
        """Return the short address of that EUI-64."""
        return self.state.short_of(eui64)

    def is_child(self, short: int) -> bool:
        """Whether the device is our child, authenticated or not."""
        return self.state.is_child(short)

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
        state = self.state
        self.forget()
        self.security.set_key(network_key, key_sequence, activate=True)
        state.depth = 0
        state.authenticated = True
        state.alone = True
        state.set_parameters(
            NetworkParameters(pan_id, extended_pan_id, channel, 0, 0, network_key, key_sequence)
        )
        self.start()

    def restore(self) -> bool:
        """Return to the network in non-volatile memory after a power cut; False when there is none."""
        state = self.state
        saved = load_network(state.nonvolatile)
        self.security.restore()
        key = self.security.active
        if saved is None or key is None:
            return False
        self.addresses.restore()
        self.neighbours.restore(saved, state.scope.now)
        state.depth = saved.depth
        state.parent_short = self.mac.parent_address = saved.parent_short
        state.authenticated = True
        state.set_parameters(network_parameters(saved, key.octets, key.sequence))
        self.start()
        self.parenting.schedule_ageing()
        return True

    def start(self) -> None:
        """Take up the duties of an authenticated node: beacons, link status, polling."""
        self.mac.coordinator = self.state.device_type != NodeType.END_DEVICE
        self.state.update_beacon()
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
        state, mac = self.state, self.mac
        state.parameters = None
        state.authenticated = False
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
        forget_network(state.nonvolatile)
        state.management = Management()
        state.short_address = state.parent_short = NO_ADDRESS
        mac.purge_all()
        mac.coordinator = False
        mac.pan_id = mac.short_address = mac.parent_address = NO_ADDRESS

    def permit_joining(self, seconds: int) -> None:
        """Admit devices for `seconds`; 0 closes. Raises `EmulatorError` for 255 and above."""
        self.parenting.permit(seconds)

    # Keys and addresses

    def set_network_key(self, key: bytes, sequence: int) -> None:
        """Store a network key: in force at once on a node that waits for one, else when it is switched to."""
        state = self.state
        waiting = not state.authenticated
        self.security.set_key(key, sequence, activate=waiting)
        state.key_in_force()
        if waiting and state.parameters is not None:
            state.authenticated = True
            self.start()

    def switch_key(self, sequence: int) -> bool:
        """Put the key with `sequence` in force; returns False when this node does not hold it."""
        return self.state.switch_key(sequence)

    def learn(self, eui64: int, short: int) -> None:
        """Record a pair of addresses seen in a frame, an announcement or a key; notes conflicts."""
        self.addressing.learn(eui64, short)

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
        self._fast.send(destination, nsdu, confirm, secure, radius, discover_route)

    # Indications of the MAC

    def mac_data(self, source: int, destination: int, payload: bytes, lqi: int) -> None:
        """MCPS-DATA.indication: an NPDU from the neighbour `source`."""
        self._fast.receive(source, destination, payload, lqi)

    def mac_associate(self, eui64: int, capability: int) -> None:
        """MLME-ASSOCIATE.indication."""
        self.parenting.associate(eui64, capability)

    def mac_polled(self, source: int) -> None:
        """A data request arrived."""
        if self.state.parameters is not None:
            self.parenting.polled(source)

    def mac_beacon(self, payload: bytes) -> None:
        """Somebody with our PAN identifier beacons."""
        self.updates.beacon_heard(payload)

    def mac_beacon_request(self) -> None:
        """The MAC has answered a scan; nothing to do."""
