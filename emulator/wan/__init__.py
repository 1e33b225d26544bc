"""The wide-area link between a head end and the comms hub."""
