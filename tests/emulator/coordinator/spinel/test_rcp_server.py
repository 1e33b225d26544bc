"""The co-processor on a TCP port."""

from __future__ import annotations

import asyncio

import pytest

from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.clock.loop import run
from emulator.coordinator.spinel.codec import SpinelFrame, decode_frame, encode_frame, pack_uint
from emulator.coordinator.spinel.hdlc import HdlcDecoder, encode_hdlc
from emulator.coordinator.spinel.properties import Command, Property
from emulator.coordinator.spinel.rcp import Rcp
from emulator.coordinator.spinel.server import RcpServer
from emulator.errors import EmulatorError

RADIO = 0x00124B0000C0FFEE
QUESTION = encode_hdlc(
    encode_frame(SpinelFrame(1, Command.PROP_VALUE_GET, pack_uint(Property.PROTOCOL_VERSION)))
)


async def answer(reader: asyncio.StreamReader) -> SpinelFrame:
    link = HdlcDecoder()
    while True:
        frames = link.receive(await reader.read(100))
        if frames:
            return decode_frame(frames[0])


def serve(scenario: object) -> None:
    async def main() -> None:
        kernel_server = RcpServer(rcp)
        port = await kernel_server.start()
        try:
            await scenario(port)  # type: ignore[operator]
        finally:
            await kernel_server.stop()

    kernel = Kernel()
    rcp = Rcp(kernel, Medium(kernel), RADIO)
    run(main(), kernel, pace=1.0)


def test_a_host_speaks_hangs_up_in_mid_frame_and_comes_back() -> None:
    async def scenario(port: int) -> None:
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(QUESTION)
            frame = await answer(reader)
            assert frame.payload == bytes((Property.PROTOCOL_VERSION, 4, 3))
            writer.write(QUESTION[:4])
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.02)

    serve(scenario)


def test_a_second_host_is_turned_away() -> None:
    async def scenario(port: int) -> None:
        first_reader, first = await asyncio.open_connection("127.0.0.1", port)
        first.write(QUESTION)
        await answer(first_reader)
        second_reader, second = await asyncio.open_connection("127.0.0.1", port)
        assert await second_reader.read() == b""
        first.write(QUESTION)
        await answer(first_reader)
        first.close()
        second.close()

    serve(scenario)


def test_a_port_in_use_is_a_clear_error() -> None:
    async def scenario(port: int) -> None:
        kernel = Kernel()
        other = RcpServer(Rcp(kernel, Medium(kernel), RADIO))
        with pytest.raises(EmulatorError, match=f"cannot listen on 127.0.0.1:{port}"):
            await other.start(port=port)

    serve(scenario)
