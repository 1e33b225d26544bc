"""The in-process radio: a zigpy `ControllerApplication` whose radio is a node of the emulated air.

zigpy drives it like any dongle: connect, load or write network settings, start, send packets. Octets for the hub's
own clusters go through `InprocPort`, straight between the stack and the hub.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any

import zigpy.application
import zigpy.config
import zigpy.device
import zigpy.exceptions
import zigpy.state
import zigpy.types as t
import zigpy.zdo.types as zdo_t

from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.coordinator import zdo_questions
from emulator.coordinator.port import Claim
from emulator.coordinator.radio_memory import KnownDevice
from emulator.nonvolatile import NonVolatile
from emulator.stack.aps.key_table import KeyObserver
from emulator.stack.events import DeviceJoined, DeviceLeft, StackEvent
from emulator.stack.node import Node, NodeConfig
from emulator.stack.primitives import (
    COORDINATOR,
    FIRST_BROADCAST,
    ApsdeIndication,
    ApsdeRequest,
    Confirm,
    NetworkParameters,
    Security,
    Status,
)
from emulator.stack.zdo.descriptors import NodeDescriptor, SimpleDescriptor
from emulator.stack.zdo.frames import ZDO_ENDPOINT, NeighbourEntry, ZdoStatus

_UNKNOWN_EUI64 = 0xFFFFFFFFFFFFFFFF


class InprocPort:
    """The `CoordinatorPort` of a node in this process."""

    def __init__(self, node: Node, application: zigpy.application.ControllerApplication) -> None:
        """`node` is a coordinator, `application` zigpy's view of it."""
        self.on_data: Claim | None = None
        self.on_event: Callable[[StackEvent], None] | None = None
        self.on_radio: Callable[[bool], None] | None = None
        self.application = application
        self.known_devices: Mapping[int, KnownDevice] = {}
        self._node = node
        if node.trust_centre is None:
            raise ValueError(f"node {node.eui64:016X} is no coordinator")
        self._trust_centre = node.trust_centre

    @property
    def eui64(self) -> int:
        """The coordinator's own EUI-64."""
        return self._node.eui64

    def send(self, request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        """Send an ASDU."""
        self._node.send(request, confirm)

    def short_of(self, eui64: int) -> int | None:
        """Return the short address of a device on this network."""
        return self._node.nwk.short_of(eui64)

    def eui64_of(self, short: int) -> int | None:
        """Return the EUI-64 behind a short address."""
        return self._node.nwk.eui64_of(short)

    def link_key(self, eui64: int) -> bytes | None:
        """Return the link key shared with a device."""
        return self._node.link_key(eui64)

    def set_link_key(self, eui64: int, key: bytes) -> None:
        """Replace the link key shared with a device after key establishment."""
        self._node.set_link_key(eui64, key)

    async def recall(self, wanted: Collection[int]) -> tuple[int, ...]:
        """Return nobody: the node's memory is the hub's, so the radio knows of no others."""
        del wanted
        return ()

    def allow(self, eui64: int, link_key: bytes) -> None:
        """Let a device join with this preconfigured link key."""
        self._trust_centre.add_link_key(eui64, link_key)

    def permit_joining(self, seconds: int) -> None:
        """Open the network for new devices (0 closes)."""
        self._trust_centre.permit_joining(seconds)

    def update_network_key(self) -> None:
        """Distribute a new network key and switch to it."""
        self._trust_centre.update_network_key()

    def remove(self, eui64: int) -> None:
        """Make a device leave and forget its keys."""
        self._trust_centre.remove_device(eui64)

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
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

        def answered(response: bytes | None) -> None:
            if not future.done():
                future.set_result(response)

        self._node.zdo.request(short, cluster, question, answered)
        response = await future
        return response if response and response[0] == ZdoStatus.SUCCESS else None


class InprocApplication(zigpy.application.ControllerApplication):
    """zigpy's view of the in-process radio."""

    DISPLAY_NAME = "Emulated home area network"
    DESCRIPTION = "A coordinator on the emulated air of this process"

    def __init__(
        self,
        config: dict[str, Any],
        *,
        kernel: Kernel,
        medium: Medium,
        node_config: NodeConfig,
        nonvolatile: NonVolatile,
        on_key: KeyObserver | None = None,
    ) -> None:
        """`config` is zigpy's; `node_config` says who the coordinator is and which endpoints it has."""
        super().__init__(config)
        self._kernel = kernel
        self._medium = medium
        self._node_config = node_config
        self._nonvolatile = nonvolatile
        self._on_key = on_key
        self._node: Node | None = None
        self._port: InprocPort | None = None

    @property
    def node(self) -> Node:
        """The coordinator's stack; raises `RuntimeError` before `connect`."""
        if self._node is None:
            raise RuntimeError("the in-process radio is not connected; await connect() first")
        return self._node

    @property
    def port(self) -> InprocPort:
        """The hub's port; raises `RuntimeError` before `connect`."""
        if self._port is None:
            raise RuntimeError("the in-process radio is not connected; await connect() first")
        return self._port

    # zigpy's radio interface

    async def connect(self) -> None:
        """Power the coordinator up."""
        node = Node(
            self._kernel,
            self._medium,
            self._node_config,
            self._nonvolatile,
            on_key=self._on_key,
            pass_zdo=True,
        )
        self._port = InprocPort(node, self)
        node.on_data = self._data
        node.on_event = self._event
        self._node = node

    async def disconnect(self) -> None:
        """Power the coordinator off."""
        if self._node is not None:
            self._node.power_off()
            self._node = None
            self._port = None

    async def start_network(self) -> None:
        """Start on the stored network and list the coordinator among zigpy's devices."""
        await self.load_network_info()
        device = zigpy.device.Device(self, self.state.node_info.ieee, self.state.node_info.nwk)
        device.model, device.manufacturer = "in-process coordinator", "SMETS1 HAN emulator"
        device.node_desc = self._zigpy_node_descriptor()
        for descriptor in self.node.endpoints:
            endpoint = device.add_endpoint(descriptor.endpoint)
            endpoint.profile_id = descriptor.profile
            endpoint.device_type = zigpy.profiles.zha.DeviceType(descriptor.device)
            endpoint.status = zigpy.endpoint.Status.ZDO_INIT
        device.status = zigpy.device.Status.ENDPOINTS_INIT
        self.devices[self.state.node_info.ieee] = device

    async def load_network_info(self, *, load_devices: bool = False) -> None:
        """Read network settings from the node; raises `NetworkNotFormed` when it is on no network."""
        node = self.node
        if node.parameters is None and not node.restore():
            raise zigpy.exceptions.NetworkNotFormed("the in-process coordinator has no network yet")
        parameters = node.parameters
        assert parameters is not None
        self.state.node_info = zigpy.state.NodeInfo(
            nwk=t.NWK(parameters.short_address),
            ieee=to_zigpy_eui64(node.eui64),
            logical_type=zdo_t.LogicalType.Coordinator,
            manufacturer="SMETS1 HAN emulator",
            model="in-process coordinator",
        )
        self.state.network_info = self._network_info(parameters, load_devices=load_devices)

    async def write_network_info(
        self, *, network_info: zigpy.state.NetworkInfo, node_info: zigpy.state.NodeInfo
    ) -> None:
        """Form the network that zigpy asks for; the node keeps its own EUI-64."""
        extended = int.from_bytes(network_info.extended_pan_id.serialize(), "little")
        self.node.form(
            network_info.channel,
            network_info.pan_id,
            self.node.eui64 if extended == _UNKNOWN_EUI64 else extended,
            network_info.network_key.key.serialize(),
            network_info.network_key.seq,
        )
        trust_centre = self.node.trust_centre
        assert trust_centre is not None
        for key in network_info.key_table:
            trust_centre.add_link_key(from_zigpy_eui64(key.partner_ieee), key.key.serialize())

    async def reset_network_info(self) -> None:
        """Leave the network."""
        self.node.leave()

    async def add_endpoint(self, descriptor: zdo_t.SimpleDescriptor) -> None:
        """Answer for one more endpoint."""
        simple = SimpleDescriptor(
            descriptor.endpoint,
            descriptor.profile,
            descriptor.device_type,
            descriptor.device_version,
            tuple(descriptor.input_clusters),
            tuple(descriptor.output_clusters),
        )
        kept = tuple(existing for existing in self.node.endpoints if existing.endpoint != simple.endpoint)
        self.node.endpoints = (*kept, simple)

    async def send_packet(self, packet: t.ZigbeePacket) -> None:
        """Send a packet and wait for its confirmation; raises `DeliveryError` when it was not delivered."""
        short = self._short_of(packet.dst)
        options = packet.tx_options
        request = ApsdeRequest(
            destination=short,
            destination_endpoint=packet.dst_ep or 0,
            profile=packet.profile_id,
            cluster=packet.cluster_id,
            source_endpoint=packet.src_ep or 0,
            asdu=packet.data.serialize(),
            ack=bool(options & t.TransmitOptions.ACK) and short < FIRST_BROADCAST,
            secure=bool(options & t.TransmitOptions.APS_Encryption),
            radius=packet.radius or 30,
        )
        future: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
        self.node.send(request, lambda status: None if future.done() else future.set_result(status))
        status = await future
        if status is not Status.SUCCESS:
            raise zigpy.exceptions.DeliveryError(
                f"packet to 0x{short:04X} not delivered: {status.name}", status
            )

    def _short_of(self, destination: t.AddrModeAddress | None) -> int:
        address = None if destination is None else destination.address
        if isinstance(address, t.EUI64):
            short = self.port.short_of(from_zigpy_eui64(address))
            if short is None:
                raise zigpy.exceptions.DeliveryError(f"no short address is known for {address}")
            return short
        if address is None:
            raise zigpy.exceptions.DeliveryError("the packet names no destination")
        return int(address)

    async def permit(self, time_s: int = 60, node: t.EUI64 | str | None = None) -> None:
        """Open or close the network; the trust centre tells the routers, when there are any."""
        if node is None:
            await self.permit_ncp(time_s)
        else:
            await super().permit(time_s, node)

    async def permit_ncp(self, time_s: int = 60) -> None:
        """Open or close the network."""
        self.port.permit_joining(time_s)

    async def permit_gp(self, time_s: int) -> None:
        """Smart Energy networks have no Green Power."""

    async def permit_with_link_key(self, node: t.EUI64, link_key: t.KeyData, time_s: int = 60) -> None:
        """Let one device join with its preconfigured link key."""
        self.port.allow(from_zigpy_eui64(node), link_key.serialize())
        self.port.permit_joining(time_s)

    async def force_remove(self, dev: zigpy.device.Device) -> None:
        """Make a device leave."""
        self.port.remove(from_zigpy_eui64(dev.ieee))

    # From the stack

    def _data(self, indication: ApsdeIndication) -> None:
        port = self._port
        # What the coordinator answers itself is an answer to zigpy.
        to_zigpy = indication.source == COORDINATOR and indication.destination_endpoint == ZDO_ENDPOINT
        if port is not None and port.on_data is not None and not to_zigpy and port.on_data(indication):
            return
        self.packet_received(
            t.ZigbeePacket(
                src=t.AddrModeAddress(addr_mode=t.AddrMode.NWK, address=t.NWK(indication.source)),
                src_ep=t.uint8_t(indication.source_endpoint),
                dst=_zigpy_destination(indication.destination),
                dst_ep=t.uint8_t(indication.destination_endpoint),
                profile_id=t.uint16_t(indication.profile),
                cluster_id=t.uint16_t(indication.cluster),
                data=t.SerializableBytes(indication.asdu),
                tx_options=t.TransmitOptions.APS_Encryption
                if indication.security is Security.APS
                else t.TransmitOptions.NONE,
                lqi=t.uint8_t(indication.lqi),
            )
        )

    def _event(self, event: StackEvent) -> None:
        if self._port is not None and self._port.on_event is not None:
            self._port.on_event(event)
        elif isinstance(event, DeviceJoined):
            self.handle_join(t.NWK(event.short), to_zigpy_eui64(event.eui64), t.NWK(event.parent))
        elif isinstance(event, DeviceLeft):
            self.handle_leave(t.NWK(event.short), to_zigpy_eui64(event.eui64))

    def _network_info(self, parameters: NetworkParameters, *, load_devices: bool) -> zigpy.state.NetworkInfo:
        info = zigpy.state.NetworkInfo(
            extended_pan_id=t.ExtendedPanId.deserialize(parameters.extended_pan_id.to_bytes(8, "little"))[0],
            pan_id=t.PanId(parameters.pan_id),
            nwk_update_id=t.uint8_t(parameters.update_id),
            channel=t.uint8_t(parameters.channel),
            channel_mask=t.Channels(1 << parameters.channel),
            security_level=t.uint8_t(5),
            network_key=zigpy.state.Key(
                key=t.KeyData(parameters.network_key), seq=t.uint8_t(parameters.key_sequence)
            ),
            source="smets1-han",
        )
        if load_devices:
            info.key_table = [
                zigpy.state.Key(key=t.KeyData(key.octets), partner_ieee=to_zigpy_eui64(key.eui64))
                for key in self.node.key_table.all()
            ]
        return info

    def _zigpy_node_descriptor(self) -> zdo_t.NodeDescriptor:
        return zdo_t.NodeDescriptor.deserialize(self.node.descriptor.encode())[0]


def to_zigpy_eui64(eui64: int) -> t.EUI64:
    """Return zigpy's form of an EUI-64."""
    return t.EUI64.deserialize(eui64.to_bytes(8, "little"))[0]


def from_zigpy_eui64(eui64: t.EUI64) -> int:
    """Return an EUI-64 of zigpy's as an integer."""
    return int.from_bytes(eui64.serialize(), "little")


def _zigpy_destination(destination: int) -> t.AddrModeAddress:
    if destination >= FIRST_BROADCAST:
        return t.AddrModeAddress(addr_mode=t.AddrMode.Broadcast, address=t.BroadcastAddress(destination))
    return t.AddrModeAddress(addr_mode=t.AddrMode.NWK, address=t.NWK(destination))
