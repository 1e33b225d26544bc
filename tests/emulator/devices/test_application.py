"""The Smart Energy application by itself, on a port that only remembers what was sent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from emulator.clock.kernel import Kernel
from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.devices.application import SmartEnergyApplication
from emulator.nonvolatile import MemoryNonVolatile
from emulator.smart_energy.cbke.codec import Initiate
from emulator.smart_energy.security_policy import SecurityPolicy
from emulator.stack.primitives import EVERY_ENDPOINT, ApsdeIndication, ApsdeRequest, Confirm, Security
from emulator.zcl import frame
from emulator.zcl.frame import GeneralCommand, ZclStatus
from hw_profiles.loader import load_model
from hw_profiles.model import Endpoint

HUB, METER = 0x00DB1234567890A0, 0x00DB1234567890A1
METERING, KEYS = 0x0702, 0x0800


@dataclass
class Port:
    """Everybody is at short address 0x1234, but for one who is not known."""

    stranger: int = 0
    sent: list[ApsdeRequest] = field(default_factory=list)

    def send(self, request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        self.sent.append(request)

    def short_of(self, eui64: int) -> int | None:
        return None if eui64 == self.stranger else 0x1234


class Rig:
    def __init__(self, *, stranger: int = 0, memory: MemoryNonVolatile | None = None) -> None:
        model = load_model("generic-electricity-meter")
        second = Endpoint(2, 0x0501, server=(METERING,), client=())
        self.kernel = Kernel()
        self.port = Port(stranger)
        self.memory = memory or MemoryNonVolatile()
        self.value = 100
        self.application = SmartEnergyApplication(
            self.kernel.scope("meter"),
            self.port,
            self.memory,
            replace(model, endpoints=(*model.endpoints, second)),
            eui64=METER,
            version=model.firmware[0].ota_version,
            authorities={suite: IssuingAuthority.from_seed(suite, b"test") for suite in Suite},
            next_tsn=lambda: 9,
            policy=SecurityPolicy(),
        )
        for endpoint in (1, 2):
            self.application.serve(endpoint, METERING, {"current_summ_delivered": lambda: self.value})
        self.application.complete()

    def ask(
        self, cluster: int, asdu: bytes, *, endpoint: int = 1, security: Security = Security.APS
    ) -> list[ApsdeRequest]:
        """Let an ASDU arrive and return what is sent in answer."""
        self.port.sent.clear()
        self.application.receive(
            ApsdeIndication(0, HUB, METER & 0xFF, endpoint, 0x0109, cluster, 3, asdu, security, 255, 0)
        )
        return list(self.port.sent)


READ = frame.build(0, 5, GeneralCommand.READ_ATTRIBUTES, b"\0\0")
CONFIGURE = frame.build(
    0, 6, GeneralCommand.CONFIGURE_REPORTING, bytes.fromhex("00 0000 25 0000 0a00 010000000000")
)


def test_an_answer_goes_back_the_way_the_question_came() -> None:
    (answer,) = Rig().ask(METERING, READ)
    assert (answer.destination, answer.destination_endpoint, answer.source_endpoint) == (0, 3, 1)
    assert (answer.cluster, answer.profile, answer.secure) == (METERING, 0x0109, True)
    assert not Rig().ask(0x0000, READ, security=Security.NWK)[0].secure


def test_every_endpoint_answers_for_itself() -> None:
    answers = Rig().ask(METERING, READ, endpoint=EVERY_ENDPOINT)
    assert [answer.source_endpoint for answer in answers] == [1, 2]
    assert Rig().ask(METERING, READ, endpoint=7) == []


def test_the_policy_guards_every_endpoint() -> None:
    for endpoint in (1, 2):
        (answer,) = Rig().ask(METERING, READ, endpoint=endpoint, security=Security.NWK)
        assert frame.parse(answer.asdu).payload[-1] == ZclStatus.NOT_AUTHORIZED


@pytest.mark.parametrize("direction", [0x00, 0x08])
def test_suites_are_readable_on_both_sides_of_key_establishment(direction: int) -> None:
    asdu = frame.build(direction, 5, GeneralCommand.READ_ATTRIBUTES, b"\0\0")
    (answer,) = Rig().ask(KEYS, asdu, security=Security.NWK)
    assert frame.parse(answer.asdu).payload == bytes.fromhex("0000 00 31 0100")


def test_key_establishment_is_answered_by_its_machine() -> None:
    partner = IssuingAuthority.from_seed(Suite.SUITE_1, b"test").issue(HUB)
    initiate = Initiate(Suite.SUITE_1, 10, 10, partner.certificate).encode()
    (answer,) = Rig().ask(KEYS, frame.build(0x01, 1, 0x00, initiate), security=Security.NWK)
    assert (frame.parse(answer.asdu).command, answer.destination) == (0x00, 0x1234)


def test_every_cluster_of_the_model_exists() -> None:
    rig = Rig()
    for described in rig.application.model.endpoints:
        endpoint = rig.application.endpoint(described.id)
        assert set(described.server) <= set(endpoint.input_clusters)
        assert set(described.client) <= set(endpoint.output_clusters)


def test_reports_go_out_and_are_taken_up_after_a_power_cut() -> None:
    rig = Rig()
    rig.ask(METERING, CONFIGURE)
    rig.port.sent.clear()
    rig.kernel.run_for(10_000_000)
    (report,) = rig.port.sent
    assert frame.parse(report.asdu).command == GeneralCommand.REPORT_ATTRIBUTES
    assert (report.destination, report.destination_endpoint, report.source_endpoint) == (0x1234, 3, 1)
    later = Rig(memory=rig.memory)
    later.kernel.run_for(10_000_000)
    assert len(later.port.sent) == 1


def test_a_configurer_that_is_nowhere_gets_no_report_until_it_is_found() -> None:
    rig = Rig(stranger=HUB)
    rig.ask(METERING, CONFIGURE)
    rig.port.sent.clear()
    rig.kernel.run_for(20_000_000)
    assert rig.port.sent == []
    rig.port.stranger = 0
    rig.kernel.run_for(10_000_000)
    assert len(rig.port.sent) == 1
