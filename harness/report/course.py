"""The course of a campaign as its journal tells it: phases, the timeline, and what did not go to plan."""

from __future__ import annotations

from collections.abc import Iterator

from harness.facts.campaign import PhaseFinished, PhaseStarted, Problem
from harness.facts.enrolment import EnrolmentProblem, Transition
from harness.facts.terms import Retry, Severity, State
from harness.regime.validation import BY_CODE
from harness.report.frames import Frames
from harness.report.history import History
from harness.report.model import PhaseReport, ReportedException, TimelineEntry
from harness.report.narrative import Narrator

_FURTHER = {
    Retry.AUTOMATIC: "It may be tried again as it is",
    Retry.NEXT_DAY: "It is tried again when a day has room for it",
    Retry.RESOLUTION: "It can be tried again once this is resolved",
    Retry.NEVER: "It cannot be tried again",
}
_NO_MORE = (
    "No further attempt is made: too many have failed, and the installation's exclusion is under review"
)


def phases(history: History) -> Iterator[PhaseReport]:
    """Yield the phases of the campaign; one taken up again runs from its first start to its last end."""
    started: dict[str, int] = {}
    finished: dict[str, tuple[int, str]] = {}
    for entry, fact in history.facts:
        if isinstance(fact, PhaseStarted):
            started.setdefault(fact.name, entry.time_us)
            finished.pop(fact.name, None)
        elif isinstance(fact, PhaseFinished):
            finished[fact.name] = (entry.time_us, fact.result)
    for name, at_us in started.items():
        ended = finished.get(name, (None, ""))
        yield PhaseReport(name=name, started_us=at_us, ended_us=ended[0], result=ended[1])


def timeline(history: History, frames: Frames) -> Iterator[TimelineEntry]:
    """Yield what people are told, in order; `frames` are those of the capture."""
    narrator, phase = Narrator(history.installation), ""
    for entry, fact in history.facts:
        if isinstance(fact, PhaseStarted):
            phase = fact.name
        sentence = narrator.tell(entry.sequence, fact)
        if sentence is not None:
            yield TimelineEntry(
                at_us=entry.time_us,
                subject=entry.subject,
                phase=phase,
                text=sentence.text,
                severity=sentence.severity,
                frame=frames.until(entry.time_us),
            )


def exceptions(history: History) -> Iterator[ReportedException]:
    """Yield what did not go to plan, each thing once."""
    told: set[tuple[str, str, str]] = set()
    moved = history.last(Transition)
    over = moved is not None and moved.to in (State.EXCLUSION_REVIEW, State.EXCLUDED)
    for entry, fact in history.facts:
        if isinstance(fact, Problem):
            exception = _own(entry.time_us, fact)
        elif isinstance(fact, EnrolmentProblem):
            exception = _of_enrolment(entry.time_us, fact, over)
        else:
            continue
        place = (exception.subject, exception.what, exception.cause)
        if place not in told:
            told.add(place)
            yield exception


def _own(at_us: int, problem: Problem) -> ReportedException:
    return ReportedException(
        at_us=at_us,
        subject=problem.subject,
        what=problem.what,
        cause=problem.cause,
        action=problem.action,
        severity=problem.severity,
    )


def _of_enrolment(at_us: int, problem: EnrolmentProblem, over: bool) -> ReportedException:
    """`over` tells that the installation has used up its attempts."""
    check = BY_CODE.get(problem.code)
    what = f"{problem.code}: {'' if check is None else check.what}".rstrip(": ")
    warning = what.startswith("W")
    how = _NO_MORE if over and not warning else _FURTHER[problem.retry]
    return ReportedException(
        at_us=at_us,
        subject=problem.subject,
        what=what,
        cause=problem.text,
        action=f"{how}; owner: {problem.owner}",
        severity=Severity.WARNING if warning else Severity.ERROR,
    )
