"""What the application hears of its node: data, events, keys."""

from __future__ import annotations

from collections.abc import Callable

from emulator.stack.aps.key_table import KeyObserver
from emulator.stack.events import StackEvent
from emulator.stack.primitives import ApsdeIndication, NetworkParameters


class Reports:
    """The application's three ears; each may be replaced at any time."""

    __slots__ = ("data", "event", "key")

    def __init__(self, on_key: KeyObserver | None = None) -> None:
        self.data: Callable[[ApsdeIndication], None] = _ignore
        self.event: Callable[[StackEvent], None] = _ignore
        self.key: KeyObserver = _ignore_key if on_key is None else on_key

    def key_in_use(self, kind: str, key: bytes, label: str) -> None:
        """Tell of a key that comes into use."""
        self.key(kind, key, label)

    def network_key_in_use(self, parameters: NetworkParameters | None) -> None:
        """Tell of the network key in force, if there is one."""
        if parameters is not None:
            self.key("network", parameters.network_key, f"sequence {parameters.key_sequence}")


def _ignore(_: object) -> None:
    """Stand in for an application that is not listening yet."""


def _ignore_key(_kind: str, _key: bytes, _label: str) -> None:
    """Stand in for a key observer."""
