"""`python -m benchmarks [--quick] [--json] [NAME...]`: run the benchmarks and print them as ratios."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from benchmarks import (
    catalogue,
    ezsp_line,
    ezsp_ota,
    first_capture,
    frame_decoding,
    key_establishment,
    memory,
    ota_transfer,
    qualification,
    saturated,
    spaced_upgrade,
)
from benchmarks.result import Result

BENCHMARKS: Mapping[str, Callable[[bool], list[Result]]] = {
    "ota": ota_transfer.measure,
    "decode": frame_decoding.measure,
    "spaced": spaced_upgrade.measure,
    "saturated": saturated.measure,
    "cbke": key_establishment.measure,
    "memory": memory.measure,
    "catalogue": catalogue.measure,
    "ezsp": ezsp_line.measure,
    "ezsp-ota": ezsp_ota.measure,
    "first-capture": first_capture.measure,
    "qualification": qualification.measure,
}


PIPE_COLUMNS = 160


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks named, all of them by default; returns the exit status."""
    options = _parser().parse_args(arguments)
    results: list[Result] = []
    progress = Console(stderr=True)
    for name in options.names or BENCHMARKS:
        with progress.status(f"measuring {name}"):
            results += BENCHMARKS[name](options.quick)
    if options.json:
        lines = [{**asdict(result), "ratio": result.ratio} for result in results]
        sys.stdout.write(json.dumps(lines, indent=2) + "\n")
    else:
        # A pipe has no width of its own, and the cells need more than the 80 columns that would be assumed.
        Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS).print(table(results))
    return 0


def table(results: Sequence[Result]) -> Table:
    """Return the results as a table."""
    drawn = Table("what", "", title="Benchmarks", caption="medians of one run; higher ratios are better")
    for heading in ("here", "peer", "ratio", "aim"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    drawn.columns[1].header = "peer is"
    for result in results:
        drawn.add_row(
            f"[bold]{result.name}[/bold]\n[dim]{result.note}[/dim]",
            result.peer_name,
            f"{_number(result.value)} {result.unit}",
            "" if result.peer is None else f"{_number(result.peer)} {result.unit}",
            "" if result.ratio is None else f"[bold]{_number(result.ratio)}x[/bold]",
            "" if result.aim is None else f"{_number(result.aim)}x",
        )
    return drawn


def _number(value: float) -> str:
    """Write a number with three significant figures or as a whole one."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[[], *BENCHMARKS], metavar="NAME", help=", ".join(BENCHMARKS)
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, one repetition: for tests")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
