"""Calendar 0x0707 (fact sheet 2.5, 2.6)."""

from __future__ import annotations

from typing import Any, Final

import zigpy.types as t
from zigpy.zcl.foundation import BaseAttributeDefs, BaseCommandDefs

from emulator.smart_energy.clusters.definition import (
    SmartEnergyCluster,
    attribute,
    cluster_number,
    command,
    octets,
)
from emulator.smart_energy.version import SeVersion
from emulator.zcl.identifiers import CALENDAR

_ISSUER: dict[str, Any] = {
    "provider_id": t.uint32_t,
    "issuer_event_id": t.uint32_t,
    "issuer_calendar_id": t.uint32_t,
}
_CALENDAR_QUERY: dict[str, Any] = {
    "earliest_start_time": t.UTCTime,
    "min_issuer_event_id": t.uint32_t,
    "number_of_calendars": t.uint8_t,
    "calendar_type": t.enum8,
    "provider_id": t.uint32_t,
}
_LABEL = octets(22)


class Calendar(SmartEnergyCluster):
    """Calendar 0x0707, since SE 1.2."""

    cluster_id = cluster_number(CALENDAR)
    ep_attribute = "smartenergy_calendar"
    introduced = SeVersion.SE_1_2A

    class AttributeDefs(BaseAttributeDefs):
        """Server attributes."""

        aux_switch_1_label: Final = attribute(0x0000, _LABEL, access="rw")
        aux_switch_2_label: Final = attribute(0x0001, _LABEL, access="rw")
        aux_switch_3_label: Final = attribute(0x0002, _LABEL, access="rw")
        aux_switch_4_label: Final = attribute(0x0003, _LABEL, access="rw")
        aux_switch_5_label: Final = attribute(0x0004, _LABEL, access="rw")
        aux_switch_6_label: Final = attribute(0x0005, _LABEL, access="rw")
        aux_switch_7_label: Final = attribute(0x0006, _LABEL, access="rw")
        aux_switch_8_label: Final = attribute(0x0007, _LABEL, access="rw")

    class ServerCommandDefs(BaseCommandDefs):
        """Commands the server receives."""

        get_calendar: Final = command(0x00, _CALENDAR_QUERY)
        get_day_profiles: Final = command(
            0x01,
            {
                "provider_id": t.uint32_t,
                "issuer_calendar_id": t.uint32_t,
                "start_day_id": t.uint8_t,
                "number_of_days": t.uint8_t,
            },
        )
        get_week_profiles: Final = command(
            0x02,
            {
                "provider_id": t.uint32_t,
                "issuer_calendar_id": t.uint32_t,
                "start_week_id": t.uint8_t,
                "number_of_weeks": t.uint8_t,
            },
        )
        get_seasons: Final = command(0x03, {"provider_id": t.uint32_t, "issuer_calendar_id": t.uint32_t})
        get_special_days: Final = command(
            0x04,
            {
                "start_time": t.UTCTime,
                "number_of_events": t.uint8_t,
                "calendar_type": t.enum8,
                "provider_id": t.uint32_t,
                "issuer_calendar_id": t.uint32_t,
            },
        )
        get_calendar_cancellation: Final = command(0x05, {})

    class ClientCommandDefs(BaseCommandDefs):
        """Commands the client receives."""

        publish_calendar: Final = command(
            0x00,
            {
                **_ISSUER,
                "start_time": t.UTCTime,
                "calendar_type": t.enum8,
                "calendar_time_reference": t.enum8,
                "calendar_name": t.LVBytes,
                "number_of_seasons": t.uint8_t,
                "number_of_week_profiles": t.uint8_t,
                "number_of_day_profiles": t.uint8_t,
            },
        )
        publish_day_profile: Final = command(
            0x01,
            {
                **_ISSUER,
                "day_id": t.uint8_t,
                "total_number_of_schedule_entries": t.uint8_t,
                "command_index": t.uint8_t,
                "total_number_of_commands": t.uint8_t,
                "calendar_type": t.enum8,
                "day_schedule_entries": t.Bytes,
            },
        )
        publish_week_profile: Final = command(
            0x02,
            {
                **_ISSUER,
                "week_id": t.uint8_t,
                "day_id_ref_monday": t.uint8_t,
                "day_id_ref_tuesday": t.uint8_t,
                "day_id_ref_wednesday": t.uint8_t,
                "day_id_ref_thursday": t.uint8_t,
                "day_id_ref_friday": t.uint8_t,
                "day_id_ref_saturday": t.uint8_t,
                "day_id_ref_sunday": t.uint8_t,
            },
        )
        publish_seasons: Final = command(
            0x03,
            {
                **_ISSUER,
                "command_index": t.uint8_t,
                "total_number_of_commands": t.uint8_t,
                "season_entries": t.Bytes,
            },
        )
        publish_special_days: Final = command(
            0x04,
            {
                **_ISSUER,
                "start_time": t.UTCTime,
                "calendar_type": t.enum8,
                "total_number_of_special_days": t.uint8_t,
                "command_index": t.uint8_t,
                "total_number_of_commands": t.uint8_t,
                "special_day_entries": t.Bytes,
            },
        )
        cancel_calendar: Final = command(
            0x05,
            {
                "provider_id": t.uint32_t,
                "issuer_calendar_id": t.uint32_t,
                "calendar_type": t.enum8,
            },
        )
