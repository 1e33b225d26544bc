"""Prepayment 0x0705 (fact sheet 2.5, 2.6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import zigpy.types as t
from zigpy.zcl.foundation import BaseAttributeDefs, BaseCommandDefs

from emulator.smart_energy.clusters.definition import (
    SmartEnergyCluster,
    add_series,
    attribute,
    cluster_number,
    command,
    octets,
    only,
)
from emulator.smart_energy.version import SeVersion
from emulator.zcl.identifiers import PREPAYMENT


def _top_ups() -> Iterator[tuple[str, int, type]]:
    for number in range(5):
        base = 0x0100 + 0x10 * number
        yield f"top_up_date_time_{number + 1}", base, t.UTCTime
        yield f"top_up_amount_{number + 1}", base + 1, t.int32s
        yield f"top_up_originating_device_{number + 1}", base + 2, t.enum8
        yield f"top_up_code_{number + 1}", base + 3, octets(25)


def _debts() -> Iterator[tuple[str, int, type]]:
    for number in range(1, 4):
        base = 0x0200 + 0x10 * number
        yield f"debt_label_{number}", base, octets(12)
        yield f"debt_amount_{number}", base + 1, t.uint32_t
        yield f"debt_recovery_method_{number}", base + 2, t.enum8
        yield f"debt_recovery_start_time_{number}", base + 3, t.UTCTime
        yield f"debt_recovery_collection_time_{number}", base + 4, t.uint16_t
        yield f"debt_recovery_frequency_{number}", base + 6, t.enum8
        yield f"debt_recovery_amount_{number}", base + 7, t.uint32_t
        yield f"debt_recovery_top_up_percentage_{number}", base + 9, t.uint16_t


def _cost_history() -> Iterator[tuple[str, int, type]]:
    for way, odd in (("delivered", 0), ("received", 1)):
        for base, period, count in ((0x051C, "day", 8), (0x0530, "week", 5), (0x0540, "month", 13)):
            yield f"current_{period}_cost_consumption_{way}", base + odd, t.uint48_t
            for back in range(1, count + 1):
                yield f"previous_{period}{back}_cost_consumption_{way}", base + 2 * back + odd, t.uint48_t


class _PrepaymentAttributeDefs(BaseAttributeDefs):
    payment_control_configuration: Final = attribute(0x0000, t.bitmap16, mandatory=True)


for _series in (_top_ups, _debts, _cost_history):
    add_series(_PrepaymentAttributeDefs, _series())
add_series(
    _PrepaymentAttributeDefs,
    [
        ("credit_remaining", 0x0001, t.int32s),
        ("emergency_credit_remaining", 0x0002, t.int32s),
        ("credit_status", 0x0003, t.bitmap8),
        ("credit_remaining_time_stamp", 0x0004, t.UTCTime),
        ("accumulated_debt", 0x0005, t.int32s),
        ("overall_debt_cap", 0x0006, t.int32s),
        ("emergency_credit_limit_allowance", 0x0010, t.uint32_t),
        ("emergency_credit_threshold", 0x0011, t.uint32_t),
        ("total_credit_added", 0x0020, t.uint48_t),
        ("max_credit_limit", 0x0021, t.uint32_t),
        ("max_credit_per_top_up", 0x0022, t.uint32_t),
        ("friendly_credit_warning", 0x0030, t.uint8_t),
        ("low_credit_warning_level", 0x0031, t.uint32_t),
        ("ihd_low_credit_warning_level", 0x0032, t.uint32_t),
        ("interrupt_suspend_time", 0x0033, t.uint8_t),
        ("remaining_friendly_credit_time", 0x0034, t.uint16_t),
        ("next_friendly_credit_period", 0x0035, t.UTCTime),
        ("cut_off_value", 0x0040, t.int32s),
        ("token_carrier_id", 0x0080, octets(20)),
        ("prepayment_alarm_status", 0x0400, t.bitmap16),
        ("prepay_generic_alarm_mask", 0x0401, t.bitmap16),
        ("prepay_switch_alarm_mask", 0x0402, t.bitmap16),
        ("prepay_event_alarm_mask", 0x0403, t.bitmap16),
        ("historical_cost_consumption_formatting", 0x0500, t.bitmap8),
        ("consumption_unit_of_measurement", 0x0501, t.enum8),
        ("currency_scaling_factor", 0x0502, t.enum8),
        ("currency", 0x0503, t.uint16_t),
        ("historical_freeze_time", 0x055C, t.uint16_t),
    ],
)


class Prepayment(SmartEnergyCluster):
    """Prepayment 0x0705, since SE 1.1."""

    cluster_id = cluster_number(PREPAYMENT)
    ep_attribute = "smartenergy_prepayment"
    introduced = SeVersion.SE_1_1

    class AttributeDefs(_PrepaymentAttributeDefs):
        """Server attributes."""

    class ServerCommandDefs(BaseCommandDefs):
        """Commands the server receives."""

        select_available_emergency_credit: Final = command(
            0x00, {"command_issue_date_time": t.UTCTime, "originating_device": t.enum8}
        )
        change_debt: Final = command(
            0x02,
            {
                "issuer_event_id": t.uint32_t,
                "debt_label": t.LVBytes,
                "debt_amount": t.int32s,
                "debt_recovery_method": t.enum8,
                "debt_amount_type": t.enum8,
                "debt_recovery_start_time": t.UTCTime,
                "debt_recovery_collection_time": t.uint16_t,
                "debt_recovery_frequency": t.enum8,
                "debt_recovery_amount": t.int32s,
                "debt_recovery_balance_percentage": t.uint16_t,
            },
        )
        emergency_credit_setup: Final = command(
            0x03,
            {
                "issuer_event_id": t.uint32_t,
                "start_time": t.UTCTime,
                "emergency_credit_limit": t.uint32_t,
                "emergency_credit_threshold": t.uint32_t,
            },
        )
        consumer_top_up: Final = command(0x04, {"originating_device": t.enum8, "top_up_code": t.LVBytes})
        credit_adjustment: Final = command(
            0x05,
            {
                "issuer_event_id": t.uint32_t,
                "start_time": t.UTCTime,
                "credit_adjustment_type": t.enum8,
                "credit_adjustment_value": t.int32s,
            },
        )
        change_payment_mode: Final = command(
            0x06,
            {
                "provider_id": t.uint32_t,
                "issuer_event_id": t.uint32_t,
                "implementation_date_time": t.UTCTime,
                "proposed_payment_control_configuration": t.bitmap16,
                "cut_off_value": t.int32s,
            },
        )
        get_prepay_snapshot: Final = command(
            0x07,
            {
                "earliest_start_time": t.UTCTime,
                "latest_end_time": t.UTCTime,
                "snapshot_offset": t.uint8_t,
                "snapshot_cause": t.bitmap32,
            },
        )
        get_top_up_log: Final = command(0x08, {"latest_end_time": t.UTCTime, "number_of_records": t.uint8_t})
        set_low_credit_warning_level: Final = command(0x09, {"low_credit_warning_level": t.uint32_t})
        get_debt_repayment_log: Final = command(
            0x0A,
            {"latest_end_time": t.UTCTime, "number_of_debts": t.uint8_t, "debt_type": t.enum8},
        )
        set_maximum_credit_limit: Final = command(
            0x0B,
            {
                "provider_id": t.uint32_t,
                "issuer_event_id": t.uint32_t,
                "implementation_date_time": t.UTCTime,
                "maximum_credit_level": t.uint32_t,
                "maximum_credit_per_top_up": t.uint32_t,
            },
        )
        set_overall_debt_cap: Final = command(
            0x0C,
            {
                "provider_id": t.uint32_t,
                "issuer_event_id": t.uint32_t,
                "implementation_date_time": t.UTCTime,
                "overall_debt_cap": t.int32s,
            },
        )

    class ClientCommandDefs(BaseCommandDefs):
        """Commands the client receives."""

        publish_prepay_snapshot: Final = command(
            0x01,
            {
                "snapshot_id": t.uint32_t,
                "snapshot_time": t.UTCTime,
                "total_snapshots_found": t.uint8_t,
                "command_index": t.uint8_t,
                "total_number_of_commands": t.uint8_t,
                "snapshot_cause": t.bitmap32,
                "snapshot_payload_type": t.enum8,
                "snapshot_payload": t.Bytes,
            },
        )
        change_payment_mode_response: Final = command(
            0x02,
            {
                "friendly_credit": t.bitmap8,
                "friendly_credit_calendar_id": t.uint32_t,
                "emergency_credit_limit": t.uint32_t,
                "emergency_credit_threshold": t.uint32_t,
            },
        )
        consumer_top_up_response: Final = command(
            0x03,
            {
                "result_type": t.enum8,
                "top_up_value": t.int32s,
                "source_of_top_up": t.enum8,
                "credit_remaining": t.int32s,
            },
        )
        publish_top_up_log: Final = command(
            0x05,
            {
                "command_index": t.uint8_t,
                "total_number_of_commands": t.uint8_t,
                "top_up_payload": t.Bytes,
            },
        )
        publish_debt_log: Final = command(
            0x06,
            {
                "command_index": t.uint8_t,
                "total_number_of_commands": t.uint8_t,
                "debt_payload": t.Bytes,
            },
        )

    attributes_since = {
        range(0x0004): SeVersion.SE_1_1,
        only(0x0103): SeVersion.SE_1_2A,
        only(0x0113): SeVersion.SE_1_2A,
        only(0x0123): SeVersion.SE_1_2A,
        only(0x0133): SeVersion.SE_1_2A,
        only(0x0143): SeVersion.SE_1_2A,
        range(0x0100, 0x0143): SeVersion.SE_1_1,
        range(0x0004, 0x10000): SeVersion.SE_1_2A,
    }
    server_commands_since = {range(0x02, 0x0D): SeVersion.SE_1_2A}
    client_commands_since = {range(0x01, 0x07): SeVersion.SE_1_2A}
