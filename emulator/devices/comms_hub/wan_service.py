"""The hub's end of the WAN: authenticated operations in, results and alerts out.

Every operation names the control role it needs; the envelope it came in proves the role. A repeated envelope gets the
response it got before, so a lost answer never causes a second effect.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from emulator.devices.comms_hub.firmware import FirmwareService
from emulator.devices.comms_hub.han import Han
from emulator.devices.comms_hub.mirror import Mirrors
from emulator.devices.control import (
    Accepted,
    ControlReceiver,
    ControlRole,
    ControlStatus,
)
from emulator.errors import EmulatorError, FrameError, SurroundingsError
from emulator.eui64 import parse_eui64
from emulator.wan.link import WanLink
from emulator.wan.messages import WanError, WanMessage, decode, encode
from emulator.zcl.values import plain

Fields = Mapping[str, Any]
Result = dict[str, Any]


class Operation(NamedTuple):
    """One operation: the role it needs and what carries it out."""

    role: ControlRole
    run: Callable[[Fields, bytes], Awaitable[Result]]


class HubFacade(NamedTuple):
    """What the operations work on."""

    han: Han
    firmware: FirmwareService
    mirrors: Mirrors
    status: Callable[[], Result]
    permit: Callable[[int, bytes, int], None]
    update_network_key: Callable[[], int]
    read_log: Callable[[int], list[Result]]


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

    def alert(self, fields: Fields) -> None:
        """Tell the head end something it did not ask."""
        self._link.to_head_end(self._control.sign_alert(encode(WanMessage(fields))))

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
            result, status = await self._run(accepted)
            self._answer(accepted, result, status)
        except SurroundingsError:
            raise
        except Exception as error:
            # A fault of this program: the head end is told, and the traceback is not lost.
            self._answer(accepted, _failure("internal", repr(error)), ControlStatus.OK)
            raise
        finally:
            self._running.discard(digest)

    def _answer(self, accepted: Accepted, result: Result, status: ControlStatus) -> None:
        self._link.to_head_end(self._control.answer(accepted, encode(WanMessage(result)), status))

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            context = {"message": "operation of the hub failed", "exception": error, "task": task}
            asyncio.get_running_loop().call_exception_handler(context)

    async def _run(self, accepted: Accepted) -> tuple[Result, ControlStatus]:
        try:
            message = decode(accepted.command)
        except FrameError as error:
            return _failure("bad-request", str(error)), ControlStatus.OK
        try:
            name = message.fields.get("op")
            operation = self._operations.get(str(name))
            if operation is None:
                raise WanError("unknown-operation", f"the hub has no operation {name!r}")
            if operation.role is ControlRole.CRITICAL and accepted.envelope.role is not ControlRole.CRITICAL:
                raise WanError("not-critical", f"operation {name!r} needs the critical key")
            return {"ok": await operation.run(message.fields, message.attachment)}, ControlStatus.OK
        except WanError as error:
            return _failure(error.code, error.text), ControlStatus.OK
        except FrameError as error:
            return _failure("malformed-answer", str(error)), ControlStatus.OK
        except (KeyError, ValueError, TypeError) as error:
            return _failure("bad-request", f"{type(error).__name__}: {error}"), ControlStatus.OK
        except SurroundingsError:
            raise
        except EmulatorError as error:
            return _failure("failed", str(error)), ControlStatus.OK

    # Operations

    def _table(self) -> dict[str, Operation]:
        ordinary, critical = ControlRole.NON_CRITICAL, ControlRole.CRITICAL
        firmware = self._hub.firmware
        return {
            "status": Operation(ordinary, self._status),
            "discover": Operation(ordinary, self._discover),
            "topology": Operation(ordinary, self._topology),
            "read": Operation(ordinary, self._read),
            "write": Operation(ordinary, self._write),
            "command": Operation(ordinary, self._command),
            "mirror": Operation(ordinary, self._mirror),
            "permit": Operation(ordinary, self._permit),
            "read_log": Operation(ordinary, self._read_log),
            "device_log": Operation(ordinary, self._device_log),
            "control": Operation(ordinary, self._relay),
            "image_begin": Operation(
                ordinary, _plain(lambda f, _: firmware.image_begin(f["sha256"], f["size"], f["name"]))
            ),
            "image_data": Operation(
                ordinary, _plain(lambda f, data: firmware.image_data(f["sha256"], f["offset"], data))
            ),
            "image_commit": Operation(ordinary, _plain(lambda f, _: firmware.image_commit(f["sha256"]))),
            "schedule": Operation(
                ordinary,
                _plain(lambda f, _: firmware.schedule(_device(f), f["sha256"], f["block"], f["period_ms"])),
            ),
            "job": Operation(ordinary, _plain(lambda f, _: firmware.status(_device(f)))),
            "release": Operation(critical, _plain(lambda f, _: firmware.release(_device(f), f["at"]))),
            "withdraw": Operation(critical, _plain(lambda f, _: firmware.withdraw(_device(f)))),
            "network_key": Operation(
                critical, _plain(lambda _f, _: {"sequence": self._hub.update_network_key()})
            ),
        }

    async def _status(self, _fields: Fields, _attachment: bytes) -> Result:
        return self._hub.status()

    async def _discover(self, fields: Fields, _attachment: bytes) -> Result:
        return await self._hub.han.discover(_device(fields))

    async def _topology(self, _fields: Fields, _attachment: bytes) -> Result:
        return await self._hub.han.topology()

    async def _read(self, fields: Fields, _attachment: bytes) -> Result:
        values = await self._hub.han.read(
            _device(fields),
            fields["endpoint"],
            fields["cluster"],
            tuple(fields["attributes"]),
            from_server=fields.get("from_server", False),
        )
        return {"values": values}

    async def _write(self, fields: Fields, _attachment: bytes) -> Result:
        return await self._hub.han.write(
            _device(fields),
            fields["endpoint"],
            fields["cluster"],
            fields["attribute"],
            type_name=fields["type"],
            value=fields["value"],
        )

    async def _command(self, fields: Fields, _attachment: bytes) -> Result:
        return await self._hub.han.command(
            _device(fields),
            fields["endpoint"],
            fields["cluster"],
            fields["command"],
            payload=bytes.fromhex(fields["payload"]),
            answer=fields["answer"],
        )

    async def _mirror(self, fields: Fields, _attachment: bytes) -> Result:
        device = _device(fields)
        endpoint = self._hub.mirrors.endpoint_of(device)
        if endpoint is None:
            raise WanError("no-mirror", f"{fields['device']} has no mirror on this hub")
        values = {
            f"{cluster:04x}/{attribute:04x}": {
                "value": plain(seen.value),
                "unix": seen.unix_seconds,
            }
            for (cluster, attribute), seen in sorted(self._hub.mirrors.values(device).items())
        }
        last = self._hub.mirrors.last_report.get(device)
        return {"endpoint": endpoint, "last_report": last, "values": values}

    async def _permit(self, fields: Fields, _attachment: bytes) -> Result:
        self._hub.permit(_device(fields), bytes.fromhex(fields["install_code"]), fields["seconds"])
        return {}

    async def _read_log(self, fields: Fields, _attachment: bytes) -> Result:
        return {"entries": self._hub.read_log(fields["since"])}

    async def _device_log(self, fields: Fields, _attachment: bytes) -> Result:
        entries = await self._hub.han.device_log(
            _device(fields), fields.get("endpoint", 1), fields.get("since", 0)
        )
        return {"entries": [entry._asdict() for entry in entries]}

    async def _relay(self, fields: Fields, _attachment: bytes) -> Result:
        endpoint = fields.get("endpoint", 1)
        response = await self._hub.han.control(_device(fields), endpoint, bytes.fromhex(fields["envelope"]))
        return {"response": response.hex()}


def _plain(call: Callable[[Fields, bytes], Result]) -> Callable[[Fields, bytes], Awaitable[Result]]:
    async def run(fields: Fields, attachment: bytes) -> Result:
        return call(fields, attachment)

    return run


def _device(fields: Fields) -> int:
    return parse_eui64(fields["device"])


def _failure(code: str, text: str) -> Result:
    return {"error": {"code": code, "text": text[:250]}}
