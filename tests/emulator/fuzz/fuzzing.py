"""Mutating valid frames, and noticing crashes, hangs and memory that grows.

The normal test run takes a small sample of each target; `-m sweep` takes 100,000 inputs of each. Both are seeded:
a failure names the input, and happens again.
"""

from __future__ import annotations

import gc
import random
import signal
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

SAMPLE = 1_500
SWEEP = 100_000
INPUT_LIMIT_S = 5
"""Real seconds one input may take before it counts as a hang; the slowest legitimate one takes milliseconds."""

GROWTH_LIMIT = 1_500_000
"""Octets of memory that the last four fifths of the inputs may leave behind, for caches and bounded tables."""

_TELLING = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)

Target = Callable[[bytes], None]


def mutate(source: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return a valid frame after one to four mutations; now and then plain noise."""
    if source.random() < 0.02:
        return source.randbytes(source.randrange(130))
    octets = bytearray(source.choice(seeds))
    for _ in range(source.choice((1, 1, 1, 2, 2, 3, 4))):
        _mutate_once(source, octets, seeds)
    return bytes(octets)


def _mutate_once(source: random.Random, octets: bytearray, seeds: Sequence[bytes]) -> None:
    at = source.randrange(len(octets) + 1)
    kind = source.randrange(8)
    if kind < 3 and at < len(octets):
        octets[at] = (octets[at] ^ 1 << source.randrange(8), source.choice(_TELLING), source.randrange(256))[
            kind
        ]
    elif kind == 3:
        octets[at:at] = source.randbytes(source.randrange(1, 9))
    elif kind == 4:
        del octets[at : at + source.randrange(1, 9)]
    elif kind == 5:
        del octets[at:]
    elif kind == 6:
        octets[at:at] = octets[at : at + source.randrange(1, 17)]
    else:
        other = source.choice(seeds)
        octets[at:] = other[source.randrange(len(other) + 1) :]


class HangError(AssertionError):
    """An input took too long."""


@contextmanager
def watchdog() -> Iterator[Callable[[], None]]:
    """Yield a function that starts the time of an input; when it runs out, `HangError` is raised in the code."""

    def bark(_signal: int, _frame: FrameType | None) -> None:
        raise HangError(f"an input took more than {INPUT_LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, bark)
    try:
        yield lambda: signal.setitimer(signal.ITIMER_REAL, INPUT_LIMIT_S) and None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def fuzz(
    name: str,
    seeds: Sequence[bytes],
    target: Target,
    count: int,
    *,
    allowed: tuple[type[Exception], ...] = (),
    settle: Callable[[], None] = lambda: None,
) -> None:
    """Give `count` mutated inputs to `target`, which may raise nothing but `allowed`.

    `settle` is called before memory is measured: it lets what waits in the target expire.
    """
    assert seeds, f"{name}: no valid frame to start from"
    source = random.Random(f"fuzz/{name}")
    warm = count // 5
    tracemalloc.start()
    try:
        with watchdog() as restart:
            for number in range(count):
                if number == warm:
                    settle()
                    start = used_octets()
                octets = mutate(source, seeds)
                restart()
                try:
                    target(octets)
                except allowed:
                    pass
                except Exception as error:
                    error.add_note(f"{name}: input {number} was {octets.hex()}")
                    raise
        settle()
        growth = used_octets() - start
    finally:
        tracemalloc.stop()
    assert growth < GROWTH_LIMIT, f"{name}: {growth} octets more after {count - warm} inputs"


def used_octets() -> int:
    """Return how much traced memory is in use."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
