"""The head end: one comms hub as its controller reaches it, over the wide-area link and nothing else.

Whoever controls the hub now (`HubKeys`: the SMSO first, S1SP and DCO after cut-over) seals every operation; the
hub answers each envelope once, and a repeat of the same octets gets the same answer, so lost datagrams are simply
sent again. The hub's envelope counter rises strictly, so calls of one control role wait for each other: the
operation asked first is answered before the next is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from emulator.clock.kernel import MICROSECONDS
from emulator.devices.control import (
    ControlResponse,
    ControlRole,
    ControlStatus,
    command_payload,
    decode_envelope,
    decode_response,
)
from emulator.errors import FrameError, RecordError
from emulator.eui64 import format_eui64
from emulator.wan.alerts import Alert, decode_alert
from emulator.wan.link import WanLink
from emulator.wan.messages import WanError
from emulator.wan.operations import Control, Operation, decode_result, encode_operation
from harness.errors import HarnessError, UnreachableError
from hw_profiles.limits import DEFAULT_LIMITS, Limits

R = TypeVar("R")
AlertListener = Callable[[Alert], None]
Send = Callable[[int, bytes], Awaitable[bytes]]

FIRST_REPEAT_S = 20.0
LONGEST_REPEAT_S = 80.0
"""The same envelope is sent again after the first wait, which doubles up to the longest."""
SHORTEST_WAIT_S = 0.001
"""Less than this left of a timeout counts as nothing: it may be too little for the clock to show."""
ASLEEP_MARGIN_S = 30.0
"""A hub is taken to be asleep this long before it would be: a datagram may still be on its way."""
SUPERSEDED_ATTEMPTS = 5


class HubUnreachableError(UnreachableError):
    """The hub gave no answer at all, however often it was woken and asked."""


class HubRefusedError(HarnessError):
    """The hub answered that it did not carry the operation out; `code` and `text` are the hub's own."""

    exit_status = 1

    def __init__(self, operation: str, code: str, text: str) -> None:
        super().__init__(f"hub, operation {operation}: {code}: {text}")
        self.code = code
        self.text = text


class NotInControlError(HarnessError):
    """The hub does not accept the keys: another party controls it."""

    exit_status = 1

    def __init__(self, hub_eui64: int, status: ControlStatus) -> None:
        super().__init__(
            f"hub {format_eui64(hub_eui64)} refused the control key: {status.name}; another party controls it"
        )
        self.status = status


class HubKeys(Protocol):
    """The hub's control keys as the party that controls it now uses them."""

    def envelope(self, role: ControlRole, payload: bytes) -> bytes:
        """Return the next envelope; no two are equal, and their counters rise."""

    def holds(self, role: ControlRole, response: bytes) -> bool:
        """Tell whether a response was made with the role's key."""

    async def catch_up(self, role: ControlRole, send: Send) -> None:
        """Get ahead of another holder of the same key, whose envelopes the hub has accepted meanwhile."""


