"""`smets1 models`: what can be emulated, and how much of each model is established fact."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from difflib import get_close_matches

from rich.table import Table
from rich.text import Text

from harness.command.arguments import add_json, add_models, require_folders
from harness.command.console import console_for
from harness.command.main import DONE, EXIT_STATUSES
from harness.command.model_sheet import print_sheet, sheet_data
from harness.errors import HarnessError
from hw_profiles.loader import load_model, model_ids
from hw_profiles.model import Level, Model

_EPILOG = f"""\
examples:
  smets1 models
  smets1 models --show generic-gas-meter      every field, how sure it is and its source
  smets1 models --json
  smets1 models --models my-lab/models

{EXIT_STATUSES}"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `models` command."""
    parser = subparsers.add_parser(
        "models",
        help="list the device models that can be emulated",
        description="List the device models, and how many of each one's fields are established fact.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_models(parser)
    parser.add_argument("--show", metavar="ID", help="one model: each field's value, confidence and source")
    add_json(parser)
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Print the models, or one of them in full."""
    require_folders(arguments.models)
    if arguments.show is not None:
        return _show(arguments.show, arguments)
    models = [load_model(each, arguments.models) for each in model_ids(arguments.models)]
    if arguments.json:
        print(json.dumps([_record(model) for model in models], indent=1))
    else:
        console_for().print(_table(models))
    return DONE


def _show(model_id: str, arguments: argparse.Namespace) -> int:
    known = model_ids(arguments.models)
    if model_id not in known:
        near = get_close_matches(model_id, known, 1)
        advice = f"did you mean {near[0]}?" if near else "see: smets1 models"
        raise HarnessError(f"--show: {model_id!r}: no such model; {advice}")
    model = load_model(model_id, arguments.models)
    if arguments.json:
        print(json.dumps(sheet_data(model), indent=1))
    else:
        print_sheet(model, console_for())
    return DONE


def _record(model: Model) -> dict[str, object]:
    return {
        "id": model.id,
        "kind": model.kind.value,
        "title": model.title,
        "se_version": model.se_version.value,
        "firmware": [each.display for each in model.firmware],
        "confidence": _levels(model),
    }


def _levels(model: Model) -> dict[str, int]:
    counted = Counter(each.level for each in model.confidence.values())
    return {level.value: counted[level] for level in Level if counted[level]}


def _table(models: list[Model]) -> Table:
    levels = " / ".join(level.value for level in Level)
    table = Table(box=None, pad_edge=False, caption=f"sections {levels}", caption_justify="left")
    table.add_column("model", overflow="fold")
    table.add_column("kind", no_wrap=True)
    table.add_column("sections", no_wrap=True)
    table.add_column("firmware", overflow="fold")
    for model in models:
        counted = _levels(model)
        known = " / ".join(str(counted.get(level.value, 0)) for level in Level)
        firmware = " ".join(each.display for each in model.firmware)
        table.add_row(model.id, model.kind.value, known, Text(firmware))
    return table
