"""Nothing from the wire crashes, hangs or bloats a co-processor: random octets, frames, commands and sequences."""

from __future__ import annotations

import gc
import tracemalloc
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.coordinator.ash import LinkState
from emulator.coordinator.ash_frames import Ack, Data, Rst, encode
from emulator.coordinator.ezsp.commands import VERSIONS, command_set
from emulator.coordinator.ezsp.frames import EzspFrame, format_of
from emulator.coordinator.ezsp.frames import encode as encode_ezsp
from tests.emulator.coordinator.ezsp.ncp_world import APS, INSTALL_KEY, SECOND, World

SWEEP_INPUTS = 100_000
_WORLDS: dict[int, World] = {}
_ENDS_THE_NETWORK = ("leaveNetwork", "tokenFactoryReset", "setTokenData", "setMfgToken")


def world(version: int) -> World:
    """Return a formed network of that version that is used again and again."""
    if version not in _WORLDS:
        _WORLDS[version] = World(version)
        _WORLDS[version].host.form()
    return _WORLDS[version]


def command(world: World, name: str, parameters: bytes) -> None:
    """Give the firmware a command directly, and time to act on it."""
    identifier = command_set(world.host.version).by_name[name].identifier
    frame = EzspFrame(1, 0, identifier, parameters, format_of(world.host.version))
    world.ncp._firmware.receive(encode_ezsp(frame))
    world.kernel.run_for(1_000)


def spoilt_line(random: Random, octets: bytes) -> bytes:
    """Return octets, or a frame of them, now and then with one octet changed, or a reset."""
    kind = random.randrange(4)
    if kind == 0:
        return octets + b"\x7e"
    if kind == 1:
        return encode(Rst())
    frame = Data(random.randrange(8), random.random() < 0.3, random.randrange(8), octets.ljust(3, b"\x00"))
    line = bytearray(encode(frame))
    if kind == 2:
        line[random.randrange(len(line))] ^= 1 << random.randrange(8)
    return bytes(line)


@given(st.sampled_from((4, 7, 8, 13, 14, 19)), st.binary(max_size=300))
def test_any_octets_on_the_line(version: int, octets: bytes) -> None:
    place = world(version)
    place.ncp.feed(octets)
    place.kernel.run_for(1_000)
    place.ncp.feed(b"\x1a" + encode(Rst()))
    assert place.ncp.link.state is LinkState.CONNECTED


@given(st.sampled_from((4, 7, 8, 13, 14, 19)), st.lists(st.binary(min_size=3, max_size=80), max_size=6))
def test_any_ezsp_frames(version: int, frames: list[bytes]) -> None:
    place = world(version)
    place.ncp.feed(encode(Rst()))
    for number, frame in enumerate(frames):
        place.ncp.feed(encode(Data(number, False, 0, frame)) + encode(Ack((number + 1) % 8)))
        place.kernel.run_for(1_000)


@pytest.mark.parametrize("version", VERSIONS)
@given(data=st.data())
def test_any_parameters_of_any_command(version: int, data: st.DataObject) -> None:
    place = world(version)
    name = data.draw(st.sampled_from(sorted(command_set(version).by_name)))
    command(place, name, data.draw(st.binary(max_size=200)))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_command_is_answered_with_all_zeros_and_all_ones(version: int) -> None:
    for filler in (b"\x00", b"\xff"):
        place = World(version)
        place.host.form()
        for name in command_set(version).by_name:
            before = len(place.host.raw)
            frame = place.host.answer(name, filler * 160)
            assert frame.control & 0x80
            assert before >= 0


def test_a_host_that_talks_nonsense_forever_costs_no_memory() -> None:
    place = World(13)
    place.host.form()
    random = Random(5)

    def talk(rounds: int) -> None:
        for _ in range(rounds):
            place.host.callbacks.clear()
            name = random.choice(
                ("setMulticastTableEntry", "setSourceRoute", "importTransientKey", "echo", "nop")
            )
            command(place, name, random.randbytes(60))
            place.ncp.feed(random.randbytes(60))

    talk(600)
    tracemalloc.start()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    talk(2_000)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 300_000


def test_a_table_has_an_end() -> None:
    place = World(13)
    place.host.form()
    for number in range(200):
        place.host("importTransientKey", eui64=number + 1, key=INSTALL_KEY)
        place.host("setSourceRoute", destination=number, relay_list=[1, 2])
    answers = [
        place.host("sendUnicast", message_type=0, nwk=number + 1, aps_frame=APS, message=b"x")["status"]
        for number in range(100)
    ]
    assert answers.count(0) <= 32
    assert len(place.ncp.node.nwk.routing.source_routes) <= 200
    assert place.host("exportTransientKeyByIndex", index=16)["status"] != 0


@pytest.mark.sweep
@pytest.mark.parametrize("what", ["line", "frames", "parameters"])
def test_sweep_of_a_hundred_thousand_inputs(what: str) -> None:
    random = Random(f"sweep/{what}")
    version = 4
    for number in range(SWEEP_INPUTS):
        if number % 2_000 == 0:
            version = random.choice(VERSIONS)
            place = World(version)
            place.host.form()
            names = sorted(command_set(version).by_name)
        octets = random.randbytes(random.randrange(120))
        if what == "line":
            place.ncp.feed(spoilt_line(random, octets))
        elif what == "frames":
            place.ncp._firmware.receive(octets)
        else:
            command(place, random.choice(names), octets)
        if number % 100 == 0:
            place.kernel.run_for(SECOND)
        place.host.callbacks.clear()
        place.host.raw.clear()
