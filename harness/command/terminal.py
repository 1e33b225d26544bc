"""Live progress on a terminal, plain lines elsewhere.

Times and rates shown are the network's (virtual time): a gas meter that takes two days is shown to take two
days, however fast the rehearsal runs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from emulator.clock.kernel import MICROSECONDS
from harness.facts.terms import Severity, Verdict
from harness.progress import ProgressObserver, SilentProgress
from harness.report.model import CampaignReport, DeviceReport
from harness.report.wording import (
    VERDICTS,
    device_name,
    duration,
    network_clock,
    octets,
    subject_name,
    versions_on_the_way,
)

_REFRESHES_PER_SECOND = 10.0
"""Fast enough to look live, slow enough to cost nothing."""
_WIDTH_FOR_REST, _WIDTH_FOR_BAR, _WIDTH_FOR_RATE, _WIDTH_FOR_CLOCK = 48, 56, 76, 96
"""Columns of a terminal from which a transfer's line has room for these."""
_STYLES = {
    Severity.INFO: "dim",
    Severity.NOTICE: "cyan",
    Severity.WARNING: "yellow",
    Severity.ERROR: "bold red",
}
_VERDICT_STYLES = {
    Verdict.COMMISSIONED: "bold green",
    Verdict.ELECTRICITY_ONLY: "bold yellow",
    Verdict.PLANNED: "bold cyan",
    Verdict.NOT_MIGRATED: "bold red",
    Verdict.RETURNED: "bold yellow",
    Verdict.STOPPED: "bold red",
}


@dataclass(slots=True)
class _Transfer:
    """Where one transfer was first seen, and where it is."""

    first_offset: int
    first_us: int
    offset: int
    at_us: int
    announced_tenths: int = -1

    def octets_per_second(self) -> float:
        """The rate in octets a second of network time, 0 when nothing has moved yet."""
        passed = self.at_us - self.first_us
        return (self.offset - self.first_offset) * MICROSECONDS / passed if passed > 0 else 0.0

    def remaining(self, size: int) -> str:
        """How long the rest takes at this rate, in network time."""
        rate = self.octets_per_second()
        return duration(int((size - self.offset) / rate * MICROSECONDS)) if rate > 0 else "..."


class _Printed:
    """What the live and the plain display have in common: lines for phases, events and the verdict."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._started_s = time.monotonic()
        self._transfers: dict[tuple[str, str], _Transfer] = {}

    def phase_started(self, name: str) -> None:
        """Print the phase's name."""
        self._print(Text("\u25b8 ", "bold cyan") + Text(clean(name), "bold"))

    def phase_finished(self, name: str, result: str) -> None:
        """Print how the phase ended."""
        good = result == "done"
        sign = Text("\u2713 ", "green") if good else Text("! ", "bold yellow")
        # Why it ended so was told when it happened, and the verdict says it again.
        words = "done" if good else "not finished"
        self._print(sign + Text(f"{clean(name)}: {words}", "dim" if good else "yellow"))

    def event(self, virtual_us: int, subject: str, text: str, severity: Severity = Severity.INFO) -> None:
        """Print one line."""
        line = f"  {network_clock(virtual_us)}  {clean(subject)}: {clean(text)}"
        self._print(Text(line, _STYLES[severity]))

    def finished(self, report: CampaignReport) -> None:
        """Print the verdict and the versions before and after."""
        self.close()
        headline, meaning = VERDICTS[report.result]
        self._print(Text(""))
        verdict = Text(headline, _VERDICT_STYLES[report.result])
        self._print(verdict + Text(f"  {clean(report.result_reason or meaning)}", "not bold default"))
        for device in report.devices:
            self._print(Text(f"  {device_name(device):<22} {_course(report, device)}"))
        for exception in report.exceptions:
            where = clean(subject_name(report, exception.subject))
            told = exception.what in report.result_reason
            what = "" if told else f"{clean(exception.what)}. "
            words = f"  {where}: {what}{clean(exception.action)}"
            self._print(Text(words, _STYLES[exception.severity]))
        for obligation in report.obligations:
            self._print(Text(f"  owed by {clean(obligation.owner)}: {clean(obligation.what)}", "yellow"))
        self._print(Text(f"  {self._durations(report)}", "dim"))

    def _durations(self, report: CampaignReport) -> str:
        real_us = int((time.monotonic() - self._started_s) * MICROSECONDS)
        network_us = report.ended_us - report.started_us
        return f"{duration(network_us)} of network time, in {duration(real_us)} here"

    def close(self) -> None:
        """Leave the terminal as it was found."""

    def _print(self, line: Text) -> None:
        self.console.print(line, soft_wrap=True)

    def _follow(self, device: str, label: str, offset: int, virtual_us: int) -> _Transfer:
        key = (device, label)
        seen = self._transfers.get(key)
        if seen is None:
            seen = self._transfers[key] = _Transfer(offset, virtual_us, offset, virtual_us)
        seen.offset, seen.at_us = offset, virtual_us
        return seen


