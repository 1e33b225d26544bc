"""EUI-64 addresses.

Inside the emulator an EUI-64 is an `int`: its big-endian reading, as printed on a label. On the air it is eight
octets little-endian (`struct` code `<Q`); in certificates it is eight octets big-endian (`>Q`).
"""

from __future__ import annotations

import re

from emulator.errors import EmulatorError

_TEXT = re.compile(r"([0-9a-fA-F]{2})(?:[:-]?)" * 7 + r"([0-9a-fA-F]{2})")


def parse_eui64(text: str) -> int:
    """Read `00:0D:6F:00:0A:90:69:E7`, `00-0D-...` or `000D6F000A9069E7`; raises `EmulatorError`."""
    if not _TEXT.fullmatch(text.strip()):
        raise EmulatorError(
            f"EUI-64 {text!r}: expected eight hexadecimal octets, for example 00-DB-12-34-56-78-90-A0"
        )
    return int(re.sub("[:-]", "", text.strip()), 16)


def format_eui64(eui64: int) -> str:
    """Write an EUI-64 the way the DCC does: `00-DB-12-34-56-78-90-A0`."""
    return eui64.to_bytes(8, "big").hex("-").upper()
