"""Frames in transit through the network layer of one node: those on their way out, and those that came in."""

from __future__ import annotations

from typing import NamedTuple

from emulator.stack.nwk.frame import NwkHeader
from emulator.stack.primitives import Confirm


class Outgoing(NamedTuple):
    """A unicast on its way: the packed header, the plain payload and what remains to be tried."""

    header: bytes
    payload: bytes
    destination: int
    confirm: Confirm | None
    discoveries: int
    relayed_for: int | None = None
    """NWK source of the frame when another node sent it."""


class Arrival(NamedTuple):
    """A frame as it came from the neighbour `hop`: its header read, its payload still as on the air."""

    header: NwkHeader
    raw_header: bytes
    hop: int
    lqi: int
    npdu: bytes
