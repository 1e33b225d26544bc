"""The serial ports of this machine and the dongles they may be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from serial.tools import list_ports

from emulator.coordinator.monikers import Moniker
from harness.errors import HarnessError
from harness.homes.dongle import DongleReport, inspect
from harness.homes.usb_ids import ABILITIES, identify


@dataclass(frozen=True, slots=True)
class Attached:
    """A port, what its USB identity says, and what probing found. `error` is why it could not be probed."""

    radio: str
    product: str
    protocol: str
    abilities: str
    usb: str | None = None
    serial_number: str | None = None
    report: DongleReport | None = None
    error: str | None = None


def attached(ports: Iterable[Any] | None = None) -> list[Attached]:
    """Return the USB serial ports of this machine, in order of their names; `ports` are as pyserial lists them."""
    found = list_ports.comports() if ports is None else ports
    return [
        _of_port(port) for port in sorted(found, key=lambda port: str(port.device)) if port.vid is not None
    ]


def _of_port(port: Any) -> Attached:
    text = " ".join(str(each) for each in (port.manufacturer, port.product, port.description) if each)
    known = identify(port.vid, port.pid, text)
    protocol = "unknown" if known is None else known.protocol
    return Attached(
        radio=f"serial:{port.device}",
        product=(port.product or text or "serial port") if known is None else known.name,
        protocol=protocol,
        abilities=ABILITIES[protocol],
        usb=f"{port.vid:04X}:{port.pid:04X}",
        serial_number=port.serial_number,
    )


def at(moniker: Moniker) -> Attached:
    """Return a radio that the user named."""
    return Attached(str(moniker), "named on the command line", "unknown", ABILITIES["unknown"])


async def probed(radio: Attached, address: str) -> Attached:
    """Ask a radio what it is; what keeps it from answering is in `error`."""
    try:
        report = await inspect(address)
    except HarnessError as error:
        return replace(radio, error=str(error))
    return replace(radio, report=report, protocol="ezsp", abilities=_abilities(report))


def _abilities(report: DongleReport) -> str:
    suites = [name for name, there in (("sect163k1", report.cbke), ("sect283k1", report.cbke_283k1)) if there]
    where = f"on the dongle ({', '.join(suites)}) or by the host" if suites else "by the host"
    return f"hub of a campaign; key establishment {where}"
