"""Key Establishment cluster (0x0800): its commands as octets.

Command identifiers are the same in both directions. Numbers are little-endian, certificates and points as in
their own codecs. Smart Energy Annex C.3.1; protocol fact sheet, section 1.1.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NamedTuple

from emulator.crypto.suite import Suite
from emulator.errors import FrameError

LONGEST_TIME_SECONDS: Final = 0xFE
CONFIRMATION_OCTETS: Final = 16

_INITIATE: Final = struct.Struct("<HBB")
_TERMINATE: Final = struct.Struct("<BBH")


class CbkeCommand(IntEnum):
    """Command identifiers: requests towards the server, responses towards the client."""

    INITIATE = 0x00
    EPHEMERAL_DATA = 0x01
    CONFIRM_KEY = 0x02
    TERMINATE = 0x03


class TerminateStatus(IntEnum):
    """Why an exchange was terminated."""

    UNKNOWN_ISSUER = 0x01
    BAD_KEY_CONFIRM = 0x02
    BAD_MESSAGE = 0x03
    NO_RESOURCES = 0x04
    UNSUPPORTED_SUITE = 0x05
    INVALID_CERTIFICATE = 0x06


class Initiate(NamedTuple):
    """Initiate Key Establishment request and response; times are in whole seconds."""

    suites: int
    ephemeral_seconds: int
    confirm_seconds: int
    certificate: bytes

    def encode(self) -> bytes:
        """Return the payload."""
        return _INITIATE.pack(self.suites, self.ephemeral_seconds, self.confirm_seconds) + self.certificate


class Terminate(NamedTuple):
    """Terminate Key Establishment; `suites` is the bitmap of suites the sender supports."""

    status: int
    wait_seconds: int
    suites: int

    def encode(self) -> bytes:
        """Return the payload, four octets."""
        return _TERMINATE.pack(self.status, self.wait_seconds, self.suites)


def decode_initiate(payload: bytes) -> Initiate:
    """Read an Initiate; the certificate's length is checked by `parse_certificate`, which knows the suite.

    Raises `FrameError` for a payload too short and for a time of 0xFF.
    """
    if len(payload) < _INITIATE.size:
        raise FrameError(f"CBKE Initiate: {len(payload)} octets, expected at least {_INITIATE.size}")
    suites, ephemeral, confirm = _INITIATE.unpack_from(payload)
    for offset, seconds in ((2, ephemeral), (3, confirm)):
        if seconds > LONGEST_TIME_SECONDS:
            raise FrameError(f"CBKE Initiate: offset {offset}, time 0xFF, expected 0x00 to 0xFE seconds")
    return Initiate(suites, ephemeral, confirm, payload[_INITIATE.size :])


def decode_terminate(payload: bytes) -> Terminate:
    """Read a Terminate; raises `FrameError` unless it has four octets. Any status is accepted."""
    if len(payload) != _TERMINATE.size:
        raise FrameError(f"CBKE Terminate: {len(payload)} octets, expected {_TERMINATE.size}")
    return Terminate(*_TERMINATE.unpack(payload))


def check_ephemeral(suite: Suite, payload: bytes) -> bytes:
    """Return an Ephemeral Data payload, a compressed point; raises `FrameError` for a wrong length."""
    expected = suite.parameters.point_octets
    if len(payload) != expected:
        raise FrameError(f"CBKE Ephemeral Data: {len(payload)} octets, expected {expected}")
    return payload


def check_confirmation(payload: bytes) -> bytes:
    """Return a Confirm Key payload, MACU or MACV; raises `FrameError` unless it has sixteen octets."""
    if len(payload) != CONFIRMATION_OCTETS:
        raise FrameError(f"CBKE Confirm Key: {len(payload)} octets, expected {CONFIRMATION_OCTETS}")
    return payload


def best_common_suite(own_suites: int, partner_suites: int) -> Suite | None:
    """Return the highest suite in both KeyEstablishmentSuite bitmaps, None when there is none."""
    common = own_suites & partner_suites
    return next((suite for suite in sorted(Suite, reverse=True) if common & suite), None)
