"""What a hub asks devices over ZDO: descriptors, endpoints, neighbours (ZigBee PRO 2.4.3).

The devices are strangers': an answer that cannot be read is as good as none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from emulator.errors import FrameError
from emulator.stack.zdo.descriptors import NodeDescriptor, SimpleDescriptor
from emulator.stack.zdo.frames import (
    AddressResponse,
    DescriptorResponse,
    EndpointList,
    IeeeAddressRequest,
    NeighbourEntry,
    SimpleDescriptorResponse,
    ZdoCluster,
    decode_mgmt_lqi,
    short_request,
    simple_descriptor_request,
)

AskZdo = Callable[[int, int, bytes], Awaitable[bytes | None]]
"""Asks a short address a ZDO question of a cluster; gives the successful response, or None."""

_T = TypeVar("_T")
_MOST_PAGES = 128
"""A table has at most 255 entries, two or three a page."""


async def node_descriptor(ask: AskZdo, short: int) -> NodeDescriptor | None:
    """Ask a device what it is."""
    answer = _read(DescriptorResponse.decode, await ask(short, ZdoCluster.NODE_DESC, short_request(short)))
    return None if answer is None else _read(NodeDescriptor.decode, answer.descriptor)


async def active_endpoints(ask: AskZdo, short: int) -> tuple[int, ...] | None:
    """Ask a device for its endpoints."""
    answer = _read(EndpointList.decode, await ask(short, ZdoCluster.ACTIVE_EP, short_request(short)))
    return None if answer is None else answer.endpoints


async def simple_descriptor(ask: AskZdo, short: int, endpoint: int) -> SimpleDescriptor | None:
    """Ask a device what an endpoint is."""
    question = simple_descriptor_request(short, endpoint)
    answer = _read(SimpleDescriptorResponse.decode, await ask(short, ZdoCluster.SIMPLE_DESC, question))
    return None if answer is None else answer.descriptor


async def address_of(ask: AskZdo, short: int) -> AddressResponse | None:
    """Ask a device that is only known by its short address who it is."""
    question = IeeeAddressRequest(short).encode()
    return _read(AddressResponse.decode, await ask(short, ZdoCluster.IEEE_ADDR, question))


async def neighbour_table(ask: AskZdo, short: int) -> tuple[NeighbourEntry, ...] | None:
    """Return every neighbour a device lists, page by page; None when it does not answer with a table."""
    found: list[NeighbourEntry] = []
    for _ in range(_MOST_PAGES):
        page = _read(decode_mgmt_lqi, await ask(short, ZdoCluster.MGMT_LQI, bytes((len(found),))))
        if page is None:
            return None
        total, entries = page
        found += entries
        if len(found) >= total or not entries:
            break
    return tuple(found)


def _read(decode: Callable[[bytes], _T], answer: bytes | None) -> _T | None:
    try:
        return None if answer is None else decode(answer)
    except FrameError:
        return None
