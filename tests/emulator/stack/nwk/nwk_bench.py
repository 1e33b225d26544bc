"""One NWK layer on a MAC that only notes what it is asked, and neighbours who speak when the test says so.

No air and no second node: each test gives one machine an input in a known state and reads what it sent. Neighbours are
`Stranger`s with frame counters of their own; what the layer sends is decrypted as it leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

from emulator.air.beacon import Beacon, ZigbeeBeacon, encode_zigbee_beacon
from emulator.air.mac import Mac
from emulator.clock.kernel import Kernel
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.nwk import frame as nwk_frame
from emulator.stack.nwk.frame import NwkHeader
from emulator.stack.nwk.layer import NodeType, Nwk, NwkTiming
from emulator.stack.nwk.neighbours import Neighbour, Relationship
from emulator.stack.nwk.security import NwkSecurity
from emulator.stack.primitives import Confirm, JoinKind, NetworkParameters, NldeIndication, Status

KEY = bytes.fromhex("01030507090b0d0f00020406080a0c0d")
PAN_ID = 0x5345
EXTENDED_PAN_ID = 0x00DB123456789000
CHANNEL = 15
OWN_EUI64 = 0x00DB000000000001
OWN_SHORT = 0x0A0A
SECOND = 1_000_000
ROUTER, SLEEPY, AWAKE = 0x8E, 0x80, 0x8C


class Sent(NamedTuple):
    """A frame the layer gave to its MAC, decrypted."""

    hop: int
    header: NwkHeader
    payload: bytes
    indirect: bool


class Association(NamedTuple):
    """An association the layer asked its MAC for."""

    channel: int
    pan_id: int
    parent: int
    capability: int
    done: Callable[[Status | int, int], None]


class NotingMac:
    """A MAC that notes requests and confirms data by `silent`: hops that acknowledge nothing."""

    def __init__(self, kernel: Kernel, eui64: int, *, rx_on_when_idle: bool) -> None:
        self.kernel = kernel
        self.scope = kernel.scope("mac")
        self.eui64 = eui64
        self.rx_on_when_idle = rx_on_when_idle
        self.channel, self.pan_id = 11, 0xFFFF
        self.short_address = self.parent_address = 0xFFFF
        self.association_permit = self.coordinator = False
        self.beacon_payload = b""
        self.listener: object = None
        self.silent: dict[int, Status] = {}
        self.sent: list[Sent] = []
        self.scans: list[Callable[[list[Beacon]], None]] = []
        self.associations: list[Association] = []
        self.responses: list[tuple[int, int, int]] = []
        self.polls: list[Callable[[Status], None] | None] = []
        self.purged: list[int] = []
        self._reader = NwkSecurity(0, MemoryNonVolatile())

    def read_with(self, key: bytes, sequence: int = 0) -> None:
        """Decrypt what is sent under this key too."""
        self._reader.set_key(key, sequence, activate=False)

    def data(
        self,
        hop: int,
        npdu: bytes,
        confirm: Confirm | None = None,
        *,
        indirect: bool = False,
        ack: bool = True,
    ) -> None:
        header, offset = nwk_frame.unpack_header(npdu)
        payload = self._reader.open(npdu, offset)[0] if header.secured else npdu[offset:]
        self.sent.append(Sent(hop, header, payload, indirect))
        if confirm is not None:
            self.scope.call_later(1_000, confirm, self.silent.get(hop, Status.SUCCESS))

    def scan(self, channels: Sequence[int], exponent: int, done: Callable[[list[Beacon]], None]) -> None:
        self.scans.append(done)

    def associate(
        self,
        channel: int,
        pan_id: int,
        parent: int,
        capability: int,
        done: Callable[[Status | int, int], None],
    ) -> None:
        self.associations.append(Association(channel, pan_id, parent, capability, done))

    def associate_response(self, eui64: int, short_address: int, status: int) -> None:
        self.responses.append((eui64, short_address, status))

    def poll(self, done: Callable[[Status], None] | None = None) -> None:
        self.polls.append(done)

    def purge(self, address: int) -> None:
        self.purged.append(address)

    def purge_all(self) -> None:
        self.purged.append(-1)


class Above:
    """The layer above, which remembers everything as (what, details...)."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self.data: list[NldeIndication] = []

    def nwk_data(self, indication: NldeIndication) -> None:
        self.data.append(indication)

    def nwk_joined(self, eui64: int, short: int, kind: JoinKind, parent_is_self: bool) -> None:
        self.told.append(("joined", eui64, short, kind))

    def nwk_left(self, eui64: int, short: int, rejoin: bool) -> None:
        self.told.append(("left", eui64, short, rejoin))

    def nwk_leave_self(self, rejoin: bool) -> None:
        self.told.append(("leave self", rejoin))

    def nwk_channel_changed(self, channel: int) -> None:
        self.told.append(("channel", channel))

    def nwk_key_changed(self, sequence: int) -> None:
        self.told.append(("key", sequence))

    def nwk_key_missed(self, sequence: int) -> None:
        self.told.append(("key missed", sequence))

    def nwk_status(self, short: int, code: int) -> None:
        self.told.append(("status", short, int(code)))


