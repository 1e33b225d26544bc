"""The journal: the append-only, hash-chained, signed record of a campaign, and its proof."""

from harness.journal.canonical import Json, canonical_json
from harness.journal.effect import Effect
from harness.journal.entry import Clock, Entry, told
from harness.journal.entry_file import has_begun, is_as_made, lock_of, read_entries, read_last
from harness.journal.journal import Journal
from harness.journal.lock import FolderLock
from harness.journal.proof import JournalReport, verify_entries, verify_journal
from harness.journal.signing import campaign_key, fingerprint, key_from_seed, read_signing_key

__all__ = [
    "Clock",
    "Effect",
    "Entry",
    "FolderLock",
    "Journal",
    "JournalReport",
    "Json",
    "campaign_key",
    "canonical_json",
    "fingerprint",
    "has_begun",
    "is_as_made",
    "key_from_seed",
    "lock_of",
    "read_entries",
    "read_last",
    "read_signing_key",
    "told",
    "verify_entries",
    "verify_journal",
]
