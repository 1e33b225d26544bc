"""Price 0x0700 (fact sheet 2.5, 2.6)."""

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
from emulator.zcl.identifiers import PRICE


def _tier_labels() -> Iterator[tuple[str, int, type]]:
    label = octets(12)
    for tier in range(48):
        yield f"tier{tier + 1}_price_label", tier, label


def _block_thresholds() -> Iterator[tuple[str, int, type]]:
    """Yield the thresholds without tier, then of tiers 1 to 15, each followed by its count."""
    for tier in range(16):
        name = f"tier{tier}_" if tier else ""
        for block in range(15):
            yield f"{name}block{block + 1}_threshold", 0x0100 + 16 * tier + block, t.uint48_t
        yield f"{name}block_threshold_count", 0x010F + 16 * tier, t.uint8_t


def _block_prices() -> Iterator[tuple[str, int, type]]:
    for tier in range(16):
        name = f"tier{tier}" if tier else "no_tier"
        for block in range(16):
            yield f"{name}_block{block + 1}_price", 0x0400 + 16 * tier + block, t.uint32_t


def _tier_prices() -> Iterator[tuple[str, int, type]]:
    for tier in range(16, 49):
        yield f"price_tier{tier}", 0x050F + tier - 16, t.uint32_t


def _credit_payments() -> Iterator[tuple[str, int, type]]:
    for number in range(5):
        base = 0x0810 + 0x10 * number
        yield f"credit_payment_{number + 1}", base, t.uint32_t
        yield f"credit_payment_date_{number + 1}", base + 1, t.UTCTime
        yield f"credit_payment_ref_{number + 1}", base + 2, t.LVBytes


_FROM_EVENT: Final = {
    "earliest_start_time": t.UTCTime,
    "min_issuer_event_id": t.uint32_t,
    "number_of_commands": t.uint8_t,
}
"""What the requests ask for that page through events."""

_TARIFF_PART: Final = {
    "provider_id": t.uint32_t,
    "issuer_event_id": t.uint32_t,
    "start_time": t.UTCTime,
    "issuer_tariff_id": t.uint32_t,
    "command_index": t.uint8_t,
    "total_number_of_commands": t.uint8_t,
    "sub_payload_control": t.bitmap8,
    "sub_payload": t.Bytes,
}
"""One command of several that together publish a matrix or a table of thresholds."""


class _PriceAttributeDefs(BaseAttributeDefs):
    pass


for _series in (_tier_labels, _block_thresholds, _block_prices, _tier_prices, _credit_payments):
    add_series(_PriceAttributeDefs, _series())
add_series(
    _PriceAttributeDefs,
    [
        ("start_of_block_period", 0x0200, t.UTCTime),
        ("block_period_duration", 0x0201, t.uint24_t),
        ("threshold_multiplier", 0x0202, t.uint24_t),
        ("threshold_divisor", 0x0203, t.uint24_t),
        ("block_period_duration_type", 0x0204, t.bitmap8),
        ("commodity_type", 0x0300, t.enum8),
        ("standing_charge", 0x0301, t.uint32_t),
        ("conversion_factor", 0x0302, t.uint32_t),
        ("conversion_factor_trailing_digit", 0x0303, t.bitmap8),
        ("calorific_value", 0x0304, t.uint32_t),
        ("calorific_value_unit", 0x0305, t.enum8),
        ("calorific_value_trailing_digit", 0x0306, t.bitmap8),
        ("cpp1_price", 0x05FE, t.uint32_t),
        ("cpp2_price", 0x05FF, t.uint32_t),
        ("tariff_label", 0x0610, octets(24)),
        ("number_of_price_tiers_in_use", 0x0611, t.uint8_t),
        ("number_of_block_thresholds_in_use", 0x0612, t.uint8_t),
        ("tier_block_mode", 0x0613, t.uint8_t),
        ("unit_of_measure", 0x0615, t.enum8),
        ("currency", 0x0616, t.uint16_t),
        ("price_trailing_digit", 0x0617, t.bitmap8),
        ("tariff_resolution_period", 0x0619, t.enum8),
        ("co2", 0x0620, t.uint32_t),
        ("co2_unit", 0x0621, t.enum8),
        ("co2_trailing_digit", 0x0622, t.bitmap8),
        ("current_billing_period_start", 0x0700, t.UTCTime),
        ("current_billing_period_duration", 0x0701, t.uint24_t),
        ("last_billing_period_start", 0x0702, t.UTCTime),
        ("last_billing_period_duration", 0x0703, t.uint24_t),
        ("last_billing_period_consolidated_bill", 0x0704, t.uint32_t),
        ("credit_payment_due_date", 0x0800, t.UTCTime),
        ("credit_payment_status", 0x0801, t.enum8),
        ("credit_payment_over_due_amount", 0x0802, t.int32s),
        ("payment_discount", 0x080A, t.int32s),
        ("payment_discount_period", 0x080B, t.enum8),
    ],
)


