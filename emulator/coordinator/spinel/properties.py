"""Numbers of the Spinel protocol that a radio co-processor uses (fact sheet 6; OpenThread's `spinel.h`)."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Command(IntEnum):
    """What a Spinel frame asks or tells."""

    NOOP = 0
    RESET = 1
    PROP_VALUE_GET = 2
    PROP_VALUE_SET = 3
    PROP_VALUE_INSERT = 4
    PROP_VALUE_REMOVE = 5
    PROP_VALUE_IS = 6
    PROP_VALUE_INSERTED = 7
    PROP_VALUE_REMOVED = 8


class Property(IntEnum):
    """Property identifiers; comments give the packed types of the value."""

    LAST_STATUS = 0  # i
    PROTOCOL_VERSION = 1  # ii
    NCP_VERSION = 2  # U
    INTERFACE_TYPE = 3  # i
    VENDOR_ID = 4  # i
    CAPS = 5  # A(i)
    INTERFACE_COUNT = 6  # C
    POWER_STATE = 7  # C
    HWADDR = 8  # E

    PHY_ENABLED = 32  # b
    PHY_CHAN = 33  # C
    PHY_CHAN_SUPPORTED = 34  # A(C)
    PHY_FREQ = 35  # L, kHz
    PHY_CCA_THRESHOLD = 36  # c, dBm
    PHY_TX_POWER = 37  # c, dBm
    PHY_RSSI = 38  # c, dBm
    PHY_RX_SENSITIVITY = 39  # c, dBm
    PHY_CHAN_PREFERRED = 41  # A(C)

    MAC_SCAN_STATE = 48  # C
    MAC_SCAN_MASK = 49  # A(C)
    MAC_SCAN_PERIOD = 50  # S, ms
    MAC_15_4_LADDR = 52  # E
    MAC_15_4_SADDR = 53  # S
    MAC_15_4_PANID = 54  # S
    MAC_RAW_STREAM_ENABLED = 55  # b
    MAC_PROMISCUOUS_MODE = 56  # C
    MAC_ENERGY_SCAN_RESULT = 57  # Cc
    MAC_RX_ON_WHEN_IDLE_MODE = 59  # b

    STREAM_RAW = 113  # dD

    RCP_API_VERSION = 176  # i
    RCP_MIN_HOST_API_VERSION = 177  # i

    RADIO_CAPS = 4619  # i
    MAC_SRC_MATCH_ENABLED = 4867  # b
    MAC_SRC_MATCH_SHORT_ADDRESSES = 4868  # A(S)
    MAC_SRC_MATCH_EXTENDED_ADDRESSES = 4869  # A(E)


class SpinelStatus(IntEnum):
    """Values of LAST_STATUS."""

    OK = 0
    FAILURE = 1
    UNIMPLEMENTED = 2
    INVALID_ARGUMENT = 3
    INVALID_STATE = 4
    INVALID_COMMAND = 5
    INVALID_INTERFACE = 6
    PARSE_ERROR = 9
    NOMEM = 11
    BUSY = 12
    PROP_NOT_FOUND = 13
    NO_ACK = 17
    CCA_FAILURE = 18
    ALREADY = 19
    ITEM_NOT_FOUND = 20
    RESET_POWER_ON = 112
    RESET_SOFTWARE = 114


class Capability(IntEnum):
    """Values of CAPS."""

    IEEE_802_15_4_2450MHZ_OQPSK = 24
    CONFIG_RADIO = 34
    RCP_API_VERSION = 64
    MAC_RAW = 513


class RadioCapability(IntFlag):
    """Bits of RADIO_CAPS: what the radio does without the host."""

    ACK_TIMEOUT = 0x01
    ENERGY_SCAN = 0x02
    TRANSMIT_RETRIES = 0x04
    CSMA_BACKOFF = 0x08


class ScanState(IntEnum):
    """Values of MAC_SCAN_STATE."""

    IDLE = 0
    BEACON = 1
    ENERGY = 2


class PromiscuousMode(IntEnum):
    """Values of MAC_PROMISCUOUS_MODE."""

    OFF = 0
    NETWORK = 1
    FULL = 2


class FrameFlag(IntFlag):
    """Flags in the metadata of a STREAM_RAW frame."""

    NONE = 0
    ACKED_WITH_PENDING = 0x0010


PROTOCOL_VERSION = (4, 3)
"""Spinel's THREAD_MAJOR and THREAD_MINOR."""

INTERFACE_THREAD = 3
"""INTERFACE_TYPE of an OpenThread co-processor; there is no other number for a bare 802.15.4 radio."""

RCP_API_VERSION = 10
RCP_MIN_HOST_API_VERSION = 4
POWER_ONLINE = 4
