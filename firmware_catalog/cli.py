"""`smets1 catalog`: add, list, show, check, withdraw, refresh."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from emulator.eui64 import format_eui64
from emulator.smart_energy.ota.file import OtaElement
from firmware_catalog.catalogue import Catalogue, keys_folder
from firmware_catalog.errors import CatalogError
from firmware_catalog.files import DOCUMENT_LIMIT, read_octets
from firmware_catalog.inspection import Inspection, inspect, inspect_file
from firmware_catalog.memory import state_folder
from firmware_catalog.records import Entry, Evidence
from firmware_catalog.repository import Access
from firmware_catalog.signing import Keys
from firmware_catalog.withdrawal import withdraw

CATALOGUE_VARIABLE = "SMETS1_CATALOGUE"

_OVERVIEW = """\
A catalogue keeps firmware images with what is known of them: who supplied them, which versions they may
follow, and the evidence that they are already used in the field. A dormant meter is given no other image.
It is a signed folder: nobody can alter an image, hide a newer one, or bring an old state back unnoticed.

examples:
  smets1 catalog check meter.ota
  smets1 catalog add meter.ota --supplier 90-B3-D5-1F-30-03-00-00 --model secure-liberty-100 \\
      --from-version 0x00000003 --evidence "Field record 17" --evidence-date 2019-03-01 \\
      --evidence-where "Active estate, East Midlands" --evidence-count 41000
  smets1 catalog list
  smets1 catalog show 7549a1eb

The catalogue is --catalogue DIR, else $SMETS1_CATALOGUE, else ./catalogue. `add` creates it, with its keys in
DIR.keys: keep that folder private, and move root-*.pem off the machine.

An installation pins its catalogue by the digest that `add` and `show` print as root: write it into
installation.toml as catalogue_root_sha256. What was seen of a catalogue is kept under $XDG_STATE_HOME (by
default ~/.local/state), so that an older state of it is refused later.

exit status: 0 done (check: all accepted), 1 check: something refused, 2 bad input (check: something that
cannot be read), 3 the folder cannot be written
"""


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `catalog` and its sub-commands; each sets `handler`."""
    parser = subparsers.add_parser(
        "catalog",
        help="keep the firmware images and the evidence of their field use",
        description=_OVERVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(
        title="actions", metavar="ACTION", required=True, parser_class=type(parser)
    )
    _register_add(_action(actions, "add", "add an image, or say more of one", _add))
    _action(actions, "list", "list the images", _list)
    show = _action(actions, "show", "show all that is known of one image", _show)
    show.add_argument("id", metavar="ID", help="the first 8 or more digits of its SHA-256, as `list` prints")
    check = _action(actions, "check", "look into OTA files without adding them", _check)
    check.add_argument(
        "files", metavar="FILE", type=Path, nargs="*", help="the OTA files; none: those of the catalogue"
    )
    withdraw = _action(actions, "withdraw", "take an image out, also one with a wrong record", _withdraw)
    withdraw.add_argument(
        "id", metavar="ID", help="8 or more digits of its SHA-256, or its path: supplier-a/..."
    )
    _action(actions, "refresh", "sign the catalogue's freshness again before it expires", _refresh)


def _action(
    actions: argparse._SubParsersAction[Any],
    name: str,
    summary: str,
    handler: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=summary, description=f"{summary}.")
    parser.set_defaults(handler=handler)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--catalogue", metavar="DIR", type=Path, help=f"default ${CATALOGUE_VARIABLE}, else ./catalogue"
    )
    parser.add_argument("--keys", metavar="DIR", type=Path, help="its signing keys; default CATALOGUE.keys")
    parser.add_argument(
        "--at", metavar="TIME", type=_time, help="the reference time, as 2026-03-02T08:00Z; default now"
    )
    return parser


