"""The public test authority of Smart Energy Annex C: what certificates issued by "TESTSECA" are checked
against.

These are the public keys of the published examples (Annex C.5 for suite 1, C.6 for suite 2); the authority's
private keys are not public, so new certificates come from an `IssuingAuthority` of our own.
"""

from __future__ import annotations

from typing import Final

from emulator.crypto.curves import Point
from emulator.crypto.suite import Suite

ISSUER_SUITE_1: Final = b"TESTSECA"
ISSUER_SUITE_2: Final = bytes.fromhex("1112131415161718")

PUBLIC_KEY_SUITE_1: Final = bytes.fromhex("0200fde8a7f3d1084224962a4e7c54e69ac3f04da6b8")
PUBLIC_KEY_SUITE_2: Final = bytes.fromhex(
    "0207a445022d9f39f49bdc38380026a27a9e0a1799313ab28c5c1a1c6b605154db1dff6752"
)


def annex_c_public_key(suite: Suite) -> Point:
    """Return the test authority's public key of a suite."""
    octets = PUBLIC_KEY_SUITE_1 if suite is Suite.SUITE_1 else PUBLIC_KEY_SUITE_2
    return suite.parameters.curve.decompress(octets)
