"""One endpoint's clusters: dispatches an ASDU to attributes and command handlers, and builds the answer.

Pure: `receive` returns the ASDUs to send back to where the indication came from (same cluster, endpoints
swapped); the device's shell sends them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.errors import FrameError
from emulator.stack.primitives import BROADCAST_ROUTERS, ApsdeIndication, Security
from emulator.zcl import foundation
from emulator.zcl.attributes import AttributeRecord, AttributeTable, Gate, parse_records
from emulator.zcl.frame import (
    GeneralCommand,
    ZclFrame,
    ZclStatus,
    cluster_response,
    default_response,
    general_response,
    parse,
)
from emulator.zcl.reporting import Configurer, Reporter
from hw_profiles.identifiers import SMART_ENERGY_PROFILE

LONGEST_ANSWER = 128
"""Octets of an ASDU that every Smart Energy device takes, in fragments: the default of its startup set for the maximum
incoming transfer size (fact sheet, devices 2.8)."""


class Reply(NamedTuple):
    """A cluster-specific answer in the transaction of the command handled."""

    command: int
    payload: bytes = b""


class DeferredReply:
    """Returned by a handler that will answer later, or not at all: no Default Response is made."""


DEFERRED = DeferredReply()

Handler = Callable[[ApsdeIndication, ZclFrame], Reply | int | DeferredReply | None]
"""Handles a cluster command: an answer, a status for the Default Response (None: SUCCESS), or `DEFERRED`."""

ReportHandler = Callable[[ApsdeIndication, list[AttributeRecord]], int | None]
Guard = Callable[[ApsdeIndication, ZclFrame], int | None]
"""Returns the status to refuse a frame with, or None to let it in."""
ResponseTaker = Callable[[ApsdeIndication, ZclFrame], bool]
"""Takes what may answer a request of ours; says whether it did."""
ReportingChanged = Callable[["ZclEndpoint", "ClusterSide"], None]
"""Hears that the reporting configuration of a cluster side is another one now."""


@dataclass(slots=True)
class ClusterSide:
    """The server or the client side of a cluster on one endpoint."""

    cluster: int
    is_server: bool
    attributes: AttributeTable = field(default_factory=AttributeTable)
    handlers: dict[int, Handler] = field(default_factory=dict)
    manufacturer_handlers: dict[tuple[int, int], Handler] = field(default_factory=dict)
    generated: frozenset[int] = frozenset()
    on_report: ReportHandler | None = None
    reporter: Reporter | None = None
    """What is reported of the attributes; None for a side that reports nothing."""

    def received(self, manufacturer: int | None) -> Iterable[int]:
        """Return the commands handled: the cluster's own, or those a manufacturer added to it."""
        if manufacturer is None:
            return self.handlers
        return [command for maker, command in self.manufacturer_handlers if maker == manufacturer]


