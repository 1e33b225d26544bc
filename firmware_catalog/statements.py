"""What parties say of an image: evidence of its use, approval, adoption, withdrawal, a waiver for one installation.

Each is a small document, a target of the party's own role: its octets are the canonical JSON of the target's
`custom`, so that the digest under which it is signed, kept and journalled is that of the statement itself.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from securesystemslib.formats import encode_canonical

from firmware_catalog.errors import CatalogError
from firmware_catalog.parties import STATEMENTS, PartyKind, kind_of, role_of
from firmware_catalog.records import IsoDate, Text, read_signed
from hw_profiles.bounds import Pattern, Range, Sha256
from hw_profiles.records import Json, encode


class StatementKind(StrEnum):
    """What a statement is."""

    EVIDENCE = "evidence"
    APPROVAL = "approval"
    ADOPTION = "adoption"
    WITHDRAWAL = "withdrawal"
    WAIVER = "waiver"


class Requirement(StrEnum):
    """What a waiver may lift for one installation; nothing lifts a withdrawal or what the device itself demands."""

    PROVIDER = "provider"
    EVIDENCE = "evidence"
    APPROVAL = "approval"
    FROM_VERSIONS = "from-versions"


@dataclass(frozen=True, slots=True)
class Evidence:
    """That an image is already used in the field ("known/used"): what shows it, since when, where, on how many
    devices; `document_sha256` is the digest of the document referred to, when there is one.
    """

    reference: Text
    since: Annotated[str, IsoDate()]
    where: Text
    count: Annotated[int, Range(1, 1_000_000_000)]
    document_sha256: Sha256 | None = None

    def missing(self, today: datetime.date) -> list[str]:
        """List what a dormant meter's image still needs; empty when the evidence is complete."""
        return list(self._missing(today))

    def _missing(self, today: datetime.date) -> Iterator[str]:
        if not self.reference.strip():
            yield "a reference"
        if datetime.date.fromisoformat(self.since) > today:
            yield f"a date of use that is past ({self.since} is after {today})"
        if not self.where.strip():
            yield "where it was used"

    @property
    def told(self) -> str:
        """The evidence in one line."""
        return f"{self.reference}: {self.count} devices since {self.since}, {self.where}"


@dataclass(frozen=True, slots=True)
class Approval:
    """That somebody other than the provider has looked at an image and its evidence, and where that is written."""

    reference: Text


@dataclass(frozen=True, slots=True)
class Adoption:
    """That the DCC takes an image for installations whose own Installing Supplier does not provide it."""

    reason: Text


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """That an image is to be used no more, from the statement's date."""

    reason: Text


@dataclass(frozen=True, slots=True)
class Waiver:
    """That requirements are lifted for one installation (its MPAN), until a date included, and why."""

    installation: Annotated[str, Pattern(r"[0-9]{13}", "an MPAN of 13 digits")]
    lifts: tuple[Requirement, ...]
    until: Annotated[str, IsoDate()]
    reason: Text


Said = Evidence | Approval | Adoption | Withdrawal | Waiver
_RECORDS: Mapping[StatementKind, type[Said]] = {
    StatementKind.EVIDENCE: Evidence,
    StatementKind.APPROVAL: Approval,
    StatementKind.ADOPTION: Adoption,
    StatementKind.WITHDRAWAL: Withdrawal,
    StatementKind.WAIVER: Waiver,
}
_MAY_SAY: Mapping[StatementKind, tuple[PartyKind, ...]] = {
    StatementKind.EVIDENCE: (PartyKind.SUPPLIER, PartyKind.VOUCHER),
    StatementKind.APPROVAL: (PartyKind.APPROVER, PartyKind.DCC),
    StatementKind.ADOPTION: (PartyKind.DCC,),
    StatementKind.WITHDRAWAL: (PartyKind.SUPPLIER, PartyKind.APPROVER, PartyKind.DCC),
    StatementKind.WAIVER: (PartyKind.APPROVER, PartyKind.DCC),
}


@dataclass(frozen=True, slots=True)
class _Envelope:
    """What every statement begins with."""

    statement: StatementKind
    by: Text
    image: Sha256
    date: Annotated[str, IsoDate()]
    says: Json


@dataclass(frozen=True, slots=True)
class Statement:
    """What the party called `by`, of role `role`, says of the image with that SHA-256, dated `date` (ISO)."""

    role: str
    by: str
    image: str
    date: str
    says: Said

    @property
    def kind(self) -> StatementKind:
        """What kind of statement it is."""
        return next(kind for kind, record in _RECORDS.items() if type(self.says) is record)

    @property
    def octets(self) -> bytes:
        """The document: canonical JSON."""
        return canonical(self.custom)

    @property
    def sha256(self) -> str:
        """The digest under which it is signed."""
        return hashlib.sha256(self.octets).hexdigest()

    @property
    def custom(self) -> dict[str, Any]:
        """The statement as JSON, which is also the custom part of its target's metadata."""
        return {
            "statement": str(self.kind),
            "by": self.by,
            "image": self.image,
            "date": self.date,
            "says": encode(self.says, sparse=True),
        }

    @property
    def path(self) -> str:
        """Its target path: one of each kind an image, a party and, for waivers, an installation."""
        home = f"-{self.says.installation}" if isinstance(self.says, Waiver) else ""
        return f"{self.role}/{STATEMENTS}/{self.kind}-{self.image[:16]}{home}.json"

    def holds(self, today: datetime.date) -> bool:
        """Say whether it counts at `today`: its date has come and, for a waiver, it has not run out."""
        if datetime.date.fromisoformat(self.date) > today:
            return False
        return not isinstance(self.says, Waiver) or today <= datetime.date.fromisoformat(self.says.until)


def canonical(value: Mapping[str, Any]) -> bytes:
    """Return canonical JSON, the form that TUF metadata is signed in."""
    text = encode_canonical(dict(value))
    assert text is not None, "only a caller's own sink takes the text away"
    return bytes(text, "utf-8")


def make_statement(kind: PartyKind, by: str, image: str, date: datetime.date, says: Said) -> Statement:
    """Return a statement to be signed, as it will be read again; raises `CatalogError` naming the field."""
    made = Statement(role_of(kind, by), by, image, date.isoformat(), says)
    read_signed(type(says), encode(says), f"catalogue statement {made.path}")
    return read_statement(made.path, made.sha256, made.custom)


def read_statement(path: str, sha256: object, custom: object) -> Statement:
    """Return the statement that target metadata describes.

    Raises `CatalogError`, naming the target and the field, for anything that is not of our making.
    """
    source = f"catalogue statement {path if path.isprintable() else repr(path)}"
    read = read_signed(_Envelope, custom, source)
    says = read_signed(_RECORDS[read.statement], read.says, source)
    role = path.partition("/")[0]
    if kind_of(role) not in _MAY_SAY[read.statement]:
        raise CatalogError(f"{source}: {read.statement}: not for a party of kind {kind_of(role)} to say")
    if role_of(kind_of(role), read.by) != role:
        raise CatalogError(
            f"{source}: by = {read.by!r}: expected the party of role {role}; it must sign in its own name"
        )
    statement = Statement(role, read.by, read.image, read.date, says)
    if statement.path != path:
        raise CatalogError(f"{source}: expected at {statement.path}, where such a statement belongs")
    if statement.sha256 != sha256:
        raise CatalogError(
            f"{source}: signed under SHA-256 {sha256}, but its own is {statement.sha256}; its party must sign it again"
        )
    return statement
