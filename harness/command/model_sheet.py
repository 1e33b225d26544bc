"""One device model as a sheet: every field, how sure it is, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import groupby
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from hw_profiles.model import Confidence, Level, Model

_STYLES = {
    Level.CONFIRMED: "green",
    Level.DERIVED: "cyan",
    Level.RECALLED: "yellow",
    Level.PLACEHOLDER: "dim",
}
_HEXADECIMAL = frozenset(
    (
        *("manufacturer_code", "image_type", "ota_version", "hardware_version"),
        *("cluster", "attribute", "device_id", "profile", "events"),
    )
)
_HEXADECIMAL_LISTS = ("server", "client")
_DIGITS = {"ota_version": 8}


class Field(NamedTuple):
    """One field of a model by its dotted path."""

    path: str
    value: str
    confidence: Confidence


def sheet(model: Model) -> Iterator[Field]:
    """Yield every field of a model in the order of the schema; lists of tables are numbered from 1."""
    for each in fields(model):
        if each.name not in ("id", "kind", "title", "confidence"):
            yield from _flat(model, each.name, each.name, getattr(model, each.name))


def _flat(model: Model, path: str, section: str, value: Any) -> Iterator[Field]:
    if is_dataclass(value):
        for each in fields(value):
            yield from _flat(
                model, f"{path}.{each.name}", f"{section}.{each.name}", getattr(value, each.name)
            )
    elif isinstance(value, tuple) and value and is_dataclass(value[0]):
        for number, item in enumerate(value, 1):
            yield from _flat(model, f"{path}[{number}]", section, item)
    elif isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(model, f"{path}.{_said('', key)}", section, item)
    elif value is not None:
        yield Field(path, _said(section.rpartition(".")[2], value), model.confidence_of(section))


def _said(name: str, value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name in _HEXADECIMAL:
        return f"0x{value:0{_DIGITS.get(name, 4)}X}"
    if isinstance(value, tuple | Mapping):
        items = (f"0x{item:04X}" if name in _HEXADECIMAL_LISTS else _said("", item) for item in value)
        return " ".join(items) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


def print_sheet(model: Model, console: Console) -> None:
    """Print a model's title and its fields, those with the same source under one line that gives it."""
    console.print(Text(model.title, "bold") + Text(f"  {model.kind.value}  {model.id}", "not bold dim"))
    for (level, source), group in groupby(sheet(model), key=_source):
        console.print(
            Text(f"\n{level.value}", _STYLES[level]) + Text(f"  {source}", "default"), soft_wrap=True
        )
        for path, value, _ in group:
            console.print(Text(f"  {path:<34} {value}"), soft_wrap=True)


def _source(field: Field) -> tuple[Level, str]:
    return field.confidence.level, field.confidence.source


def sheet_data(model: Model) -> dict[str, object]:
    """Return the sheet as data for `--json`."""
    return {
        "id": model.id,
        "title": model.title,
        "fields": [
            {
                "field": path,
                "value": value,
                "confidence": confidence.level.value,
                "source": confidence.source,
            }
            for path, value, confidence in sheet(model)
        ],
    }
