"""The commands of every EZSP version: names, identifiers, parameters and answers.

bellows' tables are the schemas, so the co-processor reads and writes exactly what hosts do. Version 15, which bellows
leaves out, is version 14 with the radio scheduler's structure of 16 (the only command in which 14 and 16 differ).
Parameters that versions name differently have one name here.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from emulator.coordinator.ezsp.fields import FieldCodec, codec_of, snake_case
from emulator.errors import EmulatorError, FrameError

VERSIONS = range(4, 20)
_SOURCES = {15: 16}
_MAY_BE_MISSING = frozenset({("importTransientKey", "flags"), ("leaveNetwork", "options")})
"""Last parameters that some hosts leave out (fact sheet, protocol 5.4); they read as zero."""

_ALIASES: Mapping[str, Mapping[str, str]] = {
    "sendUnicast": {"type": "message_type", "index_or_destination": "nwk", "message_contents": "message"},
    "sendBroadcast": {"message_contents": "message"},
    "proxyBroadcast": {"message_contents": "message", "source": "alias"},
    "sendMulticast": {"message_contents": "message"},
    "sendMulticastWithAlias": {"message_contents": "message"},
    "messageSentHandler": {
        "type": "message_type",
        "index_or_destination": "nwk",
        "message_contents": "message",
    },
    "incomingMessageHandler": {
        "type": "message_type",
        "sender": "nwk",
        "last_hop_lqi": "lqi",
        "last_hop_rssi": "rssi",
        "message_contents": "message",
    },
    "getChildData": {"child_data": "child"},
    "setChildData": {"child_data": "child"},
    "getTransientLinkKey": {"eui": "eui64", "transient_key_data": "key"},
    "getTransientKeyTableEntry": {"key_struct": "key", "transient_key_data": "key"},
    "exportKey": {"plaintext_key": "key"},
    "exportLinkKeyByIndex": {"plaintext_key": "key"},
    "exportLinkKeyByEui": {"plaintext_key": "key"},
    "exportTransientKeyByEui": {"plaintext_key": "key"},
    "exportTransientKeyByIndex": {"plaintext_key": "key"},
    "importTransientKey": {"plaintext_key": "key"},
    "getApsKeyInfo": {"context_in": "context", "eui": "eui64"},
    "networkInit": {"network_init_bitmask": "options"},
    "networkInitExtended": {"network_init_struct": "options"},
}


class Schema:
    """The parameters of a command, or those of its answer, in order."""

    __slots__ = ("_command", "_fields", "_whole")

    def __init__(self, command: str, wire: Any) -> None:
        aliases = _ALIASES.get(command, {})
        self._command = command
        self._whole: FieldCodec | None = None if isinstance(wire, dict | tuple) else codec_of(wire)
        self._fields: tuple[tuple[str, FieldCodec], ...] = ()
        if isinstance(wire, dict):
            names = (aliases.get(snake_case(name), snake_case(name)) for name in wire)
            self._fields = tuple(zip(names, map(codec_of, wire.values()), strict=True))

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names."""
        return tuple(name for name, _ in self._fields)

    def read(self, octets: bytes) -> dict[str, Any]:
        """Return the values by name; octets beyond them are ignored. Raises `FrameError` when some are missing."""
        if self._whole is not None:
            return dict(self._whole.read(octets, 0)[0])
        values: dict[str, Any] = {}
        offset = 0
        for name, codec in self._fields:
            if offset >= len(octets) and (self._command, name) in _MAY_BE_MISSING:
                values[name] = 0
                continue
            try:
                values[name], offset = codec.read(octets, offset)
            except FrameError as error:
                raise FrameError(f"EZSP {self._command}, {name}: {error}") from error
        return values

    def write(self, values: Mapping[str, Any]) -> bytes:
        """Return the octets of `values`; what is not given is zero, what the version does not have is left out."""
        if self._whole is not None:
            return self._whole.write(values)
        return b"".join([codec.write(values.get(name)) for name, codec in self._fields])


class Command(NamedTuple):
    """One command or callback of one version."""

    name: str
    identifier: int
    parameters: Schema
    answer: Schema


class CommandSet:
    """Everything one EZSP version has, by name and by identifier."""

    def __init__(self, version: int, table: Mapping[str, tuple[int, Any, Any]]) -> None:
        self.version = version
        self.by_name: dict[str, Command] = {}
        self.by_identifier: dict[int, Command] = {}
        for name, (identifier, parameters, answer) in table.items():
            command = Command(name, identifier, Schema(name, parameters), Schema(name, answer))
            self.by_name[name] = command
            self.by_identifier[identifier] = command

    def get(self, name: str) -> Command | None:
        """Return the command called `name`, or None when this version has none."""
        return self.by_name.get(name)


@cache
def command_set(version: int) -> CommandSet:
    """Return the commands of an EZSP version; raises `EmulatorError` for one outside 4 to 19."""
    if version not in VERSIONS:
        raise EmulatorError(f"EZSP version {version}: expected {VERSIONS[0]} to {VERSIONS[-1]}")
    module = importlib.import_module(f"bellows.ezsp.v{_SOURCES.get(version, version)}.commands")
    return CommandSet(version, module.COMMANDS)
