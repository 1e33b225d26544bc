from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import zigpy.types as t

from emulator.clock.loop import run as run_virtually
from emulator.coordinator.ezsp.core import NcpConfig
from emulator.coordinator.ezsp.ncp import Ncp
from emulator.coordinator.ezsp_application import EzspApplication
from emulator.coordinator.ezsp_line import EzspLine, PtyConnection, WireConnection, ezsp_config
from emulator.coordinator.hub_application import RadioError, to_zigpy
from emulator.coordinator.radio_memory import KnownDevice, RadioMemory
from emulator.coordinator.wire import Wire
from emulator.crypto.install_code import install_code_link_key
from emulator.devices.control import (
    ControlEnvelope,
    ControlRole,
    ControlStatus,
    command_payload,
    decode_response,
    encode_envelope,
    probe_payload,
    rehearsal_identity,
    response_holds,
)
from emulator.devices.home import hub_site, surroundings_of
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.errors import NonVolatileError
from emulator.eui64 import format_eui64
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.primitives import ApsdeRequest, Security, Status
from emulator.wan import operations as wan
from emulator.wan.results import KeySequence
from tests.emulator.coordinator.ezsp_home import CONNECTIONS, EzspWorld
from tests.emulator.devices.home_world import (
    DISPLAY,
    ELECTRICITY,
    ELECTRICITY_NEW,
    ELECTRICITY_TYPE,
    GAS,
    HUB,
    MINUTE,
    World,
    image_of,
    with_entry,
)

TRANSFERRING = "transferring"


def sealed(world: World, device: int, payload: bytes, counter: int = 1) -> bytes:
    identity = rehearsal_identity(world.kernel.secret, device)
    envelope = ControlEnvelope(ControlRole.CRITICAL, 0, counter, payload)
    return encode_envelope(envelope, identity.critical, device)


async def upgrade(world: World, *, octets: int = 3000) -> None:
    image = image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW, octets)
    await world.head_end.schedule(ELECTRICITY, image)
    await world.head_end.until(ELECTRICITY, "held", every_s=5)
    await world.head_end.release(ELECTRICITY)
    await world.head_end.until(ELECTRICITY, "activated", every_s=10)
    assert await world.head_end.version(ELECTRICITY) == ELECTRICITY_NEW


async def transferring(world: World) -> None:
    await world.head_end.schedule(ELECTRICITY, image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW, 20_000))
    while ((await world.head_end.job(ELECTRICITY)).offset or 0) < 4000:
        await asyncio.sleep(2)


@pytest.mark.parametrize("line", CONNECTIONS)
def test_a_home_is_installed_and_a_meter_upgraded_through_bellows(line: str) -> None:
    world = EzspWorld(line=CONNECTIONS[line]())

    async def story(world: World) -> None:
        status = await world.head_end.call(wan.Status())
        assert len([device for device in status.devices if device.short]) == 3
        found = await world.head_end.call(wan.Discover(device=format_eui64(GAS)))
        assert found.sleepy
        await upgrade(world)

    world.run(story)


@pytest.mark.parametrize("version", [8, 9, 12, 14, 16, 17, 18, 19])
def test_every_protocol_version_carries_an_upgrade(version: int) -> None:
    world = EzspWorld(version=version)
    world.run(upgrade)


@pytest.mark.parametrize("device", [ELECTRICITY, GAS, DISPLAY])
def test_messages_too_long_for_one_frame_arrive(device: int) -> None:
    world = EzspWorld()

    async def story(world: World) -> None:
        for counter, payload in enumerate((probe_payload(), command_payload(bytes(80))), 1):
            envelope = sealed(world, device, payload, counter)
            answer = await world.head_end.call(wan.Control(device=format_eui64(device), envelope=envelope))
            octets = answer.response
            expected = ControlStatus.OK if counter == 1 else ControlStatus.REFUSED
            assert decode_response(octets).status is expected
            assert response_holds(octets, rehearsal_identity(world.kernel.secret, device).critical, device)

    world.run(story, with_display=True)


