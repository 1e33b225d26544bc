"""What a check found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple


class Finding(NamedTuple):
    """One thing that was checked, whether it holds, and what was seen; None for what cannot be said yet."""

    subject: str
    holds: bool | None
    detail: str


def stated(subject: str, faults: Iterable[str], detail: str) -> Iterator[Finding]:
    """Yield one finding for each fault, or one that says what holds."""
    found = [Finding(subject, False, fault) for fault in faults]
    yield from found or [Finding(subject, True, detail)]


def guarded(subject: str, check: Callable[[], Iterable[Finding]]) -> tuple[Finding, ...]:
    """Return what a check found; whatever a damaged file does to its reader is a fault of that file."""
    try:
        return tuple(check())
    except Exception as error:
        return (Finding(subject, False, f"cannot be read: {str(error) or type(error).__name__}"),)
