"""Why firmware did not get onto a device, as data: whether another attempt can end otherwise, and what to do.

What the device itself said decides before how the hub calls the end: a refusal of the octets that it holds is the same
after every download of them, an interrupted download is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from emulator.wan.results import JobStatus


class Retry(StrEnum):
    """Whether it can pass by itself."""

    AGAIN = "again"
    NEVER = "never"


class Reason(NamedTuple):
    """What a failure means for another attempt, and what somebody has to do about it."""

    retry: Retry
    advice: str


STALLED, HUB_REFUSED = "stalled", "hub refused"
_REACH = "Find out what keeps the device from the hub: range, power, interference"
_IMAGE = "Find out why the device refuses the image"

REASONS: Mapping[str, Reason] = {
    # What the device said: names of ZCL statuses, at the end of a download or to the offer of an image.
    "INVALID_IMAGE": Reason(Retry.NEVER, _IMAGE),
    "INSUFFICIENT_SPACE": Reason(Retry.NEVER, "Obtain an image that fits the device's storage"),
    "ABORT": Reason(Retry.AGAIN, "Find out why the device gives the download up: battery, power, tampering"),
    # What the campaign saw. The hub has offered the image all the time: beginning again would not reach the device.
    STALLED: Reason(Retry.NEVER, _REACH),
    HUB_REFUSED: Reason(Retry.NEVER, "See to what the hub says"),
    # How the hub calls the end.
    "FirmwareImageDiscarded": Reason(Retry.NEVER, _IMAGE),
    "HardwareVersionMismatch": Reason(Retry.NEVER, "Obtain the image for the hardware that is really there"),
    "ActivationFailure": Reason(Retry.NEVER, "Find out why the device keeps its firmware"),
    "FileTransferFailure": Reason(Retry.AGAIN, _REACH),
    "Unreachable": Reason(Retry.NEVER, "Restore the link or the device"),
}
"""By what the device said, what the campaign saw, or how the hub calls the end, whichever comes first."""


class HopFailed(Exception):  # noqa: N818 - an ending that the caller reports
    """A hop that failed: its outcome in the DCC's words, and the cause in anybody's."""

    def __init__(self, outcome: str, cause: str, said: str = "") -> None:
        """`said` is what decides before the outcome, if anything does: a name among `REASONS`."""
        super().__init__(cause)
        self.outcome = outcome
        self.cause = cause
        self.reason = REASONS.get(said) or REASONS[outcome]

    @property
    def is_final(self) -> bool:
        """Whether another attempt would end alike."""
        return self.reason.retry is Retry.NEVER


def failure_of(job: JobStatus, told: str) -> HopFailed:
    """Return the failure of a job; `told` is the outcome that the hub's last alert named, if one came."""
    detail = job.detail or f"the hub's job is {job.state}"
    named = f"{job.outcome or ''} {told} {detail}".replace(" ", "").lower()
    for outcome in ("HardwareVersionMismatch", "FirmwareImageDiscarded"):
        if outcome.lower() in named:
            return HopFailed(outcome, detail, job.device_status or "")
    return HopFailed("FileTransferFailure", detail, job.device_status or "")
