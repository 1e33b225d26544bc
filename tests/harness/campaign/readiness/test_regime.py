"""Certificates, the clock and addresses, checked before a device has been upgraded for an enrolment that cannot be."""

from __future__ import annotations

import pytest

from harness.campaign.readiness.finding import Weight
from tests.harness.campaign.readiness.conftest import Check

AUTHORITY = """
[[firmware_authorities]]
suite = 1
issuer = "52-45-48-45-41-52-46-57"
public_key = "{}"
signers = ["00-DB-12-34-56-78-9F-01"]
"""
KNOWN = "03002dcf2fe32dff6cb307e5e34c766b9371144486cc"
SIGNERS = 'signers = ["00-DB-12-34-56-78-9F-01"]\nrehearsal = true\n'


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'supplier_certificates = "before-cut-off"',
            'supplier_certificates = "never"',
            "authorisation.supplier_certificates = never: expected before-cut-off",
        ),
        (
            'supplier_certificates = "before-cut-off"',
            'supplier_certificates = "after-cut-off"',
            "authorisation.supplier_certificates = after-cut-off: expected before-cut-off",
        ),
        ("2026-03-02T08:00:00Z", "2024-12-31T23:59:59Z", "expected a time from 2025-01-01 to 2034-09-"),
        ("2026-03-02T08:00:00Z", "2034-12-01T00:00:00Z", "an enrolment may take 104 days"),
        (
            'responsible = "90-B3-D5-1F-30-01-00-00"',
            'responsible = "90-B3-D5-1F-30-02-00-00"',
            "is that of the DNO",
        ),
        (
            'installing = "90-B3-D5-1F-30-03-00-00"',
            'installing = "00-DB-12-34-56-78-90-A2"',
            "of the device gas",
        ),
        (
            SIGNERS,
            SIGNERS + AUTHORITY.format(KNOWN),
            "each issuer once a suite",
        ),
        (
            SIGNERS,
            SIGNERS + AUTHORITY.format("02ffffffffffffffffffffffffffffffffffffffffff"),
            "a point of the suite's",
        ),
    ],
)
def test_what_an_enrolment_cannot_end_with_is_refused(check: Check, old: str, new: str, says: str) -> None:
    lines = [finding.line for finding in check((old, new)).of(Weight.REFUSED)]
    assert any(says in line for line in lines), lines


def test_network_certificates_that_come_late_are_no_obstacle(check: Check) -> None:
    late = ('gt_certificate = "never"', 'gt_certificate = "after-cut-off"')
    assert check(late).findings == ()
