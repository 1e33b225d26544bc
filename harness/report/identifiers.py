"""Names of Smart Energy devices and clusters, for people (ZigBee SE profile, device and cluster identifiers)."""

from __future__ import annotations

from emulator.zcl import identifiers as zcl

_CLUSTERS = {
    zcl.BASIC: "Basic",
    zcl.POWER_CONFIGURATION: "Power Configuration",
    zcl.IDENTIFY: "Identify",
    zcl.TIME: "Time",
    zcl.COMMISSIONING: "Commissioning",
    zcl.OTA_UPGRADE: "OTA Upgrade",
    zcl.KEEP_ALIVE: "Keep-Alive",
    zcl.PRICE: "Price",
    zcl.LOAD_CONTROL: "Demand Response",
    zcl.METERING: "Metering",
    zcl.MESSAGING: "Messaging",
    zcl.TUNNELING: "Tunneling",
    zcl.PREPAYMENT: "Prepayment",
    zcl.ENERGY_MANAGEMENT: "Energy Management",
    zcl.CALENDAR: "Calendar",
    zcl.DEVICE_MANAGEMENT: "Device Management",
    zcl.EVENTS: "Events",
    zcl.MDU_PAIRING: "MDU Pairing",
    zcl.KEY_ESTABLISHMENT: "Key Establishment",
    zcl.METER_IDENTIFICATION: "Meter Identification",
    zcl.DEVICE_CONTROL: "Device Control",
}
_DEVICES = {
    zcl.ENERGY_SERVICE_INTERFACE: "Energy service interface",
    zcl.METERING_DEVICE: "Metering device",
    zcl.IN_HOME_DISPLAY: "In-home display",
    zcl.THERMOSTAT: "Programmable communicating thermostat",
    zcl.LOAD_CONTROL_DEVICE: "Load control device",
    zcl.SMART_APPLIANCE: "Smart appliance",
    zcl.PREPAYMENT_TERMINAL: "Prepayment terminal",
    zcl.PHYSICAL_DEVICE: "Physical device",
    zcl.REMOTE_COMMUNICATIONS_DEVICE: "Remote communications device",
}


def cluster_name(cluster: int) -> str:
    """Return a cluster's name, or its number when it has none here."""
    return _CLUSTERS.get(cluster, f"0x{cluster:04X}")


def device_name(device: int) -> str:
    """Return the name of a Smart Energy device id, or its number when it has none here."""
    return _DEVICES.get(device, f"0x{device:04X}")
