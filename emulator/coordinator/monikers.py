"""Where a radio is, in one short string: `inproc:`, `pty:`, `tcp:HOST:PORT`, `serial:/dev/...`.

Without a place, `pty:`, `tcp:` and `wire:` mean an emulated dongle of this process's own, reached through a
pseudo-terminal, a socket, or a cable that exists only on the event loop; with one, a line that leads out of it.
"""

from __future__ import annotations

import re
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from emulator.errors import EmulatorError

LOOPBACK_HOST = "127.0.0.1"
FORMS = "inproc:, wire:, pty:[PATH], tcp:[HOST:PORT] or serial:/dev/..."
_TCP = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\s\[\]]+):(?P<port>\d{1,5})")


class MonikerError(EmulatorError):
    """A string that names no radio."""


class Kind(Enum):
    """What leads to the radio."""

    INPROC = "inproc"
    """The radio is a node of this process's air; no serial protocol."""
    WIRE = "wire"
    PTY = "pty"
    TCP = "tcp"
    SERIAL = "serial"


class Moniker(NamedTuple):
    """A parsed name. `path` is of a terminal or serial port; `host` and `port` of a socket; None where not given."""

    kind: Kind
    path: Path | None = None
    host: str | None = None
    port: int | None = None

    @property
    def is_here(self) -> bool:
        """Whether the radio is one this process emulates itself."""
        return self.path is None and self.host is None

    @property
    def open_to_others(self) -> bool:
        """Whether a socket served there can be reached from other machines: any but the loop-back interface's."""
        if self.kind is not Kind.TCP or self.host is None:
            return False
        try:
            return not ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host != "localhost"

    @property
    def address(self) -> str:
        """What bellows is given to open; only for a radio that is elsewhere."""
        if self.kind is Kind.TCP:
            return f"socket://{self.host}:{self.port}"
        return str(self.path)

    def __str__(self) -> str:
        if self.kind is Kind.TCP and self.host is not None:
            return f"tcp:{self.host}:{self.port}"
        return f"{self.kind.value}:{self.path or ''}"


def parse(text: str) -> Moniker:
    """Return the radio that `text` names; raises `MonikerError` saying what was expected."""
    scheme, colon, place = text.partition(":")
    kind = next((kind for kind in Kind if kind.value == scheme), None)
    if kind is None or not colon:
        raise MonikerError(f"{text!r}: expected {FORMS}")
    if kind in (Kind.INPROC, Kind.WIRE):
        if place:
            raise MonikerError(f"{text!r}: nothing follows {scheme}:; give {scheme}: alone")
        return Moniker(kind)
    if kind is Kind.TCP:
        return _tcp(text, place)
    if not place and kind is Kind.SERIAL:
        raise MonikerError(
            f"{text!r}: which port? Give serial:/dev/ttyUSB0, for example; smets1 radios lists them"
        )
    return Moniker(kind, Path(place) if place else None)


def _tcp(text: str, place: str) -> Moniker:
    if not place:
        return Moniker(Kind.TCP)
    match = _TCP.fullmatch(place)
    if match is None or not 0 < int(match["port"]) <= 0xFFFF:
        raise MonikerError(f"{text!r}: expected tcp:HOST:PORT, with a port from 1 to 65535")
    return Moniker(Kind.TCP, None, match["host"], int(match["port"]))
