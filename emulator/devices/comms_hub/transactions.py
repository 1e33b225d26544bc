"""ZCL transactions of the hub with its devices: send a request, await the answer that matches it."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from emulator.coordinator.port import CoordinatorPort
from emulator.errors import EmulatorError, FrameError
from emulator.eui64 import format_eui64
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Status
from emulator.zcl.frame import GeneralCommand, ZclFrame, parse
from hw_profiles.identifiers import SMART_ENERGY_PROFILE

_ANSWERS = frozenset(
    {
        GeneralCommand.READ_ATTRIBUTES_RESPONSE,
        GeneralCommand.WRITE_ATTRIBUTES_RESPONSE,
        GeneralCommand.DEFAULT_RESPONSE,
        GeneralCommand.DISCOVER_ATTRIBUTES_RESPONSE,
    }
)
_DEAD_ENDS = (Status.APS_SECURITY_FAIL, Status.APS_NO_SHORT_ADDRESS)
ANSWER_GRACE_S = 1.0
"""How long an answer may still come to a request that was not acknowledged."""


class DeviceUnreachableError(EmulatorError):
    """A device did not answer, or cannot be addressed."""


class Question(NamedTuple):
    """A request to one endpoint of a device. `answer` is the cluster command expected back, None for a general one."""

    eui64: int
    endpoint: int
    cluster: int
    asdu: bytes
    secure: bool
    answer: int | None = None


class _Waiting(NamedTuple):
    answer: int | None
    future: asyncio.Future[ZclFrame]


class Transactions:
    """Matches answers to questions by device, cluster and transaction number."""

    def __init__(self, port: CoordinatorPort, endpoint: int) -> None:
        """`endpoint` is the hub's own endpoint that asks."""
        self._port = port
        self._endpoint = endpoint
        self._tsn = 0
        self._waiting: dict[tuple[int, int, int], _Waiting] = {}

    def next_tsn(self) -> int:
        """Return a fresh transaction sequence number."""
        self._tsn = (self._tsn + 1) & 0xFF
        return self._tsn

    def short_of(self, eui64: int) -> int:
        """Return a device's short address; raises `DeviceUnreachableError`."""
        short = self._port.short_of(eui64)
        if short is None:
            raise DeviceUnreachableError(f"{format_eui64(eui64)} is not on the home area network")
        return short

    async def ask(self, question: Question, timeout_s: float) -> ZclFrame:
        """Send a ZCL request and return the answer to it; raises `DeviceUnreachableError`."""
        short = self.short_of(question.eui64)
        key = (short, question.cluster, parse(question.asdu).tsn)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[ZclFrame] = loop.create_future()
        self._waiting[key] = _Waiting(question.answer, future)

        def confirmed(status: Status) -> None:
            # An answer can overtake a lost acknowledgement; only what can never work is given up at once.
            if status is not Status.SUCCESS:
                grace_s = 0.0 if status in _DEAD_ENDS else ANSWER_GRACE_S
                loop.call_later(grace_s, undelivered, status)

        def undelivered(status: Status) -> None:
            if not future.done():
                future.set_exception(DeviceUnreachableError(f"{format_eui64(question.eui64)}: {status.name}"))

        request = ApsdeRequest(
            short,
            question.endpoint,
            SMART_ENERGY_PROFILE,
            question.cluster,
            self._endpoint,
            question.asdu,
            secure=question.secure,
        )
        self._port.send(request, confirmed)
        try:
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError as error:
            raise DeviceUnreachableError(
                f"{format_eui64(question.eui64)} did not answer on cluster 0x{question.cluster:04X} "
                f"within {timeout_s:g} s"
            ) from error
        finally:
            del self._waiting[key]

    def offer(self, indication: ApsdeIndication) -> bool:
        """Give a received frame to whoever waits for it; False when nobody does."""
        if not self._waiting:
            return False
        try:
            frame = parse(indication.asdu)
        except FrameError:
            return False
        waiting = self._waiting.get((indication.source, indication.cluster, frame.tsn))
        if waiting is None or waiting.future.done():
            return False
        answers = frame.command == waiting.answer if frame.is_cluster_command else frame.command in _ANSWERS
        if answers:
            waiting.future.set_result(frame)
        return answers
