"""A whole emulated home for tests, and the least head end that can command its hub over the wide-area link."""

from __future__ import annotations

import asyncio
import copy
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from emulator.air.exchange import Capture
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.clock.loop import run
from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.devices.control import (
    ControlEnvelope,
    ControlResponse,
    ControlRole,
    ControlStatus,
    command_payload,
    decode_response,
    encode_envelope,
    rehearsal_identity,
    response_holds,
)
from emulator.devices.electricity_meter import ElectricityMeter
from emulator.devices.gas_meter import GasMeter
from emulator.devices.home import Home
from emulator.devices.in_home_display import InHomeDisplay
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.devices.world_clock import world_clock
from emulator.eui64 import format_eui64
from emulator.nonvolatile import MemoryNonVolatile
from emulator.smart_energy.ota.file import OtaHeader, pack
from emulator.smart_energy.ota.signature import build_signed
from emulator.wan import operations as wan
from emulator.wan.alerts import JobOutcome, decode_alert
from emulator.wan.link import WanLink
from emulator.wan.messages import ATTACHMENT_MAX, WanError, decode
from harness.examples import DORMANT_SEMI as EXAMPLE
from hw_profiles.installation import Installation, load_installation

HUB, ELECTRICITY, GAS, DISPLAY = (0x00DB1234567890A0 + index for index in range(4))
MINUTE, HOUR, DAY = 60, 3600, 86_400
SIGNER = 0x00DB12345678_9F01
ELECTRICITY_TYPE, GAS_TYPE, DISPLAY_TYPE = 0x0E01, 0x0601, 0x1D01
ELECTRICITY_NEW, GAS_NEW = 0x01020000, 0x01040000
T = TypeVar("T")


class Memory:
    """Non-volatile memory of every device, as `WorldStore` without a file."""

    def __init__(self) -> None:
        self.devices: dict[str, MemoryNonVolatile] = {}

    def device(self, name: str) -> MemoryNonVolatile:
        return self.devices.setdefault(name, MemoryNonVolatile())


