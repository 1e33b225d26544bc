"""The Smart Energy application: what a device on its own node and a hub on any radio have in common.

Endpoints with their clusters, the security policy that guards them, key establishment, and the reports that hosts
configured, on a port that a node and a coordinator's radio both are. It is complete when it is made, but for the
clusters that make it a meter, a display or a hub: their owner adds these, then says `complete`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.clock.kernel import Scope
from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.devices.attributes import Contents, complete, table_of
from emulator.devices.key_establishment import KeyEstablishmentShell
from emulator.devices.profile_gates import ProfileGates
from emulator.devices.reports import AttributeReports, ReportPath
from emulator.nonvolatile import NonVolatile
from emulator.smart_energy.cbke.machines import CbkeConfig, HostCryptography, KeyEstablishment
from emulator.smart_energy.security_policy import SecurityPolicy
from emulator.stack.primitives import EVERY_ENDPOINT, ApsdeIndication, ApsdeRequest, Confirm, Security
from emulator.stack.zdo.frames import Binding
from emulator.zcl.endpoint import ResponseTaker, ZclEndpoint
from emulator.zcl.frame import try_parse
from emulator.zcl.identifiers import KEY_ESTABLISHMENT
from hw_profiles.model import Model


class ApplicationPort(Protocol):
    """What the application stands on: a node of the stack, or a coordinator's radio."""

    def send(self, request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        """Send an ASDU; `confirm` hears how that went."""

    def short_of(self, eui64: int) -> int | None:
        """Return the short address of a device on this network."""


class SmartEnergyApplication:
    """The endpoints of one device while it has power."""

    def __init__(
        self,
        scope: Scope,
        port: ApplicationPort,
        nonvolatile: NonVolatile,
        model: Model,
        *,
        eui64: int,
        version: int,
        authorities: Mapping[Suite, IssuingAuthority],
        next_tsn: Callable[[], int],
        policy: SecurityPolicy,
        bound: Callable[[int, int], list[Binding]] = lambda _endpoint, _cluster: [],
        on_response: ResponseTaker | None = None,
        look_us: int = SECOND,
    ) -> None:
        """`version` is the running firmware, `authorities` issued the device's certificates.

        `next_tsn` numbers what it sends unasked. `bound` gives the bindings of a cluster on an endpoint, where the
        application can know them; `on_response` takes answers to the owner's questions; `look_us` is how often the
        device looks whether a value to report has changed.
        """
        self.model = model
        self.gates = ProfileGates(model, version)
        self._scope = scope
        self._port = port
        self._policy = policy
        self._on_response = on_response
        self._look_us = look_us
        self._endpoints: dict[int, ZclEndpoint] = {}
        path = ReportPath(port.send, next_tsn, port.short_of, bound)
        self.reports = AttributeReports(scope, nonvolatile, path, policy)
        identities = [authorities[Suite(suite)].issue(eui64) for suite in model.security.cbke_suites]
        machine = KeyEstablishment(CbkeConfig(eui64), HostCryptography(identities, scope.random))
        self.key_establishment = KeyEstablishmentShell(scope, machine, port.send, port.short_of, self.primary)

    @property
    def primary(self) -> int:
        """The first endpoint, which has the clusters that every device has."""
        return self.model.endpoints[0].id

    def endpoint(self, number: int) -> ZclEndpoint:
        """Return the ZCL side of an endpoint of the model."""
        if number not in self._endpoints:
            described = next(point for point in self.model.endpoints if point.id == number)
            self._endpoints[number] = ZclEndpoint(
                number,
                profile=described.profile,
                guard=self._policy,
                clock=lambda: self._scope.now,
                on_response=self._on_response,
                on_reporting=self.reports.configured,
                look_us=self._look_us,
            )
        return self._endpoints[number]

    def serve(self, endpoint: int, cluster: int, contents: Contents) -> None:
        """Serve attributes, those that exist in the profile's version."""
        self.endpoint(endpoint).add_server(
            cluster, table_of(cluster, contents, self.gates.attributes(cluster))
        )

    def complete(self) -> None:
        """The owner's clusters are there: add what every device has, and what was configured to be reported."""
        suites = self.key_establishment.machine.suites
        table = table_of(KEY_ESTABLISHMENT, {"key_establishment_suite": suites})
        self.endpoint(self.primary).add_server(KEY_ESTABLISHMENT, table)
        self.endpoint(self.primary).add_client(KEY_ESTABLISHMENT, table)
        for described in self.model.endpoints:
            complete(self.endpoint(described.id), described)
        for endpoint in self._endpoints.values():
            self.reports.restore(endpoint)

    def receive(self, indication: ApsdeIndication) -> None:
        """Take an ASDU for an endpoint, and answer it."""
        if indication.cluster == KEY_ESTABLISHMENT:
            frame = try_parse(indication.asdu)
            if frame is not None and frame.is_cluster_command:
                self.key_establishment.handle(indication, frame)
                return
        number = indication.destination_endpoint
        wanted = self._endpoints if number == EVERY_ENDPOINT else (number,)
        for endpoint in [self._endpoints[each] for each in wanted if each in self._endpoints]:
            for asdu in endpoint.receive(indication):
                self._answer(indication, endpoint.number, asdu)

    def _answer(self, indication: ApsdeIndication, endpoint: int, asdu: bytes) -> None:
        self._port.send(
            ApsdeRequest(
                indication.source,
                indication.source_endpoint,
                indication.profile,
                indication.cluster,
                endpoint,
                asdu,
                secure=indication.security is Security.APS,
            )
        )
