"""Frames as they happen, to Wireshark: the ZigBee Encapsulation Protocol, version 2, over UDP.

Wireshark listens with `wireshark -i lo -k -f "udp port 17754"`; it knows the port.
"""

from __future__ import annotations

import socket
from struct import Struct
from typing import Any

from emulator.clock.kernel import MICROSECONDS
from harness.errors import HarnessError

PORT = 17754
NTP_TO_UNIX = 2_208_988_800
"""Seconds from the NTP era's beginning, 1900, to 1970."""
_HEADER = Struct(">2sBBBHBBIII10xB")
_VERSION, _DATA, _CRC_MODE = 2, 1, 1
_DEVICE = 0
"""Which sniffer heard the frame; there is one."""
_FRACTION = 1 << 32


def encode(time_us: int, channel: int, psdu: bytes, lqi: int, sequence: int) -> bytes:
    """Return a ZEP v2 data packet; `time_us` is in Unix microseconds, `psdu` ends in its FCS."""
    seconds, microseconds = divmod(time_us, MICROSECONDS)
    fraction = microseconds * _FRACTION // MICROSECONDS
    head = _HEADER.pack(
        b"EX",
        _VERSION,
        _DATA,
        channel,
        _DEVICE,
        _CRC_MODE,
        lqi,
        seconds + NTP_TO_UNIX & 0xFFFFFFFF,
        fraction,
        sequence & 0xFFFFFFFF,
        len(psdu),
    )
    return head + psdu


class ZepSender:
    """Sends every frame of the air to one host; a `Capture`. Frames nobody listens for are lost, as UDP is."""

    def __init__(self, host: str, port: int = PORT) -> None:
        """Look the host up; raises `HarnessError` when it is unknown."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except OSError as error:
            raise HarnessError(f"--zep: {host}: {error.strerror}; give a host name or address") from error
        family, kind, protocol, _, address = found[0]
        self._address: Any = address
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)
        self._sequence = 0
        self.lost = 0
        """Frames that the system would not take."""

    def frame(self, time_us: int, channel: int, psdu: bytes, lqi: int, rssi_dbm: int) -> None:
        """Send a frame."""
        del rssi_dbm
        self._sequence += 1
        try:
            self._socket.sendto(encode(time_us, channel, psdu, lqi, self._sequence), self._address)
        except OSError:
            # A refusal of an earlier datagram, or a full queue: watching must not stop what is watched.
            self.lost += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
