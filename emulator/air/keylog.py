"""The keys of a capture in the form Wireshark takes them: a `zigbee_pc_keys` table, one key a line.

Network and link keys go into one list; derived keys (key-transport, key-load) are not needed (fact sheet 7).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from emulator.errors import EmulatorError
from hw_profiles.whole_file import make_private

_LINE = re.compile(r'"((?:[0-9A-F]{2}:){15}[0-9A-F]{2})","Normal","')
_UNSAFE = re.compile(r'[^\x20-\x7e]|["\\]')


class KeyLog:
    """Appends keys to a table file of its owner's alone, each key once.

    Place it in the Wireshark profile as `zigbee_pc_keys`.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the table; a last line torn by a kill is cut off."""
        self.path = path
        make_private(path)
        octets = path.read_bytes()
        whole = octets.rfind(b"\n") + 1
        if whole < len(octets):
            os.truncate(path, whole)
        self._known = set(_LINE.findall(octets[:whole].decode("ascii", "replace")))

    def add(self, key: bytes, label: str) -> None:
        """Record a 16-octet key under a label; one that is there already is left alone."""
        if len(key) != 16:
            raise EmulatorError(f"key log {self.path}: key {label!r} of {len(key)} octets, expected 16")
        text = key.hex(":").upper()
        if text in self._known:
            return
        self._known.add(text)
        with open(self.path, "a", encoding="ascii") as file:
            file.write(f'"{text}","Normal","{_escape(label)}"\n')
            file.flush()
            os.fsync(file.fileno())


def _escape(label: str) -> str:
    """Write a label as Wireshark's table format wants it: quotes, backslashes and odd characters as \\xNN."""
    return _UNSAFE.sub(lambda match: "".join(f"\\x{octet:02x}" for octet in match[0].encode()), label)
