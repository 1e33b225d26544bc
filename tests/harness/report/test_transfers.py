"""What the plot of a transfer marks: pauses, attempts begun again, the device's return, its restart."""

from __future__ import annotations

from pathlib import Path

from emulator.wan.results import TransferCounts
from harness.facts import Failed
from harness.facts.firmware import (
    Activated,
    Activation,
    DeviceJoined,
    JobOutcome,
    Transfer,
    TransferAttemptFailed,
    TransferProgress,
    Transferred,
    TransferStarted,
)
from harness.facts.plan import Hop
from harness.journal import Journal, key_from_seed, read_entries
from harness.report.frames import Frames
from harness.report.transfers import transfers
from tests.harness.facts.samples import begun

MINUTE = 60_000_000
SIZE = 10_000
COUNTS = TransferCounts(250, 40, 30, 1, 12_000, 48, SIZE)
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
    hop = Hop("00", "x.ota", SIZE, 1, "1.0", 2, "2.0")
    with Journal.create(path, begun(), clock=clock, key=key_from_seed(b"1", "campaign")) as journal:
        with journal.effect(Transfer(DEVICE, hop)) as effect:
            journal.write(TransferStarted(DEVICE, 2, 0))
            for step in range(1, 11):
                clock.now += MINUTE if step != pause_after + 1 else 60 * MINUTE
                journal.write(TransferProgress(DEVICE, 2, step * 1000, SIZE))
                if step == pause_after:
                    journal.write(TransferAttemptFailed(DEVICE, 2, 0x95, "ABORT"))
                    journal.write(DeviceJoined(DEVICE))
            effect.done(Transferred("FileTransferSuccess", 1, COUNTS))
        with journal.effect(Activation(DEVICE, hop)) as activation:
            journal.write(JobOutcome(DEVICE, 2, "ActivationSuccess", COUNTS, silent_ms=42_000))
            activation.done(Activated("ActivationSuccess", 2))
    (report,) = transfers(read_entries(path), Frames((), 0))
    assert report.off_air_seconds == 42
    assert (report.blocks, report.octets_carried) == (250, 12_000)
    assert report.retries.get("blocks sent again") == 40
    assert (report.hop.from_display, report.hop.display) == ("1.0", "2.0")
    return [(mark.kind, mark.offset) for mark in report.marks]


def test_a_pause_a_retry_a_return_and_the_restart_are_marked(tmp_path: Path) -> None:
    marks = course(tmp_path, pause_after=5)
    assert sorted(marks) == [("reboot", 10_000), ("rejoined", 5_000), ("retry", 5_000), ("wait", 5_000)]


def test_a_steady_transfer_has_no_pause(tmp_path: Path) -> None:
    assert [kind for kind, _ in course(tmp_path, pause_after=99)] == ["reboot"]


def test_an_activation_that_failed_is_never_shown_as_one_that_happened(tmp_path: Path) -> None:
    path, clock = tmp_path / "journal.sqlite", Clock()
    hop = Hop("00", "x.ota", SIZE, 1, "1.0", 2, "2.0")
    with Journal.create(path, begun(), clock=clock, key=key_from_seed(b"1", "campaign")) as journal:
        with journal.effect(Transfer(DEVICE, hop)) as effect:
            effect.done(Transferred("FileTransferSuccess", 0, COUNTS))
        clock.now += MINUTE
        with journal.effect(Activation(DEVICE, hop)) as activation:
            clock.now += MINUTE
            activation.failed(Failed("no restart within 72 hours", "ActivationFailure"))
    (report,) = transfers(read_entries(path), Frames((), 0))
    assert (report.activation_requested_us, report.activation_actual_us) == (MINUTE, None)
    assert report.result == "ActivationFailure"
    assert "reboot" not in {mark.kind for mark in report.marks}
