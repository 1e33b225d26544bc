"""One boot of a device: the stack node, clusters and clients that exist until the power goes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from emulator.crypto.suite import Suite
from emulator.devices.description import power_descriptor
from emulator.devices.firmware_client import FirmwareClient
from emulator.devices.joining_key import joining_key
from emulator.devices.key_establishment import KeyEstablishmentShell
from emulator.devices.presence import TIME, Presence
from emulator.devices.profile_gates import ProfileGates
from emulator.devices.registration import Registration, Service
from emulator.devices.reports import AttributeReports, ReportPath
from emulator.devices.surroundings import Surroundings
from emulator.faults.firmware import FirmwareFaults
from emulator.nonvolatile import NonVolatile
from emulator.smart_energy.cbke.machines import CbkeConfig, HostCryptography, KeyEstablishment
from emulator.smart_energy.security_policy import SecurityPolicy
from emulator.stack.events import KeyKind
from emulator.stack.node import Node, NodeConfig
from emulator.stack.nwk.service import NodeType
from emulator.stack.primitives import COORDINATOR, ApsdeIndication, ApsdeRequest, Confirm, Security, Status
from emulator.stack.zdo.descriptors import SimpleDescriptor
from emulator.zcl.client import Peer, ZclClient
from emulator.zcl.endpoint import ZclEndpoint
from emulator.zcl.frame import try_parse
from hw_profiles.installation import DeviceEntry
from hw_profiles.model import Model, PowerSource
from hw_profiles.model import NodeType as ProfileNodeType

TIME_SERVER = Service(TIME)
_S = 1_000_000
_OTA = 0x0019
_KEY_ESTABLISHMENT = 0x0800
_FRAME_OVERHEAD = 45
"""Octets of MAC, NWK and APS around an ASDU, for the battery's account."""


