"""Rows of files that say how something came out: `Result`, `Placement`, `Obligation`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from harness.exchange.document import Document, Row
from harness.facts.enrolment import Placement, PostCommissioningObligation
from harness.facts.terms import CertificateRole
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


def placement_of(row: Row) -> Placement:
    """Return what a `Placement` row says."""
    placed = row["placed"] == "true"
    holder, warning = row.get("holder") or "", row.get("warning") or ""
    return Placement(CertificateRole(row["role"]), row["device"], placed, holder, warning)


def obligation_of(row: Row) -> PostCommissioningObligation:
    """Return what an `Obligation` row says."""
    due = int(datetime.fromisoformat(row["due"].replace("Z", "+00:00")).timestamp())
    return PostCommissioningObligation(row["owner"], CertificateRole(row["role"]), row["device"], due)
