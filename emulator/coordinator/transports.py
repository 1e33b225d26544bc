"""Serving a co-processor to hosts outside: over TCP, as a serial bridge does, and on a pseudo-terminal.

Run them on a paced `VirtualEventLoop`: the descriptors are real, so virtual time must follow the real clock. One line
at a time reaches the co-processor; a host that connects takes it over from one that left without saying so.
"""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from emulator.errors import EmulatorError

READ_OCTETS = 4096
MAX_UNSENT_OCTETS = 65_536
"""Octets kept for a host that does not read; a TCP line that is further behind is cut."""
PTY_POLL_S = 0.05
"""How often a pseudo-terminal that no host has open is looked at, real seconds."""
GREET_AFTER_S = 0.2
"""Real seconds after which a silent TCP host is told of a reset, as some bridges do (fact sheet, protocol 5.1)."""


class LineDevice(Protocol):
    """What sits at the end of a line: an NCP or an RCP."""

    def attach(self, write: Callable[[bytes], None]) -> None:
        """Connect a line; octets for the host go to `write`."""

    def detach(self) -> None:
        """The line is gone."""

    def feed(self, octets: bytes) -> None:
        """Take octets from the host."""


class TransportError(EmulatorError):
    """A line that cannot be served; the message says which, why, and what to do."""

    exit_status = 3


class TcpServer:
    """A co-processor behind a TCP port."""

    def __init__(self, device: LineDevice, greet: Callable[[], None] | None, pace: float) -> None:
        self._device = device
        self._greet = greet
        self._greet_after_s = GREET_AFTER_S * pace
        self._server: asyncio.Server | None = None
        self._line: _TcpLine | None = None

    @property
    def port(self) -> int:
        """The port listened on; raises `TransportError` when closed."""
        if self._server is None or not self._server.sockets:
            raise TransportError("TCP line: not listening, it has been closed")
        return int(self._server.sockets[0].getsockname()[1])

    async def open(self, host: str, port: int) -> None:
        """Listen; raises `TransportError` when the port is in use or the address is not this machine's."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _TcpLine(self), host, port)
        except OSError as error:
            raise TransportError(
                f"tcp:{host}:{port}: cannot listen, {error.strerror or error}; choose a free port of this machine"
            ) from error

    async def close(self) -> None:
        """Stop listening and drop the host."""
        if self._server is not None:
            self._server.close()
            self.drop()
            await self._server.wait_closed()
            self._server = None

    def drop(self) -> None:
        """Pull the line: the host sees its connection end."""
        if self._line is not None:
            self._line.abort()

    def connected(self, line: _TcpLine) -> None:
        """Put a new line in the place of any other."""
        self.drop()
        self._line = line
        self._device.attach(line.write)
        if self._greet is not None:
            asyncio.get_running_loop().call_later(self._greet_after_s, self._say_hello, line)

    def _say_hello(self, line: _TcpLine) -> None:
        if line is self._line and self._greet is not None and not line.spoken_to:
            self._greet()

    def received(self, line: _TcpLine, octets: bytes) -> None:
        """Pass octets on, unless another line has taken over."""
        if line is self._line:
            self._device.feed(octets)

    def lost(self, line: _TcpLine) -> None:
        """Note that a line is gone."""
        if line is self._line:
            self._line = None
            self._device.detach()


class _TcpLine(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: TcpServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self.spoken_to = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the co-processor over."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connected(self)

    def data_received(self, data: bytes) -> None:
        """Pass octets of the host on."""
        self.spoken_to = True
        self._server.received(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        del exc
        self._transport = None
        self._server.lost(self)

    def write(self, octets: bytes) -> None:
        """Send octets to the host; one that does not read any more is cut off."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNSENT_OCTETS:
            transport.abort()
        else:
            transport.write(octets)

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()
            self._server.lost(self)


