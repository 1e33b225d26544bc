"""Certificates that come after the cut-off: placed later, one by one, as Service Request 6.15.1 would.

SMETS1 devices hold no DCC certificates; what changes is the record the DSP keeps for them (fact sheet, DCC migration).
Each one placed ends the obligation that the commissioning outcome laid on the supplier.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from emulator.eui64 import format_eui64, parse_eui64
from harness.campaign.context import Context
from harness.facts import Kind
from harness.facts.enrolment import (
    CredentialsUpdate,
    EnrolmentResult,
    LateCertificatePlaced,
    Placement,
    PostCommissioningObligation,
    Transition,
)
from harness.facts.terms import State
from harness.journal import Journal, told
from harness.pki.profile import holder_of
from harness.regime.case import EnrolmentCase
from harness.regime.result_rows import supply_of
from harness.regime.world import Regime
from hw_profiles.installation import Supply

_HOUR_US = 3_600_000_000


async def place_late_certificates(
    context: Context, regime: Regime, case: EnrolmentCase, result: EnrolmentResult
) -> EnrolmentResult:
    """Wait for the cut-off, place what the supplier supplies after it, and return the result without that debt."""
    late = [
        item for item in result.obligations if supply_of(item.role, case.certificates) is Supply.AFTER_CUT_OFF
    ]
    if not late:
        return result
    await _after_cut_off(context, regime, case)
    placed = {(item.role, item.device): _place(context.journal, regime, item) for item in late}
    return replace(
        result,
        placements=tuple(placed.get((item.role, item.device), item) for item in result.placements),
        obligations=tuple(item for item in result.obligations if (item.role, item.device) not in placed),
    )


async def _after_cut_off(context: Context, regime: Regime, case: EnrolmentCase) -> None:
    scheduled_us = max(
        (
            entry.time_us
            for entry, transition in told(context.journal.entries(Kind.DECISION), Transition)
            if transition.to is State.MIGRATION_SCHEDULED
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
    update = CredentialsUpdate(item.device, item.role, certificate, holder)
    if journal.done(update.key) is None:
        with journal.effect(update) as effect:
            regime.dsp.update_credentials(parse_eui64(item.device), {item.role: certificate})
            regime.responsible_supplier.discharge(item.role, item.device)
            effect.done(LateCertificatePlaced(item.role, holder))
    return Placement(item.role, item.device, placed=True, holder=holder)
