"""The trust centre as a host steers it (EZSP security frames): policies, keys, removal, and what is reported."""

from __future__ import annotations

from typing import Any

import pytest
from bellows.types import EmberJoinDecision, EzspDecisionId, EzspPolicyId
from bellows.types import EzspDecisionBitmask as Bits

from emulator.coordinator.ezsp.status import SlStatus
from emulator.stack.primitives import Status
from tests.emulator.coordinator.ezsp.ncp_world import INSTALL_KEY, METER, NETWORK_KEY, SECOND, Device, World

VERSION = 14
STRANGER = 0x000D6F00000000FF
NEXT_KEY = bytes(range(16, 32))


def formed() -> World:
    world = World(VERSION)
    world.host.form()
    return world


def joined(*, router: bool = True) -> tuple[World, Device]:
    world = formed()
    device = world.device(router=router)
    assert world.join(device) == Status.SUCCESS
    world.kernel.run_for(2 * SECOND)
    return world, device


def network_key(device: Device) -> bytes:
    assert device.node.parameters is not None
    return device.node.parameters.network_key


@pytest.mark.parametrize(
    ("command", "values"),
    [
        ("broadcastNextNetworkKey", {"key": NEXT_KEY}),
        ("broadcastNetworkKeySwitch", {}),
        ("unicastNwkKeyUpdate", {"dest_short": 0x1234, "dest_long": METER, "key": NEXT_KEY}),
        ("unicastCurrentNetworkKey", {"target_short": 0x1234, "target_long": METER, "parent_short_id": 0}),
        ("removeDevice", {"dest_short": 0x1234, "dest_long": METER, "target_long": METER}),
    ],
)
def test_nothing_is_steered_without_a_network(command: str, values: dict[str, Any]) -> None:
    world = World(VERSION)
    assert world.host(command, **values)["status"] == SlStatus.NOT_JOINED


def test_a_switch_needs_a_key_to_switch_to() -> None:
    assert formed().host("broadcastNetworkKeySwitch")["status"] == SlStatus.INVALID_STATE


@pytest.mark.parametrize("key", [NEXT_KEY, bytes(16)])
def test_a_broadcast_key_and_the_switch_to_it_reach_the_network_and_are_told(key: bytes) -> None:
    world, device = joined()
    assert world.host("broadcastNextNetworkKey", key=key)["status"] == SlStatus.OK
    world.kernel.run_for(3 * SECOND)
    assert network_key(device) == NETWORK_KEY
    assert world.host("broadcastNetworkKeySwitch")["status"] == SlStatus.OK
    assert world.host("broadcastNetworkKeySwitch")["status"] == SlStatus.INVALID_STATE
    world.kernel.run_for(5 * SECOND)
    assert (network_key(device) == key) is any(key)
    assert network_key(device) != NETWORK_KEY
    assert [each["sequence_number"] for each in world.host.heard("switchNetworkKeyHandler")] == [1]


@pytest.mark.parametrize(("known", "status"), [(True, SlStatus.OK), (False, SlStatus.NOT_FOUND)])
def test_a_key_goes_to_one_device_only_under_the_link_key_shared_with_it(
    known: bool, status: SlStatus
) -> None:
    world, device = joined()
    eui64 = METER if known else STRANGER
    wanted = {"dest_short": device.node.short_address, "dest_long": eui64, "key": NEXT_KEY}
    assert world.host("unicastNwkKeyUpdate", **wanted)["status"] == status
    world.kernel.run_for(SECOND)
    held = [key.octets for key in device.node.nwk.security.by_sequence.values()]
    assert (NEXT_KEY in held) is known


@pytest.mark.parametrize("router", [True, False])
def test_a_device_is_removed_whichever_kind_it_is_and_its_going_is_told(router: bool) -> None:
    world, device = joined(router=router)
    world.host.callbacks.clear()
    wanted = {"dest_short": device.node.short_address, "dest_long": METER, "target_long": METER}
    assert world.host("removeDevice", **wanted)["status"] == SlStatus.OK
    world.kernel.run_for(12 * SECOND)
    assert device.node.parameters is None
    left = [each for each in world.host.heard("trustCenterJoinHandler") if each["status"] == 2]
    assert {each["new_node_eui64"] for each in left} == {METER}
    children = world.host.heard("childJoinHandler")
    assert [(each["joining"], each["child_eui64"]) for each in children] == (
        [] if router else [(False, METER)]
    )


@pytest.mark.parametrize("router", [True, False])
def test_a_join_is_told_with_its_parent_and_an_end_device_s_also_as_a_child_s(router: bool) -> None:
    world, device = joined(router=router)
    (told,) = world.host.heard("trustCenterJoinHandler")
    assert (told["new_node_eui64"], told["new_node_id"]) == (METER, device.node.short_address)
    assert told["policy_decision"] == EmberJoinDecision.USE_PRECONFIGURED_KEY
    assert told["parent_of_new_node_id"] == 0x0000
    children = world.host.heard("childJoinHandler")
    assert [(each["joining"], each["child_eui64"]) for each in children] == (
        [] if router else [(True, METER)]
    )


# Who is let in


@pytest.mark.parametrize(
    ("decision", "key_given", "admitted"),
    [
        (Bits.ALLOW_JOINS, True, True),
        (Bits.ALLOW_JOINS | Bits.JOINS_USE_INSTALL_CODE_KEY, True, True),
        (Bits.ALLOW_JOINS | Bits.JOINS_USE_INSTALL_CODE_KEY, False, False),
        (Bits.DEFAULT_CONFIGURATION, True, False),
    ],
)
def test_the_policy_decides_who_joins_under_which_key(decision: int, key_given: bool, admitted: bool) -> None:
    world = formed()
    device = world.device()
    if key_given:
        world.host("importTransientKey", eui64=METER, key=INSTALL_KEY)
    world.host("setPolicy", policy_id=EzspPolicyId.TRUST_CENTER_POLICY, decision_id=decision)
    world.host("permitJoining", duration=60)
    outcome: list[Status] = []
    device.node.join((11,), outcome.append)
    world.kernel.run_for(15 * SECOND)
    assert (outcome == [Status.SUCCESS]) is admitted


@pytest.mark.parametrize(
    ("decision", "allowed"),
    [
        (EzspDecisionId.DENY_TC_KEY_REQUESTS, False),
        (EzspDecisionId.ALLOW_TC_KEY_REQUESTS_AND_SEND_CURRENT_KEY, True),
    ],
)
def test_a_policy_allows_or_denies_new_trust_centre_keys(decision: int, allowed: bool) -> None:
    world = formed()
    world.host("setPolicy", policy_id=EzspPolicyId.TC_KEY_REQUEST_POLICY, decision_id=decision)
    trust_centre = world.ncp.node.trust_centre
    assert trust_centre is not None
    assert trust_centre.request_key_allowed is allowed
