"""The report of a run folder, read."""

from __future__ import annotations

from pathlib import Path

from harness.errors import ReportError
from harness.report.model import CampaignReport
from harness.run_folder import REPORT_JSON_FILE
from hw_profiles.errors import FileRefusedError
from hw_profiles.regular_file import read_regular_file

_LIMIT = 256 * 1024 * 1024


def read_report(folder: Path) -> CampaignReport:
    """Read the report of a run folder (or a report file itself); raises `ReportError`."""
    path = folder / REPORT_JSON_FILE if folder.is_dir() else folder
    if not path.exists():
        raise ReportError(f"{path}: no report; finish the run with: smets1 run --resume {folder}")
    try:
        text = read_regular_file(path, _LIMIT).decode("utf-8")
    except FileRefusedError as error:
        raise ReportError(str(error)) from error
    except UnicodeDecodeError as error:
        raise ReportError(f"{path}: not UTF-8 at octet {error.start}; expected a report.json") from None
    try:
        return CampaignReport.from_json(text)
    except ReportError as error:
        raise ReportError(f"{path}: {error}") from error
