"""The short cuts of the network layer do what the long way does: twins that differ in nothing else, compared."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulator.crypto.ccm import CcmKey
from emulator.stack.nwk import frame as nwk_frame
from emulator.stack.nwk.frame import MAX_NSDU
from emulator.stack.nwk.neighbours import Relationship
from emulator.stack.nwk.security import COUNTER_RESERVE, MAX_COUNTER
from emulator.stack.nwk.sending import DataRequest
from emulator.stack.primitives import Status
from tests.emulator.stack.nwk.conftest import AWAKE, KEY, ROUTER, SLEEPY, Home, Peer

PLAIN = nwk_frame.DATA | nwk_frame.VERSION | nwk_frame.SECURITY
STRANGER = 0x00DB00000000BEEF
STRANGERS_ADDRESS = 0x7777
EVERYBODY = 0xFFFF
NEXT_KEY = bytes(range(16))
NAMES = ("hub", "router", "sleepy", "awake")
ITSELF = "itself"
"""In place of a name: whoever the frame comes from."""


class Oddity(Enum):
    """What may be odd about what the hub knows of a neighbour."""

    NOTHING = auto()
    FORGOTTEN = auto()
    NAMELESS = auto()
    UNHEARD = auto()
    UNAUTHENTICATED = auto()


class Twin:
    """A hub with a router, a sleepy child and one that listens; the same each time."""

    def __init__(self) -> None:
        home = self.home = Home(seed=5)
        self.hub = home.coordinator()
        self.peers: dict[str, Peer] = {
            "hub": self.hub,
            "router": home.join(ROUTER),
            "sleepy": home.join(SLEEPY),
            "awake": home.join(AWAKE),
        }
        self.hub.nwk.set_network_key(NEXT_KEY, 1)
        home.run(20)

    def address(self, name: str) -> int:
        return {"stranger": STRANGERS_ADDRESS, "everybody": EVERYBODY}.get(name) or self.peers[name].short

    def eui64(self, name: str) -> int:
        return STRANGER if name == "stranger" else self.peers[name].nwk.eui64

    def disturb(self, oddity: Oddity, name: str) -> None:
        """Have the hub know one of its neighbours less well than it might."""
        nwk, eui64 = self.hub.nwk, self.eui64(name)
        neighbour = nwk.neighbours.by_eui64(eui64)
        assert neighbour is not None
        if oddity is Oddity.FORGOTTEN:
            nwk.addresses.forget(eui64)
        elif oddity is Oddity.NAMELESS:
            neighbour.eui64 = None
        elif oddity is Oddity.UNHEARD:
            neighbour.lqi = 0
        elif oddity is Oddity.UNAUTHENTICATED:
            neighbour.relationship = Relationship.UNAUTHENTICATED_CHILD

    def seen(self) -> dict[str, Any]:
        """Everything that a frame may have changed, here and on the air."""
        nwk, counters = self.hub.nwk, self.hub.nwk.counters
        neighbours = sorted(nwk.neighbours.by_short.items())
        return {
            "received": self.hub.received,
            "left": self.hub.left,
            "counters": {name: getattr(counters, name) for name in counters.__slots__},
            "parameters": nwk.parameters,
            "incoming": {key.sequence: key.incoming for key in nwk.security.by_sequence.values()},
            "neighbours": [(short, [getattr(each, n) for n in each.__slots__]) for short, each in neighbours],
            "addresses": nwk.addresses.short_by_eui64,
            "memory": {key: self.hub.memory.get(key) for key in self.hub.memory.keys("")},
            "air": self.home.recorder.frames,
        }


class Frame(NamedTuple):
    """A frame that reaches the hub, good or bad in one way or several."""

    hop: str
    control: int
    destination: str
    source: str
    radius: int
    aux: int
    ahead: int
    sender: str
    sequence: int
    payload: bytes
    spoilt: bool
    kept: int
    lqi: int

    def _named(self, name: str) -> str:
        return self.hop if name == ITSELF else name

    def octets(self, twin: Twin) -> bytes:
        header = nwk_frame.HEADER.pack(
            self.control,
            twin.address(self.destination),
            twin.address(self._named(self.source)),
            self.radius,
            9,
        )
        if not self.control & nwk_frame.SECURITY:
            return header + self.payload
        key = twin.hub.nwk.security.by_sequence.get(self.sequence)
        sender = twin.eui64(self._named(self.sender))
        last = -1 if key is None else key.incoming.get(sender, -1)
        counter = max(0, last + self.ahead)
        level = self.aux & 0xF8 | 5
        aux = nwk_frame.AUX.pack(level, counter, sender, self.sequence)
        cipher = CcmKey(KEY) if key is None else key.cipher
        nonce = sender.to_bytes(8, "little") + counter.to_bytes(4, "little") + bytes((level,))
        sealed = bytearray(cipher.encrypt(nonce, header + aux, self.payload))
        if self.spoilt:
            sealed[-1] ^= 1
        return (header + bytes((self.aux,)) + aux[1:] + bytes(sealed))[: self.kept]


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Draw the usual value more often than not, so that a frame is rarely wrong in everything."""
    return st.sampled_from((usual,) * 9 * len(others) + others)