def test_a_network_key_change_reaches_the_devices_that_are_awake_at_once_and_the_sleepy_soon() -> None:
    world = EzspWorld()

    async def on_new_key(*devices: SmartEnergyDevice) -> None:
        for device in devices:
            assert device.life is not None
            parameters = device.life.node.parameters
            assert parameters is not None
            assert parameters.key_sequence == 1
            assert (await world.head_end.read(device.eui64, 0x0000, 0x0004)).value == "Generic"

    async def story(world: World) -> None:
        assert await world.head_end.call(wan.NetworkKey()) == KeySequence(1)
        await asyncio.sleep(MINUTE)
        gas = world.home.devices["gas"]
        awake = [device for device in world.home.devices.values() if device is not gas]
        await on_new_key(*awake)
        await asyncio.sleep(30 * MINUTE)
        await on_new_key(gas)
        assert await world.head_end.call(wan.NetworkKey()) == KeySequence(2)

    world.run(story, with_display=True)


def test_a_hub_started_again_finds_its_network_and_its_keys() -> None:
    first = EzspWorld()

    async def install(world: World) -> None:
        await asyncio.sleep(MINUTE)

    first.run(install, with_display=True)
    keys = {device: first.port.link_key(device) for device in (ELECTRICITY, GAS, DISPLAY)}
    second = first.again()

    async def story(world: World) -> None:
        assert {device: second.port.link_key(device) for device in keys} == keys
        for device in keys:
            assert (await world.head_end.read(device, 0x0000, 0x0004)).value == "Generic"

    second.run(story, with_display=True)


def test_a_hub_that_loses_its_power_comes_back_with_its_radio() -> None:
    world = EzspWorld()

    async def story(world: World) -> None:
        await world.home.power_cycle_hub(30)
        await asyncio.sleep(10 * MINUTE)
        await upgrade(world)

    world.run(story)


def pull(world: EzspWorld, wire: Wire) -> Callable[[], None]:
    wire.unplug()
    return wire.plug_in


def reset(world: EzspWorld, wire: Wire) -> Callable[[], None]:
    ncp = world.radio.ncp
    assert ncp is not None
    ncp.announce()
    return lambda: None


@pytest.mark.parametrize("fault", [pull, reset])
def test_a_transfer_goes_on_when_the_radio_is_back(
    fault: Callable[[EzspWorld, Wire], Callable[[], None]],
) -> None:
    line = WireConnection()
    world = EzspWorld(line=line)
    seen: list[bool] = []

    async def story(_: World) -> None:
        await transferring(world)
        world.port.on_radio = seen.append
        assert line.wire is not None
        repair = fault(world, line.wire)
        await asyncio.sleep(20)
        repair()
        await world.head_end.until(ELECTRICITY, "held", every_s=30)
        assert seen == [False, True]

    world.run(story)


def test_a_terminal_pulled_out_and_put_back_is_found_again() -> None:
    line = PtyConnection()
    world = EzspWorld(line=line)
    seen: list[bool] = []

    async def story(_: World) -> None:
        await transferring(world)
        world.port.on_radio = seen.append
        assert line.server is not None
        line.server.unplug()
        await asyncio.sleep(12)
        offset = (await world.head_end.job(ELECTRICITY)).offset
        line.server.plug_in()
        await world.head_end.until(ELECTRICITY, "held", every_s=30)
        assert 4000 <= offset < 20_000
        assert seen == [False, True]

    world.run(story)


def test_octets_lost_and_spoilt_on_the_line_are_sent_again() -> None:
    spoilt = 0

    def spoil(to_host: bool, octets: bytes) -> bytes:
        nonlocal spoilt
        spoilt += 1
        if spoilt < 1000 or spoilt % 29:
            return octets
        return octets[:-1] if to_host else bytes((octets[0] ^ 0x10,)) + octets[1:]

    world = EzspWorld(line=WireConnection(spoil=spoil))
    world.run(upgrade)
    assert spoilt > 2000


def test_without_its_radio_nothing_is_sent_and_nothing_waits() -> None:
    line = WireConnection()
    world = EzspWorld(line=line)

    async def story(_: World) -> None:
        assert line.wire is not None
        line.wire.unplug()
        await asyncio.sleep(1)
        short = world.port.short_of(ELECTRICITY)
        assert short is not None
        outcomes: list[Status] = []
        world.port.send(ApsdeRequest(short, 1, 0x0109, 0, 1, b"\x00\x01\x00", secure=True), outcomes.append)
        await asyncio.sleep(0.1)
        assert outcomes == [Status.NO_ACK]

    world.run(story)


