"""Faults of an emulated home, as its installation file lists them: named, timed, and the same every time."""
