"""Firmware at the hub: an image arrives piece by piece, is scheduled, offered, held and released, power or not.

The radio of these tests keeps what the hub sends, and confirms it as the test says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.coordinator.port import CoordinatorPort
from emulator.devices.comms_hub.firmware import DELIVERY_ATTEMPTS, NOTIFY_PERIOD_US, FirmwareService
from emulator.nonvolatile import MemoryNonVolatile
from emulator.smart_energy.ota import messages as m
from emulator.smart_energy.ota.file import OtaElement, OtaHeader, OtaTag, build, pack
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Security, Status
from emulator.wan import alerts
from emulator.wan.messages import WanError
from emulator.zcl.frame import GeneralCommand, ZclStatus, cluster_request, parse
from emulator.zcl.frame import build as build_frame

METER, NAME, SHORT = 0x00DB1234567890A1, "00-DB-12-34-56-78-90-A1", 0x1234
KEY = m.ImageKey(0x1002, 0x0E01, 2)
DATA = pack(build(OtaHeader(*KEY), (OtaElement(OtaTag.UPGRADE_IMAGE, bytes(range(200))),)))
SHA256 = hashlib.sha256(DATA).hexdigest()
NOTIFY, QUERY, BLOCK, END = 0x00, 0x01, 0x03, 0x06


class Hub:
    """A hub's firmware service in one life after the other, on one memory."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.memory = MemoryNonVolatile()
        self.sent: list[tuple[ApsdeRequest, Callable[[Status], None] | None]] = []
        self.alerts: list[alerts.Alert] = []
        self.shorts = {METER: SHORT}
        self.lives = 0
        self.boot()

    def boot(self) -> None:
        self.lives += 1
        port = SimpleNamespace(short_of=self.shorts.get, send=self._send)
        self.scope = self.kernel.scope(f"hub {self.lives}")
        self.service = FirmwareService(
            self.scope, cast(CoordinatorPort, port), self.memory, 1, self.alerts.append
        )

    def power_cut(self) -> None:
        self.scope.end()
        self.boot()

    def _send(self, request: ApsdeRequest, confirm: Callable[[Status], None] | None = None) -> None:
        self.sent.append((request, confirm))

    def upload(self, data: bytes = DATA, piece: int = 64) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self.service.image_begin(sha256, len(data), "meter.ota")
        for at in range(0, len(data), piece):
            self.service.image_data(sha256, at, data[at : at + piece])
        self.service.image_commit(sha256)
        return sha256

    def scheduled(self) -> Hub:
        self.service.schedule(METER, self.upload(), 48, 0)
        self.sent.clear()
        return self

    def says(self, asdu: bytes, *, eui64: int | None = METER, endpoint: int = 3) -> list[Any]:
        """Let a device say something; returns what the hub answers, as ZCL frames."""
        before = len(self.sent)
        indication = ApsdeIndication(SHORT, eui64, 0, 1, 0x0109, 0x0019, endpoint, asdu, Security.APS, 255, 0)
        self.service.message(indication, parse(asdu))
        return [parse(request.asdu) for request, _ in self.sent[before:]]

    def commands(self) -> list[int]:
        return [parse(request.asdu).command for request, _ in self.sent]


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(WanError) as refused:
        call()
    return refused.value.code, refused.value.text


# Images


def test_an_image_is_held_piece_by_piece_and_named_once_it_is_whole() -> None:
    hub = Hub()
    assert (hub.service.image_begin(SHA256, len(DATA), "meter.ota").held) == 0
    assert hub.service.image_data(SHA256, 0, DATA[:100]).held == 100
    assert hub.service.image_begin(SHA256, len(DATA), "meter.ota").held == 100, (
        "asked again, it says how far it is"
    )
    assert hub.service.image_data(SHA256, 100, DATA[100:]).held == len(DATA)
    assert hub.service.image_commit(SHA256).key == KEY
    state = hub.service.image_begin(SHA256, len(DATA), "meter.ota")
    assert (state.held, state.complete) == (len(DATA), True)


@pytest.mark.parametrize("offset", [0, 50, 101, 10_000])
def test_a_piece_that_does_not_follow_is_passed_over(offset: int) -> None:
    hub = Hub()
    hub.service.image_begin(SHA256, len(DATA), "meter.ota")
    hub.service.image_data(SHA256, 0, DATA[:100])
    assert hub.service.image_data(SHA256, offset, b"\xff" * 30).held == 100


