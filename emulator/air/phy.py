"""The 2.4 GHz O-QPSK physical layer: timings, airtime and signal strength.

Times are microseconds (1 symbol = 16 us, 1 octet = 32 us), powers dBm. Timings are those of IEEE
802.15.4-2006 as the protocol fact sheet gives them (section 4.2); the path-loss model is the log-distance
model with indoor figures.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from emulator.errors import FrameError

MAX_PSDU = 127
"""aMaxPHYPacketSize, octets including the FCS."""

CHANNELS = tuple(range(11, 27))
SYMBOL_US = 16
OCTET_US = 32
PHY_OVERHEAD_OCTETS = 6
"""Preamble (4), start-of-frame delimiter (1) and PHY header (1)."""

TURNAROUND_US = 12 * SYMBOL_US
CCA_US = 8 * SYMBOL_US
UNIT_BACKOFF_US = 20 * SYMBOL_US
ACK_PSDU = 5
ACK_US = (PHY_OVERHEAD_OCTETS + ACK_PSDU) * OCTET_US
ACK_WAIT_US = 54 * SYMBOL_US
BASE_SUPERFRAME_US = 960 * SYMBOL_US
RESPONSE_WAIT_US = 32 * BASE_SUPERFRAME_US
"""aResponseWaitTime: 491.52 ms."""

MIN_BACKOFF_EXPONENT = 3
MAX_BACKOFF_EXPONENT = 5
MAX_CSMA_BACKOFFS = 4
MAX_FRAME_RETRIES = 3
INDIRECT_PERSISTENCE_US = 7_680_000

SENSITIVITY_DBM = -100
NOISE_FLOOR_DBM = -105
DEFAULT_TX_POWER_DBM = 3
CO_CHANNEL_REJECTION_DB = 3
"""A frame survives an overlapping one that arrives at least this much weaker."""

_LQI_FULL_DBM = -50


def airtime_us(psdu_octets: int) -> int:
    """Return how long a PSDU of that many octets occupies the air, preamble and header included."""
    return (PHY_OVERHEAD_OCTETS + psdu_octets) * OCTET_US


def scan_duration_us(exponent: int) -> int:
    """Return how long a scan stays on one channel: aBaseSuperframeDuration * (2^n + 1), n in 0-14."""
    if not 0 <= exponent <= 14:
        raise FrameError(f"MAC scan duration exponent {exponent}: expected 0 to 14")
    return BASE_SUPERFRAME_US * ((1 << exponent) + 1)


def lqi_of(rssi_dbm: float) -> int:
    """Return the link quality (0-255) a receiver reports at that signal strength."""
    span = (rssi_dbm - SENSITIVITY_DBM) / (_LQI_FULL_DBM - SENSITIVITY_DBM)
    return max(0, min(255, round(255 * span)))


def energy_level(dbm: float) -> int:
    """Return a measured power as the 0-255 ED level of 802.15.4 (-100 dBm and below is 0, -36 dBm is 255)."""
    return max(0, min(255, round((dbm + 100) * 255 / 64)))


class PathLoss(NamedTuple):
    """Log-distance path loss: `reference_db` at one metre, then `exponent` decades of ten decibels."""

    reference_db: float = 40.0
    exponent: float = 3.0

    def rssi(self, tx_power_dbm: float, here: tuple[float, float], there: tuple[float, float]) -> float:
        """Return the power in dBm received at `there` (metres) of a frame sent from `here`."""
        metres = max(1.0, math.dist(here, there))
        return tx_power_dbm - self.reference_db - 10 * self.exponent * math.log10(metres)
