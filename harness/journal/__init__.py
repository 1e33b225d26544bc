"""The journal: the append-only, hash-chained, signed record of a campaign, and its proof."""

from harness.journal.canonical import Details, Json, canonical_json
from harness.journal.effect import Effect
from harness.journal.entry import Clock, Entry, Kind, Status
from harness.journal.entry_file import has_begun, read_entries, read_last
from harness.journal.journal import Journal
from harness.journal.lock import FolderLock
from harness.journal.proof import JournalReport, verify_entries, verify_journal
from harness.journal.signing import key_from_seed

__all__ = [
    "Clock",
    "Details",
    "Effect",
    "Entry",
    "FolderLock",
    "Journal",
    "JournalReport",
    "Json",
    "Kind",
    "Status",
    "canonical_json",
    "has_begun",
    "key_from_seed",
    "read_entries",
    "read_last",
    "verify_entries",
    "verify_journal",
]
