from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.air.capture import CapturedFrame, NullCapture, PcapngCapture, is_full, read_frames, read_times
from emulator.air.keylog import KeyLog
from emulator.errors import EmulatorError, FrameError
from tests.emulator.air.air_world import find_tshark

EPOCH = 1_767_225_600_000_000
FRAMES = [
    CapturedFrame(EPOCH + 1000 * n, 11 + n % 16, bytes(range(n % 60 + 3)), n % 256, -n % 100 - 99)
    for n in range(40)
]


def write(path: Path, frames: list[CapturedFrame], **options: object) -> None:
    with PcapngCapture(path, **options) as capture:  # type: ignore[arg-type]
        for frame in frames:
            capture.frame(frame.time_us, frame.channel, frame.psdu, frame.lqi, frame.rssi_dbm)


def test_frames_read_back_as_written(tmp_path: Path) -> None:
    write(tmp_path / "air.pcapng", FRAMES)
    assert list(read_frames(tmp_path / "air.pcapng")) == FRAMES


def test_equal_frames_give_equal_octets(tmp_path: Path) -> None:
    write(tmp_path / "one", FRAMES)
    write(tmp_path / "two", FRAMES)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_appending_in_two_goes_equals_one(tmp_path: Path) -> None:
    write(tmp_path / "one", FRAMES)
    write(tmp_path / "two", FRAMES[:17])
    write(tmp_path / "two", FRAMES[17:], append=True)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@settings(max_examples=60)
@given(st.data())
def test_a_file_torn_anywhere_is_continued(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("torn") / "air.pcapng"
    write(path, FRAMES[:5])
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    kept = list(read_frames(path))
    assert kept == FRAMES[: len(kept)]
    assert list(read_times(path)) == [frame.time_us for frame in kept]
    write(path, FRAMES[5:7], append=True)
    assert list(read_frames(path)) == kept + FRAMES[5:7]


def test_resuming_cuts_frames_that_will_be_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    write(path, FRAMES)
    write(path, FRAMES[11:], append=True, keep_until_us=FRAMES[10].time_us)
    assert list(read_frames(path)) == FRAMES


@given(st.integers(0, 6000), st.integers(0, len(FRAMES)))
def test_a_limit_keeps_the_first_frames_also_of_a_capture_that_was_interrupted(
    tmp_path_factory: pytest.TempPathFactory, limit: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("limit")
    write(folder / "whole", FRAMES, limit=limit)
    write(folder / "parts", FRAMES[:cut], limit=limit)
    write(folder / "parts", FRAMES[cut:], append=True, limit=limit)
    assert (folder / "whole").read_bytes() == (folder / "parts").read_bytes()
    kept = list(read_frames(folder / "whole"))
    assert kept == FRAMES[: len(kept)]
    size = (folder / "whole").stat().st_size
    assert size <= max(limit, 48)
    assert is_full(size, limit) or kept == FRAMES


def test_a_flush_makes_frames_readable_while_the_capture_goes_on(tmp_path: Path) -> None:
    capture = PcapngCapture(tmp_path / "air.pcapng")
    capture.frame(*FRAMES[0])
    assert list(read_frames(tmp_path / "air.pcapng")) == []
    capture.flush()
    assert list(read_frames(tmp_path / "air.pcapng")) == FRAMES[:1]
    capture.close()
    capture.close()


def test_another_kind_of_file_is_neither_read_nor_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(b"not a capture " * 10)
    with pytest.raises(FrameError, match="offset 0"):
        list(read_frames(path))
    with pytest.raises(EmulatorError, match="choose another file"):
        PcapngCapture(path, append=True)
    assert path.read_bytes() == b"not a capture " * 10


def test_a_null_capture_keeps_nothing() -> None:
    capture = NullCapture()
    capture.frame(*FRAMES[0])
    capture.flush()
    capture.close()


def test_tshark_reads_power_quality_and_channel(tmp_path: Path) -> None:
    tshark = find_tshark()
    path = tmp_path / "air.pcapng"
    with PcapngCapture(path) as capture:
        capture.frame(EPOCH, 15, bytes.fromhex("020011b8eb"), 200, -63)
    fields = ["wpan-tap.rss", "wpan-tap.lqi", "wpan-tap.ch_num", "frame.time_epoch", "wpan.seq_no"]
    options = [part for field in fields for part in ("-e", field)]
    output = subprocess.run(
        [tshark, "-r", str(path), "-T", "fields", *options], capture_output=True, text=True, check=True
    ).stdout
    assert output.split() == ["-63", "200", "15", "1767225600.000000000", "17"]


KEY = bytes.fromhex("66B6900981E1EE3CA4206B6B861C02BB")


def test_a_key_is_logged_once_even_across_runs(tmp_path: Path) -> None:
    log = KeyLog(tmp_path / "zigbee_pc_keys")
    log.add(KEY, "network")
    log.add(KEY, "again")
    KeyLog(tmp_path / "zigbee_pc_keys").add(KEY, "again")
    assert (tmp_path / "zigbee_pc_keys").read_text() == (
        '"66:B6:90:09:81:E1:EE:3C:A4:20:6B:6B:86:1C:02:BB","Normal","network"\n'
    )


def test_a_torn_key_line_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "zigbee_pc_keys"
    path.write_text('"66:B6:90:09:81:E1:EE:3C:A4:20:6B:6B:86:1C:02:BB","Nor')
    KeyLog(path).add(KEY, 'a "quoted" label')
    assert path.read_text().count("\n") == 1
    assert path.read_text().endswith('"a \\x22quoted\\x22 label"\n')


def test_a_key_of_another_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="expected 16"):
        KeyLog(tmp_path / "zigbee_pc_keys").add(b"short", "x")
