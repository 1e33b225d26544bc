"""Certificate-based key establishment as machines without I/O: initiator, responder, and the cluster that has
both.

initiator                          responder Initiate request        ------> <------    Initiate response
Ephemeral Data request  ------> <------    Ephemeral Data response Confirm Key (MACU)      ------>    key
stored key stored              <------    Confirm Key (MACV)

Terminate from either side ends it; a time-out ends it silently. Smart Energy Annex C.3; protocol fact sheet,
section 1.1. `KeyEstablishment` is what a device uses: it keeps to one exchange at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from hmac import compare_digest
from typing import ClassVar, Final

from emulator.crypto.suite import Suite
from emulator.errors import CryptoError
from emulator.smart_energy.cbke.codec import (
    CbkeCommand,
    Terminate,
    TerminateStatus,
    best_common_suite,
    check_confirmation,
    check_ephemeral,
)
from emulator.smart_energy.cbke.cryptography import (
    Answer,
    CbkeCryptography,
    ComputeSecrets,
    EphemeralReady,
    GenerateEphemeral,
    HostCryptography,
    SecretsReady,
)
from emulator.smart_energy.cbke.exchange import (
    COMMAND_INPUTS,
    Abort,
    CancelTimer,
    CbkeConfig,
    Effect,
    Established,
    Exchange,
    Failed,
    FailureCause,
    Handler,
    Input,
    Send,
    SetTimer,
    State,
)

__all__ = [
    "CancelTimer",
    "CbkeCommand",
    "CbkeConfig",
    "CbkeCryptography",
    "Effect",
    "Established",
    "Failed",
    "FailureCause",
    "HostCryptography",
    "Initiator",
    "KeyEstablishment",
    "Responder",
    "Send",
    "SetTimer",
    "State",
    "TerminateStatus",
    "best_common_suite",
]

SETTLED_TIMER: Final = "cbke-settled"


class Initiator(Exchange):
    """The client side: asks a partner for a key."""

    INITIATED = True
    TIMER = "cbke-initiator"

    def start(self, partner: int, suite: Suite) -> list[Effect]:
        """Begin an exchange with `partner` (its EUI-64); raises `CryptoError` when busy or without that
        suite.
        """
        if self.busy:
            raise CryptoError("key establishment: an exchange is already under way")
        if not suite & self.cryptography.suites:
            raise CryptoError(f"key establishment: no identity for suite {suite.value}; issue one first")
        self.partner, self.suite = partner, suite
        self.run(Input.START, suite)
        return self.drain()

    def receive(self, partner: int, command_id: int, payload: bytes) -> list[Effect]:
        """Take a response; from anyone but the partner, unknown, or repeated, it is ignored."""
        if partner != self.partner:
            return []
        if command_id == CbkeCommand.TERMINATE:
            return self.terminated(payload)
        if command_id not in COMMAND_INPUTS or (command_id, payload) in self.accepted:
            return []
        return self.take(CbkeCommand(command_id), payload)

    def _start(self, suite: Suite) -> State:
        self.send(CbkeCommand.INITIATE, self.own_terms())
        self.set_timer(self.config.step_seconds)
        return State.AWAIT_INITIATE

    def _initiate_response(self, payload: bytes) -> State:
        asked = self.suite
        self.check_terms(payload)
        if self.suite is not asked:
            raise Abort(
                TerminateStatus.BAD_MESSAGE, f"suite {self.suite.value} answered, {asked.value} asked for"
            )
        return self.perform(GenerateEphemeral(self.suite), State.GENERATING)

    def _ephemeral_ready(self, answer: EphemeralReady) -> State:
        self.own_ephemeral = answer.public_key
        self.send(CbkeCommand.EPHEMERAL_DATA, answer.public_key)
        self.set_timer(self.config.step_seconds + self.partner_terms.ephemeral_seconds)
        return State.AWAIT_EPHEMERAL

    def _ephemeral_response(self, payload: bytes) -> State:
        ephemeral = self.check_reflection(check_ephemeral(self.suite, payload))
        operation = ComputeSecrets(self.suite, True, self.partner_terms.certificate, ephemeral)
        return self.perform(operation, State.DERIVING)

    def _secrets_ready(self, answer: SecretsReady) -> State:
        self.secrets = answer
        self.send(CbkeCommand.CONFIRM_KEY, answer.confirmation.macu)
        self.set_timer(self.config.step_seconds + self.partner_terms.confirm_seconds)
        return State.AWAIT_CONFIRM

    def _confirm_response(self, payload: bytes) -> State:
        assert self.secrets is not None
        if not compare_digest(check_confirmation(payload), self.secrets.confirmation.macv):
            raise Abort(TerminateStatus.BAD_KEY_CONFIRM, "MACV is wrong: the partner derived another key")
        return self.establish()

    TABLE: ClassVar[Mapping[tuple[State, Input], Handler]] = {
        (State.IDLE, Input.START): _start,
        (State.AWAIT_INITIATE, Input.INITIATE): _initiate_response,
        (State.GENERATING, Input.EPHEMERAL_READY): _ephemeral_ready,
        (State.AWAIT_EPHEMERAL, Input.EPHEMERAL_DATA): _ephemeral_response,
        (State.DERIVING, Input.SECRETS_READY): _secrets_ready,
        (State.AWAIT_CONFIRM, Input.CONFIRM_KEY): _confirm_response,
    }


class Responder(Exchange):
    """The server side: answers whoever asks, one partner at a time."""

    INITIATED = False
    TIMER = "cbke-responder"

    def __init__(self, config: CbkeConfig, cryptography: CbkeCryptography) -> None:
        super().__init__(config, cryptography)
        self._early_confirm: bytes | None = None
        self._settled: tuple[int, bytes] | None = None

    def receive(self, partner: int, command_id: int, payload: bytes) -> list[Effect]:
        """Take a request; unknown commands are ignored."""
        if command_id == CbkeCommand.TERMINATE:
            return self.terminated(payload) if partner == self.partner else []
        if command_id not in COMMAND_INPUTS:
            return []
        command = CbkeCommand(command_id)
        if self.busy and partner != self.partner:
            return self.refuse(partner, command)
        if self._is_repeated(partner, command, payload):
            return self.drain()
        if not self.busy and command is not CbkeCommand.INITIATE:
            return [self._terminate(partner, TerminateStatus.BAD_MESSAGE, self.config.back_off_seconds)]
        self.partner = partner
        return self.take(command, payload)

    def refuse(self, partner: int, command: CbkeCommand) -> list[Effect]:
        """Answer a partner whose turn it is not; only a request to begin is answered."""
        if command is not CbkeCommand.INITIATE:
            return []
        return [self._terminate(partner, TerminateStatus.NO_RESOURCES, self.config.busy_wait_seconds)]

    def _terminate(self, partner: int, status: TerminateStatus, wait_seconds: int) -> Send:
        """Return a Terminate to a partner there is no exchange with."""
        terminate = Terminate(status, wait_seconds, self.cryptography.suites)
        return Send(partner, False, CbkeCommand.TERMINATE, terminate.encode())

    def forget_settled(self) -> None:
        """The time in which a repeated Confirm Key is taken for a duplicate is over."""
        self._settled = None

    def _is_repeated(self, partner: int, command: CbkeCommand, payload: bytes) -> bool:
        """Deal with repetitions: Ephemeral Data is answered again, the rest needs no answer.

        A repeated Initiate is a partner that began anew, for the table to deal with.
        """
        if not self.busy:
            return command is CbkeCommand.CONFIRM_KEY and self._settled == (partner, payload)
        if (command, payload) not in self.accepted or command is CbkeCommand.INITIATE:
            return False
        if command is CbkeCommand.EPHEMERAL_DATA and self.own_ephemeral:
            self.send(CbkeCommand.EPHEMERAL_DATA, self.own_ephemeral)
        return True

    def _initiate_request(self, payload: bytes) -> State:
        self.own_ephemeral = self.partner_ephemeral = b""
        self.secrets, self.accepted = None, []
        self._early_confirm = None
        self.check_terms(payload)
        self.send(CbkeCommand.INITIATE, self.own_terms())
        self.set_timer(self.config.step_seconds + self.partner_terms.ephemeral_seconds)
        return State.AWAIT_EPHEMERAL

    def _ephemeral_request(self, payload: bytes) -> State:
        self.partner_ephemeral = check_ephemeral(self.suite, payload)
        return self.perform(GenerateEphemeral(self.suite), State.GENERATING)

    def _ephemeral_ready(self, answer: EphemeralReady) -> State:
        self.own_ephemeral = answer.public_key
        ephemeral = self.check_reflection(self.partner_ephemeral)
        self.send(CbkeCommand.EPHEMERAL_DATA, answer.public_key)
        self.set_timer(self.config.step_seconds + self.partner_terms.confirm_seconds)
        operation = ComputeSecrets(self.suite, False, self.partner_terms.certificate, ephemeral)
        return self.perform(operation, State.DERIVING)

    def _confirm_before_secrets(self, payload: bytes) -> State:
        """Keep a Confirm Key that came while the provider still derives the keys."""
        self._early_confirm = check_confirmation(payload)
        return State.DERIVING

    def _secrets_ready(self, answer: SecretsReady) -> State:
        self.secrets = answer
        if self._early_confirm is None:
            return State.AWAIT_CONFIRM
        return self._confirm_request(self._early_confirm)

    def _confirm_request(self, payload: bytes) -> State:
        assert self.secrets is not None
        assert self.partner is not None
        confirmation = self.secrets.confirmation
        if not compare_digest(check_confirmation(payload), confirmation.macu):
            raise Abort(TerminateStatus.BAD_KEY_CONFIRM, "MACU is wrong: the partner derived another key")
        self.send(CbkeCommand.CONFIRM_KEY, confirmation.macv)
        self._settled = (self.partner, payload)
        self.effects.append(SetTimer(SETTLED_TIMER, self.config.duplicate_seconds * 1_000_000))
        return self.establish()

    TABLE: ClassVar[Mapping[tuple[State, Input], Handler]] = {
        (State.IDLE, Input.INITIATE): _initiate_request,
        (State.AWAIT_EPHEMERAL, Input.INITIATE): _initiate_request,
        (State.AWAIT_CONFIRM, Input.INITIATE): _initiate_request,
        (State.AWAIT_EPHEMERAL, Input.EPHEMERAL_DATA): _ephemeral_request,
        (State.GENERATING, Input.EPHEMERAL_READY): _ephemeral_ready,
        (State.DERIVING, Input.SECRETS_READY): _secrets_ready,
        (State.DERIVING, Input.CONFIRM_KEY): _confirm_before_secrets,
        (State.AWAIT_CONFIRM, Input.CONFIRM_KEY): _confirm_request,
    }


class KeyEstablishment:
    """The Key Establishment cluster of a device: client and server, one exchange at a time."""

    def __init__(self, config: CbkeConfig, cryptography: CbkeCryptography) -> None:
        self._config = config
        self.initiator = Initiator(config, cryptography)
        self.responder = Responder(config, cryptography)

    @property
    def busy(self) -> bool:
        """True while an exchange is under way, whoever began it."""
        return self.initiator.busy or self.responder.busy

    @property
    def suites(self) -> int:
        """The value of the KeyEstablishmentSuite attribute."""
        return self.initiator.cryptography.suites

    def start(self, partner: int, suite: Suite) -> list[Effect]:
        """Ask `partner` (EUI-64) for a key; while busy the result is a `Failed` with cause BUSY.

        Raises `CryptoError` when there is no identity for `suite`.
        """
        if self.busy:
            wait = self._config.back_off_seconds
            detail = "key establishment: another exchange is under way; try again when it is over"
            return [Failed(partner, FailureCause.BUSY, None, wait, detail, True)]
        return self.initiator.start(partner, suite)

    def receive(self, partner: int, *, to_server: bool, command_id: int, payload: bytes) -> list[Effect]:
        """Take a unicast command of the cluster from `partner` (EUI-64); `to_server` is its ZCL direction.

        Broadcasts are not to be passed in. What is not understood is ignored.
        """
        if command_id == CbkeCommand.TERMINATE:
            return self._terminated(partner, payload)
        if not to_server:
            return self.initiator.receive(partner, command_id, payload)
        if self.initiator.busy and command_id in COMMAND_INPUTS:
            return self.responder.refuse(partner, CbkeCommand(command_id))
        return self.responder.receive(partner, command_id, payload)

    def _terminated(self, partner: int, payload: bytes) -> list[Effect]:
        """End the exchange with `partner`, whichever direction the Terminate claims."""
        machine = self.initiator if self.initiator.busy else self.responder
        return machine.receive(partner, CbkeCommand.TERMINATE, payload)

    def timer(self, name: str) -> list[Effect]:
        """A timer fired."""
        if name == SETTLED_TIMER:
            self.responder.forget_settled()
            return []
        machine = self.initiator if name == self.initiator.TIMER else self.responder
        return machine.timeout()

    def computed(self, answer: Answer) -> list[Effect]:
        """Take an answer the cryptography provider gave late."""
        machine = self.initiator if self.initiator.busy else self.responder
        return machine.computed(answer)
