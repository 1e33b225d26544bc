"""What a benchmark reports, and how its runs are timed."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table: what this project achieves, what its peer achieves in the same run, the ratio.

    `peer` is None when there is nothing to compare with here; `note` then says why. `aim` is the ratio (or, without
    a peer, the value) worth reaching; it is printed, never enforced.
    """

    name: str
    value: float
    unit: str
    peer_name: str = ""
    peer: float | None = None
    aim: float | None = None
    smaller_is_better: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the peer this project is; None without a peer."""
        if self.peer is None:
            return None
        return self.peer / self.value if self.smaller_is_better else self.value / self.peer


@dataclass(slots=True)
class Stopwatch:
    """Processor seconds of a `with timed()` block; 0 until the block has ended."""

    seconds: float = 0.0


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """Time a block by this process's processor time, so that whatever else the machine does counts little.

    Garbage is collected before, so that one benchmark does not pay for the rubbish of another.
    """
    gc.collect()
    watch = Stopwatch()
    start = time.process_time()
    try:
        yield watch
    finally:
        watch.seconds = time.process_time() - start


def medians(measure: Callable[[], float], peer: Callable[[], float], repetitions: int) -> tuple[float, float]:
    """Return the medians of both, run by turns so that whatever else the machine does hits both alike."""
    pairs = [(measure(), peer()) for _ in range(repetitions)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def median(measure: Callable[[], float], repetitions: int) -> float:
    """Return the median of some runs of `measure`."""
    return statistics.median(measure() for _ in range(repetitions))
