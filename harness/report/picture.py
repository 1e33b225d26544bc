"""The home area network as a picture: devices where they stand, their links, versions before and after."""

from __future__ import annotations

import math
from typing import NamedTuple

from harness.report.markup import EMPTY, Html, element, join, text
from harness.report.model import CampaignReport, DeviceReport, DeviceRole
from harness.report.wording import device_model, device_name

WIDTH, HEIGHT = 560.0, 470.0
_RADIUS = 31.0
_BOX = (186.0, 156.0)
"""Room a device needs with its three lines of words, in picture units."""
_STRONG_LQI, _FAIR_LQI = 170, 100

_ICONS = {
    DeviceRole.COMMS_HUB: "M12 12v9M8 21h8M8.3 9.6a5.2 5.2 0 0 1 7.4 0M5 6.3a9.8 9.8 0 0 1 14 0",
    DeviceRole.ELECTRICITY_METER: "M13 2.5 5.5 13.5h5.5l-1 8 8-12h-6z",
    DeviceRole.GAS_METER: "M12 2.8c.8 4 5.2 5.6 5.2 11a5.2 5.2 0 0 1-10.4 0c0-2.2 1-3.6 2-4.6"
    ".3 1.7 1.1 2.6 2 2.8-.6-3.2-.3-6.6 1.2-9.2z",
    DeviceRole.IN_HOME_DISPLAY: "M3.5 4.5h17v12h-17zM8.5 20.5h7M12 16.5v4M7 13l3-3.5 3 2 4-4.5",
    DeviceRole.CONSUMER_ACCESS_DEVICE: "M9 3v5M15 3v5M6.5 8h11v3.5a5.5 5.5 0 0 1-11 0zM12 17v4.5",
}


class Point(NamedTuple):
    """A place in the picture."""

    x: float
    y: float


def network_picture(report: CampaignReport) -> Html:
    """Return the inline SVG of the home area network."""
    places = arrange(report.devices)
    pairs = _pairs(report.devices)
    title = f"Home area network of {len(report.devices)} devices"
    return element(
        "svg",
        element("title", text(title)),
        _ground(),
        *(_link(report, pair, places) for pair in pairs),
        *(_device(device, places[device.eui64]) for device in report.devices),
        *(_quality_label(pair, places) for pair in pairs),
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        class_="network",
        role="img",
        aria_label=title,
    )


def arrange(devices: tuple[DeviceReport, ...]) -> dict[str, Point]:
    """Return where each device goes: metres scaled to the picture, nudged apart so that words fit."""
    points = _scaled([device.position_m for device in devices])
    for _ in range(160):
        points = [_kept_inside(point) for point in _pushed_apart(points)]
    return {device.eui64: point for device, point in zip(devices, points, strict=True)}


def _scaled(positions: list[tuple[float, float]]) -> list[Point]:
    xs, ys = [x for x, _ in positions], [y for _, y in positions]
    if len(set(positions)) < len(positions):
        xs = [math.cos(2 * math.pi * index / len(positions)) for index in range(len(positions))]
        ys = [math.sin(2 * math.pi * index / len(positions)) for index in range(len(positions))]
    return [
        Point(_stretch(x, xs, WIDTH, 94), _stretch(y, ys, HEIGHT, 50)) for x, y in zip(xs, ys, strict=True)
    ]


def _stretch(value: float, among: list[float], size: float, margin: float) -> float:
    low, high = min(among), max(among)
    share = (value - low) / (high - low) if high > low else 0.5
    return margin + share * (size - 2 * margin)


def _pushed_apart(points: list[Point]) -> list[Point]:
    moved = list(points)
    for first in range(len(moved)):
        for second in range(first + 1, len(moved)):
            a, b = moved[first], moved[second]
            overlap_x, overlap_y = _BOX[0] - abs(b.x - a.x), _BOX[1] - abs(b.y - a.y)
            if overlap_x <= 0 or overlap_y <= 0:
                continue
            if overlap_x < overlap_y:
                step = math.copysign(min(overlap_x, 8) / 2, b.x - a.x)
                moved[first], moved[second] = Point(a.x - step, a.y), Point(b.x + step, b.y)
            else:
                step = math.copysign(min(overlap_y, 8) / 2, b.y - a.y)
                moved[first], moved[second] = Point(a.x, a.y - step), Point(b.x, b.y + step)
    return moved


def _kept_inside(point: Point) -> Point:
    return Point(min(max(point.x, 94), WIDTH - 94), min(max(point.y, 44), HEIGHT - 96))


def _ground() -> Html:
    dots = element(
        "pattern",
        element("circle", cx=2, cy=2, r=1, class_="dot"),
        id="dots",
        width=20,
        height=20,
        patternUnits="userSpaceOnUse",
    )
    return join(
        element("defs", dots),
        element("rect", width=WIDTH, height=HEIGHT, rx=14, fill="url(#dots)"),
    )


