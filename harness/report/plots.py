"""Transfer plots: octets held against virtual time, with waits, retries, reboots and activation marked."""

from __future__ import annotations

from harness.report.markup import EMPTY, Html, element, join, text
from harness.report.model import CampaignReport, TransferMark, TransferReport
from harness.report.wording import clock, day, duration, moment, octets

WIDTH, HEIGHT = 520.0, 210.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 66.0, 14.0, 14.0, 26.0
_MAX_POINTS = 400
_TICK_STEPS_S = (
    1,
    5,
    15,
    60,
    300,
    900,
    1_800,
    3_600,
    7_200,
    14_400,
    21_600,
    43_200,
    86_400,
    172_800,
    604_800,
)
_MOST_TICKS = 6


class PlotScale:
    """Where times and offsets of one transfer go in its plot."""

    def __init__(self, transfer: TransferReport) -> None:
        times = [transfer.started_us, transfer.ended_us, transfer.activation_actual_us]
        times += [at_us for at_us, _ in transfer.progress]
        known = [at_us for at_us in times if at_us is not None]
        self.start_us = min(known)
        self.end_us = max(*known, self.start_us + 1)
        self.size = max(transfer.hop.octets, 1)

    def x(self, at_us: int) -> float:
        """Return the place of a virtual time."""
        share = (at_us - self.start_us) / (self.end_us - self.start_us)
        return _LEFT + min(max(share, 0.0), 1.0) * (WIDTH - _LEFT - _RIGHT)

    def y(self, offset: int) -> float:
        """Return the place of an offset; the top is the whole image."""
        share = min(max(offset / self.size, 0.0), 1.0)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    def ticks(self, epoch_s: int) -> list[int]:
        """Return at most six round times on the axis."""
        first, last = self.start_us // 1_000_000 + epoch_s, self.end_us // 1_000_000 + epoch_s
        step = next((each for each in _TICK_STEPS_S if (last - first) / each <= _MOST_TICKS), None)
        step = step or (last - first) // _MOST_TICKS
        return [(unix_s - epoch_s) * 1_000_000 for unix_s in range(-(-first // step) * step, last + 1, step)]


def transfer_plot(report: CampaignReport, transfer: TransferReport) -> Html:
    """Return the inline SVG of one transfer."""
    scale = PlotScale(transfer)
    points = thinned(course(transfer))
    line = " ".join(f"{scale.x(at_us):.1f},{scale.y(offset):.1f}" for at_us, offset in points)
    base = f"{scale.x(points[-1][0]):.1f},{scale.y(0):.1f} {scale.x(points[0][0]):.1f},{scale.y(0):.1f}"
    title = f"{transfer.hop.from_display} to {transfer.hop.display}: octets held against time"
    return element(
        "svg",
        element("title", text(title)),
        _axes(report, scale),
        element("polygon", points=f"{line} {base}", class_="area"),
        element("polyline", points=line, class_="curve"),
        _activation(report, transfer, scale),
        _given_up(report, transfer, scale),
        *(_mark(report, mark, scale) for mark in transfer.marks),
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        class_="plot",
        role="img",
        aria_label=title,
    )


def course(transfer: TransferReport) -> tuple[tuple[int, int], ...]:
    """Return (time, octets held) from the start to the end; one that failed stays where it was until then."""
    points = ((transfer.started_us, 0), *transfer.progress)
    if transfer.ended_us is None or points[-1][1] >= transfer.hop.octets:
        return points
    return (*points, (max(transfer.ended_us, points[-1][0]), points[-1][1]))


def thinned(points: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """Return at most a few hundred of the points, always the first and the last."""
    stride = max(1, len(points) // _MAX_POINTS)
    kept = list(points[::stride])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _axes(report: CampaignReport, scale: PlotScale) -> Html:
    shares = (0, 0.5, 1)
    return element(
        "g",
        *(_level(scale, int(scale.size * share)) for share in shares),
        *(_time(report, scale, at_us) for at_us in scale.ticks(report.epoch_unix_seconds)),
        class_="axes",
    )


def _level(scale: PlotScale, offset: int) -> Html:
    y = scale.y(offset)
    return join(
        element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y),
        element("text", text(octets(offset)), x=_LEFT - 6, y=y + 4, text_anchor="end"),
    )


def _time(report: CampaignReport, scale: PlotScale, at_us: int) -> Html:
    words = clock(report, at_us)
    words = day(report, at_us) if words == "00:00" else words
    x = scale.x(at_us)
    anchor = "end" if x > WIDTH - 30 else "middle"
    return element("text", text(words), x=x, y=HEIGHT - 8, text_anchor=anchor)


def _mark(report: CampaignReport, mark: TransferMark, scale: PlotScale) -> Html:
    kind = mark_class(mark.kind)
    words = f"{mark.kind} at {mark.offset} octets, {moment(report, mark.at_us)}"
    tip = f"{words}: {mark.text}" if mark.text else words
    return element(
        "g",
        element("title", text(tip)),
        element("circle", cx=scale.x(mark.at_us), cy=scale.y(mark.offset), r=5),
        class_=f"mark {kind}",
    )


def mark_class(kind: str) -> str:
    """Return the style of a mark: `wait`, `retry`, `reboot` or `other`."""
    lowered = kind.lower()
    return next((name for name in ("wait", "retry", "reboot") if name in lowered), "other")


def _activation(report: CampaignReport, transfer: TransferReport, scale: PlotScale) -> Html:
    if transfer.activation_actual_us is None:
        return EMPTY
    x = scale.x(transfer.activation_actual_us)
    tip = f"{transfer.hop.display} activated {moment(report, transfer.activation_actual_us)}"
    if transfer.activation_requested_us is not None:
        waited = transfer.activation_actual_us - transfer.activation_requested_us
        tip += f", {duration(max(waited, 0))} after it was asked for"
    return element(
        "g",
        element("title", text(tip)),
        element("line", x1=x, x2=x, y1=_TOP - 6, y2=HEIGHT - _BOTTOM),
        element("circle", cx=x, cy=_TOP - 4, r=4),
        class_="activation",
    )


def _given_up(report: CampaignReport, transfer: TransferReport, scale: PlotScale) -> Html:
    """Mark where a transfer ended without the whole image, and say it when not an octet came."""
    at_us, held = course(transfer)[-1]
    if transfer.ended_us is None or held >= transfer.hop.octets:
        return EMPTY
    x, y = scale.x(at_us), scale.y(held)
    tip = f"given up with {octets(held)} of {octets(transfer.hop.octets)}, {moment(report, at_us)}"
    tip += f": {transfer.result}" if transfer.result else ""
    nothing = element("text", text("not an octet arrived"), x=(_LEFT + WIDTH - _RIGHT) / 2, y=y - 14)
    return element(
        "g",
        element("title", text(tip)),
        EMPTY if held else nothing,
        element("circle", cx=x, cy=y, r=8),
        element("path", d="M-3.5-3.5 3.5 3.5M3.5-3.5-3.5 3.5", transform=f"translate({x:.1f} {y:.1f})"),
        class_="given-up",
    )
