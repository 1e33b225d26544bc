"""The numbers of the regime that are not public, each named, with what is known about it (fact sheet 7.7).

Nothing here is presented as official. An installation file may set its own values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from hw_profiles.installation import Enrolment


def _parameter(value: Any, unit: str, confidence: str, source: str) -> Any:
    return field(default=value, metadata={"unit": unit, "confidence": confidence, "source": source})


_UNKNOWN = "placeholder"
_NO_SOURCE = "no number found"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeParameters:
    """Every unknown of the regime; the metadata of each field says its unit, confidence and source."""

    firmware_notice_days: int = _parameter(
        7, "days", _UNKNOWN, "that there is notice: MAM companions; no number found"
    )
    authorisation_valid_days: int = _parameter(90, "days", _UNKNOWN, _NO_SOURCE)
    certificate_cut_off_hours: int = _parameter(24, "hours", _UNKNOWN, "that one exists: TMAD report")
    device_test_attempts: int = _parameter(3, "attempts", _UNKNOWN, _NO_SOURCE)
    control_attempts: int = _parameter(5, "attempts", _UNKNOWN, _NO_SOURCE)
    retry_backoff_seconds: int = _parameter(60, "seconds", _UNKNOWN, _NO_SOURCE)
    migration_retry_hours: int = _parameter(4, "hours", _UNKNOWN, _NO_SOURCE)
    attempts_before_exclusion: int = _parameter(5, "attempts", "proposal", "various-1 consultation")
    deferrals: int = _parameter(
        30, "days", _UNKNOWN, "how long an installation waits for capacity; no number found"
    )
    post_commissioning_days: int = _parameter(7, "days", "recalled", "fact sheet 4.5")
    daily_capacity: int = _parameter(1000, "installations a day", _UNKNOWN, _NO_SOURCE)
    service_provider: str = _parameter("CGI", "three letters", "recalled", "sample MA file names")
    disabled_checks: tuple[str, ...] = _parameter((), "validation codes", _UNKNOWN, "MEHRS, Oct 2021")

    @classmethod
    def from_enrolment(cls, enrolment: Enrolment) -> RegimeParameters:
        """Return the parameters with the values an installation file sets."""
        return cls(
            firmware_notice_days=enrolment.firmware_notice_days,
            authorisation_valid_days=enrolment.authorisation_valid_days,
            certificate_cut_off_hours=round(enrolment.certificate_cut_off_hours),
            device_test_attempts=enrolment.device_test_attempts,
            attempts_before_exclusion=enrolment.migration_attempts,
            post_commissioning_days=enrolment.post_commissioning_days,
        )

    def explained(self) -> Iterator[tuple[str, object, str, str, str]]:
        """Yield name, value, unit, confidence and source of every parameter, in order."""
        for item in fields(self):
            meta = item.metadata
            yield item.name, getattr(self, item.name), meta["unit"], meta["confidence"], meta["source"]
