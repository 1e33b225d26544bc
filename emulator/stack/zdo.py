"""The ZigBee device object: answers device and service discovery, binding and management requests; asks them too."""

from __future__ import annotations

from collections.abc import Callable

ZdoDone = Callable[[bytes | None], None]
"""Called once with the response (status octet first, without the transaction number), or None on timeout."""


class Zdo:
    """ZDO server and client of one node."""

    def request(
        self, destination: int, cluster: int, payload: bytes, done: ZdoDone | None = None, *, timeout_us: int = 0
    ) -> None:
        """Send the ZDO request `cluster` (payload without transaction number) and report the response.

        `timeout_us` 0 means what suits the destination: 5 s, or 15 s when it sleeps. Build payloads and read
        responses with `emulator.stack.zdo_frames`.
        """
        raise NotImplementedError
