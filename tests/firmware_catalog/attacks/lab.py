"""What an attack on a catalogue is, the catalogue it is made on, and mutants of the code that stops it."""

from __future__ import annotations
import __future__

import datetime
import inspect
import json
import shutil
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from emulator.smart_energy.ota.file import OtaElement, OtaHeader, OtaTag, build, pack
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.errors import CatalogError
from firmware_catalog.gate import Home, lacks
from firmware_catalog.parties import PartyKind
from firmware_catalog.provision import Image
from firmware_catalog.records import Claims
from firmware_catalog.statements import Approval, Evidence, Said, Statement, make_statement
from tests.firmware_catalog.forger import Forger, Json

NOW = datetime.datetime(2026, 3, 1, tzinfo=UTC)
PAST, LATER = "2026-02-01T00:00:00Z", datetime.date(2026, 4, 1)
SEED = "published"
MPAN = "1400001234565"
USED = Evidence("Field record 17", "2019-03-01", "East Midlands", 41_000)
A, B, BOARD = "supplier-a", "supplier-b", "approver-board"
A_IMAGES, B_IMAGES = f"{A}.1002", f"{B}.1002"
VERSIONS = {"A": 0x01020000, "B": 0x03000000}


class Mutant(NamedTuple):
    """A function in which a passage is replaced: what protects from the attack is taken out."""

    owner: Any
    function: str
    passage: str
    instead: str


@contextmanager
def applied(mutants: Sequence[Mutant]) -> Iterator[None]:
    """Put mutants in the places of their functions; those of one function are one."""
    together: dict[tuple[Any, str], list[Mutant]] = {}
    for mutant in mutants:
        together.setdefault((mutant.owner, mutant.function), []).append(mutant)
    with ExitStack() as patches:
        for (owner, function), each in together.items():
            patches.enter_context(patch.object(owner, function, _mutated(owner, function, each)))
        yield


def _mutated(owner: Any, function: str, mutants: Sequence[Mutant]) -> Any:
    original = inspect.getattr_static(owner, function)
    source = textwrap.dedent(inspect.getsource(original))
    for mutant in mutants:
        assert mutant.passage in source, f"{function} has no {mutant.passage!r}: nothing is taken out"
        source = source.replace(mutant.passage, mutant.instead)
    code = compile(source, function, "exec", flags=__future__.annotations.compiler_flag)
    made: dict[str, Any] = {}
    exec(code, original.__globals__, made)
    return made[function]


@dataclass(frozen=True)
class Attack:
    """An attack: `run` makes it and reads, which raises `CatalogError` with `words` where it is stopped.

    Against its mutants it succeeds; with `again` it is stopped once more further on, in other words.
    """

    name: str
    run: Callable[[Lab], object]
    words: str
    mutants: tuple[Mutant, ...]
    again: bool = False


def image(supplier: str) -> bytes:
    """Return the octets of a supplier's image."""
    header = OtaHeader(0x1002, 0x0E01, VERSIONS[supplier])
    return pack(build(header, (OtaElement(OtaTag.UPGRADE_IMAGE, b"firmware"),)))


@cache
def pristine() -> Path:
    """Make a catalogue once: an image of each of two suppliers, vouched for and approved."""
    folder = Path(tempfile.mkdtemp(prefix="attacks-"))
    made = Catalogue.create(folder / "catalogue", now=NOW, seed=SEED)
    parties = {"A": PartyKind.SUPPLIER, "B": PartyKind.SUPPLIER}
    parties |= {"Board": PartyKind.APPROVER, "V": PartyKind.VOUCHER, "DCC": PartyKind.DCC}
    for name, kind in parties.items():
        made.stage_party(kind, name)
    for name in VERSIONS:
        path = folder / f"{name}.ota"
        path.write_bytes(image(name))
        id = made.stage_image(Image.read(path), name, Claims()).id
        made.stage_statement(PartyKind.SUPPLIER, name, id, USED)
        made.stage_statement(PartyKind.APPROVER, "Board", id, Approval("Minute 1"))
    made.publish()
    return folder


