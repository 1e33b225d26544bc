"""Smaller clusters: Events, MDU Pairing, Key Establishment, Keep-Alive, OTA upgrade (fact sheet 2.4-2.6)."""

from __future__ import annotations

from typing import Final

import zigpy.types as t
from zigpy.zcl.clusters import general
from zigpy.zcl.foundation import BaseAttributeDefs, BaseCommandDefs

from emulator.smart_energy.clusters.definition import (
    SmartEnergyCluster,
    SmartEnergyMixin,
    attribute,
    cluster_number,
    command,
    only,
)
from emulator.smart_energy.version import SeVersion
from emulator.zcl.identifiers import EVENTS, KEY_ESTABLISHMENT, MDU_PAIRING


class Events(SmartEnergyCluster):
    """Events 0x0709, since SE 1.2."""

    cluster_id = cluster_number(EVENTS)
    ep_attribute = "smartenergy_events"
    introduced = SeVersion.SE_1_2A

    class ServerCommandDefs(BaseCommandDefs):
        """Commands the server receives."""

        get_event_log: Final = command(
            0x00,
            {
                "event_control_and_log_id": t.bitmap8,
                "event_id": t.uint16_t,
                "start_time": t.UTCTime,
                "end_time": t.UTCTime,
                "number_of_events": t.uint8_t,
                "event_offset": t.uint16_t,
            },
        )
        clear_event_log: Final = command(0x01, {"log_id": t.bitmap8})

    class ClientCommandDefs(BaseCommandDefs):
        """Commands the client receives."""

        publish_event: Final = command(
            0x00,
            {
                "log_id": t.enum8,
                "event_id": t.uint16_t,
                "event_time": t.UTCTime,
                "event_control": t.bitmap8,
                "event_data": t.LVBytes,
            },
        )
        publish_event_log: Final = command(
            0x01,
            {
                "total_number_of_matching_events": t.uint16_t,
                "command_index": t.uint8_t,
                "total_commands": t.uint8_t,
                "log_payload_control": t.bitmap8,
                "log_payload": t.Bytes,
            },
        )
        clear_event_log_response: Final = command(0x02, {"cleared_event_logs": t.bitmap8})


class MduPairing(SmartEnergyCluster):
    """MDU Pairing 0x070A, since SE 1.2."""

    cluster_id = cluster_number(MDU_PAIRING)
    ep_attribute = "smartenergy_mdu_pairing"
    introduced = SeVersion.SE_1_2A

    class ServerCommandDefs(BaseCommandDefs):
        """Commands the server receives."""

        pairing_request: Final = command(
            0x00,
            {"local_pairing_information_version": t.uint32_t, "requesting_device": t.EUI64},
        )

    class ClientCommandDefs(BaseCommandDefs):
        """Commands the client receives."""

        pairing_response: Final = command(
            0x00,
            {
                "pairing_information_version": t.uint32_t,
                "total_number_of_devices": t.uint8_t,
                "command_index": t.uint8_t,
                "total_number_of_commands": t.uint8_t,
                "devices": t.List[t.EUI64],
            },
        )


class KeyEstablishment(SmartEnergyCluster):
    """Key Establishment 0x0800; the same commands in both directions."""

    cluster_id = cluster_number(KEY_ESTABLISHMENT)
    ep_attribute = "smartenergy_key_establishment"

    class AttributeDefs(BaseAttributeDefs):
        """Server attributes."""

        key_establishment_suite: Final = attribute(0x0000, t.enum16, mandatory=True)

    class ClientAttributeDefs(BaseAttributeDefs):
        """Client attributes."""

        key_establishment_suite: Final = attribute(0x0000, t.enum16, mandatory=True)

    class ServerCommandDefs(BaseCommandDefs):
        """Commands the server receives."""

        initiate_key_establishment_request: Final = command(
            0x00,
            {
                "key_establishment_suite": t.bitmap16,
                "ephemeral_data_generate_time": t.uint8_t,
                "confirm_key_generate_time": t.uint8_t,
                "identity": t.Bytes,
            },
        )
        ephemeral_data_request: Final = command(0x01, {"ephemeral_data": t.Bytes})
        confirm_key_data_request: Final = command(0x02, {"secure_message_auth": t.Bytes})
        terminate_key_establishment: Final = command(
            0x03,
            {
                "status_code": t.enum8,
                "wait_time": t.uint8_t,
                "key_establishment_suite": t.bitmap16,
            },
        )

    class ClientCommandDefs(BaseCommandDefs):
        """Commands the client receives."""

        initiate_key_establishment_response: Final = command(
            0x00,
            {
                "key_establishment_suite": t.bitmap16,
                "ephemeral_data_generate_time": t.uint8_t,
                "confirm_key_generate_time": t.uint8_t,
                "identity": t.Bytes,
            },
        )
        ephemeral_data_response: Final = command(0x01, {"ephemeral_data": t.Bytes})
        confirm_key_data_response: Final = command(0x02, {"secure_message_auth": t.Bytes})
        terminate_key_establishment_from_server: Final = command(
            0x03,
            {
                "status_code": t.enum8,
                "wait_time": t.uint8_t,
                "key_establishment_suite": t.bitmap16,
            },
        )


class KeepAlive(SmartEnergyMixin, general.KeepAlive):
    """Keep-Alive 0x0025, since SE 1.2b: zigpy's definition with its version."""

    introduced = SeVersion.SE_1_2B


class Ota(SmartEnergyMixin, general.Ota):
    """OTA upgrade 0x0019, since SE 1.1: zigpy's definition; its attributes belong to the client side."""

    introduced = SeVersion.SE_1_1
    attributes_since = {
        range(0x000B, 0x000D): SeVersion.SE_1_2B,
        range(0x0009, 0x000B): SeVersion.SE_1_2A,
        only(0xFFFD): SeVersion.SE_1_2B,
    }

    class ClientAttributeDefs(general.Ota.AttributeDefs):
        """Client attributes."""
