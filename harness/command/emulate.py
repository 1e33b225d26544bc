"""`smets1 emulate`: an installation's devices on the air, and a dongle for a host of anybody's making."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from emulator.clock.kernel import MICROSECONDS
from emulator.clock.loop import run as run_loop
from emulator.coordinator.ezsp_application import FIRST_WITH_INSTALL_CODES
from emulator.coordinator.ezsp_line import DEFAULT_VERSION
from emulator.coordinator.monikers import LOOPBACK_HOST, Kind, Moniker
from harness.command.arguments import (
    add_installation,
    add_models,
    add_seed,
    add_speed,
    duration,
    moniker,
    require_file,
    require_folders,
)
from harness.command.console import console_for
from harness.command.main import DONE, EXIT_STATUSES
from harness.command.stopping import requests_to_stop
from harness.errors import HarnessError
from harness.homes.dongle import SUPPORTED_VERSIONS
from harness.homes.emulation import Emulation, EmulationOptions, NodeState, Stranger
from harness.homes.zep import PORT as ZEP_PORT
from hw_profiles.installation import load_installation

REFRESH_S = 0.5
"""Real seconds between redraws of the table."""
_OLDEST = 4
_STYLES = {"off": "dim", "searching": "yellow", "joined": "cyan", "registered": "green"}

_EPILOG = f"""\
examples:
  smets1 emulate home.toml --ncp tcp:127.0.0.1:6638
  bellows -d socket://127.0.0.1:6638 info                  in another terminal, any EZSP host
  smets1 emulate home.toml --ncp pty:/tmp/dongle --speed 10
  smets1 emulate home.toml --rcp tcp:127.0.0.1:9000        a radio co-processor for zigbee-on-host
  smets1 emulate home.toml --ncp pty:/tmp/dongle --sniffer pty:/tmp/sniffer
  zigpy radio ezsp /tmp/sniffer packet-capture -c 15 -o air.pcap
  smets1 emulate home.toml --ncp pty:/tmp/dongle --zep localhost   watch: wireshark -k -i lo -f "udp port {ZEP_PORT}"

The devices join with the install codes shown. Ctrl-C ends it.

