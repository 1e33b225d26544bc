"""Lines to the outside: sockets and pseudo-terminals, pulled and plugged in again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from emulator.air.capture import NullCapture
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.clock.loop import run
from emulator.coordinator.ash_frames import AshFrame, Deframer, Malformed, ResetCode, Rst, RstAck, encode
from emulator.coordinator.ezsp.core import NcpConfig
from emulator.coordinator.ezsp.ncp import Ncp
from emulator.coordinator.transports import PtyServer, TransportError, serve_pty, serve_tcp
from emulator.nonvolatile import MemoryNonVolatile

RESET = bytes((0x1A,)) * 32 + encode(Rst())
ANSWER = bytes.fromhex("1ac1020b0a527e")


class Recorder:
    """A device at the end of a line that echoes and keeps count."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.write: Callable[[bytes], None] = lambda _: None

    def attach(self, write: Callable[[bytes], None]) -> None:
        self.log.append("attach")
        self.write = write

    def detach(self) -> None:
        self.log.append("detach")

    def feed(self, octets: bytes) -> None:
        self.write(octets)


def in_loop(main: Coroutine[Any, Any, None], kernel: Kernel | None = None) -> None:
    run(main, kernel or Kernel(1), pace=20.0)


def dongle(kernel: Kernel) -> Ncp:
    medium = Medium(kernel, capture=NullCapture())
    return Ncp(kernel, medium, NcpConfig(0x00DB1234567890A0), MemoryNonVolatile())


async def answer(reader: asyncio.StreamReader) -> list[AshFrame | Malformed]:
    return list(Deframer().feed(await reader.readuntil(b"\x7e")))


def test_a_dongle_answers_over_tcp_and_again_after_the_line_was_dropped() -> None:
    kernel = Kernel(1)
    ncp = dongle(kernel)

    async def main() -> None:
        server = await serve_tcp(ncp)
        for resets in (1, 2):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(RESET)
            assert await answer(reader) == [RstAck(ResetCode.SOFTWARE)]
            assert ncp.resets == resets
            server.drop()
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
            writer.close()
        await server.close()

    in_loop(main(), kernel)


def test_nothing_is_said_on_connect_unless_a_greeting_was_asked_for() -> None:
    kernel = Kernel(1)
    ncp = dongle(kernel)

    async def main() -> None:
        quiet = await serve_tcp(ncp)
        reader, writer = await asyncio.open_connection("127.0.0.1", quiet.port)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 3)
        writer.close()
        await quiet.close()
        greeting = await serve_tcp(ncp, greet=ncp.announce)
        reader, writer = await asyncio.open_connection("127.0.0.1", greeting.port)
        assert await answer(reader) == [RstAck(ResetCode.POWER_ON)]
        writer.close()
        await greeting.close()

    in_loop(main(), kernel)


def test_a_new_host_takes_the_line_over() -> None:
    device = Recorder()

    async def main() -> None:
        server = await serve_tcp(device)
        first, first_writer = await asyncio.open_connection("127.0.0.1", server.port)
        first_writer.write(b"one")
        assert await first.readexactly(3) == b"one"
        second, second_writer = await asyncio.open_connection("127.0.0.1", server.port)
        second_writer.write(b"two")
        assert await second.readexactly(3) == b"two"
        first_writer.close()
        second_writer.close()
        await server.close()

    in_loop(main())
    assert device.log == ["attach", "detach", "attach", "detach"]


def test_several_dongles_are_served_at_once() -> None:
    kernel = Kernel(1)
    ncps = [dongle(kernel) for _ in range(3)]

    async def main() -> None:
        servers = [await serve_tcp(ncp) for ncp in ncps]
        for server in servers:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(RESET)
            assert await reader.readexactly(len(ANSWER)) == ANSWER
            writer.close()
        for server in servers:
            await server.close()

    in_loop(main(), kernel)


def test_a_port_in_use_is_a_clear_error() -> None:
    async def main() -> None:
        server = await serve_tcp(Recorder())
        with pytest.raises(TransportError, match=r"tcp:127.0.0.1:\d+: cannot listen.*choose a free port"):
            await serve_tcp(Recorder(), port=server.port)
        await server.close()
        with pytest.raises(TransportError, match="not listening"):
            _ = server.port

    in_loop(main())


async def read_from(descriptor: int, count: int) -> bytes:
    heard = b""
    for _ in range(2000):
        try:
            heard += os.read(descriptor, count - len(heard))
        except BlockingIOError:
            await asyncio.sleep(0.02)
        if len(heard) >= count:
            return heard
    raise AssertionError(f"only {heard!r} arrived")


def test_a_pseudo_terminal_is_opened_closed_and_opened_again(tmp_path: Path) -> None:
    device, path = Recorder(), tmp_path / "dongle"

    async def main() -> None:
        server = await serve_pty(device, path)
        for octets in (b"\x11\x13\x00\xffone\r\n", b"two"):
            descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            os.write(descriptor, octets)
            assert await read_from(descriptor, len(octets)) == octets
            os.close(descriptor)
            await asyncio.sleep(1)
        server.close()

    in_loop(main())
    assert device.log == ["attach", "detach", "attach", "detach"]
    assert not path.is_symlink()


def test_pulling_the_dongle_out_and_plugging_it_in_again(tmp_path: Path) -> None:
    kernel, path = Kernel(1), tmp_path / "dongle"
    ncp = dongle(kernel)

    async def main() -> None:
        server = PtyServer(ncp, path)
        for _ in range(2):
            server.plug_in()
            descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            os.write(descriptor, RESET)
            assert await read_from(descriptor, len(ANSWER)) == ANSWER
            server.unplug()
            with pytest.raises(OSError, match="Input/output error"):
                os.write(descriptor, b"anybody?")
            os.close(descriptor)

    in_loop(main(), kernel)
    assert ncp.resets == 2


def test_a_path_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")

    async def main() -> None:
        with pytest.raises(TransportError, match="choose a path that does not exist"):
            await serve_pty(Recorder(), path)

    in_loop(main())
    assert path.read_text() == "precious"


def test_a_host_that_never_reads_costs_bounded_memory(tmp_path: Path) -> None:
    device = Recorder()

    async def main() -> None:
        server = await serve_pty(device, tmp_path / "dongle")
        descriptor = os.open(tmp_path / "dongle", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        os.write(descriptor, b"x")
        await asyncio.sleep(1)
        for _ in range(300):
            device.write(bytes(1000))
        assert len(server._unsent) <= 65_536
        os.close(descriptor)
        await asyncio.sleep(1)
        server.close()

    in_loop(main())
