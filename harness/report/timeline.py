"""The timeline: phases as bars in a lane for the campaign and for each device and party, events as marks.

A campaign spends days moving octets and minutes doing everything else, so the time axis is stretched where
phases begin and end; the ticks under it carry true times.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from harness.report.markup import EMPTY, Html, element, join, text
from harness.report.model import CampaignReport, PhaseReport, Severity, TimelineEntry
from harness.report.wording import clock, day, duration, moment, subject_name

WIDTH = 1040.0
_LANE, _BAR, _TOP, _FOOT = 58.0, 24.0, 8.0, 34.0
_LINEAR_SHARE = 0.28
"""How much of the width follows true time; the rest goes evenly to the stretches between phase boundaries."""
_TICK_ROOM = 74.0
_STEPS_S = (86_400, 43_200, 21_600, 10_800, 3_600, 1_800, 600, 60, 10, 1)
_CHARACTER = 6.9


class TimeAxis:
    """A monotone map from virtual time to picture units, stretched where much happens."""

    def __init__(self, moments: list[int], width: float) -> None:
        """`moments` are the times to give room to; the first and the last are the ends of the axis."""
        times = sorted(set(moments)) or [0]
        self.times = times if len(times) > 1 else [times[0], times[0] + 1]
        span, pieces = self.times[-1] - self.times[0], len(self.times) - 1
        self._places = [0.0]
        for start, end in pairwise(self.times):
            share = _LINEAR_SHARE * (end - start) / span + (1 - _LINEAR_SHARE) / pieces
            self._places.append(self._places[-1] + share * width)

    def place(self, at_us: int) -> float:
        """Return where a time is; times outside the axis are put at its ends."""
        at_us = min(max(at_us, self.times[0]), self.times[-1])
        index = min(bisect_right(self.times, at_us), len(self.times) - 1) - 1
        start, end = self.times[index], self.times[index + 1]
        left, right = self._places[index], self._places[index + 1]
        return left + (right - left) * (at_us - start) / (end - start)

    def ticks(self, epoch_unix_seconds: int) -> list[int]:
        """Return round times (by the epoch's clock) far enough apart to label, coarse ones first chosen."""
        chosen: list[int] = []
        for step_s in _STEPS_S:
            for at_us in self._round_times(epoch_unix_seconds, step_s):
                if all(abs(self.place(at_us) - self.place(other)) >= _TICK_ROOM for other in chosen):
                    chosen.append(at_us)
        return sorted(chosen)

    def _round_times(self, epoch_s: int, step_s: int) -> Iterator[int]:
        first, last = self.times[0] // 1_000_000 + epoch_s, self.times[-1] // 1_000_000 + epoch_s
        if (last - first) // step_s > 1_000:
            return
        for unix_s in range(-(-first // step_s) * step_s, last + 1, step_s):
            yield (unix_s - epoch_s) * 1_000_000


def timeline_picture(report: CampaignReport) -> Html:
    """Return the inline SVG of the timeline, or nothing when there is nothing to show."""
    lanes = _lanes(report)
    if not lanes:
        return EMPTY
    axis = TimeAxis(_boundaries(report), WIDTH)
    height = _TOP + _LANE * len(lanes) + _FOOT
    return element(
        "svg",
        element("title", text("Timeline of the campaign")),
        _grid(report, axis, height),
        *(_lane(report, subject, index, axis) for index, subject in enumerate(lanes)),
        viewBox=f"-7 0 {WIDTH + 14:.0f} {height:.0f}",
        class_="timeline",
        role="img",
    )


def _boundaries(report: CampaignReport) -> list[int]:
    moments = [report.started_us, report.ended_us]
    for phase in report.phases:
        moments += [phase.started_us, _end(report, phase)]
    return moments


def _end(report: CampaignReport, phase: PhaseReport) -> int:
    return report.ended_us if phase.ended_us is None else phase.ended_us


def _lanes(report: CampaignReport) -> list[str]:
    """The campaign first, then devices in their order, then parties as they appear."""
    seen = dict.fromkeys(
        [each.subject for each in report.phases] + [each.subject for each in report.timeline]
    )
    order = ["", *(device.eui64 for device in report.devices)]
    first = [subject for subject in order if subject in seen]
    return first + [subject for subject in seen if subject not in first]


def _grid(report: CampaignReport, axis: TimeAxis, height: float) -> Html:
    return join(*(_tick(report, axis, at_us, height) for at_us in axis.ticks(report.epoch_unix_seconds)))


def _tick(report: CampaignReport, axis: TimeAxis, at_us: int, height: float) -> Html:
    x = axis.place(at_us)
    anchor = "start" if x < 30 else "end" if x > WIDTH - 30 else "middle"
    midnight = clock(report, at_us) == "00:00"
    words = day(report, at_us) if midnight else clock(report, at_us)
    return element(
        "g",
        element("line", x1=x, x2=x, y1=_TOP, y2=height - _FOOT + 6),
        element("text", text(words), x=x, y=height - 10, text_anchor=anchor),
        class_="tick midnight" if midnight else "tick",
    )


def _lane(report: CampaignReport, subject: str, index: int, axis: TimeAxis) -> Html:
    top = _TOP + index * _LANE
    roles = {device.eui64: device.role.value.lower() for device in report.devices}
    kind = roles.get(subject, "party" if subject else "campaign")
    phases = [phase for phase in report.phases if phase.subject == subject]
    events = [entry for entry in report.timeline if entry.subject == subject]
    return element(
        "g",
        element("text", text(subject_name(report, subject)), x=0, y=top + 14, class_="lane-name"),
        element("rect", x=0, y=top + 21, width=WIDTH, height=_BAR, rx=5, class_="track"),
        *(_bar(report, phase, axis, top + 21) for phase in phases),
        *(_event(report, entry, axis, top + 21 + _BAR / 2) for entry in events),
        class_=f"lane {kind}",
    )


def _bar(report: CampaignReport, phase: PhaseReport, axis: TimeAxis, top: float) -> Html:
    left, right = axis.place(phase.started_us), axis.place(_end(report, phase))
    width = max(right - left - 1.5, 3.0)
    length = duration(_end(report, phase) - phase.started_us)
    tip = f"{phase.name}: {phase.result or 'not finished'}, {length} from {moment(report, phase.started_us)}"
    return element(
        "g",
        element("title", text(tip)),
        element("rect", x=left, y=top, width=width, height=_BAR, rx=5),
        _bar_label(phase.name, left, width, top),
        class_="bar" if phase.ended_us is not None else "bar open",
    )


def _bar_label(name: str, left: float, width: float, top: float) -> Html:
    room = int((width - 12) / _CHARACTER)
    if room < min(len(name), 4):
        return EMPTY
    words = name if len(name) <= room else f"{name[: room - 1]}\u2026"
    return element("text", text(words), x=left + 7, y=top + 16.5)


def _event(report: CampaignReport, entry: TimelineEntry, axis: TimeAxis, middle: float) -> Html:
    big = entry.severity in (Severity.WARNING, Severity.ERROR)
    tip = f"{moment(report, entry.at_us)}: {entry.text}"
    return element(
        "g",
        element("title", text(tip)),
        element("circle", cx=axis.place(entry.at_us), cy=middle, r=6 if big else 4),
        class_=f"event {entry.severity.value}",
    )