FRAMES = st.builds(
    Frame,
    hop=st.sampled_from((*NAMES[1:], "stranger")),
    control=mostly(
        PLAIN,
        PLAIN | nwk_frame.DISCOVER_ROUTE,
        nwk_frame.COMMAND | nwk_frame.VERSION | nwk_frame.SECURITY,
        nwk_frame.DATA | nwk_frame.VERSION,
        PLAIN | nwk_frame.SOURCE_EUI64,
        nwk_frame.DATA | nwk_frame.SECURITY,
    ),
    destination=st.sampled_from(("hub",) * 9 + ("router", "awake", "sleepy") * 2 + ("stranger", "everybody")),
    source=mostly(ITSELF, "hub", "hub", "router", "sleepy", "stranger"),
    radius=st.integers(0, 255),
    aux=mostly(0x28, 0x2D, 0x68, 0x08, 0xA8),
    ahead=mostly(1, -3, 0, 2, 1024, 5000),
    sender=mostly(ITSELF, *NAMES[1:], "stranger"),
    sequence=mostly(0, 1, 7),
    payload=st.binary(max_size=40),
    spoilt=mostly(False, True),
    kept=mostly(200, 8, 21, 22, 25),
    lqi=st.integers(0, 255),
)


OWN_FRAME = Frame("router", PLAIN, "hub", "hub", 30, 0x28, 1, ITSELF, 0, b"own", False, 200, 255)


@example([OWN_FRAME], Oddity.NOTHING, "router")
@settings(max_examples=100, deadline=None)
@given(st.lists(FRAMES, min_size=1, max_size=25), st.sampled_from(Oddity), st.sampled_from(NAMES[1:]))
def test_receiving_comes_to_the_same_either_way(frames: list[Frame], oddity: Oddity, name: str) -> None:
    fast, general = Twin(), Twin()
    for twin in (fast, general):
        twin.disturb(oddity, name)
    for frame in frames:
        for twin, take in ((fast, fast.hub.nwk.mac_data), (general, general.hub.nwk.receiving.frame)):
            take(twin.address(frame.hop), twin.address("hub"), frame.octets(twin), frame.lqi)
            twin.home.run(0.05)
        assert fast.seen() == general.seen(), frame
    for twin in (fast, general):
        twin.home.run(3)
    assert fast.seen() == general.seen()


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_plain_frame_does_take_the_short_cut(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    twin = Twin()
    frame = Frame(name, PLAIN, "hub", name, 30, 0x28, 1, name, 0, b"plain", False, 200, 255)
    monkeypatch.setattr(twin.hub.nwk.receiving, "frame", _never)
    monkeypatch.setattr(twin.hub.nwk.sending, "data", _never)
    twin.hub.nwk.mac_data(twin.address(name), 0, frame.octets(twin), 255)
    assert twin.hub.payloads[-1] == b"plain"
    twin.hub.nwk.data(twin.address(name), b"plain")


def test_a_plain_frame_is_passed_on_by_the_short_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = Twin()
    frame = Frame("awake", PLAIN, "router", "awake", 30, 0x28, 1, "awake", 0, b"onward", False, 200, 255)
    monkeypatch.setattr(twin.hub.nwk.receiving, "frame", _never)
    twin.hub.nwk.mac_data(twin.address("awake"), 0, frame.octets(twin), 255)
    twin.home.run(1)
    assert twin.peers["router"].payloads[-1] == b"onward"
    assert twin.hub.nwk.counters.relayed == 1


class Request(NamedTuple):
    """A data request of one of the peers."""

    sender: str
    destination: str
    nsdu: bytes
    secure: bool
    radius: int
    discover_route: bool


REQUESTS = st.builds(
    Request,
    sender=st.sampled_from(NAMES),
    destination=st.sampled_from((*NAMES, "stranger", "everybody")),
    nsdu=st.one_of(st.binary(max_size=20), st.integers(MAX_NSDU - 1, MAX_NSDU + 1).map(bytes)),
    secure=mostly(True, False),
    radius=st.integers(1, 30),
    discover_route=st.booleans(),
)


TO_THE_ROUTER = Request("hub", "router", b"plain", True, 30, True)


@example([TO_THE_ROUTER], 1)
@example([TO_THE_ROUTER, TO_THE_ROUTER._replace(sender="sleepy")], 0)
@settings(max_examples=60, deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=8), st.integers(0, 2))
def test_sending_comes_to_the_same_either_way(requests: list[Request], silent: int) -> None:
    fast, general = Twin(), Twin()
    outcomes: tuple[list[Status], list[Status]] = ([], [])
    for twin in (fast, general):
        for neighbour in twin.hub.nwk.neighbours.by_short.values():
            neighbour.failures = 1
        for name in ("router", "awake")[:silent]:
            twin.home.power_off(twin.peers[name])  # frames to it fail, and are dealt with
    for request in requests:
        for twin, confirms in zip((fast, general), outcomes, strict=True):
            nwk = twin.peers[request.sender].nwk
            fields = DataRequest(
                twin.address(request.destination), request.nsdu, confirms.append, *request[3:]
            )
            if twin is fast:
                destination, nsdu, confirm, secure, radius, discover_route = fields
                nwk.data(
                    destination, nsdu, confirm, secure=secure, radius=radius, discover_route=discover_route
                )
            else:
                nwk.sending.data(fields)
            twin.home.run(0.2)
    for twin in (fast, general):
        twin.home.run(10)
    assert outcomes[0] == outcomes[1]
    assert fast.seen() == general.seen()


def test_worn_out_frame_counters_refuse_either_way() -> None:
    refused: list[list[Status]] = []
    for short_cut in (True, False):
        twin = Twin()
        nwk = twin.hub.nwk
        nwk.security.frame_counter = MAX_COUNTER - COUNTER_RESERVE
        for _ in range(COUNTER_RESERVE):
            nwk.security.next_counter()
        outcome: list[Status] = []
        request = DataRequest(twin.address("router"), b"late", outcome.append, True, 30, True)
        if short_cut:
            nwk.data(request.destination, request.nsdu, request.confirm)
        else:
            nwk.sending.data(request)
        twin.home.run(1)
        refused.append(outcome)
    assert refused == [[Status.NWK_NO_KEY]] * 2


def _never(*_: object) -> None:
    raise AssertionError("a plain frame went the long way")
