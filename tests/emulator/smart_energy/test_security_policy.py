"""Which frames the Smart Energy security policy lets in."""

from __future__ import annotations

import pytest

from emulator.smart_energy.security_policy import PROTECTED_CLUSTERS, SecurityPolicy
from emulator.stack.primitives import ApsdeIndication, Security
from emulator.zcl import frame
from emulator.zcl.frame import ZclStatus


def verdict(
    cluster: int,
    asdu: bytes = b"\x01\x00\x00",
    *,
    security: Security = Security.NWK,
    destination: int = 0x1234,
    profile: int = 0x0109,
    policy: SecurityPolicy | None = None,
) -> int | None:
    indication = ApsdeIndication(0, 1, destination, 1, profile, cluster, 1, asdu, security, 255, 0)
    return (policy or SecurityPolicy())(indication, frame.parse(asdu))


@pytest.mark.parametrize("cluster", sorted(PROTECTED_CLUSTERS))
def test_protected_clusters_demand_aps_security(cluster: int) -> None:
    assert verdict(cluster) == ZclStatus.NOT_AUTHORIZED
    assert verdict(cluster, security=Security.APS) is None


@pytest.mark.parametrize("cluster", [0x0000, 0x0003, 0x0025, 0x0800])
def test_open_clusters_do_not(cluster: int) -> None:
    assert verdict(cluster) is None


def test_broadcast_image_notify_is_let_in_and_a_unicast_one_is_not() -> None:
    notify = frame.build(0x09, 1, 0x00, b"\0\x64")
    assert verdict(0x0019, notify, destination=0xFFFF) is None
    assert verdict(0x0019, notify) == ZclStatus.NOT_AUTHORIZED
    assert verdict(0x0019, frame.build(0x09, 1, 0x05), destination=0xFFFF) == ZclStatus.NOT_AUTHORIZED


def test_other_profiles_and_loopback_are_exempt() -> None:
    assert verdict(0x0702, profile=0x0104) is None
    assert verdict(0x0702, destination=0) is None


def test_the_answer_to_an_unsecured_frame_is_let_in() -> None:
    assert verdict(0x0702, frame.build(0x18, 1, 0x0B, b"\0\x7e")) is None
    assert verdict(0x0702, frame.build(0x18, 1, 0x0B, b"\0\x00")) == ZclStatus.NOT_AUTHORIZED


def test_the_other_reading_is_a_switch() -> None:
    assert verdict(0x0702, policy=SecurityPolicy(refusal=ZclStatus.FAILURE)) == ZclStatus.FAILURE


def test_a_strict_device_serves_protected_clusters_only_to_whom_it_has_a_key_established_with() -> None:
    strict = SecurityPolicy(registered=lambda eui64: eui64 == 2)
    assert verdict(0x0702, security=Security.APS, policy=strict) == ZclStatus.NOT_AUTHORIZED
    assert verdict(0x0000, security=Security.APS, policy=strict) is None
    assert verdict(0x0702, security=Security.APS, policy=SecurityPolicy(registered=lambda _: True)) is None
    assert (
        verdict(0x0702, frame.build(0x18, 1, 0x0B, b"\0\x7e"), security=Security.APS, policy=strict) is None
    )
