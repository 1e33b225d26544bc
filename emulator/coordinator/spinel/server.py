"""A co-processor on a TCP port: the thin shell between asyncio and the machine."""

from __future__ import annotations

import asyncio

from emulator.coordinator.spinel.rcp import Rcp
from emulator.errors import EmulatorError

READ_OCTETS = 4096


class RcpServer:
    """Serves one RCP to one host at a time; a second connection is closed at once, as a busy port is.

    Run it on a `VirtualEventLoop` with a pace: the host lives in real time.
    """

    def __init__(self, rcp: Rcp) -> None:
        self._rcp = rcp
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port, chosen by the system when 0. Raises `EmulatorError` when it is taken."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port)
        except OSError as error:
            raise EmulatorError(
                f"RCP: cannot listen on {host}:{port} ({error.strerror}); choose another port"
            ) from error
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Close the port and the connection; the RCP keeps its power."""
        if self._server is not None:
            self._server.close()
        if self._writer is not None:
            self._writer.close()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer is not None:
            writer.close()
            return
        self._writer = writer
        self._rcp.attach(writer.write)
        try:
            while octets := await reader.read(READ_OCTETS):
                self._rcp.feed(octets)
                await writer.drain()
        except ConnectionError:
            # A host that vanished is a host that closed.
            pass
        finally:
            self._writer = None
            self._rcp.detach()
            writer.close()