def _register_add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="the OTA file, unmodified")
    parser.add_argument(
        "--supplier", required=True, metavar="ID", help="the Installing Supplier that provides the image"
    )
    parser.add_argument(
        "--model", action="append", default=[], metavar="MODEL", help="a model it is for; may be repeated"
    )
    parser.add_argument(
        "--from-version",
        action="append",
        default=[],
        type=_version,
        metavar="VERSION",
        help="an OTA version it may follow, as 0x01020000; may be repeated; none means any",
    )
    evidence = parser.add_argument_group("evidence of prior field use (a dormant meter needs all four)")
    evidence.add_argument("--evidence", metavar="TEXT", help="what shows it: a record, a letter, a report")
    evidence.add_argument("--evidence-date", metavar="DATE", type=_date, help="the day it speaks of")
    evidence.add_argument("--evidence-where", metavar="TEXT", help="the estate or place")
    evidence.add_argument("--evidence-count", metavar="N", type=int, help="how many devices ran it")
    evidence.add_argument(
        "--evidence-document", metavar="FILE", type=Path, help="a document whose SHA-256 is kept"
    )


def _add(options: argparse.Namespace) -> int:
    path, now = _path(options), _now(options)
    evidence = _evidence(options)
    if (reason := inspect_file(options.file).refused_because) is not None:
        raise CatalogError(f"{options.file}: {reason}")
    if (path / "metadata" / "timestamp.json").exists():
        catalogue = _open(options, now)
    else:
        catalogue = Catalogue.create(path, now=now, keys=options.keys, memory=state_folder(os.environ))
    entry = catalogue.add(
        options.file,
        options.supplier,
        evidence=evidence,
        models=options.model,
        from_versions=options.from_version,
        added_by=os.environ.get("LOGNAME") or os.environ.get("USER") or "",
    )
    if options.json:
        return _print_json(_entry_table(entry, now, catalogue))
    print(f"added {entry.id[:12]}  {entry.identity}  {entry.octets} octets  to {path}")
    for line in (*entry.findings, _dormant_line(entry, now)):
        print(f"  {line}")
    print(f"  root {catalogue.root_sha256}: pin it in installation.toml as catalogue_root_sha256")
    return 0


def _open(options: argparse.Namespace, now: datetime) -> Catalogue:
    return Catalogue.open(_path(options), now=now, keys=options.keys, memory=state_folder(os.environ))


def _evidence(options: argparse.Namespace) -> Evidence | None:
    details = (
        options.evidence_date,
        options.evidence_where,
        options.evidence_count,
        options.evidence_document,
    )
    if options.evidence is None:
        if any(detail is not None for detail in details):
            raise CatalogError("--evidence-...: expected --evidence TEXT as well, saying what shows the use")
        return None
    if options.evidence_count is not None and options.evidence_count < 1:
        raise CatalogError(f"--evidence-count {options.evidence_count}: expected 1 or more devices")
    digest = None
    if options.evidence_document is not None:
        digest = hashlib.sha256(read_octets(options.evidence_document, DOCUMENT_LIMIT)).hexdigest()
    return Evidence(
        options.evidence, options.evidence_date, options.evidence_where, options.evidence_count, digest
    )


def _list(options: argparse.Namespace) -> int:
    now = _now(options)
    catalogue = _open(options, now)
    entries = catalogue.list()
    if options.json:
        return _print_json([_entry_table(entry, now, catalogue) for entry in entries])
    if not entries:
        print("the catalogue is empty; add an image with `smets1 catalog add FILE --supplier ID`")
    for entry in entries:
        models = ", ".join(entry.models) or "any model"
        dormant = (
            "known/used"
            if not _missing(entry, now)
            else "no evidence"
            if entry.evidence is None
            else "partial"
        )
        print(
            f"{entry.id[:12]}  {entry.identity}  {entry.octets:>8}  {dormant:<11}  {models}  {entry.supplier}"
        )
    return 0


def _show(options: argparse.Namespace) -> int:
    now = _now(options)
    catalogue = _open(options, now)
    entry = catalogue.show(options.id)
    catalogue.fetch(entry.id)
    if options.json:
        return _print_json(_entry_table(entry, now, catalogue))
    for name, value in (*_entry_lines(entry, now), ("root", catalogue.root_sha256)):
        print(f"{name:<14} {value}")
    return 0


class _Looked(NamedTuple):
    """One file that `check` was asked about: what was seen in it, or why nothing was."""

    name: str
    inspection: Inspection | None
    fault: str = ""


