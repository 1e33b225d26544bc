"""The OTA client, (phase, input) by (phase, input): where each leads and what the device does on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.smart_energy.ota import effects as e
from emulator.smart_energy.ota import messages as m
from emulator.smart_energy.ota.client import OtaClient
from emulator.smart_energy.ota.effects import OtaPhase as P
from emulator.smart_energy.ota.messages import ImageUpgradeStatus as S
from emulator.zcl.frame import ZclStatus
from tests.emulator.smart_energy.ota.client_bench import BY_PHASE, OFFERED, SIZE, client, end, told

QUERY_RESPONSE, END_REQUEST = m.OtaCommand.QUERY_NEXT_IMAGE_RESPONSE, m.OtaCommand.UPGRADE_END_REQUEST
Act = Callable[[OtaClient], list[e.ClientEffect]]


def offer(key: m.ImageKey = OFFERED, size: int = SIZE) -> Act:
    return lambda c: c.message(QUERY_RESPONSE, m.QueryNextImageResponse(0, key, size).pack())


def nothing_offered(c: OtaClient) -> list[e.ClientEffect]:
    return c.message(QUERY_RESPONSE, m.QueryNextImageResponse(ZclStatus.NO_IMAGE_AVAILABLE).pack())


def notify(c: OtaClient) -> list[e.ClientEffect]:
    return c.notify(m.ImageNotify(100).pack(), broadcast=False)


def block(c: OtaClient) -> list[e.ClientEffect]:
    return c.message(0x05, m.ImageBlock(OFFERED, 0, bytes(48)).pack())


def abort_of_the_server(c: OtaClient) -> list[e.ClientEffect]:
    return c.message(0x05, m.BlockRefused(ZclStatus.ABORT).pack())


def runs_out(name: e.OtaTimer) -> Act:
    return lambda c: c.timer(name)


def answered(command: int, status: int) -> Act:
    return lambda c: c.default_response(command, status)


def verified(status: int) -> Act:
    return lambda c: c.verified(status)


def ended(upgrade_time: int, current_time: int = 0) -> Act:
    return lambda c: end(c, upgrade_time, current_time)


def abandon(c: OtaClient) -> list[e.ClientEffect]:
    return c.abandon("battery at 15 %")


ASKS = ["send 01", "cancel QUERY", "set TRANSFER"]
FORGETS = ["forget"]
REPORTS = ["forget", "status NORMAL", "send 06", "set END"]
STOPS_TRANSFER = ["cancel TRANSFER"]
COUNTS_DOWN = ["status COUNT_DOWN", "save COUNTDOWN", "cancel END", "set ACTIVATE"]
HOLDS = ["status WAITING_TO_UPGRADE", "save WAITING", "cancel ACTIVATE", "set END"]
ACTIVATES = ["cancel END", "cancel ACTIVATE", "Activate"]
LETS_GO = ["cancel END", "forget", "cancel TRANSFER", "status NORMAL", "stopped SERVER_ABORT", "set QUERY"]

COURSE: list[tuple[str, P, Act, P, list[str]]] = [
    ("a notify makes it ask", P.IDLE, notify, P.QUERYING, ASKS),
    ("its interval makes it ask", P.IDLE, runs_out(e.OtaTimer.QUERY), P.QUERYING, ASKS),
    ("a server found makes it ask", P.IDLE, OtaClient.server_found, P.QUERYING, ASKS),
    ("asked again it asks again", P.QUERYING, OtaClient.query, P.QUERYING, ASKS),
    (
        "an offer makes room",
        P.QUERYING,
        offer(),
        P.ERASING,
        ["cancel TRANSFER", "status DOWNLOAD_IN_PROGRESS", "save ERASING", "EraseFlash"],
    ),
    ("no offer", P.QUERYING, nothing_offered, P.IDLE, ["cancel TRANSFER", "set QUERY"]),
    (
        "a query refused by Default Response",
        P.QUERYING,
        answered(0x01, ZclStatus.NOT_AUTHORIZED),
        P.IDLE,
        ["cancel TRANSFER", "set QUERY"],
    ),
    ("a query unanswered", P.QUERYING, runs_out(e.OtaTimer.TRANSFER), P.IDLE, ["set QUERY"]),
    (
        "an image for another type",
        P.QUERYING,
        offer(m.ImageKey(0x1057, 2, 2)),
        P.IDLE,
        ["answer 02 96", "stopped WRONG_IMAGE", "cancel TRANSFER", "set QUERY"],
    ),
    (
        "the version that it runs",
        P.QUERYING,
        offer(m.ImageKey(0x1057, 1, 1)),
        P.IDLE,
        ["answer 02 96", "stopped SAME_VERSION", "cancel TRANSFER", "set QUERY"],
    ),
    (
        "an image that has no room",
        P.QUERYING,
        offer(size=(1 << 20) + 1),
        P.IDLE,
        ["answer 02 89", "stopped INSUFFICIENT_SPACE", "cancel TRANSFER", "set QUERY"],
    ),
    ("an image that just fits", P.QUERYING, offer(size=1 << 20), P.ERASING, []),
    ("room is made", P.ERASING, OtaClient.flash_ready, P.DOWNLOADING, ["send 03", "set TRANSFER"]),
    (
        "room cannot be made",
        P.ERASING,
        OtaClient.flash_failed,
        P.REPORTING,
        [*STOPS_TRANSFER, *REPORTS, "stopped FLASH_FAILURE"],
    ),
    (
        "the battery is low while room is made",
        P.ERASING,
        abandon,
        P.IDLE,
        [*STOPS_TRANSFER, "status NORMAL", "stopped LOCAL_ABORT", "set QUERY"],
    ),
    ("a block", P.DOWNLOADING, block, P.DOWNLOADING, ["WriteFlash", "send 03", "set TRANSFER"]),
    ("a block unanswered", P.DOWNLOADING, runs_out(e.OtaTimer.TRANSFER), P.DOWNLOADING, ["set TRANSFER"]),
    (
        "the server aborts",
        P.DOWNLOADING,
        abort_of_the_server,
        P.IDLE,
        [*FORGETS, *STOPS_TRANSFER, "status NORMAL", "stopped SERVER_ABORT", "set QUERY"],
    ),
    (
        "the server has the image no longer",
        P.DOWNLOADING,
        answered(0x03, ZclStatus.NO_IMAGE_AVAILABLE),
        P.IDLE,
        [*STOPS_TRANSFER, "status NORMAL", "stopped NO_IMAGE", "set QUERY"],
    ),
    (
        "the server refuses a block otherwise",
        P.DOWNLOADING,
        answered(0x03, ZclStatus.MALFORMED_COMMAND),
        P.DOWNLOADING,
        ["set TRANSFER"],
    ),
    (
        "a block cannot be written",
        P.DOWNLOADING,
        OtaClient.flash_failed,
        P.REPORTING,
        [*STOPS_TRANSFER, *REPORTS, "stopped FLASH_FAILURE"],
    ),
    (
        "the battery is low",
        P.DOWNLOADING,
        abandon,
        P.IDLE,
        [*STOPS_TRANSFER, "status NORMAL", "stopped LOCAL_ABORT", "set QUERY"],
    ),
    ("good", P.VERIFYING, verified(ZclStatus.SUCCESS), P.ENDING, ["save ENDING", "send 06", "set END"]),
    (
        "bad",
        P.VERIFYING,
        verified(ZclStatus.INVALID_IMAGE),
        P.REPORTING,
        [*STOPS_TRANSFER, *REPORTS, "stopped INVALID_IMAGE"],
    ),
    (
        "verification given up",
        P.VERIFYING,
        verified(ZclStatus.ABORT),
        P.REPORTING,
        [*STOPS_TRANSFER, *REPORTS, "stopped LOCAL_ABORT"],
    ),
    (
        "one image of several",
        P.VERIFYING,
        verified(ZclStatus.REQUIRE_MORE_IMAGE),
        P.REPORTING,
        [*REPORTS, "status WAIT_FOR_MORE"],
    ),
    ("now", P.ENDING, ended(0), P.COUNTDOWN, COUNTS_DOWN),
    ("later", P.ENDING, ended(600), P.COUNTDOWN, COUNTS_DOWN),
    ("until told", P.ENDING, ended(m.WAIT_FOREVER), P.WAITING, HOLDS),
    ("a server without a clock", P.ENDING, ended(600, m.INVALID_TIME), P.WAITING, HOLDS),
    ("no answer", P.ENDING, runs_out(e.OtaTimer.END), P.ENDING, ["send 06", "set END"]),
    ("aborted at the end", P.ENDING, answered(END_REQUEST, ZclStatus.ABORT), P.IDLE, LETS_GO),
    ("its own order", P.ENDING, OtaClient.activate_now, P.ENDING, ACTIVATES),
    ("asks again", P.WAITING, runs_out(e.OtaTimer.END), P.WAITING, ["send 06", "set END"]),
    ("released", P.WAITING, ended(0), P.COUNTDOWN, COUNTS_DOWN),
    ("still held", P.WAITING, ended(m.WAIT_FOREVER), P.WAITING, HOLDS[1:]),
    ("aborted while held", P.WAITING, answered(END_REQUEST, ZclStatus.ABORT), P.IDLE, LETS_GO),
    ("its own order while held", P.WAITING, OtaClient.activate_now, P.WAITING, ACTIVATES),
    ("time is up", P.COUNTDOWN, runs_out(e.OtaTimer.ACTIVATE), P.COUNTDOWN, ACTIVATES),
    ("sooner", P.COUNTDOWN, ended(60), P.COUNTDOWN, COUNTS_DOWN[1:]),
    ("put off", P.COUNTDOWN, ended(m.WAIT_FOREVER), P.WAITING, HOLDS),
    ("its own order in the countdown", P.COUNTDOWN, OtaClient.activate_now, P.COUNTDOWN, ACTIVATES),
    ("its own order, out of band", P.EXTERNAL, OtaClient.activate_now, P.EXTERNAL, ACTIVATES),
    (
        "an order that is not its own",
        P.EXTERNAL,
        ended(0),
        P.EXTERNAL,
        ["answer 07 7E", "cancel END", "save EXTERNAL"],
    ),
    ("held, out of band", P.EXTERNAL, ended(m.WAIT_FOREVER), P.WAITING, HOLDS),
    (
        "report acknowledged",
        P.REPORTING,
        answered(END_REQUEST, ZclStatus.SUCCESS),
        P.IDLE,
        ["cancel END", "set QUERY"],
    ),
    (
        "report aborted",
        P.REPORTING,
        answered(END_REQUEST, ZclStatus.ABORT),
        P.IDLE,
        ["cancel END", "set QUERY"],
    ),
    ("report unanswered", P.REPORTING, runs_out(e.OtaTimer.END), P.REPORTING, ["send 06", "set END"]),
]


@pytest.mark.parametrize(
    ("before", "act", "after", "effects"), [row[1:] for row in COURSE], ids=[row[0] for row in COURSE]
)
def test_what_happens_and_where_it_leads(before: P, act: Act, after: P, effects: list[str]) -> None:
    machine = BY_PHASE[before]()
    assert machine.phase is before
    done = told(act(machine))
    assert machine.phase is after
    assert not effects or done == effects


def test_the_course_above_leaves_out_nothing_that_the_machine_listens_to() -> None:
    listed = {phase for phase, _ in OtaClient.TABLE}
    assert {row[1] for row in COURSE} == listed == set(P)


@pytest.mark.parametrize(
    ("phase", "status", "held"),
    [
        (P.IDLE, S.NORMAL, None),
        (P.QUERYING, S.NORMAL, None),
        (P.ERASING, S.DOWNLOAD_IN_PROGRESS, None),
        (P.DOWNLOADING, S.DOWNLOAD_IN_PROGRESS, None),
        (P.VERIFYING, S.DOWNLOAD_COMPLETE, None),
        (P.ENDING, S.DOWNLOAD_COMPLETE, 2),
        (P.WAITING, S.WAITING_TO_UPGRADE, 2),
        (P.COUNTDOWN, S.COUNT_DOWN, 2),
        (P.EXTERNAL, S.WAITING_VIA_EXTERNAL_EVENT, 2),
        (P.REPORTING, S.NORMAL, None),
    ],
)
def test_what_the_attributes_of_the_cluster_show_in_each_phase(phase: P, status: S, held: int | None) -> None:
    machine = BY_PHASE[phase]()
    assert (machine.status, machine.downloaded_version) == (status, held)


@pytest.mark.parametrize(
    ("phase", "does"),
    [
        (P.IDLE, ["set QUERY"]),
        (P.ERASING, ["set QUERY"]),
        (P.DOWNLOADING, ["set QUERY"]),
        (P.VERIFYING, ["status DOWNLOAD_COMPLETE", "ImageComplete"]),
        (P.ENDING, ["status DOWNLOAD_COMPLETE", "set END"]),
        (P.WAITING, ["status WAITING_TO_UPGRADE", "set END"]),
        (P.COUNTDOWN, ["status COUNT_DOWN", "set ACTIVATE"]),
        (P.EXTERNAL, ["status WAITING_VIA_EXTERNAL_EVENT"]),
    ],
)
def test_what_a_device_does_first_after_a_power_cut_in_each_phase(phase: P, does: list[str]) -> None:
    machine = OtaClient(client().policy, client()._scope, e.SavedTransfer(phase, OFFERED, SIZE, SIZE, 0))
    assert told(machine.power_up()) == does


@pytest.mark.parametrize("phase", list(P))
def test_leaving_the_network_ends_in_idle_from_every_phase_and_keeps_nothing(phase: P) -> None:
    machine = BY_PHASE[phase]()
    effects = told(machine.left())
    assert effects[:4] == ["cancel QUERY", "cancel TRANSFER", "cancel END", "cancel ACTIVATE"]
    assert effects[-1] == "forget"
    assert (machine.phase, machine.status, machine.key) == (P.IDLE, S.NORMAL, None)


@pytest.mark.parametrize("phase", [phase for phase in P if phase is not P.IDLE])
def test_a_notify_does_not_disturb_what_is_under_way(phase: P) -> None:
    machine = BY_PHASE[phase]()
    assert notify(machine) == []
    assert machine.phase is phase


@pytest.mark.parametrize("phase", [phase for phase in P if phase is not P.DOWNLOADING])
@pytest.mark.parametrize("payload", [m.ImageBlock(OFFERED, 0, bytes(48)).pack(), b"", b"\x00"])
def test_a_block_that_comes_when_none_was_asked_for_is_not_even_read(phase: P, payload: bytes) -> None:
    assert BY_PHASE[phase]().message(0x05, payload) == []


POLICIES: list[tuple[str, dict[str, Any], int, str, int]] = [
    ("now waits three seconds", {}, 0, "set ACTIVATE", 3),
    ("a longer wait is kept", {}, 7200, "set ACTIVATE", 7200),
    (
        "the early one clamps it to an hour",
        {"quirk_early_activation_60min": True},
        7200,
        "set ACTIVATE",
        3600,
    ),
    ("the early one keeps a shorter wait", {"quirk_early_activation_60min": True}, 600, "set ACTIVATE", 600),
    ("the immediate one does not wait", {"quirk_activates_immediately": True}, 7200, "set ACTIVATE", 3),
    ("nor does it hold", {"quirk_activates_immediately": True}, m.WAIT_FOREVER, "set ACTIVATE", 3),
    ("one that takes no immediate order holds", {"obeys_immediate": False}, 0, "set END", 3600),
    ("and obeys a timed one", {"obeys_immediate": False}, 600, "set ACTIVATE", 600),
    ("one that takes no timed order holds", {"obeys_timed": False}, 600, "set END", 3600),
    ("and obeys one whose time has come", {"obeys_timed": False}, 0, "set ACTIVATE", 3),
    ("re-asking is its own habit", {"held_reask_us": 60 * SECOND}, m.WAIT_FOREVER, "set END", 60),
]


@pytest.mark.parametrize(
    ("changes", "upgrade_time", "timer", "seconds"),
    [row[1:] for row in POLICIES],
    ids=[r[0] for r in POLICIES],
)
def test_how_each_kind_of_client_takes_the_upgrade_time(
    changes: dict[str, Any], upgrade_time: int, timer: str, seconds: int
) -> None:
    effects = end(BY_PHASE[P.ENDING](**changes), upgrade_time)
    assert told(effects)[-1] == timer
    last = effects[-1]
    assert isinstance(last, e.SetTimer)
    assert last.delay_us == seconds * SECOND


def test_one_that_never_activates_lets_every_order_pass() -> None:
    for phase in (P.ENDING, P.WAITING, P.COUNTDOWN, P.EXTERNAL):
        assert BY_PHASE[phase](quirk_never_activates=True).activate_now() == []


@pytest.mark.parametrize("misses", [1, 3])
def test_after_its_missed_answers_a_device_applies_anyway(misses: int) -> None:
    machine = BY_PHASE[P.ENDING](max_missed_end_answers=misses)
    for _ in range(misses):
        assert told(machine.timer(e.OtaTimer.END)) == ["send 06", "set END"]
    assert told(machine.timer(e.OtaTimer.END)) == ACTIVATES


def test_an_answer_in_between_starts_the_count_of_missed_ones_anew() -> None:
    machine = BY_PHASE[P.ENDING](max_missed_end_answers=1)
    machine.timer(e.OtaTimer.END)
    end(machine, m.WAIT_FOREVER)
    assert told(machine.timer(e.OtaTimer.END)) == ["send 06", "set END"]


def test_a_report_of_failure_that_nobody_acknowledges_is_given_up_in_the_end() -> None:
    machine = BY_PHASE[P.REPORTING](max_missed_end_answers=2)
    assert (
        told(machine.timer(e.OtaTimer.END)) == told(machine.timer(e.OtaTimer.END)) == ["send 06", "set END"]
    )
    assert told(machine.timer(e.OtaTimer.END)) == ["cancel END", "set QUERY"]
    assert machine.phase is P.IDLE


@pytest.mark.parametrize("failures", [1, 10])
def test_so_many_block_errors_in_a_row_end_a_download_and_one_block_forgives_them(failures: int) -> None:
    machine = BY_PHASE[P.DOWNLOADING](max_retries=failures + 1)
    for _ in range(failures):
        machine.default_response(0x03, ZclStatus.FAILURE)
        assert told(machine.timer(e.OtaTimer.TRANSFER)) == ["send 03", "set TRANSFER"]
    block(machine)
    for _ in range(failures):
        machine.default_response(0x03, ZclStatus.FAILURE)
        machine.timer(e.OtaTimer.TRANSFER)
    effects = machine.default_response(0x03, ZclStatus.FAILURE)
    assert e.Stopped(e.StopReason.NO_RESPONSE, f"{failures + 1} errors at offset 48") in effects


@pytest.mark.parametrize("failures", [1, 4])
def test_so_many_queries_unanswered_make_it_look_for_another_server(failures: int) -> None:
    machine = client(max_query_errors=failures)
    for attempt in range(2 * failures):
        machine.query()
        looks = "FindServer" in told(machine.timer(e.OtaTimer.TRANSFER))
        assert looks == ((attempt + 1) % failures == 0)


def test_a_refusal_says_which_image_it_was_and_what_room_there_is() -> None:
    effects = offer(size=(1 << 20) + 5)(BY_PHASE[P.QUERYING]())
    assert e.Stopped(e.StopReason.INSUFFICIENT_SPACE, "1048581 octets, storage has 1048576") in effects
    effects = offer(m.ImageKey(0x1058, 3, 2))(BY_PHASE[P.QUERYING]())
    assert e.Stopped(e.StopReason.WRONG_IMAGE, "0x1058/0x0003 version 0x00000002") in effects


@pytest.mark.parametrize(("block_size", "message"), [(0, "block size 0"), (256, "block size 256")])
def test_a_block_size_that_no_request_can_carry_is_no_policy(block_size: int, message: str) -> None:
    with pytest.raises(ValueError, match=f"OTA {message} octets, expected 1 to 255"):
        client(block_size=block_size)


def test_a_client_saves_its_place_at_least_each_octet_of_its_granularity() -> None:
    with pytest.raises(ValueError, match="OTA save granularity 0 octets, expected at least 1"):
        client(save_granularity=0)
    machine = BY_PHASE[P.DOWNLOADING](save_granularity=100)
    saved = [len(told(block_at(machine))) > 3 for _ in range(6)]
    assert saved == [False, False, True, False, True, False], "at 144 and at 240 octets"


def block_at(machine: OtaClient) -> list[e.ClientEffect]:
    return machine.message(0x05, m.ImageBlock(OFFERED, machine.offset, bytes(48)).pack())