class ZclEndpoint:
    """The clusters of one endpoint; an application endpoint of the emulated devices."""

    def __init__(
        self,
        number: int,
        *,
        profile: int = SMART_ENERGY_PROFILE,
        guard: Guard | None = None,
        clock: Callable[[], int] = lambda: 0,
        on_response: ResponseTaker | None = None,
        on_reporting: ReportingChanged | None = None,
        look_us: int = SECOND,
        longest_answer: int = LONGEST_ANSWER,
    ) -> None:
        """`guard` is the security policy; `clock` returns microseconds, for reporting intervals.

        `on_response`, usually `ZclClient.receive`, gets what may answer our own requests: general responses,
        and cluster commands nobody handles. `on_reporting` sees to it that what is configured is reported, by a
        device that looks at its values every `look_us`; without it no attribute can be
        reported. Answers to general requests have at most `longest_answer` octets: what does not fit is left for
        another question.
        """
        self.number = number
        self.profile = profile
        self.on_response = on_response
        self._guard = guard
        self._clock = clock
        self._on_reporting = on_reporting
        self._look_us = look_us
        self._longest_answer = longest_answer
        self._sides: dict[tuple[int, bool], ClusterSide] = {}

    def add_server(
        self,
        cluster: int,
        attributes: AttributeTable | None = None,
        handlers: Mapping[int, Handler] | None = None,
        *,
        gate: Gate | None = None,
        generated: Iterable[int] = (),
        on_report: ReportHandler | None = None,
    ) -> ClusterSide:
        """Add the server side of a cluster; commands that `gate` says do not exist yet are left out."""
        side = ClusterSide(cluster, True, attributes or AttributeTable())
        return self._add(side, handlers, gate, generated, on_report)

    def add_client(
        self,
        cluster: int,
        attributes: AttributeTable | None = None,
        handlers: Mapping[int, Handler] | None = None,
        *,
        gate: Gate | None = None,
        generated: Iterable[int] = (),
        on_report: ReportHandler | None = None,
    ) -> ClusterSide:
        """Add the client side of a cluster; its handlers take what servers send."""
        side = ClusterSide(cluster, False, attributes or AttributeTable())
        return self._add(side, handlers, gate, generated, on_report)

    def _add(
        self,
        side: ClusterSide,
        handlers: Mapping[int, Handler] | None,
        gate: Gate | None,
        generated: Iterable[int],
        on_report: ReportHandler | None,
    ) -> ClusterSide:
        for command, handler in (handlers or {}).items():
            if gate is None or gate(command):
                side.handlers[command] = handler
        side.generated = frozenset(generated)
        side.on_report = on_report
        if self._on_reporting is not None:
            side.reporter = Reporter(side.attributes, self._look_us)
        self._sides[(side.cluster, side.is_server)] = side
        return side

    def side(self, cluster: int, *, server: bool = True) -> ClusterSide | None:
        """Return the server or client side of a cluster, or None."""
        return self._sides.get((cluster, server))

    def sides(self) -> Iterator[ClusterSide]:
        """Yield every cluster side of this endpoint, in a fixed order."""
        for key in sorted(self._sides):
            yield self._sides[key]

    @property
    def input_clusters(self) -> tuple[int, ...]:
        """Server clusters, ascending, for the simple descriptor."""
        return tuple(sorted(cluster for cluster, server in self._sides if server))

    @property
    def output_clusters(self) -> tuple[int, ...]:
        """Client clusters, ascending, for the simple descriptor."""
        return tuple(sorted(cluster for cluster, server in self._sides if not server))

    def receive(self, indication: ApsdeIndication) -> list[bytes]:
        """Handle one ASDU and return the ASDUs to answer with; unreadable headers are dropped."""
        try:
            frame = parse(indication.asdu)
        except FrameError:
            # Nothing in such a frame says whom or what to answer.
            return []
        is_broadcast = indication.destination >= BROADCAST_ROUTERS
        refusal = self._guard(indication, frame) if self._guard is not None else None
        if refusal is not None:
            return self._default(frame, refusal, is_broadcast)
        try:
            return self._dispatch(indication, frame, is_broadcast)
        except FrameError:
            return self._default(frame, ZclStatus.MALFORMED_COMMAND, is_broadcast)

    def _dispatch(self, indication: ApsdeIndication, frame: ZclFrame, is_broadcast: bool) -> list[bytes]:
        side = self._sides.get((indication.cluster, not frame.is_from_server))
        if frame.is_cluster_command:
            return self._cluster_command(side, indication, frame, is_broadcast)
        if frame.command in _RESPONSES:
            if self.on_response is not None:
                self.on_response(indication, frame)
            return []
        if side is None:
            return self._default(frame, _unsupported(frame), is_broadcast)
        if frame.command == GeneralCommand.REPORT_ATTRIBUTES:
            return self._default(frame, self._report(side, indication, frame), is_broadcast)
        answer = self._general(side, indication, frame)
        if answer is None:
            return self._default(frame, _unsupported(frame), is_broadcast)
        return [] if is_broadcast or not answer else answer

    def _cluster_command(
        self, side: ClusterSide | None, indication: ApsdeIndication, frame: ZclFrame, is_broadcast: bool
    ) -> list[bytes]:
        handler: Handler | None = None
        if side is not None and frame.manufacturer is None:
            handler = side.handlers.get(frame.command)
        elif side is not None and frame.manufacturer is not None:
            handler = side.manufacturer_handlers.get((frame.manufacturer, frame.command))
        if handler is None:
            claimed = self.on_response is not None and self.on_response(indication, frame)
            return self._default(frame, ZclStatus.SUCCESS if claimed else _unsupported(frame), is_broadcast)
        result = handler(indication, frame)
        if isinstance(result, DeferredReply):
            return []
        if isinstance(result, Reply):
            return [cluster_response(frame, result.command, result.payload)]
        return self._default(frame, result or ZclStatus.SUCCESS, is_broadcast)

    @staticmethod
    def _report(side: ClusterSide, indication: ApsdeIndication, frame: ZclFrame) -> int:
        if side.on_report is None:
            return ZclStatus.UNSUP_GENERAL_COMMAND
        return side.on_report(indication, parse_records(frame.payload)) or ZclStatus.SUCCESS

    def _general(self, side: ClusterSide, indication: ApsdeIndication, frame: ZclFrame) -> list[bytes] | None:
        """Answer a general request; None when the command is not supported, [] when it has no answer."""
        payload, maker, table = frame.payload, frame.manufacturer, side.attributes
        room = self._longest_answer - (3 if maker is None else 5)
        match frame.command:
            case GeneralCommand.READ_ATTRIBUTES:
                answer = foundation.read_attributes(table, payload, maker, room)
            case GeneralCommand.WRITE_ATTRIBUTES:
                answer = foundation.write_attributes(table, payload, maker)
            case GeneralCommand.WRITE_ATTRIBUTES_UNDIVIDED:
                answer = foundation.write_attributes(table, payload, maker, undivided=True)
                return [general_response(frame, GeneralCommand.WRITE_ATTRIBUTES_RESPONSE, answer)]
            case GeneralCommand.WRITE_ATTRIBUTES_NO_RESPONSE:
                foundation.write_attributes(table, payload, maker)
                return []
            case GeneralCommand.CONFIGURE_REPORTING:
                answer = self._configure_reporting(side, indication, frame)
            case GeneralCommand.READ_REPORTING_CONFIGURATION:
                answer = foundation.read_reporting_configuration(table, side.reporter, payload, maker, room)
            case GeneralCommand.DISCOVER_ATTRIBUTES:
                answer = foundation.discover_attributes(table, payload, maker, room=room)
            case GeneralCommand.DISCOVER_ATTRIBUTES_EXTENDED:
                answer = foundation.discover_attributes(table, payload, maker, extended=True, room=room)
            case GeneralCommand.DISCOVER_COMMANDS_RECEIVED:
                answer = foundation.discover_commands(side.received(maker), payload, room)
            case GeneralCommand.DISCOVER_COMMANDS_GENERATED:
                answer = foundation.discover_commands(side.generated if maker is None else (), payload, room)
            case _:
                return None
        command = _ANSWERS.get(frame.command, frame.command + 1)
        return [general_response(frame, command, answer)]

    def _configure_reporting(self, side: ClusterSide, indication: ApsdeIndication, frame: ZclFrame) -> bytes:
        configurer = None
        if indication.source_eui64 is not None:
            secure = indication.security is Security.APS
            source = indication.source_eui64, indication.source_endpoint
            configurer = Configurer(*source, indication.profile, secure)
        now_us = self._clock()
        answer = foundation.configure_reporting(
            side.reporter, frame.payload, now_us, configurer, frame.manufacturer
        )
        if self._on_reporting is not None:
            self._on_reporting(self, side)
        return answer

    @staticmethod
    def _default(frame: ZclFrame, status: int, is_broadcast: bool) -> list[bytes]:
        """Make a Default Response where the ZCL wants one: never to a broadcast nor to another one."""
        if is_broadcast or (
            not frame.is_cluster_command and frame.command == GeneralCommand.DEFAULT_RESPONSE
        ):
            return []
        if status == ZclStatus.SUCCESS and not frame.wants_default_response:
            return []
        return [default_response(frame, status)]


