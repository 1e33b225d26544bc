"""The transfers of a campaign as its journal tells them: progress, marks, activation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from harness.campaign.upgrade import BLOCK_OCTETS
from harness.journal import Entry, Kind
from harness.report.model import TransferMark, TransferReport
from harness.report.wording import duration

Display = Callable[[str, int], str]
"""What people call a device's version."""
_MARKS = {
    "transfer-started": "resumed",
    "transfer-attempt-failed": "retry",
    "device-joined": "rejoined",
    "resume-in-doubt": "harness resumed",
}
_WORTH_A_WAIT_MARK = 6
"""A pause is marked when it is so many times as long as a step of progress usually takes."""


@dataclass(slots=True)
class _Course:
    """What happened of one transfer so far."""

    intent: Entry
    progress: list[tuple[int, int]] = field(default_factory=list)
    marks: list[TransferMark] = field(default_factory=list)
    ended: Entry | None = None
    activation: Entry | None = None
    activated: Entry | None = None
    begun: bool = False
    silent_s: float | None = None

    @property
    def version(self) -> int:
        return int(str(self.intent.details["to_version"]))

    @property
    def held(self) -> int:
        return self.progress[-1][1] if self.progress else 0


def transfers(entries: Sequence[Entry], display: Display) -> Iterator[TransferReport]:
    """Yield every transfer in the order they were scheduled."""
    courses: list[_Course] = []
    for entry in entries:
        if entry.action == "transfer" and entry.kind is Kind.INTENT:
            courses.append(_Course(entry))
            continue
        course = next((item for item in reversed(courses) if item.intent.subject == entry.subject), None)
        if course is not None:
            _take(course, entry)
    for course in courses:
        yield _report(course, display)


def _take(course: _Course, entry: Entry) -> None:
    action, kind = entry.action, entry.kind
    if action == "transfer-progress" and course.ended is None:
        offset = int(str(entry.details["offset"]))
        if offset > course.held:
            course.progress.append((entry.time_us, offset))
    elif action in _MARKS:
        first, course.begun = not course.begun, True
        if course.ended is not None or (first and action == "transfer-started"):
            return
        course.marks.append(TransferMark(at_us=entry.time_us, offset=course.held, kind=_MARKS[action]))
    elif action == "job-outcome" and "silent_ms" in entry.details:
        course.silent_s = int(str(entry.details["silent_ms"])) / 1000
    elif action == "transfer" and kind is Kind.OUTCOME:
        course.ended = entry
    elif action == "activate" and entry.key.endswith(f"/{course.version:08X}"):
        if kind is Kind.INTENT:
            course.activation = entry
        else:
            course.activated = entry


def _waits(course: _Course) -> Iterator[TransferMark]:
    """Mark the pauses: stretches without an octet much longer than a step usually takes."""
    steps = [(later[0] - earlier[0], *earlier) for earlier, later in pairwise(course.progress)]
    if len(steps) < 3:
        return
    usual = median(step[0] for step in steps)
    for passed, at_us, offset in steps:
        if passed > _WORTH_A_WAIT_MARK * max(usual, 1):
            words = f"nothing arrived for {duration(passed - int(usual))}"
            yield TransferMark(at_us=at_us, offset=offset, kind="wait", text=words)


def _reboot(course: _Course, size: int) -> Iterator[TransferMark]:
    if course.activated is not None and course.silent_s is not None:
        words = f"off the air for {duration(int(course.silent_s * 1e6))}"
        yield TransferMark(at_us=course.activated.time_us, offset=size, kind="reboot", text=words)


def _report(course: _Course, display: Display) -> TransferReport:
    details, started_us = course.intent.details, course.intent.time_us
    size = int(str(details["octets"]))
    ended_us = None if course.ended is None else course.ended.time_us
    progress = [(started_us, 0), *course.progress]
    whole = course.ended is not None and _outcome(course.ended) == "FileTransferSuccess"
    if whole and ended_us is not None and progress[-1][1] < size:
        progress.append((ended_us, size))
    held, seconds = progress[-1][1], (progress[-1][0] - started_us) / 1e6
    retries = sum(mark.kind == "retry" for mark in course.marks)
    last = course.activated or course.ended
    return TransferReport(
        device=course.intent.subject,
        image_name=str(details["image"]),
        image_sha256=str(details["sha256"]),
        size=size,
        from_version=display(course.intent.subject, int(str(details["from_version"]))),
        to_version=display(course.intent.subject, course.version),
        started_us=started_us,
        ended_us=ended_us,
        progress=tuple(progress),
        marks=tuple(sorted((*course.marks, *_waits(course), *_reboot(course, size)), key=_when)),
        retries={"download given up and begun again": retries} if retries else {},
        blocks=-(-held // BLOCK_OCTETS),
        octets_per_second=round(held / seconds, 3) if seconds else 0.0,
        activation_requested_us=None if course.activation is None else course.activation.time_us,
        activation_actual_us=None if course.activated is None else course.activated.time_us,
        off_air_seconds=course.silent_s,
        result="" if last is None else _outcome(last),
    )


def _when(mark: TransferMark) -> int:
    return mark.at_us


def _outcome(entry: Entry) -> str:
    result = entry.details["result"]
    return str(result.get("outcome", entry.status)) if isinstance(result, dict) else ""
