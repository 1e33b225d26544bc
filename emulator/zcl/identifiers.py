"""Numbers that several rooms speak of: clusters and the profile of Smart Energy (fact sheet, devices 2.4)."""

from __future__ import annotations

SMART_ENERGY_PROFILE = 0x0109

BASIC = 0x0000
POWER_CONFIGURATION = 0x0001
TIME = 0x000A
COMMISSIONING = 0x0015
OTA_UPGRADE = 0x0019
PRICE = 0x0700
LOAD_CONTROL = 0x0701
METERING = 0x0702
MESSAGING = 0x0703
KEY_ESTABLISHMENT = 0x0800
DEVICE_CONTROL = 0xFC01
"""Manufacturer cluster that carries control envelopes; the project's own stand-in for the makers' protocols."""
