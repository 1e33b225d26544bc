"""`smets1 radios`: the dongles attached and what each can do; their state saved and restored."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

import zigpy.exceptions
from rich.table import Table
from rich.text import Text

from emulator.coordinator.monikers import Moniker, parse
from harness.command.arguments import add_json, moniker
from harness.command.console import console_for
from harness.command.main import DONE, EXIT_STATUSES
from harness.errors import HarnessError
from harness.homes import backups
from harness.homes.attached import Attached, at, attached, probed
from harness.homes.dongle import NetworkHeldError, RadioUnavailableError, connected, network_of
from hw_profiles.records import encode

_EPILOG = f"""\
examples:
  smets1 radios                                   what is attached
  smets1 radios --probe                           ask each: firmware, EZSP version, key establishment, network
  smets1 radios --probe tcp:192.168.1.20:6638     a dongle behind a network bridge
  smets1 radios serial:/dev/ttyUSB0 --backup hub.json
  smets1 radios serial:/dev/ttyUSB1 --restore out/home/backup-after.json

Probing and --backup change nothing. --restore makes the dongle the one the backup was taken of, address included;
take the other off the air first.

{EXIT_STATUSES}"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `radios` command."""
    parser = subparsers.add_parser(
        "radios",
        help="list the dongles attached, and what each can do",
        description="List the dongles attached, and what each can do; save or restore the state of one.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "where",
        nargs="*",
        metavar="WHERE",
        help="serial:/dev/..., pty:/path or tcp:HOST:PORT; all attached without",
    )
    add("--probe", action="store_true", help="open each and ask what it is")
    add_json(parser)
    state = parser.add_mutually_exclusive_group()
    state.add_argument(
        "--backup", type=Path, metavar="FILE", help="save network, keys and counters of one dongle"
    )
    state.add_argument("--restore", type=Path, metavar="FILE", help="give one dongle the state of a backup")
    add(
        "--overwrite-network",
        action="store_true",
        help="with --restore: the dongle may lose the network it holds",
    )
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """List, save or restore."""
    named = [_elsewhere(text) for text in arguments.where]
    if arguments.overwrite_network and arguments.restore is None:
        raise HarnessError("radios: --overwrite-network belongs to --restore FILE; give both or neither")
    if arguments.backup is not None or arguments.restore is not None:
        if len(named) != 1:
            raise HarnessError("radios: --backup and --restore take one WHERE, such as serial:/dev/ttyUSB0")
        if arguments.backup is not None:
            return asyncio.run(_back_up(named[0], arguments.backup))
        return asyncio.run(_restore(named[0], arguments.restore, overwrite=arguments.overwrite_network))
    radios = [at(each) for each in named] or attached()
    if arguments.probe or named:
        radios = asyncio.run(_probe(radios))
    errors = [radio.error for radio in radios if radio.error is not None]
    if named and errors:
        raise RadioUnavailableError(errors[0])
    if arguments.json:
        print(json.dumps(encode(radios), indent=1))
    else:
        _show(radios)
    return DONE


def _elsewhere(text: str) -> Moniker:
    where = moniker("WHERE", text)
    if where.is_here:
        raise HarnessError(f"WHERE: {text!r}: expected serial:/dev/..., pty:/path or tcp:HOST:PORT")
    return where


async def _probe(radios: list[Attached]) -> list[Attached]:
    return [await probed(radio, parse(radio.radio).address) for radio in radios]


def _show(radios: list[Attached]) -> None:
    console = console_for()
    if not radios:
        console.print("no dongle is attached; inproc: needs none", soft_wrap=True)
        return
    table = Table()
    for name in ("radio", "product", "speaks", "can do", "found"):
        table.add_column(name, overflow="fold")
    for radio in radios:
        # As text: what a dongle says of itself may look like the markup of a style.
        cells = (radio.radio, _product(radio), radio.protocol, radio.abilities, _found(radio))
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)


def _product(radio: Attached) -> str:
    return radio.product if radio.usb is None else f"{radio.product} [{radio.usb}]"


def _found(radio: Attached) -> str:
    report = radio.report
    if report is None:
        return radio.error or "not probed"
    network = report.network or "no network"
    firmware = report.firmware or "firmware unknown"
    return f"EZSP {report.protocol_version}, {firmware}, {report.eui64}, {network}"


async def _back_up(where: Moniker, path: Path) -> int:
    async with connected(where.address) as application:
        try:
            document = await backups.take(application, int(time.time()))
        except zigpy.exceptions.NetworkNotFormed as error:
            raise HarnessError(f"{where}: the dongle is on no network; there is nothing to save") from error
        backups.write(path, document)
        print(
            f"{path}: {backups.describe(application.state.network_info)}, {len(document['devices'])} devices"
        )
    return DONE


async def _restore(where: Moniker, path: Path, *, overwrite: bool) -> int:
    backup = backups.read(path)
    async with connected(where.address) as application:
        held = await network_of(application)
        if held is not None and not overwrite:
            raise NetworkHeldError(
                f"{where}: the dongle holds a network ({held}); save it with --backup, then give --overwrite-network"
            )
        try:
            await backups.restore(application, backup)
        except (
            zigpy.exceptions.CannotWriteNetworkSettings,
            zigpy.exceptions.DestructiveWriteNetworkSettings,
        ) as error:
            raise HarnessError(
                f"{where}: cannot take over the address {backup.node_info.ieee}: {error}"
            ) from error
        print(f"{where}: {backups.describe(backup.network_info)}, as {backup.node_info.ieee}")
    return DONE
