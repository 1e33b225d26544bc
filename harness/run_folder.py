"""Names of what lies in a run folder."""

from __future__ import annotations

JOURNAL_FILE = "journal.sqlite"
REPORT_JSON_FILE = "report.json"
REPORT_HTML_FILE = "report.html"
CAPTURE_FILE = "capture.pcapng"
EXCHANGE_FOLDER = "exchange"
"""The signed files that parties exchange."""
SMKI_FOLDER = "smki"
"""Certificates of every party."""
PARTIES_FOLDER = "parties"
"""Each party's own keys and state."""
