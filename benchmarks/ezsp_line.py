"""EZSP commands a second: bellows asking our co-processor, over TCP and over a pseudo-terminal.

The peer is bellows asking a responder of a few lines on the same kind of line: no stack, no air, one answer. It shows
what bellows and the line allow at most. Both ends are in this process; what counts is real time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import bellows.ezsp
import bellows.uart

from benchmarks.result import Result, medians
from emulator.air.capture import NullCapture
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.clock.loop import run
from emulator.coordinator.ash_frames import Data, Deframer, encode
from emulator.coordinator.ezsp.core import NcpConfig
from emulator.coordinator.ezsp.ncp import Ncp
from emulator.coordinator.ezsp_line import Connection, PtyConnection, TcpConnection
from emulator.coordinator.transports import LineDevice
from emulator.nonvolatile import MemoryNonVolatile

CONNECTIONS: Mapping[str, type[Connection]] = {"tcp:": TcpConnection, "pty:": PtyConnection}
VERSION = 13
_NOP = b"\x05\x00"
_RESPONSE = b"\x80\x01"
_EUI64 = 0x00DB1234567890A0


class Responder:
    """A co-processor that knows ASH numbers and `nop`."""

    def __init__(self) -> None:
        self._write: Callable[[bytes], None] = lambda _: None
        self._deframer = Deframer()
        self._next = 0

    def attach(self, write: Callable[[bytes], None]) -> None:
        """Connect a line."""
        self._write = write

    def detach(self) -> None:
        """The line is gone."""

    def feed(self, octets: bytes) -> None:
        """Answer each question of the host."""
        for frame in self._deframer.feed(octets):
            if isinstance(frame, Data):
                answer = frame.payload[:1] + _RESPONSE + _NOP
                self._write(encode(Data(self._next, False, (frame.number + 1) % 8, answer)))
                self._next = (self._next + 1) % 8


def commands_per_second(kind: str, commands: int) -> float:
    """Return the commands a second of bellows with our co-processor."""
    kernel = Kernel(1)
    ncp = Ncp(
        kernel, Medium(kernel, capture=NullCapture()), NcpConfig(_EUI64, version=VERSION), MemoryNonVolatile()
    )

    async def start(ezsp: Any) -> None:
        await ezsp.connect(use_thread=False)

    return run(_ask(CONNECTIONS[kind](), ncp, start, commands), kernel)


def ceiling(kind: str, commands: int) -> float:
    """Return the commands a second of bellows with a `Responder`."""

    async def start(ezsp: Any) -> None:
        ezsp._gw = await bellows.uart.connect(ezsp._config, ezsp, use_thread=False)
        ezsp._switch_protocol_version(VERSION)
        ezsp.start_ezsp()

    return run(_ask(CONNECTIONS[kind](), Responder(), start, commands), Kernel(1))


async def _ask(connection: Connection, device: LineDevice, start: Any, commands: int) -> float:
    path = await connection.open(device)
    ezsp = bellows.ezsp.EZSP({"path": path, "baudrate": 115_200, "flow_control": None})
    await start(ezsp)
    started = time.perf_counter()
    for _ in range(commands):
        await ezsp.nop()
    seconds = time.perf_counter() - started
    await ezsp.disconnect()
    await connection.close()
    return commands / seconds


def measure(quick: bool) -> list[Result]:
    """Measure on each kind of line."""
    commands, repetitions = (50, 1) if quick else (2_000, 5)
    return [_result(kind, commands, repetitions) for kind in CONNECTIONS]


def _result(kind: str, commands: int, repetitions: int) -> Result:
    ours, theirs = medians(
        lambda: commands_per_second(kind, commands), lambda: ceiling(kind, commands), repetitions
    )
    note = "real time, bellows and co-processor in one process"
    return Result(f"EZSP over {kind}", ours, "commands/s", "bellows' own ceiling", theirs, note=note)
