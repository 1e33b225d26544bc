from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from emulator.air.beacon import Beacon
from emulator.air.capture import read_frames
from emulator.air.fcs import fcs_ok
from emulator.air.mac import MAX_NPDU, Mac
from emulator.errors import FrameError
from emulator.stack.primitives import Status
from tests.emulator.air.air_world import PAN, Air, Recorder, find_tshark


def pair(seed: int = 0, capture: Path | None = None) -> tuple[Air, Mac, Recorder, Mac, Recorder]:
    air = Air(seed, capture)
    return (air, *air.mac(), *air.mac(x=5))


def associate(air: Air, child: Mac) -> list[tuple[int, int]]:
    outcome: list[tuple[int, int]] = []
    child.associate(11, PAN, 0, 0x8E, lambda status, short: outcome.append((status, short)))
    return outcome


def test_data_goes_both_ways_and_is_confirmed() -> None:
    air, one, one_above, two, two_above = pair()
    one.data(1, b"there", one_above.confirm)
    two.data(0, b"back", two_above.confirm)
    air.run()
    assert two_above.data == [(0, 1, b"there")]
    assert one_above.data == [(1, 0, b"back")]
    assert one_above.statuses == two_above.statuses == [Status.SUCCESS]


def test_an_acknowledged_frame_takes_its_time_on_the_air() -> None:
    air, one, one_above, _, two_above = pair()
    one.data(1, bytes(100), one_above.confirm)
    air.run()
    after_backoff = 128 + 192 + (6 + 111) * 32 + 192 + (6 + 5) * 32
    assert (two_above.times[0] - after_backoff) in {320 * periods for periods in range(8)}


def test_a_broadcast_reaches_everybody_awake_and_is_not_acknowledged(tmp_path: Path) -> None:
    air, one, one_above, _, two_above = pair(capture=tmp_path / "air.pcapng")
    _, sleeper_above = air.mac(sleepy=True)
    stranger, stranger_above = air.mac()
    stranger.pan_id = 0x2222
    one.data(0xFFFF, b"all", one_above.confirm)
    air.run()
    assert two_above.data == [(0, 0xFFFF, b"all")]
    assert sleeper_above.data == stranger_above.data == []
    assert one_above.statuses == [Status.SUCCESS]
    assert air.capture is not None
    air.capture.flush()
    assert len(list(read_frames(tmp_path / "air.pcapng"))) == 1


def test_an_absent_addressee_costs_four_attempts_and_no_ack(tmp_path: Path) -> None:
    air, one, one_above, _, _ = pair(capture=tmp_path / "air.pcapng")
    one.data(0x1234, b"?", one_above.confirm)
    air.run()
    assert one_above.statuses == [Status.NO_ACK]
    assert air.capture is not None
    air.capture.flush()
    attempts = [frame.psdu for frame in read_frames(tmp_path / "air.pcapng")]
    assert len(attempts) == 4
    assert len(set(attempts)) == 1


def test_a_frame_of_127_octets_passes_and_one_of_128_is_refused() -> None:
    air, one, _, _, two_above = pair()
    one.data(1, bytes(MAX_NPDU))
    with pytest.raises(FrameError, match="128 octets with FCS"):
        one.data(1, bytes(MAX_NPDU + 1))
    air.run()
    assert len(two_above.data[0][2]) == 116


def test_more_frames_than_the_queue_holds_overflow() -> None:
    air, one, above, _, _ = pair()
    for _ in range(70):
        one.data(1, b"x", above.confirm)
    air.run()
    assert above.statuses.count(Status.TRANSACTION_OVERFLOW) == 5
    assert above.statuses.count(Status.SUCCESS) == 65


def test_an_active_scan_finds_the_coordinator_and_comes_home() -> None:
    air, _, coordinator_above, _, _ = pair()
    scanner, _ = air.mac(joined=False, x=3)
    scanner.channel = 20
    found: list[list[Beacon]] = []
    scanner.scan(range(11, 27), 3, found.append)
    air.run(5)
    assert [(b.channel, b.pan_id, b.source, b.permit_association) for b in found[0]] == [(11, PAN, 0, True)]
    assert found[0][0].payload == air.macs[0].beacon_payload
    assert coordinator_above.beacon_requests == 1
    assert scanner.channel == 20


