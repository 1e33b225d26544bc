from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.air.capture import read_frames
from emulator.air.mac import Mac
from emulator.errors import EmulatorError
from emulator.stack.primitives import Status
from tests.emulator.air.air_world import PAN, Air, Recorder


def star(count: int, seed: int = 0, capture: Path | None = None) -> tuple[Air, list[Mac], list[Recorder]]:
    air = Air(seed, capture)
    pairs = [air.mac(x=number * 2) for number in range(count)]
    return air, [mac for mac, _ in pairs], [above for _, above in pairs]


def test_retries_carry_data_over_a_lossy_link_without_duplicates() -> None:
    air, (one, two), (one_above, two_above) = star(2)
    air.medium.set_link(one.eui64, two.eui64, loss=0.3)
    sent = 0

    def more(status: Status) -> None:
        nonlocal sent
        one_above.confirm(status)
        if sent < 200:
            sent += 1
            one.data(1, sent.to_bytes(2, "big"), more)

    more(Status.SUCCESS)
    air.run(20)
    payloads = [payload for _, _, payload in two_above.data]
    assert len(payloads) == len(set(payloads))
    assert len(payloads) >= 180
    assert payloads == sorted(payloads)
    assert one_above.statuses.count(Status.SUCCESS) > 120


def test_a_lost_acknowledgement_makes_a_retry_but_not_a_duplicate() -> None:
    air, (one, _), (one_above, two_above) = star(2)
    lost: list[bytes] = []

    def drop_first_ack(now: int, source: int, destination: int, psdu: bytes) -> bytes | None:
        if len(psdu) == 5 and not lost:
            lost.append(psdu)
            return None
        return psdu

    air.medium.interference.append(drop_first_ack)
    one.data(1, b"once", one_above.confirm)
    air.run()
    assert lost
    assert two_above.data == [(0, 1, b"once")]
    assert one_above.statuses == [Status.SUCCESS]


def test_hidden_senders_collide_at_the_receiver_between_them() -> None:
    air, (middle, left, right), (above, left_above, right_above) = star(3)
    air.medium.set_link(left.eui64, right.eui64, audible=False)
    for _ in range(50):
        left.data(0, bytes(100), left_above.confirm)
        right.data(0, bytes(100), right_above.confirm)
    air.run(5)
    assert Status.NO_ACK in left_above.statuses + right_above.statuses
    assert len(above.data) < 100
    assert middle.malformed == 0


def test_senders_that_hear_each_other_take_turns() -> None:
    air, macs, above = star(4)
    for _ in range(20):
        for sender in macs[1:]:
            sender.data(0, bytes(80), above[0].confirm)
    air.run(5)
    # Three senders that never pause: some frames find the channel taken five times, hardly any collide.
    assert above[0].statuses.count(Status.SUCCESS) >= 48
    assert above[0].statuses.count(Status.NO_ACK) <= 1


def test_the_much_stronger_of_two_colliding_frames_is_received() -> None:
    air, (_, near, far), (above, near_above, far_above) = star(3)
    air.medium.set_link(near.eui64, far.eui64, audible=False)
    air.medium.set_link(far.eui64, 0x00DB_0000_0000_0000, rssi_dbm=-90)
    for _ in range(30):
        near.data(0, b"n" * 100, near_above.confirm)
        far.data(0, b"f" * 100, far_above.confirm)
    air.run(5)
    assert sum(payload[:1] == b"n" for _, _, payload in above.data) == 30


def test_distance_decides_who_is_heard() -> None:
    air = Air()
    one, one_above = air.mac()
    air.mac(x=500)
    one.data(1, b"far", one_above.confirm)
    air.run()
    assert one_above.statuses == [Status.NO_ACK]


def test_a_link_can_be_cut_and_restored_while_running() -> None:
    air, (one, two), (one_above, _) = star(2)
    air.medium.set_link(one.eui64, two.eui64, audible=False)
    one.data(1, b"a", one_above.confirm)
    air.run()
    air.medium.clear_link(one.eui64, two.eui64)
    one.data(1, b"b", one_above.confirm)
    air.run()
    assert one_above.statuses == [Status.NO_ACK, Status.SUCCESS]