_ANSWERS = {int(GeneralCommand.WRITE_ATTRIBUTES): int(GeneralCommand.WRITE_ATTRIBUTES_RESPONSE)}

_RESPONSES = frozenset(
    {
        int(GeneralCommand.READ_ATTRIBUTES_RESPONSE),
        int(GeneralCommand.WRITE_ATTRIBUTES_RESPONSE),
        int(GeneralCommand.CONFIGURE_REPORTING_RESPONSE),
        int(GeneralCommand.READ_REPORTING_CONFIGURATION_RESPONSE),
        int(GeneralCommand.DEFAULT_RESPONSE),
        int(GeneralCommand.DISCOVER_ATTRIBUTES_RESPONSE),
        int(GeneralCommand.DISCOVER_COMMANDS_RECEIVED_RESPONSE),
        int(GeneralCommand.DISCOVER_COMMANDS_GENERATED_RESPONSE),
        int(GeneralCommand.DISCOVER_ATTRIBUTES_EXTENDED_RESPONSE),
    }
)


def _unsupported(frame: ZclFrame) -> ZclStatus:
    """Return the status for a command nobody handles (ZCL status values; also for an absent cluster)."""
    if frame.is_cluster_command:
        if frame.manufacturer is None:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        return ZclStatus.UNSUP_MANUF_CLUSTER_COMMAND
    if frame.manufacturer is None:
        return ZclStatus.UNSUP_GENERAL_COMMAND
    return ZclStatus.UNSUP_MANUF_GENERAL_COMMAND