def test_a_scan_asked_for_during_another_follows_it() -> None:
    air, one, _, _, _ = pair()
    beacons: list[list[Beacon]] = []
    energies: list[dict[int, int]] = []
    listener, _ = air.mac(joined=False, x=2)
    listener.scan([11], 3, beacons.append)
    listener.energy_scan([11, 12], 3, energies.append)
    listener.scan([12], 3, beacons.append)
    air.run(2)
    assert [[beacon.source for beacon in found] for found in beacons] == [[one.short_address], []]
    assert [list(levels) for levels in energies] == [[11, 12]]
    assert listener.channel == 11


def test_a_channel_set_during_a_scan_is_where_it_returns_to() -> None:
    air = Air()
    mac, _ = air.mac()
    energies: list[dict[int, int]] = []
    mac.energy_scan([11, 12, 13], 3, energies.append)
    air.run(0.2)
    mac.channel = 25
    air.run(2)
    assert [list(levels) for levels in energies] == [[11, 12, 13]]
    assert mac.channel == 25


def test_frames_given_during_a_scan_are_sent_after_it_on_the_home_channel() -> None:
    air, one, above, _, two_above = pair()
    one.scan([15, 16], 2, lambda _: None)
    one.data(1, b"later", above.confirm)
    air.run(2)
    assert two_above.data == [(0, 1, b"later")]


def test_an_energy_scan_sees_traffic_where_it_is() -> None:
    air, one, _, two, _ = pair()
    listener, _ = air.mac(joined=False, x=2)
    measured: list[dict[int, int]] = []
    listener.energy_scan([11, 12], 4, measured.append)
    for _ in range(20):
        one.data(1, bytes(50))
    air.run(2)
    assert measured[0][11] > -60
    assert measured[0][12] == -105
    assert two.malformed == 0


def test_association_gives_a_short_address_and_traffic_follows() -> None:
    air = Air()
    parent, parent_above = air.mac()
    child, child_above = air.mac(joined=False, x=4)
    outcome = associate(air, child)
    air.run(0.1)
    assert parent_above.joins == [(child.eui64, 0x8E)]
    parent.associate_response(child.eui64, 0xA18F, 0)
    air.run()
    assert outcome == [(0, 0xA18F)]
    assert (child.pan_id, child.short_address, child.parent_address) == (PAN, 0xA18F, 0)
    child.data(0, b"up")
    parent.data(0xA18F, b"down")
    air.run()
    assert parent_above.data == [(0xA18F, 0, b"up")]
    assert child_above.data == [(0, 0xA18F, b"down")]


def test_a_refused_association_leaves_everything_as_it_was() -> None:
    air = Air()
    parent, _ = air.mac()
    child, _ = air.mac(joined=False)
    child.channel = 11
    outcome = associate(air, child)
    air.run(0.1)
    parent.associate_response(child.eui64, 0xFFFF, 2)
    air.run()
    assert outcome == [(2, 0xFFFF)]
    assert (child.pan_id, child.short_address) == (0xFFFF, 0xFFFF)


def test_an_unanswered_association_ends_with_no_data() -> None:
    air = Air()
    air.mac()
    child, _ = air.mac(joined=False)
    outcome = associate(air, child)
    air.run(2)
    assert outcome == [(Status.NO_DATA, 0xFFFF)]


def test_a_closed_parent_ignores_association_requests() -> None:
    air = Air()
    parent, above = air.mac()
    parent.association_permit = False
    child, _ = air.mac(joined=False)
    associate(air, child)
    air.run(2)
    assert above.joins == []


def sleepy_pair() -> tuple[Air, Mac, Recorder, Mac, Recorder]:
    air = Air()
    return (air, *air.mac(), *air.mac(x=3, sleepy=True))


