"""The page: complete, self-contained, escaped, and the same for the same report."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.facts.plan import Hop
from harness.facts.terms import Verdict
from harness.report.html import render_html
from harness.report.model import CampaignReport, DeviceReport, TransferReport
from harness.report.plots import course, thinned, transfer_plot
from harness.report.timeline import TimeAxis, timeline_picture
from harness.report.wording import device_model, duration, network_clock, octets
from hw_profiles.model import DeviceKind

_VOID = {"meta", "br", "hr"}


class _Balanced(HTMLParser):
    """Fails on an element that is not closed where it should be, and gathers what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [
            f"{key}={value}" for key, value in attrs if key in ("src", "href", "xlink:href", "data")
        ]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _parsed(page: str) -> _Balanced:
    parser = _Balanced()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def test_the_page_is_well_formed_and_fetches_nothing(report: CampaignReport) -> None:
    page = render_html(report)
    beside = [f"href=exchange/{file.name}" for file in report.files]
    assert _parsed(page).fetched == [*beside, "href=capture.pcapng"]
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|@import|url\((?!#)", page)


def test_the_page_depends_on_the_report_alone(report: CampaignReport) -> None:
    assert render_html(report) == render_html(CampaignReport.from_json(report.to_json()))


@pytest.mark.parametrize(
    "shown",
    [
        "Commissioned",
        "1000001234567",
        "2.1.0 \u2192 2.3.1",
        "LQI 142",
        "Standard &lt;flat&gt; &amp; night",
        "not supplied before the cut-off",
        "due 10 Jan 2026 11:00:00",
        "None needed: it resumed at its saved offset.",
        "c4" * 32,
        "5e" * 32,
        "smets1 verify",
        "WAIT_FOR_DATA",
        "5a" * 32,
        "Installing Supplier Ltd, adopted by DCC",
        "36 devices since 2025-06-30",
        "from-versions waived by Firmware Board: a lost step",
    ],
)
def test_the_page_shows_what_matters(report: CampaignReport, shown: str) -> None:
    assert shown in render_html(report)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_an_empty_campaign_still_has_a_page(report: CampaignReport, verdict: Verdict) -> None:
    bare = CampaignReport(
        product_version="0", installation_id="x", mpan="1", mprn=None, seed=0, radio="inproc:", result=verdict
    )
    _parsed(render_html(bare))
    _parsed(render_html(replace(report, result=verdict, result_reason="because", transfers=(), phases=())))


@given(st.text(max_size=40))
def test_text_from_outside_stays_text(words: str) -> None:
    hostile = f'</script><script>alert("{words}")</script>'
    each = DeviceReport(eui64=hostile, role=DeviceKind.GSME, manufacturer=hostile, model=hostile)
    page = render_html(
        CampaignReport(
            product_version=hostile,
            installation_id=hostile,
            mpan=hostile,
            mprn=hostile,
            seed=1,
            radio=hostile,
            result=Verdict.STOPPED,
            result_reason=hostile,
            devices=(each,),
        )
    )
    assert "<script>alert" not in page
    assert page.count("<script>") == 1


def test_a_transfer_cut_short_is_drawn(report: CampaignReport) -> None:
    cut = TransferReport(
        device=report.devices[1].eui64,
        hop=Hop("00" * 32, "x.ota", 1000, 1, "1", 2, "2"),
        started_us=5,
    )
    page = render_html(replace(report, transfers=(cut, replace(cut, progress=((5, 0), (5, 10))))))
    assert "stopped at 0 B" in page
    assert "stopped at 10 B" in page


@given(
    st.lists(st.integers(0, 10**12), min_size=1, max_size=12), st.lists(st.integers(0, 10**12), min_size=2)
)
def test_the_time_axis_never_runs_backwards(moments: list[int], times: list[int]) -> None:
    axis = TimeAxis(moments, 1000.0)
    places = [axis.place(each) for each in sorted(times)]
    assert places == sorted(places)
    assert all(-1e-6 <= place <= 1000.001 for place in places)


@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=12), st.integers(0, 2**31))
def test_ticks_leave_room_for_their_words(moments: list[int], epoch: int) -> None:
    axis = TimeAxis(moments, 1000.0)
    places = [axis.place(each) for each in axis.ticks(epoch)]
    assert all(after - before >= 70 for before, after in pairwise(places))


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=2000))
def test_thinning_keeps_the_ends(points: list[tuple[int, int]]) -> None:
    kept = thinned(tuple(points))
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert len(kept) <= 802


