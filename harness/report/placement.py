"""Where things go in the picture of the network, so that neither lines nor numbers run through words.

Units are those of the picture; y grows downwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from harness.report.model import DeviceReport

WIDTH, HEIGHT = 560.0, 470.0
RADIUS = 31.0
_ROOM = (186.0, 156.0)
"""Room a device needs with its three lines of words."""
_SIDE_MARGIN, _TOP_MARGIN, _FOOT_MARGIN = 94.0, 44.0, 96.0
_ROUNDS = 160
_MOST_STEP = 8.0
_LINE_HEIGHTS = (0.0, 16.0, 33.0)
"""Baselines of name, address and version, from the first."""
_CHARACTER = 7.9
"""A generous width of one letter of a name."""
_GAP = 40.0
"""From a device's centre to the nearest edge of its words."""
_WORDS_HEIGHT = 52.0
_ASCENT = 14.0


class Point(NamedTuple):
    """A place in the picture."""

    x: float
    y: float


class Box(NamedTuple):
    """A rectangle by its edges."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Return the area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0)

    def within(self, a: Point, b: Point) -> float:
        """Return the length of the line from `a` to `b` that runs inside the box (Liang and Barsky's clipping)."""
        begin, end = 0.0, 1.0
        dx, dy = b.x - a.x, b.y - a.y
        edges = (
            (-dx, a.x - self.left),
            (dx, self.right - a.x),
            (-dy, a.y - self.top),
            (dy, self.bottom - a.y),
        )
        for slope, distance in edges:
            if slope == 0:
                if distance < 0:
                    return 0.0
            elif slope < 0:
                begin = max(begin, distance / slope)
            else:
                end = min(end, distance / slope)
        return max(end - begin, 0.0) * math.dist(a, b)


PICTURE = Box(0.0, 0.0, WIDTH, HEIGHT)


class Words(NamedTuple):
    """Where a device's lines of words go: first baseline from the device's centre, and how they are anchored."""

    x: float
    y: float
    anchor: str
    box: Box

    def baselines(self) -> Iterable[float]:
        """Return the baseline of each line."""
        return (self.y + height for height in _LINE_HEIGHTS)


class Layout(NamedTuple):
    """The places of all devices and of their words, by EUI-64."""

    places: Mapping[str, Point]
    words: Mapping[str, Words]

    def free_place(self, first: str, second: str) -> Point:
        """Return the place nearest the middle of a link where a number covers no device and none of its words."""
        a, b = self.places[first], self.places[second]
        shares = [0.5, *(0.5 + sign * step / 25 for step in range(1, 9) for sign in (1, -1))]
        points = [Point(a.x + share * (b.x - a.x), a.y + share * (b.y - a.y)) for share in shares]
        return min(points, key=self._covered)

    def _covered(self, place: Point) -> float:
        """How much a number at `place` would cover of devices and words."""
        number = Box(place.x - 21, place.y - 12, place.x + 21, place.y + 12)
        return sum(number.overlap(words.box) for words in self.words.values()) + sum(
            number.overlap(_circle(centre)) for centre in self.places.values()
        )


def lay_out(
    devices: Sequence[DeviceReport],
    lines: Mapping[str, Sequence[str]],
    links: Iterable[tuple[str, str]],
) -> Layout:
    """Return the places of devices and of their `lines` of words, given which devices a link joins."""
    places = arrange(devices)
    segments = [(places[first], places[second]) for first, second in links]
    words: dict[str, Words] = {}
    for device in devices:
        length = max((len(line) for line in lines[device.eui64]), default=0) * _CHARACTER
        candidates = _candidates(places[device.eui64], length)
        taken = [each.box for each in words.values()]
        taken += [_circle(place) for name, place in places.items() if name != device.eui64]
        words[device.eui64] = min(candidates, key=lambda each: _cost(each.box, segments, taken))
    return Layout(places, words)


def arrange(devices: Sequence[DeviceReport]) -> dict[str, Point]:
    """Return where each device goes: metres scaled to the picture, nudged apart so that words fit."""
    points = _scaled([device.position_m for device in devices])
    for _ in range(_ROUNDS):
        points = [_kept_inside(point) for point in _pushed_apart(points)]
    return {device.eui64: point for device, point in zip(devices, points, strict=True)}


def _candidates(centre: Point, width: float) -> tuple[Words, ...]:
    """Return the four sides of a device, the usual one first."""
    x, y = centre
    middle = _WORDS_HEIGHT / 2
    below = Box(x - width / 2, y + _GAP, x + width / 2, y + _GAP + _WORDS_HEIGHT)
    above = Box(x - width / 2, y - _GAP - _WORDS_HEIGHT, x + width / 2, y - _GAP)
    right = Box(x + _GAP + 6, y - middle, x + _GAP + 6 + width, y + middle)
    left = Box(x - _GAP - 6 - width, y - middle, x - _GAP - 6, y + middle)
    return (
        Words(0.0, _GAP + _ASCENT, "middle", below),
        Words(0.0, -_GAP - _WORDS_HEIGHT + _ASCENT, "middle", above),
        Words(_GAP + 6, -middle + _ASCENT, "start", right),
        Words(-_GAP - 6, -middle + _ASCENT, "end", left),
    )


def _cost(box: Box, segments: Sequence[tuple[Point, Point]], taken: Sequence[Box]) -> float:
    """Words outside the picture are worst, then words on words or devices, then lines through words."""
    area = (box.right - box.left) * (box.bottom - box.top)
    outside = area - box.overlap(PICTURE)
    covered = sum(box.overlap(each) for each in taken)
    crossed = sum(box.within(a, b) for a, b in segments)
    return 1_000 * outside + 100 * covered + crossed


def _circle(centre: Point) -> Box:
    reach = RADIUS + 7
    return Box(centre.x - reach, centre.y - reach, centre.x + reach, centre.y + reach)


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
            moved[first], moved[second] = _parted(moved[first], moved[second])
    return moved


def _parted(a: Point, b: Point) -> tuple[Point, Point]:
    """Return two places a step further apart, along the way that is shorter, when they are too close."""
    overlap_x, overlap_y = _ROOM[0] - abs(b.x - a.x), _ROOM[1] - abs(b.y - a.y)
    if overlap_x <= 0 or overlap_y <= 0:
        return a, b
    if overlap_x < overlap_y:
        step = math.copysign(min(overlap_x, _MOST_STEP) / 2, b.x - a.x)
        return Point(a.x - step, a.y), Point(b.x + step, b.y)
    step = math.copysign(min(overlap_y, _MOST_STEP) / 2, b.y - a.y)
    return Point(a.x, a.y - step), Point(b.x, b.y + step)


def _kept_inside(point: Point) -> Point:
    return Point(
        min(max(point.x, _SIDE_MARGIN), WIDTH - _SIDE_MARGIN),
        min(max(point.y, _TOP_MARGIN), HEIGHT - _FOOT_MARGIN),
    )
