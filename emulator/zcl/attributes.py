"""One side's attributes of one cluster: definitions, values or providers, and who may write them.

Only attributes given to the table exist. Fixed values are kept as octets, since they are read far more often
than they change; a provider (a callable) is asked at every read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from zigpy.zcl import foundation

from emulator.errors import FrameError
from emulator.zcl import values
from emulator.zcl.frame import ZclStatus

Provider = Callable[[], Any]
WriteHook = Callable[[Any], int | None]
Gate = Callable[[int], bool]
"""Whether an attribute or command identifier exists in the profile's version of the cluster."""


class AttributeRecord(NamedTuple):
    """An attribute as read or reported; `type_id` and `value` matter only with status SUCCESS."""

    attribute: int
    status: int
    type_id: int = 0
    value: Any = None


@dataclass(slots=True)
class Attribute:
    """One attribute. Exactly one of `octets` and `provider` is in use."""

    identifier: int
    type_id: int
    name: str
    readable: bool = True
    writable: bool = False
    reportable: bool = False
    octets: bytes = b""
    provider: Provider | None = None
    on_write: WriteHook | None = None
    manufacturer: int | None = None

    @property
    def takes_writes(self) -> bool:
        """Whether a write has somewhere to go: a provider alone says what is, and keeps nothing."""
        return self.writable and (self.provider is None or self.on_write is not None)

    def serialise(self) -> bytes:
        """Return the current value's octets without the type octet."""
        return self.octets if self.provider is None else values.encode(self.type_id, self.provider())

    def value(self) -> Any:
        """Return the current value."""
        if self.provider is not None:
            return self.provider()
        return values.decode(self.type_id, self.octets)[0]


