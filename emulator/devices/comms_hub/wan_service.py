"""The hub's end of the WAN: authenticated operations in, results and alerts out.

Every operation names the control role it needs; the envelope it came in proves the role. A repeated envelope gets the
response it got before, so a lost answer never causes a second effect.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from emulator.devices.comms_hub.firmware import FirmwareService
from emulator.devices.comms_hub.han import Han
from emulator.devices.comms_hub.mirror import Mirrors
from emulator.devices.control import (
    Accepted,
    ControlReceiver,
    ControlRole,
)
from emulator.devices.event_log import LogEntry
from emulator.errors import EmulatorError, FrameError, RecordError, SurroundingsError
from emulator.eui64 import parse_eui64
from emulator.wan import operations as wan
from emulator.wan.alerts import Alert, encode_alert
from emulator.wan.link import WanLink
from emulator.wan.messages import WanError, decode
from emulator.wan.operations import decode_operation, encode_failure, encode_result, kind_of
from emulator.wan.results import (
    AttributeValues,
    CommandStatus,
    ControlAnswer,
    Done,
    HubStatus,
    KeySequence,
    LoggedEvent,
    LoggedEvents,
    MirrorContents,
    MirroredValue,
)
from emulator.zcl.values import plain


class HubFacade(NamedTuple):
    """What the operations work on."""

    han: Han
    firmware: FirmwareService
    mirrors: Mirrors
    status: Callable[[], HubStatus]
    permit: Callable[[int, bytes, int], None]
    update_network_key: Callable[[], int]
    read_log: Callable[[int], list[LogEntry]]


class WanService:
    """Listens on the link and answers."""

    def __init__(self, link: WanLink, control: ControlReceiver, hub: HubFacade) -> None:
        """`control` holds the hub's own control keys."""
        self._link = link
        self._control = control
        self._hub = hub
        self._running: set[bytes] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._operations = self._table()
        link.on_hub = self._received

    def alert(self, alert: Alert) -> None:
        """Tell the head end something it did not ask."""
        self._link.to_head_end(self._control.sign_alert(encode_alert(alert)))

    async def stop(self) -> None:
        """Stop listening and drop what is under way."""
        self._link.on_hub = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _received(self, datagram: bytes) -> None:
        digest = hashlib.sha256(datagram).digest()
        if digest in self._running:
            return
        opened = self._control.open(datagram)
        if isinstance(opened, bytes):
            self._link.to_head_end(opened)
            return
        self._running.add(digest)
        task = asyncio.get_running_loop().create_task(self._serve(opened, digest))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def _serve(self, accepted: Accepted, digest: bytes) -> None:
        try:
            self._answer(accepted, await self._run(accepted))
        except SurroundingsError:
            raise
        except Exception as error:
            # A fault of this program: the head end is told, and the traceback is not lost.
            self._answer(accepted, encode_failure("internal", repr(error)))
            raise
        finally:
            self._running.discard(digest)

    def _answer(self, accepted: Accepted, answer: bytes) -> None:
        self._link.to_head_end(self._control.answer(accepted, answer))

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            context = {"message": "operation of the hub failed", "exception": error, "task": task}
            asyncio.get_running_loop().call_exception_handler(context)

    async def _run(self, accepted: Accepted) -> bytes:
        try:
            message = decode(accepted.command)
        except FrameError as error:
            return encode_failure("bad-request", str(error))
        try:
            kind = kind_of(message)
            if kind.CRITICAL and accepted.envelope.role is not ControlRole.CRITICAL:
                raise WanError("not-critical", f"operation {kind.NAME!r} needs the critical key")
            return encode_result(await self._operations[kind](decode_operation(message)))
        except WanError as error:
            return encode_failure(error.code, error.text)
        except FrameError as error:
            return encode_failure("malformed-answer", str(error))
        except (RecordError, KeyError, ValueError, TypeError) as error:
            return encode_failure("bad-request", f"{type(error).__name__}: {error}")
        except SurroundingsError:
            raise
        except EmulatorError as error:
            return encode_failure("failed", str(error))

    # Operations

    def _table(self) -> Mapping[type[wan.Operation[Any]], Callable[[Any], Awaitable[object]]]:
        hub, firmware = self._hub, self._hub.firmware
        return {
            wan.Status: _at_once(lambda _: hub.status()),
            wan.Discover: lambda o: hub.han.discover(parse_eui64(o.device)),
            wan.Topology: lambda _: hub.han.topology(),
            wan.Read: self._read,
            wan.Write: self._write,
            wan.Command: self._command,
            wan.Mirror: _at_once(self._mirror),
            wan.Permit: _at_once(self._permit),
            wan.ReadLog: _at_once(lambda o: _logged(hub.read_log(o.since))),
            wan.DeviceLog: self._device_log,
            wan.Control: self._relay,
            wan.ImageBegin: _at_once(lambda o: firmware.image_begin(o.sha256, o.size, o.name)),
            wan.ImageData: _at_once(lambda o: firmware.image_data(o.sha256, o.offset, o.data)),
            wan.ImageCommit: _at_once(lambda o: firmware.image_commit(o.sha256)),
            wan.Schedule: _at_once(
                lambda o: firmware.schedule(parse_eui64(o.device), o.sha256, o.block, o.period_ms)
            ),
            wan.Job: _at_once(lambda o: firmware.status(parse_eui64(o.device))),
            wan.Release: _at_once(lambda o: firmware.release(parse_eui64(o.device), o.at)),
            wan.Withdraw: _at_once(lambda o: firmware.withdraw(parse_eui64(o.device))),
            wan.NetworkKey: _at_once(lambda _: KeySequence(hub.update_network_key())),
        }

    async def _read(self, asked: wan.Read) -> AttributeValues:
        values = await self._hub.han.read(
            parse_eui64(asked.device),
            asked.endpoint,
            asked.cluster,
            asked.attributes,
            from_server=asked.from_server,
        )
        return AttributeValues(values)

    async def _write(self, asked: wan.Write) -> CommandStatus:
        return await self._hub.han.write(
            parse_eui64(asked.device),
            asked.endpoint,
            asked.cluster,
            asked.attribute,
            type_name=asked.type,
            value=asked.value,
        )

    async def _command(self, asked: wan.Command) -> CommandStatus:
        return await self._hub.han.command(
            parse_eui64(asked.device),
            asked.endpoint,
            asked.cluster,
            asked.command,
            payload=asked.payload,
            answer=asked.answer,
        )

    def _mirror(self, asked: wan.Mirror) -> MirrorContents:
        device = parse_eui64(asked.device)
        endpoint = self._hub.mirrors.endpoint_of(device)
        if endpoint is None:
            raise WanError("no-mirror", f"{asked.device} has no mirror on this hub")
        values = {
            f"{cluster:04x}/{attribute:04x}": MirroredValue(plain(seen.value), seen.unix_seconds)
            for (cluster, attribute), seen in self._hub.mirrors.values(device).items()
        }
        return MirrorContents(endpoint, self._hub.mirrors.last_report.get(device), values)

    def _permit(self, asked: wan.Permit) -> Done:
        self._hub.permit(parse_eui64(asked.device), asked.install_code, asked.seconds)
        return Done()

    async def _device_log(self, asked: wan.DeviceLog) -> LoggedEvents:
        return _logged(await self._hub.han.device_log(parse_eui64(asked.device), asked.endpoint, asked.since))

    async def _relay(self, asked: wan.Control) -> ControlAnswer:
        device = parse_eui64(asked.device)
        return ControlAnswer(await self._hub.han.control(device, asked.endpoint, asked.envelope))


def _at_once(call: Callable[[Any], object]) -> Callable[[Any], Awaitable[object]]:
    async def run(asked: Any) -> object:
        return call(asked)

    return run


def _logged(entries: Iterable[LogEntry]) -> LoggedEvents:
    return LoggedEvents(tuple(LoggedEvent(*entry) for entry in entries))
