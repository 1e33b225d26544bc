"""Vectors that other tests and decoders agree on, as data: each with where it comes from and how it was checked.

Octets are hexadecimal, in the order of the wire unless a name says otherwise. `source` names the publication or the
public repository, with its path; `status` says what was done with the vector: VALIDATED was computed anew by
independent code, TSHARK was decoded by Wireshark's dissectors without a complaint, CAPTURE was sniffed from real
devices, GENERATED was made for these tests and checked by what its status names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILES = ("cryptography", "frames")
"""What there is; each is a JSON file of named parts."""


def vectors(file: str) -> dict[str, Any]:
    """Return the parts of one of `FILES` by name."""
    parts: dict[str, Any] = json.loads((Path(__file__).parent / f"{file}.json").read_text())
    return parts
