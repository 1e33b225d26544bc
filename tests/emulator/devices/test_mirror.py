"""Mirrors: whose a mirror is, also for a hub whose memory is new."""

from __future__ import annotations

import pytest

from emulator.clock.kernel import Kernel
from emulator.devices.comms_hub.mirror import Mirrors
from emulator.eui64 import format_eui64
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.primitives import ApsdeIndication, Security
from emulator.zcl.endpoint import ZclEndpoint
from emulator.zcl.identifiers import METERING

GAS, OTHER = 0x00DB1234567890A2, 0x00DB1234567890FF
FIRST, SECOND = 0x11, 0x12
REPORT = bytes.fromhex("08010a 0000 25 010203040506")
SUMMATION = (METERING, 0x0000)


class Bench:
    def __init__(self, memory: MemoryNonVolatile | None = None) -> None:
        self.memory = memory or MemoryNonVolatile()
        self.endpoints: dict[int, ZclEndpoint] = {}
        self.mirrors = Mirrors(Kernel().scope("hub"), self.memory, (FIRST, SECOND), self._make)

    def _make(self, number: int) -> ZclEndpoint:
        self.endpoints[number] = ZclEndpoint(number)
        return self.endpoints[number]

    def report(self, source: int | None, to: int, security: Security = Security.APS) -> None:
        indication = ApsdeIndication(
            source=0x1234,
            source_eui64=source,
            destination=0,
            destination_endpoint=to,
            profile=0x0109,
            cluster=METERING,
            source_endpoint=1,
            asdu=REPORT,
            security=security,
            lqi=255,
            aps_counter=0,
        )
        self.endpoints[to].receive(indication)

    def owners(self) -> dict[int, str]:
        return {each.endpoint: each.device for each in self.mirrors.describe()}


def test_a_meter_takes_its_old_mirror_back_from_a_hub_whose_memory_is_new() -> None:
    bench = Bench()
    bench.report(GAS, SECOND)
    assert bench.owners() == {SECOND: format_eui64(GAS)}
    assert SUMMATION in bench.mirrors.values(GAS)
    assert Bench(bench.memory).owners() == {SECOND: format_eui64(GAS)}


@pytest.mark.parametrize(("source", "security"), [(None, Security.APS), (GAS, Security.NWK)])
def test_nobody_takes_a_mirror_without_a_key_and_a_name(source: int | None, security: Security) -> None:
    bench = Bench()
    bench.report(source, FIRST, security)
    assert bench.owners() == {}


def test_a_mirror_that_is_somebodys_stays_so_and_nobody_has_two() -> None:
    bench = Bench()
    bench.report(GAS, FIRST)
    bench.report(OTHER, FIRST)
    bench.report(GAS, SECOND)
    assert bench.owners() == {FIRST: format_eui64(GAS)}
    bench.report(OTHER, SECOND)
    assert bench.owners() == {FIRST: format_eui64(GAS), SECOND: format_eui64(OTHER)}
