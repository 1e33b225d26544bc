"""A serial cable without a computer's serial port: octets between a radio library and a co-processor in this process.

A pseudo-terminal or a socket is real, and real time passes while octets are in it. This cable lives on the event loop
instead, so virtual time may run as fast as it can and a scenario replays to the octet. serialx, which zigpy opens every
port with, takes further kinds of port by address scheme; each wire registers one while it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

from serialx import BaseSerial, BaseSerialTransport, ModemPins, register_uri_handler

from emulator.coordinator.transports import LineDevice
from emulator.errors import EmulatorError

BITS_PER_OCTET = 10
_NUMBERS = count(1)


class WireError(EmulatorError, ConnectionError):
    """The cable is not plugged in."""


class Wire:
    """One cable with a co-processor at its end; `path` is what a radio library opens.

    `baud` limits the speed, as a real line does; None is a line that takes no time. `spoil` may lose or alter octets
    on their way: it gets the direction (`True` to the host) and the octets.
    """

    def __init__(
        self,
        device: LineDevice,
        *,
        baud: int | None = None,
        spoil: Callable[[bool, bytes], bytes] | None = None,
    ) -> None:
        """Register the address; `close` takes it back."""
        self._device = device
        self._baud = baud
        self._spoil = spoil
        self._host: WireTransport | None = None
        self._plugged = True
        scheme = f"smets1-wire-{next(_NUMBERS)}://"
        self.path = scheme + "ncp"
        kind: Any = type("WireTransport", (WireTransport,), {"wire": self})
        blocking: Any = BaseSerial  # never opened: radio libraries are asynchronous
        self._unregister = register_uri_handler(
            scheme=scheme, unique_scheme=scheme, sync_cls=blocking, async_transport_cls=kind
        )

    def close(self) -> None:
        """Pull the cable for good."""
        self.unplug()
        self._unregister()

    def unplug(self) -> None:
        """Pull the cable: the host loses its port."""
        self._plugged = False
        if self._host is not None:
            self._host.pulled()

    def plug_in(self) -> None:
        """Put the cable back; the host may open it again."""
        self._plugged = True

    # The host's side

    def opened(self, host: WireTransport) -> None:
        """The host opened its port; raises `WireError` when the cable is out or in use."""
        if not self._plugged:
            raise WireError(f"{self.path}: no such port, the cable is not plugged in")
        if self._host is not None:
            raise WireError(f"{self.path}: the port is in use")
        self._host = host
        to_host = _Direction(self._baud, self._arrived_at_host)
        host.to_device = _Direction(self._baud, self._arrived_at_device)
        self._device.attach(to_host.send)

    def closed(self, host: WireTransport) -> None:
        """The host closed its port."""
        if self._host is host:
            self._host = None
            self._device.detach()

    def _arrived_at_host(self, octets: bytes) -> None:
        octets = octets if self._spoil is None else self._spoil(True, octets)
        if self._host is not None and octets:
            self._host.arrived(octets)

    def _arrived_at_device(self, octets: bytes) -> None:
        octets = octets if self._spoil is None else self._spoil(False, octets)
        if self._host is not None and octets:
            self._device.feed(octets)


class _Direction:
    """Octets one way: in order, later by what the line's speed takes."""

    def __init__(self, baud: int | None, deliver: Callable[[bytes], None]) -> None:
        self._seconds_per_octet = 0.0 if baud is None else BITS_PER_OCTET / baud
        self._deliver = deliver
        self._free_at = 0.0

    def send(self, octets: bytes) -> None:
        """Put octets on the line."""
        loop = asyncio.get_running_loop()
        if not self._seconds_per_octet:
            loop.call_soon(self._deliver, octets)
            return
        self._free_at = max(loop.time(), self._free_at) + len(octets) * self._seconds_per_octet
        loop.call_at(self._free_at, self._deliver, octets)


class WireTransport(BaseSerialTransport):
    """The host's port, as serialx wants one."""

    transport_name = "wire"
    wire: Wire
    to_device: _Direction | None = None

    async def _connect(self, *, path: str | None, **kwargs: Any) -> None:
        del path, kwargs
        self.wire.opened(self)
        self._call_protocol_connection_made()

    def arrived(self, octets: bytes) -> None:
        """Octets came from the co-processor."""
        if not self._closing:
            self._protocol.data_received(octets)

    def pulled(self) -> None:
        """The cable was pulled."""
        self._end(WireError(f"{self.wire.path}: the cable was pulled"))

    def _end(self, error: Exception | None) -> None:
        if self._closing:
            return
        self._closing = True
        self.wire.closed(self)
        self._loop.call_soon(self._call_protocol_connection_lost, error)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send octets; a port that is closed swallows them."""
        if not self._closing and self.to_device is not None:
            self.to_device.send(bytes(data))

    def close(self) -> None:
        """Close the port."""
        self._end(None)

    abort = close

    def get_write_buffer_size(self) -> int:
        """Return how many octets wait for the line: none, they are on their way at once."""
        return 0

    async def _flush(self) -> None:
        """Nothing waits."""

    async def _get_modem_pins(self) -> ModemPins:
        return ModemPins()

    async def _set_modem_pins(self, modem_pins: ModemPins) -> None:
        """A wire of two has no further pins."""

    async def _reconfigure_port(self, update: Any) -> None:
        """Speed and framing are as the wire was made."""