def test_a_jammed_channel_is_never_clear_until_the_noise_ends() -> None:
    air, (one, _), (one_above, _) = star(2)
    air.medium.jam(11, 2_000_000)
    one.data(1, b"a", one_above.confirm)
    air.run()
    assert one_above.statuses == [Status.CHANNEL_ACCESS_FAILURE]
    air.run(2)
    one.data(1, b"b", one_above.confirm)
    air.run()
    assert one_above.statuses[-1] is Status.SUCCESS


def test_a_corrupted_frame_fails_its_fcs_and_is_sent_again() -> None:
    air, (one, two), (one_above, two_above) = star(2)
    hits = iter([True, True])

    def flip(now: int, source: int, destination: int, psdu: bytes) -> bytes | None:
        return bytes([psdu[0] ^ 1, *psdu[1:]]) if len(psdu) > 5 and next(hits, False) else psdu

    air.medium.interference.append(flip)
    one.data(1, b"intact", one_above.confirm)
    air.run()
    assert two_above.data == [(0, 1, b"intact")]
    assert two.malformed == 0


def test_a_radio_without_power_is_gone_and_its_address_is_free_again() -> None:
    air, (one, two), (one_above, two_above) = star(2)
    two.detach()
    two.detach()
    one.data(1, b"a", one_above.confirm)
    air.run()
    assert one_above.statuses == [Status.NO_ACK]
    again = Mac(air.kernel.scope("again"), air.medium, two.eui64)
    again.listener = two_above
    again.pan_id, again.short_address = PAN, 1
    one.data(1, b"b", one_above.confirm)
    air.run()
    assert two_above.data == [(0, 1, b"b")]


def test_power_lost_while_sending_cuts_the_frame(tmp_path: Path) -> None:
    air, (one, _), (_, two_above) = star(2, capture=tmp_path / "air.pcapng")
    one.data(1, bytes(100))
    assert air.kernel.step()  # the clear channel assessment; the frame is on its way now
    air.kernel.run_for(1_000)
    one.detach()
    air.run()
    assert two_above.data == []
    assert air.capture is not None
    air.capture.close()
    assert list(read_frames(tmp_path / "air.pcapng")) == []


def test_one_eui64_is_on_the_air_once() -> None:
    air, (one, _), _ = star(2)
    with pytest.raises(EmulatorError, match="already on the air"):
        Mac(air.kernel.scope("twin"), air.medium, one.eui64)


def test_channels_do_not_mix() -> None:
    air, (one, two), (one_above, two_above) = star(2)
    two.channel = 12
    one.data(1, b"a", one_above.confirm)
    air.run()
    assert two_above.data == []
    with pytest.raises(EmulatorError, match="11 to 26"):
        two.channel = 27


def busy_minute(seed: int, path: Path) -> bytes:
    air, macs, above = star(5, seed, path)
    air.medium.set_link(macs[1].eui64, macs[2].eui64, audible=False)
    air.medium.set_link(macs[3].eui64, macs[0].eui64, loss=0.2)
    for turn in range(30):
        for number, mac in enumerate(macs):
            mac.data((number + 1 + turn) % 5, bytes([turn, number]) * 20, above[number].confirm)
        air.run(0.05)
    assert air.capture is not None
    air.capture.close()
    return path.read_bytes()


def test_equal_seeds_give_equal_captures_and_others_do_not(tmp_path: Path) -> None:
    first = busy_minute(7, tmp_path / "one")
    assert busy_minute(7, tmp_path / "two") == first
    assert busy_minute(8, tmp_path / "three") != first


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 1000),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 60)), max_size=40),
    st.floats(0, 1),
)
def test_every_request_is_confirmed_once_and_nothing_arrives_twice(
    seed: int, sends: list[tuple[int, int, int]], loss: float
) -> None:
    air, macs, above = star(4, seed)
    air.medium.set_link(macs[0].eui64, macs[1].eui64, loss=loss)
    expected = [0] * 4
    for order, (source, destination, pause_ms) in enumerate(sends):
        macs[source].data(
            destination, order.to_bytes(2, "big"), above[source].confirm, indirect=order % 5 == 4
        )
        expected[source] += 1
        air.run(pause_ms / 1000)
    air.run(10)
    assert [len(recorder.statuses) for recorder in above] == expected
    for recorder in above:
        payloads = [payload for _, _, payload in recorder.data]
        assert len(payloads) == len(set(payloads))
    assert air.kernel.next_due() is None
