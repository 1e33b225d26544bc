"""Reading a catalogue: list, show, check, verify, diff."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from emulator.eui64 import format_eui64
from emulator.smart_energy.ota.file import OtaElement
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.command.options import Actions, action, now_of, opened, told
from firmware_catalog.errors import CatalogError
from firmware_catalog.gate import Home, grounds, lacks
from firmware_catalog.inspection import Inspection, inspect, inspect_file
from firmware_catalog.records import Entry
from firmware_catalog.statements import Statement
from hw_profiles.records import encode


def register(actions: Actions[Any]) -> None:
    """Add the actions."""
    action(actions, "list", "list the images", _list)
    show = action(actions, "show", "show all that is known of one image", _show)
    show.add_argument("id", metavar="ID", help="the first 8 or more digits of its SHA-256, as `list` prints")
    check = action(actions, "check", "look into OTA files without adding them", _check)
    check.add_argument(
        "files", metavar="FILE", type=Path, nargs="*", help="the OTA files; none: those of the catalogue"
    )
    action(
        actions,
        "verify",
        "verify everything: signatures, thresholds, freshness, every stored file",
        _verify,
        "Says of each image what a dormant home of its supplier would still miss.",
    )
    diff = action(actions, "diff", "say what another state of the catalogue has otherwise", _diff)
    diff.add_argument("other", metavar="DIR", type=Path, help="the other catalogue, a newer one say")


def _list(options: argparse.Namespace) -> int:
    catalogue = opened(options)
    tables = [_entry_table(entry, options, catalogue) for entry in catalogue.list()]
    lines = [_list_line(entry, options, catalogue) for entry in catalogue.list()]
    empty = "the catalogue is empty; add an image with `smets1 catalog add FILE --supplier ID`"
    return told(options, lines or [empty], tables)


def _list_line(entry: Entry, options: argparse.Namespace, catalogue: Catalogue) -> str:
    models = ", ".join(entry.models) or "any model"
    missing = _missing(entry, options, catalogue)
    dormant = "dormant: yes" if not missing else "dormant: no"
    return f"{entry.id[:12]}  {entry.identity}  {entry.octets:>8}  {dormant:<12}  {models}  {entry.supplier}"


def _show(options: argparse.Namespace) -> int:
    catalogue = opened(options)
    entry = catalogue.show(options.id)
    catalogue.fetch(entry.id)
    lines = (*_entry_lines(entry, options, catalogue), ("root", catalogue.root_sha256))
    table = _entry_table(entry, options, catalogue)
    return told(options, [f"{name:<14} {value}" for name, value in lines], table)


def _verify(options: argparse.Namespace) -> int:
    catalogue = opened(options)
    octets = catalogue.check_stored()
    lines = [f"{role:<48} version {version}" for role, version in catalogue.versions.items()]
    lines += [
        f"{len(catalogue.list())} images, {len(catalogue.statements())} statements, {octets} octets: all as signed"
    ]
    missing = {entry.path: _missing(entry, options, catalogue) for entry in catalogue.list()}
    for entry in catalogue.list():
        lines.append(f"{entry.id[:12]}  {entry.identity}  {_dormant_line(missing[entry.path])}")
    table = {
        "catalogue_root_sha256": catalogue.root_sha256,
        "versions": catalogue.versions,
        "octets": octets,
        "missing_for_dormant": missing,
    }
    return told(options, lines, table)


def _diff(options: argparse.Namespace) -> int:
    mine = opened(options)
    theirs = Catalogue.open(options.other, now=now_of(options))
    changes = list(_changes(mine, theirs))
    lines = [f"{change['sign']} {change['path']}  {change['what']}" for change in changes]
    if mine.root_sha256 != theirs.root_sha256:
        lines.insert(0, f"! {options.other} is another catalogue: its root is {theirs.root_sha256}")
    return told(options, lines or ["no difference"], changes)


def _changes(mine: Catalogue, theirs: Catalogue) -> Iterator[dict[str, str]]:
    """Yield what `theirs` has more (+), less (-) or otherwise (~) than `mine`."""
    old, new = _held(mine), _held(theirs)
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path):
            sign = "+" if path not in old else "-" if path not in new else "~"
            yield {"sign": sign, "path": path, "what": _what(new.get(path) or old[path])}


def _held(catalogue: Catalogue) -> dict[str, Entry | Statement]:
    held: list[Entry | Statement] = [*catalogue.list(), *catalogue.statements()]
    return {each.path: each for each in held}


def _what(held: Entry | Statement) -> str:
    if isinstance(held, Entry):
        return f"image {held.identity}"
    return f"{held.kind} of {held.image[:12]} by {held.by}, {held.date}"


class _Looked(NamedTuple):
    """One file that `check` was asked about: what was seen in it, or why nothing was."""

    name: str
    inspection: Inspection | None
    fault: str = ""


def _check(options: argparse.Namespace) -> int:
    if options.files:
        looked = [_look(str(path), partial(inspect_file, path)) for path in options.files]
    else:
        catalogue = opened(options)
        looked = [
            _look(f"{entry.id[:12]} {entry.file_name}", partial(_stored, catalogue, entry))
            for entry in catalogue.list()
        ]
    if options.json:
        tables = [_looked_table(item) for item in looked]
        print(json.dumps(tables[0] if len(options.files) == 1 else tables, indent=2))
    else:
        for item in looked:
            _print_looked(item)
    if any(item.inspection is None for item in looked):
        return 2
    return 0 if all(item.inspection and item.inspection.accepted for item in looked) else 1


def _look(name: str, inspected: Callable[[], Inspection]) -> _Looked:
    """Look into one file; one that cannot be looked into must not hide what is found in the others."""
    try:
        return _Looked(name, inspected())
    except CatalogError as error:
        return _Looked(name, None, str(error).removeprefix(f"{name}: "))


def _stored(catalogue: Catalogue, entry: Entry) -> Inspection:
    return inspect(catalogue.fetch(entry.id))


def _looked_table(looked: _Looked) -> dict[str, Any]:
    if looked.inspection is None:
        return {"file": looked.name, "accepted": False, "verdict": f"not checked: {looked.fault}"}
    return {"file": looked.name, **_inspection_table(looked.inspection)}


def _print_looked(looked: _Looked) -> None:
    if looked.inspection is None:
        print(f"{looked.name}: not checked: {looked.fault}")
        return
    header = looked.inspection.file.header
    print(f"{looked.name}: {looked.inspection.verdict}")
    print(f"  {header.identity}  {header.total_size} octets  {header.text!r}")
    for finding in looked.inspection.findings:
        print(f"  {'!' if finding.refuses else '-'} {finding.text}")


def _missing(entry: Entry, options: argparse.Namespace, catalogue: Catalogue) -> list[str]:
    """Return what a dormant home of the image's own supplier would miss."""
    home = Home("", entry.supplier, dormant=True)
    return [lack.text for lack in lacks(catalogue.standing(entry.id), home, now_of(options).date())]


