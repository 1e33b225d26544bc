"""The hub on any zigpy radio: a `CoordinatorPort` over a `ControllerApplication`.

Traffic goes through the application's `send_packet` and is taken from it in `packet_received`, below zigpy's parser;
zigpy keeps the life of the radio; what its radio interface has no word for is in `HubApplication`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from functools import partial
from typing import Any

import zigpy.application
import zigpy.exceptions
import zigpy.types as t

from emulator.coordinator import zdo_questions
from emulator.coordinator.hub_application import HubApplication, from_zigpy, to_zigpy
from emulator.coordinator.port import Claim
from emulator.coordinator.radio_memory import KnownDevice, RadioMemory
from emulator.errors import FrameError, SurroundingsError
from emulator.nonvolatile import NonVolatile
from emulator.stack.events import DeviceAnnounced, DeviceJoined, DeviceLeft, NetworkKeyChanged, StackEvent
from emulator.stack.primitives import (
    BROADCAST_RX_ON,
    COORDINATOR,
    FIRST_BROADCAST,
    LONGEST_PERMIT_S,
    ApsdeIndication,
    ApsdeRequest,
    Confirm,
    JoinKind,
    Security,
    Status,
)
from emulator.stack.zdo.descriptors import NodeDescriptor, SimpleDescriptor
from emulator.stack.zdo.frames import (
    RESPONSE,
    ZDO_ENDPOINT,
    ZDO_PROFILE,
    DeviceAnnouncement,
    NeighbourEntry,
    ZdoCluster,
    ZdoStatus,
)

LOGGER = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 12.0
"""How long a ZDO question waits for its answer."""
COMMAND_ATTEMPTS = 3
COMMAND_RETRY_S = 2.0
RX_ON_WHEN_IDLE = 0x08


class ZigpyPort:
    """The `CoordinatorPort` of a zigpy radio, once its network is up."""

    def __init__(
        self,
        application: HubApplication,
        nonvolatile: NonVolatile,
        *,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`nonvolatile` keeps the host's table of devices; `entropy` makes network keys."""
        self.on_data: Claim | None = None
        self.on_event: Callable[[StackEvent], None] | None = None
        self.on_radio: Callable[[bool], None] | None = None
        self.up = True
        self.memory = RadioMemory(nonvolatile)
        self._radio = application
        self._entropy = entropy
        self._eui64 = from_zigpy(application.state.node_info.ieee)
        self._tsn = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._order = asyncio.Lock()
        self._present = asyncio.Event()
        self._present.set()
        self._answers: dict[tuple[int, int, int], asyncio.Future[bytes]] = {}
        self._sought: set[int] = set()
        application.hub_port = self

    @property
    def application(self) -> zigpy.application.ControllerApplication:
        """The zigpy application of the radio."""
        return self._radio

    @property
    def known_devices(self) -> Mapping[int, KnownDevice]:
        """What the host remembers of devices."""
        return self.memory.devices

    @property
    def eui64(self) -> int:
        """The coordinator's own EUI-64."""
        return self._eui64

    # Data

    def send(self, request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        """Send an ASDU; `confirm` hears the outcome, at most some seconds later."""
        self._run(self._send(request, confirm))

    async def _send(self, request: ApsdeRequest, confirm: Confirm | None) -> None:
        status = await self._transmit(request)
        if confirm is not None:
            confirm(status)

    async def _transmit(self, request: ApsdeRequest) -> Status:
        if not self.up:
            return Status.NO_ACK
        if request.secure and request.destination < FIRST_BROADCAST:
            eui64 = self.eui64_of(request.destination)
            if eui64 is None or self.link_key(eui64) is None:
                return Status.APS_SECURITY_FAIL
        try:
            await self._radio.send_long(self._packet(request))
        except zigpy.exceptions.DeliveryError as error:
            return _status_of(error)
        except SurroundingsError:
            raise
        except Exception as error:
            # Radio libraries raise their own kinds when the line goes; for the hub the frame did not arrive.
            LOGGER.debug("0x%04X: not sent: %r", request.destination, error)
            return Status.APS_NO_ACK if request.ack else Status.NO_ACK
        return Status.SUCCESS

    def _packet(self, request: ApsdeRequest) -> t.ZigbeePacket:
        unicast = request.destination < FIRST_BROADCAST
        options = t.TransmitOptions.NONE
        if request.ack and unicast:
            options |= t.TransmitOptions.ACK
        if request.secure and unicast:
            options |= t.TransmitOptions.APS_Encryption
        return t.ZigbeePacket(
            src=t.AddrModeAddress(addr_mode=t.AddrMode.NWK, address=t.NWK(0)),
            src_ep=t.uint8_t(request.source_endpoint),
            dst=_address(request.destination),
            dst_ep=t.uint8_t(request.destination_endpoint),
            tsn=t.uint8_t(self._radio.get_sequence()),
            profile_id=t.uint16_t(request.profile),
            cluster_id=t.uint16_t(request.cluster),
            data=t.SerializableBytes(request.asdu),
            tx_options=options,
            radius=t.uint8_t(request.radius),
            extended_timeout=unicast,
        )

    def received(self, packet: t.ZigbeePacket) -> bool:
        """Take a packet from the radio; False when it is for zigpy."""
        assert packet.src is not None
        assert packet.dst is not None
        if not isinstance(packet.src.address, t.NWK):
            return False
        source = int(packet.src.address)
        asdu = packet.data.serialize()
        if packet.dst_ep == ZDO_ENDPOINT:
            if self._zdo(source, int(packet.cluster_id), asdu):
                return True
            if source == COORDINATOR:
                return False  # what the coordinator answers itself is an answer to zigpy
        eui64 = self.eui64_of(source)
        if eui64 is None:
            self._seek(source)
        if self.on_data is None:
            return False
        encrypted = t.TransmitOptions.APS_Encryption in packet.tx_options
        unicast = packet.dst.addr_mode is t.AddrMode.NWK
        return self.on_data(
            ApsdeIndication(
                source=source,
                source_eui64=eui64,
                destination=0 if unicast else BROADCAST_RX_ON,
                destination_endpoint=int(packet.dst_ep or 0),
                profile=int(packet.profile_id),
                cluster=int(packet.cluster_id),
                source_endpoint=int(packet.src_ep or 0),
                asdu=asdu,
                security=Security.APS if encrypted else Security.NWK,
                lqi=int(packet.lqi or 0),
                aps_counter=int(packet.tsn or 0),
            )
        )

    # Who is who

    def short_of(self, eui64: int) -> int | None:
        """Return the short address of a device on this network."""
        device = self.memory.get(eui64)
        return 0 if eui64 == self.eui64 else None if device is None else device.short

    def eui64_of(self, short: int) -> int | None:
        """Return the EUI-64 behind a short address."""
        return self.eui64 if short == 0 else self.memory.eui64_of(short)

    def joined(self, eui64: int, short: int, parent: int | None) -> None:
        """A device joined or came back."""
        before = self.memory.get(eui64) or KnownDevice()
        self.memory.put(eui64, before._replace(short=short, expected=False))
        kind = JoinKind.UNSECURED_JOIN if before.expected else JoinKind.SECURED_REJOIN
        self._tell(DeviceJoined(eui64, short, kind, parent or 0))

    def left(self, eui64: int, short: int) -> None:
        """A device left."""
        self._tell(DeviceLeft(eui64, short, False))

    def _introduce(self, eui64: int) -> None:
        """Tell the radio what is known of a device's address."""
        device = self.memory.get(eui64)
        if device is not None and device.short is not None:
            address, sleepy = t.NWK(device.short), device.sleepy
            self._command(
                "address", lambda: self._radio.learn_device(to_zigpy(eui64), address, sleepy=sleepy)
            )

    def _seek(self, short: int) -> None:
        """Ask a device that is only known by its short address who it is."""
        if short in self._sought or short >= FIRST_BROADCAST:
            return
        self._sought.add(short)
        self._run(self._identify(short))

    async def _identify(self, short: int) -> None:
        try:
            found = await zdo_questions.address_of(self._ask, short)
        finally:
            self._sought.discard(short)
        if found is not None:
            self.memory.learn(found.eui64, found.short)
            self._introduce(found.eui64)

    def _tell(self, event: StackEvent) -> None:
        if self.on_event is not None:
            self.on_event(event)

    # Keys and membership

    def link_key(self, eui64: int) -> bytes | None:
        """Return the link key shared with a device."""
        device = self.memory.get(eui64)
        return None if device is None else device.link_key

    def set_link_key(self, eui64: int, key: bytes) -> None:
        """Replace the link key shared with a device after key establishment, here and in the radio."""
        device = self.memory.get(eui64) or KnownDevice()
        self.memory.put(eui64, device._replace(link_key=key, expected=False))
        self._command("link key", lambda: self._radio.store_link_key(to_zigpy(eui64), t.KeyData(key)))

    async def recall(self, wanted: Collection[int]) -> tuple[int, ...]:
        """Take from the radio the keys and addresses of `wanted` devices that only it knows; returns whose it had."""
        recalled = []
        for device in await self._radio.remembered():
            if device.eui64 in wanted and self.link_key(device.eui64) is None:
                known = KnownDevice(device.short, device.link_key, sleepy=device.sleepy)
                self.memory.put(device.eui64, known)
                self._introduce(device.eui64)
                recalled.append(device.eui64)
        return tuple(recalled)

    def allow(self, eui64: int, link_key: bytes) -> None:
        """Let a device join with this preconfigured link key, whenever the network is open."""
        device = self.memory.get(eui64) or KnownDevice()
        self.memory.put(eui64, device._replace(link_key=link_key, expected=True))

    def permit_joining(self, seconds: int) -> None:
        """Open the network to the devices that are expected (0 closes)."""
        duration = min(seconds, LONGEST_PERMIT_S)
        expected = [(eui64, device) for eui64, device in self.memory.devices.items() if device.expected]
        if not expected or not duration:
            self._command("permit joining", lambda: self._radio.permit(duration))
        for eui64, device in expected if duration else ():
            assert device.link_key is not None
            self._command(
                "permit joining",
                partial(
                    self._radio.permit_with_link_key, to_zigpy(eui64), t.KeyData(device.link_key), duration
                ),
            )

    def update_network_key(self) -> None:
        """Distribute a new network key and switch to it."""
        self._command("network key", self._change_network_key)

    async def _change_network_key(self) -> None:
        await self._radio.change_network_key(t.KeyData(self._entropy(16)))
        await self._radio.load_network_info()
        self._tell(NetworkKeyChanged(int(self._radio.state.network_info.network_key.seq)))

    def remove(self, eui64: int) -> None:
        """Make a device leave and forget its keys."""
        short = self.short_of(eui64)
        if short is not None:
            device = zigpy.device.Device(self._radio, to_zigpy(eui64), t.NWK(short))
            self._command("removal", lambda: self._radio.force_remove(device))
        self._command("link key", lambda: self._radio.forget_link_key(to_zigpy(eui64)))
        self.memory.forget(eui64)

    # ZDO

    async def node_descriptor(self, short: int) -> NodeDescriptor | None:
        """Ask a device what it is; None when it does not answer."""
        return await zdo_questions.node_descriptor(self._ask, short)

    async def active_endpoints(self, short: int) -> tuple[int, ...] | None:
        """Ask a device for its endpoints; None when it does not answer."""
        return await zdo_questions.active_endpoints(self._ask, short)

    async def simple_descriptor(self, short: int, endpoint: int) -> SimpleDescriptor | None:
        """Ask a device what an endpoint is; None when it does not answer."""
        return await zdo_questions.simple_descriptor(self._ask, short, endpoint)

    async def neighbours(self, short: int) -> tuple[NeighbourEntry, ...] | None:
        """Ask a router, or the coordinator itself (0x0000), whom it hears; None when it does not answer."""
        return await zdo_questions.neighbour_table(self._ask, short)

    async def _ask(self, short: int, cluster: int, question: bytes) -> bytes | None:
        """Return a successful ZDO response: status, address and body."""
        self._tsn = (self._tsn + 1) & 0xFF
        key = (short, cluster | RESPONSE, self._tsn)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[key] = future
        asdu = bytes((self._tsn,)) + question
        try:
            self.send(ApsdeRequest(short, ZDO_ENDPOINT, ZDO_PROFILE, cluster, ZDO_ENDPOINT, asdu))
            response = await asyncio.wait_for(future, ANSWER_TIMEOUT_S)
        except TimeoutError:
            return None
        finally:
            self._answers.pop(key, None)
        return response if response and response[0] == ZdoStatus.SUCCESS else None

    def _zdo(self, source: int, cluster: int, asdu: bytes) -> bool:
        """Take an answer that was asked for here, and note announcements; True when it is dealt with."""
        future = self._answers.get((source, cluster, asdu[0] if asdu else 0))
        if future is not None:
            if not future.done():
                future.set_result(asdu[1:])
            return True
        if cluster == ZdoCluster.DEVICE_ANNCE:
            try:
                announce = DeviceAnnouncement.decode(asdu[1:])
            except FrameError:
                return False
            self.memory.learn(
                announce.eui64, announce.short, sleepy=not announce.capability & RX_ON_WHEN_IDLE
            )
            self._introduce(announce.eui64)
            self._tell(DeviceAnnounced(announce.eui64, announce.short, announce.capability))
        return False

    # The radio

    def radio_lost(self) -> None:
        """The line to the radio is gone: what is sent meanwhile does not arrive."""
        self.up = False
        self._present.clear()
        if self.on_radio is not None:
            self.on_radio(False)

    def radio_back(self) -> None:
        """The radio is back on its network; it is told again what a reset may have taken from it."""
        self.up = True
        self._present.set()
        for eui64 in self.memory.devices:
            self._introduce(eui64)
        if self.on_radio is not None:
            self.on_radio(True)

    async def stop(self) -> None:
        """Drop what is under way."""
        self.up = False
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _command(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Have the radio do something, after everything it was told to do before."""
        self._run(self._in_order(what, work))

    async def _in_order(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do it when the radio is there; again when the line went while it was done."""
        async with self._order:
            for _ in range(COMMAND_ATTEMPTS):
                await self._present.wait()
                try:
                    await work()
                except SurroundingsError:
                    raise
                except Exception as error:
                    # Radio libraries have no common family; what is lost is said, and tried again.
                    LOGGER.warning("%s: the radio refused: %s", what, str(error) or repr(error))
                    await asyncio.sleep(COMMAND_RETRY_S)
                else:
                    return

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _address(destination: int) -> t.AddrModeAddress:
    if destination >= FIRST_BROADCAST:
        return t.AddrModeAddress(addr_mode=t.AddrMode.Broadcast, address=t.BroadcastAddress(destination))
    return t.AddrModeAddress(addr_mode=t.AddrMode.NWK, address=t.NWK(destination))


def _status_of(error: zigpy.exceptions.DeliveryError) -> Status:
    name = getattr(error.status, "name", "")
    if "ENCRYPTION" in name or "SECURITY" in name:
        return Status.APS_SECURITY_FAIL
    if "TOO_LONG" in name:
        return Status.APS_ASDU_TOO_LONG
    return Status.APS_NO_ACK
