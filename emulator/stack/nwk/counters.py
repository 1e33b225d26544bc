"""Counts of what the NWK layer did with frames, for fault reports and tests."""

from __future__ import annotations


class NwkCounters:
    """Frames sent (and failed), received and relayed by one node, and the reasons of those it dropped."""

    __slots__ = ("broadcast_retries", "dropped", "failed", "received", "relayed", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.failed = 0
        self.received = 0
        self.relayed = 0
        self.broadcast_retries = 0
        self.dropped: dict[str, int] = {}

    def drop(self, reason: str) -> None:
        """Count a frame, or a request, that came to nothing."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
