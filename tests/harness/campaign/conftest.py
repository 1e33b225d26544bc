"""Campaigns against a scripted home: fast enough to run, kill and resume many times."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from emulator.clock.kernel import Kernel
from harness.campaign.runner import run_workspace
from harness.examples import DORMANT_SEMI
from harness.journal import Entry, read_entries
from harness.progress import SilentProgress
from harness.report.model import CampaignReport
from harness.workspace.options import RunOptions
from harness.workspace.workspace import Workspace
from tests.harness.campaign.fake_world import FakeHome, FakeWorld


class PowerCut(BaseException):
    """Stands for a kill -9."""


@dataclass
class Rig:
    """One run folder and the scripted home behind it."""

    folder: Path
    installation: Path = DORMANT_SEMI
    home: FakeHome | None = None
    signing_key: Path | None = None
    image: Path | None = None
    _worlds: list[FakeWorld] = field(default_factory=list)
    prepare: list[Callable[[FakeHome], None]] = field(default_factory=list)

    def run(
        self, on_append: Callable[[Entry], None] = lambda entry: None, *, dry_run: bool = False
    ) -> CampaignReport:
        """Run the campaign, or resume it when the folder holds one."""
        if self.folder.exists():
            workspace = Workspace.resume(self.folder, self.signing_key)
        else:
            workspace = Workspace.create(
                RunOptions(
                    installation=self.installation,
                    out=self.folder,
                    dry_run=dry_run,
                    image=self.image,
                    signing_key=self.signing_key,
                )
            )
        if self.home is None:
            self.home = FakeHome(workspace.installation)
            for change in self.prepare:
                change(self.home)
        home = self.home

        def world(space: Workspace, kernel: Kernel) -> FakeWorld:
            self._worlds.append(FakeWorld(home, space, kernel))
            return self._worlds[-1]

        return run_workspace(workspace, world, SilentProgress(), on_append)

    def world(self) -> FakeWorld:
        """Return the world of the run under way, or the last one."""
        return self._worlds[-1]

    def entries(self) -> list[Entry]:
        """Return the journal."""
        return read_entries(self.folder / "journal.sqlite")


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut is an exception here, not a loss of power: what was written is there without syncing."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "run")
