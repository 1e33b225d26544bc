"""The short cut of the APS sublayer does what the long way does: twins that differ in nothing else, compared."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.errors import SecurityError
from emulator.stack.aps.fast_path import sealed_data, unsealed_data
from emulator.stack.aps.frames import ACK_REQUEST, SECURED, encode_data_header
from emulator.stack.aps.key_table import LinkKey
from emulator.stack.aps.security import KEY_DATA, KEY_LOAD, KEY_TRANSPORT, seal, seal_extended
from emulator.stack.events import KeyKind
from emulator.stack.primitives import NldeIndication
from tests.emulator.stack.aps.test_aps import KEY, METERING, SMART_ENERGY, Side, link, request

HUB, STRANGER = 1, 9


class Frame(NamedTuple):
    """A frame of the hub's, good or bad in one way or several."""

    control: int
    key_id: int
    extended: bool
    ahead: int
    counter: int
    asdu: bytes
    spoilt: bool
    kept: int
    nwk_secured: bool
    known: bool

    def indication(self, frame_counter: int) -> NldeIndication:
        key = LinkKey(HUB, KEY, KeyKind.CBKE)
        header = encode_data_header(self.control, 1, METERING, SMART_ENERGY, 2, self.counter)
        if not self.control & SECURED:
            frame = header + self.asdu
        else:
            cipher = {KEY_DATA: key.cipher, KEY_TRANSPORT: key.transport, KEY_LOAD: key.load}[self.key_id]
            protect = seal_extended if self.extended else seal
            frame = protect(cipher, self.key_id, frame_counter, HUB, header, self.asdu)
        if self.spoilt:
            frame = frame[:-1] + bytes((frame[-1] ^ 1,))
        source = HUB if self.known else None
        return NldeIndication(0x0000, source, 0x1234, frame[: self.kept], self.nwk_secured, 200)


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from((usual,) * 6 * len(others) + others)


FRAMES = st.builds(
    Frame,
    control=mostly(SECURED, SECURED | ACK_REQUEST, 0, SECURED | 0x08),
    key_id=mostly(KEY_DATA, KEY_TRANSPORT, KEY_LOAD),
    extended=mostly(False, True),
    ahead=mostly(1, 0, -1, 5, 2000),
    counter=st.integers(0, 3),
    asdu=st.sampled_from((b"", b"one", b"two")),
    spoilt=mostly(False, True),
    kept=mostly(200, 4, 12, 13, 15),
    nwk_secured=mostly(True, False),
    known=mostly(True, False),
)


def hear(side: Side, indication: NldeIndication) -> None:
    side.aps.nwk_data(indication)
    side.kernel.run_for(10_000)


def long_way(side: Side, monkeypatch: pytest.MonkeyPatch) -> Side:
    monkeypatch.setattr(side.aps._fast, "took", lambda _: False)
    return side


@pytest.mark.parametrize("joining", [False, True])
@settings(max_examples=80)
@given(frames=st.lists(FRAMES, min_size=1, max_size=12))
def test_receiving_comes_to_the_same_either_way(joining: bool, frames: list[Frame]) -> None:
    twins: list[Side] = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        for general in (False, True):
            _, _, meter = link()
            if joining:
                meter.aps.joining_key = LinkKey(STRANGER, bytes(16), KeyKind.PRECONFIGURED)
            twins.append(long_way(meter, monkeypatch) if general else meter)
        expected = 0
        for frame in frames:
            counter = max(0, expected + frame.ahead)
            expected = max(expected, counter)
            for twin in twins:
                hear(twin, frame.indication(counter))
            fast, general_ = twins
            assert fast.heard == general_.heard, frame
            assert fast.failures == general_.failures, frame
            assert fast.sent == general_.sent, frame
    keys = [twin.keys.get(HUB) for twin in twins]
    assert [key.incoming for key in keys if key is not None] == [keys[0].incoming] * 2 if keys[0] else []
    assert twins[0].memory.keys() == twins[1].memory.keys()


def test_a_plain_frame_does_take_the_short_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, meter = link()
    monkeypatch.setattr(meter.aps, "receive", lambda _: pytest.fail("a plain frame went the long way"))
    hear(meter, Frame(SECURED, KEY_DATA, False, 1, 0, b"plain", False, 200, True, True).indication(0))
    assert [each.asdu for each in meter.heard] == [b"plain"]


@given(st.binary(max_size=60), st.integers(0, 255), st.integers(0, 2**32 - 2))
def test_a_frame_sealed_in_one_go_is_what_sealing_in_pieces_makes(
    asdu: bytes, counter: int, frame_counter: int
) -> None:
    key = LinkKey(HUB, KEY, KeyKind.CBKE, outgoing=frame_counter)
    header = encode_data_header(SECURED, 1, METERING, SMART_ENERGY, 2, counter)
    frame = sealed_data(key, HUB, request(asdu, ack=False), counter)
    assert frame == seal(key.cipher, KEY_DATA, frame_counter, HUB, header, asdu)
    assert unsealed_data(key.cipher, HUB, frame_counter, frame) == asdu
    with pytest.raises(SecurityError):
        unsealed_data(key.cipher, HUB, frame_counter, frame[:-1] + bytes((frame[-1] ^ 1,)))
