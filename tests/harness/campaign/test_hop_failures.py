"""Which failures of a hop are tried again: by what the device said first, then by how the hub calls the end."""

from __future__ import annotations

import pytest

from emulator.smart_energy.ota.effects import Outcome
from emulator.wan.results import JobStatus
from emulator.zcl.frame import ZclStatus
from harness.campaign.hop_failures import HUB_REFUSED, REASONS, STALLED, HopFailed, Retry, failure_of


def _failed(outcome: str, status: str | None, detail: str = "the job is over", told: str = "") -> HopFailed:
    job = JobStatus("00-DB-12-34-56-78-90-A1", "failed", outcome=outcome, device_status=status, detail=detail)
    return failure_of(job, told)


@pytest.mark.parametrize(
    ("outcome", "status", "final", "advice"),
    [
        ("FirmwareImageDiscarded", "INVALID_IMAGE", True, "refuses the image"),
        ("FirmwareImageDiscarded", None, True, "refuses the image"),
        ("FileTransferFailure", "INSUFFICIENT_SPACE", True, "fits the device's storage"),
        ("FileTransferFailure", "ABORT", False, "battery, power"),
        ("FileTransferFailure", "REQUIRE_MORE_IMAGE", False, "range, power, interference"),
        ("FileTransferFailure", None, False, "range, power, interference"),
        ("HardwareVersionMismatch", "", True, "the hardware that is really there"),
    ],
)
def test_what_cannot_pass_by_itself_is_not_tried_again(
    outcome: str, status: str | None, final: bool, advice: str
) -> None:
    failure = _failed(outcome, status)
    assert (failure.outcome, failure.is_final) == (outcome, final)
    assert advice in failure.reason.advice


def test_what_the_campaign_saw_decides_too() -> None:
    assert HopFailed("FileTransferFailure", "nothing happened", STALLED).is_final
    assert HopFailed("FileTransferFailure", "no room for the image", HUB_REFUSED).is_final
    assert "hub says" in HopFailed("FileTransferFailure", "no room", HUB_REFUSED).reason.advice


def test_an_outcome_that_only_the_alert_or_the_detail_names_counts() -> None:
    assert _failed("", None, told="FirmwareImageDiscarded").outcome == "FirmwareImageDiscarded"
    assert _failed("", None, detail="Hardware version mismatch").outcome == "HardwareVersionMismatch"
    assert _failed("", None).outcome == "FileTransferFailure"


def test_every_outcome_that_is_a_failure_has_its_reason_and_every_status_is_one() -> None:
    failures = {outcome.value for outcome in Outcome if not outcome.value.endswith("Success")}
    assert failures <= REASONS.keys()
    statuses = {name for name in REASONS if name.isupper()}
    assert statuses <= {status.name for status in ZclStatus}
    assert {reason.retry for reason in REASONS.values()} == set(Retry)
