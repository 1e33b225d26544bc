"""Parsers alone: mutated frames give a record or a `FrameError`, never another exception."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from emulator.air.beacon import decode_beacon_payload, decode_zigbee_beacon
from emulator.air.command import decode_command as decode_mac_command
from emulator.air.frame import decode_frame
from emulator.errors import FrameError
from emulator.stack.aps import commands as aps_commands
from emulator.stack.aps.frames import decode_header
from emulator.stack.aps.security import decode_aux
from emulator.stack.nwk import commands as nwk_commands
from emulator.stack.nwk import frame as nwk_frame
from emulator.stack.zdo import frames as zdo_frames
from emulator.stack.zdo.descriptors import NodeDescriptor, PowerDescriptor, SimpleDescriptor
from emulator.zcl.attributes import parse_read_response, parse_records
from emulator.zcl.frame import parse as parse_zcl
from tests.emulator.fuzz.fuzzing import SAMPLE, SWEEP, fuzz
from tests.emulator.fuzz.seed_frames import seeds
from tests.emulator.fuzz.zcl_seeds import ZCL_SEEDS


def _each(*readers: Callable[[bytes], object]) -> Callable[[bytes], None]:
    """Give the octets to every reader; each may refuse them."""

    def read(octets: bytes) -> None:
        for reader in readers:
            try:
                reader(octets)
            except FrameError:
                continue

    return read


def _mac(octets: bytes) -> None:
    frame = decode_frame(octets)
    _each(decode_mac_command, decode_beacon_payload, decode_zigbee_beacon)(frame.payload)


def _nwk(octets: bytes) -> None:
    _, offset = nwk_frame.unpack_header(octets)
    nwk_frame.unpack_aux(octets, offset)


def _aps(octets: bytes) -> None:
    header = decode_header(octets)
    _each(lambda rest: decode_aux(octets, header.length), aps_commands.decode_command)(
        octets[header.length :]
    )


def _zcl(octets: bytes) -> None:
    frame = parse_zcl(octets)
    _each(parse_records, parse_read_response)(frame.payload)


_NWK_COMMANDS = _each(
    nwk_commands.unpack_route_request,
    nwk_commands.unpack_route_reply,
    nwk_commands.unpack_network_status,
    nwk_commands.unpack_leave,
    nwk_commands.unpack_route_record,
    nwk_commands.unpack_rejoin_request,
    nwk_commands.unpack_rejoin_response,
    nwk_commands.unpack_link_status,
    nwk_commands.unpack_network_report,
    nwk_commands.unpack_network_update,
    nwk_commands.unpack_end_device_timeout_request,
    nwk_commands.unpack_end_device_timeout_response,
)
_ZDO = _each(
    zdo_frames.NwkAddressRequest.decode,
    zdo_frames.IeeeAddressRequest.decode,
    zdo_frames.AddressResponse.decode,
    zdo_frames.MatchDescriptorRequest.decode,
    zdo_frames.EndpointList.decode,
    zdo_frames.DescriptorResponse.decode,
    zdo_frames.SimpleDescriptorResponse.decode,
    zdo_frames.DeviceAnnouncement.decode,
    zdo_frames.Binding.decode,
    zdo_frames.decode_mgmt_lqi,
    zdo_frames.decode_mgmt_leave,
    zdo_frames.decode_permit_joining,
    zdo_frames.decode_simple_descriptor_request,
    SimpleDescriptor.decode,
    NodeDescriptor.decode,
    PowerDescriptor.decode,
)


def _first(pairs: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, ...]:
    return tuple(header + payload for header, payload in pairs)


TARGETS: dict[str, tuple[Callable[[], tuple[bytes, ...]], Callable[[bytes], None]]] = {
    "802.15.4": (lambda: seeds().mac, _mac),
    "NWK header": (lambda: _first(seeds().nwk), _nwk),
    "NWK commands": (lambda: tuple(payload[1:] for _, payload in seeds().nwk if payload), _NWK_COMMANDS),
    "APS": (lambda: seeds().aps, _aps),
    "ZDO": (lambda: tuple(asdu for _, asdu in seeds().zdo), _ZDO),
    "ZCL": (lambda: ZCL_SEEDS, _zcl),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_sample_of_mutated_frames_is_read_or_refused(name: str) -> None:
    frames, target = TARGETS[name]
    fuzz(name, frames(), target, SAMPLE, allowed=(FrameError,))


@pytest.mark.sweep
@pytest.mark.parametrize("name", TARGETS)
def test_a_hundred_thousand_mutated_frames_are_read_or_refused(name: str) -> None:
    frames, target = TARGETS[name]
    fuzz(name, frames(), target, SWEEP, allowed=(FrameError,))
