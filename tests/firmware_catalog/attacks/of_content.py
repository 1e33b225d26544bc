"""Attacks by parties and by whoever stores the files: delegations, namespaces, images, statements, and the gate."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import partial

from firmware_catalog import gate, listing, trusted
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.parties import PartyKind
from firmware_catalog.records import Entry
from firmware_catalog.standing import Standing
from firmware_catalog.statements import (
    Approval,
    Evidence,
    Requirement,
    Said,
    Statement,
    Waiver,
    Withdrawal,
    make_statement,
)
from tests.firmware_catalog.attacks.lab import (
    A_IMAGES,
    B_IMAGES,
    BOARD,
    LATER,
    MPAN,
    NOW,
    USED,
    A,
    Attack,
    Lab,
    Mutant,
    image,
)
from tests.firmware_catalog.attacks.of_metadata import DIFFERENT_KEYS, THRESHOLD
from tests.firmware_catalog.forger import Json

TODAY = NOW.date()
NAME = Mutant(trusted, "_roles", "if not allowed:", "if False:")
BELOW = Mutant(trusted, "_targets", "if below_that := ", "if False and ")
HASH_BINS = Mutant(
    trusted,
    "_roles",
    "if listed.delegations.roles is None:",
    "if listed.delegations.roles is None:\n        return []\n    if 0:",
)
TOP = Mutant(trusted, "_targets", "if targets.targets:", "if False:")
OWN = Mutant(trusted, "_require_own_namespace", "not owns(role.name, path)", "False")
DELEGATED = Mutant(trusted, "_require_own_namespace", "not role.is_delegated_path(path)", "False")
OCTETS = Mutant(Catalogue, "_octets", "target.verify_length_and_hashes(data)", "pass")
BOUND = Mutant(Catalogue, "_octets", "min(limit, target.length)", "limit")
CLAIM = Mutant(Entry, "require_file", "if claimed != stated:", "if False:")
OWN_NAME = Mutant(listing, "_entry", "if supplier_role(entry.supplier) != role:", "if False:")
OWN_CODE = Mutant(listing, "_entry", 'if f"{entry.manufacturer_code:04x}" != code:', "if False:")
MAY_SAY = Mutant(listing, "read_statement", "if kind_of(role) not in _MAY_SAY[read.statement]:", "if False:")
SAYS_IN_OWN_NAME = Mutant(
    listing, "read_statement", "if role_of(kind_of(role), read.by) != role:", "if False:"
)
IN_PLACE = Mutant(listing, "read_statement", "if statement.path != path:", "if False:")
DIGEST = Mutant(listing, "read_statement", "if statement.sha256 != sha256:", "if False:")
INDEPENDENT = Mutant(Standing, "_is_independent", "return bool(own) and not own & provider", "return True")
VOUCHES = Mutant(
    Standing,
    "evidence",
    "isinstance(each.says, Evidence) and mine and",
    "isinstance(each.says, Evidence) and",
)
COMPLETE = Mutant(Standing, "evidence", " and not each.says.missing(today)", "")
PROVIDES = Mutant(Standing, "providers", "if _role(entry) == supplier", "")
COME = Mutant(Statement, "holds", "if datetime.date.fromisoformat(self.date) > today:", "if False:")
ENDED = Mutant(Statement, "holds", "today <= datetime.date.fromisoformat(self.says.until)", "True")
THIS_HOME = Mutant(Standing, "waivers", "each.says.installation == home", "True")
THIS_IMAGE = Mutant(listing.Listing, "standing", "self._said.get(sha256, ())", "self.statements")
OF_IT = Mutant(
    Standing, "_holding", "if each.image == self.image and each.holds(today)", "if each.holds(today)"
)
_gate = partial(Mutant, gate, "_lacks")
WITHDRAWN = _gate("if (why := withdrawn(standing, today)) is not None:", "if (why := ''):")
PROVIDER = _gate("if not standing.providers(supplier, today):", "if False:")
EVIDENCE = _gate("if standing.evidence(supplier, today) is None:", "if False:")
APPROVAL = _gate("if standing.approval(today) is None:", "if False:")


def _odd_role(above: str, name: str, lab: Lab) -> object:
    lab.delegate(above, name, lambda signed: None)
    return lab.read()


def _cycle(lab: Lab) -> object:
    def change(signed: Json) -> None:
        public = lab.forger.signer("x").public_key
        role = {"name": A, "keyids": [public.keyid], "threshold": 1, "terminating": True, "paths": ["*/*/*"]}
        signed["delegations"] = {"keys": {public.keyid: public.to_dict()}, "roles": [role]}

    lab.forger.role(A_IMAGES, change)
    return lab.read()


def _hash_bins(lab: Lab) -> object:
    def change(signed: Json) -> None:
        public = lab.forger.signer("x").public_key
        bins = {"keyids": [public.keyid], "threshold": 1, "bit_length": 1, "name_prefix": "bin"}
        signed["delegations"] = {"keys": {public.keyid: public.to_dict()}, "succinct_roles": bins}

    lab.forger.role(BOARD, change)
    return lab.read()


def _threshold_of_two(lab: Lab) -> object:
    def change(signed: Json) -> None:
        other = lab.forger.signer("x").public_key
        signed["delegations"]["keys"][other.keyid] = other.to_dict()
        role = next(role for role in signed["delegations"]["roles"] if role["name"] == A)
        role.update(keyids=[*role["keyids"], other.keyid], threshold=2)

    lab.forger.targets(change)
    return lab.read()


def _one_key_twice(lab: Lab) -> object:
    def change(signed: Json) -> None:
        role = next(role for role in signed["delegations"]["roles"] if role["name"] == A)
        signed["delegations"]["keys"]["f" * 64] = signed["delegations"]["keys"][role["keyids"][0]]
        role.update(keyids=[*role["keyids"], "f" * 64])

    lab.forger.targets(change)
    return lab.read()


def _lists(role: str, of: str, path: str | None, lab: Lab) -> object:
    """Let a role list a target of another's, under its path or a new one."""
    held: Json = lab.forger.published(of)["targets"]
    (known, target) = next(iter(held.items()))
    lab.forger.role(role, lambda signed: signed.setdefault("targets", {}).update({path or known: target}))
    return Catalogue.open(lab.home, now=NOW)


