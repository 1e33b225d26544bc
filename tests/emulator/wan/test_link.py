from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.errors import FrameError
from emulator.wan.link import WanLink, WanParameters
from emulator.wan.messages import ATTACHMENT_MAX, WanMessage, decode, encode

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=4), st.binary(max_size=60))
def test_messages_round_trip(fields: dict[str, object], attachment: bytes) -> None:
    message = WanMessage(fields, attachment)
    assert decode(encode(message)) == message


@given(st.binary(max_size=60))
def test_any_octets_decode_or_raise_a_frame_error(octets: bytes) -> None:
    try:
        message = decode(octets)
    except FrameError:
        return
    assert isinstance(message.fields, dict)


@pytest.mark.parametrize(
    "octets", [b"", b"\x00", b"\x00\x09{}", b"\x00\x02[]", b"\x00\x02xx", b"\x00\x02\xff\xff"]
)
def test_a_damaged_message_is_refused(octets: bytes) -> None:
    with pytest.raises(FrameError, match="WAN message"):
        decode(octets)


def test_equal_fields_give_equal_octets() -> None:
    assert encode(WanMessage({"a": 1, "b": 2})) == encode(WanMessage({"b": 2, "a": 1}))
    assert ATTACHMENT_MAX + len(encode(WanMessage({"op": "image_data"}))) < 4096


class Line:
    """A link with both ends listening."""

    def __init__(self, parameters: WanParameters | None = None) -> None:
        self.kernel = Kernel(3)
        self.link = WanLink(self.kernel, parameters)
        self.hub: list[bytes] = []
        self.head_end: list[bytes] = []
        self.link.on_hub = self.hub.append
        self.link.on_head_end = self.head_end.append

    def run(self, seconds: float) -> None:
        self.kernel.run_for(int(seconds * MICROSECONDS))

    def wake(self, messages: int = 2) -> None:
        for _ in range(messages):
            self.link.wake()
        self.run(9)


def test_a_sleeping_hub_hears_nothing_until_woken_often_enough() -> None:
    line = Line()
    line.link.to_hub(b"lost")
    line.run(10)
    line.wake(1)
    line.link.to_hub(b"lost too")
    line.run(10)
    assert not line.link.awake
    line.wake(1)
    assert line.link.awake
    line.link.to_hub(b"heard")
    line.run(10)
    assert line.hub == [b"heard"]
    assert line.link.wake_messages_sent == 2


def test_a_hub_falls_asleep_after_a_silence() -> None:
    line = Line()
    line.wake()
    line.run(590)
    line.link.to_hub(b"in time")
    line.run(590)
    line.link.to_hub(b"still in time")
    line.run(700)
    line.link.to_hub(b"too late")
    line.run(10)
    assert line.hub == [b"in time", b"still in time"]


def test_alerts_reach_the_head_end_of_a_sleeping_hub() -> None:
    line = Line()
    line.link.to_head_end(b"alert")
    line.run(10)
    assert line.head_end == [b"alert"]
    assert line.link.awake


def test_datagrams_keep_their_order_and_take_their_time() -> None:
    line = Line()
    line.wake()
    sent = [bytes((number,)) for number in range(50)]
    for datagram in sent:
        line.link.to_hub(datagram)
    line.run(0.3)
    assert line.hub == []
    line.run(1)
    assert line.hub == sent


@pytest.mark.parametrize(("loss", "fewest", "most"), [(0.0, 200, 200), (0.3, 110, 170), (1.0, 0, 0)])
def test_loss_takes_its_share(loss: float, fewest: int, most: int) -> None:
    line = Line(WanParameters(loss=loss))
    line.wake()
    for number in range(200):
        line.link.to_hub(bytes((number,)))
    line.run(10)
    assert fewest <= len(line.hub) <= most


def test_a_link_that_is_down_carries_nothing() -> None:
    line = Line()
    line.wake()
    line.link.to_hub(b"under way")
    line.link.up = False
    line.run(10)
    line.link.to_hub(b"lost")
    line.link.wake()
    line.run(10)
    line.link.up = True
    line.link.to_hub(b"heard")
    line.run(10)
    assert line.hub == [b"heard"]


def test_half_a_waking_is_forgotten_after_its_window() -> None:
    line = Line(WanParameters(wake_messages=2, wake_window_us=300 * MICROSECONDS))
    line.link.wake()
    line.run(301)
    line.link.wake()
    line.run(60)
    assert not line.link.awake
    line.link.wake()
    line.run(60)
    assert line.link.awake


@given(st.lists(st.integers(0, 400), min_size=1, max_size=12), st.integers(1, 4))
def test_a_hub_wakes_exactly_when_enough_messages_came_within_the_window(
    gaps: list[int], needed: int
) -> None:
    window = 300
    parameters = WanParameters(
        wake_messages=needed, wake_latency_us=0, wake_window_us=window * MICROSECONDS, asleep_after_us=10**18
    )
    line, times, now = Line(parameters), [], 0
    for gap in gaps:
        line.run(gap)
        now += gap
        times.append(now)
        line.link.wake()
        line.run(0)
        recent = [at for at in times if at > now - window]
        if len(recent) >= needed:
            assert line.link.awake
            return
        assert not line.link.awake
