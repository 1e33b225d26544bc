"""The timeline: a lane for the campaign and for each device, phases and transfers as bars, events as marks.

All parties share one lane, and a lane without bars is a line.

A campaign spends days moving octets and minutes doing everything else, so the time axis is stretched where
phases begin and end; the ticks under it carry true times.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import NamedTuple

from harness.facts.terms import Severity
from harness.report.markup import EMPTY, Html, element, join, text
from harness.report.model import CampaignReport, PhaseReport, TimelineEntry, TransferReport
from harness.report.wording import clock, day, duration, moment, octets, subject_name

WIDTH = 1040.0
_LANE, _BAR, _TOP, _FOOT = 66.0, 24.0, 8.0, 34.0
_LINEAR_SHARE = 0.28
"""How much of the width follows true time; the rest goes evenly to the stretches between phase boundaries."""
_TICK_ROOM = 74.0
_STEPS_S = (86_400, 43_200, 21_600, 10_800, 3_600, 1_800, 600, 60, 10, 1)
_CHARACTER = 6.9
_CLOSE = 9.0
"""Marks nearer than this would cover each other."""
_TOLD = 9
"""Lines of a mark's tip."""
CAMPAIGN = "campaign"
"""Subject of what concerns the campaign as a whole."""


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


class _Lane(NamedTuple):
    """One row: its name, its colour, the bars in it and what happened there."""

    name: str
    kind: str
    bars: tuple[_Bar, ...]
    events: tuple[TimelineEntry, ...]


class _Bar(NamedTuple):
    """A stretch of time with a label; `open_` when it has no end yet, `quiet` for waiting rather than doing."""

    start_us: int
    end_us: int
    label: str
    tip: str
    open_: bool = False
    quiet: bool = False


def timeline_picture(report: CampaignReport) -> Html:
    """Return the inline SVG of the timeline, or nothing when there is nothing to show."""
    lanes = _lanes(report)
    if not lanes:
        return EMPTY
    axis = TimeAxis(_boundaries(report), WIDTH)
    tops = [*accumulate((_lane_height(lane) for lane in lanes), initial=_TOP)]
    height = tops[-1] + _FOOT
    return element(
        "svg",
        element("title", text("Timeline of the campaign")),
        _grid(report, axis, height),
        *(_row(report, lane, top, axis) for lane, top in zip(lanes, tops, strict=False)),
        viewBox=f"-7 0 {WIDTH + 14:.0f} {height:.0f}",
        class_="timeline",
        role="img",
    )


def _lane_height(lane: _Lane) -> float:
    return _LANE if lane.bars else _LANE - _BAR


def _boundaries(report: CampaignReport) -> list[int]:
    moments = [report.started_us, report.ended_us]
    for phase in report.phases:
        moments += [phase.started_us, _end(report, phase.ended_us)]
    for transfer in report.transfers:
        moments += [transfer.started_us, _end(report, transfer.ended_us)]
    return moments


def _end(report: CampaignReport, ended_us: int | None) -> int:
    return report.ended_us if ended_us is None else ended_us


def _lanes(report: CampaignReport) -> list[_Lane]:
    """The campaign, each device, the enrolment, and one for all parties; those where nothing happened are left out."""
    devices = {device.eui64: device.role.value.lower() for device in report.devices}
    whole = ("", CAMPAIGN, report.installation_id)
    others = [each for each in _subjects(report) if each not in devices and each not in whole]
    lanes = [_lane(report, "Campaign", "campaign", ("", CAMPAIGN))]
    lanes += [_lane(report, subject_name(report, name), kind, (name,)) for name, kind in devices.items()]
    lanes += [
        _lane(report, "Enrolment", "party", (report.installation_id,)),
        _lane(report, "Parties", "party", tuple(others)),
    ]
    return [lane for lane in lanes if lane.bars or lane.events]


def _subjects(report: CampaignReport) -> list[str]:
    subjects = [phase.subject for phase in report.phases] + [entry.subject for entry in report.timeline]
    return [*dict.fromkeys(subjects)]


def _lane(report: CampaignReport, name: str, kind: str, subjects: tuple[str, ...]) -> _Lane:
    bars = [_phase_bar(report, phase) for phase in report.phases if phase.subject in subjects]
    for transfer in report.transfers:
        if transfer.device in subjects:
            bars += _transfer_bars(report, transfer)
    events = tuple(entry for entry in report.timeline if entry.subject in subjects)
    return _Lane(name, kind, tuple(bars), events)