def test_what_needs_a_link_key_is_not_sent_without_one() -> None:
    world = EzspWorld()

    async def story(_: World) -> None:
        outcomes: list[Status] = []
        stranger = ApsdeRequest(0x1234, 1, 0x0109, 0x0702, 1, b"\x00\x01\x00", secure=True)
        world.port.send(stranger, outcomes.append)
        await asyncio.sleep(1)
        assert outcomes == [Status.APS_SECURITY_FAIL]

    world.run(story)


def test_secured_traffic_is_told_from_unsecured() -> None:
    world = EzspWorld()

    async def story(_: World) -> None:
        kinds: set[tuple[int, Security]] = set()
        claim = world.port.on_data
        assert claim is not None

        def watch(indication):  # type: ignore[no-untyped-def]
            kinds.add((indication.cluster, indication.security))
            return claim(indication)

        world.port.on_data = watch
        await upgrade(world)
        assert (0x0019, Security.APS) in kinds
        assert (0x0019, Security.NWK) not in kinds

    world.run(story)


def test_another_hubs_dongle_is_refused_and_let_go() -> None:
    world = EzspWorld()
    installation = with_entry("hub", eui64="00-DB-12-34-56-78-90-FF")
    other = hub_site(
        installation, world.memory, surroundings_of(world.kernel, world.medium, world.installation)
    )
    ncp = Ncp(world.kernel, world.medium, NcpConfig(HUB), MemoryNonVolatile())
    wire = Wire(ncp)

    async def story() -> None:
        line = EzspLine(wire.path, watchdog=False)
        with pytest.raises(
            RadioError, match="the dongle is 00-DB-12-34-56-78-90-A0, the installation's hub is"
        ):
            async with line.open(other):
                raise AssertionError("another hub's dongle was opened")
        again = hub_site(
            world.installation, world.memory, surroundings_of(world.kernel, world.medium, world.installation)
        )
        async with line.open(again) as port:
            assert port.eui64 == HUB

    run_virtually(story(), world.kernel)


async def _full() -> None:
    raise NonVolatileError("device memory w: database or disk is full; free some space or check the folder")


def test_a_full_disk_under_a_command_or_a_frame_is_no_refusal_of_the_radio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was tried again and again, then given up without a word; a frame counted as not acknowledged."""
    for fail in (
        lambda port: port._command("admit", _full),
        lambda port: port.send(ApsdeRequest(0, 1, 0x0109, 0x0702, 1, b"\x00\x01\x00"), lambda status: None),
    ):
        world = EzspWorld()

        async def story(_: World, fail: Callable[[Any], None] = fail, world: EzspWorld = world) -> None:
            monkeypatch.setattr(world.port._radio, "send_long", lambda packet: _full())
            fail(world.port)
            await asyncio.sleep(3600)

        with pytest.raises(NonVolatileError, match="disk is full"):
            world.run(story)


def test_the_table_of_devices_outlives_the_host() -> None:
    memory = MemoryNonVolatile()
    key = install_code_link_key(bytes.fromhex("41731CD68275F29505C2980A572AADAFAF2D"))
    table = RadioMemory(memory)
    table.put(ELECTRICITY, KnownDevice(None, key, expected=True))
    table.learn(GAS, 0x1234, sleepy=True)
    table.learn(GAS, 0x5678)
    again = RadioMemory(memory)
    assert again.get(ELECTRICITY) == KnownDevice(None, key, expected=True)
    assert again.get(GAS) == KnownDevice(0x5678, None, sleepy=True)
    assert (again.eui64_of(0x5678), again.eui64_of(0x1234)) == (GAS, None)
    again.forget(GAS)
    assert RadioMemory(memory).devices.keys() == {ELECTRICITY}


async def test_a_dongle_that_cannot_be_told_of_install_codes_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """bellows answers OK for EZSP 4 and tells the dongle nothing: the device would never get in."""
    monkeypatch.setattr(EzspApplication, "ezsp", property(lambda _: SimpleNamespace(ezsp_version=4)))
    radio = EzspApplication(ezsp_config("/dev/null", {}))
    with pytest.raises(RadioError, match=r"cannot be admitted by its install code.*use EZSP 5 or newer"):
        await radio.permit_with_link_key(to_zigpy(1), t.KeyData(bytes(16)))
