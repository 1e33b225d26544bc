"""Rows of files that say how something came out: `Result`, `Placement`, `Obligation`."""

from __future__ import annotations

from collections.abc import Sequence

from harness.exchange.document import Document, Row, unix_seconds_of
from harness.facts.enrolment import Placement, PostCommissioningObligation
from harness.facts.terms import CertificateRole
from harness.regime.validation import Finding
from hw_profiles.installation import Authorisation, Supply


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


def failing_codes(document: Document) -> list[str]:
    """Return the codes of what did not pass, as the file gives them."""
    return [row["code"] for row in document.having("Result") if row["outcome"] == "fail"]


def device_passed(row: Row) -> bool:
    """Tell whether a row says that its device passed."""
    return row.get("device") is not None and row["outcome"] == "pass"


def placement_of(row: Row, certificates: Authorisation) -> Placement:
    """Return what a `Placement` row says; `certificates` tells why one that is not placed is not."""
    role, placed = CertificateRole(row["role"]), row["placed"] == "true"
    reason = row.get("warning") or ""
    if not placed:
        late = supply_of(role, certificates) is Supply.AFTER_CUT_OFF
        reason = "supplied after the cut-off" if late else "not supplied with the authorisation"
    return Placement(role, row["device"], placed, row.get("holder") or "", reason)


def supply_of(role: CertificateRole, certificates: Authorisation) -> Supply:
    """Return when the certificate of a role comes."""
    return {
        CertificateRole.SUPPLIER: certificates.supplier_certificates,
        CertificateRole.NETWORK_OPERATOR: certificates.dno_certificate,
        CertificateRole.GAS_TRANSPORTER: certificates.gt_certificate,
    }[role]


def obligation_of(row: Row) -> PostCommissioningObligation:
    """Return what an `Obligation` row says."""
    due = unix_seconds_of(row["due"])
    return PostCommissioningObligation(row["owner"], CertificateRole(row["role"]), row["device"], due)
