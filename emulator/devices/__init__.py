"""Emulated devices: comms hub, electricity meter, gas meter, in-home display."""
