"""Who speaks in a catalogue: parties, the roles they sign as, and the namespace of each.

A party is a delegated role of the TUF repository with keys of its own. What it says lies below its role's name and
nowhere else; a supplier delegates the images of each manufacturer further, to a role of that manufacturer.
"""

from __future__ import annotations

from enum import StrEnum
from re import fullmatch, sub

from firmware_catalog.errors import CatalogError

_SLUG = r"[a-z0-9]+(?:-[a-z0-9]+)*"
STATEMENTS = "statements"
"""The folder of a party's signed documents, beside those of manufacturer codes."""


class PartyKind(StrEnum):
    """What a party is in a catalogue for."""

    SUPPLIER = "supplier"
    """An Installing Supplier: provides images, and may vouch for their use in the field."""
    VOUCHER = "voucher"
    """Somebody else who vouches for use in the field, as a manufacturer or the operator of an estate."""
    APPROVER = "approver"
    """Approves images that others provide, and may waive a requirement for one installation."""
    DCC = "dcc"
    """Adopts images for installations whose Installing Supplier does not provide them; approves like an approver."""


def role_of(kind: PartyKind, name: str) -> str:
    """Return the role of a party: its kind and its name in lower case, words joined by hyphens.

    Raises `CatalogError` for a name without letters and digits, or with more than 60.
    """
    slug = sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not 1 <= len(slug) <= 60:
        raise CatalogError(f"{kind} {name!r}: expected a name or EUI-64 of 1 to 60 letters and digits")
    return f"{kind}-{slug}"


def supplier_role(supplier: str) -> str:
    """Return the role of an Installing Supplier; raises `CatalogError` as `role_of` does."""
    return role_of(PartyKind.SUPPLIER, supplier)


def manufacturer_role(supplier: str, code: int) -> str:
    """Return the role that signs the images of a manufacturer code for the supplier of role `supplier`."""
    return f"{supplier}.{code:04x}"


def party_of(role: str) -> str:
    """Return the role of the party that a role belongs to: a manufacturer's belongs to its supplier's."""
    return role.partition(".")[0]


def kind_of(role: str) -> PartyKind:
    """Return the kind of party behind a valid role."""
    return PartyKind(role.partition("-")[0])


def is_party(role: str) -> bool:
    """Say whether top-level targets may delegate to a role of this name."""
    kinds = "|".join(PartyKind)
    return len(role) <= 70 and fullmatch(rf"(?:{kinds})-{_SLUG}", role) is not None


def is_manufacturer_of(role: str, supplier: str) -> bool:
    """Say whether the role `supplier` may delegate to a role of this name."""
    return (
        kind_of(supplier) is PartyKind.SUPPLIER and fullmatch(rf"{supplier}\.[0-9a-f]{{4}}", role) is not None
    )


def namespace(role: str) -> str:
    """Return the pattern of the target paths that a valid role may be delegated."""
    party, parted, code = role.partition(".")
    return f"{party}/{code}/*" if parted else f"{party}/*/*"


def owns(role: str, path: str) -> bool:
    """Say whether a target path is one that a valid role itself may list."""
    party, parted, code = role.partition(".")
    folder = code if parted else STATEMENTS
    return fullmatch(rf"{party}/{folder}/[A-Za-z0-9_-][A-Za-z0-9._-]{{0,119}}", path) is not None
