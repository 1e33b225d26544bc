"""One EZSP dongle: opening it with errors that say what is wrong, what it is, and which network it holds."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import bellows.types as b
import zigpy.exceptions
from bellows.exception import InvalidCommandError

from emulator.coordinator.ezsp_application import EzspApplication
from emulator.coordinator.ezsp_line import ezsp_config
from emulator.coordinator.hub_application import from_zigpy
from emulator.coordinator.radio import HubSite
from emulator.eui64 import format_eui64
from harness.errors import HarnessError
from harness.homes import backups

SUPPORTED_VERSIONS = range(8, 20)
ANSWER_TIMEOUT_S = 15.0
CBKE_TIMEOUT_S = 5.0
_NETWORK = "radio.network"


class RadioUnavailableError(HarnessError):
    """A radio that cannot be used; one line says which, why, and what to do."""

    exit_status = 3


class AddressError(HarnessError):
    """A dongle with another address than the hub it is to be."""


class NetworkHeldError(HarnessError):
    """A dongle with a network that is not this hub's, which is not overwritten unasked."""


@dataclass(frozen=True, slots=True)
class DongleReport:
    """What a dongle says about itself. `network` is None when it is on none."""

    path: str
    eui64: str
    protocol_version: int
    firmware: str | None
    manufacturer: str | None
    board: str | None
    cbke: bool
    cbke_283k1: bool
    network: str | None


@asynccontextmanager
async def connected(path: str, network: dict[str, object] | None = None) -> AsyncIterator[EzspApplication]:
    """Open a dongle for as long as the block runs; nothing of it is changed.

    Raises `RadioUnavailableError`: no such port, no permission, in use, no EZSP, or a version that is not supported.
    """
    require_port(path)
    application = EzspApplication(ezsp_config(path, network or {}, watchdog=False))
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await application.connect()
        version = application.protocol_version
        if version not in SUPPORTED_VERSIONS:
            raise RadioUnavailableError(
                f"{_where(path)}: EZSP version {version}, expected {SUPPORTED_VERSIONS.start} to "
                f"{SUPPORTED_VERSIONS.stop - 1}; put other firmware on the dongle"
            )
        yield application
    except HarnessError:
        raise
    except Exception as error:
        explained = explain(path, error)
        if explained is None:
            raise
        raise explained from error
    finally:
        await application.disconnect()


def require_port(path: str) -> None:
    """Say what is plainly wrong with a path before anything is tried; raises `RadioUnavailableError`."""
    if "://" in path:
        return
    port = Path(path)
    if not port.exists():
        raise RadioUnavailableError(f"{path}: no such port; smets1 radios lists what is attached")
    if not stat.S_ISCHR(port.stat().st_mode):
        raise RadioUnavailableError(f"{path}: not a serial port; smets1 radios lists what is attached")
    if not os.access(port, os.R_OK | os.W_OK):
        raise RadioUnavailableError(
            f"{path}: no permission; add your user to the port's group (often dialout) and log in again"
        )


def explain(path: str, error: BaseException) -> RadioUnavailableError | None:
    """Return what an error of a radio library means, or None for one that is not about reaching the radio."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    for each in chain:
        if isinstance(each, PermissionError):
            locked = "lock" in str(each)
            what = "in use by another program" if locked else "no permission"
            advice = "close that program" if locked else "add your user to the port's group (often dialout)"
            return RadioUnavailableError(f"{path}: {what}; {advice}")
        if isinstance(each, FileNotFoundError):
            return RadioUnavailableError(f"{path}: no such port; smets1 radios lists what is attached")
        if isinstance(each, ConnectionRefusedError):
            return RadioUnavailableError(
                f"{_where(path)}: nothing listens there; start smets1 emulate or the bridge"
            )
    if any(isinstance(each, TimeoutError) for each in chain):
        return RadioUnavailableError(
            f"{_where(path)}: no answer as from an EZSP dongle; check that it has EmberZNet NCP firmware at 115200 baud"
        )
    if any(isinstance(each, OSError) for each in chain):
        return RadioUnavailableError(
            f"{_where(path)}: {str(error) or repr(error)}; check the cable and the address"
        )
    return None


def _where(path: str) -> str:
    parsed = urlparse(path)
    return f"tcp:{parsed.hostname}:{parsed.port}" if parsed.scheme in ("socket", "tcp") else path


async def inspect(path: str) -> DongleReport:
    """Ask a dongle what it is and can do; raises `RadioUnavailableError`. Nothing is changed."""
    async with connected(path) as application:
        manufacturer, board, firmware = await application.ezsp.get_board_info()
        (eui64,) = await application.ezsp.getEui64()
        return DongleReport(
            path=path,
            eui64=str(eui64),
            protocol_version=application.protocol_version,
            firmware=firmware,
            manufacturer=manufacturer,
            board=board,
            cbke=await _has(application, "getCertificate"),
            cbke_283k1=await _has(application, "getCertificate283k1"),
            network=await network_of(application),
        )


async def _has(application: EzspApplication, command: str) -> bool:
    """Tell whether the dongle has a Smart Energy library: one without refuses to show a certificate."""
    try:
        async with asyncio.timeout(CBKE_TIMEOUT_S):
            response = await getattr(application.ezsp, command)()
    except (TimeoutError, AttributeError):
        return False
    except InvalidCommandError:
        return False
    # A library without a certificate says that there is none; only firmware without the library says so.
    status: object = b.sl_Status.from_ember_status(response[0])
    return status not in (b.sl_Status.NOT_AVAILABLE, b.sl_Status.NOT_SUPPORTED)


async def network_of(application: EzspApplication) -> str | None:
    """Return the network a connected dongle holds, in a few words, or None."""
    try:
        await application.load_network_info(load_devices=False)
    except zigpy.exceptions.NetworkNotFormed:
        return None
    return backups.describe(application.state.network_info)


async def check_network(path: str, site: HubSite, *, overwrite: bool) -> None:
    """Make sure that a dongle has this hub's address, and holds this hub's network or none.

    Raises `AddressError`, and `NetworkHeldError` for somebody else's network, unless `overwrite`: then the dongle
    leaves it, and the hub will form its own.
    """
    async with connected(path, site.network) as application:
        (eui64,) = await application.ezsp.getEui64()
        if from_zigpy(eui64) != site.node.eui64:
            raise AddressError(
                f"{_where(path)}: the dongle is {format_eui64(from_zigpy(eui64))}, the installation's hub is "
                f"{format_eui64(site.node.eui64)}; restore the hub's backup to the dongle or correct the file"
            )
        held = await network_of(application)
        network = application.state.network_info
        if held is None:
            return
        mine = str(network.extended_pan_id) == str(site.network["extended_pan_id"]).lower()
        key = network.network_key.key.serialize()
        if mine and (network.network_key.seq != 0 or list(key) == site.network["key"]):
            return
        if not overwrite:
            raise NetworkHeldError(
                f"{_where(path)}: the dongle holds a network of somebody else ({held}); back it up with smets1 radios "
                "--backup, then give --overwrite-network, or use another dongle"
            )
        await application.reset_network_info()
