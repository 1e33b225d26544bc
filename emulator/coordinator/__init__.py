"""Radios the comms hub can use, as zigpy sees them."""