def _phase_bar(report: CampaignReport, phase: PhaseReport) -> _Bar:
    end_us = _end(report, phase.ended_us)
    length = duration(end_us - phase.started_us)
    tip = f"{phase.name}: {phase.result or 'not finished'}, {length} from {moment(report, phase.started_us)}"
    return _Bar(phase.started_us, end_us, phase.name, tip, phase.ended_us is None)


def _transfer_bars(report: CampaignReport, transfer: TransferReport) -> Iterator[_Bar]:
    end_us = _end(report, transfer.ended_us)
    label = f"{transfer.hop.from_display} \u2192 {transfer.hop.display}"
    length = duration(end_us - transfer.started_us)
    tip = f"{label}: {octets(transfer.hop.octets)} in {length}, from {moment(report, transfer.started_us)}"
    yield _Bar(transfer.started_us, end_us, label, tip, transfer.ended_us is None)
    if transfer.activation_requested_us is not None:
        start_us, end_us = transfer.activation_requested_us, _end(report, transfer.activation_actual_us)
        tip = f"{transfer.hop.display}: {duration(end_us - start_us)} from release to running"
        yield _Bar(start_us, end_us, "activation", tip, transfer.activation_actual_us is None, quiet=True)


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


def _row(report: CampaignReport, lane: _Lane, top: float, axis: TimeAxis) -> Html:
    bar = _BAR if lane.bars else 0.0
    track = element("rect", x=0, y=top + 21, width=WIDTH, height=_BAR, rx=5, class_="track")
    line = element("rect", x=0, y=top + 26.5, width=WIDTH, height=2, rx=1, class_="track")
    return element(
        "g",
        element("text", text(lane.name), x=0, y=top + 14, class_="lane-name"),
        track if lane.bars else line,
        *(_bar(each, axis, top + 21) for each in lane.bars),
        *(_event(report, group, axis, top + 21 + bar) for group in _groups(lane.events, axis)),
        class_=f"lane {lane.kind}",
    )


def _bar(bar: _Bar, axis: TimeAxis, top: float) -> Html:
    left, right = axis.place(bar.start_us), axis.place(bar.end_us)
    width = max(right - left - 1.5, 3.0)
    kind = " ".join(name for name, wanted in (("open", bar.open_), ("quiet", bar.quiet)) if wanted)
    return element(
        "g",
        element("title", text(bar.tip)),
        element("rect", x=left, y=top, width=width, height=_BAR, rx=5),
        _bar_label(bar.label, left, width, top),
        class_=f"bar {kind}".strip(),
    )


def _bar_label(name: str, left: float, width: float, top: float) -> Html:
    room = int((width - 12) / _CHARACTER)
    if room < min(len(name), 4):
        return EMPTY
    words = name if len(name) <= room else f"{name[: room - 1]}\u2026"
    return element("text", text(words), x=left + 7, y=top + 16.5)


def _groups(events: tuple[TimelineEntry, ...], axis: TimeAxis) -> list[list[TimelineEntry]]:
    """Return the events that lie so close together that one mark stands for them."""
    groups: list[list[TimelineEntry]] = []
    for entry in sorted(events, key=lambda each: each.at_us):
        if groups and axis.place(entry.at_us) - axis.place(groups[-1][0].at_us) < _CLOSE:
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return groups


def _event(report: CampaignReport, group: list[TimelineEntry], axis: TimeAxis, bottom: float) -> Html:
    worst = max((entry.severity for entry in group), key=list(Severity).index)
    big = worst in (Severity.WARNING, Severity.ERROR)
    shown = group if len(group) <= _TOLD else group[: _TOLD - 1]
    lines = [f"{moment(report, entry.at_us)}  {_who(entry, report)}{entry.text}" for entry in shown]
    if len(shown) < len(group):
        lines.append(f"and {len(group) - len(shown)} more until {moment(report, group[-1].at_us)}")
    return element(
        "g",
        element("title", text("\n".join(lines))),
        element("circle", cx=axis.place(group[0].at_us), cy=bottom + 6.5, r=5.5 if big else 3.5),
        class_=f"event {worst.value}",
    )


def _who(entry: TimelineEntry, report: CampaignReport) -> str:
    """Name the party, in the lane that all parties share."""
    own = {device.eui64 for device in report.devices} | {"", CAMPAIGN, report.installation_id}
    return "" if entry.subject in own else f"{entry.subject}: "
