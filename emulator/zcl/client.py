"""Requests that a device itself makes: chooses transaction numbers and matches answers to them.

The time-out runs on the owner's `Scope`; sending is the shell's, through the function given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.clock.kernel import Scope, Timer
from emulator.errors import FrameError
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest
from emulator.zcl import values
from emulator.zcl.attributes import AttributeRecord, parse_read_response
from emulator.zcl.frame import (
    GeneralCommand,
    ZclFrame,
    ZclStatus,
    cluster_request,
    general_request,
)
from hw_profiles.identifiers import SMART_ENERGY_PROFILE

Done = Callable[[ZclFrame | None], None]
"""Called once with the answer (a Default Response counts), or None when none came in time."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Where requests go: short address, endpoint, profile, and whether with APS link-key security."""

    address: int
    endpoint: int
    profile: int = SMART_ENERGY_PROFILE
    secure: bool = True


class Wanted(NamedTuple):
    """An attribute to read, and the ZCL types of which one must be its value's to be of use."""

    attribute: int
    types: tuple[int, ...]


Values = Mapping[int, Any]
"""Attribute values by identifier: of the types wanted, and values indeed."""


def usable(records: Iterable[AttributeRecord], wanted: Iterable[Wanted]) -> Values:
    """Return what can be taken at its word of a stranger's answer; of two records alike the first counts."""
    types = dict(wanted)
    found: dict[int, Any] = {}
    for attribute, status, type_id, value in records:
        if status == ZclStatus.SUCCESS and type_id in types.get(attribute, ()):
            found.setdefault(attribute, None if values.is_non_value(type_id, value) else value)
    return {attribute: value for attribute, value in found.items() if value is not None}


@dataclass(slots=True)
class _Pending:
    address: int
    cluster: int
    done: Done
    timer: Timer


class ZclClient:
    """Outgoing ZCL transactions of one endpoint."""

    def __init__(
        self,
        scope: Scope,
        send: Callable[[ApsdeRequest], None],
        *,
        endpoint: int,
        timeout_us: int = 10 * SECOND,
    ) -> None:
        self.endpoint = endpoint
        self._scope = scope
        self._send = send
        self._timeout_us = timeout_us
        self._tsn = 0
        self._pending: dict[int, _Pending] = {}

    def next_tsn(self) -> int:
        """Return an unused transaction number, for a request the caller builds itself.

        With all of them in use it is the one that has waited longest, whose request is given up when it is sent.
        """
        for _ in range(256):
            self._tsn = (self._tsn + 1) & 0xFF
            if self._tsn not in self._pending:
                return self._tsn
        self._tsn = (self._tsn + 1) & 0xFF
        return self._tsn

    def command(
        self, peer: Peer, cluster: int, command: int, payload: bytes = b"", done: Done | None = None
    ) -> int:
        """Send a cluster command to the server at `peer`; return its transaction number."""
        tsn = self.next_tsn()
        self._request(peer, cluster, cluster_request(tsn, command, payload), tsn, done)
        return tsn

    def from_server(
        self, peer: Peer, cluster: int, command: int, payload: bytes = b"", done: Done | None = None
    ) -> int:
        """Send a cluster command from our server side to the client at `peer`."""
        tsn = self.next_tsn()
        self._request(peer, cluster, cluster_request(tsn, command, payload, from_server=True), tsn, done)
        return tsn

    def general(
        self,
        peer: Peer,
        cluster: int,
        command: int,
        payload: bytes,
        done: Done | None = None,
        *,
        from_server: bool = False,
    ) -> int:
        """Send a general command; `from_server` addresses the client side at `peer`."""
        tsn = self.next_tsn()
        asdu = general_request(tsn, command, payload, from_server=from_server)
        self._request(peer, cluster, asdu, tsn, done)
        return tsn

    def read_attributes(
        self,
        peer: Peer,
        cluster: int,
        wanted: Iterable[Wanted],
        done: Callable[[Values | None], None],
    ) -> int:
        """Read attributes of the server at `peer`; `done` gets their values, or None when no answer came.

        This is how a device reads: an answer may lack any attribute, and lacks each that was refused, is of a type
        nobody wanted or is no value.
        """
        wanted = tuple(wanted)
        payload = b"".join(each.attribute.to_bytes(2, "little") for each in wanted)

        def answered(frame: ZclFrame | None) -> None:
            if frame is None or frame.command != GeneralCommand.READ_ATTRIBUTES_RESPONSE:
                done(None)
                return
            try:
                records = parse_read_response(frame.payload)
            except FrameError:
                done(None)
                raise
            done(usable(records, wanted))

        return self.general(peer, cluster, GeneralCommand.READ_ATTRIBUTES, payload, answered)

    def _request(self, peer: Peer, cluster: int, asdu: bytes, tsn: int, done: Done | None) -> None:
        self._give_up(tsn)
        if done is not None:
            timer = self._scope.call_later(self._timeout_us, self._give_up, tsn)
            self._pending[tsn] = _Pending(peer.address, cluster, done, timer)
        self._send(
            ApsdeRequest(
                peer.address,
                peer.endpoint,
                peer.profile,
                cluster,
                self.endpoint,
                asdu,
                secure=peer.secure,
            )
        )

    def receive(self, indication: ApsdeIndication, frame: ZclFrame) -> bool:
        """Take a frame that may answer one of our requests; return whether it did."""
        pending = self._pending.get(frame.tsn)
        if pending is None or (pending.address, pending.cluster) != (indication.source, indication.cluster):
            return False
        del self._pending[frame.tsn]
        self._scope.cancel(pending.timer)
        pending.done(frame)
        return True

    def _give_up(self, tsn: int) -> None:
        """Tell whoever waits under that number that no answer came: in time, or before the number was needed."""
        pending = self._pending.pop(tsn, None)
        if pending is not None:
            self._scope.cancel(pending.timer)
            pending.done(None)
