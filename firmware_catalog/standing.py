"""What the parties of a catalogue say of one image, and which of it counts for one home."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from firmware_catalog.parties import PartyKind, kind_of
from firmware_catalog.records import Entry
from firmware_catalog.statements import (
    Adoption,
    Approval,
    Evidence,
    Requirement,
    Statement,
    Waiver,
    Withdrawal,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """The entries under which an image is provided and the statements about it.

    `keys` are the public keys of every party by role: whoever signs with a provider's key is no other than the
    provider, whatever he is called.
    """

    image: str
    entries: tuple[Entry, ...] = ()
    statements: tuple[Statement, ...] = ()
    keys: Mapping[str, frozenset[str]] | None = None

    def providers(self, supplier: str, today: datetime.date) -> tuple[Entry, ...]:
        """Return the entries that count for a home whose Installing Supplier has the role `supplier`: its own or,
        where the DCC has adopted the image, anybody's.
        """
        own = tuple(entry for entry in self.entries if _role(entry) == supplier)
        return own or (self.entries if self.adoption(today) is not None else ())

    def adoption(self, today: datetime.date) -> Statement | None:
        """Return the DCC's adoption of the image, when it has come into force."""
        found = (each for each in self._holding(today) if isinstance(each.says, Adoption))
        return next((each for each in found if self._is_independent(each)), None)

    def evidence(self, supplier: str, today: datetime.date) -> Statement | None:
        """Return evidence of use that counts: complete, and from whoever may provide the image or a voucher."""
        trusted = {_role(entry) for entry in self.providers(supplier, today)}
        for each in self._holding(today):
            mine = each.role in trusted or kind_of(each.role) is PartyKind.VOUCHER
            if isinstance(each.says, Evidence) and mine and not each.says.missing(today):
                return each
        return None

    def approval(self, today: datetime.date) -> Statement | None:
        """Return an approval by somebody other than whoever provides the image."""
        found = (each for each in self._holding(today) if isinstance(each.says, Approval))
        return next((each for each in found if self._is_independent(each)), None)

    def withdrawal(self, today: datetime.date) -> Statement | None:
        """Return the withdrawal of the image by one of its providers, an approver or the DCC."""
        providers = {_role(entry) for entry in self.entries}
        for each in self._holding(today):
            entitled = kind_of(each.role) is not PartyKind.SUPPLIER or each.role in providers
            if isinstance(each.says, Withdrawal) and entitled:
                return each
        return None

    def waivers(self, home: str, today: datetime.date) -> Mapping[Requirement, Statement]:
        """Return what is waived for the installation `home`, an MPAN, and by which statement."""
        lifted: dict[Requirement, Statement] = {}
        for each in self._holding(today):
            if (
                isinstance(each.says, Waiver)
                and each.says.installation == home
                and self._is_independent(each)
            ):
                for requirement in each.says.lifts:
                    lifted.setdefault(requirement, each)
        return lifted

    def _holding(self, today: datetime.date) -> Iterator[Statement]:
        return (each for each in self.statements if each.image == self.image and each.holds(today))

    def _is_independent(self, statement: Statement) -> bool:
        keys = self.keys or {}
        own = keys.get(statement.role, frozenset())
        provider = frozenset[str]().union(*(keys.get(_role(entry), frozenset()) for entry in self.entries))
        return bool(own) and not own & provider


def _role(entry: Entry) -> str:
    return entry.path.partition("/")[0]
