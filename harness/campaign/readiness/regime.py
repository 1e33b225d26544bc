"""The enrolment's own conditions: certificates by role and date, and the parties' addresses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from emulator.eui64 import format_eui64
from harness.campaign.readiness.finding import Finding
from harness.pki.authority import leaf_validity
from harness.regime.world import PARTY_ADDRESSES
from hw_profiles.identifiers import parse_eui64_text
from hw_profiles.installation import Installation, Supply


def check_regime(installation: Installation) -> Iterator[Finding]:
    """Yield what would keep the enrolment from its end, or end it wrongly, whatever the devices do."""
    yield from _certificates_supplied(installation)
    yield from _validity(installation)
    yield from _addresses(installation)


def _certificates_supplied(installation: Installation) -> Iterator[Finding]:
    supply = installation.record.authorisation.supplier_certificates
    if supply is not Supply.BEFORE_CUT_OFF:
        yield Finding(
            f"{installation.path}: authorisation.supplier_certificates",
            supply,
            f"{Supply.BEFORE_CUT_OFF}: without a certificate of the responsible supplier nothing can be commissioned",
            "ask the supplier for it",
        )


def _validity(installation: Installation) -> Iterator[Finding]:
    """The clock must stay inside the certificates' validity for as long as an enrolment may take."""
    start, enrolment = installation.record.start, installation.record.enrolment
    first, last = leaf_validity()
    days = (
        enrolment.firmware_notice_days
        + enrolment.authorisation_valid_days
        + enrolment.post_commissioning_days
    )
    latest = last - timedelta(days=days)
    if not first <= start <= latest:
        yield Finding(
            f"{installation.path}: start",
            start.isoformat(),
            f"a time from {first:%Y-%m-%d} to {latest:%Y-%m-%d}, so that every certificate is valid to the end",
            f"they are valid to {last:%Y-%m-%d}, and an enrolment may take {days} days",
        )


def _addresses(installation: Installation) -> Iterator[Finding]:
    """A supplier that has the address of somebody else would hold certificates of two roles."""
    taken = {number: f"the {name}" for name, number in PARTY_ADDRESSES.items()}
    taken |= {entry.address: f"the device {entry.name}" for entry in installation.record.devices}
    suppliers = installation.record.suppliers
    for key, text in (("responsible", suppliers.responsible), ("installing", suppliers.installing)):
        number = parse_eui64_text(text)
        if number in taken:
            yield Finding(
                f"{installation.path}: suppliers.{key}",
                format_eui64(number),
                f"the EUI-64 of a supplier; this one is that of {taken[number]}",
                "correct it",
            )
