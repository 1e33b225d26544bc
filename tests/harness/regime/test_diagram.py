from __future__ import annotations

from pathlib import Path

from harness.facts.terms import State
from harness.regime.diagram import page
from harness.regime.lifecycle import PLACES

DOCS = Path(__file__).parents[3] / "docs"


def test_the_documentation_draws_the_table_as_it_is() -> None:
    """When it fails: python -m harness.regime.diagram > docs/lifecycle.md"""
    assert (DOCS / "lifecycle.md").read_text(encoding="utf-8") == page()


def test_every_way_is_drawn() -> None:
    arrows = [line for line in page().splitlines() if " --> " in line]
    assert len(arrows) == sum(len(place.ways) for place in PLACES.values())
    assert f"    {State.VIABLE} --> cut_over: control-transferred" in arrows
