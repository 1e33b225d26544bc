"""The link key a device of an installation starts from when it joins."""

from __future__ import annotations

from emulator.crypto.install_code import install_code_link_key
from emulator.stack.keys.well_known import WELL_KNOWN_KEY
from hw_profiles.installation import DeviceEntry


def joining_key(entry: DeviceEntry) -> bytes:
    """Return the key of a device's install code, or the well-known key when the entry says so.

    Raises `CryptoError` for a damaged install code.
    """
    return WELL_KNOWN_KEY if entry.joins_with_known_key else install_code_link_key(entry.install_code_octets)
