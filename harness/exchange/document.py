"""The migration files as records, and their XML form (`migration.xsd`).

The regime's own schema is not public, so the format is this project's; the kinds of file, who sends them
and what they answer follow the fact sheet, section 1.5. A document is a header, the hashes of the files it
answers, and rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from harness.errors import FileRejectedError
from harness.pki.roles import RemotePartyRole

NAMESPACE = "urn:smets1-han:migration:1"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
_NAMESPACES: dict[Any, str] = {None: NAMESPACE}
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_SCHEMA_FILE = Path(__file__).with_name("migration.xsd")


class FileKind(Enum):
    """A kind of file: its root element, the prefix of its name, and the role that signs it."""

    FIRMWARE_SCHEDULE = (
        "DormantFirmwareUpgradeSchedule",
        "DFS",
        RemotePartyRole.REQUESTING_PARTY_FILE_SIGNING,
    )
    MIGRATION_SCHEDULE = ("DormantMigrationSchedule", "DMS", RemotePartyRole.REQUESTING_PARTY_FILE_SIGNING)
    AUTHORISATION = ("MigrationAuthorisation", "MA", RemotePartyRole.SUPPLIER_XML_SIGNING)
    COMMON = ("MigrationCommonFile", "MCF", RemotePartyRole.REQUESTING_PARTY_FILE_SIGNING)
    VALIDATION = ("MigrationCommonValidationFile", "MCVF", RemotePartyRole.COMMISSIONING_PARTY_FILE_SIGNING)
    HANDOVER = ("SmsoHandoverFile", "SHF", RemotePartyRole.SMSO_FILE_SIGNING)
    GROUP = ("MigrationGroupFile", "MGF", RemotePartyRole.REQUESTING_PARTY_FILE_SIGNING)
    ENCRYPTED_S1SP = (
        "MigrationGroupEncryptedFile",
        "MGEF-S1SP",
        RemotePartyRole.REQUESTING_PARTY_FILE_SIGNING,
    )
    ENCRYPTED_DCO = ("MigrationGroupEncryptedFile", "MGEF-DCO", RemotePartyRole.REQUESTING_PARTY_FILE_SIGNING)
    VIABLE_S1SP = ("ViableInstallationsFile", "VIF-S1SP", RemotePartyRole.S1SP_FILE_SIGNING)
    VIABLE_DCO = ("ViableInstallationsFile", "VIF-DCO", RemotePartyRole.DCO_FILE_SIGNING)
    RELEASE = ("ControlReleaseFile", "CRF", RemotePartyRole.SMSO_FILE_SIGNING)
    COMMISSIONING_S1SP = ("CommissioningFile", "CF-S1SP", RemotePartyRole.S1SP_FILE_SIGNING)
    COMMISSIONING_DCO = ("CommissioningFile", "CF-DCO", RemotePartyRole.DCO_FILE_SIGNING)
    REQUEST = ("CommissioningRequest", "CRQ", RemotePartyRole.COMMISSIONING_PARTY_FILE_SIGNING)
    RESPONSE = ("CommissioningResponse", "CRS", RemotePartyRole.DSP_XML_SIGNING)
    OUTCOME = ("CommissioningOutcomeFile", "COF", RemotePartyRole.COMMISSIONING_PARTY_FILE_SIGNING)

    def __init__(self, element: str, prefix: str, signer: RemotePartyRole) -> None:
        self.element = element
        self.prefix = prefix
        self.signer = signer

    @classmethod
    def of_prefix(cls, prefix: str) -> FileKind:
        """Return the kind that a file's attribute `kind` names; raises `FileRejectedError`."""
        for kind in cls:
            if kind.prefix == prefix:
                return kind
        raise FileRejectedError("V03", f"file kind {prefix!r}: not one of {[kind.prefix for kind in cls]}")


