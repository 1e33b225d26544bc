"""The lifecycle's table as a page of the documentation: a diagram a phase, and every way from state to state.

`python -m harness.regime.diagram > docs/lifecycle.md` writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.facts.terms import State
from harness.regime.lifecycle import PLACES, RESTING, Phase

_HEAD = """\
# The life of an installation

One table leads an installation from discovered to where it rests: `harness/regime/lifecycle.py`. This page is drawn
from it (`python -m harness.regime.diagram > docs/lifecycle.md`), and a test fails when the two differ. Each move is a
`transition` in a run's journal; `smets1 verify` holds every one against the table.
"""


def page() -> str:
    """Return the page, in Markdown with Mermaid diagrams."""
    return "\n".join((_HEAD, *_diagrams(), *_rests())) + "\n"


def _diagrams() -> Iterator[str]:
    for phase in Phase:
        yield f"## {phase.value.capitalize()}\n"
        yield "```mermaid\nstateDiagram-v2"
        for state, place in PLACES.items():
            if place.phase is phase:
                yield from (
                    f"    {_node(state)} --> {_node(to)}: {event}" for event, to in place.ways.items()
                )
        yield "```\n"


def _rests() -> Iterator[str]:
    yield "## Where an installation rests\n"
    yield "| state | the run's verdict |\n|---|---|"
    yield from (f"| {state} | {verdict} |" for state, verdict in RESTING.items())


def _node(state: State) -> str:
    return state.value.replace("-", "_")


if __name__ == "__main__":
    print(page(), end="")
