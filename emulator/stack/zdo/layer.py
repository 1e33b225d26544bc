"""The ZigBee device object: asks for descriptors, bindings and management tables, and dispatches what is
asked.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, Protocol

from emulator.clock.kernel import Scope, Timer
from emulator.errors import FrameError
from emulator.nonvolatile import NonVolatile
from emulator.stack.primitives import (
    BROADCAST_RX_ON,
    FIRST_BROADCAST,
    ApsdeIndication,
    ApsdeRequest,
    Confirm,
    Security,
)
from emulator.stack.zdo.binding import BindingTable
from emulator.stack.zdo.frames import (
    RESPONSE,
    ZDO_ENDPOINT,
    ZDO_PROFILE,
    AddressResponse,
    DeviceAnnouncement,
    ZdoCluster,
    ZdoStatus,
)
from emulator.stack.zdo.server import ZdoHost, ZdoServer

ZdoDone = Callable[[bytes | None], None]
"""Called once with the response (status octet first, without the transaction number), or None on timeout."""

TIMEOUT_US = 5_000_000
SLEEPY_TIMEOUT_US = 15_000_000


class ZdoUser(ZdoHost, Protocol):
    """What the ZDO needs of its node, beyond what answering takes."""

    @property
    def capability(self) -> int:
        """Return the MAC capability octet this node announces."""

    def send(self, request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        """APSDE-DATA.request."""

    def is_sleepy(self, short: int) -> bool:
        """Tell whether the device is known to sleep."""

    def device_announced(self, announcement: DeviceAnnouncement) -> None:
        """Take note of a Device_annce."""

    def device_located(self, eui64: int, short: int) -> None:
        """Take note of where a device is."""


class _Request(NamedTuple):
    destination: int
    cluster: int
    done: ZdoDone | None
    timer: Timer


class Zdo:
    """ZDO server and client of one node."""

    def __init__(self, scope: Scope, user: ZdoUser, nonvolatile: NonVolatile) -> None:
        self._scope = scope
        self._user = user
        self.bindings = BindingTable(nonvolatile)
        self._server = ZdoServer(user, self.bindings)
        self._sequence = scope.random.randrange(256)
        self._requests: dict[int, _Request] = {}

    def request(
        self,
        destination: int,
        cluster: int,
        payload: bytes,
        done: ZdoDone | None = None,
        *,
        timeout_us: int = 0,
    ) -> None:
        """Send the ZDO request `cluster` (payload without transaction number) and report the response.

        `timeout_us` 0 means what suits the destination: 5 s, or 15 s when it sleeps. A broadcast reports
        the first response. Build payloads and read responses with `emulator.stack.zdo.frames`.
        """
        sequence = self._next_sequence()
        if timeout_us == 0:
            timeout_us = SLEEPY_TIMEOUT_US if self._user.is_sleepy(destination) else TIMEOUT_US
        self._give_up(sequence)
        timer = self._scope.call_later(timeout_us, self._give_up, sequence)
        self._requests[sequence] = _Request(destination, cluster | RESPONSE, done, timer)
        self._send(destination, cluster, bytes((sequence,)) + payload)

    def announce(self) -> None:
        """Broadcast Device_annce."""
        announcement = DeviceAnnouncement(self._user.short_address, self._user.eui64, self._user.capability)
        self.broadcast(ZdoCluster.DEVICE_ANNCE, announcement.encode(), BROADCAST_RX_ON)

    def broadcast(self, cluster: int, payload: bytes, destination: int) -> None:
        """Broadcast a ZDO command that nobody answers."""
        self._send(destination, cluster, bytes((self._next_sequence(),)) + payload)

    def abandon(self) -> None:
        """Give up every request under way."""
        requests = list(self._requests.values())
        self._requests.clear()
        for request in requests:
            self._scope.cancel(request.timer)
            if request.done is not None:
                request.done(None)

    def indication(self, indication: ApsdeIndication) -> None:
        """Take a frame for endpoint 0; malformed requests are answered INVALID_REQUEST_TYPE."""
        if not indication.asdu:
            return
        sequence, payload = indication.asdu[0], indication.asdu[1:]
        if indication.cluster & RESPONSE:
            self._response(indication, sequence, payload)
            return
        unicast = indication.destination < FIRST_BROADCAST
        try:
            if indication.cluster == ZdoCluster.DEVICE_ANNCE:
                self._user.device_announced(DeviceAnnouncement.decode(payload))
                return
            answer = self._server.answer(indication, payload, self._late_answer(indication, sequence))
        except FrameError:
            answer = bytes((ZdoStatus.INVALID_REQUEST_TYPE,)) if unicast else None
        if answer is not None:
            self._send(indication.source, indication.cluster | RESPONSE, bytes((sequence,)) + answer)

    def obey(self, request: ApsdeRequest) -> None:
        """Do what this node itself tells the whole network: its manager moves with it (annex E)."""
        if request.cluster == ZdoCluster.MGMT_NWK_UPDATE:
            short, eui64 = self._user.short_address, self._user.eui64
            self.indication(
                ApsdeIndication(
                    source=short,
                    source_eui64=eui64,
                    destination=request.destination,
                    destination_endpoint=ZDO_ENDPOINT,
                    profile=request.profile,
                    cluster=request.cluster,
                    source_endpoint=ZDO_ENDPOINT,
                    asdu=request.asdu,
                    security=Security.NWK,
                    lqi=255,
                    aps_counter=0,
                )
            )

    def _late_answer(self, indication: ApsdeIndication, sequence: int) -> Callable[[bytes], None]:
        def send(answer: bytes) -> None:
            self._send(indication.source, indication.cluster | RESPONSE, bytes((sequence,)) + answer)

        return send

    def _response(self, indication: ApsdeIndication, sequence: int, payload: bytes) -> None:
        request = self._requests.get(sequence)
        if request is None or request.cluster != indication.cluster:
            return
        if request.destination < FIRST_BROADCAST and request.destination != indication.source:
            return
        del self._requests[sequence]
        self._scope.cancel(request.timer)
        self._learn(indication.cluster, payload)
        if request.done is not None:
            request.done(payload)

    def _learn(self, cluster: int, payload: bytes) -> None:
        """Take the pair of addresses out of an address response; a malformed one teaches nothing."""
        if cluster & ~RESPONSE not in (ZdoCluster.NWK_ADDR, ZdoCluster.IEEE_ADDR) or payload[:1] != b"\x00":
            return
        with suppress(FrameError):
            answer = AddressResponse.decode(payload)
            self._user.device_located(answer.eui64, answer.short)

    def _give_up(self, sequence: int) -> None:
        """Tell whoever waits under that number that no answer came: in time, or before the number was needed."""
        request = self._requests.pop(sequence, None)
        if request is not None:
            self._scope.cancel(request.timer)
            if request.done is not None:
                request.done(None)

    def _next_sequence(self) -> int:
        for _ in range(256):
            self._sequence = (self._sequence + 1) & 0xFF
            if self._sequence not in self._requests:
                return self._sequence
        self._sequence = (self._sequence + 1) & 0xFF
        return self._sequence

    def _send(self, destination: int, cluster: int, asdu: bytes) -> None:
        self._user.send(
            ApsdeRequest(
                destination=destination,
                destination_endpoint=ZDO_ENDPOINT,
                profile=ZDO_PROFILE,
                cluster=cluster,
                source_endpoint=ZDO_ENDPOINT,
                asdu=asdu,
                ack=destination < FIRST_BROADCAST,
            )
        )
