"""Captures of the air as pcapng files that Wireshark and tshark read (link type 283, IEEE 802.15.4 TAP).

Every frame carries its FCS, received power, channel and link quality. Nothing in a file depends on the
machine or the wall clock: equal scenarios give equal octets. Frames are stamped when they end, in the
scenario's Unix time. A file left behind by a killed process is continued: its torn last block is cut off.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from emulator.errors import CaptureError, EmulatorError, FrameError

LINKTYPE_TAP = 283

_SECTION = 0x0A0D0D0A
_INTERFACE = 0x00000001
_ENHANCED_PACKET = 0x00000006
_BYTE_ORDER = 0x1A2B3C4D

_PACKET_HEAD = struct.Struct("<5I")
"""Kind, length, interface, high and low half of the time: what every packet block begins with."""
_U32 = struct.Struct("<I")
# Section header: type, length, byte-order magic, version 1.0, section length unknown, length again.
_SECTION_HEADER = struct.pack("<IIIHHqI", _SECTION, 28, _BYTE_ORDER, 1, 0, -1, 28)
# Interface description: type, length, link type, reserved, no snapshot limit, length again; unit
# microseconds.
_INTERFACE_HEADER = struct.pack("<IIHHII", _INTERFACE, 20, LINKTYPE_TAP, 0, 0, 20)
_HEADER = _SECTION_HEADER + _INTERFACE_HEADER

# Enhanced packet: type, length, interface, time high and low, captured and original length; then the TAP
# header: version 0, length 36, and the TLVs FCS type (0) = 16-bit CRC (1), RSS (1) in dBm, channel (3) and
# page 0, LQI (10).
_PACKET = struct.Struct("<7I BBH HHB3x HHf HHHBx HHB3x")
_TAP_OCTETS = 36
_PACKET_OVERHEAD = _PACKET.size + 4
_KIND_LENGTH_INTERFACE = 12
_TIMES = struct.Struct("<II")
_TIMES_END = _KIND_LENGTH_INTERFACE + _TIMES.size
_TAILS = tuple(
    bytes(-length % 4) + _U32.pack(_PACKET.size + length + -length % 4 + 4) for length in range(128)
)
_LENGTHS = tuple(_PACKET.size + len(tail) + length for length, tail in enumerate(_TAILS))
_LENGTHS_KNOWN = frozenset(_LENGTHS)

_FLUSH_FRAMES = 512


class CapturedFrame(NamedTuple):
    """One frame of a capture; `time_us` is Unix microseconds of the scenario, `psdu` ends in its FCS."""

    time_us: int
    channel: int
    psdu: bytes
    lqi: int
    rssi_dbm: int


class NullCapture:
    """A capture that keeps nothing."""

    def frame(self, time_us: int, channel: int, psdu: bytes, lqi: int, rssi_dbm: int) -> None:
        """Forget a frame."""

    def flush(self) -> None:
        """Have nothing to write."""

    def close(self) -> None:
        """Have nothing to close."""


class PcapngCapture:
    """Writes frames to a pcapng file; a context manager. Up to 512 frames wait in memory until `flush`."""

    def __init__(
        self,
        path: Path,
        *,
        append: bool = False,
        keep_until_us: int | None = None,
        limit: int | None = None,
    ) -> None:
        """Start a new file, or with `append` go on with one that this class began.

        `keep_until_us` (Unix microseconds), with `append`, cuts off frames later than that: those that a
        resumed scenario will send again. The file never has more than `limit` octets; what comes later is
        forgotten. Raises `EmulatorError` when the file is another kind of capture.
        """
        self.path = path
        end = _intact_octets(path, keep_until_us) if append and path.exists() else 0
        self._file = open(path, "r+b" if end else "wb", buffering=0)  # noqa: SIM115 - closed by close()
        self._file.truncate(end)
        self._file.seek(end)
        self._pending: list[tuple[int, int, bytes, int, int]] = []
        self._around: dict[tuple[int, int, int, int], tuple[bytes, bytes]] = {}
        self._limit = limit
        self._octets = end or len(_HEADER)
        self.full = is_full(self._octets, limit)
        """Whether the limit has been reached, so that frames are forgotten."""
        if not end:
            self._write(_HEADER)

    def frame(self, time_us: int, channel: int, psdu: bytes, lqi: int, rssi_dbm: int) -> None:
        """Record a frame."""
        if self.full:
            return
        pending = self._pending
        pending.append((time_us, channel, psdu, lqi, rssi_dbm))
        if self._limit is not None:
            self._octets += _LENGTHS[len(psdu)]
            self.full = is_full(self._octets, self._limit)
        if len(pending) >= _FLUSH_FRAMES:
            self.flush()

    def flush(self) -> None:
        """Hand everything recorded to the operating system; it survives a killed process then."""
        blocks = self._blocks()
        self._pending.clear()
        self._write(blocks)

    def _blocks(self) -> bytes:
        """Return the packet blocks of the frames that wait."""
        around, pack_times = self._around, _TIMES.pack
        blocks: list[bytes] = []
        for time_us, channel, psdu, lqi, rssi_dbm in self._pending:
            shape = (len(psdu), channel, lqi, rssi_dbm)
            before_after = around.get(shape)
            if before_after is None:
                # A home has few kinds of frames on few links: all but the time is the same again and again.
                before_after = around[shape] = _around_times(*shape)
            times = pack_times(time_us >> 32, time_us & 0xFFFFFFFF)
            blocks += (before_after[0], times, before_after[1], psdu, _TAILS[len(psdu)])
        return b"".join(blocks)

    def _write(self, record: bytes) -> None:
        octets = memoryview(record)
        while octets:
            try:
                octets = octets[self._file.write(octets) :]
            except OSError as error:
                raise self._failure(error) from error

    def close(self) -> None:
        """Write what is left, have all of it on disk, and close the file."""
        if not self._file.closed:
            try:
                self.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                raise self._failure(error) from error
            finally:
                self._file.close()

    def _failure(self, error: OSError) -> CaptureError:
        return CaptureError(f"capture {self.path}: {error.strerror}; free some space")

    def __enter__(self) -> PcapngCapture:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_full(octets: int, limit: int | None) -> bool:
    """Say whether a capture of so many octets may not take one more frame of any length under `limit`.

    The longest frame decides, so that a resumed capture ends with the same frame as one never interrupted.
    """
    return limit is not None and octets + max(_LENGTHS) > limit


def _around_times(length: int, channel: int, lqi: int, rssi_dbm: int) -> tuple[bytes, bytes]:
    """Return what a packet block has before and after its time, up to the frame of `length` octets."""
    packet = _PACKET.pack(
        _ENHANCED_PACKET,
        _LENGTHS[length],
        0,
        *(0, 0),
        _TAP_OCTETS + length,
        _TAP_OCTETS + length,
        *(0, 0, _TAP_OCTETS),
        *(0, 1, 1),
        *(1, 4, rssi_dbm),
        *(3, 3, channel, 0),
        *(10, 1, lqi),
    )
    return packet[:_KIND_LENGTH_INTERFACE], packet[_TIMES_END:]


def read_frames(path: Path) -> Iterator[CapturedFrame]:
    """Yield the frames of a capture this module wrote; a torn last block, left by a kill, ends it.

    Raises `FrameError` when the file is another kind of capture.
    """
    if path.stat().st_size < len(_HEADER):
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        _check_header(octets, path)
        for offset, _, time_us in _packets(octets):
            fields = _PACKET.unpack_from(octets, offset)
            start = offset + _PACKET.size
            psdu = octets[start : start + fields[5] - _TAP_OCTETS]
            yield CapturedFrame(time_us, fields[18], bytes(psdu), fields[22], int(fields[15]))


def read_times(path: Path) -> Iterator[int]:
    """Yield the times alone of the frames that `read_frames` yields, three times as fast; raises as it does."""
    if path.stat().st_size < len(_HEADER):
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        _check_header(octets, path)
        for _, _, time_us in _packets(octets):
            yield time_us


def _intact_octets(path: Path, keep_until_us: int | None) -> int:
    """Return the length of the whole blocks a file begins with (0 when not even its header is whole)."""
    if path.stat().st_size < len(_HEADER):
        return 0
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        try:
            _check_header(octets, path)
        except FrameError as error:
            raise EmulatorError(f"{error}; choose another file or start it afresh") from error
        end = len(_HEADER)
        for offset, length, time_us in _packets(octets):
            if keep_until_us is not None and time_us > keep_until_us:
                break
            end = offset + length
        return end


def _check_header(octets: mmap.mmap, path: Path) -> None:
    if octets[: len(_HEADER)] != _HEADER:
        raise FrameError(
            f"capture {path} offset 0: expected a pcapng section with one 802.15.4 TAP interface"
        )


def _packets(octets: mmap.mmap) -> Iterator[tuple[int, int, int]]:
    """Yield (offset, length, time) of each whole packet block after the header."""
    offset, size = len(_HEADER), len(octets)
    while offset + _PACKET_OVERHEAD <= size:
        kind, length, _, high, low = _PACKET_HEAD.unpack_from(octets, offset)
        if kind != _ENHANCED_PACKET or length not in _LENGTHS_KNOWN or offset + length > size:
            return
        if _U32.unpack_from(octets, offset + length - 4)[0] != length:
            return
        yield offset, length, high << 32 | low
        offset += length
