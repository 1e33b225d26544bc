"""What a device says of itself: the Basic cluster and the attributes of its OTA client."""

from __future__ import annotations

from collections.abc import Callable

from emulator.devices.attributes import Contents
from emulator.devices.firmware_client import FirmwareClient
from emulator.stack.zdo.descriptors import (
    CONSTANT_MAINS,
    DISPOSABLE_BATTERY,
    PowerDescriptor,
    power_level,
)
from hw_profiles.model import ActivationPolicy, FirmwareVersion, Model, NodeType, PowerSource, Quirk

_NO_VERSION = 0xFFFFFFFF


def basic_attributes(model: Model, version: int, firmware: FirmwareVersion | None = None) -> Contents:
    """Return the Basic attributes; `firmware` is what the profile knows of the running `version`."""
    identity = model.identity
    name = firmware.model_identifier if firmware is not None else None
    display = firmware.display if firmware is not None else f"{version:08X}"
    return {
        "zcl_version": identity.zcl_version,
        "app_version": identity.application_version,
        "stack_version": identity.stack_version,
        "hw_version": identity.hardware_version & 0xFF,
        "manufacturer": identity.manufacturer_name,
        "model": name or identity.model_identifier,
        "date_code": identity.date_code,
        "power_source": model.node.power_source.zcl,
        "sw_build_id": display,
    }


def power_descriptor(model: Model, percent: float = 100.0) -> PowerDescriptor:
    """Return the node power descriptor of a device whose battery, if it has one, holds `percent`."""
    battery = model.node.power_source is PowerSource.BATTERY
    source = DISPOSABLE_BATTERY if battery else CONSTANT_MAINS
    periodic = model.node.type is NodeType.SLEEPY
    return PowerDescriptor(int(periodic), source, source, power_level(percent))


def ota_attributes(
    model: Model, client: FirmwareClient, version: Callable[[], int], server: Callable[[], int]
) -> Contents:
    """Return the OTA client's attributes; `version` is what it says it runs, `server` its server's EUI-64."""
    machine = client.machine
    policy = machine.policy
    assert model.ota is not None
    external = model.ota.activation.policy is ActivationPolicy.OUT_OF_BAND
    waits_for_answer = Quirk.ACTIVATES_WITHOUT_ANSWER not in model.quirks
    return {
        "upgrade_server_id": server,
        "file_offset": lambda: machine.offset,
        "current_file_version": version,
        "downloaded_file_version": lambda: machine.downloaded_version or _NO_VERSION,
        "image_upgrade_status": lambda: int(machine.status),
        "manufacturer_id": policy.manufacturer,
        "image_type_id": policy.image_type,
        "minimum_block_req_delay": lambda: machine.minimum_block_period,
        "upgrade_activation_policy": int(external),
        "upgrade_timeout_policy": int(waits_for_answer),
    }


def price_attributes(model: Model) -> Contents:
    """Return the gas conversion constants of a Price server: 1.0 and 40.0 MJ/m3 unless the tariff says otherwise.

    Stacks generated from one widespread definition start with the factor 0x10000000, which reads as 26.84
    (fact sheet, devices 2.5): the quirk.
    """
    odd = Quirk.CONVERSION_FACTOR_HEX_DEFAULT in model.quirks
    return {
        "conversion_factor": 0x1000_0000 if odd else 10_000_000,
        "conversion_factor_trailing_digit": 0x70,
        "calorific_value": 0x0262_5A00,
        "calorific_value_unit": 0x01,
        "calorific_value_trailing_digit": 0x60,
    }
