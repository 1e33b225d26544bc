"""The electricity meter (ESME): a mains router with the Metering cluster, read by the hub and the display."""

from __future__ import annotations

from emulator.devices.meter import Meter


class ElectricityMeter(Meter):
    """An ESME. It routes for devices that cannot hear the hub."""
