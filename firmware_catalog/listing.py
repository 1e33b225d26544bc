"""What a verified catalogue holds: images and statements read from its targets, and what is said of each image."""

from __future__ import annotations

from collections import defaultdict

from tuf.api.metadata import TargetFile  # type: ignore[attr-defined]

from firmware_catalog.errors import CatalogError
from firmware_catalog.parties import STATEMENTS, supplier_role
from firmware_catalog.records import Entry, from_custom
from firmware_catalog.standing import Standing
from firmware_catalog.statements import Statement, read_statement
from firmware_catalog.trusted import TrustedView


class Listing:
    """The entries and statements of a verified reading; raises `CatalogError` for one that is malformed."""

    def __init__(self, view: TrustedView) -> None:
        self.view = view
        self._targets = {target.path: target for target in view.all_targets()}
        entries, statements = [], []
        for target in self._targets.values():
            if _is_statement(target.path):
                statements.append(read_statement(target.path, target.hashes.get("sha256"), target.custom))
            else:
                entries.append(_entry(target))
        self.entries = tuple(entries)
        self.statements = tuple(statements)
        self._provided: defaultdict[str, list[Entry]] = defaultdict(list)
        self._said: defaultdict[str, list[Statement]] = defaultdict(list)
        for entry in entries:
            self._provided[entry.id].append(entry)
        for statement in statements:
            self._said[statement.image].append(statement)
        self._keys = {role: view.keys(role) for role in view.delegated if "." not in role}

    def target(self, path: str) -> TargetFile:
        """Return the signed target of an entry or statement."""
        return self._targets[path]

    def standing(self, sha256: str) -> Standing:
        """Return what is said of an image; nothing, for one that is not here."""
        entries, said = self._provided.get(sha256, ()), self._said.get(sha256, ())
        return Standing(sha256, tuple(entries), tuple(said), self._keys)


def _is_statement(path: str) -> bool:
    return path.split("/")[1] == STATEMENTS


def _entry(target: TargetFile) -> Entry:
    entry = from_custom(target.path, target.hashes.get("sha256"), target.length, target.custom)
    role, code = target.path.split("/")[:2]
    if supplier_role(entry.supplier) != role:
        raise CatalogError(
            f"catalogue entry {entry.path}: supplier = {entry.supplier!r}: expected the supplier of role {role}; "
            "it must sign in its own name"
        )
    if f"{entry.manufacturer_code:04x}" != code:
        raise CatalogError(
            f"catalogue entry {entry.path}: manufacturer_code = 0x{entry.manufacturer_code:04X}: expected 0x{code}, "
            "for which its role signs"
        )
    return entry
