"""Numbers that several rooms speak of: clusters and devices of Smart Energy (fact sheet, devices 2.4).

Attributes and commands of a cluster have their numbers in its definition, `emulator.smart_energy.clusters`.
"""

from __future__ import annotations

BASIC = 0x0000
POWER_CONFIGURATION = 0x0001
IDENTIFY = 0x0003
TIME = 0x000A
COMMISSIONING = 0x0015
OTA_UPGRADE = 0x0019
KEEP_ALIVE = 0x0025
PRICE = 0x0700
LOAD_CONTROL = 0x0701
METERING = 0x0702
MESSAGING = 0x0703
TUNNELING = 0x0704
PREPAYMENT = 0x0705
ENERGY_MANAGEMENT = 0x0706
CALENDAR = 0x0707
DEVICE_MANAGEMENT = 0x0708
EVENTS = 0x0709
MDU_PAIRING = 0x070A
SUB_GHZ = 0x070B
KEY_ESTABLISHMENT = 0x0800
METER_IDENTIFICATION = 0x0B01
DEVICE_CONTROL = 0xFC01
"""Manufacturer cluster that carries control envelopes; the project's own stand-in for the makers' protocols."""

ENERGY_SERVICE_INTERFACE = 0x0500
METERING_DEVICE = 0x0501
IN_HOME_DISPLAY = 0x0502
THERMOSTAT = 0x0503
LOAD_CONTROL_DEVICE = 0x0504
SMART_APPLIANCE = 0x0505
PREPAYMENT_TERMINAL = 0x0506
PHYSICAL_DEVICE = 0x0507
REMOTE_COMMUNICATIONS_DEVICE = 0x0508
