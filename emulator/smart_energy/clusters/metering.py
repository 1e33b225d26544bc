"""Metering 0x0702: zigpy's definition plus what it leaves out (fact sheet 2.5, 2.6, 2.7)."""

from __future__ import annotations

from collections.abc import Iterator

import zigpy.types as t
from zigpy.zcl.clusters import smartenergy
from zigpy.zcl.foundation import BaseAttributeDefs

from emulator.smart_energy.clusters.definition import SmartEnergyMixin, add_series, attribute, only
from emulator.smart_energy.version import SeVersion

MIRROR_OFFSET = 0x7F
"""A mirror shows the mirrored device's MeteringDeviceType plus this (electric 0x7F, gas 0x80)."""
UNDEFINED_MIRROR = 0xFE
REQUEST_MIRROR = int(smartenergy.Metering.ClientCommandDefs.request_mirror.id)
REQUEST_MIRROR_RESPONSE = int(smartenergy.Metering.ServerCommandDefs.request_mirror_response.id)
NO_MIRROR = 0xFFFF
"""In a RequestMirrorResponse: no endpoint can be had."""


def _blocks() -> Iterator[tuple[str, int, type]]:
    """Yield the block summations: 16 blocks without tier, then of tiers 1 to 15."""
    for tier in range(16):
        name = f"tier{tier}" if tier else "no_tier"
        for block in range(16):
            yield f"current_{name}_block{block + 1}_summ_delivered", 0x0700 + 16 * tier + block, t.uint48_t


def _alternative_history() -> Iterator[tuple[str, int, type]]:
    """Yield the alternative (energy) consumption of past days, weeks and months."""
    for way, odd in (("delivered", 0), ("received", 1)):
        for day in range(2, 9):
            name = f"previous_day{day}_alternative_consumption_{way}"
            yield name, 0x0C20 + 2 * (day - 2) + odd, t.uint24_t
        for base, period, count, python_type in (
            (0x0C30, "week", 5, t.uint24_t),
            (0x0C40, "month", 13, t.uint32_t),
        ):
            yield f"current_{period}_alternative_consumption_{way}", base + odd, python_type
            for back in range(1, count + 1):
                name = f"previous_{period}{back}_alternative_consumption_{way}"
                yield name, base + 2 * back + odd, python_type


class _MeteringAttributeDefs(smartenergy.Metering.AttributeDefs):
    """zigpy's attributes and those that follow in later attribute sets."""


