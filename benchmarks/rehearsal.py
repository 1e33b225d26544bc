"""The home that benchmarks work on: the rehearsal installation on the emulated air, in memory."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from types import MappingProxyType

from emulator.air.exchange import Capture
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.crypto.authority import IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.devices.comms_hub.firmware import FirmwareService
from emulator.devices.firmware_client import FirmwareClient
from emulator.devices.home import Home
from emulator.nonvolatile import MemoryNonVolatile
from emulator.smart_energy.ota.file import OtaHeader, pack_image
from emulator.smart_energy.ota.signature import build_signed
from emulator.stack.aps.key_table import KeyObserver
from emulator.wan.link import WanLink
from harness.examples import DORMANT_SEMI as INSTALLATION
from hw_profiles.installation import Installation, load_installation

METER = "electricity"
BLOCK_OCTETS = 48
_SIGNER = 0x00DB123456789F01


class WorldMemory:
    """Non-volatile memory of every device, in this process only."""

    def __init__(self) -> None:
        self._devices: dict[str, MemoryNonVolatile] = {}

    def device(self, name: str) -> MemoryNonVolatile:
        """Return the memory of the device called `name`."""
        return self._devices.setdefault(name, MemoryNonVolatile())


def installation(request_interval_ms: int) -> Installation:
    """Return the rehearsal installation with an electricity meter that asks for a block that often (0: at once)."""
    loaded = load_installation(INSTALLATION)
    model = loaded.models[METER]
    assert model.ota is not None
    ota = dataclasses.replace(model.ota, request_interval_ms=request_interval_ms, block_size=BLOCK_OCTETS)
    models = {**loaded.models, METER: dataclasses.replace(model, ota=ota)}
    return dataclasses.replace(loaded, models=MappingProxyType(models))


def make_home(
    *,
    seed: int = 1,
    capture: Capture | None = None,
    request_interval_ms: int = 0,
    on_key: KeyObserver | None = None,
) -> tuple[Kernel, Home]:
    """Return a rehearsal home that has not been started."""
    installed = installation(request_interval_ms)
    kernel = Kernel(seed, epoch_unix_seconds=installed.start_unix_seconds)
    medium = Medium(kernel, capture=capture)
    return kernel, Home(kernel, installed, WorldMemory(), medium, WanLink(kernel), on_key=on_key)


def signed_image(octets: int) -> bytes:
    """Return an OTA file for the electricity meter whose upgrade image has that many octets."""
    authority = IssuingAuthority.from_seed(Suite.SUITE_1, b"dormant-semi/firmware", b"REHEARFW")
    header = OtaHeader(0x1002, 0x0E01, 0x02000000, b"Benchmark".ljust(32, b"\x00"))
    return pack_image(
        build_signed(header, hashlib.shake_256(b"benchmark").digest(octets), authority.issue(_SIGNER))
    )


class Upgrade:
    """One image on its way from the hub to the electricity meter."""

    def __init__(self, home: Home, image: bytes) -> None:
        """Give the hub an image; the wide-area link is no part of what is measured."""
        self._home = home
        self._firmware: FirmwareService = home.hub.firmware
        self._sha256 = hashlib.sha256(image).hexdigest()
        self._firmware.image_begin(self._sha256, len(image), "benchmark")
        self._firmware.image_data(self._sha256, 0, image)
        self._firmware.image_commit(self._sha256)

    async def transfer(self) -> None:
        """Start the download and return when the meter holds the whole image."""
        received: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._client.on_received = lambda _version: received.set_result(None)
        self._firmware.schedule(self._home.devices[METER].eui64, self._sha256, BLOCK_OCTETS, 0)
        await received

    @property
    def _client(self) -> FirmwareClient:
        life = self._home.devices[METER].life
        assert life is not None, "the home has been started"
        assert life.firmware is not None, "the meter's model has an OTA client"
        return life.firmware
