"""Device Management 0x0708 (fact sheet 2.5, 2.6); of the event flags, those about firmware."""

from __future__ import annotations

from typing import Any, Final

import zigpy.types as t
from zigpy.zcl.foundation import BaseAttributeDefs, BaseCommandDefs

from emulator.smart_energy.clusters.definition import (
    SmartEnergyCluster,
    add_series,
    cluster_number,
    command,
    octets,
)
from emulator.smart_energy.version import SeVersion
from emulator.zcl.identifiers import DEVICE_MANAGEMENT


class _DeviceManagementAttributeDefs(BaseAttributeDefs):
    pass


add_series(
    _DeviceManagementAttributeDefs,
    [
        ("provider_id", 0x0100, t.uint32_t),
        ("provider_name", 0x0101, octets(16)),
        ("provider_contact_details", 0x0102, octets(19)),
        ("proposed_provider_id", 0x0110, t.uint32_t),
        ("proposed_provider_name", 0x0111, octets(16)),
        ("proposed_provider_change_date_time", 0x0112, t.UTCTime),
        ("proposed_provider_change_control", 0x0113, t.bitmap32),
        ("proposed_provider_contact_details", 0x0114, octets(19)),
        ("received_provider_id", 0x0120, t.uint32_t),
        ("received_provider_name", 0x0121, octets(16)),
        ("received_provider_contact_details", 0x0122, octets(19)),
        ("received_proposed_provider_id", 0x0130, t.uint32_t),
        ("received_proposed_provider_name", 0x0131, octets(16)),
        ("received_proposed_provider_change_date_time", 0x0132, t.UTCTime),
        ("received_proposed_provider_change_control", 0x0133, t.bitmap32),
        ("received_proposed_provider_contact_details", 0x0134, octets(19)),
        ("change_of_tenancy_update_date_time", 0x0200, t.UTCTime),
        ("proposed_tenancy_change_control", 0x0201, t.bitmap32),
        ("wan_status", 0x0300, t.enum8),
        ("low_medium_threshold", 0x0400, t.uint32_t),
        ("medium_high_threshold", 0x0401, t.uint32_t),
    ],
)

_OTA_EVENTS = (
    "image_notify_received",
    "image_notify_rejected",
    "query_next_image_request_generated",
    "query_next_image_response_received",
    "query_next_image_response_rejected",
    "image_block_request_generated",
    "image_page_request_generated",
    "image_block_response_received",
    "image_block_response_rejected",
    "upgrade_end_request_generated",
    "upgrade_end_response_received",
    "upgrade_end_response_rejected",
    "query_specific_file_request_generated",
    "query_specific_file_response_received",
    "query_specific_file_response_rejected",
)
_FIRMWARE_EVENTS = (
    "firmware_ready_for_activation",
    "firmware_activated",
    "firmware_activation_failure",
    "patch_ready_for_activation",
    "patch_activated",
    "patch_failure",
)


class _DeviceManagementClientAttributeDefs(BaseAttributeDefs):
    pass


add_series(
    _DeviceManagementClientAttributeDefs,
    [
        ("provider_id", 0x0000, t.uint32_t),
        ("received_provider_id", 0x0010, t.uint32_t),
        *((name, 0x0800 + index, t.bitmap8) for index, name in enumerate(_FIRMWARE_EVENTS)),
        *((name, 0x08C0 + index, t.bitmap8) for index, name in enumerate(_OTA_EVENTS)),
    ],
)

_TENANCY: dict[str, Any] = {
    "provider_id": t.uint32_t,
    "issuer_event_id": t.uint32_t,
    "tariff_type": t.bitmap8,
    "implementation_date_time": t.UTCTime,
    "proposed_tenancy_change_control": t.bitmap32,
}


class DeviceManagement(SmartEnergyCluster):
    """Device Management 0x0708, since SE 1.2."""

    cluster_id = cluster_number(DEVICE_MANAGEMENT)
    ep_attribute = "smartenergy_device_management"
    introduced = SeVersion.SE_1_2A

    class AttributeDefs(_DeviceManagementAttributeDefs):
        """Server attributes."""

    class ClientAttributeDefs(_DeviceManagementClientAttributeDefs):
        """Client attributes."""

    class ServerCommandDefs(BaseCommandDefs):
        """Commands the server receives."""

        get_change_of_tenancy: Final = command(0x00, {})
        get_change_of_supplier: Final = command(0x01, {})
        request_new_password: Final = command(0x02, {"password_type": t.enum8})
        get_site_id: Final = command(0x03, {})
        report_event_configuration: Final = command(
            0x04,
            {
                "command_index": t.uint8_t,
                "total_commands": t.uint8_t,
                "event_configuration_payload": t.Bytes,
            },
        )
        get_cin: Final = command(0x05, {})

    class ClientCommandDefs(BaseCommandDefs):
        """Commands the client receives."""

        publish_change_of_tenancy: Final = command(0x00, _TENANCY)
        publish_change_of_supplier: Final = command(
            0x01,
            {
                "current_provider_id": t.uint32_t,
                "issuer_event_id": t.uint32_t,
                "tariff_type": t.bitmap8,
                "proposed_provider_id": t.uint32_t,
                "provider_change_implementation_time": t.UTCTime,
                "provider_change_control": t.bitmap32,
                "proposed_provider_name": t.LVBytes,
                "proposed_provider_contact_details": t.LVBytes,
            },
        )
        request_new_password_response: Final = command(
            0x02,
            {
                "issuer_event_id": t.uint32_t,
                "implementation_date_time": t.UTCTime,
                "duration_in_minutes": t.uint16_t,
                "password_type": t.enum8,
                "password": t.LVBytes,
            },
        )
        update_site_id: Final = command(
            0x03,
            {
                "issuer_event_id": t.uint32_t,
                "site_id_time": t.UTCTime,
                "provider_id": t.uint32_t,
                "site_id": t.LVBytes,
            },
        )
        set_event_configuration: Final = command(
            0x04,
            {
                "issuer_event_id": t.uint32_t,
                "start_date_time": t.UTCTime,
                "event_configuration": t.bitmap8,
                "configuration_control": t.enum8,
                "event_configuration_payload": t.Bytes,
            },
        )
        get_event_configuration: Final = command(0x05, {"event_id": t.uint16_t})
        update_cin: Final = command(
            0x06,
            {
                "issuer_event_id": t.uint32_t,
                "cin_implementation_time": t.UTCTime,
                "provider_id": t.uint32_t,
                "customer_id_number": t.LVBytes,
            },
        )