def _narrow(lab: Lab) -> object:
    def change(signed: Json) -> None:
        signed["delegations"]["roles"][0]["paths"] = [f"{A}/1002/1031-*"]

    lab.forger.role(A, change)
    return lab.read()


def _file(make: Callable[[bytes], bytes], lab: Lab) -> object:
    lab.stored().write_bytes(make(lab.stored().read_bytes()))
    return lab.read()


def _linked(lab: Lab) -> object:
    stored = lab.stored()
    stored.unlink()
    stored.symlink_to(lab.stored("B"))
    return lab.read()


def _claims(change: dict[str, object], lab: Lab) -> object:
    lab.forger.claims(A_IMAGES, lambda custom: custom.update(change))
    return lab.read()


def _says(
    kind: PartyKind, by: str, says: Said, lab: Lab, *, instead_of: str = "", date: datetime.date = TODAY
) -> None:
    """Let a party say something of A's image, where what was said before is forgotten."""
    if instead_of:
        lab.forget(A if instead_of == "evidence" else BOARD, instead_of)
    lab.state(kind, by, says, date)
    lab.admit()


def _signed_otherwise(change: Callable[[Json], object], lab: Lab) -> object:
    """Let the supplier sign its evidence in another shape."""

    def changed(signed: Json) -> None:
        ((_, target),) = signed["targets"].items()
        change(target["custom"])

    lab.forger.role(A, changed)
    return Catalogue.open(lab.home, now=NOW)


def _approves(role: str, lab: Lab) -> None:
    """Let a role that may not say so approve A's image."""
    lab.forget(BOARD, "approval")
    lab.put(Statement(role, role.partition("-")[2], lab.id(), NOW.date().isoformat(), Approval("Minute 2")))
    lab.admit()


