"""Sends the attribute reports that hosts have configured: through bindings, or to who configured them.

What is configured is kept in non-volatile memory, so that it survives a power cut; it ends with the network. A report
goes to each device that its cluster is bound to; a host that configured without binding gets it itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from emulator.clock.kernel import Scope, Timer
from emulator.nonvolatile import NonVolatile
from emulator.smart_energy.security_policy import SecurityPolicy
from emulator.stack.primitives import ApsdeRequest
from emulator.stack.zdo.frames import Binding
from emulator.zcl import foundation
from emulator.zcl.attributes import Attribute
from emulator.zcl.endpoint import ClusterSide, ZclEndpoint
from emulator.zcl.frame import DISABLE_DEFAULT_RESPONSE, SERVER_TO_CLIENT, GeneralCommand, build
from emulator.zcl.reporting import Configurer, Due

_TOKEN = "zcl.reporting."


@dataclass(frozen=True, slots=True)
class ReportPath:
    """How reports leave a device.

    `bound` gives the bindings of a cluster on an endpoint; `short_of` the short address behind an EUI-64, or None.
    """

    send: Callable[[ApsdeRequest], None]
    next_tsn: Callable[[], int]
    short_of: Callable[[int], int | None]
    bound: Callable[[int, int], list[Binding]]


class AttributeReports:
    """The configured reports of every endpoint of one device, in one life of it."""

    def __init__(
        self, scope: Scope, nonvolatile: NonVolatile, path: ReportPath, policy: SecurityPolicy
    ) -> None:
        """`policy` says which clusters are reported under the link key."""
        self._scope = scope
        self._nonvolatile = nonvolatile
        self._path = path
        self._policy = policy
        self._sides: dict[str, tuple[ZclEndpoint, ClusterSide]] = {}
        self._timer: Timer | None = None

    def restore(self, endpoint: ZclEndpoint) -> None:
        """Take up what was configured for an endpoint before the power went."""
        for side in endpoint.sides():
            saved = self._nonvolatile.get(_token(endpoint, side))
            if saved is not None and side.reporter is not None:
                side.reporter.restore(saved, self._scope.now)
                self._sides[_token(endpoint, side)] = endpoint, side
        self._arm()

    def configured(self, endpoint: ZclEndpoint, side: ClusterSide) -> None:
        """Keep what a host has just configured, and report accordingly."""
        token = _token(endpoint, side)
        if side.reporter is not None and len(side.reporter):
            self._sides[token] = endpoint, side
            self._nonvolatile.put(token, side.reporter.snapshot())
        elif self._sides.pop(token, None) is not None:
            self._nonvolatile.delete(token)
        self._arm()

    def forget_configurer(self, eui64: int) -> None:
        """Cancel what a device configured for itself, now that it has left."""
        for endpoint, side in list(self._sides.values()):
            if side.reporter is not None:
                side.reporter.forget_configurer(eui64)
                self.configured(endpoint, side)

    def forget(self) -> None:
        """Cancel everything: the network that it was configured on was left."""
        for _, side in self._sides.values():
            if side.reporter is not None:
                side.reporter.forget()
        self._sides.clear()
        for token in self._nonvolatile.keys(_TOKEN):
            self._nonvolatile.delete(token)
        self._arm()

    def _arm(self) -> None:
        self._scope.cancel(self._timer)
        now_us = self._scope.now
        reporters = (side.reporter for _, side in self._sides.values())
        times = [reporter.next_due(now_us) for reporter in reporters if reporter is not None]
        due_us = min((time for time in times if time is not None), default=None)
        self._timer = None if due_us is None else self._scope.call_at(due_us, self._report)

    def _report(self) -> None:
        for endpoint, side in self._sides.values():
            due = side.reporter.take_due(self._scope.now) if side.reporter is not None else []
            for to, attributes in self._addressed(endpoint, side, due):
                self._send(endpoint, side, to, attributes)
        self._arm()

    def _addressed(
        self, endpoint: ZclEndpoint, side: ClusterSide, due: list[Due]
    ) -> Iterator[tuple[Configurer, list[Attribute]]]:
        """Group what is due by who gets it."""
        secure = self._policy.demands_aps_security(endpoint.profile, side.cluster)
        bound = [
            Configurer(binding.destination, binding.destination_endpoint, endpoint.profile, secure)
            for binding in self._path.bound(endpoint.number, side.cluster)
            if binding.group is None
        ]
        by_receiver: dict[Configurer, list[Attribute]] = {}
        for attribute, configurer in due:
            for receiver in _receivers(bound, configurer):
                by_receiver.setdefault(receiver, []).append(attribute)
        yield from by_receiver.items()

    def _send(
        self, endpoint: ZclEndpoint, side: ClusterSide, to: Configurer, attributes: list[Attribute]
    ) -> None:
        short = self._path.short_of(to.eui64)
        if short is None:
            return
        control = DISABLE_DEFAULT_RESPONSE | (SERVER_TO_CLIENT if side.is_server else 0)
        for maker in dict.fromkeys(attribute.manufacturer for attribute in attributes):
            of_maker = [attribute for attribute in attributes if attribute.manufacturer == maker]
            for payload in foundation.reports(of_maker):
                tsn = self._path.next_tsn()
                asdu = build(control, tsn, GeneralCommand.REPORT_ATTRIBUTES, payload, maker)
                self._path.send(
                    ApsdeRequest(
                        short, to.endpoint, to.profile, side.cluster, endpoint.number, asdu, secure=to.secure
                    )
                )


def _receivers(bound: list[Configurer], configurer: Configurer | None) -> list[Configurer]:
    """Return who gets a report: who is bound, else who configured it; the latter in the profile that it speaks.

    A home-automation host configures and binds a Smart Energy cluster under its own profile, and hears no other.
    """
    if configurer is None:
        return bound
    own = [configurer._replace(endpoint=to.endpoint) if to.eui64 == configurer.eui64 else to for to in bound]
    return own or [configurer]


def _token(endpoint: ZclEndpoint, side: ClusterSide) -> str:
    return f"{_TOKEN}{endpoint.number:02x}.{side.cluster:04x}.{'server' if side.is_server else 'client'}"