def _check(options: argparse.Namespace) -> int:
    if options.files:
        looked = [_look(str(path), partial(inspect_file, path)) for path in options.files]
    else:
        catalogue = _open(options, _now(options))
        looked = [
            _look(f"{entry.id[:12]} {entry.file_name}", partial(_stored, catalogue, entry))
            for entry in catalogue.list()
        ]
    if options.json:
        tables = [_looked_table(item) for item in looked]
        _print_json(tables[0] if len(options.files) == 1 else tables)
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


def _withdraw(options: argparse.Namespace) -> int:
    path, keys = _path(options), Keys(folder=options.keys or keys_folder(_path(options)))
    access = Access(_now(options), keys, memory=state_folder(os.environ))
    taken = withdraw(path, options.id, access)
    if options.json:
        return _print_json({"catalogue": str(path), "withdrawn": taken})
    print(f"withdrew {taken}  from {path}")
    return 0


def _refresh(options: argparse.Namespace) -> int:
    path, now = _path(options), _now(options)
    catalogue = Catalogue.open_stale(path, now=now, keys=options.keys, memory=state_folder(os.environ))
    catalogue.refresh()
    if options.json:
        return _print_json({"catalogue": str(path), "refreshed": now.isoformat()})
    print(f"refreshed {path}")
    return 0


def _path(options: argparse.Namespace) -> Path:
    chosen: Path | None = options.catalogue
    return chosen or Path(os.environ.get(CATALOGUE_VARIABLE, "catalogue"))


def _now(options: argparse.Namespace) -> datetime:
    chosen: datetime | None = options.at
    return chosen or datetime.now(UTC)


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a time such as 2026-03-02T08:00Z") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a date such as 2019-03-01") from error


def _version(text: str) -> int:
    try:
        version = int(text, 0)
    except ValueError:
        version = -1
    if not 0 <= version <= 0xFFFF_FFFF:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a 32-bit OTA version such as 0x01020000")
    return version


def _missing(entry: Entry, now: datetime) -> list[str]:
    return ["evidence of prior field use"] if entry.evidence is None else entry.evidence.missing(now.date())


def _dormant_line(entry: Entry, now: datetime) -> str:
    missing = _missing(entry, now)
    if not missing:
        return "may go to a dormant meter: its evidence of prior field use is complete"
    return (
        f"may not go to a dormant meter yet: {', '.join(missing)} missing; add it again with --evidence ..."
    )


def _entry_lines(entry: Entry, now: datetime) -> list[tuple[str, str]]:
    versions = ", ".join(f"0x{version:08X}" for version in entry.from_versions) or "any"
    lines = [
        ("id", entry.id),
        ("image", f"{entry.identity}  {entry.image_octets} octets  {entry.header_text!r}"),
        ("file", f"{entry.file_name}, {entry.octets} octets"),
        ("supplier", entry.supplier),
        ("models", ", ".join(entry.models) or "any"),
        ("may follow", versions),
        ("hardware", _hardware(entry)),
        ("destination", entry.destination or "any"),
        ("added", f"{entry.added} by {entry.added_by or 'unknown'}"),
    ]
    if entry.evidence is not None:
        claim = entry.evidence
        count, where = claim.count or "unknown number of", claim.where or "place not given"
        used = f"{count} devices, {where}, {claim.date or 'date not given'}"
        lines += [("evidence", claim.reference), ("", used)]
        if claim.document_sha256:
            lines.append(("", f"document SHA-256 {claim.document_sha256}"))
    lines += [("finding", text) for text in entry.findings]
    return [*lines, ("dormant", _dormant_line(entry, now))]


def _hardware(entry: Entry) -> str:
    if entry.hardware_minimum is None or entry.hardware_maximum is None:
        return "any"
    return f"0x{entry.hardware_minimum:04X} to 0x{entry.hardware_maximum:04X}"


def _entry_table(entry: Entry, now: datetime, catalogue: Catalogue) -> dict[str, Any]:
    return {
        **asdict(entry),
        "missing_for_dormant": _missing(entry, now),
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


def _print_json(value: dict[str, Any] | Sequence[dict[str, Any]]) -> int:
    print(json.dumps(value, indent=2))
    return 0
