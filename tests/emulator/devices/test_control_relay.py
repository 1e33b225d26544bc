from __future__ import annotations

from typing import Any

import pytest

from emulator.devices.control import (
    ControlEnvelope,
    ControlResponse,
    ControlRole,
    ControlStatus,
    command_payload,
    decode_response,
    encode_envelope,
    probe_payload,
    rehearsal_identity,
    response_holds,
    rotate_payload,
)
from emulator.eui64 import format_eui64
from emulator.wan import operations as wan
from emulator.wan.messages import WanMessage, encode
from tests.emulator.devices.home_world import (
    DISPLAY,
    ELECTRICITY,
    GAS,
    RefusedError,
    World,
    events,
    installed,
)

CRITICAL = ControlRole.CRITICAL
NEW_KEY = bytes(range(0x40, 0x60))


def envelope(
    world: World, device: int, payload: bytes, *, counter: int = 1, generation: int = 0, key: bytes = b""
) -> bytes:
    identity = rehearsal_identity(world.kernel.secret, device)
    sealed = ControlEnvelope(CRITICAL, generation, counter, payload)
    return encode_envelope(sealed, key or identity.critical, device)


def rotation(world: World, device: int) -> bytes:
    identity = rehearsal_identity(world.kernel.secret, device)
    return rotate_payload(
        device,
        CRITICAL,
        1,
        NEW_KEY,
        device_point=identity.public_point,
        ephemeral=world.kernel.secret("test ephemeral", 32),
    )


async def relayed(world: World, device: int, sealed: bytes) -> tuple[ControlResponse, bytes]:
    answer = await world.head_end.call(wan.Control(device=format_eui64(device), envelope=sealed))
    octets = answer.response
    return decode_response(octets), octets


@pytest.mark.parametrize("device", [ELECTRICITY, GAS, DISPLAY])
def test_a_device_answers_whoever_holds_its_keys(device: int) -> None:
    world = installed()

    async def story(world: World) -> None:
        identity = rehearsal_identity(world.kernel.secret, device)
        response, octets = await relayed(world, device, envelope(world, device, probe_payload()))
        assert response.status is ControlStatus.OK
        assert response_holds(octets, identity.critical, device)
        forged = envelope(world, device, probe_payload(), counter=2, key=bytes(32))
        assert (await relayed(world, device, forged))[0].status is ControlStatus.BAD_TAG
        replayed, _ = await relayed(world, device, envelope(world, device, command_payload(b"x")))
        assert replayed.status is ControlStatus.REPLAY
        unknown, _ = await relayed(world, device, envelope(world, device, command_payload(b"x"), counter=3))
        assert unknown.status is ControlStatus.REFUSED

    world.run(story, with_display=True)


@pytest.mark.parametrize("device", [ELECTRICITY, GAS])
def test_after_a_rotation_the_old_key_is_worth_nothing(device: int) -> None:
    world = installed()
    heard: list[bytes] = []

    async def story(world: World) -> None:
        sealed = envelope(world, device, rotation(world, device))
        heard.append(sealed)
        response, octets = await relayed(world, device, sealed)
        assert response.status is ControlStatus.OK
        assert response.generation == 1
        assert response_holds(octets, NEW_KEY, device)
        old = envelope(world, device, probe_payload(), counter=9)
        assert (await relayed(world, device, old))[0].status is ControlStatus.WRONG_GENERATION
        old = envelope(world, device, probe_payload(), counter=9, generation=1)
        assert (await relayed(world, device, old))[0].status is ControlStatus.BAD_TAG
        new = envelope(world, device, probe_payload(), generation=1, key=NEW_KEY)
        assert (await relayed(world, device, new))[0].status is ControlStatus.OK
        # A repeat of the rotation gets the same answer and rotates nothing.
        again, _ = await relayed(world, device, sealed)
        assert again.generation == 1

    world.run(story)
    name = "electricity" if device == ELECTRICITY else "gas"
    assert events(world.home.devices[name], "key_changed") == ["control key"]
    assert world.home.devices[name].control.rotations(CRITICAL) == 1
    assert all(NEW_KEY not in octets for octets in heard)


def test_a_rotation_survives_power_cuts() -> None:
    world = installed()

    async def rotate(world: World) -> None:
        await relayed(world, GAS, envelope(world, GAS, rotation(world, GAS)))

    world.run(rotate)
    after = world.again()

    async def probe(world: World) -> None:
        new = envelope(world, GAS, probe_payload(), generation=1, key=NEW_KEY)
        assert (await relayed(world, GAS, new))[0].status is ControlStatus.OK

    after.run(probe)


def test_the_hub_needs_the_critical_key_for_what_cannot_be_undone() -> None:
    world = installed()

    async def story(world: World) -> None:
        device = format_eui64(ELECTRICITY)
        needing: tuple[wan.Operation[Any], ...] = (
            wan.Release(device),
            wan.Withdraw(device),
            wan.NetworkKey(),
        )
        for asked in needing:
            with pytest.raises(RefusedError, match="not-critical"):
                await world.head_end.call(asked, critical=False)
        for fields, code in (
            ({"op": "explode"}, "unknown-operation"),
            ({"op": ["job"]}, "unknown-operation"),
            ({"op": wan.Job.NAME}, "bad-request"),
            ({"op": wan.Job.NAME, "device": 7}, "bad-request"),
            ({"op": wan.Status.NAME, "besides": 1}, "bad-request"),
        ):
            assert await world.head_end.refusal(encode(WanMessage(fields))) == code
        attached = WanMessage({"op": wan.Status.NAME}, b"more")
        assert await world.head_end.refusal(encode(attached)) == "bad-request"

    world.run(story)


def test_a_repeated_envelope_gets_the_same_answer_and_no_second_effect() -> None:
    world = installed()

    async def story(world: World) -> None:
        sealed = world.head_end.seal(
            wan.Permit(
                device="00-11-22-33-44-55-66-77",
                install_code=bytes.fromhex("83FED3407A939723A5C639B26916D505C3B5"),
                seconds=60,
            )
        )
        first = await world.head_end.exchange(sealed)
        second = await world.head_end.exchange(sealed)
        assert first == second
        log = (await world.head_end.call(wan.ReadLog(since=0))).entries
        assert [entry.detail for entry in log].count("00-11-22-33-44-55-66-77") == 1

    world.run(story)