REFUSED: list[tuple[str, Callable[[Hub], object], str, str]] = [
    (
        "nobody announced it",
        lambda hub: hub.service.image_data(SHA256, 0, b"x"),
        "image-missing",
        "is not at the hub",
    ),
    ("nobody sent it", lambda hub: hub.service.image_commit(SHA256), "image-missing", "is not at the hub"),
    ("half of it", lambda hub: half(hub, DATA), "image-hash", "arrived damaged; send it again"),
    (
        "more than it",
        lambda hub: half(hub, DATA, len(DATA) + 5),
        "image-hash",
        "arrived damaged; send it again",
    ),
    (
        "no OTA file",
        lambda hub: hub.upload(b"hello" * 20),
        "image-malformed",
        "is no OTA file: OTA file: no identifier",
    ),
    (
        "scheduled before it is whole",
        lambda hub: (hub.service.image_begin(SHA256, 9, "x"), hub.service.schedule(METER, SHA256, 48, 0)),
        "image-missing",
        "is not complete at the hub",
    ),
    (
        "scheduled, never sent",
        lambda hub: hub.service.schedule(METER, SHA256, 48, 0),
        "image-missing",
        "not at the hub",
    ),
    (
        "released without a job",
        lambda hub: hub.service.release(METER, 0),
        "no-job",
        f"{NAME} has no image to activate",
    ),
]


