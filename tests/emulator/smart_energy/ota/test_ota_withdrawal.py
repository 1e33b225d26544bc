"""A device that already holds an image which the head end no longer wants to run lets go of it."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.smart_energy.ota import messages as m
from emulator.smart_energy.ota.effects import HOLD, NOW, DefaultResponse, StopReason
from emulator.smart_energy.ota.messages import ImageUpgradeStatus, OtaCommand
from emulator.smart_energy.ota.policy import OtaClientPolicy
from emulator.zcl.frame import ZclStatus

METER = 0x0011223344556677
POLICY = OtaClientPolicy(0x1057, 1, 1, start_delay_max_s=1)
HOUR_S = 3600


@pytest.fixture
def held(ota_home: Any, ota_image: Any) -> tuple[Any, Any]:
    """A home whose meter has downloaded version 2 and was told to wait."""
    home = ota_home()
    image = ota_image()
    home.server.store_image(image)
    home.server.authorise(METER, image.key, HOLD)
    meter = home.device(METER, POLICY)
    home.run_for(HOUR_S)
    assert meter.client.status is ImageUpgradeStatus.WAITING_TO_UPGRADE
    return home, meter


def test_a_withdrawn_image_that_a_device_holds_is_never_activated(held: tuple[Any, Any]) -> None:
    home, meter = held
    home.run(home.server.withdraw(METER))
    home.run_for(24 * HOUR_S)
    assert meter.activated_at is None
    assert meter.stop_reasons() == [StopReason.SERVER_ABORT]
    assert (meter.saved, meter.client.downloaded_version) == (None, None)
    assert meter.client.status is ImageUpgradeStatus.NORMAL


def test_an_image_that_another_has_replaced_gives_way_to_it(held: tuple[Any, Any], ota_image: Any) -> None:
    home, meter = held
    newer = ota_image(version=3, size=4000)
    home.server.store_image(newer)
    home.run(home.server.authorise(METER, newer.key, NOW))
    home.run_for(24 * HOUR_S)
    assert meter.policy.current_version == 3
    assert meter.boots == 2, "version 2 never ran"


def test_a_device_that_was_off_when_its_image_was_withdrawn_learns_it_when_it_is_back(
    held: tuple[Any, Any],
) -> None:
    home, meter = held
    meter.power_cut()
    home.run(home.server.withdraw(METER))
    home.run_for(24 * HOUR_S)
    meter.power_up()
    home.run_for(24 * HOUR_S)
    assert (meter.activated_at, meter.saved) == (None, None)


@pytest.mark.parametrize("reported", [ZclStatus.SUCCESS, ZclStatus.INVALID_IMAGE, ZclStatus.ABORT])
def test_the_server_aborts_whatever_the_end_of_a_withdrawn_download_was(
    held: tuple[Any, Any], reported: ZclStatus
) -> None:
    home, _ = held
    home.server.withdraw(METER)
    request = m.UpgradeEndRequest(reported, m.ImageKey(0x1057, 1, 2)).pack()
    answer = home.server.message(METER, OtaCommand.UPGRADE_END_REQUEST, request)
    assert answer == [DefaultResponse(OtaCommand.UPGRADE_END_REQUEST, ZclStatus.ABORT)]
