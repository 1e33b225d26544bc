"""`smets1 demo`: the example that comes with the product, as `smets1 run` would run it."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.command import run
from harness.command.main import EXIT_STATUSES, build_parser
from harness.examples import DORMANT_SEMI

FOLDER = Path("out") / "demo"

_EPILOG = f"""\
examples:
  smets1 demo
  smets1 demo --out elsewhere
  smets1 verify {FOLDER}

The example is an installation file like any other, to be read and copied:
  {DORMANT_SEMI}

{EXIT_STATUSES}"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `demo` command."""
    parser = subparsers.add_parser(
        "demo",
        help="upgrade, configure and enrol the example installation",
        description="Upgrade, configure and enrol the example installation; nothing else is needed.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR", help=f"the run folder ({FOLDER})")
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Run the example with `run`'s own defaults."""
    words = ["run", str(DORMANT_SEMI), "--out", str(arguments.out)]
    return run.handle(build_parser(words).parse_args(words, namespace=arguments))
