"""What both sides of a key establishment share: inputs, effects, settings, and how an exchange ends.

The machines do no I/O: each input returns the effects to carry out, in order. A machine is a table
`(state, input) -> handler`; a handler appends effects and returns the next state, or raises `Abort`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, ClassVar, Final, NamedTuple, Self

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.crypto.certificates import parse_certificate
from emulator.crypto.suite import Suite
from emulator.errors import CryptoError, FrameError
from emulator.smart_energy.cbke.codec import (
    CbkeCommand,
    Initiate,
    Terminate,
    TerminateStatus,
    decode_initiate,
    decode_terminate,
)
from emulator.smart_energy.cbke.cryptography import (
    Answer,
    CbkeCryptography,
    CryptographyFailed,
    EphemeralReady,
    Operation,
    SecretsReady,
    certificate_fault,
)


@dataclass(frozen=True, slots=True)
class CbkeConfig:
    """Settings of a device's key establishment; the defaults are EmberZNet's (protocol fact sheet, section
    1.1).
    """

    eui64: int
    ephemeral_seconds: int = 11
    """Advertised time to make ephemeral data."""
    confirm_seconds: int = 16
    """Advertised time to make a confirmation."""
    step_seconds: int = 10
    """Waited for each answer on top of the partner's advertised time."""
    busy_wait_seconds: int = 30
    """Wait time a second partner is told with NO_RESOURCES."""
    back_off_seconds: int = 10
    """Wait time a partner is told with every other Terminate."""
    duplicate_seconds: int = 5
    """How long after success a repeated Confirm Key is taken for a duplicate."""


class Send(NamedTuple):
    """Send a command of the cluster to `partner`; NWK security only, APS acknowledgement on."""

    partner: int
    to_server: bool
    command_id: CbkeCommand
    payload: bytes


class SetTimer(NamedTuple):
    """Start or restart the timer `name`; call `timer(name)` when it fires."""

    name: str
    delay_us: int


class CancelTimer(NamedTuple):
    """Stop the timer `name` if it runs."""

    name: str


class Established(NamedTuple):
    """The new link key with `partner`; None when the cryptography provider keeps it."""

    partner: int
    link_key: bytes | None
    suite: Suite
    initiated: bool


class FailureCause(Enum):
    """What ended an exchange without a key."""

    TIMED_OUT = "the partner did not answer in time"
    TERMINATED = "this side terminated"
    TERMINATED_BY_PARTNER = "the partner terminated"
    BUSY = "another exchange is under way"


class Failed(NamedTuple):
    """The exchange is over without a key; `status` is the one of the Terminate sent or received, if any."""

    partner: int
    cause: FailureCause
    status: int | None
    wait_seconds: int
    detail: str
    initiated: bool


Effect = Send | SetTimer | CancelTimer | Established | Failed


class State(Enum):
    """Where an exchange stands; the computing states are passed at once unless the provider answers later."""

    IDLE = auto()
    AWAIT_INITIATE = auto()
    GENERATING = auto()
    AWAIT_EPHEMERAL = auto()
    DERIVING = auto()
    AWAIT_CONFIRM = auto()


class Input(Enum):
    """What can happen to an exchange."""

    START = auto()
    INITIATE = auto()
    EPHEMERAL_DATA = auto()
    CONFIRM_KEY = auto()
    EPHEMERAL_READY = auto()
    SECRETS_READY = auto()


COMMAND_INPUTS: Final = {
    CbkeCommand.INITIATE: Input.INITIATE,
    CbkeCommand.EPHEMERAL_DATA: Input.EPHEMERAL_DATA,
    CbkeCommand.CONFIRM_KEY: Input.CONFIRM_KEY,
}


