"""Certificate-based key establishment: codec, cryptography, machines."""