class Lab:
    """A copy of the catalogue, whoever holds its keys, and a reader who remembers."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "catalogue"
        self.memory = folder / "memory"
        shutil.copytree(pristine() / "catalogue", self.home)
        self.forger = Forger(self.home, SEED)
        self.metadata = self.home / "metadata"

    def see(self) -> Lab:
        """Let the reader see the catalogue as it is, and remember it."""
        Catalogue.open(self.home, now=NOW, memory=self.memory)
        return self

    def read(self, pin: str | None = None) -> Catalogue:
        """Read everything, as the reader does; raises `CatalogError`."""
        opened = Catalogue.open(self.home, now=NOW, memory=self.memory, root_sha256=pin)
        opened.check_stored()
        return opened

    def admit(self, supplier: str = "A", home: str = "A") -> None:
        """Ask the gate of a dormant home, whose supplier is `home`, for a supplier's image; raises `CatalogError`."""
        opened = self.read()
        id = next(entry.id for entry in opened.list() if entry.supplier == supplier)
        found = lacks(opened.standing(id), Home(MPAN, home, True), NOW.date())
        if found:
            raise CatalogError("; ".join(lack.text for lack in found))

    def id(self, supplier: str = "A") -> str:
        """Return the digest of a supplier's image."""
        return Image.read(pristine() / f"{supplier}.ota").sha256

    def state(self, kind: PartyKind, by: str, says: Said, date: datetime.date | None = None) -> None:
        """Let a party say something of A's image."""
        self.put(make_statement(kind, by, self.id(), date or NOW.date(), says))

    def put(self, made: Statement, by: Sequence[str] = ()) -> None:
        """Let whoever holds the keys of a statement's role sign it, whether or not that role may say so."""
        role = made.role
        path = self.home / "targets" / role / "statements" / f"{made.sha256}.{made.path.rpartition('/')[2]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.octets)
        target = {"length": len(made.octets), "hashes": {"sha256": made.sha256}, "custom": made.custom}
        self.forger.role(role, lambda signed: signed["targets"].update({made.path: target}), by=by)

    def forget(self, role: str, kind: str) -> None:
        """Let a role say nothing of a kind of A's image any more."""
        path = f"{role}/statements/{kind}-{self.id()[:16]}.json"
        self.forger.role(role, lambda signed: signed["targets"].pop(path))

    def stored(self, supplier: str = "A") -> Path:
        """Return where a supplier's image lies."""
        return next((self.home / "targets" / f"supplier-{supplier.lower()}" / "1002").iterdir())

    def document(self, name: str) -> Json:
        """Return a metadata file with its signatures."""
        document: Json = json.loads((self.metadata / name).read_bytes())
        return document

    def replace(self, name: str, change: Callable[[Json], object]) -> None:
        """Change the signed part of a metadata file and sign it again with the role's own keys: same name, other
        octets.
        """
        signed = self.forger.signed(name)
        change(signed)
        self.forger.write(name, signed, self.forger.names(name.split(".", 1)[1].removesuffix(".json")))

    def delegate(
        self, above: str, name: str, change: Callable[[Json], object], keys: Sequence[str] = ("x",)
    ) -> None:
        """Let the role `above` delegate to a role of any name, with metadata that is signed and published."""

        def delegated(signed: Json) -> None:
            there = signed.setdefault("delegations", {"keys": {}, "roles": []})
            for key in keys:
                public = self.forger.signer(key).public_key
                there["keys"][public.keyid] = public.to_dict()
            keyids = [self.forger.signer(key).public_key.keyid for key in keys]
            role = {"name": name, "keyids": keyids, "threshold": 1, "terminating": True, "paths": ["*/*/*"]}
            there["roles"].append(role)

        version = self.forger.changed(above, delegated)
        signed = {"_type": "targets", "spec_version": "1.0.31", "version": 1, "targets": {}}
        signed["expires"] = "2036-01-01T00:00:00Z"
        change(signed)
        (self.metadata / f"1.{name}.json").parent.mkdir(parents=True, exist_ok=True)
        self.forger.write(f"1.{name}.json", signed, keys)
        self.forger.publish({above: version, name: 1})
