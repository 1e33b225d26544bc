"""One boot of a co-processor's firmware: version negotiation, dispatch of commands, callbacks.

No octets from the host can make it raise: what is unknown, malformed or out of order gets invalidCommand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bellows.types import EzspStatus

from emulator.coordinator.ezsp.cbke import CbkeCommands
from emulator.coordinator.ezsp.commands import Command, CommandSet, command_set
from emulator.coordinator.ezsp.configuration import Configuration
from emulator.coordinator.ezsp.core import (
    Answer,
    Core,
    Handler,
    NcpConfig,
    Surroundings,
    Values,
    effective_eui64,
)
from emulator.coordinator.ezsp.defaults import ACCEPTED, RELEASES, STACK_TYPE_MESH
from emulator.coordinator.ezsp.frames import (
    ASYNCHRONOUS_CALLBACK,
    RESPONSE,
    EzspFrame,
    decode,
    encode,
    format_of,
)
from emulator.coordinator.ezsp.housekeeping import Housekeeping
from emulator.coordinator.ezsp.messaging import Messaging
from emulator.coordinator.ezsp.mfglib import Mfglib
from emulator.coordinator.ezsp.networking import Networking
from emulator.coordinator.ezsp.scanning import Scanning
from emulator.coordinator.ezsp.security import SecurityCommands
from emulator.coordinator.ezsp.status import SlStatus
from emulator.coordinator.ezsp.tables import Tables
from emulator.coordinator.ezsp.tokens import Tokens
from emulator.coordinator.ezsp.trust import Trust
from emulator.errors import EmulatorError, FrameError
from emulator.stack.events import StackEvent
from emulator.stack.node import Node, NodeConfig
from emulator.stack.nwk.service import NodeType

VERSION = 0x0000
INVALID_COMMAND = 0x0058
_WIDE_STATUS_SINCE = 14


class Firmware:
    """The firmware from one reset to the next."""

    def __init__(
        self,
        surroundings: Surroundings,
        config: NcpConfig,
        send: Callable[[bytes], object],
        *,
        framing_errors: Callable[[], int] = lambda: 0,
    ) -> None:
        """`send` takes EZSP frames for the host."""
        self._surroundings = surroundings
        self._config = config
        self._send = send
        self._framing_errors = framing_errors
        self._commands: CommandSet = command_set(config.version)
        self._format = format_of(config.version)
        self._negotiated = False
        self._sequence = 0
        self._answering = False
        self._waiting: list[tuple[str, Values]] = []
        self._boot()

    def _boot(self) -> None:
        node = self._power_up()
        self.node = node
        self._scope = node.scope
        core = Core(self._config, self._surroundings, node, self._callback)
        configuration = Configuration(core)
        security = SecurityCommands(core, configuration)
        networking = Networking(core, security)
        tables = Tables(core, configuration)
        messaging = Messaging(core, configuration, tables)
        cbke = CbkeCommands(core, configuration.values)
        trust = Trust(core, configuration, security, networking)
        mfglib = Mfglib(core)
        parts = (
            configuration,
            security,
            networking,
            tables,
            messaging,
            cbke,
            trust,
            mfglib,
            Scanning(core),
            Tokens(core, networking, security, cbke, self._boot),
            Housekeeping(core, messaging, self._framing_errors),
        )
        self._handlers: dict[str, Handler] = dict.fromkeys(ACCEPTED, _accept)
        self._handlers["callback"] = _accept
        for part in parts:
            self._handlers.update(part.handlers())
        listeners = (networking.event, trust.event, mfglib.event)

        def event(what: StackEvent) -> None:
            for listener in listeners:
                listener(what)

        node.on_event = event
        node.on_data = messaging.indication

    def _power_up(self) -> Node:
        config, place = self._config, self._surroundings
        node_config = NodeConfig(
            eui64=effective_eui64(config, place.memory),
            device_type=NodeType.COORDINATOR,
            manufacturer_code=config.manufacturer_code,
            name=config.label,
            max_incoming_transfer=config.max_incoming_transfer,
            stack_revision=22,
            position=config.position,
        )
        return Node(place.kernel, place.medium, node_config, place.memory, on_key=place.on_key, pass_zdo=True)

    def end(self) -> None:
        """Lose power, or reset."""
        self.node.power_off()

    # Frames from the host

    def receive(self, octets: bytes) -> None:
        """Take an EZSP frame; the answer, and then the callbacks it caused, go out by `send`."""
        try:
            frame = decode(octets, self._format)
        except FrameError:
            return  # shorter than any header: there is no sequence number to answer under
        self._sequence = frame.sequence
        self._answering = True
        try:
            identifier, answer = self._answer(frame)
        finally:
            self._answering = False
        self._send(encode(frame._replace(control=RESPONSE, identifier=identifier, parameters=answer)))
        waiting, self._waiting = self._waiting, []
        for name, values in waiting:
            self._callback(name, values)

    def _answer(self, frame: EzspFrame) -> tuple[int, bytes]:
        if frame.identifier == VERSION:
            return self._version(frame)
        if not self._negotiated or frame.format is not self._format:
            return self._invalid(EzspStatus.ERROR_VERSION_NOT_SET)
        command = self._commands.by_identifier.get(frame.identifier)
        handler = None if command is None else self._handlers.get(command.name)
        if command is None or handler is None:
            return self._invalid(EzspStatus.ERROR_INVALID_FRAME_ID)
        try:
            values = command.parameters.read(frame.parameters)
        except FrameError:
            return self._invalid(EzspStatus.ERROR_TRUNCATED)
        return command.identifier, command.answer.write(self._handle(handler, values))

    def _handle(self, handler: Handler, values: Mapping[str, Any]) -> Answer:
        try:
            return handler(values)
        except EmulatorError:
            # The stack refused; a co-processor has no words for why.
            return {"status": SlStatus.FAIL}

    def _version(self, frame: EzspFrame) -> tuple[int, bytes]:
        """Answer `version` in the form it came in; other commands are taken once the host asked for ours.

        Asking in the old form is enough: zigbee-herdsman repeats the question in the extended form only when
        its first guess, the newest version it knows, was wrong.
        """
        if not frame.parameters:
            return self._invalid(EzspStatus.ERROR_TRUNCATED)
        ours = self._config.version
        self._negotiated = frame.parameters[0] == ours
        stack = RELEASES[ours].stack_version.to_bytes(2, "little")
        return VERSION, bytes((ours, STACK_TYPE_MESH)) + stack

    def _invalid(self, reason: EzspStatus) -> tuple[int, bytes]:
        if self._config.version >= _WIDE_STATUS_SINCE:
            return INVALID_COMMAND, int(SlStatus.ZIGBEE_EZSP_ERROR).to_bytes(4, "little")
        return INVALID_COMMAND, bytes((reason,))

    # Frames to the host

    def _callback(self, name: str, values: Values) -> None:
        """Send a callback; one the version does not have is left out, and so is any before negotiation."""
        if self._answering:
            self._waiting.append((name, values))
            return
        command: Command | None = self._commands.get(name)
        if command is None or not self._negotiated:
            return
        control = RESPONSE | ASYNCHRONOUS_CALLBACK
        octets = command.answer.write(values)
        self._send(encode(EzspFrame(self._sequence, control, command.identifier, octets, self._format)))


def _accept(_: Values) -> Answer:
    """Answer with a good status and zeros."""
    return {}
