"""The installation's course against the lifecycle's table, and the work against the notice that was given of it.

A dormant installation's suppliers are told of work on it before it begins; what is transferred to one without that, or
before the notice has run out, is a fault.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.errors import RegimeError
from harness.evidence.exchanged import published, read_signed
from harness.evidence.finding import Finding, stated
from harness.evidence.record import Record
from harness.exchange.document import Document, FileKind
from harness.exchange.folder import ExchangeFolder
from harness.facts.enrolment import Transition
from harness.facts.firmware import Transfer
from harness.facts.terms import State
from harness.journal import told
from harness.pki.directory import CertificateDirectory
from harness.regime.lifecycle import advance
from harness.regime.notice import not_before
from harness.run_folder import EXCHANGE_FOLDER, SMKI_FOLDER
from hw_profiles.installation import Installation

_DAY_S = 86_400


def check_lifecycle(record: Record, installation: Installation) -> Iterator[Finding]:
    """Yield whether every move is one of the table's, and whether no work began before its notice was over."""
    moves = list(told(record.entries, Transition))
    faults = [*_off_the_table(record), *_before_the_notice(record, installation)]
    yield from stated("lifecycle", faults, f"{len(moves)} moves of the table, {_notice(installation)}")


def _off_the_table(record: Record) -> Iterator[str]:
    state = State.DISCOVERED
    for entry, move in told(record.entries, Transition):
        if move.origin is not state:
            yield f"entry {entry.sequence}: moves on from {move.origin}, and the installation stood at {state}"
        try:
            following = advance(move.origin, move.event)
        except RegimeError as error:
            yield f"entry {entry.sequence}: {error}"
        else:
            if move.to is not following:
                yield f"entry {entry.sequence}: {move.event} leads from {move.origin} to {following}, not {move.to}"
        state = move.to


def _notices(record: Record) -> Iterator[Document]:
    """Yield the signed notifications of work that the parties were given; none for a home without work."""
    names = [name for name in published(record.facts) if name.startswith(FileKind.FIRMWARE_SCHEDULE.prefix)]
    if names:
        directory = CertificateDirectory(record.folder / SMKI_FOLDER)
        exchange = ExchangeFolder(record.folder / EXCHANGE_FOLDER)
        yield from (read_signed(exchange, directory, name).document for name in names)


def _before_the_notice(record: Record, installation: Installation) -> Iterator[str]:
    if not installation.record.dormant:
        return
    begins: list[int] = []
    for notice in _notices(record):
        begins.append(not_before(notice))
        given_s = begins[-1] - notice.created_unix_seconds
        if given_s < installation.record.enrolment.firmware_notice_days * _DAY_S:
            yield f"the notice of work was given {given_s} s before it, too late"
    for entry, transfer in told(record.entries, Transfer):
        if not begins:
            yield f"entry {entry.sequence}: firmware for {transfer.subject} of which no supplier was given notice"
        elif entry.unix_us < max(begins) * 1_000_000:
            yield f"entry {entry.sequence}: firmware for {transfer.subject} before the notice of it was over"


def _notice(installation: Installation) -> str:
    if not installation.record.dormant:
        return "of an active home"
    return f"no firmware sent before {installation.record.enrolment.firmware_notice_days} days of notice"