class LiveProgress(_Printed):
    """Bars that move, on a terminal: what each shows is kept at every call and drawn several times a second."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._bars = Progress(
            *_columns(console.width), console=console, refresh_per_second=_REFRESHES_PER_SECOND, expand=True
        )

    def transfer(self, device: str, label: str, offset: int, size: int, virtual_us: int) -> None:
        """Move the transfer's bar."""
        seen = self._follow(device, label, offset, virtual_us)
        self._bars.update(
            self._task(device, label, size),
            completed=offset,
            rate=f"{seen.octets_per_second():.1f} B/s",
            remaining="complete" if offset >= size else f"{seen.remaining(size)} left",
            at=network_clock(virtual_us),
        )

    def _task(self, device: str, label: str, size: int) -> TaskID:
        key = (device, label)
        if key not in self._tasks:
            if not self._tasks:
                self._bars.start()
            fields = {"device": clean(device), "label": clean(label), "rate": "", "remaining": "", "at": ""}
            self._tasks[key] = self._bars.add_task("", total=size, **fields)  # type: ignore[arg-type]
        return self._tasks[key]

    def close(self) -> None:
        """Stop drawing; the bars stay as they last were."""
        if self._tasks:
            self._bars.stop()


def _columns(width: int) -> list[ProgressColumn]:
    """Return what fits a terminal of so many columns: what is said of a transfer gets fewer words, not cut ones."""
    bar = BarColumn(
        bar_width=None, complete_style="cyan", finished_style="green", table_column=Column(ratio=1)
    )
    rate = TextColumn("{task.fields[rate]}", justify="right")
    rest = TextColumn("{task.fields[remaining]}", justify="right", style="dim")
    at = TextColumn("{task.fields[at]}", style="dim")
    return [
        TextColumn("  {task.fields[device]} {task.fields[label]}", markup=False),
        *([bar] if width >= _WIDTH_FOR_BAR else []),
        TextColumn("{task.percentage:>3.0f} %"),
        *([rate] if width >= _WIDTH_FOR_RATE else []),
        *([rest] if width >= _WIDTH_FOR_REST else []),
        *([at] if width >= _WIDTH_FOR_CLOCK else []),
    ]


class PlainProgress(_Printed):
    """Lines only, for a file, a pipe or a build log: one for each tenth of a transfer."""

    def transfer(self, device: str, label: str, offset: int, size: int, virtual_us: int) -> None:
        """Print a line when another tenth is there."""
        seen = self._follow(device, label, offset, virtual_us)
        tenths = offset * 10 // size if size else 10
        if tenths == seen.announced_tenths:
            return
        seen.announced_tenths = tenths
        self._print(
            Text(
                f"  {network_clock(virtual_us)}  {clean(device)}: {clean(label)} {tenths * 10} %, "
                f"{octets(offset)} of {octets(size)}"
            )
        )


def _course(report: CampaignReport, device: DeviceReport) -> str:
    """Return what became of a device's firmware, or for a plan what is to become of it, hop by hop."""
    if report.result is not Verdict.PLANNED:
        return _versions(device)
    if not device.planned_hops:
        return f"stays on {clean(device.version_before or 'what it runs')}"
    return (
        clean(" \u2192 ".join(versions_on_the_way(device))) + f", target {clean(device.version_target or '')}"
    )


def _versions(device: DeviceReport) -> str:
    before, after = device.version_before or "unknown", device.version_after or "unknown"
    return clean(before if before == after else f"{before} \u2192 {after}")


def clean(words: str) -> str:
    """Return text from outside without the control characters that could drive a terminal."""
    return "".join(each if each.isprintable() else "\ufffd" for each in words)


def progress_for(stream: TextIO, *, silent: bool = False) -> LiveProgress | PlainProgress | SilentProgress:
    """Return the display that suits the stream: live on a terminal, lines elsewhere, nothing when silent."""
    if silent:
        return SilentProgress()
    console = Console(file=stream, highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveProgress(console)
    return PlainProgress(console)


def close(progress: ProgressObserver) -> None:
    """Give the terminal back, whatever the display and however the campaign ended."""
    if isinstance(progress, LiveProgress):
        progress.close()