def _same_key(lab: Lab) -> None:
    """Let the supplier be its own approver: one key, two names."""
    lab.forget(BOARD, "approval")
    lab.delegate("targets", "approver-friend", lambda signed: None, keys=(A,))
    made = make_statement(PartyKind.APPROVER, "friend", lab.id(), NOW.date(), Approval("Minute 2"))
    lab.put(made, by=[A])
    lab.admit()


def _without(kind: str, lab: Lab) -> None:
    lab.forget(A if kind == "evidence" else BOARD, kind)
    lab.admit()


def _stranger(lab: Lab) -> None:
    lab.admit("B", home="A")


WAIVED = Waiver(MPAN, (Requirement.APPROVAL,), "2026-04-01", "trial")


def _waived(says: Waiver, lab: Lab) -> None:
    _says(PartyKind.APPROVER, "Board", says, lab, instead_of="approval")


PATHS = (
    "supplier-a/1002/../../x",
    "supplier-a/1002/..",
    "/etc/passwd",
    "../../targets/x.ota",
    "supplier-a/1002/a\\b",
    "supplier-a/1002/.hidden",
    "supplier-a/1002/x\x00",
)
ODD = (
    "operator",
    "supplier-",
    "supplier-A",
    "supplier-c.1002",
    "dcc",
    "auditor-x",
    "supplier-a/b",
    "../evil",
    "root.x",
)
NOT_ITS_OWN = "which is not its own"
WRONG_FILE = "not the one that was signed"
UNAPPROVED = "nobody other than its provider"
ATTACKS = [
    *(
        Attack(f"odd role name {name!r}", partial(_odd_role, "targets", name), "expected a party's", (NAME,))
        for name in ODD
    ),
    *(
        Attack(
            f"{above} delegates to {name}",
            partial(_odd_role, above, name),
            "expected a manufacturer's",
            (NAME,),
        )
        for above, name in (
            (A, "supplier-c.1002"),
            (A, "voucher-w.1002"),
            (A, "supplier-a.10020"),
            (BOARD, "approver-board.1002"),
        )
    ),
    Attack("delegation cycle", _cycle, "role 'supplier-a': expected a manufacturer's", (NAME, BELOW)),
    Attack("delegation by hash bins", _hash_bins, "delegates by the hash of a path", (HASH_BINS,)),
    Attack("threshold of two met by one", _threshold_of_two, "signed by 1/2 keys", (THRESHOLD,)),
    Attack("one key twice for a supplier", _one_key_twice, "one key twice", (DIFFERENT_KEYS,)),
    Attack("targets list an image", partial(_lists, "targets", A_IMAGES, None), "list .* themselves", (TOP,)),
    Attack(
        "supplier lists another's image",
        partial(_lists, B_IMAGES, A_IMAGES, None),
        NOT_ITS_OWN,
        (OWN, DELEGATED),
    ),
    Attack(
        "manufacturer lists statements", partial(_lists, A_IMAGES, A, None), NOT_ITS_OWN, (OWN, DELEGATED)
    ),
    Attack("supplier lists images itself", partial(_lists, A, A_IMAGES, None), NOT_ITS_OWN, (OWN,)),
    Attack("narrow delegation overstepped", _narrow, NOT_ITS_OWN, (DELEGATED,)),
    *(
        Attack(
            f"target path {path!r}",
            partial(_lists, A_IMAGES, A_IMAGES, path),
            NOT_ITS_OWN,
            (OWN, DELEGATED),
            again=True,
        )
        for path in PATHS
    ),
    Attack(
        "image altered",
        partial(_file, lambda data: data.replace(b"firmware", b"Firmware")),
        WRONG_FILE,
        (OCTETS, CLAIM),
    ),
    Attack("image cut short", partial(_file, lambda data: data[:-1]), WRONG_FILE, (OCTETS, CLAIM)),
    Attack("image of another supplier", partial(_file, lambda data: image("B")), WRONG_FILE, (OCTETS, CLAIM)),
    Attack("link to another image", _linked, WRONG_FILE, (OCTETS, CLAIM)),
    Attack(
        "endless image", partial(_file, lambda data: data + bytes(100_000)), "at most", (BOUND,), again=True
    ),
    *(
        Attack(f"record lies about {name}", partial(_claims, {name: value}), "the file itself says", (CLAIM,))
        for name, value in {
            "version": 0x7F000000,
            "image_type": 1,
            "hardware_minimum": 7,
            "destination": "00-DB-12-34-56-78-90-A1",
            "image_sha256": "0" * 64,
            "verification": "se-suite-1",
        }.items()
    ),
    Attack(
        "record in another's name", partial(_claims, {"supplier": "B"}), "sign in its own name", (OWN_NAME,)
    ),
    Attack(
        "record of another manufacturer",
        partial(_claims, {"manufacturer_code": 5}),
        "its role signs",
        (OWN_CODE, CLAIM),
    ),
    Attack(
        "statement in another's name",
        partial(_signed_otherwise, lambda custom: custom.update(by="B")),
        "sign in its own name",
        (SAYS_IN_OWN_NAME, DIGEST),
    ),
    Attack(
        "statement moved to another image",
        partial(_signed_otherwise, lambda custom: custom.update(image="0" * 64)),
        "where such a statement belongs",
        (IN_PLACE, DIGEST),
    ),
    Attack(
        "statement altered under its digest",
        partial(_signed_otherwise, lambda custom: custom["says"].update(count=9)),
        "signed under SHA-256",
        (DIGEST,),
    ),
    Attack(
        "supplier approves", partial(_approves, A), "not for a party of kind supplier", (MAY_SAY, INDEPENDENT)
    ),
    Attack(
        "voucher approves", partial(_approves, "voucher-v"), "not for a party of kind voucher", (MAY_SAY,)
    ),
    Attack("supplier approves under another name", _same_key, UNAPPROVED, (INDEPENDENT,)),
    Attack(
        "image without evidence", partial(_without, "evidence"), "no evidence of prior field use", (EVIDENCE,)
    ),
    Attack("image without approval", partial(_without, "approval"), UNAPPROVED, (APPROVAL,)),
    Attack("approval of another image", partial(_without, "approval"), UNAPPROVED, (THIS_IMAGE, OF_IT)),
    Attack("image of a stranger", _stranger, "provided by B, not by the home's", (PROVIDER, EVIDENCE)),
    Attack("image of a stranger as one's own", _stranger, "provided by B, not by the home's", (PROVIDES,)),
    Attack(
        "evidence of a stranger",
        lambda lab: _says(PartyKind.SUPPLIER, "B", USED, lab, instead_of="evidence"),
        "B may not vouch for it here",
        (VOUCHES,),
    ),
    Attack(
        "evidence of the future",
        lambda lab: _says(
            PartyKind.SUPPLIER, "A", Evidence("x", "2026-04-01", "y", 1), lab, instead_of="evidence"
        ),
        "a date of use that is past",
        (COMPLETE,),
    ),
    Attack(
        "approval of the future",
        lambda lab: _says(PartyKind.APPROVER, "Board", Approval("x"), lab, instead_of="approval", date=LATER),
        UNAPPROVED,
        (COME,),
    ),
    Attack(
        "withdrawn image",
        lambda lab: _says(PartyKind.SUPPLIER, "A", Withdrawal("meters stop"), lab),
        "withdrawn by A",
        (WITHDRAWN,),
    ),
    Attack(
        "waiver of another home",
        partial(_waived, Waiver("1400001234567", WAIVED.lifts, WAIVED.until, "trial")),
        UNAPPROVED,
        (THIS_HOME,),
    ),
    Attack(
        "waiver that has ended",
        partial(_waived, Waiver(MPAN, WAIVED.lifts, "2026-02-01", "x")),
        UNAPPROVED,
        (ENDED,),
    ),
]
