"""Gas mirrors: what a sleepy meter last pushed, served on an endpoint of the hub in its place.

A meter asks for a mirror (RequestMirror) and reports to it; the mirror shows MeteringDeviceType plus 127, and 0xFE
until the meter has said what it is (fact sheet 2.10). A mirror that has stopped being refreshed looks like low use:
the time of the last report is kept beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from emulator.clock.kernel import Scope
from emulator.devices.attributes import table_of, wanted
from emulator.eui64 import format_eui64
from emulator.nonvolatile import NonVolatile
from emulator.smart_energy.clusters.metering import (
    MIRROR_OFFSET,
    NO_MIRROR,
    REQUEST_MIRROR_RESPONSE,
    UNDEFINED_MIRROR,
)
from emulator.stack.primitives import ApsdeIndication, Security
from emulator.wan.results import MirrorInUse
from emulator.zcl.attributes import Attribute, AttributeRecord, AttributeTable
from emulator.zcl.endpoint import Reply, ZclEndpoint
from emulator.zcl.frame import ZclFrame, ZclStatus
from emulator.zcl.identifiers import BASIC, METERING

_DEVICE_TYPE = wanted(METERING, "metering_device_type")
_MAX_BASE_TYPE = 15


class MirroredValue(NamedTuple):
    """One mirrored attribute: its value and when the meter reported it, Unix seconds."""

    value: Any
    unix_seconds: int


class Mirrors:
    """The mirror endpoints of a hub."""

    def __init__(
        self,
        scope: Scope,
        nonvolatile: NonVolatile,
        endpoints: tuple[int, ...],
        make: Callable[[int], ZclEndpoint],
    ) -> None:
        """`endpoints` are reserved for mirrors; `make` gives the ZCL side of one."""
        self._scope = scope
        self._nonvolatile = nonvolatile
        self._owners: dict[int, int] = {}
        self._tables: dict[tuple[int, int], AttributeTable] = {}
        self._values: dict[tuple[int, int, int], MirroredValue] = {}
        self.last_report: dict[int, int] = {}
        for number in endpoints:
            self._prepare(number, make(number))

    @property
    def has_room(self) -> bool:
        """Whether another mirror can be given out (bit 0 of Basic PhysicalEnvironment)."""
        return any(owner == 0 for owner in self._owners.values())

    def request(self, indication: ApsdeIndication, frame: ZclFrame) -> Reply:
        """RequestMirror: give the meter its mirror, the same one every time."""
        eui64 = indication.source_eui64
        number = None if eui64 is None else self.endpoint_of(eui64) or self._take(eui64)
        return Reply(REQUEST_MIRROR_RESPONSE, (NO_MIRROR if number is None else number).to_bytes(2, "little"))

    def endpoint_of(self, eui64: int) -> int | None:
        """Return the endpoint that mirrors a meter."""
        return next((number for number, owner in self._owners.items() if owner == eui64), None)

    def values(self, eui64: int) -> dict[tuple[int, int], MirroredValue]:
        """Return what a meter has reported, by cluster and attribute."""
        number = self.endpoint_of(eui64)
        return {key[1:]: value for key, value in self._values.items() if key[0] == number}

    def _prepare(self, number: int, endpoint: ZclEndpoint) -> None:
        owner = self._nonvolatile.get(f"mirror.{number}")
        self._owners[number] = int.from_bytes(owner, "little") if owner else 0
        for cluster in (BASIC, METERING):
            contents = {"metering_device_type": UNDEFINED_MIRROR} if cluster == METERING else {}
            table = self._tables[number, cluster] = table_of(cluster, contents)
            endpoint.add_server(cluster, table)
            endpoint.add_client(cluster, on_report=partial(self._report, number, cluster))

    def _take(self, eui64: int) -> int | None:
        for number, owner in self._owners.items():
            if owner == 0:
                self._give(number, eui64)
                return number
        return None

    def _report(
        self, number: int, cluster: int, indication: ApsdeIndication, records: list[AttributeRecord]
    ) -> int | None:
        if not self._owned(number, indication):
            return ZclStatus.NOT_AUTHORIZED
        now = self._scope.unix_seconds
        self.last_report[self._owners[number]] = now
        for record in records:
            value = record.value
            if (cluster, record.attribute, (record.type_id,)) == (METERING, *_DEVICE_TYPE):
                value += MIRROR_OFFSET if value <= _MAX_BASE_TYPE else 0
            cell = Attribute(
                record.attribute, record.type_id, f"mirrored_{record.attribute:04x}", reportable=True
            )
            self._tables[number, cluster].add(cell, value)
            self._values[number, cluster, record.attribute] = MirroredValue(value, now)
        return None

    def _owned(self, number: int, indication: ApsdeIndication) -> bool:
        """Tell whether a mirror is the sender's; one that is nobody's becomes its own.

        A meter goes on reporting to the mirror it was once given, also when the hub's memory is new. Who may share a
        key with the hub is decided when it joins.
        """
        source = indication.source_eui64
        free = self._owners[number] == 0 and indication.security is Security.APS
        if free and source is not None and self.endpoint_of(source) is None:
            self._give(number, source)
        return source is not None and source == self._owners[number]

    def _give(self, number: int, eui64: int) -> None:
        self._owners[number] = eui64
        self._nonvolatile.put(f"mirror.{number}", eui64.to_bytes(8, "little"))

    def describe(self) -> tuple[MirrorInUse, ...]:
        """Return the mirrors in use, for the head end."""
        return tuple(
            MirrorInUse(format_eui64(owner), number, self.last_report.get(owner))
            for number, owner in self._owners.items()
            if owner
        )
