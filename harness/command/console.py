"""Where tables go: as wide as a terminal is, and as wide as they need to be anywhere else."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console

_NO_EDGE = 10_000
"""Columns of a pipe or file: lines there have no edge to be cut or folded at."""


def console_for(stream: TextIO | None = None) -> Console:
    """Return a console on `stream` (standard output); identifiers are never cut where programs may read them."""
    console = Console(file=stream or sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = _NO_EDGE
    return console
