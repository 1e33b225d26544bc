"""Keeping a catalogue: make it, name its parties, sign, publish, keep it fresh."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import Any

from firmware_catalog.catalogue import Catalogue, parties_folder
from firmware_catalog.command.options import (
    Actions,
    action,
    manufacturer,
    now_of,
    opened,
    path_of,
    signature_lines,
    staged,
    staging,
    told,
)
from firmware_catalog.memory import state_folder
from firmware_catalog.parties import PartyKind, manufacturer_role, role_of
from firmware_catalog.signing import Keys, load_public


def register(actions: Actions[Any]) -> None:
    """Add the actions."""
    action(
        actions,
        "init",
        "make an empty catalogue and its operator's keys",
        _init,
        "Keys that are in the keys folder already are used. root-*.pem and targets-*.pem (two of three sign) are\n"
        "needed again only when parties change: move them off the machine.",
    )
    key = action(
        actions,
        "key",
        "make a party's key pair, where the party is",
        _key,
        "Give the operator the .pub file, for `supplier add` or `party add --public-key`; keep the .pem file.",
    )
    _names_party(key, kind=True)
    key.add_argument(
        "--out", metavar="DIR", type=Path, help="where the pair goes; default CATALOGUE.parties/ROLE"
    )
    key.add_argument(
        "--number", type=int, metavar="N", help="which one, where several of the party's keys must sign"
    )
    supplier = actions.add_parser("supplier", help="name the Installing Suppliers, and whose keys are theirs")
    below = supplier.add_subparsers(
        title="actions", metavar="ACTION", required=True, parser_class=type(supplier)
    )
    added = staging(
        below,
        "add",
        "delegate to an Installing Supplier, or give it other keys",
        partial(_party_add, PartyKind.SUPPLIER),
        "Without --public-key a pair is made in CATALOGUE.parties. With --manufacturer the supplier's images of that\n"
        "code are signed by these keys instead of its own; then the supplier's own key signs the delegation.",
    )
    _names_party(added)
    _names_keys(added)
    added.add_argument("--manufacturer", metavar="CODE", type=manufacturer, help="as 0x1002")
    party = actions.add_parser(
        "party", help="name vouchers, approvers and the DCC, and whose keys are theirs"
    )
    below = party.add_subparsers(title="actions", metavar="ACTION", required=True, parser_class=type(party))
    added = staging(below, "add", "delegate to a party, or give it other keys", partial(_party_add, None))
    _names_party(added, kind=True)
    _names_keys(added)
    action(actions, "sign", "sign what is staged with the keys at hand, and say what is missing", _sign)
    action(
        actions,
        "publish",
        "make visible what is staged and signed",
        _publish,
        "Signs with the keys at hand first. All of it is published, or nothing.",
    )
    action(actions, "refresh", "sign the catalogue's freshness again before it expires", _refresh)


def _names_party(parser: argparse.ArgumentParser, *, kind: bool = False) -> None:
    parser.add_argument("name", metavar="NAME", help="its name or EUI-64")
    if kind:
        parser.add_argument(
            "--kind", required=True, type=PartyKind, choices=tuple(PartyKind), help="what it is"
        )


def _names_keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--public-key",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a .pub file of `smets1 catalog key`; may be repeated",
    )
    parser.add_argument(
        "--threshold", metavar="N", type=int, default=1, help="how many of them must sign; default 1"
    )


def _init(options: argparse.Namespace) -> int:
    path = path_of(options)
    memory = state_folder(os.environ)
    made = Catalogue.create(path, now=now_of(options), keys=options.keys, memory=memory)
    lines = [
        f"made {path}; move root-*.pem and targets-*.pem off this machine",
        f"  root {made.root_sha256}: pin it in installation.toml as catalogue_root_sha256",
    ]
    return told(options, lines, {"catalogue": str(path), "catalogue_root_sha256": made.root_sha256})


def _key(options: argparse.Namespace) -> int:
    role = role_of(options.kind, options.name)
    folder = options.out or parties_folder(path_of(options)) / role
    name = role if options.number is None else f"{role}-{options.number}"
    signer = Keys((folder,)).make(name)
    public = folder / f"{name}.pub"
    lines = [f"made {public}: give it to the operator; {public.with_suffix('.pem')} is yours alone"]
    return told(options, lines, {"role": role, "keyid": signer.public_key.keyid, "public_key": str(public)})


def _party_add(kind: PartyKind | None, options: argparse.Namespace) -> int:
    kind = kind or options.kind
    catalogue, role = opened(options), role_of(kind, options.name)
    code = getattr(options, "manufacturer", None)
    if code is None and not options.public_key:
        catalogue.stage_party(kind, options.name)
    else:
        role = role if code is None else manufacturer_role(role, code)
        keys = [load_public(path) for path in options.public_key]
        catalogue.draft().delegate(role, keys, options.threshold)
    return staged(options, catalogue, f"staged {role}", role=role)


def _sign(options: argparse.Namespace) -> int:
    progress = opened(options).draft().sign()
    lines = signature_lines(progress) or ["nothing is staged"]
    return told(options, lines, [signed._asdict() for signed in progress])


def _publish(options: argparse.Namespace) -> int:
    published = opened(options).publish()
    lines = [f"published {', '.join(published)}" if published else "nothing is staged"]
    return told(options, lines, {"catalogue": str(path_of(options)), "published": list(published)})


def _refresh(options: argparse.Namespace) -> int:
    path, now = path_of(options), now_of(options)
    catalogue = Catalogue.open_stale(path, now=now, keys=options.keys, memory=state_folder(os.environ))
    catalogue.refresh()
    return told(options, [f"refreshed {path}"], {"catalogue": str(path), "refreshed": now.isoformat()})
