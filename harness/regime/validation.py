"""The order of validation as data (fact sheet 7.5): code, subject, fault owner, and what a retry takes.

Only GT01 is a code of the regime; the others are this project's.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.facts.terms import Retry


@dataclass(frozen=True, slots=True)
class Check:
    """One check."""

    code: str
    what: str
    owner: str
    retry: Retry


_RP, _CP, _SUPPLIER = "Requesting Party", "Commissioning Party", "Responsible Supplier"

CHECKS = (
    Check("V01", "transport and name", _RP, Retry.AUTOMATIC),
    Check("V02", "decryption", _RP, Retry.RESOLUTION),
    Check("V03", "schema", _RP, Retry.RESOLUTION),
    Check("V04", "signature and role", _RP, Retry.RESOLUTION),
    Check("V05", "replay and reference chain", _RP, Retry.RESOLUTION),
    Check("V06", "authorisation present, in date, from the registered supplier", _SUPPLIER, Retry.RESOLUTION),
    Check("V07", "identifiers: EUI-64, MPAN and MPRN", _SUPPLIER, Retry.RESOLUTION),
    Check("V08", "inventory: not commissioned already, not decommissioned", "DSP", Retry.NEVER),
    Check("V09", "eligible product combination", _RP, Retry.RESOLUTION),
    Check("V10", "not excluded", _SUPPLIER, Retry.NEVER),
    Check("V11", "capacity of the day", _CP, Retry.NEXT_DAY),
    Check("V12", "secrets complete", "SMSO", Retry.NEVER),
    Check("V13", "hub reachable over the WAN", "SMSO", Retry.AUTOMATIC),
    Check("V14", "every HAN device answers", "S1SP", Retry.AUTOMATIC),
    Check("V15", "dual-control keys agree", "DCO", Retry.RESOLUTION),
    Check("K01", "every released device takes its new keys", "S1SP", Retry.RESOLUTION),
    Check("GT01", "the gas side of the HAN", "S1SP", Retry.AUTOMATIC),
    Check("W01", "network certificate's owner matches the MPAN's distributor", _SUPPLIER, Retry.RESOLUTION),
    Check("W02", "display answers", "S1SP", Retry.AUTOMATIC),
)

BY_CODE = {check.code: check for check in CHECKS}


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that did not pass, and for which device when it concerns one."""

    code: str
    text: str
    device: str = ""

    @property
    def check(self) -> Check:
        """The check behind the code."""
        return BY_CODE[self.code]