def test_a_sleeping_child_hears_nothing_until_it_polls() -> None:
    air, parent, above, child, child_above = sleepy_pair()
    parent.data(1, b"direct", above.confirm)
    air.run()
    assert above.statuses == [Status.NO_ACK]
    parent.data(1, b"one", above.confirm, indirect=True)
    parent.data(1, b"two", above.confirm, indirect=True)
    air.run()
    assert child_above.data == []
    child.poll(child_above.confirm)
    air.run()
    assert child_above.data == [(0, 1, b"one")]
    child.poll(child_above.confirm)
    child.poll(child_above.confirm)
    air.run()
    child.poll(child_above.confirm)
    air.run()
    assert [payload for _, _, payload in child_above.data] == [b"one", b"two"]
    assert child_above.statuses == [Status.SUCCESS, Status.SUCCESS, Status.SUCCESS, Status.NO_DATA]
    assert above.statuses == [Status.NO_ACK, Status.SUCCESS, Status.SUCCESS]
    assert above.polls == [1, 1, 1]


def test_indirect_data_expires_after_7_68_seconds() -> None:
    air, parent, above, child, child_above = sleepy_pair()
    parent.data(1, b"stale", above.confirm, indirect=True)
    air.run(7.679)
    assert above.statuses == []
    air.run(0.002)
    assert above.statuses == [Status.TRANSACTION_EXPIRED]
    child.poll(child_above.confirm)
    air.run()
    assert child_above.statuses == [Status.NO_DATA]


def test_a_poll_to_a_silent_parent_ends_with_no_ack() -> None:
    air, parent, _, child, child_above = sleepy_pair()
    parent.detach()
    child.poll(child_above.confirm)
    air.run()
    assert child_above.statuses == [Status.NO_ACK]


def test_a_parent_holds_no_more_than_its_limit() -> None:
    air, parent, above, _, _ = sleepy_pair()
    for _ in range(34):
        parent.data(1, b"x", above.confirm, indirect=True)
    air.run()
    assert above.statuses == [Status.TRANSACTION_OVERFLOW] * 2


def test_indirect_data_that_was_not_acknowledged_waits_for_the_next_poll() -> None:
    air, parent, above, child, child_above = sleepy_pair()
    parent.data(1, b"kept", above.confirm, indirect=True)
    lossy = [True]
    air.medium.interference.append(
        lambda now, source, destination, psdu: None if lossy[0] and b"kept" in psdu else psdu
    )
    child.poll(child_above.confirm)
    air.run()
    assert child_above.statuses == [Status.NO_DATA]
    lossy[0] = False
    child.poll(child_above.confirm)
    air.run()
    assert child_above.data == [(0, 1, b"kept")]
    assert above.statuses == [Status.SUCCESS]


def test_a_host_frame_is_sent_as_built_and_a_tap_hears_all() -> None:
    air, one, above, _, two_above = pair()
    sniffer, _ = air.mac(joined=False)
    heard: list[bytes] = []
    sniffer.listen_to_all(lambda psdu, lqi, rssi: heard.append(psdu))
    one.send_mpdu(bytes.fromhex("6188aa641a01000000") + b"host", above.confirm)
    air.run()
    assert two_above.data == [(0, 1, b"host")]
    assert above.statuses == [Status.SUCCESS]
    assert [psdu[:3].hex() for psdu in heard] == ["6188aa", "0200aa"]
    assert all(fcs_ok(psdu) for psdu in heard)


def test_tshark_reads_a_join_without_a_complaint(tmp_path: Path) -> None:
    tshark = find_tshark()
    air = Air(capture=tmp_path / "air.pcapng")
    parent, _ = air.mac()
    child, _ = air.mac(joined=False, x=4, sleepy=True)
    child.scan([11, 12], 3, lambda _: None)
    air.run()
    associate(air, child)
    air.run(0.1)
    parent.associate_response(child.eui64, 0xA18F, 0)
    air.run()
    parent.data(0xFFFF, bytes.fromhex("0900fcff000001050860"))
    air.run()
    assert air.capture is not None
    air.capture.close()

    def read(*options: str) -> str:
        command = [tshark, "-r", str(air.capture.path), *options] if air.capture else []
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "Malformed" not in read("-V")
    assert "Bad FCS" not in read("-V")
    assert read("-q", "-z", "expert").strip() == ""
    commands = read("-Y", "wpan.cmd", "-T", "fields", "-e", "wpan.cmd").split()
    assert commands == ["0x07", "0x07", "0x01", "0x04", "0x02"]
    assert read("-Y", "zbee_beacon.profile == 2", "-T", "fields", "-e", "frame.number").strip()