ANSWERS: dict[FileKind, tuple[FileKind, ...]] = {
    FileKind.FIRMWARE_SCHEDULE: (),
    FileKind.MIGRATION_SCHEDULE: (),
    FileKind.AUTHORISATION: (FileKind.MIGRATION_SCHEDULE,),
    FileKind.COMMON: (FileKind.AUTHORISATION,),
    FileKind.VALIDATION: (FileKind.COMMON,),
    FileKind.HANDOVER: (FileKind.VALIDATION,),
    FileKind.GROUP: (FileKind.VALIDATION, FileKind.HANDOVER),
    FileKind.ENCRYPTED_S1SP: (FileKind.GROUP,),
    FileKind.ENCRYPTED_DCO: (FileKind.GROUP,),
    FileKind.VIABLE_S1SP: (FileKind.COMMON, FileKind.VALIDATION, FileKind.GROUP, FileKind.ENCRYPTED_S1SP),
    FileKind.VIABLE_DCO: (FileKind.COMMON, FileKind.VALIDATION, FileKind.GROUP, FileKind.ENCRYPTED_DCO),
    FileKind.RELEASE: (FileKind.VIABLE_S1SP, FileKind.VIABLE_DCO),
    FileKind.COMMISSIONING_S1SP: (FileKind.RELEASE, FileKind.VIABLE_S1SP),
    FileKind.COMMISSIONING_DCO: (FileKind.RELEASE, FileKind.VIABLE_DCO),
    FileKind.REQUEST: (FileKind.COMMISSIONING_S1SP, FileKind.COMMISSIONING_DCO),
    FileKind.RESPONSE: (FileKind.REQUEST,),
    FileKind.OUTCOME: (FileKind.COMMISSIONING_S1SP, FileKind.COMMISSIONING_DCO, FileKind.RESPONSE),
}
"""The reference chain. What the viable files answer is their sender's Required File Set."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A file that a document answers: its name and SHA-256 in hexadecimal."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a document: element name and attributes."""

    element: str
    values: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def get(self, name: str) -> str | None:
        """Return an optional attribute."""
        return self.values.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A migration file. `sender` is an EUI-64 as text; `counter` rises for each sender and kind."""

    kind: FileKind
    sender: str
    group_id: str
    installation: str
    attempt: int
    counter: int
    created_unix_seconds: int
    answers: tuple[Answer, ...] = ()
    rows: tuple[Row, ...] = ()

    def having(self, element: str) -> Iterator[Row]:
        """Yield the rows of one element name."""
        return (row for row in self.rows if row.element == element)


def utc(unix_seconds: int) -> str:
    """Return a time as the files write it."""
    return f"{datetime.fromtimestamp(unix_seconds, UTC):{_TIME}}"


def unix_seconds_of(text: str) -> int:
    """Return a time of a file in Unix seconds; raises `ValueError` for text that is none."""
    return int(datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp())


def to_xml(document: Document) -> etree._Element:
    """Return the unsigned root element of a document."""
    root = etree.Element(etree.QName(NAMESPACE, document.kind.element), nsmap=_NAMESPACES)
    root.set("kind", document.kind.prefix)
    root.set("sender", document.sender)
    root.set("groupId", document.group_id)
    root.set("installation", document.installation)
    root.set("attempt", str(document.attempt))
    root.set("counter", str(document.counter))
    root.set("created", utc(document.created_unix_seconds))
    for answer in document.answers:
        etree.SubElement(
            root, etree.QName(NAMESPACE, "Answers"), {"name": answer.name, "sha256": answer.sha256}
        )
    for row in document.rows:
        etree.SubElement(root, etree.QName(NAMESPACE, row.element), dict(row.values))
    etree.indent(root)
    return root


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(_SCHEMA_FILE)))


def check_schema(root: etree._Element, name: str) -> None:
    """Validate a root element, signed or not, against `migration.xsd`; raises `FileRejectedError`."""
    schema = _schema()
    if not schema.validate(root):
        log: Any = schema.error_log
        first = log[0]
        raise FileRejectedError("V03", f"{name} line {first.line}: {first.message}")


def from_xml(root: etree._Element, name: str) -> Document:
    """Read a document from its root element; raises `FileRejectedError` where it breaks the schema."""
    check_schema(root, name)
    kind = FileKind.of_prefix(root.get("kind", ""))
    if etree.QName(root).localname != kind.element:
        raise FileRejectedError("V03", f"{name}: kind {kind.prefix} in a {etree.QName(root).localname}")
    answers, rows = [], []
    for element in root:
        tag = etree.QName(element)
        if tag.namespace != NAMESPACE:
            continue
        if tag.localname == "Answers":
            answers.append(Answer(element.get("name", ""), element.get("sha256", "")))
        else:
            rows.append(Row(tag.localname, {str(key): str(value) for key, value in element.attrib.items()}))
    created = unix_seconds_of(root.get("created", "").strip())
    return Document(
        kind=kind,
        sender=root.get("sender", ""),
        group_id=root.get("groupId", ""),
        installation=root.get("installation", ""),
        attempt=int(root.get("attempt", "0")),
        counter=int(root.get("counter", "0")),
        created_unix_seconds=created,
        answers=tuple(answers),
        rows=tuple(rows),
    )
