"""The transfers of a campaign as its journal tells them: progress, marks, activation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from emulator.wan.results import TransferCounts
from harness.facts import Fact, Failed, Outcome, Status
from harness.facts.campaign import ResumedInDoubt
from harness.facts.firmware import (
    Activated,
    Activation,
    DeviceJoined,
    JobOutcome,
    Transfer,
    TransferAttemptFailed,
    TransferCounted,
    TransferProgress,
    Transferred,
    TransferStarted,
)
from harness.facts.plan import Hop
from harness.journal import Entry
from harness.report.frames import Frames
from harness.report.model import TransferMark, TransferReport
from harness.report.wording import duration

_MARKS: Mapping[type[Fact], str] = {
    TransferStarted: "resumed",
    TransferAttemptFailed: "retry",
    DeviceJoined: "rejoined",
    ResumedInDoubt: "harness resumed",
}
_WORTH_A_WAIT_MARK = 6
"""A pause is marked when it is so many times as long as a step of progress usually takes."""


NOTHING = TransferCounts(0, 0, 0, 0, 0, 0, 0)
"""What a hub counted that has told nothing."""


@dataclass(slots=True)
class _Course:
    """What happened of one transfer so far."""

    device: str
    hop: Hop
    started_us: int
    progress: list[tuple[int, int]] = field(default_factory=list)
    marks: list[TransferMark] = field(default_factory=list)
    ended_us: int | None = None
    ended: Outcome | None = None
    activation_us: int | None = None
    activated_us: int | None = None
    activated: Outcome | None = None
    begun: bool = False
    silent_s: float | None = None
    counts: TransferCounts = NOTHING

    @property
    def held(self) -> int:
        return self.progress[-1][1] if self.progress else 0


def transfers(entries: Sequence[Entry], frames: Frames) -> Iterator[TransferReport]:
    """Yield every transfer in the order they were scheduled; `frames` are those of the capture."""
    courses: list[_Course] = []
    for entry in entries:
        fact = entry.fact
        if isinstance(fact, Transfer):
            courses.append(_Course(fact.subject, fact.hop, entry.time_us))
            continue
        course = next((item for item in reversed(courses) if item.device == fact.subject), None)
        if course is not None:
            _take(course, entry, fact)
    for course in courses:
        yield _report(course, frames)


def _take(course: _Course, entry: Entry, fact: Fact) -> None:
    match fact:
        case TransferProgress() if course.ended is None and fact.offset > course.held:
            course.progress.append((entry.time_us, fact.offset))
        case TransferStarted() | TransferAttemptFailed() | DeviceJoined() | ResumedInDoubt():
            _mark(course, entry.time_us, fact)
        case TransferCounted():
            course.counts = fact.counts
        case JobOutcome():
            course.counts = fact.counts
            course.silent_s = course.silent_s if fact.silent_ms is None else fact.silent_ms / 1000
        case Activation() if fact.hop.version == course.hop.version:
            course.activation_us = entry.time_us
        case Outcome() if fact.act is Transfer:
            course.ended_us, course.ended = entry.time_us, fact
            if isinstance(fact.result, Transferred):
                course.counts = fact.result.counts
        case Outcome() if entry.key == Activation.key_of(course.device, course.hop):
            course.activated = fact
            course.activated_us = entry.time_us if fact.status is Status.DONE else None


def _mark(course: _Course, at_us: int, fact: Fact) -> None:
    first, course.begun = not course.begun, True
    if course.ended is None and not (first and isinstance(fact, TransferStarted)):
        course.marks.append(TransferMark(at_us=at_us, offset=course.held, kind=_MARKS[type(fact)]))


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
    if course.activated_us is not None and course.silent_s is not None:
        words = f"off the air for {duration(int(course.silent_s * 1e6))}"
        yield TransferMark(at_us=course.activated_us, offset=size, kind="reboot", text=words)


def _report(course: _Course, frames: Frames) -> TransferReport:
    hop, started_us, ended_us = course.hop, course.started_us, course.ended_us
    progress = [(started_us, 0), *course.progress]
    whole = course.ended is not None and course.ended.status is Status.DONE
    if whole and ended_us is not None and progress[-1][1] < hop.octets:
        progress.append((ended_us, hop.octets))
    held, seconds = progress[-1][1], (progress[-1][0] - started_us) / 1e6
    counts = course.counts
    repeats = {
        "blocks sent again": counts.blocks_repeated,
        "time-outs": counts.timeouts,
        "silences": counts.silences,
        "download given up and begun again": sum(mark.kind == "retry" for mark in course.marks),
    }
    last = course.activated or course.ended
    end_us = max(ended_us or 0, progress[-1][0])
    first_frame, last_frame = frames.between(started_us, end_us) or (None, None)
    return TransferReport(
        device=course.device,
        hop=hop,
        started_us=started_us,
        ended_us=ended_us,
        progress=tuple(progress),
        marks=tuple(sorted((*course.marks, *_waits(course), *_reboot(course, hop.octets)), key=_when)),
        retries={cause: number for cause, number in repeats.items() if number},
        blocks=counts.blocks_sent,
        octets_carried=counts.octets_carried,
        octets_per_second=round(held / seconds, 3) if seconds else 0.0,
        activation_requested_us=course.activation_us,
        activation_actual_us=course.activated_us,
        off_air_seconds=course.silent_s,
        result="" if last is None else _outcome(last),
        first_frame=first_frame,
        last_frame=last_frame,
    )


def _when(mark: TransferMark) -> int:
    return mark.at_us


def _outcome(ended: Outcome) -> str:
    match ended.result:
        case Transferred(outcome=outcome) | Activated(outcome=outcome) | Failed(outcome=outcome):
            return outcome or str(ended.status)
    return str(ended.status)
