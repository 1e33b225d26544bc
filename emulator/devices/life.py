"""One boot of a device: the stack node, clusters and clients that exist until the power goes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.crypto.suite import Suite
from emulator.devices.application import SmartEnergyApplication
from emulator.devices.description import power_descriptor
from emulator.devices.firmware_client import FirmwareClient
from emulator.devices.joining_key import joining_key
from emulator.devices.presence import Presence
from emulator.devices.registration import Registration, Service
from emulator.devices.surroundings import Surroundings
from emulator.faults.firmware import FirmwareFaults
from emulator.nonvolatile import NonVolatile
from emulator.smart_energy.security_policy import SecurityPolicy
from emulator.stack.events import KeyKind
from emulator.stack.node import Node, NodeConfig
from emulator.stack.nwk.service import NodeType
from emulator.stack.primitives import COORDINATOR, ApsdeIndication, ApsdeRequest, Confirm, Security, Status
from emulator.stack.zdo.descriptors import SimpleDescriptor
from emulator.zcl.client import Peer, ZclClient
from emulator.zcl.endpoint import ZclEndpoint
from emulator.zcl.frame import GeneralCommand, try_parse
from emulator.zcl.identifiers import OTA_UPGRADE, TIME
from hw_profiles.installation import DeviceEntry
from hw_profiles.model import Model, PowerSource
from hw_profiles.model import NodeType as ProfileNodeType

TIME_SERVER = Service(TIME)
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
            wake_us=int(timings.wake_s * SECOND),
        )
        self.on_zdo: Callable[[ApsdeIndication], None] | None = None
        self.node.on_data = self._data
        number = model.endpoints[0].id
        self.client = ZclClient(self.scope, self.send, endpoint=number, timeout_us=_answer_time_us(model))
        self.application = SmartEnergyApplication(
            self.scope,
            self,
            nonvolatile,
            model,
            eui64=entry.address,
            version=version,
            authorities=surroundings.authorities,
            next_tsn=self.client.next_tsn,
            policy=self._security_policy(),
            bound=self.node.zdo.bindings.bound,
            on_response=self.client.receive,
            look_us=_look_us(model),
        )
        suites = tuple(Suite(suite) for suite in model.security.cbke_suites)
        self.registration = Registration(
            self.scope,
            self.node,
            nonvolatile,
            client=self.client,
            key_establishment=self.application.key_establishment,
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
                send=self.send,
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
        self.application.reports.forget()
        if self.firmware is not None:
            self.firmware.left()

    def endpoint(self, number: int) -> ZclEndpoint:
        """Return the ZCL side of an endpoint."""
        return self.application.endpoint(number)

    def short_of(self, eui64: int) -> int | None:
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

    def send(self, request: ApsdeRequest, confirm: Confirm | None = None) -> None:
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

    def _data(self, indication: ApsdeIndication) -> None:
        self.octets_received += len(indication.asdu) + _FRAME_OVERHEAD
        if indication.destination_endpoint == 0:
            if self.on_zdo is not None:
                self.on_zdo(indication)
            return
        if (
            indication.cluster == OTA_UPGRADE
            and self.firmware is not None
            and indication.security is Security.APS
        ):
            frame = try_parse(indication.asdu)
            if frame is not None and (
                frame.is_cluster_command or frame.command == GeneralCommand.DEFAULT_RESPONSE
            ):
                self.firmware.handle(indication, frame)
                return
        self.application.receive(indication)


def _look_us(model: Model) -> int:
    """How often the device looks whether a value to report has changed: a sleepy one when it wakes to poll."""
    sleepy = model.node.type is ProfileNodeType.SLEEPY
    return int(model.timings.poll_long_s * SECOND) if sleepy else SECOND


def _answer_time_us(model: Model) -> int:
    """How long to wait for an answer: what the hub needs, and for a sleepy device its own polls."""
    return 20 * SECOND if model.node.type is ProfileNodeType.SLEEPY else 10 * SECOND


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
        long_poll_us=int(model.timings.poll_long_s * SECOND),
        short_poll_us=int(model.timings.poll_short_s * SECOND),
    )