@pytest.mark.parametrize(
    ("microseconds", "words"),
    [
        (0, "0 ms"),
        (7_000, "7 ms"),
        (42_000_000, "42 s"),
        (61_000_000, "1 min 1 s"),
        (3_600_000_000, "1 h"),
        (212_400_000_000, "2 d 11 h"),
        (86_460_000_000, "1 d"),
        ((2 * 86_400 + 2 * 3_600 + 58 * 60) * 1_000_000, "2 d 3 h"),
        (59_700_000, "1 min"),
        (86_399_000_000, "1 d"),
    ],
)
def test_durations_are_said_in_two_units(microseconds: int, words: str) -> None:
    assert duration(microseconds) == words


def test_sizes_and_clocks() -> None:
    assert [octets(each) for each in (812, 239_872, 1_200_000)] == ["812 B", "239.9 kB", "1.20 MB"]
    assert network_clock(184_445_000_000) == "2d 03:14:05"


def test_transfers_are_bars_in_their_devices_lane_and_parties_share_one(report: CampaignReport) -> None:
    picture = timeline_picture(report)
    lanes = re.findall(r'class="lane-name">([^<]+)<', picture)
    assert len(lanes) == len(set(lanes))
    assert not {"SMSO", "S1SP", "DCO"} & set(lanes)
    for transfer in report.transfers:
        assert f"{transfer.hop.from_display} \u2192 {transfer.hop.display}: " in picture


def test_a_model_that_begins_with_its_manufacturer_names_it_once(report: CampaignReport) -> None:
    device = replace(report.devices[0], manufacturer="Generic", model="Generic SMETS1 hub")
    assert device_model(device) == "Generic SMETS1 hub"
    assert device_model(replace(device, model="SMETS1 hub")) == "Generic SMETS1 hub"


@given(st.integers(10**6, 10**13))
def test_a_duration_is_never_off_by_more_than_half_its_smaller_unit(microseconds: int) -> None:
    sizes = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
    parts = re.findall(r"(\d+) (d|h|min|s)", duration(microseconds))
    said = sum(int(amount) * sizes[unit] for amount, unit in parts)
    coarse = list(sizes).index(parts[0][1])
    finest = list(sizes.values())[min(coarse + 1, 3)]
    # A carry into the next unit leaves the smaller one of before as the limit.
    assert abs(said - microseconds / 1e6) <= max(finest, said / 1440) / 2 + 0.5


def _failed(report: CampaignReport, *progress: tuple[int, int]) -> TransferReport:
    return replace(
        report.transfers[0],
        progress=progress,
        ended_us=report.transfers[0].started_us + 5 * 86_400 * 1_000_000,
        activation_requested_us=None,
        activation_actual_us=None,
        result="FileTransferFailure",
    )


def test_a_failed_transfer_is_drawn_until_it_was_given_up(report: CampaignReport) -> None:
    nothing = _failed(report)
    assert course(nothing)[-1] == (nothing.ended_us, 0)
    assert "not an octet arrived" in transfer_plot(report, nothing)
    some = _failed(report, (nothing.started_us + 9, 4_800))
    assert course(some)[-1] == (some.ended_us, 4_800)
    drawn = transfer_plot(report, some)
    assert "given up with 4.8 kB" in drawn
    assert "not an octet" not in drawn


def test_a_finished_transfer_was_not_given_up(report: CampaignReport) -> None:
    whole = report.transfers[0]
    assert course(whole)[-1][1] == whole.hop.octets
    assert "given-up" not in transfer_plot(report, whole)


def test_a_device_that_fell_silent_is_not_shown_as_heard(report: CampaignReport) -> None:
    devices = tuple(
        replace(device, silent_since_us=3_600_000_000) if device.role is DeviceKind.GSME else device
        for device in report.devices
    )
    page = render_html(replace(report, devices=devices))
    assert "not heard any more" in page
    assert re.search(r'class="device gsme silent"', page)
    links = re.findall(r'class="link \w+ (\w+)"', page)
    assert links.count("lost") == sum(
        "gas" in tip.lower() for tip in re.findall(r"<title>([^<]* - [^<]*)<", page)
    )
    assert "not heard any more" not in render_html(report)


def test_events_name_their_frame_where_there_is_a_capture(report: CampaignReport) -> None:
    timeline = (replace(report.timeline[0], frame=4711), *report.timeline[1:])
    assert '<td class="frame">4711</td>' in render_html(replace(report, timeline=timeline))
    assert 'class="frame"' not in render_html(report)