@dataclass(slots=True)
class AttributeTable:
    """Attributes by identifier, in ascending order for discovery."""

    _attributes: dict[tuple[int | None, int], Attribute] = field(default_factory=dict)
    _names: dict[str, Attribute] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        definitions: type[foundation.BaseAttributeDefs],
        contents: Mapping[str, Any],
        *,
        gate: Gate | None = None,
        on_write: Mapping[str, WriteHook] | None = None,
    ) -> AttributeTable:
        """Make a table of zigpy attribute definitions, for the names in `contents`.

        A value in `contents` is the attribute's value, or a callable that returns it. Attributes that `gate`
        says do not exist yet are left out: reading them gives UNSUPPORTED_ATTRIBUTE. Raises `KeyError` for a
        name the cluster does not define.
        """
        table = cls()
        hooks = on_write or {}
        for name, content in contents.items():
            definition = getattr(definitions, name, None)
            if definition is None:
                raise KeyError(f"{definitions.__qualname__} defines no attribute {name!r}")
            if gate is None or gate(int(definition.id)):
                table.define(definition, content, name=name, on_write=hooks.get(name))
        return table

    def define(
        self,
        definition: foundation.ZCLAttributeDef,
        content: Any,
        *,
        name: str | None = None,
        on_write: WriteHook | None = None,
    ) -> Attribute:
        """Add one attribute from zigpy's definition."""
        access = definition.access
        assert isinstance(access, foundation.ZCLAttributeAccess)
        write = foundation.ZCLAttributeAccess.Write | foundation.ZCLAttributeAccess.Write_Optional
        manufacturer = definition.manufacturer_code
        return self.add(
            Attribute(
                int(definition.id),
                int(definition.zcl_type),
                name or definition.name or f"0x{int(definition.id):04X}",
                writable=bool(access & write),
                reportable=bool(access & foundation.ZCLAttributeAccess.Report),
                on_write=on_write,
                manufacturer=manufacturer if isinstance(manufacturer, int) else None,
            ),
            content,
        )

    def add(self, attribute: Attribute, content: Any) -> Attribute:
        """Add an attribute with its value or provider; an earlier one of the same identifier is replaced."""
        self._attributes[(attribute.manufacturer, attribute.identifier)] = attribute
        self._names[attribute.name] = attribute
        self._fill(attribute, content)
        return attribute

    @staticmethod
    def _fill(attribute: Attribute, content: Any) -> None:
        if callable(content):
            attribute.provider = content
        else:
            attribute.provider = None
            attribute.octets = values.encode(attribute.type_id, content)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __getitem__(self, name: str) -> Any:
        """Return the value of the attribute called `name`; raises `KeyError`."""
        return self._names[name].value()

    def __setitem__(self, name: str, content: Any) -> None:
        """Set the value or provider of the attribute called `name`; raises `KeyError` when there is none."""
        self._fill(self._names[name], content)

    def find(self, identifier: int, manufacturer: int | None = None) -> Attribute | None:
        """Return an attribute by identifier, or None."""
        return self._attributes.get((manufacturer, identifier))

    def ordered(self, start: int = 0, manufacturer: int | None = None) -> Iterator[Attribute]:
        """Yield the attributes from identifier `start` on, ascending."""
        for (maker, identifier), attribute in sorted(
            self._attributes.items(), key=lambda item: (item[0][1], item[0][0] or 0)
        ):
            if maker == manufacturer and identifier >= start:
                yield attribute

    def check_write(self, identifier: int, type_id: int, manufacturer: int | None = None) -> int:
        """Return the status a write of that type would have, before its value is looked at."""
        attribute = self.find(identifier, manufacturer)
        if attribute is None:
            return ZclStatus.UNSUPPORTED_ATTRIBUTE
        if not attribute.takes_writes:
            return ZclStatus.READ_ONLY
        if attribute.type_id != type_id:
            return ZclStatus.INVALID_DATA_TYPE
        return ZclStatus.SUCCESS

    def write(self, identifier: int, value: Any, manufacturer: int | None = None) -> int:
        """Store a checked value, unless the attribute's own hook refuses it; return the status."""
        attribute = self._attributes[(manufacturer, identifier)]
        if value is None:
            return ZclStatus.INVALID_VALUE
        status = attribute.on_write(value) if attribute.on_write is not None else None
        if status:
            return status
        if attribute.provider is None:
            attribute.octets = values.encode(attribute.type_id, value)
        return ZclStatus.SUCCESS


def parse_records(payload: bytes) -> list[AttributeRecord]:
    """Decode the records of a Report Attributes or Write Attributes command; raises `FrameError`."""
    records = []
    at = 0
    while at < len(payload):
        if len(payload) < at + 3:
            raise FrameError(f"ZCL attribute record: {len(payload) - at} octets at offset {at}, expected 3")
        attribute = payload[at] | payload[at + 1] << 8
        value, end = values.decode(payload[at + 2], payload, at + 3)
        records.append(AttributeRecord(attribute, ZclStatus.SUCCESS, payload[at + 2], value))
        at = end
    return records


def parse_read_response(payload: bytes) -> list[AttributeRecord]:
    """Decode a Read Attributes Response; raises `FrameError`."""
    records = []
    at = 0
    while at < len(payload):
        if len(payload) < at + 3:
            raise FrameError(f"ZCL read response: {len(payload) - at} octets at offset {at}, expected 3")
        attribute, status = payload[at] | payload[at + 1] << 8, payload[at + 2]
        at += 3
        if status:
            records.append(AttributeRecord(attribute, status))
            continue
        if at >= len(payload):
            raise FrameError(f"ZCL read response: no type octet at offset {at}")
        value, end = values.decode(payload[at], payload, at + 1)
        records.append(AttributeRecord(attribute, status, payload[at], value))
        at = end
    return records


def pack_record(attribute: int, type_id: int, value: Any) -> bytes:
    """Return one record of a Report Attributes or Write Attributes command."""
    return attribute.to_bytes(2, "little") + bytes((type_id,)) + values.encode(type_id, value)
