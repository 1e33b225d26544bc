"""Valid frames of every layer, taken from the life of a small home on the emulated air."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from emulator.errors import SecurityError
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.aps.frames import decode_header
from emulator.stack.nwk import frame as nwk_frame
from emulator.stack.nwk.security import NwkSecurity
from emulator.stack.primitives import Status
from tests.emulator.stack.node_world import GAS, METER, NETWORK_KEY, SECOND, Device, Home

CBKE_KEY = bytes(range(0x40, 0x50))
SECURED_APS = 0x20
"""Security bit of the APS frame control."""


class Seeds(NamedTuple):
    """Distinct frames by layer, plain: PSDUs without FCS, NPDUs (header, payload), NSDUs, ZDO ASDUs by cluster."""

    mac: tuple[bytes, ...]
    nwk: tuple[tuple[bytes, bytes], ...]
    aps: tuple[bytes, ...]
    zdo: tuple[tuple[int, bytes], ...]


class _Tap:
    """A capture that keeps PSDUs."""

    def __init__(self) -> None:
        self.psdus: dict[bytes, None] = {}

    def frame(self, time_us: int, channel: int, psdu: bytes, lqi: int, rssi_dbm: int) -> None:
        self.psdus[psdu] = None


def keyed_home() -> tuple[Home, Device]:
    """A hub and a meter that routes, joined and with a link key as CBKE leaves it."""
    home = Home()
    meter = home.device(METER, router=True, own_link_key_request=True)
    assert home.admit(meter) == Status.SUCCESS
    home.kernel.run_for(20 * SECOND)
    home.establish(meter, CBKE_KEY)
    return home, meter


def _live() -> dict[bytes, None]:
    """Return the PSDUs of the home's life: joins, questions, reports, fragments, a sleepy child's polls."""
    tap = _Tap()
    home = Home()
    home.medium.capture = tap
    meter = home.device(METER, router=True, own_link_key_request=True)
    gas = home.device(GAS, sleepy=True, long_poll_us=5 * SECOND)
    home.separate(home.hub, gas)
    for device in (meter, gas):
        assert home.admit(device) == Status.SUCCESS
        home.kernel.run_for(40 * SECOND)
    for device in (meter, gas):
        home.establish(device, CBKE_KEY)
        device.send(home.hub, b"\x08\x01\x0a\x00\x00\x29\x01\x00", run_us=10 * SECOND)
        device.send(home.hub, b"\x08\x03\x0a\x00\x00\x42\xc8" + b"y" * 200, run_us=40 * SECOND)
        device.send(home.hub, b"\x08\x01\x0a\x00\x00\x29\x01\x00", secure=False, run_us=10 * SECOND)
        for cluster, payload in _questions(device.node.short_address, device.node.eui64):
            home.hub.node.zdo.request(device.node.short_address, cluster, payload, _ignore)
            home.kernel.run_for(8 * SECOND)
    gas.node.rejoin()
    home.kernel.run_for(20 * SECOND)
    return tap.psdus


def _ignore(_answer: bytes | None) -> None:
    """Let the answer be; it was on the air."""


def _questions(short: int, eui64: int) -> tuple[tuple[int, bytes], ...]:
    at = short.to_bytes(2, "little")
    name = eui64.to_bytes(8, "little")
    binding = name + b"\x01\x02\x07\x03" + name + b"\x01"
    return (
        (0x0000, name + b"\x00\x00"),
        (0x0001, at + b"\x01\x00"),
        (0x0002, at),
        (0x0003, at),
        (0x0004, at + b"\x01"),
        (0x0005, at),
        (0x0006, at + b"\x09\x01\x02\x02\x07\x00\x08\x00"),
        (0x0021, binding),
        (0x0022, binding),
        (0x0031, b"\x00"),
        (0x0032, b"\x00"),
        (0x0033, b"\x00"),
        (0x0034, name + b"\x00"),
        (0x0036, b"\x3c\x01"),
        (0x0038, b"\x00\xf8\xff\x07\x02\x01\x00\x00"),
    )


@cache
def seeds() -> Seeds:
    """Live through the home once and sort what was on the air."""
    psdus = tuple(_live())
    npdus: dict[tuple[bytes, bytes], None] = {}
    nsdus: dict[bytes, None] = {}
    asdus: dict[tuple[int, bytes], None] = {}
    for psdu in psdus:
        if psdu[0] & 7 != 1:
            continue
        split = _open(psdu[9:-2])
        if split is None:
            continue
        npdus[split] = None
        header, _ = nwk_frame.unpack_header(split[0])
        if header.frame_type != nwk_frame.DATA:
            continue
        nsdus[split[1]] = None
        aps = decode_header(split[1])
        if not aps.frame_control & (SECURED_APS | 3) and aps.destination_endpoint == 0:
            asdus[aps.cluster, split[1][aps.length :]] = None
    found = Seeds(tuple(psdu[:-2] for psdu in psdus), tuple(npdus), tuple(nsdus), tuple(asdus))
    assert all(found)
    return found


def _open(npdu: bytes) -> tuple[bytes, bytes] | None:
    header, offset = nwk_frame.unpack_header(npdu)
    if not header.secured:
        return npdu[:offset], npdu[offset:]
    security = NwkSecurity(0, MemoryNonVolatile())
    security.set_key(NETWORK_KEY, 0, activate=True)
    try:
        payload, _ = security.open(npdu, offset)
    except SecurityError:
        return None
    return npdu[:offset], payload
