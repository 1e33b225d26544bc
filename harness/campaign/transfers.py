"""The transfers of a campaign as its journal tells them: progress, marks, activation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harness.campaign.upgrade import BLOCK_OCTETS
from harness.journal import Entry, Kind
from harness.report.model import TransferMark, TransferReport

_MARKS = {
    "transfer-started": "start",
    "transfer-attempt-failed": "retry",
    "resume-in-doubt": "resume",
}


@dataclass(slots=True)
class _Course:
    """What happened of one transfer so far."""

    intent: Entry
    progress: list[tuple[int, int]] = field(default_factory=list)
    marks: list[TransferMark] = field(default_factory=list)
    ended: Entry | None = None
    activation: Entry | None = None
    activated: Entry | None = None

    @property
    def version(self) -> int:
        return int(str(self.intent.details["to_version"]))

    @property
    def held(self) -> int:
        return self.progress[-1][1] if self.progress else 0


def transfers(entries: Sequence[Entry]) -> Iterator[TransferReport]:
    """Yield every transfer in the order they were scheduled."""
    courses: list[_Course] = []
    for entry in entries:
        if entry.action == "transfer" and entry.kind is Kind.INTENT:
            courses.append(_Course(entry))
            continue
        course = next((item for item in reversed(courses) if item.intent.subject == entry.subject), None)
        if course is not None:
            _take(course, entry)
    yield from map(_report, courses)


def _take(course: _Course, entry: Entry) -> None:
    action, kind = entry.action, entry.kind
    if action == "transfer-progress" and course.ended is None:
        offset = int(str(entry.details["offset"]))
        if offset > course.held:
            course.progress.append((entry.time_us, offset))
    elif action in _MARKS:
        if action == "resume-in-doubt" and course.ended is not None:
            return
        course.marks.append(TransferMark(at_us=entry.time_us, offset=course.held, kind=_MARKS[action]))
    elif action == "transfer" and kind is Kind.OUTCOME:
        course.ended = entry
    elif action == "activate" and entry.key.endswith(f"/{course.version:08X}"):
        if kind is Kind.INTENT:
            course.activation = entry
        else:
            course.activated = entry


def _report(course: _Course) -> TransferReport:
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
        from_version=f"0x{int(str(details['from_version'])):08X}",
        to_version=f"0x{course.version:08X}",
        started_us=started_us,
        ended_us=ended_us,
        progress=tuple(progress),
        marks=tuple(course.marks),
        retries={"download given up and begun again": retries} if retries else {},
        blocks=-(-held // BLOCK_OCTETS),
        octets_per_second=round(held / seconds, 3) if seconds else 0.0,
        activation_requested_us=None if course.activation is None else course.activation.time_us,
        activation_actual_us=None if course.activated is None else course.activated.time_us,
        result="" if last is None else _outcome(last),
    )


def _outcome(entry: Entry) -> str:
    result = entry.details["result"]
    return str(result.get("outcome", entry.status)) if isinstance(result, dict) else ""
