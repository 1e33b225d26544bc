"""What a device says of itself: the Basic cluster and the attributes of its OTA client."""

from __future__ import annotations

from collections.abc import Callable

from emulator.devices.attributes import AttributeRow
from emulator.devices.firmware_client import FirmwareClient
from emulator.stack.zdo.descriptors import (
    CONSTANT_MAINS,
    DISPOSABLE_BATTERY,
    PowerDescriptor,
    power_level,
)
from hw_profiles.model import ActivationPolicy, FirmwareVersion, Model, NodeType, PowerSource, Quirk

_NO_VERSION = 0xFFFFFFFF


def basic_rows(
    model: Model, version: int, firmware: FirmwareVersion | None = None
) -> tuple[AttributeRow, ...]:
    """Return the Basic attributes; `firmware` is what the profile knows of the running `version`."""
    identity = model.identity
    name = firmware.model_identifier if firmware is not None else None
    display = firmware.display if firmware is not None else f"{version:08X}"
    return (
        AttributeRow(0x0000, "zcl_version", "uint8", identity.zcl_version),
        AttributeRow(0x0001, "application_version", "uint8", identity.application_version),
        AttributeRow(0x0002, "stack_version", "uint8", identity.stack_version),
        AttributeRow(0x0003, "hw_version", "uint8", identity.hardware_version & 0xFF),
        AttributeRow(0x0004, "manufacturer_name", "string", identity.manufacturer_name),
        AttributeRow(0x0005, "model_identifier", "string", name or identity.model_identifier),
        AttributeRow(0x0006, "date_code", "string", identity.date_code),
        AttributeRow(0x0007, "power_source", "enum8", model.node.power_source.zcl),
        AttributeRow(0x4000, "sw_build_id", "string", display),
    )


def power_descriptor(model: Model, percent: float = 100.0) -> PowerDescriptor:
    """Return the node power descriptor of a device whose battery, if it has one, holds `percent`."""
    battery = model.node.power_source is PowerSource.BATTERY
    source = DISPOSABLE_BATTERY if battery else CONSTANT_MAINS
    periodic = model.node.type is NodeType.SLEEPY
    return PowerDescriptor(int(periodic), source, source, power_level(percent))


def ota_rows(
    model: Model, client: FirmwareClient, version: Callable[[], int], server: Callable[[], int]
) -> tuple[AttributeRow, ...]:
    """Return the OTA client's attributes; `version` is what it says it runs, `server` its server's EUI-64."""
    machine = client.machine
    policy = machine.policy
    assert model.ota is not None
    external = model.ota.activation.policy is ActivationPolicy.OUT_OF_BAND
    waits_for_answer = Quirk.ACTIVATES_WITHOUT_ANSWER not in model.quirks
    return (
        AttributeRow(0x0000, "upgrade_server_id", "eui64", server),
        AttributeRow(0x0001, "file_offset", "uint32", lambda: machine.offset),
        AttributeRow(0x0002, "current_file_version", "uint32", version),
        AttributeRow(
            0x0004, "downloaded_file_version", "uint32", lambda: machine.downloaded_version or _NO_VERSION
        ),
        AttributeRow(0x0006, "image_upgrade_status", "enum8", lambda: int(machine.status)),
        AttributeRow(0x0007, "manufacturer_id", "uint16", policy.manufacturer),
        AttributeRow(0x0008, "image_type_id", "uint16", policy.image_type),
        AttributeRow(0x0009, "minimum_block_request_period", "uint16", lambda: machine.minimum_block_period),
        AttributeRow(0x000B, "upgrade_activation_policy", "enum8", int(external)),
        AttributeRow(0x000C, "upgrade_timeout_policy", "enum8", int(waits_for_answer)),
    )


def price_rows(model: Model) -> tuple[AttributeRow, ...]:
    """Return the gas conversion constants of a Price server: 1.0 and 40.0 MJ/m3 unless the tariff says otherwise.

    Stacks generated from one widespread definition start with the factor 0x10000000, which reads as 26.84
    (fact sheet, devices 2.5): the quirk.
    """
    odd = Quirk.CONVERSION_FACTOR_HEX_DEFAULT in model.quirks
    return (
        AttributeRow(0x0302, "conversion_factor", "uint32", 0x1000_0000 if odd else 10_000_000),
        AttributeRow(0x0303, "conversion_factor_trailing_digit", "bitmap8", 0x70),
        AttributeRow(0x0304, "calorific_value", "uint32", 0x0262_5A00),
        AttributeRow(0x0305, "calorific_value_unit", "enum8", 0x01),
        AttributeRow(0x0306, "calorific_value_trailing_digit", "bitmap8", 0x60),
    )
