"""OTA client and server against each other, over a link that delays, loses and cuts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.smart_energy.ota.effects import (
    HOLD,
    NOW,
    Activation,
    ActivationKind,
    FindServer,
    JobState,
    OtaPhase,
    Outcome,
    StopReason,
    TransferProgress,
    TransferStarted,
)
from emulator.smart_energy.ota.jobs import OtaDeviceConfig, OtaServerConfig
from emulator.smart_energy.ota.messages import ImageKey, ImageUpgradeStatus, OtaCommand
from emulator.smart_energy.ota.policy import HOUR, OtaClientPolicy
from emulator.zcl.frame import ZclStatus

METER = 0x00112233_44556677
HOUR_S = 3600


def policy(**changes: Any) -> OtaClientPolicy:
    return OtaClientPolicy(0x1057, 0x0001, 1, **changes)


def prepared(
    ota_home: Any, ota_image: Any, *, activation: Activation = NOW, **kw: Any
) -> tuple[Any, Any, Any]:
    config = kw.pop("config", None)
    image = kw.pop("image", None) or ota_image()
    verify = kw.pop("verify", ZclStatus.SUCCESS)
    limits = kw.pop("limits", None)
    home = ota_home(seed=kw.pop("seed", 1), config=config)
    meter = home.device(METER, policy(**kw), verify=verify)
    home.server.store_image(image)
    if limits is not None:
        home.server.configure(METER, limits)
    home.run(home.server.authorise(METER, image.key, activation))
    home.run(home.server.notify(METER))
    return home, meter, image


def test_download_verify_activate_and_read_back(ota_home: Any, ota_image: Any) -> None:
    home, meter, image = prepared(ota_home, ota_image)
    home.run_for(600)
    assert bytes(meter.flash) == image.data
    assert meter.policy.current_version == image.key.version
    assert meter.saved is None
    assert home.outcomes() == [Outcome.FILE_TRANSFER_SUCCESS, Outcome.ACTIVATION_SUCCESS]
    assert home.server.jobs[METER].state is JobState.ACTIVATED
    assert meter.statuses == [
        ImageUpgradeStatus.DOWNLOAD_IN_PROGRESS,
        ImageUpgradeStatus.DOWNLOAD_COMPLETE,
        ImageUpgradeStatus.COUNT_DOWN,
    ]


def test_activate_now_waits_three_seconds(ota_home: Any, ota_image: Any) -> None:
    home, meter, _ = prepared(ota_home, ota_image)
    while meter.client.phase is not OtaPhase.COUNTDOWN:
        home.kernel.step()
    told = home.kernel.now
    home.run_for(5)
    assert meter.activated_at - told == 3 * SECOND


def test_progress_is_reported_up_to_the_whole_image(ota_home: Any, ota_image: Any) -> None:
    home, _, image = prepared(ota_home, ota_image)
    home.run_for(60)
    progress = [event for event in home.events if isinstance(event, TransferProgress)]
    assert progress[-1].offset == progress[-1].size == len(image.data)
    assert len(progress) == 4
    assert [event.offset for event in home.events if isinstance(event, TransferStarted)] == [0]


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("loss", [3, 7])
def test_every_nth_message_lost_still_arrives(
    ota_home: Any, ota_image: Any, direction: str, loss: int
) -> None:
    home, meter, image = prepared(ota_home, ota_image)
    counter = iter(range(1 << 30))
    home.drop = lambda way, command: way == direction and next(counter) % loss == loss - 1
    home.run_for(3 * HOUR_S)
    assert bytes(meter.flash) == image.data
    assert meter.policy.current_version == image.key.version


def test_ten_unanswered_block_requests_abort_and_a_later_query_resumes(ota_home: Any, ota_image: Any) -> None:
    home, meter, image = prepared(ota_home, ota_image)
    home.run_for(0.5)
    reached = meter.client.offset
    assert 1024 < reached < len(image.data)
    home.drop = lambda way, command: True
    home.run_for(60)
    assert meter.stop_reasons() == [StopReason.NO_RESPONSE]
    saved = meter.saved.offset
    home.drop = lambda way, command: False
    requests = meter.count(OtaCommand.IMAGE_BLOCK_REQUEST)
    home.run_for(900)
    assert meter.policy.current_version == image.key.version
    resumed = meter.count(OtaCommand.IMAGE_BLOCK_REQUEST) - requests
    assert resumed == -(-(len(image.data) - saved) // 48)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 3_000_000), min_size=1, max_size=4))
def test_power_cuts_at_any_moment_end_in_the_same_image(
    ota_home: Any, ota_image: Any, cuts: list[int]
) -> None:
    home, meter, image = prepared(ota_home, ota_image)
    for cut_us in cuts:
        home.kernel.run_for(cut_us)
        meter.power_cut()
        home.kernel.run_for(10 * SECOND)
        meter.power_up()
    home.run_for(2 * HOUR_S)
    assert meter.policy.current_version == image.key.version
    assert home.server.jobs[METER].state is JobState.ACTIVATED
    assert home.outcomes().count(Outcome.FILE_TRANSFER_SUCCESS) == 1


def test_resume_starts_at_the_saved_offset(ota_home: Any, ota_image: Any) -> None:
    home, meter, image = prepared(ota_home, ota_image)
    home.run_for(1)
    meter.power_cut()
    saved = meter.saved.offset
    assert saved >= 1024
    sent = len(meter.sent)
    meter.power_up()
    home.run_for(300)
    first = next(p for c, p in meter.sent[sent:] if c == OtaCommand.IMAGE_BLOCK_REQUEST)
    assert int.from_bytes(first[9:13], "little") == saved
    assert bytes(meter.flash) == image.data


def test_a_client_without_resume_starts_from_zero(ota_home: Any, ota_image: Any) -> None:
    home, meter, image = prepared(ota_home, ota_image, resumes=False)
    home.run_for(1)
    meter.power_cut()
    sent = len(meter.sent)
    meter.power_up()
    home.run_for(400)
    first = next(p for c, p in meter.sent[sent:] if c == OtaCommand.IMAGE_BLOCK_REQUEST)
    assert int.from_bytes(first[9:13], "little") == 0
    assert bytes(meter.flash) == image.data


def test_hub_restart_keeps_the_job(ota_home: Any, ota_image: Any) -> None:
    home, meter, image = prepared(ota_home, ota_image)
    home.run_for(1)
    home.restart_hub()
    home.run_for(900)
    assert meter.policy.current_version == image.key.version


def test_held_activation_waits_for_release(ota_home: Any, ota_image: Any) -> None:
    home, meter, image = prepared(ota_home, ota_image, activation=HOLD)
    home.run_for(5 * HOUR_S)
    assert meter.activated_at is None
    assert meter.client.status is ImageUpgradeStatus.WAITING_TO_UPGRADE
    assert home.server.jobs[METER].state is JobState.HELD
    assert meter.count(OtaCommand.UPGRADE_END_REQUEST) == 5
    home.run(home.server.release(METER, NOW))
    home.run_for(10)
    assert meter.policy.current_version == image.key.version


def test_a_lost_release_is_learnt_when_the_device_asks_again(ota_home: Any, ota_image: Any) -> None:
    home, meter, image = prepared(ota_home, ota_image, activation=HOLD)
    home.run_for(HOUR_S / 2)
    home.drop = lambda way, command: True
    home.run(home.server.release(METER, NOW))
    home.drop = lambda way, command: False
    home.run_for(HOUR_S)
    assert meter.policy.current_version == image.key.version


def test_held_device_that_reboots_asks_again(ota_home: Any, ota_image: Any) -> None:
    home, meter, image = prepared(ota_home, ota_image, activation=HOLD)
    home.run_for(60)
    meter.power_cut()
    meter.power_up()
    assert meter.client.status is ImageUpgradeStatus.WAITING_TO_UPGRADE
    assert meter.client.downloaded_version == image.key.version
    home.server.release(METER, NOW)
    home.run_for(300)
    assert meter.policy.current_version == image.key.version


@pytest.mark.parametrize("relative", [False, True])
def test_timed_activation_is_on_time(ota_home: Any, ota_image: Any, relative: bool) -> None:
    home = ota_home()
    at = home.kernel.unix_seconds + 6 * HOUR_S
    home, meter, _ = prepared(
        ota_home,
        ota_image,
        activation=Activation(ActivationKind.AT, at),
        config=OtaServerConfig(relative_times=relative),
    )
    home.run_for(7 * HOUR_S)
    assert abs(meter.activated_at // SECOND + home.kernel.epoch_us // SECOND - at) <= 1


def test_timed_activation_survives_a_reboot(ota_home: Any, ota_image: Any) -> None:
    at = ota_home().kernel.unix_seconds + 6 * HOUR_S
    home, meter, _ = prepared(ota_home, ota_image, activation=Activation(ActivationKind.AT, at))
    home.run_for(HOUR_S)
    meter.power_cut()
    home.run_for(HOUR_S)
    meter.power_up()
    home.run_for(5 * HOUR_S)
    assert abs(meter.activated_at // SECOND + home.kernel.epoch_us // SECOND - at) <= 1


def test_activation_missed_while_off_happens_at_power_up(ota_home: Any, ota_image: Any) -> None:
    at = ota_home().kernel.unix_seconds + HOUR_S
    home, meter, image = prepared(ota_home, ota_image, activation=Activation(ActivationKind.AT, at))
    home.run_for(HOUR_S / 2)
    meter.power_cut()
    home.run_for(2 * HOUR_S)
    meter.power_up()
    home.run_for(1)
    assert meter.policy.current_version == image.key.version


def test_quirk_activates_after_sixty_minutes_instead(ota_home: Any, ota_image: Any) -> None:
    at = ota_home().kernel.unix_seconds + 6 * HOUR_S
    home, meter, _ = prepared(
        ota_home,
        ota_image,
        activation=Activation(ActivationKind.AT, at),
        quirk_early_activation_60min=True,
    )
    home.run_for(2 * HOUR_S)
    assert HOUR <= meter.activated_at < HOUR + 60 * SECOND


def test_quirk_activates_although_held(ota_home: Any, ota_image: Any) -> None:
    home, meter, image = prepared(ota_home, ota_image, activation=HOLD, quirk_activates_immediately=True)
    home.run_for(60)
    assert meter.policy.current_version == image.key.version


def test_quirk_never_activates(ota_home: Any, ota_image: Any) -> None:
    home, meter, _ = prepared(ota_home, ota_image, quirk_never_activates=True)
    home.run_for(HOUR_S)
    assert meter.activated_at is None
    assert home.outcomes() == [Outcome.FILE_TRANSFER_SUCCESS]


def test_out_of_band_device_refuses_and_waits_for_its_own_order(ota_home: Any, ota_image: Any) -> None:
    home, meter, image = prepared(ota_home, ota_image, out_of_band_activation=True)
    home.run_for(HOUR_S)
    assert meter.client.status is ImageUpgradeStatus.WAITING_VIA_EXTERNAL_EVENT
    assert meter.activated_at is None
    meter.run(meter.client.activate_now())
    assert meter.policy.current_version == image.key.version


def test_missed_upgrade_end_answers_apply_anyway(ota_home: Any, ota_image: Any) -> None:
    home, meter, image = prepared(ota_home, ota_image)
    home.drop = lambda way, command: command == OtaCommand.UPGRADE_END_RESPONSE
    home.run_for(3 * HOUR_S)
    assert meter.policy.current_version == image.key.version
    assert meter.count(OtaCommand.UPGRADE_END_REQUEST) == 11


def test_timeout_policy_do_not_apply_never_applies(ota_home: Any, ota_image: Any) -> None:
    home, meter, _ = prepared(ota_home, ota_image, apply_after_missed_answers=False)
    home.drop = lambda way, command: command == OtaCommand.UPGRADE_END_RESPONSE
    home.run_for(24 * HOUR_S)
    assert meter.activated_at is None


def test_invalid_image_is_reported_and_not_offered_again(ota_home: Any, ota_image: Any) -> None:
    home, meter, _ = prepared(ota_home, ota_image, verify=ZclStatus.INVALID_IMAGE)
    home.run_for(HOUR_S)
    assert meter.stop_reasons() == [StopReason.INVALID_IMAGE]
    assert home.outcomes() == [Outcome.FIRMWARE_IMAGE_DISCARDED]
    assert meter.saved is None
    assert meter.client.status is ImageUpgradeStatus.NORMAL
    assert meter.count(OtaCommand.UPGRADE_END_REQUEST) == 1


def test_a_lost_invalid_image_report_is_repeated(ota_home: Any, ota_image: Any) -> None:
    home, meter, _ = prepared(ota_home, ota_image, verify=ZclStatus.INVALID_IMAGE)
    lost = iter([True, True])
    home.drop = lambda way, command: command == OtaCommand.UPGRADE_END_REQUEST and next(lost, False)
    home.run_for(HOUR_S)
    assert home.outcomes() == [Outcome.FIRMWARE_IMAGE_DISCARDED]
    assert meter.count(OtaCommand.UPGRADE_END_REQUEST) == 3


def test_repeated_aborts_fail_the_job(ota_home: Any, ota_image: Any) -> None:
    home, _, _ = prepared(
        ota_home, ota_image, verify=ZclStatus.ABORT, config=OtaServerConfig(maximum_attempts=3)
    )
    home.run_for(2 * HOUR_S)
    assert home.outcomes() == [Outcome.FILE_TRANSFER_FAILURE]
    assert home.server.jobs[METER].attempts == 3


def test_more_images_required_leaves_the_job_open(ota_home: Any, ota_image: Any) -> None:
    home, meter, _ = prepared(ota_home, ota_image, verify=ZclStatus.REQUIRE_MORE_IMAGE)
    home.run_for(4)
    assert ImageUpgradeStatus.WAIT_FOR_MORE in meter.statuses
    assert not home.server.jobs[METER].state.is_over


def test_withdrawn_job_aborts_the_download(ota_home: Any, ota_image: Any) -> None:
    home, meter, _ = prepared(ota_home, ota_image)
    home.run_for(1)
    home.run(home.server.withdraw(METER))
    home.run_for(HOUR_S)
    assert meter.stop_reasons() == [StopReason.SERVER_ABORT]
    assert meter.saved is None
    assert meter.policy.current_version == 1


def test_replaced_job_stops_the_old_download_and_starts_the_new(ota_home: Any, ota_image: Any) -> None:
    home, meter, _ = prepared(ota_home, ota_image)
    home.run_for(1)
    newer = ota_image(version=3, size=4000)
    home.server.store_image(newer)
    home.run(home.server.authorise(METER, newer.key, NOW))
    home.run_for(HOUR_S)
    assert meter.stop_reasons() == [StopReason.NO_IMAGE]
    assert meter.policy.current_version == 3
    assert bytes(meter.flash) == newer.data


def test_an_unauthorised_device_is_offered_nothing(ota_home: Any, ota_image: Any) -> None:
    home, _, _ = prepared(ota_home, ota_image)
    other = home.device(METER + 1, policy())
    home.run_for(HOUR_S)
    assert other.policy.current_version == 1
    assert other.count(OtaCommand.IMAGE_BLOCK_REQUEST) == 0


def test_wrong_hardware_is_refused_by_the_server(ota_home: Any, ota_image: Any) -> None:
    image = ota_image(hardware_minimum=0x10, hardware_maximum=0x20)
    home, meter, _ = prepared(ota_home, ota_image, image=image, hardware_version=0x21)
    home.run_for(60)
    assert home.outcomes() == [Outcome.HARDWARE_VERSION_MISMATCH]
    assert meter.count(OtaCommand.IMAGE_BLOCK_REQUEST) == 0


def test_hardware_in_range_is_served(ota_home: Any, ota_image: Any) -> None:
    image = ota_image(hardware_minimum=0x10, hardware_maximum=0x20)
    home, meter, _ = prepared(ota_home, ota_image, image=image, hardware_version=0x20)
    home.run_for(300)
    assert meter.policy.current_version == 2


def test_downgrade_is_refused_by_a_device_that_does_so(ota_home: Any, ota_image: Any) -> None:
    home, meter, _ = prepared(ota_home, ota_image, image=ota_image(version=0), refuses_downgrade=True)
    home.run_for(60)
    assert meter.stop_reasons() == [StopReason.DOWNGRADE_REFUSED]
    assert home.outcomes() == [Outcome.FIRMWARE_IMAGE_DISCARDED]


def test_image_larger_than_storage_is_insufficient_space(ota_home: Any, ota_image: Any) -> None:
    home, meter, _ = prepared(ota_home, ota_image, storage_size=9_999)
    home.run_for(60)
    assert meter.stop_reasons() == [StopReason.INSUFFICIENT_SPACE]
    assert meter.seen[1].detail == "10000 octets, storage has 9999"
    assert home.outcomes() == [Outcome.FILE_TRANSFER_FAILURE]


def test_no_more_than_five_downloads_at_a_time_and_all_finish(ota_home: Any, ota_image: Any) -> None:
    image = ota_image(size=3000)
    home = ota_home()
    home.server.store_image(image)
    meters = [home.device(METER + n, policy(request_interval_us=SECOND)) for n in range(7)]
    for meter in meters:
        home.run(home.server.authorise(meter.eui64, image.key, NOW))
        home.run(home.server.notify(meter.eui64))
    home.run_for(30)
    begun = [meter for meter in meters if meter.client.offset]
    assert len(begun) == 5
    home.run_for(HOUR_S)
    assert all(meter.policy.current_version == 2 for meter in meters)


def test_a_silent_session_gives_up_its_slot_but_not_its_progress(ota_home: Any, ota_image: Any) -> None:
    image = ota_image(size=3000)
    home = ota_home(config=OtaServerConfig(maximum_sessions=1))
    home.server.store_image(image)
    first, second = (home.device(METER + n, policy(request_interval_us=SECOND)) for n in range(2))
    for meter in (first, second):
        home.run(home.server.authorise(meter.eui64, image.key, NOW))
    home.run(home.server.notify(first.eui64))
    home.run_for(30)
    first.power_cut()
    home.run(home.server.notify(second.eui64))
    home.run_for(400)
    assert second.policy.current_version == 2
    first.power_up()
    home.run_for(HOUR_S)
    assert first.policy.current_version == 2


def test_a_client_that_ignores_wait_for_data_goes_on_asking(ota_home: Any, ota_image: Any) -> None:
    home, meter, _ = prepared(
        ota_home,
        ota_image,
        config=OtaServerConfig(maximum_sessions=0),
        quirk_ignores_wait_for_data=True,
        request_interval_us=SECOND,
    )
    home.run_for(60)
    assert meter.count(OtaCommand.IMAGE_BLOCK_REQUEST) > 50
    assert meter.client.offset == 0


def test_a_client_that_does_not_know_wait_for_data_gives_up(ota_home: Any, ota_image: Any) -> None:
    home, meter, _ = prepared(
        ota_home, ota_image, config=OtaServerConfig(maximum_sessions=0), wait_for_data_supported=False
    )
    home.run_for(60)
    assert meter.stop_reasons() == [StopReason.NO_RESPONSE]


@pytest.mark.parametrize(("unit_us", "period"), [(1000, 500), (SECOND, 1)])
def test_minimum_block_period_is_taken_up(ota_home: Any, ota_image: Any, unit_us: int, period: int) -> None:
    home, meter, image = prepared(
        ota_home,
        ota_image,
        minimum_block_period_supported=True,
        minimum_block_period_unit_us=unit_us,
        limits=OtaDeviceConfig(minimum_block_period_us=500_000, minimum_block_period_unit_us=unit_us),
    )
    home.run_for(30)
    assert meter.client.minimum_block_period == period
    gap_us = period * unit_us
    asked = meter.count(OtaCommand.IMAGE_BLOCK_REQUEST)
    home.run_for(20)
    assert meter.count(OtaCommand.IMAGE_BLOCK_REQUEST) - asked == pytest.approx(20 * SECOND / gap_us, abs=1)
    home.run_for(HOUR_S)
    assert bytes(meter.flash) == image.data


def test_rate_limit_without_minimum_block_period_uses_wait_for_data(ota_home: Any, ota_image: Any) -> None:
    home, meter, image = prepared(
        ota_home, ota_image, limits=OtaDeviceConfig(minimum_block_period_us=2 * SECOND)
    )
    home.run_for(100)
    assert meter.client.offset == pytest.approx(50 * 48, abs=2 * 48)
    home.run_for(HOUR_S)
    assert bytes(meter.flash) == image.data


def test_server_caps_the_block(ota_home: Any, ota_image: Any) -> None:
    home, meter, image = prepared(ota_home, ota_image, block_size=63, limits=OtaDeviceConfig(40))
    home.run_for(600)
    assert meter.count(OtaCommand.IMAGE_BLOCK_REQUEST) == len(image.data) // 40
    assert bytes(meter.flash) == image.data


@pytest.mark.parametrize("lossy", [False, True])
def test_page_requests(ota_home: Any, ota_image: Any, lossy: bool) -> None:
    home, meter, image = prepared(
        ota_home, ota_image, config=OtaServerConfig(page_requests=True), page_size=1024
    )
    counter = iter(range(1 << 30))
    if lossy:
        home.drop = lambda way, command: way == "down" and next(counter) % 17 == 16
    home.run_for(HOUR_S)
    assert bytes(meter.flash) == image.data
    assert 0 < meter.count(OtaCommand.IMAGE_PAGE_REQUEST) < (40 if lossy else 11)


def test_refused_page_requests_fall_back_to_blocks(ota_home: Any, ota_image: Any) -> None:
    home, meter, image = prepared(ota_home, ota_image, page_size=1024)
    home.run_for(300)
    assert meter.count(OtaCommand.IMAGE_PAGE_REQUEST) == 1
    assert bytes(meter.flash) == image.data


def test_unanswered_queries_make_the_device_look_for_a_server(ota_home: Any) -> None:
    home = ota_home()
    home.drop = lambda way, command: True
    meter = home.device(METER, policy())
    home.run_for(2 * HOUR_S)
    assert FindServer() in meter.seen


def test_flash_failure_aborts(ota_home: Any, ota_image: Any) -> None:
    home, meter, _ = prepared(ota_home, ota_image)
    home.run_for(1)
    meter.run(meter.client.flash_failed())
    assert meter.stop_reasons() == [StopReason.FLASH_FAILURE]
    home.run_for(10)
    assert home.server.jobs[METER].attempts == 1


def test_a_truncated_image_at_the_server_is_the_clients_to_find(ota_home: Any, ota_image: Any) -> None:
    image = ota_image(size=5001)
    home, meter, _ = prepared(ota_home, ota_image, image=image, verify=ZclStatus.INVALID_IMAGE)
    home.run_for(60)
    assert len(meter.flash) == 5001
    assert home.outcomes() == [Outcome.FIRMWARE_IMAGE_DISCARDED]


def test_equal_seeds_give_equal_histories(ota_home: Any, ota_image: Any) -> None:
    histories = []
    for _ in range(2):
        home, meter, _image = prepared(ota_home, ota_image, seed=5)
        home.run_for(600)
        histories.append((meter.sent, meter.activated_at, home.events))
    assert histories[0] == histories[1]


def test_release_without_job_says_so(ota_home: Any) -> None:
    with pytest.raises(Exception, match="no OTA job to release"):
        ota_home().server.release(METER, NOW)


def test_authorising_an_unknown_image_says_so(ota_home: Any) -> None:
    with pytest.raises(Exception, match="not stored"):
        ota_home().server.authorise(METER, ImageKey(1, 2, 3))