class PtyServer:
    """A co-processor on a pseudo-terminal, reached by a symbolic link of the user's choice."""

    def __init__(self, device: LineDevice, path: Path, pace: float = 1.0) -> None:
        self._device = device
        self.path = path
        self._poll_s = PTY_POLL_S * pace
        self._master: int | None = None
        self._poll: asyncio.TimerHandle | None = None
        self._unsent = bytearray()
        self._open = False

    def plug_in(self) -> None:
        """Make the terminal and the link; raises `TransportError` when the link cannot be made."""
        master, slave = os.openpty()
        tty.setraw(slave)
        name = os.ttyname(slave)
        # Closed here, so that reading fails with EIO, and we learn of it, whenever no host has it open.
        os.close(slave)
        os.set_blocking(master, False)
        try:
            if self.path.is_symlink():
                self.path.unlink()
            self.path.symlink_to(name)
        except OSError as error:
            os.close(master)
            raise TransportError(
                f"pty:{self.path}: cannot make the link, {error.strerror}; choose a path that does not exist in a "
                "folder you may write to"
            ) from error
        self._master = master
        self._look()

    def unplug(self) -> None:
        """Remove the terminal and the link, as pulling the cable does."""
        if self._master is None:
            return
        self._host_gone()
        if self._poll is not None:
            self._poll.cancel()
        os.close(self._master)
        self._master = None
        with suppress(FileNotFoundError):
            self.path.unlink()

    close = unplug

    def _look(self) -> None:
        """See whether a host has opened the terminal; look again later when none has."""
        self._poll = None
        octets = self._read()
        loop = asyncio.get_running_loop()
        if octets is None:
            self._poll = loop.call_later(self._poll_s, self._look)
            return
        assert self._master is not None
        self._open = True
        self._device.attach(self._write)
        loop.add_reader(self._master, self._readable)
        if octets:
            self._device.feed(octets)

    def _read(self) -> bytes | None:
        """Return what the host wrote, b"" when it wrote nothing, None when it has the terminal not open."""
        assert self._master is not None
        try:
            return os.read(self._master, READ_OCTETS)
        except BlockingIOError:
            return b""
        except OSError:
            return None

    def _readable(self) -> None:
        octets = self._read()
        if octets is None:
            self._host_gone()
            self._poll = asyncio.get_running_loop().call_later(self._poll_s, self._look)
        elif octets:
            self._device.feed(octets)

    def _host_gone(self) -> None:
        if self._open and self._master is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._master)
            loop.remove_writer(self._master)
            self._open = False
            self._unsent.clear()
            self._device.detach()

    def _write(self, octets: bytes) -> None:
        """Send octets to the host; what a host that does not read has no room for is lost, as on a wire."""
        self._unsent += octets[: MAX_UNSENT_OCTETS - len(self._unsent)]
        self._flush()

    def _flush(self) -> None:
        if self._master is None or not self._open:
            return
        loop = asyncio.get_running_loop()
        try:
            written = os.write(self._master, self._unsent) if self._unsent else 0
        except BlockingIOError:
            written = 0
        except OSError:
            self._unsent.clear()  # the host has just closed it; reading will tell
            return
        del self._unsent[:written]
        if self._unsent:
            loop.add_writer(self._master, self._flush)
        else:
            loop.remove_writer(self._master)


async def serve_tcp(
    device: LineDevice,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    greet: Callable[[], None] | None = None,
    pace: float = 1.0,
) -> TcpServer:
    """Serve `device` on a TCP port (0: any free one); raises `TransportError`.

    `greet` is called `GREET_AFTER_S` after a host has connected and said nothing: `Ncp.announce` tells hosts that wait
    for a bridge's reset. At once would be too early, they would take it for an unexpected reset (fact sheet, protocol
    5.1). `pace` is the loop's, virtual seconds per real second: hosts live in real time.
    """
    server = TcpServer(device, greet, pace)
    await server.open(host, port)
    return server


async def serve_pty(device: LineDevice, path: Path, *, pace: float = 1.0) -> PtyServer:
    """Serve `device` on a pseudo-terminal that `path` will point to; raises `TransportError`.

    A symbolic link already there is replaced, anything else is left alone. `pace` is the loop's, as in `serve_tcp`.
    """
    server = PtyServer(device, path, pace)
    server.plug_in()
    return server
