"""Nothing runs through words: where devices, their names and the numbers on links go."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.model import DeviceReport
from harness.report.placement import HEIGHT, PICTURE, WIDTH, Box, Point, arrange, lay_out
from hw_profiles.model import DeviceKind

NAMES = ("Communications hub", "56-78-90-A0", "1.0.0")
POSITIONS = st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=1, max_size=5)


def _devices(positions: list[tuple[float, float]]) -> tuple[DeviceReport, ...]:
    return tuple(
        DeviceReport(eui64=str(n), role=DeviceKind.GSME, manufacturer="", model="", position_m=place)
        for n, place in enumerate(positions)
    )


@given(POSITIONS)
def test_every_device_lies_inside_the_picture(positions: list[tuple[float, float]]) -> None:
    for point in arrange(_devices(positions)).values():
        assert 40 <= point.x <= WIDTH - 40
        assert 40 <= point.y <= HEIGHT - 90


@given(POSITIONS)
def test_all_words_are_inside_the_picture(positions: list[tuple[float, float]]) -> None:
    devices = _devices(positions)
    layout = lay_out(devices, {device.eui64: NAMES for device in devices}, ())
    for words in layout.words.values():
        assert PICTURE.overlap(words.box) > 0.99 * PICTURE.overlap(Box(*words.box))


def test_a_link_does_not_run_through_the_name_of_a_device_it_ends_at() -> None:
    """A hub above a meter: its words go beside it, not on the line between the two."""
    devices = _devices([(0, 0), (0, 4), (4, 8)])
    layout = lay_out(devices, {device.eui64: NAMES for device in devices}, [("0", "1"), ("0", "2")])
    for first, second in (("0", "1"), ("0", "2")):
        for words in layout.words.values():
            assert words.box.within(layout.places[first], layout.places[second]) == 0


def test_words_do_not_cover_words() -> None:
    devices = _devices([(0, 0), (6, 0), (0, 5), (6, 5)])
    links = list(combinations(("0", "1", "2", "3"), 2))
    layout = lay_out(devices, {device.eui64: NAMES for device in devices}, links)
    boxes = [words.box for words in layout.words.values()]
    assert all(a.overlap(b) == 0 for a, b in combinations(boxes, 2))


@given(st.tuples(*[st.floats(-100, 100)] * 4))
def test_the_part_of_a_line_in_a_box_is_no_longer_than_line_or_diagonal(
    ends: tuple[float, float, float, float],
) -> None:
    a, b, box = Point(*ends[:2]), Point(*ends[2:]), Box(-30, -20, 30, 20)
    inside = box.within(a, b)
    assert 0 <= inside <= min(math.dist(a, b), math.hypot(60, 40)) + 1e-6


def test_a_line_across_a_box_is_inside_it_for_the_boxs_width() -> None:
    box = Box(-30, -20, 30, 20)
    assert box.within(Point(-100, 0), Point(100, 0)) == pytest.approx(60)
    assert box.within(Point(-100, 21), Point(100, 21)) == 0
    assert box.within(Point(-100, 0), Point(-31, 0)) == 0
