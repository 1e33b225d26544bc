"""Runs the key establishment machine of a device: messages in and out, timers, and what becomes of the key."""

from __future__ import annotations

from collections.abc import Callable

from emulator.clock.kernel import Scope, Timer
from emulator.crypto.suite import Suite
from emulator.smart_energy.cbke.machines import (
    CancelTimer,
    CbkeCommand,
    Effect,
    Established,
    Failed,
    KeyEstablishment,
    Send,
    SetTimer,
)
from emulator.stack.primitives import FIRST_BROADCAST, ApsdeIndication, ApsdeRequest, Confirm
from emulator.zcl.frame import CLUSTER_COMMAND, SERVER_TO_CLIENT, ZclFrame, ZclStatus, build, default_response
from emulator.zcl.identifiers import KEY_ESTABLISHMENT
from hw_profiles.identifiers import SMART_ENERGY_PROFILE

SendAsdu = Callable[[ApsdeRequest, Confirm | None], None]


class KeyEstablishmentShell:
    """The Key Establishment cluster of one device, client and server side, on its endpoint."""

    def __init__(
        self,
        scope: Scope,
        machine: KeyEstablishment,
        send: SendAsdu,
        short_of: Callable[[int], int | None],
        endpoint: int,
    ) -> None:
        """`short_of` finds the short address behind a partner's EUI-64."""
        self.on_established: Callable[[Established], None] | None = None
        self.on_failed: Callable[[Failed], None] | None = None
        self.machine = machine
        self._scope = scope
        self._send = send
        self._short_of = short_of
        self._endpoint = endpoint
        self._partner_endpoint = endpoint
        self._timers: dict[str, Timer] = {}
        self._tsn = 0
        self._request_tsn = 0

    def start(self, partner: int, partner_endpoint: int, suite: Suite) -> None:
        """Ask `partner` (EUI-64) for a link key."""
        self._partner_endpoint = partner_endpoint
        self._run(self.machine.start(partner, suite))

    def handle(self, indication: ApsdeIndication, frame: ZclFrame) -> None:
        """A unicast command of the cluster arrived."""
        partner = indication.source_eui64
        if partner is None or indication.destination >= FIRST_BROADCAST:
            return
        to_server = not frame.is_from_server
        if to_server:
            self._request_tsn = frame.tsn
            self._partner_endpoint = indication.source_endpoint
        self._run(
            self.machine.receive(
                partner, to_server=to_server, command_id=frame.command, payload=frame.payload
            )
        )
        if not to_server and frame.command == CbkeCommand.CONFIRM_KEY and frame.wants_default_response:
            self._transmit(partner, default_response(frame, ZclStatus.SUCCESS))

    def _run(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(partner, to_server, command_id, payload):
                    self._transmit(partner, self._frame(to_server, command_id, payload))
                case SetTimer(name, delay_us):
                    self._scope.cancel(self._timers.get(name))
                    self._timers[name] = self._scope.call_later(delay_us, self._timer, name)
                case CancelTimer(name):
                    self._scope.cancel(self._timers.pop(name, None))
                case Established():
                    if self.on_established is not None:
                        self.on_established(effect)
                case Failed():
                    if self.on_failed is not None:
                        self.on_failed(effect)

    def _timer(self, name: str) -> None:
        self._timers.pop(name, None)
        self._run(self.machine.timer(name))

    def _frame(self, to_server: bool, command_id: int, payload: bytes) -> bytes:
        # Default responses stay enabled and an answer reuses the request's number (protocol facts 1.1).
        if to_server:
            self._tsn = (self._tsn + 1) & 0xFF
            return build(CLUSTER_COMMAND, self._tsn, command_id, payload)
        return build(CLUSTER_COMMAND | SERVER_TO_CLIENT, self._request_tsn, command_id, payload)

    def _transmit(self, partner: int, asdu: bytes) -> None:
        short = self._short_of(partner)
        if short is None:
            return
        request = ApsdeRequest(
            short,
            self._partner_endpoint,
            SMART_ENERGY_PROFILE,
            KEY_ESTABLISHMENT,
            self._endpoint,
            asdu,
            ack=True,
        )
        self._send(request, None)
