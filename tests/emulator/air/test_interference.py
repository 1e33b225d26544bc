"""Hooks that alter or lose frames, promiscuous radios, and what a capture says of frames nobody received."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from emulator.air.capture import PcapngCapture, read_frames, read_times
from emulator.air.fcs import fcs_ok, with_fcs
from emulator.errors import CaptureError, FrameError
from emulator.status import Status
from tests.emulator.air.air_world import PAN, Air


def test_hooks_see_time_source_destination_and_octets_one_after_the_other() -> None:
    air = Air()
    (one, above), (two, _) = air.mac(), air.mac(x=2)
    seen: list[tuple[str, int, int, int]] = []

    def note(name: str) -> Any:
        def hook(now: int, source: int, destination: int, psdu: bytes) -> bytes:
            seen.append((name, source, destination, len(psdu)))
            assert now == air.kernel.now
            return psdu

        return hook

    air.medium.interference += [note("first"), note("second")]
    one.data(1, b"x", above.confirm)
    air.run()
    data, ack = (one.eui64, two.eui64, 12), (two.eui64, one.eui64, 5)
    assert seen == [("first", *data), ("second", *data), ("first", *ack), ("second", *ack)]


def test_a_frame_one_hook_loses_never_reaches_the_next() -> None:
    air = Air()
    one, above = air.mac()
    air.mac(x=2)
    later: list[bytes] = []

    def keep(now: int, source: int, destination: int, psdu: bytes) -> bytes:
        later.append(psdu)
        return psdu

    air.medium.interference += [lambda *_: None, keep]
    one.data(1, b"x", above.confirm)
    air.run()
    assert later == []
    assert above.statuses == [Status.NO_ACK]


def test_a_frame_altered_with_a_good_fcs_is_received_as_altered() -> None:
    air = Air()
    one, above = air.mac()
    _, two_above = air.mac(x=2)
    air.medium.interference.append(
        lambda now, source, to, psdu: with_fcs(psdu[:-2].replace(b"true", b"fake"))
    )
    one.data(1, b"true", above.confirm)
    air.run()
    assert two_above.data == [(0, 1, b"fake")]
    assert above.statuses == [Status.SUCCESS]


def test_a_tap_hears_what_is_for_others_but_not_what_is_out_of_its_reach_or_its_own() -> None:
    air = Air()
    one, above = air.mac()
    air.mac(x=2)
    near, _ = air.mac(x=3)
    deaf, _ = air.mac(x=4)
    air.medium.set_link(one.eui64, deaf.eui64, audible=False)
    heard: dict[str, list[bytes]] = {"near": [], "deaf": [], "own": []}
    near.listen_to_all(lambda psdu, lqi, rssi: heard["near"].append(psdu))
    deaf.listen_to_all(lambda psdu, lqi, rssi: heard["deaf"].append(psdu))
    one.listen_to_all(lambda psdu, lqi, rssi: heard["own"].append(psdu))
    one.data(1, b"x", above.confirm)
    air.run()
    assert [len(psdu) for psdu in heard["near"]] == [12, 5]
    assert [len(psdu) for psdu in heard["deaf"]] == [5]
    assert [len(psdu) for psdu in heard["own"]] == [5]


def test_a_tap_taken_away_hears_no_more() -> None:
    air = Air()
    one, _ = air.mac()
    sniffer, _ = air.mac(x=2)
    heard: list[bytes] = []
    sniffer.listen_to_all(lambda psdu, lqi, rssi: heard.append(psdu))
    one.data(0xFFFF, b"x")
    air.run()
    sniffer.listen_to_all(None)
    assert not sniffer.promiscuous
    one.data(0xFFFF, b"y")
    air.run()
    assert len(heard) == 1


def test_a_tap_is_given_quality_and_power_of_each_frame() -> None:
    air = Air()
    one, _ = air.mac()
    sniffer, _ = air.mac(x=2)
    air.medium.set_link(one.eui64, sniffer.eui64, rssi_dbm=-75)
    heard: list[tuple[int, int]] = []
    sniffer.listen_to_all(lambda psdu, lqi, rssi: heard.append((lqi, rssi)))
    one.data(0xFFFF, b"x")
    air.run()
    assert heard == [(128, -75)]


@pytest.mark.parametrize(
    ("destination", "audible", "lqi", "rssi"),
    [(1, True, 128, -75), (1, False, 0, -105), (0xFFFF, True, 255, -40), (9, True, 255, -40)],
)
def test_a_capture_records_each_frame_as_its_addressee_hears_it(
    tmp_path: Path, destination: int, audible: bool, lqi: int, rssi: int
) -> None:
    air = Air(capture=tmp_path / "air.pcapng")
    one, _ = air.mac()
    two, _ = air.mac(x=2)
    air.medium.set_link(one.eui64, two.eui64, audible=audible, rssi_dbm=-75)
    one.data(destination, b"x", ack=False)
    air.run()
    assert air.capture is not None
    air.capture.close()
    (frame,) = read_frames(tmp_path / "air.pcapng")
    assert (frame.channel, frame.lqi, frame.rssi_dbm) == (11, lqi, rssi)
    assert fcs_ok(frame.psdu)
    assert frame.time_us - air.kernel.epoch_us < 10_000


def test_an_attached_receiver_that_loses_power_before_its_acknowledgement_ends_leaves_the_sender_waiting() -> (
    None
):
    air = Air()
    one, above = air.mac()
    two, two_above = air.mac(x=2)
    one.data(1, b"x", above.confirm)
    air.medium.interference.append(lambda now, source, to, psdu: two.detach() or psdu)  # type: ignore[func-returns-value]
    air.run()
    assert two_above.data == []
    assert above.statuses == [Status.NO_ACK]


def test_a_sender_that_loses_power_while_its_acknowledgement_is_on_the_air_hears_nothing() -> None:
    air = Air()
    one, above = air.mac()
    _, two_above = air.mac(x=2)
    one.data(1, b"x", above.confirm)
    air.medium.interference.append(lambda now, source, to, psdu: one.detach() or psdu)  # type: ignore[func-returns-value]
    air.run()
    assert two_above.data == [(0, 1, b"x")]
    assert above.statuses == []


def test_moving_a_radio_counts_once_its_links_are_computed_anew() -> None:
    air = Air()
    one, above = air.mac()
    two, _ = air.mac(x=2)
    one.data(1, b"x", above.confirm)
    air.run()
    two.position = (900, 0)
    air.medium.refresh_links()
    one.data(1, b"y", above.confirm)
    air.run()
    assert above.statuses == [Status.SUCCESS, Status.NO_ACK]
    assert one.pan_id == PAN


class FullDisk:
    """A file on a disk that has no room."""

    closed = False

    def write(self, octets: memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fileno(self) -> int:
        raise OSError(errno.EIO, "Input/output error")

    def close(self) -> None:
        self.closed = True


def test_a_capture_on_a_full_disk_says_so_and_is_closed_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    capture = PcapngCapture(path)
    capture._file.close()
    disk = FullDisk()
    capture._file = disk  # type: ignore[assignment]
    capture.frame(0, 11, b"12345", 0, -50)
    with pytest.raises(CaptureError, match=rf"^capture {path}: No space left on device; free some space$"):
        capture.flush()
    with pytest.raises(CaptureError, match=rf"^capture {path}: Input/output error; free some space$"):
        capture.close()
    assert disk.closed


def test_frames_are_written_by_themselves_once_512_wait(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    capture = PcapngCapture(path)
    for number in range(600):
        capture.frame(number, 11, b"12345", 0, -50)
    assert len(list(read_frames(path))) == 512
    capture.close()
    assert list(read_times(path)) == list(range(600))


@pytest.mark.parametrize("read", [read_frames, read_times])
def test_times_and_frames_are_read_from_nothing_but_a_capture(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    assert list(read(path)) == []
    path.write_bytes(bytes(200))
    with pytest.raises(
        FrameError, match=rf"^capture {path} offset 0: expected a pcapng section with one 802"
    ):
        list(read(path))


def test_a_capture_ends_at_a_block_whose_second_length_disagrees(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    with PcapngCapture(path) as capture:
        for number in range(3):
            capture.frame(number, 11, b"12345", 0, -50)
    octets = bytearray(path.read_bytes())
    octets[-4] ^= 4
    path.write_bytes(octets)
    assert list(read_times(path)) == [0, 1]
