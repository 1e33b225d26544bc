"""What a running campaign tells whoever is watching, without knowing who that is.

The campaign calls a `ProgressObserver`; the terminal, the tests and a silent run are observers. Observers are
told, never asked: no method returns anything, and none may influence the campaign.
"""

from __future__ import annotations

from typing import Protocol

from harness.facts.terms import Severity
from harness.report.model import CampaignReport


class ProgressObserver(Protocol):
    """The watcher of one campaign; all times are virtual microseconds since the start of the scenario."""

    def phase_started(self, name: str) -> None:
        """A phase of the campaign begins, for example `discover` or `upgrade`."""

    def phase_finished(self, name: str, result: str) -> None:
        """A phase ended; `result` is `done` or one line saying how it ended instead."""

    def transfer(self, device: str, label: str, offset: int, size: int, virtual_us: int) -> None:
        """A device holds `offset` of the `size` octets of the image `label`; told often."""

    def event(self, virtual_us: int, subject: str, text: str, severity: Severity = Severity.INFO) -> None:
        """Something a person may want to read happened to `subject` (a device or a party)."""

    def finished(self, report: CampaignReport) -> None:
        """The campaign has ended and this is its report; called once, last."""


class SilentProgress:
    """An observer that ignores everything: for `--json` and for tests."""

    def phase_started(self, name: str) -> None:
        """Ignore it."""

    def phase_finished(self, name: str, result: str) -> None:
        """Ignore it."""

    def transfer(self, device: str, label: str, offset: int, size: int, virtual_us: int) -> None:
        """Ignore it."""

    def event(self, virtual_us: int, subject: str, text: str, severity: Severity = Severity.INFO) -> None:
        """Ignore it."""

    def finished(self, report: CampaignReport) -> None:
        """Ignore it."""