class Abort(Exception):  # noqa: N818 - control flow inside a machine, never seen outside
    """A handler's verdict that the exchange must be terminated."""

    def __init__(self, status: TerminateStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


Handler = Callable[[Any, Any], State]


class Exchange:
    """One side of an exchange; `Initiator` and `Responder` give the table."""

    INITIATED: ClassVar[bool]
    TIMER: ClassVar[str]
    TABLE: ClassVar[Mapping[tuple[State, Input], Handler]]

    def __init__(self, config: CbkeConfig, cryptography: CbkeCryptography) -> None:
        self.state = State.IDLE
        self.partner: int | None = None
        self.suite = Suite.SUITE_1
        self.config = config
        self.cryptography = cryptography
        self.effects: list[Effect] = []
        self.partner_terms = Initiate(0, 0, 0, b"")
        self.partner_ephemeral = b""
        self.own_ephemeral = b""
        self.secrets: SecretsReady | None = None
        self.accepted: list[tuple[CbkeCommand, bytes]] = []

    @property
    def busy(self) -> bool:
        """True while an exchange is under way."""
        return self.state is not State.IDLE

    def timeout(self) -> list[Effect]:
        """The step timer fired: give up without a Terminate (Annex C)."""
        if self.busy:
            waited = self.state.name.lower().replace("_", " ")
            self._fail(FailureCause.TIMED_OUT, None, self.config.back_off_seconds, f"timed out: {waited}")
        return self.drain()

    def computed(self, answer: Answer) -> list[Effect]:
        """Take an answer the cryptography provider gave late; one that nobody waits for is dropped."""
        self._take(answer)
        return self.drain()

    def terminated(self, payload: bytes) -> list[Effect]:
        """The partner sent a Terminate; it is never answered."""
        if self.busy:
            try:
                terminate = decode_terminate(payload)
                detail = f"the partner terminated: {_status_name(terminate.status)}"
            except FrameError as error:
                terminate = Terminate(0, self.config.back_off_seconds, 0)
                detail = f"the partner terminated with a malformed message: {error}"
            cause = FailureCause.TERMINATED_BY_PARTNER
            self._fail(cause, terminate.status, terminate.wait_seconds, detail)
        return self.drain()

    def drain(self) -> list[Effect]:
        """Return the effects gathered since the last call."""
        effects, self.effects = self.effects, []
        return effects

    def take(self, command: CbkeCommand, payload: bytes) -> list[Effect]:
        """Run the machine on a message of the partner, and remember the message if it was accepted."""
        self.run(COMMAND_INPUTS[command], payload)
        if self.busy:
            self.accepted.append((command, payload))
        return self.drain()

    def run(self, happening: Input, data: object) -> None:
        """Look the input up and run its handler; one without a place in the table is out of sequence."""
        try:
            handler = self.TABLE.get((self.state, happening))
            if handler is None:
                name = happening.name.lower().replace("_", " ")
                raise Abort(
                    TerminateStatus.BAD_MESSAGE, f"{name} is out of sequence in state {self.state.name}"
                )
            self.state = handler(self, data)
        except Abort as abort:
            self.abort(abort.status, abort.detail)
        except FrameError as error:
            self.abort(TerminateStatus.BAD_MESSAGE, str(error))

    def perform(self, operation: Operation, waiting: State) -> State:
        """Have `operation` done and return the state after it; an answer at once moves the machine on."""
        self.state = waiting
        answer = self.cryptography.perform(operation)
        if answer is None:
            self.set_timer(self.config.step_seconds)
        else:
            self._take(answer)
        return self.state

    def _take(self, answer: Answer) -> None:
        if isinstance(answer, CryptographyFailed):
            if self.state in (State.GENERATING, State.DERIVING):
                self.abort(answer.status, answer.detail)
        elif isinstance(answer, EphemeralReady):
            if self.state is State.GENERATING:
                self.run(Input.EPHEMERAL_READY, answer)
        elif self.state is State.DERIVING:
            self.run(Input.SECRETS_READY, answer)

    def send(self, command_id: CbkeCommand, payload: bytes) -> None:
        """Send to the partner of the exchange."""
        assert self.partner is not None
        self.effects.append(Send(self.partner, self.INITIATED, command_id, payload))

    def set_timer(self, seconds: int) -> None:
        """Start the step timer."""
        self.effects.append(SetTimer(self.TIMER, seconds * SECOND))

    def abort(self, status: TerminateStatus, detail: str) -> None:
        """Terminate the exchange from this side."""
        if self.partner is None:
            return
        wait = self.config.back_off_seconds
        self.send(CbkeCommand.TERMINATE, Terminate(status, wait, self.cryptography.suites).encode())
        self._fail(FailureCause.TERMINATED, status, wait, detail)

    def _fail(self, cause: FailureCause, status: int | None, wait_seconds: int, detail: str) -> None:
        partner = self.partner
        assert partner is not None
        self._end(store=False)
        self.effects.append(Failed(partner, cause, status, wait_seconds, detail, self.INITIATED))

    def establish(self) -> State:
        """End the exchange with its key."""
        assert self.partner is not None
        assert self.secrets is not None
        done = Established(self.partner, self.secrets.link_key, self.suite, self.INITIATED)
        self._end(store=True)
        self.effects.append(done)
        return State.IDLE

    def _end(self, *, store: bool) -> None:
        self.effects.append(CancelTimer(self.TIMER))
        self.cryptography.conclude(store=store)
        self.state = State.IDLE
        self.partner = None
        self.secrets = None
        self.accepted = []
        self.own_ephemeral = self.partner_ephemeral = b""

    def own_terms(self) -> bytes:
        """Return this side's Initiate payload."""
        config = self.config
        certificate = self.cryptography.certificate(self.suite)
        return Initiate(self.suite, config.ephemeral_seconds, config.confirm_seconds, certificate).encode()

    def check_terms(self, payload: bytes) -> Self:
        """Take the partner's Initiate, or raise `Abort` or `FrameError` for what is wrong with it."""
        terms = decode_initiate(payload)
        self.suite = self._check_suite(terms.suites)
        certificate = parse_certificate(self.suite, terms.certificate)
        try:
            certificate.check_key_agreement()
        except CryptoError as error:
            raise Abort(certificate_fault(self.suite), str(error)) from error
        own = parse_certificate(self.suite, self.cryptography.certificate(self.suite))
        if certificate.issuer != own.issuer:
            raise Abort(
                TerminateStatus.UNKNOWN_ISSUER,
                f"certificate issuer {certificate.issuer.hex().upper()}, expected {own.issuer.hex().upper()}",
            )
        if certificate.subject != self.partner or certificate.subject == self.config.eui64:
            raise Abort(
                TerminateStatus.BAD_MESSAGE,
                f"certificate subject {certificate.subject:016X}, expected the partner {self.partner:016X}",
            )
        self.partner_terms = terms
        return self

    def _check_suite(self, bits: int) -> Suite:
        if bits.bit_count() != 1:
            raise Abort(TerminateStatus.BAD_MESSAGE, f"suites 0x{bits:04X}, expected exactly one bit")
        if not bits & self.cryptography.suites:
            raise Abort(
                TerminateStatus.UNSUPPORTED_SUITE,
                f"suite 0x{bits:04X}, supported are 0x{self.cryptography.suites:04X}",
            )
        return Suite(bits)

    def check_reflection(self, payload: bytes) -> bytes:
        """Return the partner's ephemeral key, or raise `Abort` when it is this side's own sent back."""
        if payload == self.own_ephemeral:
            raise Abort(TerminateStatus.BAD_MESSAGE, "the partner's ephemeral key is this side's own")
        return payload


def _status_name(status: int) -> str:
    try:
        return TerminateStatus(status).name
    except ValueError:
        return f"status 0x{status:02X}"
