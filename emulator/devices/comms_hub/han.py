"""What the head end can have done on the home area network: discover devices, read, write and command them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from emulator.coordinator.port import CoordinatorPort
from emulator.devices.attributes import TYPE_IDS
from emulator.devices.comms_hub.transactions import DeviceUnreachableError, Question, Transactions
from emulator.devices.control import CONTROL_EXECUTE, READ_LOG
from emulator.devices.event_log import CAPACITY as LOG_CAPACITY
from emulator.devices.event_log import NO_ENTRY, LogEntry, LogPage, log_question, parse_entry
from emulator.errors import FrameError
from emulator.eui64 import format_eui64
from emulator.smart_energy.clusters import attribute_ids
from emulator.smart_energy.security_policy import SecurityPolicy
from emulator.stack.zdo.descriptors import NodeDescriptor, SimpleDescriptor
from emulator.stack.zdo.frames import NeighbourEntry
from emulator.wan.messages import WanError
from emulator.wan.results import (
    AttributeValue,
    CommandStatus,
    DeviceFound,
    EndpointFound,
    LinkHeard,
    LinksHeard,
)
from emulator.zcl.attributes import AttributeRecord, pack_record, parse_read_response
from emulator.zcl.frame import (
    GeneralCommand,
    ZclFrame,
    cluster_request,
    general_request,
    status_name,
    status_of,
)
from emulator.zcl.identifiers import BASIC, DEVICE_CONTROL, OTA_UPGRADE
from emulator.zcl.values import plain
from hw_profiles.identifiers import SMART_ENERGY_PROFILE

_BASIC_ATTRIBUTES = attribute_ids(BASIC, "manufacturer", "model", "hw_version", "date_code", "sw_build_id")
_OTA_ATTRIBUTES = attribute_ids(
    OTA_UPGRADE,
    "current_file_version",
    "file_offset",
    "image_upgrade_status",
    "manufacturer_id",
    "image_type_id",
)
_ROUTER = 1
"""Logical type of a router in a neighbour entry."""
_RELATIONSHIPS = ("parent", "child", "sibling", "none", "previous-child")
_TYPE_NAMES = {identifier: name for name, identifier in TYPE_IDS.items()}
_ATTEMPTS = 3
_SLEEPY_ATTEMPTS = 28
"""Enough for three long polls: between its tries at delivery APS holds nothing, and a poll may fall in there."""
_ZDO_ATTEMPTS = 40
_T = TypeVar("_T")
AWAKE_TIMEOUT_S = 12.0
SLEEPY_TIMEOUT_S = 40.0
"""One attempt at a sleepy device: as long as APS keeps a frame waiting for its next poll."""


class Han:
    """The devices of the home, as asked through the hub's radio."""

    def __init__(self, port: CoordinatorPort, transactions: Transactions) -> None:
        """`port` answers ZDO questions, `transactions` ZCL ones."""
        self._port = port
        self._transactions = transactions
        self._policy = SecurityPolicy()
        self._sleepy: dict[int, bool] = {}

    async def discover(self, eui64: int) -> DeviceFound:
        """Return descriptors and identity of a device, as it answers now; raises `WanError`."""
        short = self._short(eui64)
        node = await self._node_descriptor(eui64, short)
        endpoints = []
        for number in await self._insist(lambda: self._port.active_endpoints(short), eui64):
            simple = await self._insist(partial(self._port.simple_descriptor, short, number), eui64)
            endpoints.append(simple)
        found = DeviceFound(
            format_eui64(eui64),
            short,
            node.manufacturer_code,
            node.logical_type,
            self._sleepy[eui64],
            tuple(_endpoint(simple) for simple in endpoints),
        )
        basic = next((simple.endpoint for simple in endpoints if BASIC in simple.input_clusters), None)
        if basic is not None:
            found = replace(found, basic=await self.read(eui64, basic, BASIC, _BASIC_ATTRIBUTES))
        ota = next((simple.endpoint for simple in endpoints if OTA_UPGRADE in simple.output_clusters), None)
        if ota is not None:
            values = await self.read(eui64, ota, OTA_UPGRADE, _OTA_ATTRIBUTES, from_server=True)
            found = replace(found, ota=values)
        return found

    async def topology(self) -> LinksHeard:
        """Ask the hub's own radio and every router it leads to whom they hear (Mgmt_Lqi).

        A link is reported by `device`: how well it hears `peer`, and what the peer is to it. `silent` are the
        routers that did not answer.
        """
        links: list[LinkHeard] = []
        silent: list[str] = []
        asked = {0: self._port.eui64}
        waiting = [0]
        while waiting:
            short = waiting.pop(0)
            reporter = format_eui64(asked[short])
            entries = await self._neighbours(short)
            if entries is None:
                silent.append(reporter)
            for entry in entries or ():
                eui64 = entry.eui64 or self._port.eui64_of(entry.short)
                if eui64 is None:
                    continue
                links.append(_link(reporter, eui64, entry))
                if entry.device_type == _ROUTER and entry.short not in asked:
                    asked[entry.short] = eui64
                    waiting.append(entry.short)
        return LinksHeard(tuple(links), tuple(silent))

    async def _neighbours(self, short: int) -> tuple[NeighbourEntry, ...] | None:
        for _ in range(_ATTEMPTS):
            entries = await self._port.neighbours(short)
            if entries is not None:
                return entries
        return None

    async def read(
        self,
        eui64: int,
        endpoint: int,
        cluster: int,
        attributes: tuple[int, ...],
        *,
        from_server: bool = False,
    ) -> dict[str, AttributeValue]:
        """Read attributes; `from_server` reads the client side (the OTA client's attributes).

        A device answers with as many as fit its answer: it is asked for the others again, as long as that helps.
        """
        found: dict[str, AttributeValue] = {}
        wanted = list(attributes)
        while wanted:
            payload = b"".join(attribute.to_bytes(2, "little") for attribute in wanted)
            frame = await self._general(
                eui64, endpoint, cluster, GeneralCommand.READ_ATTRIBUTES, payload, from_server=from_server
            )
            if frame.command == GeneralCommand.DEFAULT_RESPONSE:
                refusal = status_name(status_of(frame))
                raise WanError("refused", f"{format_eui64(eui64)} refused the read: {refusal}")
            records = parse_read_response(frame.payload)
            found |= {f"{record.attribute:04x}": _value(record) for record in records}
            told = {record.attribute for record in records}.intersection(wanted)
            wanted = [attribute for attribute in wanted if attribute not in told] if told else []
        return found

    async def write(
        self, eui64: int, endpoint: int, cluster: int, attribute: int, *, type_name: str, value: Any
    ) -> CommandStatus:
        """Write one attribute; the status is in the result."""
        typed = bytes.fromhex(value) if type_name == "octets" else value
        record = pack_record(attribute, TYPE_IDS[type_name], typed)
        frame = await self._general(eui64, endpoint, cluster, GeneralCommand.WRITE_ATTRIBUTES, record)
        status = status_of(frame)
        return CommandStatus(status, status_name(status))

    async def command(
        self,
        eui64: int,
        endpoint: int,
        cluster: int,
        command: int,
        *,
        payload: bytes,
        answer: int | None,
    ) -> CommandStatus:
        """Send a cluster command and return the answer, or the status of its Default Response."""
        frame = await self._request(eui64, endpoint, cluster, command, payload=payload, answer=answer)
        if not frame.is_cluster_command:
            status = status_of(frame)
            return CommandStatus(status, status_name(status))
        return CommandStatus(0, status_name(0), frame.command, frame.payload)

    async def control(self, eui64: int, endpoint: int, envelope: bytes) -> bytes:
        """Relay a control envelope to a device and return its response."""
        frame = await self._request(
            eui64, endpoint, DEVICE_CONTROL, CONTROL_EXECUTE, payload=envelope, answer=CONTROL_EXECUTE
        )
        if not frame.is_cluster_command:
            raise WanError(
                "refused", f"{format_eui64(eui64)} takes no control: {status_name(status_of(frame))}"
            )
        return frame.payload

    async def device_log(self, eui64: int, endpoint: int, since: int) -> list[LogEntry]:
        """Fetch the entries of a device's event log from number `since` on, oldest first.

        Raises `WanError`, and `FrameError` for answers that are no log.
        """
        entries: list[LogEntry] = []
        octets, moved = b"", 0
        while len(entries) < LOG_CAPACITY and moved < LOG_CAPACITY:
            page = await self._log_page(eui64, endpoint, since, len(octets))
            if page.number == NO_ENTRY:
                break
            if octets and page.number > since:
                # The ring has moved on meanwhile: the entry that is oldest now is fetched from its beginning.
                since, octets, moved = page.number, b"", moved + 1
                continue
            if page.number < since or page.offset != len(octets):
                raise FrameError(
                    f"event log page of {format_eui64(eui64)}: entry {page.number} from octet {page.offset}, "
                    f"expected {since} or a later one from octet {len(octets)}"
                )
            since, octets = page.number, octets + page.octets
            if len(octets) >= page.length or not page.octets:
                entries.append(parse_entry(octets))
                since, octets = since + 1, b""
        return entries

    async def _log_page(self, eui64: int, endpoint: int, number: int, offset: int) -> LogPage:
        question = log_question(number, offset)
        frame = await self._request(
            eui64, endpoint, DEVICE_CONTROL, READ_LOG, payload=question, answer=READ_LOG
        )
        if not frame.is_cluster_command:
            refusal = status_name(status_of(frame))
            raise WanError("refused", f"{format_eui64(eui64)} shows no event log: {refusal}")
        return LogPage.decode(frame.payload)

    async def _request(
        self,
        eui64: int,
        endpoint: int,
        cluster: int,
        command: int,
        *,
        payload: bytes,
        answer: int | None,
    ) -> ZclFrame:
        asdu = cluster_request(self._transactions.next_tsn(), command, payload)
        secure = cluster == DEVICE_CONTROL or self._policy.demands_aps_security(SMART_ENERGY_PROFILE, cluster)
        # A device that is awake gets a command once, with APS retries; one that sleeps gets it until it has woken.
        return await self._ask(Question(eui64, endpoint, cluster, asdu, secure, answer), 1)

    async def _general(
        self,
        eui64: int,
        endpoint: int,
        cluster: int,
        command: int,
        payload: bytes,
        *,
        from_server: bool = False,
    ) -> ZclFrame:
        asdu = general_request(self._transactions.next_tsn(), command, payload, from_server=from_server)
        secure = self._policy.demands_aps_security(SMART_ENERGY_PROFILE, cluster)
        return await self._ask(Question(eui64, endpoint, cluster, asdu, secure), _ATTEMPTS)

    async def _ask(self, question: Question, attempts: int) -> ZclFrame:
        sleepy = await self._sleeps(question.eui64)
        timeout_s = SLEEPY_TIMEOUT_S if sleepy else AWAKE_TIMEOUT_S
        attempts = _SLEEPY_ATTEMPTS if sleepy else attempts
        for attempt in range(1, attempts + 1):
            try:
                return await self._transactions.ask(question, timeout_s)
            except DeviceUnreachableError as error:
                if attempt == attempts:
                    raise WanError("unreachable", str(error)) from error
        raise AssertionError("at least one attempt is made")

    async def _sleeps(self, eui64: int) -> bool:
        if eui64 not in self._sleepy:
            await self._node_descriptor(eui64, self._short(eui64))
        return self._sleepy[eui64]

    async def _node_descriptor(self, eui64: int, short: int) -> NodeDescriptor:
        node = await self._insist(lambda: self._port.node_descriptor(short), eui64)
        self._sleepy[eui64] = not node.capability & 0x08
        return node

    async def _insist(self, ask: Callable[[], Awaitable[_T | None]], eui64: int) -> _T:
        """Ask a ZDO question until it is answered: a sleepy device may sleep through the first.

        An answer that cannot be read is none.
        """
        for _ in range(_ZDO_ATTEMPTS):
            answer = None
            with suppress(FrameError):
                answer = await ask()
            if answer is not None:
                return answer
        raise WanError("unreachable", f"{format_eui64(eui64)} does not answer discovery")

    def _short(self, eui64: int) -> int:
        short = self._port.short_of(eui64)
        if short is None:
            raise WanError("unreachable", f"{format_eui64(eui64)} is not on the home area network")
        return short


def _link(reporter: str, peer: int, entry: NeighbourEntry) -> LinkHeard:
    known = entry.relationship < len(_RELATIONSHIPS)
    relationship = _RELATIONSHIPS[entry.relationship] if known else "none"
    return LinkHeard(reporter, format_eui64(peer), entry.lqi, relationship, entry.device_type)


def _endpoint(simple: SimpleDescriptor) -> EndpointFound:
    return EndpointFound(
        simple.endpoint, simple.device, tuple(simple.input_clusters), tuple(simple.output_clusters)
    )


def _value(record: AttributeRecord) -> AttributeValue:
    if record.status:
        return AttributeValue(record.status, status_name(record.status))
    kind = _TYPE_NAMES.get(record.type_id, f"0x{record.type_id:02x}")
    return AttributeValue(0, type=kind, value=plain(record.value))