add_series(_MeteringAttributeDefs, _blocks())
add_series(_MeteringAttributeDefs, _alternative_history())
add_series(
    _MeteringAttributeDefs,
    [
        ("interval_read_reporting_period", 0x0010, t.uint16_t),
        ("load_limit_supply_state", 0x0605, t.enum8),
        ("load_limit_counter", 0x0606, t.uint8_t),
        ("supply_tamper_state", 0x0607, t.enum8),
        ("supply_depletion_state", 0x0608, t.enum8),
        ("supply_uncontrolled_flow_state", 0x0609, t.enum8),
        ("bill_delivered_trailing_digit", 0x0A04, t.bitmap8),
        ("bill_to_date_received", 0x0A10, t.uint32_t),
        ("bill_to_date_time_stamp_received", 0x0A11, t.UTCTime),
        ("projected_bill_received", 0x0A12, t.uint32_t),
        ("projected_bill_time_stamp_received", 0x0A13, t.UTCTime),
        ("bill_received_trailing_digit", 0x0A14, t.bitmap8),
        ("proposed_change_supply_implementation_time", 0x0B00, t.UTCTime),
        ("proposed_change_supply_status", 0x0B01, t.enum8),
        ("uncontrolled_flow_threshold", 0x0B10, t.uint16_t),
        ("uncontrolled_flow_unit_of_measure", 0x0B11, t.enum8),
        ("uncontrolled_flow_multiplier", 0x0B12, t.uint16_t),
        ("uncontrolled_flow_divisor", 0x0B13, t.uint16_t),
        ("flow_stabilisation_period", 0x0B14, t.uint8_t),
        ("flow_measurement_period", 0x0B15, t.uint16_t),
        ("alternative_instantaneous_demand", 0x0C00, t.int24s),
        ("current_day_alternative_consumption_delivered", 0x0C01, t.uint24_t),
        ("current_day_alternative_consumption_received", 0x0C02, t.uint24_t),
        ("previous_day_alternative_consumption_delivered", 0x0C03, t.uint24_t),
        ("previous_day_alternative_consumption_received", 0x0C04, t.uint24_t),
        ("current_alternative_partial_profile_interval_start_time_delivered", 0x0C05, t.UTCTime),
        ("current_alternative_partial_profile_interval_start_time_received", 0x0C06, t.UTCTime),
        ("current_alternative_partial_profile_interval_value_delivered", 0x0C07, t.uint24_t),
        ("current_alternative_partial_profile_interval_value_received", 0x0C08, t.uint24_t),
        ("current_day_alternative_max_pressure", 0x0C09, t.uint48_t),
        ("current_day_alternative_min_pressure", 0x0C0A, t.uint48_t),
        ("previous_day_alternative_max_pressure", 0x0C0B, t.uint48_t),
        ("previous_day_alternative_min_pressure", 0x0C0C, t.uint48_t),
        ("current_day_alternative_max_demand", 0x0C0D, t.int24s),
        ("previous_day_alternative_max_demand", 0x0C0E, t.int24s),
        ("current_month_alternative_max_demand", 0x0C0F, t.int24s),
        ("current_year_alternative_max_demand", 0x0C10, t.int24s),
    ],
)


class Metering(SmartEnergyMixin, smartenergy.Metering):
    """Metering 0x0702."""

    class AttributeDefs(_MeteringAttributeDefs):
        """Server attributes."""

    class ClientAttributeDefs(BaseAttributeDefs):
        """Client attributes: on a mirror, what the hub wants the meter to do."""

        functional_notification_flags = attribute(0x0000, t.bitmap32)
        notification_flags_2 = attribute(0x0001, t.bitmap32)
        notification_flags_3 = attribute(0x0002, t.bitmap32)
        notification_flags_4 = attribute(0x0003, t.bitmap32)
        notification_flags_5 = attribute(0x0004, t.bitmap32)
        notification_flags_6 = attribute(0x0005, t.bitmap32)
        notification_flags_7 = attribute(0x0006, t.bitmap32)
        notification_flags_8 = attribute(0x0007, t.bitmap32)

    # The fact sheet's where it names a version; the rest of an attribute set follows its neighbours.
    attributes_since = {
        only(0x001C): SeVersion.SE_1_1B,
        range(0x000A, 0x0015): SeVersion.SE_1_1,
        range(0x0015, 0x0023): SeVersion.SE_1_2A,
        range(0x0100, 0x010C): SeVersion.SE_1_0,
        range(0x010C, 0x0200): SeVersion.SE_1_1,
        range(0x0201, 0x0204): SeVersion.SE_1_1,
        range(0x0204, 0x0208): SeVersion.SE_1_2A,
        range(0x0307, 0x0309): SeVersion.SE_1_1,
        range(0x0309, 0x0315): SeVersion.SE_1_2A,
        range(0x0409, 0x0417): SeVersion.SE_1_1,
        range(0x0604, 0x060A): SeVersion.SE_1_2A,
        range(0x0700, 0x0800): SeVersion.SE_1_1,
        range(0x0800, 0x0806): SeVersion.SE_1_1,
        range(0x0806, 0x0D00): SeVersion.SE_1_2A,
        only(0xFFFE): SeVersion.SE_1_2A,
    }
    server_commands_since = {only(0x03): SeVersion.SE_1_1, range(0x04, 0x0F): SeVersion.SE_1_2A}
    client_commands_since = {only(0x03): SeVersion.SE_1_1, range(0x04, 0x0E): SeVersion.SE_1_2A}
