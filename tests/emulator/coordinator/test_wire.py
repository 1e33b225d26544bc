"""The cable that lives on the event loop: who may open it, what its speed costs, and what is lost when it is pulled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import serialx

from emulator.clock.kernel import Kernel
from emulator.clock.loop import run
from emulator.coordinator.wire import Wire, WireError


class Echo:
    """A device that notes what it is fed and can speak."""

    def __init__(self) -> None:
        self.fed: list[bytes] = []
        self.send: Callable[[bytes], None] | None = None

    def attach(self, send: Callable[[bytes], None]) -> None:
        self.send = send

    def detach(self) -> None:
        self.send = None

    def feed(self, octets: bytes) -> None:
        self.fed.append(octets)


class HostEnd(asyncio.Protocol):
    """A host that notes what arrives, when, and how its port ended."""

    def __init__(self) -> None:
        self.got: list[tuple[float, bytes]] = []
        self.ended: list[Exception | None] = []

    def data_received(self, data: bytes) -> None:
        self.got.append((asyncio.get_running_loop().time(), data))

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.append(exc)


def on_loop(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run(story(), Kernel())


async def open_port(wire: Wire) -> tuple[Any, HostEnd]:
    loop = asyncio.get_running_loop()
    transport, protocol = await serialx.create_serial_connection(loop, HostEnd, wire.path, baudrate=115200)
    assert isinstance(protocol, HostEnd)
    return transport, protocol


def test_octets_go_both_ways_in_order() -> None:
    async def story() -> None:
        device = Echo()
        wire = Wire(device)
        transport, host = await open_port(wire)
        assert device.send is not None
        for octets in (b"one", b"two"):
            transport.write(octets)
            device.send(octets.upper())
        await asyncio.sleep(0.01)
        assert device.fed == [b"one", b"two"]
        assert [octets for _, octets in host.got] == [b"ONE", b"TWO"]
        assert transport.get_write_buffer_size() == 0
        wire.close()

    on_loop(story)


@pytest.mark.parametrize("baud", [9600, 115200])
def test_a_line_takes_ten_bits_an_octet_and_one_message_waits_for_the_other(baud: int) -> None:
    async def story() -> None:
        device = Echo()
        wire = Wire(device, baud=baud)
        _, host = await open_port(wire)
        assert device.send is not None
        start = asyncio.get_running_loop().time()
        device.send(bytes(96))
        device.send(bytes(4))
        await asyncio.sleep(1)
        took = [when - start for when, _ in host.got]
        assert took == pytest.approx([960 / baud, 1000 / baud], abs=1e-5)
        wire.close()

    on_loop(story)


def test_a_spoilt_line_alters_or_loses_octets_by_direction() -> None:
    async def story() -> None:
        def spoil(to_host: bool, octets: bytes) -> bytes:
            return octets[::-1] if to_host else b""

        device = Echo()
        wire = Wire(device, spoil=spoil)
        transport, host = await open_port(wire)
        assert device.send is not None
        transport.write(b"lost")
        device.send(b"abc")
        await asyncio.sleep(0.01)
        assert device.fed == []
        assert [octets for _, octets in host.got] == [b"cba"]
        wire.close()

    on_loop(story)


def test_one_host_at_a_time_and_the_next_when_it_has_closed() -> None:
    async def story() -> None:
        device = Echo()
        wire = Wire(device)
        transport, host = await open_port(wire)
        with pytest.raises(WireError, match=r"^smets1-wire-\d+://ncp: the port is in use$"):
            await open_port(wire)
        transport.close()
        transport.close()
        await asyncio.sleep(0)
        assert (host.ended, device.send) == ([None], None)
        transport.write(b"swallowed")
        await open_port(wire)
        await asyncio.sleep(0.01)
        assert device.fed == []
        wire.close()

    on_loop(story)


def test_a_cable_pulled_out_ends_the_port_and_can_be_put_back() -> None:
    async def story() -> None:
        device = Echo()
        wire = Wire(device)
        transport, host = await open_port(wire)
        assert device.send is not None
        device.send(b"on its way")
        wire.unplug()
        wire.unplug()
        await asyncio.sleep(0.01)
        (ended,) = host.ended
        assert str(ended) == f"{wire.path}: the cable was pulled"
        assert host.got == []
        assert device.send is None
        with pytest.raises(WireError, match=r": no such port, the cable is not plugged in$"):
            await open_port(wire)
        wire.plug_in()
        _, again = await open_port(wire)
        device.send(b"back")
        await asyncio.sleep(0.01)
        assert [octets for _, octets in again.got] == [b"back"]
        transport.write(b"from a port that is closed")
        wire.close()

    on_loop(story)


def test_each_wire_has_an_address_of_its_own_that_ends_with_it() -> None:
    async def story() -> None:
        one, other = Wire(Echo()), Wire(Echo())
        assert one.path != other.path
        one.close()
        with pytest.raises(serialx.common.UnknownUriScheme, match=r"No handler registered for URI scheme"):
            await open_port(one)
        await open_port(other)
        other.close()

    on_loop(story)
