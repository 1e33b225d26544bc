"""Finding and loading device models, from the shipped data or from a user's own folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hw_profiles.errors import ProfileError
from hw_profiles.model import Model
from hw_profiles.toml_file import load_table, read_record

SHIPPED = Path(__file__).parent / "models"
"""Folder of the models that come with the project."""

_FREE = ("id", "kind", "title", "confidence")
"""Top-level keys that need no confidence entry: they name the profile, not the device."""


def model_ids(folders: Sequence[Path] = ()) -> list[str]:
    """List the ids that `load_model` finds in `folders` and among the shipped models, sorted."""
    return sorted({path.stem for folder in (*folders, SHIPPED) for path in folder.glob("*.toml")})


def load_model(model: str | Path, folders: Sequence[Path] = ()) -> Model:
    """Load a model by id (looked up in `folders`, then among the shipped ones) or by the path of a TOML file.

    Raises `ProfileError` for an unknown id or a file that breaks the schema.
    """
    return read_model(_find(model, folders))


def read_model(path: Path) -> Model:
    """Load one model file; its `id` equals the file name and every stated field has a confidence entry."""
    table = load_table(path)
    model = read_record(Model, table, str(path))
    if model.id != path.stem:
        raise ProfileError(f"{path}: id = {model.id!r}: expected the file name, {path.stem!r}")
    _check_confidence(table, model, path)
    return model


def _find(model: str | Path, folders: Sequence[Path]) -> Path:
    if isinstance(model, Path) or model.endswith(".toml"):
        return Path(model)
    for folder in (*folders, SHIPPED):
        candidate = folder / f"{model}.toml"
        # Also what is no file: somebody meant it to be the model, and its reader says what it is.
        if os.path.lexists(candidate):
            return candidate
    known = ", ".join(model_ids(folders))
    raise ProfileError(f"model {model!r}: unknown; expected one of {known}, or the path of a TOML file")


def _check_confidence(table: dict[str, Any], model: Model, path: Path) -> None:
    leaves = list(_leaves({name: value for name, value in table.items() if name not in _FREE}))
    for entry in model.confidence:
        if not any(leaf == entry or leaf.startswith(entry + ".") for leaf in leaves):
            raise ProfileError(
                f"{path}: confidence.{entry!r}: names no field of this file; remove or correct it"
            )
    for leaf in leaves:
        if not any(leaf == entry or leaf.startswith(entry + ".") for entry in model.confidence):
            raise ProfileError(
                f"{path}: {leaf}: no confidence stated; add it or its section to [confidence] as "
                '{ level = "confirmed|derived|recalled|placeholder", source = "..." }'
            )


def _leaves(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
