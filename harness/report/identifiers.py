"""Names of Smart Energy devices and clusters, for people (ZigBee SE profile, device and cluster identifiers)."""

from __future__ import annotations

_CLUSTERS = {
    0x0000: "Basic",
    0x0001: "Power Configuration",
    0x0003: "Identify",
    0x000A: "Time",
    0x0015: "Commissioning",
    0x0019: "OTA Upgrade",
    0x0025: "Keep-Alive",
    0x0700: "Price",
    0x0701: "Demand Response",
    0x0702: "Metering",
    0x0703: "Messaging",
    0x0704: "Tunneling",
    0x0705: "Prepayment",
    0x0706: "Energy Management",
    0x0707: "Calendar",
    0x0708: "Device Management",
    0x0709: "Events",
    0x070A: "MDU Pairing",
    0x0800: "Key Establishment",
    0x0B01: "Meter Identification",
    0xFC01: "Device Control",
}
_DEVICES = {
    0x0500: "Energy service interface",
    0x0501: "Metering device",
    0x0502: "In-home display",
    0x0503: "Programmable communicating thermostat",
    0x0504: "Load control device",
    0x0505: "Smart appliance",
    0x0506: "Prepayment terminal",
    0x0507: "Physical device",
    0x0508: "Remote communications device",
}


def cluster_name(cluster: int) -> str:
    """Return a cluster's name, or its number when it has none here."""
    return _CLUSTERS.get(cluster, f"0x{cluster:04X}")


def device_name(device: int) -> str:
    """Return the name of a Smart Energy device id, or its number when it has none here."""
    return _DEVICES.get(device, f"0x{device:04X}")
