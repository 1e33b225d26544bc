"""The OTA client machine by itself: what a pair cannot easily show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.clock.kernel import Kernel
from emulator.errors import FrameError, NonVolatileError
from emulator.smart_energy.ota import effects as e
from emulator.smart_energy.ota import messages as m
from emulator.smart_energy.ota.client import Input, OtaClient
from emulator.smart_energy.ota.policy import OtaClientPolicy
from emulator.zcl.frame import ZclStatus

POLICY = OtaClientPolicy(0x1057, 1, 1)
KEY = m.ImageKey(0x1057, 1, 2)


def client(saved: e.SavedTransfer | None = None, **changes: Any) -> OtaClient:
    return OtaClient(replace(POLICY, **changes), Kernel(3).scope("meter"), saved)


def _started(machine: OtaClient) -> OtaClient:
    machine.power_up()
    return machine


def started(**changes: Any) -> OtaClient:
    return _started(client(**changes))


def downloading(**changes: Any) -> OtaClient:
    machine = client(**changes)
    machine.query()
    machine.message(0x02, m.QueryNextImageResponse(0, KEY, 1000).pack())
    machine.flash_ready()
    return machine


def block(offset: int, octets: int = 48, key: m.ImageKey = KEY) -> bytes:
    return m.ImageBlock(key, offset, bytes(octets)).pack()


def test_starts_with_a_query_after_1_to_255_seconds() -> None:
    effects = client().power_up()
    assert len(effects) == 1
    timer = effects[0]
    assert isinstance(timer, e.SetTimer)
    assert SECOND <= timer.delay_us <= 255 * SECOND


def test_the_block_path_is_write_send_and_timer() -> None:
    machine = downloading()
    effects = machine.message(0x05, block(0))
    assert [type(effect) for effect in effects] == [e.WriteFlash, e.Send, e.SetTimer]
    assert effects[0] == e.WriteFlash(0, bytes(48))
    sent = effects[1]
    assert isinstance(sent, e.Send)
    assert m.parse_image_block_request(sent.payload) == m.ImageBlockRequest(KEY, 48, 48)


@pytest.mark.parametrize(
    "payload",
    [
        block(48),
        block(0, key=m.ImageKey(0x1057, 1, 3)),
        block(0, key=m.ImageKey(0x1057, 2, 2)),
        block(0, key=m.ImageKey(0x1058, 1, 2)),
        block(0, octets=49),
        block(0, octets=0),
    ],
)
def test_wrong_blocks_are_ignored(payload: bytes) -> None:
    machine = downloading()
    assert machine.message(0x05, payload) == []
    assert machine.offset == 0


def test_shorter_blocks_are_accepted() -> None:
    machine = downloading()
    machine.message(0x05, block(0, octets=5))
    assert machine.offset == 5


def test_duplicates_are_ignored() -> None:
    machine = downloading()
    machine.message(0x05, block(0))
    assert machine.message(0x05, block(0)) == []


def test_the_last_request_asks_for_what_is_left() -> None:
    machine = downloading()
    for offset in range(0, 960, 48):
        effects = machine.message(0x05, block(offset))
    sent = next(effect for effect in effects if isinstance(effect, e.Send))
    assert m.parse_image_block_request(sent.payload).maximum == 40
    effects = machine.message(0x05, block(960, octets=40))
    assert effects[-1] == e.ImageComplete(KEY, 1000)


def test_a_cut_block_response_is_malformed() -> None:
    with pytest.raises(FrameError, match="expected 48"):
        downloading().message(0x05, block(0)[:-1])


@pytest.mark.parametrize("command", [0x00, 0x01, 0x03, 0x09, 0x42])
def test_commands_that_are_not_for_a_client_are_refused(command: int) -> None:
    with pytest.raises(FrameError, match="expected 0x02"):
        client().message(command, b"")


@pytest.mark.parametrize(
    ("wait", "delay_s"),
    [((0, 30), 30), ((1000, 1060), 60), ((0xFFFFFFFF, 5), 300), ((100, 50), None), ((7, 7), None)],
)
def test_wait_for_data_delays(wait: tuple[int, int], delay_s: int | None) -> None:
    effects = downloading().message(0x05, m.WaitForData(*wait, 0).pack())
    if delay_s is None:
        assert isinstance(effects[0], e.Send)
    else:
        assert effects == [e.SetTimer(e.OtaTimer.TRANSFER, delay_s * SECOND)]


@pytest.mark.parametrize(
    ("fields", "asks"),
    [
        ((0x1057, 1, 2), True),
        ((0x1057, 1), True),
        ((0xFFFF, 0xFFFF, 0xFFFFFFFF), True),
        ((0x1057, 1, 1), False),
        ((0x1057, 2, 2), False),
        ((0x1058,), False),
    ],
)
def test_broadcast_notify_is_heeded_when_it_concerns_the_device(fields: tuple[int, ...], asks: bool) -> None:
    effects = started().notify(m.ImageNotify(100, *fields).pack(), broadcast=True)
    assert bool(effects) == asks


def test_unicast_notify_always_makes_it_query() -> None:
    assert started().notify(m.ImageNotify(1, 0x1057, 1, 1).pack(), broadcast=False)


@pytest.mark.parametrize(
    ("broadcast", "version", "asks"), [(False, 1, True), (True, 2, True), (True, 1, False)]
)
def test_a_notify_before_the_server_is_known_is_not_forgotten(
    broadcast: bool, version: int, asks: bool
) -> None:
    machine = client()
    notify = m.ImageNotify(100, 0x1057, 1, version).pack()
    assert machine.notify(notify, broadcast=broadcast) == []
    effects = machine.power_up()
    assert any(isinstance(effect, e.Send) for effect in effects) == asks
    assert (machine.phase is e.OtaPhase.QUERYING) == asks


def test_a_notify_before_the_server_is_known_does_not_disturb_a_saved_download() -> None:
    saved = e.SavedTransfer(e.OtaPhase.WAITING, KEY, 1000, 1000)
    machine = client(saved)
    machine.notify(m.ImageNotify(100).pack(), broadcast=False)
    machine.power_up()
    assert machine.phase is e.OtaPhase.WAITING


@pytest.mark.parametrize("phase", [e.OtaPhase.DOWNLOADING, e.OtaPhase.WAITING, e.OtaPhase.COUNTDOWN])
def test_leaving_voids_what_was_downloaded_and_ordered(phase: e.OtaPhase) -> None:
    machine = client(e.SavedTransfer(phase, KEY, 1000, 1000, 5))
    machine.power_up()
    effects = machine.left()
    assert e.SaveState(None) in effects
    assert {effect.name for effect in effects if isinstance(effect, e.CancelTimer)} == set(e.OtaTimer)
    assert (machine.phase, machine.downloaded_version) == (e.OtaPhase.IDLE, None)
    assert not any(isinstance(effect, e.SetTimer) for effect in machine.timer(e.OtaTimer.ACTIVATE))
    assert any(isinstance(effect, e.SetTimer) for effect in machine.power_up())


def test_jitter_lets_that_share_of_devices_answer() -> None:
    scope = Kernel(9).scope("fleet")
    notify = m.ImageNotify(30).pack()
    asked = sum(bool(_started(OtaClient(POLICY, scope)).notify(notify, broadcast=True)) for _ in range(1000))
    assert 250 < asked < 350


def test_notify_during_a_download_changes_nothing() -> None:
    assert downloading().notify(m.ImageNotify(100).pack(), broadcast=False) == []


def test_another_device_s_image_is_refused() -> None:
    machine = client()
    machine.query()
    effects = machine.message(0x02, m.QueryNextImageResponse(0, m.ImageKey(0x1058, 1, 2), 10).pack())
    assert effects[0] == e.DefaultResponse(0x02, ZclStatus.INVALID_IMAGE)
    assert isinstance(effects[1], e.Stopped)
    assert effects[1].reason is e.StopReason.WRONG_IMAGE


def test_the_version_it_runs_is_refused() -> None:
    machine = client()
    machine.query()
    effects = machine.message(0x02, m.QueryNextImageResponse(0, m.ImageKey(0x1057, 1, 1), 10).pack())
    assert isinstance(effects[1], e.Stopped)
    assert effects[1].reason is e.StopReason.SAME_VERSION


def test_saved_state_of_a_verified_image_is_verified_again_after_a_cut() -> None:
    saved = e.SavedTransfer(e.OtaPhase.VERIFYING, KEY, 1000, 1000)
    assert client(saved).power_up()[-1] == e.ImageComplete(KEY, 1000)


@given(st.sampled_from(list(e.OtaPhase)), st.integers(0, 1 << 31), st.integers(0, 1 << 40))
def test_saved_state_survives_non_volatile_memory(phase: e.OtaPhase, offset: int, at: int) -> None:
    saved = e.SavedTransfer(phase, KEY, 1000, offset, at)
    assert e.SavedTransfer.unpack(saved.pack()) == saved


@pytest.mark.parametrize("data", [b"", bytes(24), b"\xff" * 25])
def test_other_octets_are_no_saved_state(data: bytes) -> None:
    with pytest.raises(NonVolatileError, match="saved OTA transfer"):
        e.SavedTransfer.unpack(data)


def test_state_of_an_activated_image_is_forgotten() -> None:
    saved = e.SavedTransfer(e.OtaPhase.COUNTDOWN, KEY, 1000, 1000, 5)
    assert client(saved, current_version=2).power_up()[0] == e.SaveState(None)


def test_upgrade_end_response_for_another_image_is_ignored() -> None:
    machine = client(e.SavedTransfer(e.OtaPhase.ENDING, KEY, 1000, 1000))
    machine.power_up()
    other = m.UpgradeEndResponse(m.ImageKey(0x1057, 1, 9), 0, 0).pack()
    assert machine.message(0x07, other) == []
    wild = m.UpgradeEndResponse(m.ImageKey(0xFFFF, 0xFFFF, 0xFFFFFFFF), 0, 0).pack()
    assert e.SetTimer(e.OtaTimer.ACTIVATE, 3 * SECOND) in machine.message(0x07, wild)


def test_upgrade_end_response_before_the_end_is_ignored() -> None:
    assert downloading().message(0x07, m.UpgradeEndResponse(KEY, 0, 0).pack()) == []


def test_a_countdown_can_be_put_off_again() -> None:
    machine = client(e.SavedTransfer(e.OtaPhase.ENDING, KEY, 1000, 1000))
    machine.power_up()
    machine.message(0x07, m.UpgradeEndResponse(KEY, 0, 600).pack())
    effects = machine.message(0x07, m.UpgradeEndResponse(KEY, 0, m.WAIT_FOREVER).pack())
    assert e.CancelTimer(e.OtaTimer.ACTIVATE) in effects
    assert machine.timer(e.OtaTimer.ACTIVATE) == []


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("message"), st.integers(0, 10), st.binary(max_size=70)),
            st.tuples(st.just("timer"), st.sampled_from(list(e.OtaTimer)), st.just(b"")),
            st.tuples(st.just("default"), st.integers(0, 9), st.binary(min_size=1, max_size=1)),
            st.tuples(st.just("block"), st.integers(0, 100), st.just(b"")),
            st.tuples(st.just("query"), st.just(0), st.just(b"")),
            st.tuples(st.just("end"), st.integers(0, 100), st.just(b"")),
        ),
        max_size=40,
    )
)
def test_no_sequence_of_events_breaks_the_machine(events: list[tuple[str, int, bytes]]) -> None:
    machine = client()
    machine.power_up()
    for kind, number, data in events:
        try:
            effects = feed(machine, kind, number, data)
        except FrameError:
            continue
        for effect in effects:
            if isinstance(effect, e.WriteFlash):
                assert 0 <= effect.offset < machine.size
                assert effect.offset + len(effect.data) <= machine.size
            if isinstance(effect, e.Activate):
                assert machine.offset == machine.size
            if isinstance(effect, e.EraseFlash):
                machine.flash_ready()
            if isinstance(effect, e.ImageComplete):
                machine.verified(ZclStatus.SUCCESS)


def feed(machine: OtaClient, kind: str, number: int, data: bytes) -> list[e.ClientEffect]:
    match kind:
        case "message":
            return machine.message(number, data)
        case "timer":
            return machine.timer(e.OtaTimer(number))
        case "default":
            return machine.default_response(number, data[0])
        case "block":
            return machine.message(0x05, block(machine.offset, octets=number))
        case "query":
            return machine.message(0x02, m.QueryNextImageResponse(0, KEY, 100).pack())
        case _:
            return machine.message(0x07, m.UpgradeEndResponse(KEY, 0, number).pack())


ARGUMENTS: dict[Input, tuple[Any, ...]] = {
    Input.QUERY_RESPONSE: (m.QueryNextImageResponse(0, KEY, 1000).pack(),),
    Input.TRANSFER_REFUSED: (0x03, ZclStatus.FAILURE),
    Input.ABANDON: ("battery",),
    Input.VERIFIED: (ZclStatus.SUCCESS,),
    Input.END_RESPONSE: (m.UpgradeEndResponse(KEY, 0, 600).pack(),),
}


@pytest.mark.parametrize("phase", list(e.OtaPhase))
@pytest.mark.parametrize("kind", list(Input))
def test_what_the_table_does_not_list_means_nothing(phase: e.OtaPhase, kind: Input) -> None:
    machine = downloading()
    machine._download.enter(phase)
    before = replace(machine._download)
    effects = machine._take(kind, *ARGUMENTS.get(kind, ()))
    if (phase, kind) in OtaClient.TABLE:
        assert effects, "a listed input has effects"
    else:
        assert (effects, machine._download) == ([], before)


def test_every_phase_can_be_left() -> None:
    assert {phase for phase, _ in OtaClient.TABLE} == set(e.OtaPhase)
