"""What every party has: its own folder with keys and state, and the manners of exchanging files.

A party reads its own folder, the public certificate directory and the exchange folder, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from emulator.devices.control import ControlRole
from emulator.eui64 import format_eui64
from harness.errors import FileRejectedError, JournalError
from harness.exchange.document import ANSWERS, Answer, Document, FileKind
from harness.exchange.folder import ExchangeFolder
from harness.exchange.signature import SignedFile
from harness.files import make_run_folder, write_atomically
from harness.journal import Clock, Json, canonical_json
from harness.pki.authority import Credential, Secret, Usage
from harness.pki.directory import CertificateDirectory
from harness.pki.profile import Holder
from harness.regime.control_keys import ControlKeys, HeldKey
from harness.regime.parameters import RegimeParameters
from hw_profiles.errors import FileRefusedError
from hw_profiles.regular_file import TEXT_LIMIT, read_regular_file

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Office:
    """The public surroundings of all parties."""

    exchange: ExchangeFolder
    directory: CertificateDirectory
    clock: Clock
    parameters: RegimeParameters

    @property
    def unix_seconds(self) -> int:
        """The time of the scenario in whole Unix seconds."""
        return self.clock.unix_us // 1_000_000


class Party:
    """A party of the regime, with its private folder."""

    name = "party"

    def __init__(self, office: Office, folder: Path, eui64: int, secret: Secret) -> None:
        """Open the party's folder, reading what it knew before; `secret` makes its keys and nobody else's."""
        make_run_folder(folder)
        self.office = office
        self.folder = folder
        self.eui64 = eui64
        self._secret = secret
        self._credentials: dict[str, Credential] = {}
        self._rings: dict[ControlRole, dict[int, HeldKey]] = {}
        self.state: dict[str, Json] = self._load()

    # Keys and state

    def _load(self) -> dict[str, Json]:
        path = self.folder / "state.json"
        if not path.exists():
            return {}
        try:
            state = json.loads(read_regular_file(path, TEXT_LIMIT))
        except (FileRefusedError, RecursionError, ValueError) as error:
            raise self._damaged(path, error) from error
        if not isinstance(state, dict) or not all(isinstance(table, dict) for table in state.values()):
            raise self._damaged(path, "not a table of tables")
        return state

    def _damaged(self, path: Path, what: object) -> JournalError:
        return JournalError(f"state of {self.name} {path}: {what}; restore it or start a new run")

    def save(self) -> None:
        """Write the state durably."""
        for role, held in self._rings.items():
            self.state[_ring_name(role)] = {
                format_eui64(eui64): key.to_json() for eui64, key in sorted(held.items())
            }
        write_atomically(self.folder / "state.json", canonical_json(self.state).encode(), private=True)

    def install(self, label: str, credential: Credential) -> None:
        """Keep a credential under `label`, in the party's own folder."""
        pem = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_atomically(self.folder / f"{label}.key.pem", pem, private=True)
        certificate = credential.certificate.public_bytes(Encoding.PEM)
        write_atomically(self.folder / f"{label}.pem", certificate)

    def credential(self, label: str) -> Credential:
        """Return one of the party's own credentials; raises `JournalError` for files that are none."""
        if label not in self._credentials:
            certificate = self._pem(f"{label}.pem", x509.load_pem_x509_certificate)
            key = self._pem(f"{label}.key.pem", lambda octets: load_pem_private_key(octets, None))
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise self._damaged(self.folder / f"{label}.key.pem", "not a key on an elliptic curve")
            self._credentials[label] = Credential(certificate, key)
        return self._credentials[label]

    def _pem(self, name: str, read: Callable[[bytes], T]) -> T:
        path = self.folder / name
        try:
            return read(read_regular_file(path, TEXT_LIMIT))
        except (FileRefusedError, TypeError, ValueError, UnsupportedAlgorithm) as error:
            raise self._damaged(path, error) from error

    def has_credential(self, label: str) -> bool:
        """Whether the party holds a credential of this label."""
        return (self.folder / f"{label}.key.pem").exists() and (self.folder / f"{label}.pem").exists()

    def control_keys(self, role: ControlRole) -> ControlKeys:
        """Return the party's control keys of a role."""
        if role not in self._rings:
            stored = self.state.get(_ring_name(role), {})
            assert isinstance(stored, dict)
            self._rings[role] = {
                int(name.replace("-", ""), 16): HeldKey.from_json(value)
                for name, value in stored.items()
                if isinstance(value, dict)
            }
        return ControlKeys(role, self._rings[role], self.save, self._secret)

    def table(self, name: str) -> dict[str, Json]:
        """Return a mapping inside the state, made when absent; call `save` after changing it."""
        value = self.state.setdefault(name, {})
        assert isinstance(value, dict)
        return value

    # Files

    @property
    def address(self) -> str:
        """The party's EUI-64 as text."""
        return format_eui64(self.eui64)

    def next_counter(self, kind: FileKind) -> int:
        """Return the counter of the next file of a kind."""
        return int(str(self.table("sent").get(kind.prefix, 0))) + 1

    def publish(self, name: str, document: Document) -> Answer:
        """Sign a document and put it in the exchange folder."""
        answer = self.office.exchange.publish(name, document, self.credential("signing"))
        self._note_sent(document)
        return answer

    def adopt(self, name: str, kind: FileKind) -> Answer:
        """Own up to a file that a killed run published: its counter is used, whether or not that was noted."""
        signed = self.read(name, kind)
        self._note_sent(signed.document)
        return Answer(name, signed.sha256)

    def _note_sent(self, document: Document) -> None:
        sent, prefix = self.table("sent"), document.kind.prefix
        sent[prefix] = max(document.counter, int(str(sent.get(prefix, 0))))
        self.save()

    def receive(self, name: str, kind: FileKind) -> Document:
        """Read a file meant for this party, checking all of V01 to V05; raises `FileRejectedError`."""
        signed = self.read(name, kind)
        self._check_answers(signed)
        self._check_replay(signed)
        return signed.document

    def read(self, name: str, kind: FileKind) -> SignedFile:
        """Read a file and check name, schema, signature and role."""
        signed = self.office.exchange.read(name, self._signing_certificate)
        if signed.document.kind is not kind:
            raise FileRejectedError(
                "V05", f"{name} is a {signed.document.kind.prefix}, expected {kind.prefix}"
            )
        return signed

    def _signing_certificate(self, identifier: str) -> tuple[x509.Certificate, Holder]:
        at = datetime.fromtimestamp(self.office.unix_seconds, UTC)
        return self.office.directory.verified(identifier, at, Usage.SIGNING)

    def _check_answers(self, signed: SignedFile) -> None:
        document = signed.document
        expected: Sequence[FileKind] = ANSWERS[document.kind]
        if document.kind is FileKind.AUTHORISATION and not document.answers:
            return  # An active installation is authorised without being asked.
        if len(document.answers) != len(expected):
            raise FileRejectedError(
                "V05", f"{signed.name} answers {len(document.answers)} files, expected {len(expected)}"
            )
        for answer, kind in zip(document.answers, expected, strict=True):
            other = self.read(answer.name, kind)
            same = (other.document.installation, other.document.attempt)
            if other.sha256 != answer.sha256 or same != (document.installation, document.attempt):
                raise FileRejectedError(
                    "V05", f"{signed.name} does not answer the {answer.name} that is here"
                )

    def _check_replay(self, signed: SignedFile) -> None:
        document = signed.document
        received = self.table("received")
        place = f"{document.kind.prefix}/{document.sender}"
        last = received.get(place)
        if isinstance(last, dict):
            if last["sha256"] == signed.sha256:
                return
            if document.counter <= int(str(last["counter"])):
                raise FileRejectedError(
                    "V05",
                    f"{signed.name}: counter {document.counter} is not above {last['counter']}: a replay",
                )
        received[place] = {"counter": document.counter, "sha256": signed.sha256}
        self.save()


def _ring_name(role: ControlRole) -> str:
    return "critical_keys" if role is ControlRole.CRITICAL else "non_critical_keys"
