"""What a co-processor is born with: releases, configuration values, values and sizes.

The release of EZSP 12, 13, 14, 16 and 19 is from the fact sheet (protocol 5.5); the others are recalled and serve only
to be shown. Sizes are those a current coordinator firmware is built with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bellows.types import EzspConfigId as Config
from bellows.types import EzspPolicyId as Policy
from bellows.types import EzspValueId as Value

STACK_TYPE_MESH = 2
KEY_SLOTS = 32
SOURCE_ROUTES = 200
MAX_PAYLOAD_OCTETS = 82
"""APS payload of one frame without APS security (fact sheet, protocol 4.6)."""
COUNTERS = 41


class Release(NamedTuple):
    """An EmberZNet release."""

    major: int
    minor: int
    patch: int = 0
    special: int = 0
    build: int = 0

    @property
    def stack_version(self) -> int:
        """The 16-bit form the `version` command answers with."""
        return (self.major & 15) << 12 | (self.minor & 15) << 8 | (self.patch & 15) << 4 | (self.special & 15)

    @property
    def version_information(self) -> bytes:
        """VERSION_INFO: build, four numbers, and 0xAA for general availability; seven octets, not more."""
        numbers = (self.major, self.minor, self.patch, self.special)
        return self.build.to_bytes(2, "little") + bytes(numbers) + b"\xaa"


RELEASES: Mapping[int, Release] = {
    4: Release(5, 10, 1),
    5: Release(6, 0),
    6: Release(6, 3),
    7: Release(6, 6, 5),
    8: Release(6, 7, 8, 0, 373),
    9: Release(6, 10, 3, 0, 297),
    10: Release(7, 0, 2),
    11: Release(7, 1, 3),
    12: Release(7, 3, 1),
    13: Release(7, 4, 4),
    14: Release(8, 0, 2),
    15: Release(8, 0, 3),
    16: Release(8, 1),
    17: Release(8, 2),
    18: Release(9, 0),
    19: Release(9, 1),
}


class Setting(NamedTuple):
    """A configuration value: what it is at power-up, and the least and most that firmware takes."""

    default: int
    lowest: int = 0
    highest: int = 0xFFFF


CONFIGURATION: Mapping[int, Setting] = {
    Config.CONFIG_PACKET_BUFFER_COUNT: Setting(255, 5),
    Config.CONFIG_NEIGHBOR_TABLE_SIZE: Setting(26, 1, 26),
    Config.CONFIG_APS_UNICAST_MESSAGE_COUNT: Setting(32, 1, 255),
    Config.CONFIG_BINDING_TABLE_SIZE: Setting(32, 0, 127),
    Config.CONFIG_ADDRESS_TABLE_SIZE: Setting(16, 0, 255),
    Config.CONFIG_MULTICAST_TABLE_SIZE: Setting(16, 0, 255),
    Config.CONFIG_ROUTE_TABLE_SIZE: Setting(64, 0, 255),
    Config.CONFIG_DISCOVERY_TABLE_SIZE: Setting(16, 0, 64),
    Config.CONFIG_STACK_PROFILE: Setting(2, 0, 2),
    Config.CONFIG_SECURITY_LEVEL: Setting(5, 0, 5),
    Config.CONFIG_MAX_HOPS: Setting(30, 0, 30),
    Config.CONFIG_MAX_END_DEVICE_CHILDREN: Setting(32, 0, 64),
    Config.CONFIG_INDIRECT_TRANSMISSION_TIMEOUT: Setting(7680, 0, 30_000),
    Config.CONFIG_END_DEVICE_POLL_TIMEOUT: Setting(8, 0, 255),
    Config.CONFIG_TX_POWER_MODE: Setting(0),
    Config.CONFIG_DISABLE_RELAY: Setting(0, 0, 1),
    Config.CONFIG_TRUST_CENTER_ADDRESS_CACHE_SIZE: Setting(2, 0, 255),
    Config.CONFIG_SOURCE_ROUTE_TABLE_SIZE: Setting(SOURCE_ROUTES, 0, 255),
    Config.CONFIG_FRAGMENT_WINDOW_SIZE: Setting(1, 0, 8),
    Config.CONFIG_FRAGMENT_DELAY_MS: Setting(50),
    Config.CONFIG_KEY_TABLE_SIZE: Setting(KEY_SLOTS, 0, 127),
    Config.CONFIG_APS_ACK_TIMEOUT: Setting(1600),
    Config.CONFIG_ACTIVE_SCAN_DURATION: Setting(3, 0, 14),
    Config.CONFIG_END_DEVICE_BIND_TIMEOUT: Setting(60, 1, 255),
    Config.CONFIG_PAN_ID_CONFLICT_REPORT_THRESHOLD: Setting(2, 1, 63),
    Config.CONFIG_REQUEST_KEY_TIMEOUT: Setting(0, 0, 255),
    Config.CONFIG_CERTIFICATE_TABLE_SIZE: Setting(1, 0, 1),
    Config.CONFIG_APPLICATION_ZDO_FLAGS: Setting(0, 0, 255),
    Config.CONFIG_BROADCAST_TABLE_SIZE: Setting(15, 15, 254),
    Config.CONFIG_MAC_FILTER_TABLE_SIZE: Setting(0, 0, 254),
    Config.CONFIG_SUPPORTED_NETWORKS: Setting(1, 1, 2),
    Config.CONFIG_SEND_MULTICASTS_TO_SLEEPY_ADDRESS: Setting(0, 0, 1),
    Config.CONFIG_ZLL_GROUP_ADDRESSES: Setting(0, 0, 255),
    Config.CONFIG_ZLL_RSSI_THRESHOLD: Setting(0xFF80),
    Config.CONFIG_MTORR_FLOW_CONTROL: Setting(1, 0, 1),
    Config.CONFIG_RETRY_QUEUE_SIZE: Setting(16, 0, 16),
    Config.CONFIG_NEW_BROADCAST_ENTRY_THRESHOLD: Setting(5, 0, 255),
    Config.CONFIG_TRANSIENT_KEY_TIMEOUT_S: Setting(300),
    Config.CONFIG_BROADCAST_MIN_ACKS_NEEDED: Setting(255, 0, 255),
    Config.CONFIG_TC_REJOINS_USING_WELL_KNOWN_KEY_TIMEOUT_S: Setting(300),
    Config.CONFIG_CTUNE_VALUE: Setting(0),
    Config.CONFIG_ASSUME_TC_CONCENTRATOR_TYPE: Setting(0, 0, 2),
    Config.CONFIG_GP_PROXY_TABLE_SIZE: Setting(5, 0, 50),
    Config.EZSP_CONFIG_GP_SINK_TABLE_SIZE: Setting(0, 0, 50),
}
"""Configuration values; one that is not here is an invalid id. Bounds of tables are those of firmware builds, recalled;
what has no bound but its sixteen bits is a time or a number that is only kept.
"""

VALUES: Mapping[int, bytes] = {
    Value.VALUE_MAC_PASSTHROUGH_FLAGS: b"\x00",
    Value.VALUE_UART_SYNCH_CALLBACKS: b"\x00",
    Value.VALUE_MAXIMUM_OUTGOING_TRANSFER_SIZE: (MAX_PAYLOAD_OCTETS).to_bytes(2, "little"),
    Value.VALUE_STACK_TOKEN_WRITING: b"\x01",
    Value.VALUE_STACK_IS_PERFORMING_REJOIN: b"\x00",
    Value.VALUE_MAC_FILTER_LIST: b"",
    Value.VALUE_EXTENDED_SECURITY_BITMASK: b"\x00\x00",
    Value.VALUE_DESCRIPTOR_CAPABILITY: b"\x00",
    Value.VALUE_STACK_DEVICE_REQUEST_SEQUENCE_NUMBER: b"\x00",
    Value.VALUE_RADIO_HOLD_OFF: b"\x00",
    Value.VALUE_MFG_SECURITY_CONFIG: b"\x00\x00\x00\x00",
    Value.VALUE_NEXT_HOST_REJOIN_REASON: b"\x00",
    Value.VALUE_LAST_REJOIN_REASON: b"\x00",
    Value.VALUE_NEXT_ZIGBEE_SEQUENCE_NUMBER: b"\x00",
    Value.VALUE_CCA_THRESHOLD: b"\xb5",
    Value.VALUE_SET_COUNTER_THRESHOLD: b"\x00\x00",
    Value.VALUE_CLEAR_COUNTERS: b"",
    Value.VALUE_RESET_COUNTER_THRESHOLDS: b"",
    Value.VALUE_RETRY_DEVICE_TYPE: b"\x00",
    Value.VALUE_ENABLE_R21_BEHAVIOR: b"\x00",
    Value.VALUE_ANTENNA_MODE: b"\x00",
    Value.VALUE_ENABLE_PTA: b"\x00",
    Value.VALUE_PTA_OPTIONS: b"\x00\x00\x00\x00",
    Value.VALUE_MFGLIB_OPTIONS: b"\x00",
    Value.VALUE_NWK_KEY_TIMEOUT: b"\x00",
    Value.VALUE_FORCE_TX_AFTER_FAILED_CCA_ATTEMPTS: b"\x00",
    Value.VALUE_TRANSIENT_KEY_TIMEOUT_S: (300).to_bytes(2, "little"),
    Value.VALUE_COULOMB_COUNTER_USAGE: bytes(4),
    Value.VALUE_MAX_BEACONS_TO_STORE: b"\x10",
    Value.VALUE_END_DEVICE_TIMEOUT_OPTIONS_MASK: b"\x00\x00",
    Value.VALUE_END_DEVICE_KEEP_ALIVE_SUPPORT_MODE: b"\x03",
    Value.VALUE_ACTIVE_RADIO_CONFIG: b"\x00",
    Value.VALUE_TRANSIENT_DEVICE_TIMEOUT: (10_000).to_bytes(2, "little"),
    Value.VALUE_KEY_STORAGE_VERSION: b"\x01",
    Value.VALUE_DELAYED_JOIN_ACTIVATION: b"\x00",
    Value.VALUE_MAX_NWK_RETRIES: b"\x03",
    Value.VALUE_REJOIN_MODE: b"\x00",
    Value.VALUE_JOIN_USE_INSTALL_CODE_ENABLE: b"\x00",
    Value.VALUE_CERTIFICATE_283K1: b"",
    Value.VALUE_PUBLIC_KEY_283K1: b"",
    Value.VALUE_PRIVATE_KEY_283K1: b"",
}
"""Values that are only kept; those that mean something to the stack are in `configuration`."""

POLICIES: Mapping[int, int] = {
    Policy.TRUST_CENTER_POLICY: 0x01,
    Policy.BINDING_MODIFICATION_POLICY: 0x10,
    Policy.UNICAST_REPLIES_POLICY: 0x20,
    Policy.POLL_HANDLER_POLICY: 0x30,
    Policy.MESSAGE_CONTENTS_IN_CALLBACK_POLICY: 0x40,
    Policy.TC_KEY_REQUEST_POLICY: 0x51,
    Policy.APP_KEY_REQUEST_POLICY: 0x61,
    Policy.PACKET_VALIDATE_LIBRARY_POLICY: 0x62,
    Policy.ZLL_POLICY: 0x00,
    Policy.TC_REJOINS_USING_WELL_KNOWN_KEY_POLICY: 0x00,
}
"""Decisions at power-up."""

ACCEPTED = (
    "gpSinkTableClearAll",
    "gpClearProxyTable",
    "gpClearSinkTable",
    "gpSinkTableInit",
    "gpSinkTableRemoveEntry",
    "gpProxyTableRemoveEntry",
    "setSourceRouteDiscoveryMode",
    "setBrokenRouteErrorCode",
    "setRoutingShortcutThreshold",
    "setBeaconClassificationParams",
    "setMacPollFailureWaitTime",
    "setMacPollCcaWaitTime",
    "setRadioIeee802154CcaMode",
    "setPassiveAckConfig",
    "setNumBeaconsToStore",
    "setGpioRadioPowerMask",
    "clearStoredBeacons",
    "debugWrite",
    "delayTest",
    "nop",
)
"""Commands that are taken, answered with a good status and zeros, and change nothing on this air."""
