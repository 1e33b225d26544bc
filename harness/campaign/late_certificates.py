"""Certificates that come after the cut-off: placed later, one by one, as Service Request 6.15.1 would.

SMETS1 devices hold no DCC certificates; what changes is the record the DSP keeps for them (fact sheet, DCC migration).
Each one placed ends the obligation that the commissioning outcome laid on the supplier.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from emulator.eui64 import format_eui64, parse_eui64
from harness.campaign.context import Context
from harness.journal import Journal, Kind
from harness.pki.profile import holder_of
from harness.regime.case import EnrolmentCase, EnrolmentResult, Placement, PostCommissioningObligation
from harness.regime.lifecycle import State
from harness.regime.world import Regime
from hw_profiles.installation import Supply

UPDATE_CREDENTIALS = "update-credentials"
"""Journal action of one certificate placed after commissioning."""
_HOUR_US = 3_600_000_000


async def place_late_certificates(
    context: Context, regime: Regime, case: EnrolmentCase, result: EnrolmentResult
) -> EnrolmentResult:
    """Wait for the cut-off, place what the supplier supplies after it, and return the result without that debt."""
    late = [item for item in result.obligations if _supply(case, item.role) is Supply.AFTER_CUT_OFF]
    if not late:
        return result
    await _after_cut_off(context, regime, case)
    placed = {(item.role, item.device): _place(context.journal, regime, item) for item in late}
    return replace(
        result,
        placements=tuple(placed.get((item.role, item.device), item) for item in result.placements),
        obligations=tuple(item for item in result.obligations if (item.role, item.device) not in placed),
    )


def _supply(case: EnrolmentCase, role: str) -> Supply:
    certificates = case.certificates
    return {
        "supplier": certificates.supplier_certificates,
        "DNO": certificates.dno_certificate,
        "GT": certificates.gt_certificate,
    }[role]


async def _after_cut_off(context: Context, regime: Regime, case: EnrolmentCase) -> None:
    scheduled_us = max(
        (
            entry.time_us
            for entry in context.journal.entries(Kind.DECISION)
            if entry.action == "transition" and entry.details["to"] == str(State.MIGRATION_SCHEDULED)
        ),
        default=0,
    )
    cut_off_us = scheduled_us + regime.office.parameters.certificate_cut_off_hours * _HOUR_US
    left_us = cut_off_us - context.journal.last.time_us
    if case.dormant and left_us > 0:
        await asyncio.sleep(left_us / 1_000_000)


def _place(journal: Journal, regime: Regime, item: PostCommissioningObligation) -> Placement:
    certificate = regime.certificates()[item.role]
    holder = format_eui64(holder_of(regime.office.directory.lookup(certificate)).eui64)
    key = f"{UPDATE_CREDENTIALS}/{item.device}/{item.role}"
    if journal.done(key) is None:
        details = {"role": item.role, "certificate": certificate, "holder": holder}
        with journal.effect(item.device, UPDATE_CREDENTIALS, dict(details), key=key) as effect:
            regime.dsp.update_credentials(parse_eui64(item.device), {item.role: certificate})
            regime.responsible_supplier.discharge(item.role, item.device)
            effect.done({"role": item.role, "holder": holder})
    return Placement(item.role, item.device, placed=True, holder=holder)