def _dormant_line(missing: Sequence[str]) -> str:
    if not missing:
        return "may go to a dormant meter of its supplier"
    return f"may not go to a dormant meter: {'; '.join(missing)}"


def _entry_lines(entry: Entry, options: argparse.Namespace, catalogue: Catalogue) -> list[tuple[str, str]]:
    versions = ", ".join(f"0x{version:08X}" for version in entry.from_versions) or "any"
    lines = [
        ("id", entry.id),
        ("image", f"{entry.identity}  {entry.image_octets} octets  {entry.header_text!r}"),
        ("image SHA-256", entry.image_sha256),
        ("file", f"{entry.file_name}, {entry.octets} octets"),
        ("supplier", entry.supplier),
        ("provenance", entry.provenance or "not said"),
        ("capability", entry.capability_release or "not said"),
        ("models", ", ".join(entry.models) or "any"),
        ("may follow", versions),
        ("hardware", _hardware(entry)),
        ("destination", entry.destination or "any"),
        ("verification", entry.verification),
        ("added", f"{entry.added} by {entry.added_by or 'unknown'}"),
    ]
    for statement in catalogue.standing(entry.id).statements:
        said = ", ".join(f"{name} {value}" for name, value in statement.custom["says"].items())
        lines.append((statement.kind, f"by {statement.by} on {statement.date}: {said}"))
    lines += [("finding", text) for text in entry.findings]
    return [*lines, ("dormant", _dormant_line(_missing(entry, options, catalogue)))]


def _hardware(entry: Entry) -> str:
    if entry.hardware_minimum is None or entry.hardware_maximum is None:
        return "any"
    return f"0x{entry.hardware_minimum:04X} to 0x{entry.hardware_maximum:04X}"


def _entry_table(entry: Entry, options: argparse.Namespace, catalogue: Catalogue) -> dict[str, Any]:
    today, standing = now_of(options).date(), catalogue.standing(entry.id)
    return {
        **encode(entry),
        "statements": [statement.custom for statement in standing.statements],
        "grounds": encode(grounds(standing, Home("", entry.supplier, dormant=True), today)),
        "missing_for_dormant": _missing(entry, options, catalogue),
        "catalogue_root_sha256": catalogue.root_sha256,
    }


def _inspection_table(looked: Inspection) -> dict[str, Any]:
    header = looked.file.header
    return {
        "accepted": looked.accepted,
        "verdict": looked.verdict,
        "sha256": looked.sha256,
        "manufacturer_code": header.manufacturer_code,
        "image_type": header.image_type,
        "file_version": header.file_version,
        "total_size": header.total_size,
        "header_string": header.text,
        "destination": None if header.destination is None else format_eui64(header.destination),
        "elements": [_element_table(element) for element in looked.file.elements],
        "findings": [finding._asdict() for finding in looked.findings],
    }


def _element_table(element: OtaElement) -> dict[str, Any]:
    table: dict[str, Any] = {"tag": element.tag, "octets": len(element.data)}
    return {**table, "information": element.information.hex()} if element.information else table
