"""A frame alone on the air takes one event in place of three: what happens, and when, is the same either way."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.clock.kernel import Kernel
from tests.emulator.air.air_world import Air

NODES = 4
_BROADCAST = 0xFFFF


class Sending(NamedTuple):
    """One data request of a scenario."""

    at_us: int
    source: int
    destination: int
    octets: int
    ack: bool


class Course(NamedTuple):
    """Everything that can be seen of a scenario."""

    capture: bytes
    data: list[list[tuple[int, int, bytes]]]
    times: list[list[int]]
    statuses: list[list[object]]
    now_us: int


SENDINGS = st.lists(
    st.builds(
        Sending,
        st.integers(0, 40_000),
        st.integers(0, NODES - 1),
        st.sampled_from((*range(NODES + 1), _BROADCAST)),
        st.integers(0, 100),
        st.booleans(),
    ),
    max_size=12,
)


def course(sendings: list[Sending], far_m: float, jammed: bool, seed: int) -> Course:
    """Play a scenario among nodes of which the last two stand `far_m` metres from the others."""
    with tempfile.TemporaryDirectory() as folder:
        air = Air(seed, Path(folder) / "air.pcapng")
        recorders = [air.mac(x=far_m if number >= NODES // 2 else 0)[1] for number in range(NODES)]
        for at_us, source, destination, octets, ack in sendings:
            if destination != source:
                scope = air.kernel.scope("scenario")
                send = air.macs[source].data
                confirm = recorders[source].confirm
                scope.call_at(
                    at_us, lambda s=send, d=destination, o=octets, c=confirm, a=ack: s(d, bytes(o), c, ack=a)
                )
        if jammed:
            air.kernel.scope("jammer").call_at(10_000, air.medium.jam, 11, 3_000)
        air.run()
        assert air.capture is not None
        air.capture.close()
        return Course(
            air.capture.path.read_bytes(),
            [recorder.data for recorder in recorders],
            [recorder.times for recorder in recorders],
            [list(recorder.statuses) for recorder in recorders],
            air.kernel.now,
        )


@settings(max_examples=40, deadline=None)
@given(SENDINGS, st.sampled_from((0.0, 60.0, 75.0, 500.0)), st.booleans(), st.integers(0, 3))
def test_the_short_way_and_the_long_one_come_to_the_same(
    sendings: list[Sending], far_m: float, jammed: bool, seed: int
) -> None:
    short = course(sendings, far_m, jammed, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Kernel, "run_on", lambda _kernel, _due_us: False)
        assert course(sendings, far_m, jammed, seed) == short


def test_a_frame_alone_on_the_air_is_one_event() -> None:
    air = Air()
    (one, above), (_, other) = air.mac(), air.mac()
    events: list[int] = []
    one.data(1, b"a", above.confirm)
    assert air.kernel.run_calls(1_000_000, events, 1)
    assert (len(other.data), len(above.statuses)) == (1, 1)


def test_who_overhears_may_act_before_the_acknowledgement_ends() -> None:
    air = Air()
    (one, above), (_, other), (third, _) = air.mac(), air.mac(), air.mac()
    third.listen_to_all(lambda _psdu, _lqi, _rssi: air.macs[1].detach())
    one.data(1, b"a", above.confirm)
    air.run()
    assert other.data == []
