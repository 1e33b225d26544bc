"""bellows, unmodified, on lines that spoil octets, on a co-processor that resets, on a cable pulled and put back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bellows.ezsp
import bellows.types
import bellows.zigbee.application
import pytest

from emulator.clock.loop import run
from emulator.coordinator.ezsp_line import ezsp_config
from emulator.coordinator.transports import PtyServer, serve_pty
from emulator.coordinator.wire import Wire
from emulator.stack.primitives import ApsdeRequest
from tests.emulator.coordinator.ezsp.ncp_world import METERING, SECOND, SMART_ENERGY, Device, World
from tests.emulator.faults.faulty_line import FaultyLine, Heading, LineQuality, pull

MESSAGES = 40
ECHO_OCTETS = 40
ALL_AT_ONCE = LineQuality(lost=0.002, flipped=0.002, held=0.005)


class BellowsWorld(World):
    """A co-processor on a network with one meter, and a faulty line to it that has no host yet."""

    def __init__(self) -> None:
        super().__init__()
        self.host.form()
        self.meter: Device = self.device()
        self.join(self.meter)
        self.ncp.detach()
        self.line = FaultyLine(self.kernel.scope("line"), self.ncp)

    def report(self, number: int) -> None:
        """Have the meter send one message to the host."""
        asdu = b"to the hub" + bytes((number,))
        self.meter.node.send(ApsdeRequest(0, 1, SMART_ENERGY, METERING, 1, asdu, secure=True))


def reported(name: str, arguments: list[Any]) -> int | None:
    """Return the number of a meter's message, None for anything else."""
    if name != "incomingMessageHandler":
        return None
    message = next(bytes(each) for each in arguments if isinstance(each, bytes) and len(each) > 8)
    return message[-1] if message.startswith(b"to the hub") else None


@pytest.mark.parametrize(
    "quality",
    [
        LineQuality(lost=0.004),
        LineQuality(flipped=0.004),
        LineQuality(held=0.01, hold_us=700_000),
        ALL_AT_ONCE,
    ],
    ids=["lost", "flipped", "held", "all"],
)
def test_bellows_gets_each_answer_and_each_message_once(quality: LineQuality) -> None:
    world = BellowsWorld()
    wire = Wire(world.line)
    numbers: list[int] = []

    def note(name: str, arguments: list[Any]) -> None:
        number = reported(name, arguments)
        if number is not None:
            numbers.append(number)

    async def main() -> None:
        ezsp = bellows.ezsp.EZSP({"path": wire.path, "baudrate": 115_200, "flow_control": None})
        await ezsp.connect(use_thread=False)
        await ezsp.networkInit(networkInitBitmask=bellows.types.EmberNetworkInitBitmask(0))
        ezsp.add_callback(note)
        world.line.become(quality)
        for number in range(MESSAGES):
            world.report(number)
            data = bytes((number,)) * ECHO_OCTETS
            (echo,) = await ezsp.echo(data=data)
            assert bytes(echo) == data
            await asyncio.sleep(0.2)
        world.line.become(LineQuality())
        await asyncio.sleep(20)
        await ezsp.disconnect()

    run(main(), world.kernel)
    wire.close()
    assert numbers == list(range(MESSAGES))
    tallies = [world.line.tally(way) for way in Heading]
    assert sum(tally.lost + tally.flipped + tally.held for tally in tallies) > 10


class Owner:
    """What owns a bellows application: told that the connection is lost, it starts the application anew."""

    def __init__(self, application: Any) -> None:
        self.application = application
        self.losses = 0
        self.back = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.losses += 1
        self.back.clear()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._again())

    async def _again(self) -> None:
        while not self.back.is_set():
            try:
                await self.application.disconnect()
            except Exception as error:  # a line that is gone cannot be closed in good order
                print(f"closing: {error!r}")
            await asyncio.sleep(1)
            try:
                await self.application.connect()
                await self.application.initialize(auto_form=False)
            except Exception as error:  # bellows has no family of its own for a port that is not there
                print(f"not back yet: {error!r}")
            else:
                self.back.set()


Fault = Callable[[BellowsWorld, PtyServer], None]


def pulled(world: BellowsWorld, server: PtyServer) -> None:
    pull(world.kernel.scope("hand"), server, 5 * SECOND)


def pulled_in_a_frame(world: BellowsWorld, server: PtyServer) -> None:
    world.line.after(Heading.TO_HOST, 9, lambda: pulled(world, server))


def reset_in_a_frame(world: BellowsWorld, server: PtyServer) -> None:
    world.line.after(Heading.TO_DEVICE, 3, lambda: world.line.restart(world.ncp.announce))


@pytest.mark.parametrize("fault", [pulled, pulled_in_a_frame, reset_in_a_frame])
def test_a_bellows_application_on_a_pty_comes_back_to_its_network(fault: Fault, tmp_path: Path) -> None:
    world = BellowsWorld()
    path = tmp_path / "ncp"

    async def main() -> None:
        server = await serve_pty(world.line, path)
        application = bellows.zigbee.application.ControllerApplication(
            ezsp_config(str(path), {"channel": 11}, watchdog=False)
        )
        await application.connect()
        await application.initialize(auto_form=False)
        owner = Owner(application)
        application.add_listener(owner)
        before = application.state.network_info
        fault(world, server)
        await question_until_lost(application, owner)
        await asyncio.wait_for(owner.back.wait(), 120)
        after = application.state.network_info
        assert (after.pan_id, after.network_key.key) == (before.pan_id, before.network_key.key)
        assert after.network_key.tx_counter >= before.network_key.tx_counter
        assert owner.losses >= 1
        node = world.meter.node
        device = application.add_device(
            bellows.types.EUI64.deserialize(node.eui64.to_bytes(8, "little"))[0], node.short_address
        )
        assert (await device.zdo.Node_Desc_req(device.nwk))[0] == 0
        await application.shutdown()
        server.close()

    run(main(), world.kernel)


async def question_until_lost(application: Any, owner: Owner) -> None:
    """Go on asking until the line is lost: that is the only way to notice one that is silent."""
    for _ in range(60):
        if owner.losses:
            return
        try:
            await application._ezsp.nop()
        except Exception as error:  # whatever bellows makes of a line that ends in the middle of a command
            print(f"asking: {error!r}")
        await asyncio.sleep(0.5)
    raise AssertionError("the application did not notice")