{EXIT_STATUSES}"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `emulate` command."""
    parser = subparsers.add_parser(
        "emulate",
        help="put an installation's devices on the air, with a dongle for any host",
        description="Emulate the meters and displays of an installation, and serve a dongle on their air.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add_installation(parser, "whose devices to emulate")
    line = parser.add_mutually_exclusive_group(required=True)
    line.add_argument("--ncp", metavar="WHERE", help="serve an EZSP dongle at pty:/path or tcp:HOST:PORT")
    line.add_argument("--rcp", metavar="WHERE", help="serve a Spinel radio at pty:/path or tcp:HOST:PORT")
    add("--sniffer", metavar="WHERE", help="serve a second EZSP dongle, on no network, that only listens")
    add_speed(parser, "virtual seconds per second")
    add(
        "--ezsp",
        type=_version,
        default=DEFAULT_VERSION,
        metavar="N",
        help=f"the dongle's EZSP version ({DEFAULT_VERSION}); with 4 no host admits a device by install code",
    )
    add("--no-cbke", action="store_true", help="the dongle's firmware has no Smart Energy key establishment")
    add_seed(parser)
    add("--capture", type=Path, metavar="FILE", help="write the air to a pcapng file, its keys beside it")
    add("--zep", metavar="HOST", help=f"send every frame to HOST, UDP port {ZEP_PORT}, for Wireshark")
    add(
        "--state",
        type=Path,
        metavar="FILE",
        help="keep what devices and dongle remember from one time to the next",
    )
    add("--for", dest="seconds", type=duration, metavar="S", help="end after S virtual seconds")
    add_models(parser)
    parser.set_defaults(handler=handle)


def _version(text: str) -> int:
    newest = SUPPORTED_VERSIONS.stop - 1
    if not text.isdecimal() or not _OLDEST <= int(text) <= newest:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a version from {_OLDEST} to {newest}")
    return int(text)


def options_of(arguments: argparse.Namespace) -> EmulationOptions:
    """Return the checked options; raises `HarnessError` naming the option that cannot be used."""
    require_file("INSTALLATION.toml", arguments.installation)
    require_folders(arguments.models)
    name, text = ("--ncp", arguments.ncp) if arguments.ncp is not None else ("--rcp", arguments.rcp)
    served = _served(name, text)
    sniffer = None if arguments.sniffer is None else _served("--sniffer", arguments.sniffer)
    if sniffer == served:
        raise HarnessError(f"--sniffer: {sniffer}: {name} is served there already; choose another place")
    return EmulationOptions(
        stranger=Stranger(served, rcp=arguments.ncp is None),
        seed=arguments.seed,
        speed=arguments.speed,
        ezsp_version=arguments.ezsp,
        cbke=not arguments.no_cbke,
        capture=arguments.capture,
        zep=arguments.zep,
        state=arguments.state,
        sniffer=sniffer,
    )


def notices(options: EmulationOptions) -> list[str]:
    """Return what a user should know of the options before it is found out the hard way, a line each."""
    lines = []
    for where in (options.stranger.moniker, options.sniffer):
        if where is None or not where.open_to_others:
            continue
        lines.append(
            f"{where}: everybody on the network can reach this dongle; tcp:{LOOPBACK_HOST}:{where.port} keeps it "
            "to this machine"
        )
    if not options.stranger.rcp and options.ezsp_version < FIRST_WITH_INSTALL_CODES:
        lines.append(
            f"--ezsp {options.ezsp_version}: hosts cannot tell this dongle of install codes, so no device of the "
            f"installation will join; {FIRST_WITH_INSTALL_CODES} or newer can"
        )
    return lines


def _served(name: str, text: str) -> Moniker:
    where = moniker(name, text)
    if where.is_here or where.kind is Kind.SERIAL:
        raise HarnessError(f"{name}: {text!r}: expected pty:/path or tcp:HOST:PORT, where a host can open it")
    return where


def handle(arguments: argparse.Namespace) -> int:
    """Emulate until Ctrl-C, or another request to stop."""
    options = options_of(arguments)
    installation = load_installation(arguments.installation, arguments.models)
    for notice in notices(options):
        print(f"smets1: note: {notice}", file=sys.stderr)
    emulation = Emulation(installation, options)
    run_loop(_live(emulation, arguments.seconds, sys.stdout), emulation.kernel, pace=options.speed)
    return DONE


async def _live(emulation: Emulation, seconds: float | None, stream: TextIO) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in requests_to_stop():
        loop.add_signal_handler(number, ended.set)
    if seconds is not None:
        loop.call_later(seconds, ended.set)
    try:
        where = await emulation.start()
        console = console_for(stream)
        console.print(_heading(emulation, where), soft_wrap=True)
        await _show(emulation, console, ended)
        console.print(f"stopped after {emulation.traffic.frames} frames")
    finally:
        await emulation.stop()


def _heading(emulation: Emulation, where: str) -> str:
    options = emulation.options
    what = "Spinel radio" if options.stranger.rcp else f"EZSP {options.ezsp_version} dongle"
    path = where.replace("tcp:", "socket://", 1) if where.startswith("tcp:") else where
    return f"{what} at {where}; open {path} with any host. Speed {options.speed:g}. Ctrl-C ends."


async def _show(emulation: Emulation, console: Console, ended: asyncio.Event) -> None:
    """Show the nodes until the end: a live table on a terminal, a line for every change elsewhere."""
    if not console.is_terminal:
        for node in emulation.nodes():
            console.print(f"{node.name}  {node.eui64}  {node.joins_with}", soft_wrap=True)
        await _every(emulation, ended, _Lines(emulation, console).tell)
        return
    with Live(_table(emulation), console=console, auto_refresh=False) as live:
        await _every(emulation, ended, lambda: live.update(_table(emulation), refresh=True))
        live.update(_table(emulation), refresh=True)


async def _every(emulation: Emulation, ended: asyncio.Event, tell: Callable[[], None]) -> None:
    while not ended.is_set():
        tell()
        emulation.flush()
        try:
            await asyncio.wait_for(ended.wait(), REFRESH_S * emulation.options.speed)
        except TimeoutError:
            continue


class _Lines:
    """A line for every change of a node."""

    def __init__(self, emulation: Emulation, console: Console) -> None:
        self._emulation = emulation
        self._console = console
        self._states: dict[str, str] = {}

    def tell(self) -> None:
        """Print what changed."""
        for node in self._emulation.nodes():
            if self._states.get(node.name) != node.state:
                self._states[node.name] = node.state
                self._console.print(f"{_clock(self._emulation)}  {node.name}: {node.state}{_address(node)}")


def _address(node: NodeState) -> str:
    return "" if node.short is None else f" as 0x{node.short:04X}"


def _clock(emulation: Emulation) -> str:
    seconds = emulation.kernel.now // MICROSECONDS
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _table(emulation: Emulation) -> Table:
    traffic = emulation.traffic
    table = Table(
        title=f"{emulation.installation.record.id}  {_clock(emulation)}",
        caption=f"{traffic.frames} frames, {traffic.octets} octets on the air; "
        f"{emulation.coordinator_frames} frames from the coordinator",
    )
    for name in ("device", "EUI-64", "joins with", "short", "state", "firmware", "frames"):
        # Identifiers are typed off the screen: they are folded where there is no room, never cut.
        table.add_column(name, overflow="fold")
    for node in emulation.nodes():
        short = "" if node.short is None else f"0x{node.short:04X}"
        table.add_row(
            f"{node.name} ({node.kind.value})",
            node.eui64,
            node.joins_with,
            short,
            f"[{_STYLES[node.state]}]{node.state}",
            f"0x{node.firmware:08X}",
            str(node.sent),
        )
    return table