class _Pair(NamedTuple):
    first: str
    second: str
    heard: tuple[tuple[str, int], ...]
    """(who reports, LQI)."""
    parental: bool

    @property
    def quality(self) -> int | None:
        """The lower LQI of the two ends, None when neither reports one."""
        return min((lqi for _, lqi in self.heard), default=None)


def _pairs(devices: tuple[DeviceReport, ...]) -> list[_Pair]:
    heard: dict[tuple[str, str], list[tuple[str, int]]] = {}
    parental: dict[tuple[str, str], bool] = {}
    known = {device.eui64 for device in devices}
    for device in devices:
        for link in device.links:
            heard.setdefault(_ordered(device.eui64, link.peer), []).append((device.eui64, link.lqi))
        if device.parent is not None:
            parental[_ordered(device.eui64, device.parent)] = True
            heard.setdefault(_ordered(device.eui64, device.parent), [])
    return [
        _Pair(*ends, tuple(reports), parental.get(ends, False))
        for ends, reports in sorted(heard.items())
        if known.issuperset(ends)
    ]


def _ordered(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)


def _link(report: CampaignReport, pair: _Pair, places: dict[str, Point]) -> Html:
    a, b = places[pair.first], places[pair.second]
    names = {device.eui64: device_name(device) for device in report.devices}
    quality = pair.quality
    tip = f"{names[pair.first]} - {names[pair.second]}" + (", parent and child" if pair.parental else "")
    tip += "".join(f"; {names[who]} hears LQI {lqi}" for who, lqi in pair.heard)
    kind = "parental" if pair.parental else "sibling"
    return element(
        "g",
        element("title", text(tip)),
        element("line", x1=a.x, y1=a.y, x2=b.x, y2=b.y, stroke_width=_line_width(quality)),
        class_=f"link {kind} {_quality_name(quality)}",
    )


def _line_width(quality: int | None) -> float:
    return 1.5 if quality is None else 1.5 + 4.0 * quality / 255


def _quality_name(quality: int | None) -> str:
    if quality is None:
        return "unknown"
    return "strong" if quality >= _STRONG_LQI else "fair" if quality >= _FAIR_LQI else "weak"


def _quality_label(pair: _Pair, places: dict[str, Point]) -> Html:
    if pair.quality is None:
        return EMPTY
    x, y = _free_place(places[pair.first], places[pair.second], list(places.values()))
    return element(
        "g",
        element("rect", x=x - 19, y=y - 10, width=38, height=20, rx=10),
        element("text", text(pair.quality), x=x, y=y + 4, text_anchor="middle"),
        class_="quality",
    )


def _free_place(a: Point, b: Point, devices: list[Point]) -> Point:
    """Return the place nearest the middle of a line where a number covers no device and none of its words."""
    shares = [0.5, *(0.5 + sign * step / 25 for step in range(1, 8) for sign in (1, -1))]
    places = [Point(a.x + share * (b.x - a.x), a.y + share * (b.y - a.y)) for share in shares]
    return min(places, key=lambda place: sum(_covered(place, device) for device in devices))


def _covered(place: Point, device: Point) -> float:
    """How deep a number at `place` would reach into a device's circle or words, in picture units."""
    words = min(108 - abs(place.x - device.x), 41 - abs(place.y - device.y - 65))
    circle = _RADIUS + 26 - math.dist(place, device)
    return max(words, circle, 0.0)


def _device(device: DeviceReport, place: Point) -> Html:
    tip = f"{device_name(device)} {device.eui64}, {device_model(device)}"
    if device.inventory_status:
        tip += f"; {device.inventory_status}"
    icon = element("path", d=_ICONS[device.role], transform="translate(-16.8 -16.8) scale(1.4)")
    return element(
        "g",
        element("title", text(tip)),
        element("circle", r=_RADIUS + 7, class_="halo"),
        element("circle", r=_RADIUS, class_="body"),
        icon,
        _badge(device),
        element("text", text(device_name(device)), y=54, text_anchor="middle", class_="name"),
        element("text", text(device.eui64[-11:]), y=70, text_anchor="middle", class_="address"),
        _version_line(device),
        class_=f"device {device.role.value.lower()}",
        transform=f"translate({place.x:.1f} {place.y:.1f})",
    )


def _badge(device: DeviceReport) -> Html:
    """A tick when the device is where it should be, an exclamation mark when it is not."""
    if device.version_target is None and device.inventory_status != "Commissioned":
        return EMPTY
    good = device.version_target in (None, device.version_after)
    mark = "M-4.5 0.5 -1.3 3.7 4.7 -3.2" if good else "M0 -4.5V1M0 4.2V4.6"
    return element(
        "g",
        element("circle", r=10),
        element("path", d=mark),
        class_=f"badge {'good' if good else 'bad'}",
        transform="translate(23 -23)",
    )


def _version_line(device: DeviceReport) -> Html:
    before, after = device.version_before or "?", device.version_after or "?"
    changed = before != after
    words = f"{before} \u2192 {after}" if changed else before
    return element(
        "text", text(words), y=87, text_anchor="middle", class_="version changed" if changed else "version"
    )