class RefusedError(Exception):
    """The hub's own error answer."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class TestHeadEnd:
    """Sends operations sealed with rehearsal keys and remembers alerts."""

    __test__ = False

    def __init__(self, world: World) -> None:
        self._world = world
        self._counters = dict.fromkeys(ControlRole, world.kernel.now)
        self._waiting: asyncio.Future[ControlResponse] | None = None
        self._role = ControlRole.NON_CRITICAL
        self.alerts: list[Any] = []
        self.identity = rehearsal_identity(world.kernel.secret, HUB)
        world.link.on_head_end = self._received

    def seal(self, asked: wan.Operation[Any] | bytes, *, critical: bool | None = None) -> bytes:
        """Seal an operation, or the octets of one that no record allows, with the key it needs or another."""
        octets = asked if isinstance(asked, bytes) else wan.encode_operation(asked)
        needed = not isinstance(asked, bytes) and asked.CRITICAL
        role = (
            ControlRole.CRITICAL if (needed if critical is None else critical) else ControlRole.NON_CRITICAL
        )
        self._counters[role] += 1
        payload = command_payload(octets)
        return encode_envelope(
            ControlEnvelope(role, 0, self._counters[role], payload), self.identity.key(role), HUB
        )

    async def exchange(self, datagram: bytes) -> ControlResponse:
        """Send until answered, waking the hub as often as that takes."""
        link = self._world.link
        for _ in range(200):
            for _ in range(0 if link.awake else 2):
                link.wake()
            await asyncio.sleep(0 if link.awake else 8.5)
            self._waiting = asyncio.get_running_loop().create_future()
            self._role = ControlRole(datagram[1])
            link.to_hub(datagram)
            done, _ = await asyncio.wait({self._waiting}, timeout=30)
            if done:
                return self._waiting.result()
        raise AssertionError("the hub does not answer")

    async def call(self, asked: wan.Operation[T], *, critical: bool | None = None) -> T:
        response = await self.exchange(self.seal(asked, critical=critical))
        assert response.status is ControlStatus.OK, response
        try:
            return wan.decode_result(asked, response.payload)
        except WanError as error:
            raise RefusedError(error.code, error.text) from error

    async def refusal(self, octets: bytes, *, critical: bool = False) -> str:
        """Return the code the hub refuses the octets of an operation with."""
        response = await self.exchange(self.seal(octets, critical=critical))
        return str(decode(response.payload).fields["error"]["code"])

    async def upload(self, image: bytes) -> str:
        sha256 = hashlib.sha256(image).hexdigest()
        held = await self.call(wan.ImageBegin(sha256=sha256, size=len(image), name="test"))
        at = held.held
        while at < len(image):
            piece = image[at : at + ATTACHMENT_MAX]
            at = (await self.call(wan.ImageData(sha256=sha256, offset=at, data=piece))).held
        await self.call(wan.ImageCommit(sha256=sha256))
        return sha256

    async def schedule(self, device: int, image: bytes, *, block: int = 48, period_ms: int = 0) -> Any:
        sha256 = await self.upload(image)
        return await self.call(
            wan.Schedule(device=format_eui64(device), sha256=sha256, block=block, period_ms=period_ms)
        )

    async def job(self, device: int) -> Any:
        return await self.call(wan.Job(device=format_eui64(device)))

    async def until(
        self, device: int, *states: str, patience_s: float = 10 * DAY, every_s: float = 60
    ) -> Any:
        waited = 0.0
        while (job := await self.job(device)).state not in states:
            assert waited < patience_s, job
            assert job.state not in ("failed", "activated"), job
            await asyncio.sleep(every_s)
            waited += every_s
        return job

    async def release(self, device: int, at: int = 0) -> Any:
        return await self.call(wan.Release(device=format_eui64(device), at=at))

    async def read(self, device: int, cluster: int, attribute: int, **fields: Any) -> Any:
        answer = await self.call(
            wan.Read(
                device=format_eui64(device),
                endpoint=1,
                cluster=cluster,
                attributes=(attribute,),
                **fields,
            )
        )
        return answer.values[f"{attribute:04x}"]

    async def version(self, device: int) -> int:
        value = await self.read(device, 0x0019, 0x0002, from_server=True)
        return int(value.value)

    def outcomes(self) -> list[str]:
        return [alert.outcome for alert in self.alerts if isinstance(alert, JobOutcome)]

    def _received(self, datagram: bytes) -> None:
        response = decode_response(datagram)
        if response.payload:
            assert response_holds(datagram, self.identity.key(response.role), HUB)
            alert = decode_alert(response.payload)
            if alert is not None:
                self.alerts.append(alert)
                return
        if self._waiting is not None and not self._waiting.done() and response.role is self._role:
            self._waiting.set_result(response)


class World:
    """One home on its kernel. `memory` lets a later world be the same home after a power cut."""

    def __init__(
        self,
        installation: Installation | None = None,
        memory: Memory | None = None,
        *,
        seed: int = 1,
        capture: Capture | None = None,
    ) -> None:
        self.installation = installation or example()
        self.memory = memory or Memory()
        self.kernel = Kernel(
            seed,
            epoch_unix_seconds=self.installation.start_unix_seconds,
            start_us=world_clock(self.memory),
        )
        self.medium = Medium(self.kernel, capture=capture)
        self.link = WanLink(self.kernel)
        self.keys: list[tuple[str, bytes]] = []
        self.home = Home(
            self.kernel,
            self.installation,
            self.memory,
            self.medium,
            self.link,
            on_key=lambda kind, key, _label: self.keys.append((kind, key)),
        )
        self.head_end = TestHeadEnd(self)

    @property
    def electricity(self) -> ElectricityMeter:
        device = self.home.devices["electricity"]
        assert isinstance(device, ElectricityMeter)
        return device

    @property
    def gas(self) -> GasMeter:
        device = self.home.devices["gas"]
        assert isinstance(device, GasMeter)
        return device

    @property
    def display(self) -> InHomeDisplay:
        device = self.home.devices["display"]
        assert isinstance(device, InHomeDisplay)
        return device

    def run(self, story: Callable[[World], Awaitable[T]], *, with_display: bool = False) -> T:
        """Start the home, live the story, stop the home.

        The display is unplugged unless wanted: its readings are most of the traffic of a home.
        """

        async def live() -> T:
            await self.home.start()
            if not with_display:
                self.display.power_off()
            try:
                return await story(self)
            finally:
                await self.home.stop()

        return run(live(), self.kernel)

    def again(self, **changes: Any) -> World:
        """Return the same home after everything lost power."""
        return World(self.installation, self.memory, seed=self.kernel.seed, **changes)


@cache
def example() -> Installation:
    """The shipped example, without its catalogue."""
    return load_installation(EXAMPLE)


@cache
def _installed(seed: int) -> Memory:
    world = World(seed=seed)

    async def rest(_: World) -> None:
        await asyncio.sleep(2 * MINUTE)

    world.run(rest, with_display=True)
    return world.memory


def installed(seed: int = 1, *, capture: Capture | None = None) -> World:
    """Return a home that was installed before and is powered up as it was left."""
    return World(memory=copy.deepcopy(_installed(seed)), seed=seed, capture=capture)


def with_model(name: str, **changes: Any) -> Installation:
    """Return the example with fields of one device's model changed."""
    base = example()
    models = {**base.models, name: replace(base.models[name], **changes)}
    return replace(base, models=models)


def with_entry(name: str, installation: Installation | None = None, **changes: Any) -> Installation:
    """Return the example with fields of one device's entry changed."""
    base = installation or example()
    devices = tuple(
        replace(entry, **changes) if entry.name == name else entry for entry in base.record.devices
    )
    return replace(base, record=replace(base.record, devices=devices))


@cache
def image_of(
    image_type: int,
    version: int,
    octets: int = 3000,
    *,
    seed: str = "dormant-semi/firmware",
    hardware: int = 1,
    manufacturer: int = 0x1002,
    destination: int | None = None,
) -> bytes:
    """Return a signed OTA file; by default the example's meters accept its signer."""
    identity = IssuingAuthority.from_seed(Suite.SUITE_1, seed.encode(), b"REHEARFW").issue(SIGNER)
    content = hashlib.shake_256(f"{image_type}/{version}".encode()).digest(octets)
    header = OtaHeader(
        manufacturer_code=manufacturer,
        image_type=image_type,
        file_version=version,
        header_string=b"Test".ljust(32, b"\0"),
        destination=destination,
        hardware_minimum=hardware,
        hardware_maximum=hardware,
    )
    return pack(build_signed(header, content, identity))


def events(device: SmartEnergyDevice, event: str) -> list[str]:
    """Return the details of a device's log entries of one kind."""
    return [entry.detail for entry in device.log.entries() if entry.event == event]
