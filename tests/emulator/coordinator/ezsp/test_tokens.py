"""Tokens: what a dongle keeps when the power goes, as hosts read and write it."""

from __future__ import annotations

import pytest
from bellows.types import EzspMfgTokenId as Mfg
from bellows.types import NV3KeyId as Key

from emulator.coordinator.ezsp.status import SlStatus
from emulator.coordinator.ezsp.tokens import MFG_OCTETS
from tests.emulator.coordinator.ezsp.ncp_world import METER, NCP_EUI64, SEED_KEY, World

NODE_DATA_OCTETS, CHANNEL_AT = 16, 3


def formed() -> World:
    world = World(13)
    world.host.form(channel=15)
    return world


def data(world: World, token: Key, index: int = 0) -> bytes:
    answer = world.host("getTokenData", token=token, index=index)
    assert answer["status"] == SlStatus.OK
    return bytes(answer["value"])


@pytest.mark.parametrize("token", MFG_OCTETS)
def test_manufacturing_tokens_have_their_width(token: int) -> None:
    found = World(13).host("getMfgToken", token_id=token)["token_data"]
    assert len(found) == MFG_OCTETS[token]


def test_texts_of_the_maker_are_manufacturing_tokens() -> None:
    host = World(13).host
    assert host("getMfgToken", token_id=Mfg.MFG_STRING)["token_data"].startswith(b"SMETS1 emulator")
    assert host("getMfgToken", token_id=Mfg.MFG_BOARD_NAME)["token_data"].startswith(b"Emulated NCP")


@pytest.mark.parametrize(("token", "octets"), [(0x77, 1), (Mfg.MFG_MANUF_ID, 3)])
def test_a_manufacturing_token_that_is_none_or_too_long_is_refused(token: int, octets: int) -> None:
    answer = World(13).host("setMfgToken", token_id=token, token_data=bytes(octets))
    assert answer["status"] == SlStatus.INVALID_PARAMETER


def test_a_custom_address_written_once_is_in_force_after_the_reset() -> None:
    host = World(13).host
    mine = 0x000D6F0012345678
    octets = mine.to_bytes(8, "little")
    assert host("setMfgToken", token_id=Mfg.MFG_CUSTOM_EUI_64, token_data=octets)["status"] == SlStatus.OK
    assert host("getEui64")["eui64"] == NCP_EUI64
    host.connect()
    assert host("getEui64")["eui64"] == mine


def test_a_host_has_sixty_four_small_tokens() -> None:
    host = World(13).host
    assert host("setToken", token_id=63, token_data=b"12345678")["status"] == SlStatus.OK
    assert host("setToken", token_id=64, token_data=b"12345678")["status"] == SlStatus.INVALID_INDEX
    assert host("getToken", token_id=63)["token_data"] == b"12345678"


def test_objects_of_the_stack_are_listed_with_their_sizes() -> None:
    world = formed()
    count = world.host("getTokenCount")["count"]
    listed = [world.host("getTokenInfo", index=index)["token_info"] for index in range(count)]
    assert {each["nvm3_key"] for each in listed} >= {
        Key.CREATOR_STACK_RESTORED_EUI64,
        Key.NVM3KEY_STACK_NODE_DATA,
        Key.NVM3KEY_STACK_TRUST_CENTER,
    }
    for each in listed:
        if not each["is_idx"]:
            assert len(data(world, Key(each["nvm3_key"]))) == each["size"]
    assert world.host("getTokenInfo", index=count)["status"] == SlStatus.INVALID_INDEX


def test_what_a_network_is_can_be_read() -> None:
    world = formed()
    node_data = data(world, Key.NVM3KEY_STACK_NODE_DATA)
    assert (len(node_data), node_data[CHANNEL_AT]) == (NODE_DATA_OCTETS, 15)
    trust = data(world, Key.NVM3KEY_STACK_TRUST_CENTER)
    assert NCP_EUI64.to_bytes(8, "little") in trust
    assert SEED_KEY in trust
    absent = world.host("getTokenData", token=Key.NVM3KEY_STACK_CHILD_TABLE, index=0)
    assert absent["status"] == SlStatus.NOT_FOUND


def test_what_is_written_is_in_force_from_the_next_reset_on() -> None:
    world = formed()
    node_data = bytearray(data(world, Key.NVM3KEY_STACK_NODE_DATA))
    node_data[2] = 12
    write = {"token": Key.NVM3KEY_STACK_NODE_DATA, "index": 0, "token_data": bytes(node_data)}
    assert world.host("setTokenData", **write)["status"] == SlStatus.OK
    management = bytearray(data(world, Key.NVM3KEY_STACK_NETWORK_MANAGEMENT))
    management[6] = 9
    write = {"token": Key.NVM3KEY_STACK_NETWORK_MANAGEMENT, "index": 0, "token_data": bytes(management)}
    assert world.host("setTokenData", **write)["status"] == SlStatus.OK
    world.host.connect()
    world.host("networkInit", options=0)
    parameters = world.host("getNetworkParameters")["parameters"]
    assert (parameters["radio_tx_power"], parameters["nwk_update_id"]) == (12, 9)


@pytest.mark.parametrize(
    ("token", "octets", "status"),
    [
        (0x9999, 4, SlStatus.NOT_FOUND),
        (Key.NVM3KEY_STACK_NODE_DATA, NODE_DATA_OCTETS - 1, SlStatus.INVALID_PARAMETER),
        (Key.NVM3KEY_STACK_TRUST_CENTER, 26, SlStatus.OK),
        (Key.NVM3KEY_STACK_CHILD_TABLE, 11, SlStatus.OK),
    ],
)
def test_an_object_is_written_whole_or_not_at_all(token: int, octets: int, status: SlStatus) -> None:
    answer = formed().host("setTokenData", token=token, index=0, token_data=bytes(octets))
    assert answer["status"] == status


@pytest.mark.parametrize(("kept", "low"), [(1, 5_000), (0, 0)])
def test_a_factory_reset_keeps_the_frame_counter_when_asked_to(kept: int, low: int) -> None:
    world = World(13)
    world.host("setValue", value_id=0x23, value=(5_000).to_bytes(4, "little"))
    world.host.form()
    world.host("tokenFactoryReset", exclude_outgoing_fc=kept, exclude_boot_counter=0)
    world.host.form()
    counter = world.host("getNetworkKeyInfo")["network_key_info"]["network_key_frame_counter"]
    assert counter >= low
    assert bool(kept) is (counter >= 5_000)
    assert world.ncp.node.link_key(METER) is None