def half(hub: Hub, data: bytes, octets: int | None = None) -> object:
    """Send an image with fewer octets, or more, than it has."""
    hub.service.image_begin(SHA256, len(data), "meter.ota")
    sent = data[: len(data) // 2] if octets is None else data.ljust(octets, b"\0")
    hub.service.image_data(SHA256, 0, sent)
    return hub.service.image_commit(SHA256)


@pytest.mark.parametrize(
    ("call", "code", "text"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_an_image_that_is_not_whole_is_refused_with_its_reason(
    call: Callable[[Hub], object], code: str, text: str
) -> None:
    hub = Hub()
    found = refusal(lambda: call(hub))
    assert found[0] == code
    assert text in found[1]


def test_an_image_that_arrived_damaged_is_forgotten_and_may_be_sent_again() -> None:
    hub = Hub()
    refusal(lambda: half(hub, DATA))
    assert hub.service.image_begin(SHA256, len(DATA), "meter.ota").held == 0
    hub.upload()


class Upload(RuleBasedStateMachine):
    """An upload under any course of pieces, repeats, strays and power cuts."""

    @initialize()
    def begin(self) -> None:
        self.hub = Hub()
        self.held = 0
        self.complete = False
        self.hub.service.image_begin(SHA256, len(DATA), "meter.ota")

    @rule(octets=st.integers(1, 120))
    def the_next_piece_arrives(self, octets: int) -> None:
        told = self.hub.service.image_data(SHA256, self.held, DATA[self.held : self.held + octets])
        if not self.complete:
            self.held = min(self.held + octets, len(DATA))
        assert told.held == self.held

    @rule(offset=st.integers(0, 300), octets=st.integers(1, 50))
    def a_stray_piece_arrives(self, offset: int, octets: int) -> None:
        if offset != self.held:
            assert self.hub.service.image_data(SHA256, offset, b"\xee" * octets).held == self.held

    @rule()
    def the_hub_loses_power(self) -> None:
        self.hub.power_cut()
        state = self.hub.service.image_begin(SHA256, len(DATA), "meter.ota")
        assert (state.held, state.complete) == (self.held, self.complete)

    @rule()
    def it_is_committed(self) -> None:
        if self.held < len(DATA):
            assert refusal(lambda: self.hub.service.image_commit(SHA256))[0] == "image-hash"
            self.hub.service.image_begin(SHA256, len(DATA), "meter.ota")
            self.held = 0
        else:
            assert self.hub.service.image_commit(SHA256).key == KEY
            self.complete = True

    @invariant()
    def a_complete_image_is_the_file_and_can_be_scheduled(self) -> None:
        if self.complete:
            assert self.hub.service.server.images[KEY].data == DATA
        else:
            assert KEY not in self.hub.service.server.images


TestAnUploadWhateverHappens = Upload.TestCase
TestAnUploadWhateverHappens.settings = settings(
    settings.get_profile("deterministic"), max_examples=40, stateful_step_count=20
)


# Jobs


def test_a_device_is_told_of_its_image_and_again_while_it_is_silent() -> None:
    hub = Hub()
    hub.service.schedule(METER, hub.upload(), 48, 0)
    assert hub.commands() == [NOTIFY]
    hub.kernel.run_for(30 * MICROSECONDS + NOTIFY_PERIOD_US)
    assert hub.commands() == [NOTIFY] * 3
    hub.says(cluster_request(1, QUERY, m.QueryNextImageRequest(m.ImageKey(0x1002, 0x0E01, 1)).pack()))
    hub.sent.clear()
    hub.kernel.run_for(NOTIFY_PERIOD_US - 1)
    assert hub.commands() == [], "one that has spoken is not reminded"


def test_scheduling_the_same_again_keeps_the_transfer_and_another_limit_is_taken() -> None:
    hub = Hub().scheduled()
    hub.says(cluster_request(1, BLOCK, m.ImageBlockRequest(KEY, 0, 48).pack()))
    status = hub.service.schedule(METER, SHA256, 20, 0)
    assert (status.state, status.offset) == ("transferring", 48)
    (answer,) = hub.says(cluster_request(2, BLOCK, m.ImageBlockRequest(KEY, 48, 48).pack()))
    block = m.parse_image_block_response(answer.payload)
    assert isinstance(block, m.ImageBlock)
    assert len(block.data) == 20


def test_a_job_and_its_limits_survive_a_power_cut() -> None:
    hub = Hub().scheduled()
    hub.service.schedule(METER, SHA256, 20, 0)
    hub.says(cluster_request(1, BLOCK, m.ImageBlockRequest(KEY, 0, 48).pack()))
    before = hub.service.status(METER)
    hub.power_cut()
    assert hub.service.status(METER) == before
    (answer,) = hub.says(cluster_request(2, BLOCK, m.ImageBlockRequest(KEY, 20, 48).pack()))
    assert len(answer.payload) == m.BLOCK_HEADER + 20


def test_a_device_that_has_no_job_has_none() -> None:
    assert Hub().service.status(METER).state == "none"


@pytest.mark.parametrize("at", [0, 2_000_000_000])
def test_what_is_held_is_released_now_or_at_a_time(at: int) -> None:
    hub = Hub().scheduled()
    (held,) = hub.says(cluster_request(1, END, m.UpgradeEndRequest(ZclStatus.SUCCESS, KEY).pack()))
    assert m.parse_upgrade_end_response(held.payload).upgrade_time == m.WAIT_FOREVER
    assert hub.service.status(METER).state == "held"
    hub.sent.clear()
    assert hub.service.release(METER, at).state == "released"
    told = m.parse_upgrade_end_response(parse(hub.sent[0][0].asdu).payload)
    assert (told.upgrade_time == 0) is (at == 0)
    assert told.upgrade_time != m.WAIT_FOREVER


def test_a_withdrawn_job_answers_abort_and_may_be_scheduled_anew() -> None:
    hub = Hub().scheduled()
    assert hub.service.withdraw(METER).state == "withdrawn"
    (answer,) = hub.says(cluster_request(1, BLOCK, m.ImageBlockRequest(KEY, 0, 48).pack()))
    assert m.parse_image_block_response(answer.payload) == m.BlockRefused(ZclStatus.ABORT)
    assert hub.service.schedule(METER, SHA256, 48, 0).state == "scheduled"


# What is sent unasked


@pytest.mark.parametrize("after", [1, 5, None])
def test_what_is_sent_unasked_is_repeated_until_a_device_has_it(after: int | None) -> None:
    hub = Hub().scheduled()
    hub.says(cluster_request(1, END, m.UpgradeEndRequest(ZclStatus.SUCCESS, KEY).pack()))
    hub.sent.clear()
    hub.service.release(METER, 0)
    tries = 0
    while len(hub.sent) > tries:
        request, confirm = hub.sent[tries]
        tries += 1
        assert request.ack
        assert request.destination_endpoint == 3, "where its client is, which it has shown"
        assert confirm is not None
        confirm(Status.SUCCESS if tries == after else Status.APS_NO_ACK)
        hub.kernel.run_for(MICROSECONDS)
    assert tries == (after or DELIVERY_ATTEMPTS)


def test_a_device_that_never_spoke_is_told_on_every_endpoint_and_once() -> None:
    hub = Hub()
    hub.service.schedule(METER, hub.upload(), 48, 0)
    request, confirm = hub.sent[0]
    assert (request.destination_endpoint, request.ack) == (0xFF, False)
    assert confirm is not None
    confirm(Status.APS_NO_ACK)
    hub.kernel.run_for(10 * MICROSECONDS)
    assert len(hub.sent) == 1


def test_a_device_that_is_not_on_the_network_is_not_told() -> None:
    hub = Hub()
    hub.shorts.clear()
    hub.service.schedule(METER, hub.upload(), 48, 0)
    assert hub.sent == []


# What devices say


@pytest.mark.parametrize(
    ("command", "payload"), [(QUERY, b""), (BLOCK, b"\0"), (END, b"\0\0"), (0x33, b""), (NOTIFY, b"")]
)
def test_a_command_that_is_malformed_or_unknown_is_answered_so(command: int, payload: bytes) -> None:
    (answer,) = Hub().scheduled().says(cluster_request(7, command, payload))
    assert (answer.command, answer.tsn, answer.payload) == (
        GeneralCommand.DEFAULT_RESPONSE,
        7,
        bytes((command, ZclStatus.MALFORMED_COMMAND)),
    )


def test_who_has_no_name_is_not_answered() -> None:
    hub = Hub().scheduled()
    assert hub.says(cluster_request(1, BLOCK, m.ImageBlockRequest(KEY, 0, 48).pack()), eui64=None) == []


@pytest.mark.parametrize(
    ("payload", "state"),
    [(bytes((0x02, ZclStatus.INSUFFICIENT_SPACE)), "failed"), (b"\x02", "scheduled"), (b"", "scheduled")],
)
def test_a_refused_offer_ends_the_job_and_half_a_response_does_not(payload: bytes, state: str) -> None:
    hub = Hub().scheduled()
    assert hub.says(build_frame(0x10, 1, GeneralCommand.DEFAULT_RESPONSE, payload)) == []
    assert hub.service.status(METER).state == state
    told = [alert for alert in hub.alerts if isinstance(alert, alerts.JobOutcome)]
    assert [alert.outcome for alert in told] == (["FileTransferFailure"] if state == "failed" else [])


def test_the_course_of_a_transfer_is_told_to_the_head_end() -> None:
    hub = Hub().scheduled()
    for tsn, offset in enumerate(range(0, len(DATA), 48)):
        hub.says(cluster_request(tsn, BLOCK, m.ImageBlockRequest(KEY, offset, 48).pack()))
    hub.says(cluster_request(99, END, m.UpgradeEndRequest(ZclStatus.SUCCESS, KEY).pack()))
    assert [type(alert).__name__ for alert in hub.alerts] == [
        "TransferStarted",
        "TransferProgress",
        "TransferProgress",
        "JobOutcome",
    ]
    outcome = hub.alerts[-1]
    assert isinstance(outcome, alerts.JobOutcome)
    assert (outcome.outcome, outcome.transfer.octets_carried, outcome.silent_ms) == (
        "FileTransferSuccess",
        len(DATA),
        None,
    )


def test_how_long_an_activating_device_was_off_the_air_is_told_when_it_is_back() -> None:
    hub = Hub().scheduled()
    hub.says(cluster_request(1, END, m.UpgradeEndRequest(ZclStatus.SUCCESS, KEY).pack()))
    hub.service.heard(METER)
    hub.service.release(METER, 0)
    for pause_s in (5, 40, 10):
        hub.kernel.run_for(pause_s * MICROSECONDS)
        hub.service.heard(METER)
    hub.says(cluster_request(2, QUERY, m.QueryNextImageRequest(KEY).pack()))
    outcome = hub.alerts[-1]
    assert isinstance(outcome, alerts.JobOutcome)
    assert (outcome.outcome, outcome.silent_ms) == ("ActivationSuccess", 40_000)


def test_a_hub_that_was_away_itself_says_nothing_of_silence() -> None:
    hub = Hub().scheduled()
    hub.says(cluster_request(1, END, m.UpgradeEndRequest(ZclStatus.SUCCESS, KEY).pack()))
    hub.service.release(METER, 0)
    hub.power_cut()
    hub.says(cluster_request(2, QUERY, m.QueryNextImageRequest(KEY).pack()))
    outcome = hub.alerts[-1]
    assert isinstance(outcome, alerts.JobOutcome)
    assert outcome.silent_ms is None
