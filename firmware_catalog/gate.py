"""The gate of a dormant home: which image may go there, on whose word, and what is missing where it may not.

Pure functions of what a verified catalogue says. A dormant meter gets only firmware that its own Installing Supplier
provides, or that the DCC has adopted, with evidence of use in the field and the approval of somebody else. A waiver is
a signed statement of the catalogue that names the home; what it lifts is recorded with the reason.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from firmware_catalog.parties import supplier_role
from firmware_catalog.records import Entry
from firmware_catalog.standing import Standing
from firmware_catalog.statements import Evidence, Requirement, Statement, Waiver, Withdrawal


class Home(NamedTuple):
    """A home as images are admitted to it: its MPAN, and its Installing Supplier as the installation names it."""

    mpan: str
    supplier: str
    dormant: bool


class Lack(NamedTuple):
    """One requirement that is not met, None for a withdrawal, which nobody can waive."""

    requirement: Requirement | None
    text: str


@dataclass(frozen=True, slots=True)
class Grounds:
    """On whose word an image goes to a dormant home; texts are empty where a waiver stands in their place.

    Digests are those of the signed statements. `waived` names each requirement lifted, by whom and why.
    """

    supplier: str
    evidence: str
    evidence_sha256: str
    approver: str
    approval_sha256: str
    adopted_by: str = ""
    waived: tuple[str, ...] = ()
    waiver_sha256: tuple[str, ...] = ()


def withdrawn(standing: Standing, today: datetime.date) -> str | None:
    """Say why an image is to be used no more, or None; that holds for every home."""
    statement = standing.withdrawal(today)
    if statement is None:
        return None
    assert isinstance(statement.says, Withdrawal)
    return f"withdrawn by {statement.by} on {statement.date}: {statement.says.reason}"


def lacks(standing: Standing, home: Home, today: datetime.date) -> tuple[Lack, ...]:
    """Return what an image lacks for a home, waivers counted; a home that is not dormant asks only that it is not
    withdrawn.
    """
    waived = standing.waivers(home.mpan, today)
    return tuple(lack for lack in _lacks(standing, home, today) if lack.requirement not in waived)


def grounds(standing: Standing, home: Home, today: datetime.date) -> Grounds:
    """Return on whose word an image goes to a home, for the record."""
    supplier = supplier_role(home.supplier)
    providers = standing.providers(supplier, today) or standing.entries
    evidence = standing.evidence(supplier, today)
    approval, adoption = standing.approval(today), standing.adoption(today)
    own = any(entry.path.startswith(f"{supplier}/") for entry in providers)
    waivers = standing.waivers(home.mpan, today)
    return Grounds(
        supplier=providers[0].supplier if providers else "",
        evidence="" if evidence is None else _told(evidence),
        evidence_sha256="" if evidence is None else evidence.sha256,
        approver="" if approval is None else approval.by,
        approval_sha256="" if approval is None else approval.sha256,
        adopted_by="" if own or adoption is None else adoption.by,
        waived=tuple(_waived(requirement, each) for requirement, each in sorted(waivers.items())),
        waiver_sha256=tuple(sorted({each.sha256 for each in waivers.values()})),
    )


def entry_for(standing: Standing, home: Home, today: datetime.date) -> Entry | None:
    """Return the record that binds an image in a home: its supplier's, the adopted one, or any there is."""
    return next(iter(standing.providers(supplier_role(home.supplier), today) or standing.entries), None)


def _lacks(standing: Standing, home: Home, today: datetime.date) -> Iterator[Lack]:
    if (why := withdrawn(standing, today)) is not None:
        yield Lack(None, why)
    if not home.dormant:
        return
    supplier = supplier_role(home.supplier)
    if not standing.providers(supplier, today):
        yield Lack(Requirement.PROVIDER, _stranger(standing, home))
    if standing.evidence(supplier, today) is None:
        yield Lack(Requirement.EVIDENCE, _no_evidence(standing, today))
    if standing.approval(today) is None:
        yield Lack(Requirement.APPROVAL, "nobody other than its provider has approved it")


def _stranger(standing: Standing, home: Home) -> str:
    wanted = f"the home's Installing Supplier, {home.supplier}"
    if not standing.entries:
        return f"not in the catalogue: neither {wanted}, nor anybody else provides it"
    others = ", ".join(dict.fromkeys(entry.supplier for entry in standing.entries))
    return f"provided by {others}, not by {wanted}, and the DCC has not adopted it"


def _no_evidence(standing: Standing, today: datetime.date) -> str:
    for each in standing.statements:
        if isinstance(each.says, Evidence) and (missing := each.says.missing(today)):
            return f"its evidence of prior field use lacks {', '.join(missing)}"
    others = dict.fromkeys(each.by for each in standing.statements if isinstance(each.says, Evidence))
    if others:
        return f"no evidence of prior field use that counts: {', '.join(others)} may not vouch for it here"
    return "no evidence of prior field use is known"


def _told(statement: Statement) -> str:
    assert isinstance(statement.says, Evidence)
    return f"{statement.says.told}, says {statement.by}"


def _waived(requirement: Requirement, statement: Statement) -> str:
    assert isinstance(statement.says, Waiver)
    return f"{requirement} waived by {statement.by}: {statement.says.reason}"