class Life:
    """Everything of a device that a reset takes away."""

    def __init__(
        self,
        surroundings: Surroundings,
        entry: DeviceEntry,
        model: Model,
        nonvolatile: NonVolatile,
        *,
        version: int,
        boots: int,
        services: tuple[Service, ...],
    ) -> None:
        """`version` is the firmware that boots; `boots` numbers this life; `services` are sought at the hub."""
        self.model = model
        self._kernel = surroundings.kernel
        self.scope = self._kernel.scope(f"{entry.name}/{boots}")
        self.membership = self._kernel.scope(f"{self.scope.name}/network")
        """For what the device does as long as it belongs to a network; it ends when that is left."""
        self.octets_sent = 0
        self.octets_received = 0
        self._guard = self._security_policy()
        self._endpoints: dict[int, ZclEndpoint] = {}
        self.node = Node(
            surroundings.kernel,
            surroundings.medium,
            _node_config(entry, model, boots),
            nonvolatile,
            on_key=surroundings.on_key,
            pass_zdo=True,
        )
        timings = model.timings
        self.node.nwk.timing = self.node.nwk.timing._replace(
            missed_polls=timings.missed_polls_to_rejoin,
            wake_us=int(timings.wake_s * _S),
        )
        self.gates = ProfileGates(model, version)
        self.on_zdo: Callable[[ApsdeIndication], None] | None = None
        self.node.on_data = self._data
        number = model.endpoints[0].id
        sleepy = model.node.type is ProfileNodeType.SLEEPY
        self._look_us = int(model.timings.poll_long_s * _S) if sleepy else _S
        self.client = ZclClient(self.scope, self.send, endpoint=number, timeout_us=_answer_time_us(model))
        path = ReportPath(self.send, self.client.next_tsn, self._located, self.node.zdo.bindings.bound)
        self.reports = AttributeReports(self.scope, nonvolatile, path, self._guard)
        self.key_establishment = self._key_establishment(surroundings, entry.address, number)
        suites = tuple(Suite(suite) for suite in model.security.cbke_suites)
        self.registration = Registration(
            self.scope,
            self.node,
            nonvolatile,
            client=self.client,
            key_establishment=self.key_establishment,
            suites=suites,
            services=services,
        )
        self.presence = Presence(self.scope, self.node, self.client, timings, self.time_server)
        self.firmware = (
            FirmwareClient(
                self.scope,
                nonvolatile,
                model,
                version,
                eui64=entry.address,
                trusts=surroundings.trusts,
                send=self.send_confirmed,
                endpoint=number,
                faults=FirmwareFaults.of(entry.faults),
            )
            if model.ota is not None
            else None
        )

    def end(self) -> None:
        """Lose power."""
        self.scope.end()
        self.membership.end()
        self.node.power_off()

    def leave_network(self) -> None:
        """Void what belonged to the network that was left."""
        self.membership.end()
        self.membership = self._kernel.scope(self.membership.name)
        self.registration.forget()
        self.reports.forget()
        if self.firmware is not None:
            self.firmware.left()

    def endpoint(self, number: int) -> ZclEndpoint:
        """Return the ZCL side of an endpoint."""
        if number not in self._endpoints:
            profile = next(point.profile for point in self.model.endpoints if point.id == number)
            self._endpoints[number] = ZclEndpoint(
                number,
                profile=profile,
                guard=self._guard,
                clock=lambda: self.scope.now,
                on_response=self.client.receive,
                on_reporting=self.reports.configured,
                look_us=self._look_us,
            )
        return self._endpoints[number]

    def built(self) -> None:
        """Every cluster is in its place: take up the reports configured before the power went."""
        for endpoint in self._endpoints.values():
            self.reports.restore(endpoint)

    def _located(self, eui64: int) -> int | None:
        """Return the short address of a device; one that is not known is asked for, and will be another time."""
        short = self.node.nwk.short_of(eui64)
        if short is None and self.node.parameters is not None:
            self.node.locate(eui64)
        return short

    def _security_policy(self) -> SecurityPolicy:
        if self.model.security.serves_unregistered:
            return SecurityPolicy()
        return SecurityPolicy(registered=self._registered_with)

    def _registered_with(self, eui64: int | None) -> bool:
        return eui64 is not None and self.node.link_key_kind(eui64) in (KeyKind.CBKE, KeyKind.APPLICATION)

    def time_server(self) -> Peer | None:
        """Return the hub's Time server, once it is known."""
        endpoint = self.registration.services.get(TIME_SERVER)
        return None if endpoint is None else Peer(COORDINATOR, endpoint)

    def send(self, request: ApsdeRequest) -> None:
        """Send an ASDU."""
        self.send_confirmed(request, None)

    def send_confirmed(self, request: ApsdeRequest, confirm: Confirm | None) -> None:
        """Send an ASDU; `confirm` hears how that went."""
        self.octets_sent += len(request.asdu) + _FRAME_OVERHEAD
        if request.destination == COORDINATOR and request.ack:
            self.node.send(request, partial(self._confirmed, confirm))
        else:
            self.node.send(request, confirm)

    def _confirmed(self, confirm: Confirm | None, status: Status) -> None:
        self.presence.delivered(status)
        if confirm is not None:
            confirm(status)

    def _key_establishment(
        self, surroundings: Surroundings, eui64: int, endpoint: int
    ) -> KeyEstablishmentShell:
        identities = [
            surroundings.authorities[Suite(suite)].issue(eui64) for suite in self.model.security.cbke_suites
        ]
        machine = KeyEstablishment(CbkeConfig(eui64), HostCryptography(identities, self.scope.random))
        return KeyEstablishmentShell(
            self.scope,
            machine,
            self.send_confirmed,
            self.node.nwk.short_of,
            endpoint,
        )

    def _data(self, indication: ApsdeIndication) -> None:
        self.octets_received += len(indication.asdu) + _FRAME_OVERHEAD
        cluster = indication.cluster
        if indication.destination_endpoint == 0:
            if self.on_zdo is not None:
                self.on_zdo(indication)
            return
        if cluster == _OTA and self.firmware is not None and indication.security is Security.APS:
            frame = try_parse(indication.asdu)
            if frame is not None and (frame.is_cluster_command or frame.command == 0x0B):
                self.firmware.handle(indication, frame)
                return
        elif cluster == _KEY_ESTABLISHMENT:
            frame = try_parse(indication.asdu)
            if frame is not None and frame.is_cluster_command:
                self.key_establishment.handle(indication, frame)
                return
        self._dispatch(indication)

    def _dispatch(self, indication: ApsdeIndication) -> None:
        number = indication.destination_endpoint
        endpoints = self._endpoints.values() if number == 0xFF else (self._endpoints.get(number),)
        for endpoint in endpoints:
            if endpoint is None:
                continue
            for asdu in endpoint.receive(indication):
                self.send(
                    ApsdeRequest(
                        indication.source,
                        indication.source_endpoint,
                        indication.profile,
                        indication.cluster,
                        endpoint.number,
                        asdu,
                        secure=indication.security is Security.APS,
                    )
                )


def _answer_time_us(model: Model) -> int:
    """How long to wait for an answer: what the hub needs, and for a sleepy device its own polls."""
    return 20 * _S if model.node.type is ProfileNodeType.SLEEPY else 10 * _S


def _node_config(entry: DeviceEntry, model: Model, boots: int) -> NodeConfig:
    router = model.node.type is ProfileNodeType.ROUTER
    x, y = entry.position
    return NodeConfig(
        eui64=entry.address,
        device_type=NodeType.ROUTER if router else NodeType.END_DEVICE,
        manufacturer_code=model.identity.manufacturer_code,
        endpoints=tuple(
            SimpleDescriptor(
                point.id, point.profile, point.device_id, point.device_version, point.server, point.client
            )
            for point in model.endpoints
        ),
        name=f"{entry.name}/{boots}",
        mains_powered=model.node.power_source is not PowerSource.BATTERY,
        power=power_descriptor(model, entry.battery_percent),
        rx_on_when_idle=model.node.type is not ProfileNodeType.SLEEPY,
        preconfigured_link_key=joining_key(entry),
        own_link_key_request=entry.joins_with_known_key,
        max_incoming_transfer=model.node.max_incoming_transfer,
        max_children=model.node.max_children,
        position=(x, y),
        long_poll_us=int(model.timings.poll_long_s * _S),
        short_poll_us=int(model.timings.poll_short_s * _S),
    )