class Price(SmartEnergyCluster):
    """Price 0x0700."""

    cluster_id = cluster_number(PRICE)
    ep_attribute = "smartenergy_price"

    class AttributeDefs(_PriceAttributeDefs):
        """Server attributes."""

    class ClientAttributeDefs(BaseAttributeDefs):
        """Client attributes."""

        price_increase_randomize_minutes: Final = attribute(0x0000, t.uint8_t, access="rw")
        price_decrease_randomize_minutes: Final = attribute(0x0001, t.uint8_t, access="rw")
        commodity_type: Final = attribute(0x0002, t.enum8)

    class ServerCommandDefs(BaseCommandDefs):
        """Commands the server receives."""

        get_current_price: Final = command(0x00, {"command_options": t.bitmap8})
        get_scheduled_prices: Final = command(0x01, {"start_time": t.UTCTime, "number_of_events": t.uint8_t})
        price_acknowledgement: Final = command(
            0x02,
            {
                "provider_id": t.uint32_t,
                "issuer_event_id": t.uint32_t,
                "price_ack_time": t.UTCTime,
                "control": t.bitmap8,
            },
        )
        get_block_periods: Final = command(
            0x03,
            {"start_time": t.UTCTime, "number_of_events": t.uint8_t, "tariff_type?": t.bitmap8},
        )
        get_conversion_factor: Final = command(0x04, _FROM_EVENT)
        get_calorific_value: Final = command(0x05, _FROM_EVENT)
        get_tariff_information: Final = command(0x06, {**_FROM_EVENT, "tariff_type": t.bitmap8})
        get_price_matrix: Final = command(0x07, {"issuer_tariff_id": t.uint32_t})
        get_block_thresholds: Final = command(0x08, {"issuer_tariff_id": t.uint32_t})
        get_co2_value: Final = command(0x09, {**_FROM_EVENT, "tariff_type": t.bitmap8})
        get_tier_labels: Final = command(0x0A, {"issuer_tariff_id": t.uint32_t})
        get_billing_period: Final = command(0x0B, {**_FROM_EVENT, "tariff_type?": t.bitmap8})
        get_consolidated_bill: Final = command(0x0C, {**_FROM_EVENT, "tariff_type?": t.bitmap8})
        cpp_event_response: Final = command(0x0D, {"issuer_event_id": t.uint32_t, "cpp_auth": t.enum8})
        get_credit_payment: Final = command(
            0x0E, {"latest_end_time": t.UTCTime, "number_of_records": t.uint8_t}
        )
        get_currency_conversion: Final = command(0x0F, {})
        get_tariff_cancellation: Final = command(0x10, {})

    class ClientCommandDefs(BaseCommandDefs):
        """Commands the client receives."""

        publish_price: Final = command(
            0x00,
            {
                "provider_id": t.uint32_t,
                "rate_label": t.LVBytes,
                "issuer_event_id": t.uint32_t,
                "current_time": t.UTCTime,
                "unit_of_measure": t.uint8_t,
                "currency": t.uint16_t,
                "price_trailing_digit_and_price_tier": t.bitmap8,
                "number_of_price_tiers_and_register_tier": t.bitmap8,
                "start_time": t.UTCTime,
                "duration_in_minutes": t.uint16_t,
                "price": t.uint32_t,
                "price_ratio": t.uint8_t,
                "generation_price": t.uint32_t,
                "generation_price_ratio": t.uint8_t,
                "alternate_cost_delivered?": t.uint32_t,
                "alternate_cost_unit?": t.uint8_t,
                "alternate_cost_trailing_digit?": t.bitmap8,
                "number_of_block_thresholds?": t.uint8_t,
                "price_control?": t.bitmap8,
                "number_of_generation_tiers?": t.uint8_t,
                "generation_tier?": t.uint8_t,
                "extended_number_of_price_tiers?": t.uint8_t,
                "extended_price_tier?": t.uint8_t,
                "extended_register_tier?": t.uint8_t,
            },
        )
        publish_block_period: Final = command(
            0x01,
            {
                "provider_id": t.uint32_t,
                "issuer_event_id": t.uint32_t,
                "block_period_start_time": t.UTCTime,
                "block_period_duration": t.uint24_t,
                "block_period_control": t.bitmap8,
                "block_period_duration_type?": t.bitmap8,
                "tariff_type?": t.bitmap8,
                "tariff_resolution_period?": t.enum8,
            },
        )
        publish_conversion_factor: Final = command(
            0x02,
            {
                "issuer_event_id": t.uint32_t,
                "start_time": t.UTCTime,
                "conversion_factor": t.uint32_t,
                "conversion_factor_trailing_digit": t.bitmap8,
            },
        )
        publish_calorific_value: Final = command(
            0x03,
            {
                "issuer_event_id": t.uint32_t,
                "start_time": t.UTCTime,
                "calorific_value": t.uint32_t,
                "calorific_value_unit": t.enum8,
                "calorific_value_trailing_digit": t.bitmap8,
            },
        )
        publish_tariff_information: Final = command(
            0x04,
            {
                "provider_id": t.uint32_t,
                "issuer_event_id": t.uint32_t,
                "issuer_tariff_id": t.uint32_t,
                "start_time": t.UTCTime,
                "tariff_type_and_charging_scheme": t.bitmap8,
                "tariff_label": t.LVBytes,
                "number_of_price_tiers_in_use": t.uint8_t,
                "number_of_block_thresholds_in_use": t.uint8_t,
                "unit_of_measure": t.uint8_t,
                "currency": t.uint16_t,
                "price_trailing_digit": t.bitmap8,
                "standing_charge": t.uint32_t,
                "tier_block_mode": t.uint8_t,
                "block_threshold_multiplier": t.uint24_t,
                "block_threshold_divisor": t.uint24_t,
            },
        )
        publish_price_matrix: Final = command(0x05, _TARIFF_PART)
        publish_block_thresholds: Final = command(0x06, _TARIFF_PART)
        publish_co2_value: Final = command(
            0x07,
            {
                "provider_id": t.uint32_t,
                "issuer_event_id": t.uint32_t,
                "start_time": t.UTCTime,
                "tariff_type": t.bitmap8,
                "co2_value": t.uint32_t,
                "co2_value_unit": t.enum8,
                "co2_value_trailing_digit": t.bitmap8,
            },
        )
        publish_tier_labels: Final = command(
            0x08,
            {
                "provider_id": t.uint32_t,
                "issuer_event_id": t.uint32_t,
                "issuer_tariff_id": t.uint32_t,
                "command_index": t.uint8_t,
                "total_number_of_commands": t.uint8_t,
                "number_of_labels": t.uint8_t,
                "labels": t.Bytes,
            },
        )
        publish_billing_period: Final = command(
            0x09,
            {
                "provider_id": t.uint32_t,
                "issuer_event_id": t.uint32_t,
                "billing_period_start_time": t.UTCTime,
                "billing_period_duration": t.uint24_t,
                "billing_period_duration_type": t.bitmap8,
                "tariff_type": t.bitmap8,
            },
        )
        publish_consolidated_bill: Final = command(
            0x0A,
            {
                "provider_id": t.uint32_t,
                "issuer_event_id": t.uint32_t,
                "billing_period_start_time": t.UTCTime,
                "billing_period_duration": t.uint24_t,
                "billing_period_duration_type": t.bitmap8,
                "tariff_type": t.bitmap8,
                "consolidated_bill": t.uint32_t,
                "currency": t.uint16_t,
                "bill_trailing_digit": t.bitmap8,
            },
        )
        publish_cpp_event: Final = command(
            0x0B,
            {
                "provider_id": t.uint32_t,
                "issuer_event_id": t.uint32_t,
                "start_time": t.UTCTime,
                "duration_in_minutes": t.uint16_t,
                "tariff_type": t.bitmap8,
                "cpp_price_tier": t.uint8_t,
                "cpp_auth": t.enum8,
            },
        )
        publish_credit_payment: Final = command(
            0x0C,
            {
                "provider_id": t.uint32_t,
                "issuer_event_id": t.uint32_t,
                "credit_payment_due_date": t.UTCTime,
                "credit_payment_overdue_amount": t.uint32_t,
                "credit_payment_status": t.enum8,
                "credit_payment": t.uint32_t,
                "credit_payment_date": t.UTCTime,
                "credit_payment_ref": t.LVBytes,
            },
        )
        publish_currency_conversion: Final = command(
            0x0D,
            {
                "provider_id": t.uint32_t,
                "issuer_event_id": t.uint32_t,
                "start_time": t.UTCTime,
                "old_currency": t.uint16_t,
                "new_currency": t.uint16_t,
                "conversion_factor": t.uint32_t,
                "conversion_factor_trailing_digit": t.bitmap8,
                "currency_change_control_flags": t.bitmap32,
            },
        )
        cancel_tariff: Final = command(
            0x0E,
            {
                "provider_id": t.uint32_t,
                "issuer_tariff_id": t.uint32_t,
                "tariff_type": t.bitmap8,
            },
        )

    # The fact sheet's where it names a version; the rest of an attribute set follows its neighbours.
    attributes_since = {
        range(0x0006): SeVersion.SE_1_0,
        range(0x0006, 0x000F): SeVersion.SE_1_1,
        range(0x000F, 0x0100): SeVersion.SE_1_2A,
        range(0x0100, 0x010F): SeVersion.SE_1_1,
        range(0x010F, 0x0200): SeVersion.SE_1_2A,
        only(0x0204): SeVersion.SE_1_2A,
        range(0x0200, 0x0204): SeVersion.SE_1_1,
        range(0x0300, 0x0302): SeVersion.SE_1_1,
        range(0x0302, 0x0307): SeVersion.SE_1_1A,
        range(0x0400, 0x0500): SeVersion.SE_1_1,
        range(0x0500, 0x0700): SeVersion.SE_1_2A,
        range(0x0700, 0x0702): SeVersion.SE_1_1B,
        range(0x0702, 0x10000): SeVersion.SE_1_2A,
    }
    server_commands_since = {
        range(0x02, 0x04): SeVersion.SE_1_1,
        range(0x04, 0x06): SeVersion.SE_1_1A,
        range(0x06, 0x11): SeVersion.SE_1_2A,
    }
    client_commands_since = {
        only(0x01): SeVersion.SE_1_1,
        range(0x02, 0x04): SeVersion.SE_1_1A,
        range(0x04, 0x0F): SeVersion.SE_1_2A,
    }
