"""The outcome of a request, as every layer from the MAC to the application confirms it."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum


class Status(IntEnum):
    """Outcome of a request, across layers (values from the ZigBee PRO and 802.15.4 status tables)."""

    SUCCESS = 0x00
    NO_ACK = 0xE9
    CHANNEL_ACCESS_FAILURE = 0xE1
    TRANSACTION_EXPIRED = 0xF0
    TRANSACTION_OVERFLOW = 0xF1
    NO_BEACON = 0xEA
    NO_DATA = 0xEB
    NWK_INVALID_REQUEST = 0xC2
    NWK_NOT_PERMITTED = 0xC3
    NWK_NO_NETWORKS = 0xCA
    NWK_NO_KEY = 0xCD
    NWK_ROUTE_DISCOVERY_FAILED = 0xD0
    NWK_ROUTE_ERROR = 0xD1
    APS_ASDU_TOO_LONG = 0xA0
    APS_NO_ACK = 0xA7
    APS_NO_SHORT_ADDRESS = 0xA9
    APS_SECURITY_FAIL = 0xAD


Confirm = Callable[[Status], None]
"""Called once with the outcome of a request."""
