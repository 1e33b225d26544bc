"""The `Result` rows of a file: whether the installation, and each device in it, passed."""

from __future__ import annotations

from collections.abc import Sequence

from harness.exchange.document import Document, Row
from harness.regime.validation import Finding


def result_rows(installation: str, findings: Sequence[Finding], device: str = "") -> list[Row]:
    """Return a row that says pass, or a failing row for each finding; about the installation without `device`."""
    about = {"installation": installation} | ({"device": device} if device else {})
    if not findings:
        return [Row("Result", {**about, "outcome": "pass"})]
    return [
        Row("Result", {**about, "outcome": "fail", "code": finding.code, "text": finding.text[:250]})
        for finding in findings
    ]


def passed(document: Document) -> bool:
    """Tell whether a file says that the installation passed; one that says nothing of it does not."""
    results = [row for row in document.having("Result") if row.get("device") is None]
    return bool(results) and all(row["outcome"] == "pass" for row in results)


def device_passed(row: Row) -> bool:
    """Tell whether a row says that its device passed."""
    return row.get("device") is not None and row["outcome"] == "pass"