class Stranger:
    """Somebody in radio range, who holds the network key."""

    def __init__(self, short: int, eui64: int | None = None, key: bytes = KEY, sequence: int = 0) -> None:
        self.short = short
        self.eui64 = 0x00DB0000FFFF0000 + short if eui64 is None else eui64
        self._security = NwkSecurity(self.eui64, MemoryNonVolatile())
        self._security.set_key(key, sequence, activate=True)
        self._sequence = 0

    def npdu(
        self, payload: bytes, destination: int, *, command: bool = True, secure: bool = True, **fields: object
    ) -> bytes:
        """A frame of theirs as it comes from the MAC; `fields` are those of the NWK header."""
        self._sequence = (self._sequence + 1) & 0xFF
        kind = nwk_frame.COMMAND if command else nwk_frame.DATA
        control = kind | nwk_frame.VERSION | (nwk_frame.SECURITY if secure else 0)
        plain = NwkHeader(control, destination, self.short, 30, self._sequence)
        if command:
            plain = plain._replace(source_eui64=self.eui64)
        header = nwk_frame.pack_header(plain._replace(**fields))  # type: ignore[arg-type]
        return self._security.protect(header, payload) if secure else header + payload


class Bench:
    """A layer of one type, on a network unless `joined` is False; `parent` is a router's or end device's."""

    def __init__(
        self,
        device_type: NodeType = NodeType.ROUTER,
        *,
        sleepy: bool = False,
        joined: bool = True,
        parent: int = 0x0000,
        timing: NwkTiming | None = None,
        seed: int = 1,
    ) -> None:
        self.kernel = Kernel(seed)
        awake = AWAKE if device_type == NodeType.END_DEVICE else ROUTER
        self.mac = NotingMac(self.kernel, OWN_EUI64, rx_on_when_idle=not sleepy)
        self.memory = MemoryNonVolatile()
        self.nwk = Nwk(
            self.kernel.scope("nwk"),
            cast(Mac, self.mac),
            self.memory,
            device_type=device_type,
            capability=SLEEPY if sleepy else awake,
            timing=timing,
        )
        self.above = self.nwk.listener = Above()
        self.mac.read_with(KEY)
        self.parent = Stranger(parent)
        if device_type == NodeType.COORDINATOR and joined:
            self.nwk.form(CHANNEL, PAN_ID, EXTENDED_PAN_ID, KEY)
            self.nwk.state.alone = False
        elif joined:
            self._place()
        self.forget_past()

    def _place(self) -> None:
        state = self.nwk.state
        state.set_parameters(NetworkParameters(PAN_ID, EXTENDED_PAN_ID, CHANNEL, OWN_SHORT, 0, b"", 0))
        state.depth = 1
        self.knows(self.parent, Relationship.PARENT)
        state.set_parent(self.parent.short)
        self.nwk.set_network_key(KEY, 0)

    def forget_past(self) -> None:
        """Let the clock stand still and forget what was sent and told so far."""
        self.mac.sent.clear()
        self.above.told.clear()

    def knows(
        self,
        stranger: Stranger,
        relationship: Relationship = Relationship.SIBLING,
        *,
        device_type: NodeType | None = None,
        lqi: int = 255,
        outgoing_cost: int = 1,
        indirect: bool = False,
    ) -> Neighbour:
        """Put somebody in the neighbour table, by default a router heard well both ways."""
        router = NodeType.ROUTER if stranger.short else NodeType.COORDINATOR
        neighbour = Neighbour(stranger.eui64, stranger.short, router if device_type is None else device_type)
        neighbour.relationship = relationship
        neighbour.lqi, neighbour.outgoing_cost = lqi, outgoing_cost
        neighbour.direct = relationship != Relationship.SIBLING or bool(outgoing_cost)
        neighbour.indirect = indirect
        neighbour.heard_us = self.kernel.now
        self.nwk.neighbours.add(neighbour)
        self.nwk.addresses.learn(stranger.eui64, stranger.short)
        return neighbour

    def child(self, short: int, *, sleepy: bool = False, router: bool = False) -> Stranger:
        """Have a child that has proved itself."""
        stranger = Stranger(short)
        neighbour = self.knows(
            stranger,
            Relationship.CHILD,
            device_type=NodeType.ROUTER if router else NodeType.END_DEVICE,
            indirect=sleepy,
        )
        neighbour.capability = ROUTER if router else SLEEPY if sleepy else AWAKE
        self.nwk.neighbours.save_children()
        return stranger

    def hear(
        self,
        stranger: Stranger,
        payload: bytes,
        destination: int | None = None,
        *,
        hop: Stranger | None = None,
        lqi: int = 255,
        **fields: object,
    ) -> None:
        """Take a frame of `stranger`, passed on by `hop` (itself); by default for this node."""
        to = self.nwk.short_address if destination is None else destination
        speaker = hop or stranger
        fields.setdefault("source", stranger.short)
        npdu = speaker.npdu(payload, to, **fields)  # type: ignore[arg-type]
        self.nwk.mac_data(speaker.short, 0xFFFF if to >= 0xFFF8 else self.nwk.short_address, npdu, lqi)

    def run(self, seconds: float) -> None:
        self.kernel.run_for(round(seconds * SECOND))

    def commands(self, identifier: int | None = None) -> list[Sent]:
        """The commands sent so far, all of them or those of one kind."""
        sent = [each for each in self.mac.sent if each.header.frame_type == nwk_frame.COMMAND]
        return [each for each in sent if identifier is None or each.payload[0] == identifier]

    def dropped(self, reason: str) -> int:
        return self.nwk.counters.dropped.get(reason, 0)


def beacon(
    source: int = 0x0000,
    *,
    lqi: int = 200,
    permit: bool = True,
    pan_id: int = PAN_ID,
    channel: int = CHANNEL,
    **fields: object,
) -> Beacon:
    """A beacon of our network, or of another that `fields` (of the ZigBee payload) describe."""
    plain = ZigbeeBeacon(2, 2, True, 0, True, EXTENDED_PAN_ID)
    payload = encode_zigbee_beacon(plain._replace(**fields))  # type: ignore[arg-type]
    return Beacon(channel, pan_id, source, permit, lqi, payload)
