"""The co-processor on a TCP port."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.clock.loop import run
from emulator.coordinator.spinel.codec import SpinelFrame, decode_frame, encode_frame, pack_uint
from emulator.coordinator.spinel.hdlc import HdlcDecoder, encode_hdlc
from emulator.coordinator.spinel.properties import Command, Property
from emulator.coordinator.spinel.rcp import Rcp
from emulator.coordinator.transports import serve_tcp

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


def test_hosts_come_hang_up_in_mid_frame_and_take_over() -> None:
    kernel = Kernel()
    rcp = Rcp(kernel, Medium(kernel), RADIO)

    async def main() -> None:
        server = await serve_tcp(rcp)
        lines = []
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            lines.append((reader, writer))
            writer.write(QUESTION)
            frame = await answer(reader)
            assert frame.payload == bytes((Property.PROTOCOL_VERSION, 4, 3))
            writer.write(QUESTION[:4])
        for reader, _ in lines[:2]:
            with suppress(ConnectionError):
                assert await reader.read() == b"", "a host that is taken over from sees its line end"
        lines[2][1].close()
        await lines[2][1].wait_closed()
        await server.close()

    run(main(), kernel, pace=1.0)
