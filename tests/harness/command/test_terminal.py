"""What a person sees while a campaign runs."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from harness.command.terminal import LiveProgress, PlainProgress, clean, close, progress_for
from harness.facts.terms import Severity, Verdict
from harness.progress import ProgressObserver, SilentProgress
from harness.report.model import CampaignReport, DeviceReport, Obligation, ReportedException
from hw_profiles.model import DeviceKind

HOUR = 3_600_000_000


def _report() -> CampaignReport:
    gas = DeviceReport(
        eui64="00-DB-12-34-56-78-90-A2",
        role=DeviceKind.GSME,
        manufacturer="Generic",
        model="gas",
        version_before="2.1.0",
        version_target="2.3.1",
        version_after="2.3.1",
    )
    return CampaignReport(
        product_version="0",
        installation_id="x",
        mpan="1",
        mprn=None,
        seed=1,
        radio="inproc:",
        result=Verdict.COMMISSIONED,
        devices=(gas,),
        exceptions=(
            ReportedException(
                at_us=1, subject=gas.eui64, what="It rebooted", cause="", action="Nothing to do"
            ),
        ),
        obligations=(Obligation(owner="Responsible Supplier", what="Place the certificate"),),
    )


def _drive(progress: ProgressObserver) -> None:
    progress.phase_started("upgrade")
    for step in range(1001):
        progress.transfer("Gas meter", "2.3.1", step * 240, 240_000, step * HOUR // 20)
    progress.event(26 * HOUR, "Gas meter", "rebooted", Severity.WARNING)
    progress.phase_finished("upgrade", "done")
    progress.phase_finished("enrol", "refused")
    progress.finished(_report())


def test_plain_output_is_a_line_for_each_tenth() -> None:
    stream = StringIO()
    _drive(progress_for(stream))
    lines = stream.getvalue().splitlines()
    assert sum("Gas meter: 2.3.1" in line for line in lines) == 11
    assert "  1d 02:00:00  Gas meter: rebooted" in lines
    assert "! enrol: not finished" in lines
    assert "\x1b" not in stream.getvalue()


def test_the_verdict_says_what_changed_and_what_is_owed() -> None:
    stream = StringIO()
    PlainProgress(Console(file=stream, width=100)).finished(_report())
    shown = stream.getvalue()
    for words in (
        "Commissioned",
        "2.1.0 \u2192 2.3.1",
        "It rebooted. Nothing to do",
        "owed by Responsible Supplier",
    ):
        assert words in shown


def _live(width: int) -> tuple[LiveProgress, StringIO]:
    stream = StringIO()
    return LiveProgress(Console(file=stream, force_terminal=True, width=width)), stream


def _last_line(stream: StringIO) -> str:
    """Return what the last drawing of the bars leaves on the screen."""
    return Text.from_ansi(stream.getvalue()).plain.splitlines()[-1]


def test_live_bars_show_network_rate_and_time_left() -> None:
    live, stream = _live(110)
    live.transfer("Gas meter", "2.3.1", 0, 240_000, 0)
    live.transfer("Gas meter", "2.3.1", 60_000, 240_000, 10 * HOUR)
    live.close()
    assert "1.7 B/s" in stream.getvalue()
    assert "1 d 6 h left" in stream.getvalue()


def test_a_bar_shows_what_the_device_holds_however_fast_it_came() -> None:
    """Nothing follows the last octets before a silence: they are shown all the same."""
    live, stream = _live(110)
    for offset in range(0, 48_001, 48):
        live.transfer("Gas meter", "2.3.1", offset, 240_000, offset)
    live.close()
    assert "20 %" in _last_line(stream)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
def test_a_narrow_terminal_gets_fewer_words_not_cut_ones(width: int) -> None:
    live, stream = _live(width)
    live.transfer("Gas meter (\u202690-A2)", "1.4.0", 0, 240_000, 0)
    live.transfer("Gas meter (\u202690-A2)", "1.4.0", 60_000, 240_000, 10 * HOUR)
    live.close()
    line = _last_line(stream)
    assert len(line.rstrip()) <= width
    assert "Gas meter (\u202690-A2) 1.4.0" in line
    assert "25 %" in line
    assert ("1 d 6 h left" in line) is (width >= 60)


def test_a_whole_campaign_can_be_shown_live() -> None:
    stream = StringIO()
    _drive(LiveProgress(Console(file=stream, force_terminal=True, width=110)))
    assert "Commissioned" in stream.getvalue()


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_for(StringIO(), silent=True)
    assert isinstance(progress, SilentProgress)
    _drive(progress)
    close(progress)
    assert capsys.readouterr().out == ""


@given(st.text())
def test_no_control_character_reaches_the_terminal(words: str) -> None:
    stream = StringIO()
    PlainProgress(Console(file=stream, highlight=False)).event(0, words, words)
    assert stream.getvalue().rstrip("\n").isprintable()
    assert clean(words).isprintable()
