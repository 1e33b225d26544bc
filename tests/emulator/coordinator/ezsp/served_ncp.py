"""A co-processor served in paced real time from a thread, for hosts in other processes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from emulator.clock.loop import run
from emulator.coordinator.ezsp.ncp import Ncp
from emulator.coordinator.transports import serve_pty, serve_tcp
from tests.emulator.coordinator.ezsp.ncp_world import World


class Served:
    """Where the co-processor is to be found."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ncp: Ncp = world.ncp
        self.url = ""


@contextmanager
def served(
    version: int = 13, *, pty: Path | None = None, prepare: Callable[[World], None] | None = None
) -> Iterator[Served]:
    """Serve a co-processor over TCP, or on a pseudo-terminal at `pty`, while the block runs."""
    world = World(version, connect=False)
    world.ncp.detach()
    place = Served(world)
    ready, stop = threading.Event(), threading.Event()
    failure: list[BaseException] = []

    async def main() -> None:
        server = await (serve_tcp(world.ncp) if pty is None else serve_pty(world.ncp, pty))
        place.url = str(pty) if pty is not None else f"socket://127.0.0.1:{server.port}"  # type: ignore[union-attr]
        if prepare is not None:
            prepare(world)
        ready.set()
        while not stop.is_set():
            await asyncio.sleep(0.02)
        closing = server.close()
        if closing is not None:
            await closing

    def serve() -> None:
        try:
            run(main(), world.kernel, pace=1.0)
        except BaseException as error:
            failure.append(error)
            ready.set()

    thread = threading.Thread(target=serve, name="ncp")
    thread.start()
    ready.wait(10)
    try:
        yield place
    finally:
        stop.set()
        thread.join(10)
        if failure:
            raise failure[0]
