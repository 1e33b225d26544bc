"""Proof of a whole run folder: journal, exchanged files, control of the devices, and the report.

Nothing of the running campaign is used: the proof reads what a third party would be given. Certificates are
judged at the time each file says it was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from harness.errors import CertificateError, FileRejectedError, HarnessError
from harness.exchange.document import ANSWERS, FileKind
from harness.exchange.folder import ExchangeFolder
from harness.exchange.signature import SignedFile
from harness.facts import Kind, Outcome, Status
from harness.facts.enrolment import CommissioningOf
from harness.facts.files import Published
from harness.facts.firmware import Activation
from harness.journal import Entry, JournalReport, read_entries, told, verify_entries
from harness.pki.authority import Usage
from harness.pki.directory import CertificateDirectory
from harness.pki.profile import Holder, check_authority, check_validity
from harness.regime.control import OLD_CONTROLLER, ControlReport, check_control
from harness.report.model import CampaignReport, DeviceReport
from harness.run_folder import EXCHANGE_FOLDER, JOURNAL_FILE, REPORT_JSON_FILE, SMKI_FOLDER


@dataclass(slots=True)
class RunProof:
    """What the proof of a run folder found; `faults` is empty when everything holds."""

    journal: JournalReport
    control: ControlReport
    files: int = 0
    report_checked: bool = False
    faults: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """True when journal, files, control and report all hold."""
        return not self.faults


def prove_run(folder: Path, *, journal_file: str = JOURNAL_FILE) -> RunProof:
    """Prove a run folder; raises `JournalError` only when there is no readable journal."""
    entries = read_entries(folder / journal_file)
    proof = RunProof(verify_entries(entries), check_control(entries))
    proof.faults += [f"journal: {fault}" for fault in proof.journal.faults]
    proof.faults += [f"control: {fault}" for fault in proof.control.faults]
    _verify_files(folder, entries, proof)
    _verify_report(folder, entries, proof)
    return proof


def published(entries: Sequence[Entry]) -> dict[str, str]:
    """Return SHA-256 by name of every file the journal says was published."""
    files = (entry.fact for entry in entries if entry.kind is Kind.OUTCOME)
    return {
        fact.result.name: fact.result.sha256
        for fact in files
        if isinstance(fact, Outcome) and isinstance(fact.result, Published)
    }


def _verify_files(folder: Path, entries: Sequence[Entry], proof: RunProof) -> None:
    expected = published(entries)
    if not expected and not (folder / EXCHANGE_FOLDER).exists():
        return
    try:
        directory = CertificateDirectory(folder / SMKI_FOLDER)
    except HarnessError as error:
        proof.faults.append(f"files: {error}")
        return
    exchange = ExchangeFolder(folder / EXCHANGE_FOLDER)
    signed = _read_all(exchange, directory, proof)
    pending = [entry.key for entry in entries if entry.key in proof.journal.open_intents]
    for name in signed:
        if name not in expected and not pending:
            proof.faults.append(f"files: {name} is not in the journal")
    for name, sha256 in expected.items():
        if name not in signed:
            proof.faults.append(f"files: {name} is in the journal but missing or not valid")
        elif signed[name].sha256 != sha256:
            proof.faults.append(f"files: {name} is not the file that was published")
    for item in signed.values():
        _verify_answers(item, signed, proof)
    proof.files = len(signed)


def _read_all(
    exchange: ExchangeFolder, directory: CertificateDirectory, proof: RunProof
) -> dict[str, SignedFile]:
    signed: dict[str, SignedFile] = {}
    for name in exchange.names():
        seen: list[x509.Certificate] = []

        def lookup(identifier: str, seen: list[x509.Certificate] = seen) -> tuple[x509.Certificate, Holder]:
            # The time of signing is inside the file: read it first, then judge the certificate at that time.
            certificate = directory.lookup(identifier)
            seen.append(certificate)
            return directory.verified(identifier, certificate.not_valid_before_utc, Usage.SIGNING)

        try:
            item = exchange.read(name, lookup)
            at = datetime.fromtimestamp(item.document.created_unix_seconds, UTC)
            check_validity(seen[0], at)
            check_authority(directory.issuing, directory.root, at)
        except (FileRejectedError, CertificateError) as error:
            proof.faults.append(f"files: {error}")
        else:
            signed[name] = item
    return signed


def _verify_answers(item: SignedFile, signed: dict[str, SignedFile], proof: RunProof) -> None:
    answers, kinds = item.document.answers, ANSWERS[item.document.kind]
    if item.document.kind is FileKind.AUTHORISATION and not answers:
        return
    if len(answers) != len(kinds):
        proof.faults.append(f"files: {item.name} answers {len(answers)} files, expected {len(kinds)}")
        return
    for answer, kind in zip(answers, kinds, strict=True):
        other = signed.get(answer.name)
        if other is None or other.sha256 != answer.sha256 or other.document.kind is not kind:
            proof.faults.append(f"files: {item.name} answers a {kind.prefix} that is not {answer.name}")


def _verify_report(folder: Path, entries: Sequence[Entry], proof: RunProof) -> None:
    path = folder / REPORT_JSON_FILE
    if not path.exists():
        return
    try:
        report = CampaignReport.from_json(path.read_text("utf-8"))
    except (HarnessError, OSError, UnicodeDecodeError) as error:
        proof.faults.append(f"report: {error}")
        return
    proof.report_checked = True
    if report.journal_head != proof.journal.head:
        proof.faults.append("report: its journal head is not this journal's")
    if report.journal_entries != len(entries):
        proof.faults.append(f"report: {report.journal_entries} entries, the journal has {len(entries)}")
    files = published(entries)
    for item in report.files:
        if files.get(item.name) != item.sha256:
            proof.faults.append(f"report: {item.name} is not the file that was published")
    for device in report.devices:
        _verify_device(device, entries, proof)


def _done(entries: Sequence[Entry], key: str) -> bool:
    return any(entry.key == key and entry.status is Status.DONE for entry in entries)


def _activated(entries: Sequence[Entry], device: str, version: str) -> bool:
    """Whether an activation of the version displayed as `version` succeeded on `device`."""
    return any(
        act.subject == device and act.hop.display == version and _done(entries, act.key)
        for _, act in told(entries, Activation)
    )


def _verify_device(device: DeviceReport, entries: Sequence[Entry], proof: RunProof) -> None:
    name = device.eui64
    owner = proof.control.owners.get(name, OLD_CONTROLLER)
    if device.control_owner and device.control_owner != owner:
        proof.faults.append(f"report: {name} under {device.control_owner}, the journal says {owner}")
    commissioned = _done(entries, CommissioningOf.key_of(name))
    if (device.inventory_status == "Commissioned") is not commissioned:
        proof.faults.append(
            f"report: {name} is {device.inventory_status or 'without status'}, "
            f"the journal says {'commissioned' if commissioned else 'not commissioned'}"
        )
    before, after = device.version_before, device.version_after
    if after is not None and after != before and not _activated(entries, name, after):
        proof.faults.append(f"report: {name} runs {after}, but the journal has no activation of it")
