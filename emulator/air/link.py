"""Radio links: how strongly, and how reliably, one radio hears another."""

from __future__ import annotations

from typing import NamedTuple

from emulator.air.phy import SENSITIVITY_DBM, lqi_of

_EDGE_DB = 5
"""Within this many decibels of the sensitivity frames begin to be lost."""


class Link(NamedTuple):
    """One direction between two radios; `loss` is the probability that a frame is lost."""

    rssi_dbm: int
    lqi: int
    loss: float


class LinkOverride(NamedTuple):
    """What a scenario fixes about a link, in place of what positions give; None leaves it alone."""

    audible: bool = True
    rssi_dbm: int | None = None
    loss: float | None = None


def link_at(rssi_dbm: float, override: LinkOverride | None = None) -> Link | None:
    """Return the link at that received power, or None when the frame cannot be heard at all."""
    loss = None
    if override is not None:
        if not override.audible:
            return None
        if override.rssi_dbm is not None:
            rssi_dbm = override.rssi_dbm
        loss = override.loss
    if rssi_dbm < SENSITIVITY_DBM:
        return None
    if loss is None:
        loss = max(0.0, (SENSITIVITY_DBM + _EDGE_DB - rssi_dbm) / _EDGE_DB) * 0.5
    return Link(round(rssi_dbm), lqi_of(rssi_dbm), loss)
