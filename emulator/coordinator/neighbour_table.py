"""A whole neighbour table over ZDO: Mgmt_Lqi_req page by page (ZigBee PRO 2.4.3.3.2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from emulator.errors import FrameError
from emulator.stack.zdo.frames import NeighbourEntry, ZdoCluster, decode_mgmt_lqi

AskZdo = Callable[[int, int, bytes], Awaitable[bytes | None]]
"""Asks a short address a ZDO question of a cluster; gives the successful response, or None."""

_MOST_PAGES = 128
"""A table has at most 255 entries, two or three a page."""


async def neighbour_table(ask: AskZdo, short: int) -> tuple[NeighbourEntry, ...] | None:
    """Return every neighbour a device lists, or None when it does not answer with a table."""
    found: list[NeighbourEntry] = []
    for _ in range(_MOST_PAGES):
        answer = await ask(short, ZdoCluster.MGMT_LQI, bytes((len(found),)))
        if answer is None:
            return None
        try:
            total, page = decode_mgmt_lqi(answer)
        except FrameError:
            return None
        found += page
        if len(found) >= total or not page:
            break
    return tuple(found)
