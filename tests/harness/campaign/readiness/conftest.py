"""The quick home, and a way to spoil one thing in a copy of it and check that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.campaign.readiness.check import Readiness, check_files
from tests.end_to_end.quick_scenario import Replacement, build, changed, variant

Check = Callable[..., Readiness]


@pytest.fixture(scope="session")
def quick_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installation file of the quick home; not to be written to."""
    return build(tmp_path_factory.mktemp("readiness") / "home")


@pytest.fixture
def check(quick_home: Path, tmp_path: Path) -> Check:
    """Check a copy of the quick home with some passages replaced in one of its files."""

    def run(
        *replacements: Replacement, file: str = "installation.toml", image: Path | None = None
    ) -> Readiness:
        path = variant(quick_home, tmp_path / "home")
        spoilt = path.parent / file
        spoilt.write_text(changed(spoilt.read_text(), replacements))
        return check_files(path, (), image)

    return run
