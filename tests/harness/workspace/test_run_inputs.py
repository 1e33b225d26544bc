"""A run folder holds everything that its run is made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.examples import DORMANT_SEMI
from harness.workspace.options import RunOptions
from harness.workspace.workspace import Workspace
from hw_profiles import loader


def test_a_run_needs_no_model_that_the_product_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of the product may ship others: the run is resumed, and its report made again, with its own."""
    made = Workspace.create(RunOptions(installation=DORMANT_SEMI, out=tmp_path / "run"))
    monkeypatch.setattr(loader, "SHIPPED", tmp_path / "none")
    again = Workspace.resume(tmp_path / "run")
    assert again.installation.models == made.installation.models


def test_a_home_may_be_put_together_with_links(tmp_path: Path) -> None:
    """The copies lie where the installation file looks for them, wherever the links lead."""
    home = tmp_path / "home"
    home.mkdir()
    for item in DORMANT_SEMI.parent.iterdir():
        (home / item.name).symlink_to(item)
    installation = home / DORMANT_SEMI.name
    made = Workspace.create(RunOptions(installation=installation, out=tmp_path / "run"))
    assert made.installation.sequences == Workspace.resume(tmp_path / "run").installation.sequences
    straight = Workspace.create(RunOptions(installation=DORMANT_SEMI, out=tmp_path / "straight"))
    assert made.request == straight.request
