"""Status codes of EZSP: one set inside, three on the wire.

Inside the co-processor a status is an `SlStatus`. Firmware from EZSP 14 on sends it as 32 bits; older firmware sends an
octet, of the stack's codes in most answers and of EZSP's own in the configuration commands (fact sheet, protocol
5.2). What has no older name becomes that set's general error.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import bellows.types as bt

from emulator.stack.primitives import Status


class SlStatus(IntEnum):
    """The status codes this co-processor uses, with the values EZSP 14 and later send (32 bits)."""

    OK = 0x0000
    FAIL = 0x0001
    INVALID_STATE = 0x0002
    NOT_READY = 0x0003
    BUSY = 0x0004
    IN_PROGRESS = 0x0005
    NOT_AVAILABLE = 0x000E
    NOT_SUPPORTED = 0x000F
    NETWORK_UP = 0x0015
    NETWORK_DOWN = 0x0016
    NOT_JOINED = 0x0017
    NO_BEACONS = 0x0018
    NO_MORE_RESOURCE = 0x001A
    FULL = 0x001C
    INVALID_PARAMETER = 0x0021
    INVALID_INDEX = 0x0027
    INVALID_KEY = 0x0029
    NOT_FOUND = 0x002D
    MESSAGE_TOO_LONG = 0x0038
    MAC_NO_ACK_RECEIVED = 0x0040
    MAC_INDIRECT_TIMEOUT = 0x0041
    COMMAND_IS_INVALID = 0x0048
    MAC_SCANNING = 0x004D
    INVALID_CHANNEL_MASK = 0x004F
    TRANSMIT_INVALID_CHANNEL = 0x0055
    TRANSMIT_INVALID_POWER = 0x0056
    ZIGBEE_DELIVERY_FAILED = 0x0C02
    ZIGBEE_MAX_MESSAGE_LIMIT_REACHED = 0x0C03
    ZIGBEE_APS_ENCRYPTION_ERROR = 0x0C0A
    ZIGBEE_SECURITY_STATE_NOT_SET = 0x0C0B
    ZIGBEE_SIGNATURE_VERIFY_FAILURE = 0x0C0D
    ZIGBEE_SOURCE_ROUTE_FAILURE = 0x0C13
    ZIGBEE_MANY_TO_ONE_ROUTE_FAILURE = 0x0C14
    ZIGBEE_PAN_ID_CHANGED = 0x0C16
    ZIGBEE_CHANNEL_CHANGED = 0x0C17
    ZIGBEE_NETWORK_OPENED = 0x0C18
    ZIGBEE_NETWORK_CLOSED = 0x0C19
    ZIGBEE_EZSP_ERROR = 0x0C1E


OK = SlStatus.OK

EMBER: Mapping[int, int] = {
    SlStatus.OK: bt.EmberStatus.SUCCESS,
    SlStatus.FAIL: bt.EmberStatus.ERR_FATAL,
    SlStatus.INVALID_STATE: bt.EmberStatus.INVALID_CALL,
    SlStatus.BUSY: bt.EmberStatus.NETWORK_BUSY,
    SlStatus.IN_PROGRESS: bt.EmberStatus.OPERATION_IN_PROGRESS,
    SlStatus.NOT_AVAILABLE: bt.EmberStatus.LIBRARY_NOT_PRESENT,
    SlStatus.NOT_SUPPORTED: bt.EmberStatus.INVALID_CALL,
    SlStatus.NETWORK_UP: bt.EmberStatus.NETWORK_UP,
    SlStatus.NETWORK_DOWN: bt.EmberStatus.NETWORK_DOWN,
    SlStatus.NOT_JOINED: bt.EmberStatus.NOT_JOINED,
    SlStatus.NO_BEACONS: bt.EmberStatus.NO_BEACONS,
    SlStatus.FULL: bt.EmberStatus.TABLE_FULL,
    SlStatus.INVALID_PARAMETER: bt.EmberStatus.BAD_ARGUMENT,
    SlStatus.INVALID_INDEX: bt.EmberStatus.INDEX_OUT_OF_RANGE,
    SlStatus.INVALID_KEY: bt.EmberStatus.KEY_INVALID,
    SlStatus.NOT_FOUND: bt.EmberStatus.TABLE_ENTRY_ERASED,
    SlStatus.MESSAGE_TOO_LONG: bt.EmberStatus.MESSAGE_TOO_LONG,
    SlStatus.MAC_SCANNING: bt.EmberStatus.MAC_SCANNING,
    SlStatus.MAC_NO_ACK_RECEIVED: bt.EmberStatus.MAC_NO_ACK_RECEIVED,
    SlStatus.MAC_INDIRECT_TIMEOUT: bt.EmberStatus.MAC_INDIRECT_TIMEOUT,
    SlStatus.INVALID_CHANNEL_MASK: bt.EmberStatus.MAC_INVALID_CHANNEL_MASK,
    SlStatus.TRANSMIT_INVALID_CHANNEL: bt.EmberStatus.PHY_INVALID_CHANNEL,
    SlStatus.TRANSMIT_INVALID_POWER: bt.EmberStatus.PHY_INVALID_POWER,
    SlStatus.ZIGBEE_DELIVERY_FAILED: bt.EmberStatus.DELIVERY_FAILED,
    SlStatus.ZIGBEE_MAX_MESSAGE_LIMIT_REACHED: bt.EmberStatus.MAX_MESSAGE_LIMIT_REACHED,
    SlStatus.ZIGBEE_APS_ENCRYPTION_ERROR: bt.EmberStatus.APS_ENCRYPTION_ERROR,
    SlStatus.ZIGBEE_SECURITY_STATE_NOT_SET: bt.EmberStatus.SECURITY_STATE_NOT_SET,
    SlStatus.ZIGBEE_SIGNATURE_VERIFY_FAILURE: bt.EmberStatus.SIGNATURE_VERIFY_FAILURE,
    SlStatus.ZIGBEE_PAN_ID_CHANGED: bt.EmberStatus.PAN_ID_CHANGED,
    SlStatus.ZIGBEE_CHANNEL_CHANGED: bt.EmberStatus.CHANNEL_CHANGED,
    SlStatus.ZIGBEE_NETWORK_OPENED: bt.EmberStatus.NETWORK_OPENED,
    SlStatus.ZIGBEE_NETWORK_CLOSED: bt.EmberStatus.NETWORK_CLOSED,
    SlStatus.ZIGBEE_SOURCE_ROUTE_FAILURE: bt.EmberStatus.SOURCE_ROUTE_FAILURE,
    SlStatus.ZIGBEE_MANY_TO_ONE_ROUTE_FAILURE: bt.EmberStatus.MANY_TO_ONE_ROUTE_FAILURE,
}
EZSP: Mapping[int, int] = {
    SlStatus.OK: bt.EzspStatus.SUCCESS,
    SlStatus.NOT_FOUND: bt.EzspStatus.ERROR_INVALID_ID,
    SlStatus.NOT_SUPPORTED: bt.EzspStatus.ERROR_INVALID_ID,
    SlStatus.INVALID_PARAMETER: bt.EzspStatus.ERROR_INVALID_VALUE,
    SlStatus.INVALID_STATE: bt.EzspStatus.ERROR_INVALID_CALL,
    SlStatus.NO_MORE_RESOURCE: bt.EzspStatus.ERROR_OUT_OF_MEMORY,
}

DELIVERY: Mapping[Status, int] = {
    Status.SUCCESS: SlStatus.OK,
    Status.NO_ACK: SlStatus.ZIGBEE_DELIVERY_FAILED,
    Status.TRANSACTION_EXPIRED: SlStatus.MAC_INDIRECT_TIMEOUT,
    Status.TRANSACTION_OVERFLOW: SlStatus.ZIGBEE_MAX_MESSAGE_LIMIT_REACHED,
    Status.APS_ASDU_TOO_LONG: SlStatus.MESSAGE_TOO_LONG,
    Status.APS_SECURITY_FAIL: SlStatus.ZIGBEE_APS_ENCRYPTION_ERROR,
    Status.NWK_INVALID_REQUEST: SlStatus.INVALID_STATE,
}


def delivery_status(status: Status) -> int:
    """Return what messageSentHandler says of an outcome of the stack."""
    return DELIVERY.get(status, SlStatus.ZIGBEE_DELIVERY_FAILED)
