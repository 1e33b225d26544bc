"""The signed files that the parties exchanged: each as it was published, and answering the one it names.

Nothing of the running campaign is used: the proof reads what a third party would be given. Certificates are
judged at the time each file says it was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from cryptography import x509

from harness.errors import CertificateError, FileRejectedError
from harness.evidence.finding import Finding, stated
from harness.evidence.record import Record
from harness.exchange.document import ANSWERS, FileKind
from harness.exchange.folder import ExchangeFolder
from harness.exchange.signature import SignedFile
from harness.facts import Fact, Outcome
from harness.facts.files import Published
from harness.journal import JournalReport
from harness.pki.authority import Usage
from harness.pki.directory import CertificateDirectory
from harness.pki.profile import Holder, check_authority, check_validity
from harness.run_folder import EXCHANGE_FOLDER, SMKI_FOLDER


def check_exchange(record: Record, journal: JournalReport) -> Iterator[Finding]:
    """Yield whether every file that the journal says was published is there and holds, and no other is."""
    folder = record.folder / EXCHANGE_FOLDER
    expected = published(record.facts)
    if not expected and not folder.exists():
        return
    try:
        directory = CertificateDirectory(record.folder / SMKI_FOLDER)
    except CertificateError as error:
        yield Finding(SMKI_FOLDER, False, str(error))
        return
    exchange, faults = ExchangeFolder(folder), list[str]()
    signed: dict[str, SignedFile] = {}
    for name in exchange.names():
        try:
            signed[name] = read_signed(exchange, directory, name)
        except (FileRejectedError, CertificateError, ValueError) as error:
            faults.append(f"{name}: {error}")
    if not journal.open_intents:
        faults += [f"{name}: not in the journal" for name in signed if name not in expected]
    faults += _unlike(expected, signed)
    for item in signed.values():
        faults += _answers(item, signed)
    yield from stated(
        EXCHANGE_FOLDER,
        faults,
        f"{len(signed)} signed files, each as published and answering the one it names",
    )


def published(facts: Sequence[Fact]) -> dict[str, str]:
    """Return SHA-256 by name of every file the journal says was published."""
    results = (fact.result for fact in facts if isinstance(fact, Outcome))
    return {result.name: result.sha256 for result in results if isinstance(result, Published)}


def _unlike(expected: Mapping[str, str], signed: Mapping[str, SignedFile]) -> Iterator[str]:
    for name, sha256 in expected.items():
        if name not in signed:
            yield f"{name}: in the journal, but missing or not valid"
        elif signed[name].sha256 != sha256:
            yield f"{name}: not the file that was published"


def read_signed(exchange: ExchangeFolder, directory: CertificateDirectory, name: str) -> SignedFile:
    """Read a file, judging its signer's certificate at the time of signing, which is inside the file."""
    seen: list[x509.Certificate] = []
    item = exchange.read(name, partial(_lookup, directory, seen))
    at = datetime.fromtimestamp(item.document.created_unix_seconds, UTC)
    check_validity(seen[0], at)
    check_authority(directory.issuing, directory.root, at)
    return item


def _lookup(
    directory: CertificateDirectory, seen: list[x509.Certificate], identifier: str
) -> tuple[x509.Certificate, Holder]:
    certificate = directory.lookup(identifier)
    seen.append(certificate)
    return directory.verified(identifier, certificate.not_valid_before_utc, Usage.SIGNING)


def _answers(item: SignedFile, signed: Mapping[str, SignedFile]) -> Iterator[str]:
    answers, kinds = item.document.answers, ANSWERS[item.document.kind]
    if item.document.kind is FileKind.AUTHORISATION and not answers:
        return
    if len(answers) != len(kinds):
        yield f"{item.name}: answers {len(answers)} files, expected {len(kinds)}"
        return
    for answer, kind in zip(answers, kinds, strict=True):
        other = signed.get(answer.name)
        if other is None or other.sha256 != answer.sha256 or other.document.kind is not kind:
            yield f"{item.name}: answers a {kind.prefix} that is not {answer.name}"
