"""The OTA server machine by itself: job memory, refusals, limits."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.clock.kernel import Kernel
from emulator.errors import FrameError, NonVolatileError
from emulator.smart_energy.ota import effects as e
from emulator.smart_energy.ota import messages as m
from emulator.smart_energy.ota.jobs import (
    Job,
    OtaDeviceConfig,
    OtaServerConfig,
    StoredImage,
    TransferCounts,
    dump_jobs,
    load_jobs,
)
from emulator.smart_energy.ota.server import OtaServer
from emulator.zcl.frame import ZclStatus
from emulator.zcl.values import UNIX_TO_ZIGBEE

KEY = m.ImageKey(0x1057, 1, 2)
METER = 0x0011223344556677


def server() -> OtaServer:
    machine = OtaServer(Kernel().scope("hub"))
    machine.store_image(StoredImage(KEY, bytes(range(100))))
    machine.authorise(METER, KEY)
    return machine


def test_a_block_is_the_slice_asked_for() -> None:
    effects = server().message(METER, 0x03, m.ImageBlockRequest(KEY, 90, 63).pack())
    assert effects[0] == e.ServerReply(0x05, m.ImageBlock(KEY, 90, bytes(range(90, 100))).pack())


def test_the_steady_block_path_is_one_reply() -> None:
    machine = server()
    machine.message(METER, 0x03, m.ImageBlockRequest(KEY, 0, 10).pack())
    effects = machine.message(METER, 0x03, m.ImageBlockRequest(KEY, 10, 10).pack())
    assert [type(effect) for effect in effects] == [e.ServerReply]


@pytest.mark.parametrize(("offset", "maximum"), [(100, 48), (4_000_000_000, 48), (0, 0)])
def test_blocks_outside_the_image_are_malformed(offset: int, maximum: int) -> None:
    effects = server().message(METER, 0x03, m.ImageBlockRequest(KEY, offset, maximum).pack())
    assert effects == [e.DefaultResponse(0x03, ZclStatus.MALFORMED_COMMAND)]


def test_an_unknown_image_is_no_image_available() -> None:
    machine = server()
    other = m.ImageKey(0x1057, 1, 3)
    refusal = ZclStatus.NO_IMAGE_AVAILABLE
    for command, payload in (
        (0x03, m.ImageBlockRequest(other, 0, 48).pack()),
        (0x06, m.UpgradeEndRequest(0, other).pack()),
    ):
        assert machine.message(1, command, payload) == [e.DefaultResponse(command, refusal)]
    block_request = m.ImageBlockRequest(other, 0, 48).pack()
    assert machine.message(METER, 0x03, block_request) == [e.DefaultResponse(0x03, refusal)]


def test_a_device_that_ends_with_another_image_than_its_own_is_told_to_let_go_of_it() -> None:
    end = m.UpgradeEndRequest(0, m.ImageKey(0x1057, 1, 3)).pack()
    assert server().message(METER, 0x06, end) == [e.DefaultResponse(0x06, ZclStatus.ABORT)]


def test_query_of_another_image_type_is_answered_with_nothing() -> None:
    query = m.QueryNextImageRequest(m.ImageKey(0x1057, 9, 1)).pack()
    assert server().message(METER, 0x01, query) == [e.ServerReply(0x02, bytes((0x98,)))]


def test_specific_file_is_answered() -> None:
    request = m.QuerySpecificFileRequest(METER, KEY, 2).pack()
    expected = m.QueryNextImageResponse(0, KEY, 100).pack()
    assert server().message(METER, 0x08, request) == [e.ServerReply(0x09, expected)]


@pytest.mark.parametrize("command", [0x00, 0x02, 0x05, 0x07, 0x33])
def test_commands_that_are_not_for_a_server_are_refused(command: int) -> None:
    with pytest.raises(FrameError, match="expected 0x01"):
        server().message(METER, command, b"")


@given(st.integers(0, 9), st.binary(max_size=40))
def test_any_octets_are_answered_or_refused(command: int, payload: bytes) -> None:
    machine = server()
    with suppress(FrameError):
        machine.message(METER, command, payload)


def test_upgrade_times_are_zigbee_seconds() -> None:
    machine = server()
    now = machine._scope.unix_seconds - UNIX_TO_ZIGBEE
    machine.authorise(METER, KEY, e.Activation(e.ActivationKind.AT, now + UNIX_TO_ZIGBEE + 600))
    effects = machine.message(METER, 0x06, m.UpgradeEndRequest(0, KEY).pack())
    assert effects[-1] == e.ServerReply(0x07, m.UpgradeEndResponse(KEY, now, now + 600).pack())


def test_success_is_told_once_although_the_device_repeats_itself() -> None:
    machine = server()
    request = m.UpgradeEndRequest(0, KEY).pack()
    outcomes = [
        effect
        for _ in range(3)
        for effect in machine.message(METER, 0x06, request)
        if isinstance(effect, e.JobOutcome)
    ]
    assert [outcome.outcome for outcome in outcomes] == [e.Outcome.FILE_TRANSFER_SUCCESS]


def test_the_same_order_again_keeps_progress() -> None:
    machine = server()
    machine.message(METER, 0x06, m.UpgradeEndRequest(0, KEY).pack())
    machine.authorise(METER, KEY, e.NOW)
    assert machine.jobs[METER].state is e.JobState.HELD
    assert machine.jobs[METER].activation == e.NOW


def test_withdraw_and_notify_without_a_job_do_nothing() -> None:
    machine = OtaServer(Kernel().scope("hub"))
    assert machine.withdraw(METER) == []
    assert machine.notify(METER) == []


@given(
    cap=st.integers(1, 60),
    requests=st.lists(st.tuples(st.integers(0, 99), st.integers(1, 63), st.integers(0, 2000)), max_size=40),
)
def test_what_is_sent_is_counted_as_it_was_sent(cap: int, requests: list[tuple[int, int, int]]) -> None:
    kernel = Kernel()
    kernel.run_for(1_000_000)
    machine = OtaServer(kernel.scope("hub"))
    machine.store_image(StoredImage(KEY, bytes(range(100))))
    machine.configure(METER, OtaDeviceConfig(maximum_block=cap))
    machine.authorise(METER, KEY)
    blocks: list[tuple[int, int]] = []
    silences = 0
    for offset, maximum, pause_s in requests:
        kernel.run_for(pause_s * 1_000_000)
        silences += bool(blocks) and pause_s > 900
        reply = machine.message(METER, 0x03, m.ImageBlockRequest(KEY, offset, maximum).pack())[0]
        assert isinstance(reply, e.ServerReply)
        block = m.parse_image_block_response(reply.payload)
        assert isinstance(block, m.ImageBlock)
        blocks.append((block.offset, len(block.data)))
    sent_before = [max((at + n for at, n in blocks[:i]), default=0) for i in range(len(blocks))]
    assert machine.jobs[METER].counts == TransferCounts(
        blocks_sent=len(blocks),
        blocks_repeated=sum(at < reached for (at, _), reached in zip(blocks, sent_before, strict=True)),
        timeouts=sum(first[0] == second[0] for first, second in pairwise(blocks)),
        silences=silences,
        octets_carried=sum(n for _, n in blocks),
        max_block=max((n for _, n in blocks), default=0),
        reached=max((at + n for at, n in blocks), default=0),
    )


def test_counts_and_position_survive_a_power_cut_of_the_hub_to_the_last_progress() -> None:
    machine = OtaServer(Kernel().scope("hub"), OtaServerConfig(progress_interval=30))
    machine.store_image(StoredImage(KEY, bytes(range(100))))
    machine.authorise(METER, KEY)
    saved = b""
    for offset in range(0, 70, 10):
        effects = machine.message(METER, 0x03, m.ImageBlockRequest(KEY, offset, 10).pack())
        saved = machine.snapshot() if e.Persist() in effects else saved
    later = load_jobs(saved)[METER]
    assert (later.counts.blocks_sent, later.offset) == (7, 70)


@pytest.mark.parametrize(
    ("status", "outcome", "name"),
    [
        (ZclStatus.INVALID_IMAGE, e.Outcome.FIRMWARE_IMAGE_DISCARDED, "INVALID_IMAGE"),
        (ZclStatus.INSUFFICIENT_SPACE, e.Outcome.FILE_TRANSFER_FAILURE, "INSUFFICIENT_SPACE"),
        (0xEE, e.Outcome.FILE_TRANSFER_FAILURE, "0xEE"),
    ],
)
def test_a_refused_offer_names_what_the_device_said(status: int, outcome: e.Outcome, name: str) -> None:
    machine = server()
    machine.default_response(METER, 0x02, status)
    job = machine.jobs[METER]
    assert (job.outcome, job.device_status) == (outcome, name)


def test_the_status_at_the_end_is_kept_by_name() -> None:
    machine = server()
    machine.message(METER, 0x06, m.UpgradeEndRequest(ZclStatus.ABORT, KEY).pack())
    assert (machine.jobs[METER].device_status, machine.jobs[METER].outcome) == ("ABORT", None)


jobs = st.builds(
    Job,
    device=st.integers(0, (1 << 64) - 1),
    key=st.builds(m.ImageKey, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)),
    activation=st.builds(e.Activation, st.sampled_from(list(e.ActivationKind)), st.integers(0, 1 << 40)),
    state=st.sampled_from(list(e.JobState)),
    offset=st.integers(0, 1 << 24),
    attempts=st.integers(0, 20),
    detail=st.text(max_size=20),
    outcome=st.sampled_from([None, *e.Outcome]),
    device_status=st.sampled_from(["", "ABORT"]),
    counts=st.builds(TransferCounts, blocks_sent=st.integers(0, 99), max_block=st.integers(0, 255)),
)


@given(st.lists(jobs, max_size=5))
def test_jobs_survive_non_volatile_memory(records: list[Job]) -> None:
    table = {job.device: job for job in records}
    assert load_jobs(dump_jobs(table)) == table


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"format":9,"jobs":[]}', b'{"format":1,"jobs":[{}]}'])
def test_other_octets_are_no_job_table(data: bytes) -> None:
    with pytest.raises(NonVolatileError, match="OTA jobs"):
        load_jobs(data)
