"""A SMETS1 home area network, emulated down to the octets on the air."""
