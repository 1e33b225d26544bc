"""What the plot of a transfer marks: pauses, attempts begun again, the device's return, its restart."""

from __future__ import annotations

from pathlib import Path

from harness.campaign.transfers import transfers
from harness.journal import Journal, Json, key_from_seed, read_entries

MINUTE = 60_000_000
SIZE = 10_000
DEVICE = "00-DB-12-34-56-78-90-A1"


class Clock:
    """Time as the test sets it."""

    now = 0

    @property
    def unix_us(self) -> int:
        return self.now


def course(tmp_path: Path, *, pause_after: int) -> list[tuple[str, int]]:
    """Return (kind, offset) of the marks of a transfer of ten steps that rests for an hour after one of them."""
    path, clock = tmp_path / "journal.sqlite", Clock()
    with Journal.create(path, {}, clock=clock, key=key_from_seed(b"1", "campaign")) as journal:
        details: dict[str, Json] = {
            "sha256": "00",
            "image": "x.ota",
            "octets": SIZE,
            "from_version": 1,
            "to_version": 2,
            "to": "2",
        }
        with journal.effect(DEVICE, "transfer", details, key="transfer") as effect:
            journal.observe(DEVICE, "transfer-started", {"version": 2, "offset": 0})
            for step in range(1, 11):
                clock.now += MINUTE if step != pause_after + 1 else 60 * MINUTE
                journal.observe(
                    DEVICE, "transfer-progress", {"version": 2, "offset": step * 1000, "size": SIZE}
                )
                if step == pause_after:
                    journal.observe(DEVICE, "transfer-attempt-failed", {"version": 2, "status": 0x95})
                    journal.observe(DEVICE, "device-joined", {})
            effect.done({"outcome": "FileTransferSuccess"})
        key = "activate/x/00000002"
        with journal.effect(DEVICE, "activate", {"version": 2}, key=key, irreversible=True) as effect:
            journal.observe(DEVICE, "job-outcome", {"outcome": "ActivationSuccess", "silent_ms": 42_000})
            effect.done({"outcome": "ActivationSuccess", "version": 2})
    (report,) = transfers(read_entries(path), lambda device, version: f"{version}.0")
    assert report.off_air_seconds == 42
    assert (report.from_version, report.to_version) == ("1.0", "2.0")
    return [(mark.kind, mark.offset) for mark in report.marks]


def test_a_pause_a_retry_a_return_and_the_restart_are_marked(tmp_path: Path) -> None:
    marks = course(tmp_path, pause_after=5)
    assert sorted(marks) == [("reboot", 10_000), ("rejoined", 5_000), ("retry", 5_000), ("wait", 5_000)]


def test_a_steady_transfer_has_no_pause(tmp_path: Path) -> None:
    assert [kind for kind, _ in course(tmp_path, pause_after=99)] == ["reboot"]
