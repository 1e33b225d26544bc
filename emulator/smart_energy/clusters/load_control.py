"""Demand Response and Load Control 0x0701 and Energy Management 0x0706 (fact sheet 2.5, 2.6)."""

from __future__ import annotations

from typing import Any, Final

import zigpy.types as t
from zigpy.zcl.foundation import BaseAttributeDefs, BaseCommandDefs

from emulator.smart_energy.clusters.definition import SmartEnergyCluster, attribute, cluster_number, command
from emulator.smart_energy.version import SeVersion
from emulator.zcl.identifiers import ENERGY_MANAGEMENT, LOAD_CONTROL

_EVENT_STATUS: dict[str, Any] = {
    "issuer_event_id": t.uint32_t,
    "event_status": t.uint8_t,
    "event_status_time": t.UTCTime,
    "criticality_level_applied": t.uint8_t,
    "cooling_temperature_set_point_applied": t.uint16_t,
    "heating_temperature_set_point_applied": t.uint16_t,
    "average_load_adjustment_percentage_applied": t.int8s,
    "duty_cycle_applied": t.uint8_t,
    "event_control": t.bitmap8,
}


class Drlc(SmartEnergyCluster):
    """Demand Response and Load Control 0x0701."""

    cluster_id = cluster_number(LOAD_CONTROL)
    ep_attribute = "smartenergy_drlc"

    class ClientAttributeDefs(BaseAttributeDefs):
        """Client attributes."""

        utility_enrollment_group: Final = attribute(0x0000, t.uint8_t, access="rw")
        start_randomize_minutes: Final = attribute(0x0001, t.uint8_t, access="rw")
        duration_randomize_minutes: Final = attribute(0x0002, t.uint8_t, access="rw")
        device_class_value: Final = attribute(0x0003, t.uint16_t, access="rw")

    class ServerCommandDefs(BaseCommandDefs):
        """Commands the server receives."""

        report_event_status: Final = command(
            0x00, {**_EVENT_STATUS, "signature_type": t.uint8_t, "signature": t.Bytes}
        )
        get_scheduled_events: Final = command(
            0x01,
            {
                "start_time": t.UTCTime,
                "number_of_events": t.uint8_t,
                "issuer_event_id?": t.uint32_t,
            },
        )

    class ClientCommandDefs(BaseCommandDefs):
        """Commands the client receives."""

        load_control_event: Final = command(
            0x00,
            {
                "issuer_event_id": t.uint32_t,
                "device_class": t.bitmap16,
                "utility_enrollment_group": t.uint8_t,
                "start_time": t.UTCTime,
                "duration_in_minutes": t.uint16_t,
                "criticality_level": t.uint8_t,
                "cooling_temperature_offset": t.uint8_t,
                "heating_temperature_offset": t.uint8_t,
                "cooling_temperature_set_point": t.int16s,
                "heating_temperature_set_point": t.int16s,
                "average_load_adjustment_percentage": t.int8s,
                "duty_cycle": t.uint8_t,
                "event_control": t.bitmap8,
            },
        )
        cancel_load_control_event: Final = command(
            0x01,
            {
                "issuer_event_id": t.uint32_t,
                "device_class": t.bitmap16,
                "utility_enrollment_group": t.uint8_t,
                "cancel_control": t.bitmap8,
                "effective_time": t.UTCTime,
            },
        )
        cancel_all_load_control_events: Final = command(0x02, {"cancel_control": t.bitmap8})


class EnergyManagement(SmartEnergyCluster):
    """Energy Management 0x0706, since SE 1.2."""

    cluster_id = cluster_number(ENERGY_MANAGEMENT)
    ep_attribute = "smartenergy_energy_management"
    introduced = SeVersion.SE_1_2A

    class AttributeDefs(BaseAttributeDefs):
        """Server attributes."""

        load_control_state: Final = attribute(0x0000, t.bitmap8)
        current_event_id: Final = attribute(0x0001, t.uint32_t)
        current_event_status: Final = attribute(0x0002, t.bitmap8)
        conformance_level: Final = attribute(0x0003, t.uint8_t)
        minimum_off_time: Final = attribute(0x0004, t.uint16_t)
        minimum_on_time: Final = attribute(0x0005, t.uint16_t)
        minimum_cycle_period: Final = attribute(0x0006, t.uint16_t)

    class ServerCommandDefs(BaseCommandDefs):
        """Commands the server receives."""

        manage_event: Final = command(
            0x00,
            {
                "issuer_event_id": t.uint32_t,
                "device_class": t.bitmap16,
                "utility_enrollment_group": t.uint8_t,
                "action_required": t.bitmap8,
            },
        )

    class ClientCommandDefs(BaseCommandDefs):
        """Commands the client receives."""

        report_event_status: Final = command(0x00, dict(_EVENT_STATUS))