class HeadEnd:
    """Operations on one hub. Set `keys` anew when control of the hub passes to other parties."""

    def __init__(
        self,
        link: WanLink,
        hub_eui64: int,
        keys: HubKeys,
        *,
        wake_messages: int | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Take over the head-end side of `link`; `wake_messages` is how many SMS this hub needs.

        `limits` say how long an answer is waited for.
        """
        self._limits = limits
        self.keys = keys
        self.hub_eui64 = hub_eui64
        self.on_control: Callable[[], None] = lambda: None
        """Called when a device has answered a control envelope, before its sender hears of it."""
        self._link = link
        self._wake_messages = link.parameters.wake_messages if wake_messages is None else wake_messages
        self._heard_s: float | None = None
        self._turn = {role: asyncio.Lock() for role in ControlRole}
        self._waiting: dict[ControlRole, asyncio.Future[bytes]] = {}
        self._expected: dict[ControlRole, tuple[int, int]] = {}
        self._listeners: list[AlertListener] = []
        link.on_head_end = self._received

    def close(self) -> None:
        """Stop listening."""
        self._link.on_head_end = None

    def on_alert(self, listener: AlertListener) -> Callable[[], None]:
        """Call `listener` with every alert; returns what ends the subscription."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def call(self, operation: Operation[R], *, timeout_s: float | None = None) -> R:
        """Have the hub carry out an operation and return its result.

        Raises `HubUnreachableError` (no answer: the operation may or may not have happened), `HubRefusedError`
        (the hub says why not) or `NotInControlError` (the keys are not the hub's).
        """
        role = ControlRole.CRITICAL if operation.CRITICAL else ControlRole.NON_CRITICAL
        payload = command_payload(encode_operation(operation))
        if timeout_s is None:
            limits = self._limits
            timeout_s = limits.device_answer_s if operation.ASKS_DEVICE else limits.hub_answer_s
        async with self._turn[role]:
            response = await self._answered(role, payload, timeout_s, operation.NAME)
        return _result(operation, response)

    async def send_control(self, eui64: int, envelope: bytes, *, timeout_s: float | None = None) -> bytes:
        """Carry somebody's control envelope to a device and return its response, whatever it says.

        One for the hub goes to it directly; the hub relays the others, unable to read or alter them. Raises
        `HubUnreachableError`, and `UnreachableError` when the hub cannot reach the device.
        """
        response = await self._control(
            eui64, envelope, self._limits.device_answer_s if timeout_s is None else timeout_s
        )
        self.on_control()
        return response

    async def _control(self, eui64: int, envelope: bytes, timeout_s: float) -> bytes:
        if eui64 == self.hub_eui64:
            role = decode_envelope(envelope).role
            async with self._turn[role]:
                return await self._transmit(role, envelope, self._limits.hub_answer_s, "control of the hub")
        try:
            answer = await self.call(Control(format_eui64(eui64), envelope), timeout_s=timeout_s)
        except HubRefusedError as error:
            raise UnreachableError(f"{format_eui64(eui64)}: {error.code}: {error.text}") from error
        return answer.response

    # One envelope at a time

    async def _answered(
        self, role: ControlRole, payload: bytes, timeout_s: float, what: str
    ) -> ControlResponse:
        for _ in range(SUPERSEDED_ATTEMPTS):
            octets = await self._transmit(role, self.keys.envelope(role, payload), timeout_s, what)
            response = decode_response(octets)
            if response.status is ControlStatus.REPLAY and self.keys.holds(role, octets):
                # Another holder of the same key has used higher counters: nothing was carried out.
                await self.keys.catch_up(role, self._send_to_hub)
                continue
            if response.status is not ControlStatus.OK or not self.keys.holds(role, octets):
                raise NotInControlError(self.hub_eui64, response.status)
            return response
        raise HubRefusedError(
            what, "replay", "the hub takes every envelope for an old one; somebody else commands it too"
        )

    async def _send_to_hub(self, _eui64: int, envelope: bytes) -> bytes:
        return await self._transmit(
            decode_envelope(envelope).role, envelope, self._limits.hub_answer_s, "control of the hub"
        )

    async def _transmit(self, role: ControlRole, envelope: bytes, timeout_s: float, what: str) -> bytes:
        loop = asyncio.get_running_loop()
        deadline, wait_s = loop.time() + timeout_s, FIRST_REPEAT_S
        future: asyncio.Future[bytes] = loop.create_future()
        self._waiting[role] = future
        sent = decode_envelope(envelope)
        self._expected[role] = (sent.generation, sent.counter)
        try:
            while (left_s := deadline - loop.time()) > SHORTEST_WAIT_S:
                await self._wake()
                self._link.to_hub(envelope)
                done, _ = await asyncio.wait({future}, timeout=min(wait_s, left_s))
                if done:
                    return future.result()
                wait_s = min(2 * wait_s, LONGEST_REPEAT_S)
        finally:
            del self._waiting[role]
        raise HubUnreachableError(
            f"hub {format_eui64(self.hub_eui64)} did not answer within {timeout_s:g} s ({what}); "
            "check the wide-area link and try again"
        )

    async def _wake(self) -> None:
        asleep_after_s = self._link.parameters.asleep_after_us / MICROSECONDS - ASLEEP_MARGIN_S
        now = asyncio.get_running_loop().time()
        if self._heard_s is not None and now - self._heard_s < asleep_after_s:
            return
        for _ in range(max(1, self._wake_messages)):
            self._link.wake()
        await asyncio.sleep(self._link.parameters.wake_latency_us / MICROSECONDS + 0.1)

    # What arrives

    def _received(self, datagram: bytes) -> None:
        self._heard_s = asyncio.get_running_loop().time()
        try:
            response = decode_response(datagram)
        except FrameError:
            return  # not a datagram of this protocol: nothing it could answer
        alert = self._alert(response, datagram)
        if alert is not None:
            for listener in list(self._listeners):
                listener(alert)
            return
        future = self._waiting.get(response.role)
        if future is not None and not future.done() and self._answers(response):
            future.set_result(datagram)

    def _alert(self, response: ControlResponse, datagram: bytes) -> Alert | None:
        if response.status is not ControlStatus.OK or not response.payload:
            return None
        alert = decode_alert(response.payload)
        return alert if alert is not None and self.keys.holds(response.role, datagram) else None

    def _answers(self, response: ControlResponse) -> bool:
        generation, counter = self._expected[response.role]
        if response.status is not ControlStatus.OK or response.counter == counter:
            return True
        # A rotation answers under the new key, whose counter starts again.
        return response.generation == generation + 1 and not response.payload


def _result(operation: Operation[R], response: ControlResponse) -> R:
    try:
        return decode_result(operation, response.payload)
    except WanError as error:
        raise HubRefusedError(operation.NAME, error.code, error.text) from error
    except (FrameError, RecordError) as error:
        text = f"{len(response.payload)} octets that are no result: {error}"
        raise HubRefusedError(operation.NAME, "no-result", text) from error
