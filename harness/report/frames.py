"""The frames of a capture by time: which one was on the air when something happened."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path

from emulator.air.capture import read_times


class Frames:
    """Numbers of frames as Wireshark counts them, from 1, by virtual time in microseconds."""

    def __init__(self, times_us: Sequence[int], epoch_unix_seconds: int) -> None:
        """`times_us` are Unix microseconds, ascending."""
        self._times_us = times_us
        self._epoch_us = epoch_unix_seconds * 1_000_000

    @classmethod
    def read(cls, path: Path, epoch_unix_seconds: int) -> Frames:
        """Read a capture, no frames when there is none; raises `FrameError` for a file that is none."""
        if not path.exists():
            return cls((), epoch_unix_seconds)
        return cls(array("q", read_times(path)), epoch_unix_seconds)

    def __len__(self) -> int:
        return len(self._times_us)

    def until(self, at_us: int) -> int | None:
        """Return the last frame that was on the air by a moment, None before the first."""
        return bisect_right(self._times_us, self._epoch_us + at_us) or None

    def between(self, begin_us: int, end_us: int) -> tuple[int, int] | None:
        """Return the first and the last frame of a stretch of time, None when there was none."""
        first = bisect_left(self._times_us, self._epoch_us + begin_us) + 1
        last = bisect_right(self._times_us, self._epoch_us + end_us)
        return (first, last) if first <= last else None
