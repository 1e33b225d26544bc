"""`smets1 catalog`: keep, sign, publish, read and exchange firmware with the evidence of its use."""

from __future__ import annotations

import argparse
from typing import Any

from firmware_catalog.command import exchanging, keeping, making, providing, reading, saying

_OVERVIEW = """\
A catalogue keeps firmware images with what is known of them: who provides them, which versions they may follow, the
evidence that they are already used in the field, and who has approved them. A dormant meter is given no other image.
It is a signed folder (TUF): nobody can alter an image, hide a newer one, bring an old state back, or speak in another's
name unnoticed.

Who signs what, each with keys of his own:
  operator   init, publish, refresh: snapshot and timestamp; root-*.pem and targets-*.pem say who the parties are,
             two of three must sign: keep those off the machine, they are needed for init and `add` of parties only
  suppliers  add, vouch, withdraw: an Installing Supplier's images, and evidence of their use
  others     vouch (voucher), approve and waive (approver), adopt (dcc), withdraw

A change is staged, signed by whoever's it is, and published by the operator.

examples:
  smets1 catalog init
  smets1 catalog supplier add 90-B3-D5-1F-30-03-00-00
  smets1 catalog party add "Firmware Board" --kind approver
  smets1 catalog publish
  smets1 catalog add meter.ota --supplier 90-B3-D5-1F-30-03-00-00 --model secure-liberty-100 --from-version 0x00000003
  smets1 catalog vouch 7549a1eb --by 90-B3-D5-1F-30-03-00-00 --reference "Field record 17" --since 2019-03-01 \\
      --where "Active estate, East Midlands" --count 41000
  smets1 catalog approve 7549a1eb --by "Firmware Board" --reference "Minute 12"
  smets1 catalog publish                  # signs with the keys at hand; `sign` elsewhere adds those of others
  smets1 catalog verify

The catalogue is --catalogue DIR, else $SMETS1_CATALOGUE, else ./catalogue. Keys are looked for in DIR.keys (the
operator's) and DIR.parties (a folder each party), or in each --keys FOLDER.

An installation pins its catalogue by the digest that `init` and `show` print as root: write it into
installation.toml as catalogue_root_sha256. What was seen of a catalogue is kept under $XDG_STATE_HOME (by
default ~/.local/state), so that an older state of it is refused later.

exit status: 0 done (check, verify: all accepted), 1 check: something refused, 2 bad input (check: something that
cannot be read), 3 the folder cannot be written
"""


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `catalog` and its sub-commands; each sets `handler`."""
    parser = subparsers.add_parser(
        "catalog",
        help="keep the firmware images and the evidence of their field use",
        description=_OVERVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(
        title="actions", metavar="ACTION", required=True, parser_class=type(parser)
    )
    for room in (keeping, providing, saying, reading, exchanging, making):
        room.register(actions)
