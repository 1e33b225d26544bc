# mypy: disable-error-code="no-untyped-call,misc"
"""ZDO codecs against zigpy's, and the answers of real nodes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import zigpy.types as t
import zigpy.zdo.types as zdo_t
from hypothesis import given
from hypothesis import strategies as st

from emulator.errors import FrameError
from emulator.stack.events import LeaveRequested, NetworkDown
from emulator.stack.primitives import ApsdeRequest, Status
from emulator.stack.zdo import frames
from emulator.stack.zdo.descriptors import NodeDescriptor, PowerDescriptor, SimpleDescriptor
from emulator.stack.zdo.frames import Binding, ZdoCluster, ZdoStatus
from tests.emulator.stack.node_world import (
    ENDPOINT,
    GAS,
    HUB,
    METER,
    METERING,
    SECOND,
    SMART_ENERGY,
    Device,
    Home,
)

octet = st.integers(0, 0xFF)
word = st.integers(0, 0xFFFF)
eui64s = st.integers(0, 2**64 - 1)
clusters = st.lists(word, max_size=12).map(tuple)
simple = st.builds(SimpleDescriptor, st.integers(1, 240), word, word, st.integers(0, 15), clusters, clusters)


def ieee(eui64: int) -> t.EUI64:
    return t.EUI64.deserialize(eui64.to_bytes(8, "little"))[0]


# ---- codecs, with zigpy as the oracle


@given(simple)
def test_simple_descriptors_are_those_of_zigpy(descriptor: SimpleDescriptor) -> None:
    octets = descriptor.encode()
    theirs, rest = zdo_t.SimpleDescriptor.deserialize(octets)
    assert (rest, theirs.serialize()) == (b"", octets)
    assert (theirs.endpoint, theirs.profile, theirs.device_type) == descriptor[:3]
    assert tuple(theirs.input_clusters) == descriptor.input_clusters
    assert tuple(theirs.output_clusters) == descriptor.output_clusters
    assert SimpleDescriptor.decode(octets) == descriptor


@given(st.tuples(st.integers(0, 2), octet, word, st.integers(0, 127), word, word, word))
def test_node_descriptors_are_those_of_zigpy(fields: tuple[int, int, int, int, int, int, int]) -> None:
    descriptor = NodeDescriptor(*fields)
    theirs, rest = zdo_t.NodeDescriptor.deserialize(descriptor.encode())
    assert rest == b""
    assert theirs.logical_type == fields[0]
    assert theirs.mac_capability_flags == fields[1]
    assert theirs.manufacturer_code == fields[2]
    assert theirs.maximum_buffer_size == fields[3]
    assert theirs.maximum_incoming_transfer_size == fields[4]
    assert theirs.server_mask == fields[5]
    assert theirs.frequency_band == zdo_t.NodeDescriptor.FrequencyBand.Freq2400MHz
    assert NodeDescriptor.decode(descriptor.encode()) == descriptor


@given(st.tuples(*[st.integers(0, 15)] * 4))
def test_power_descriptors_are_those_of_zigpy(fields: tuple[int, int, int, int]) -> None:
    octets = PowerDescriptor(*fields).encode()
    assert PowerDescriptor.decode(octets) == PowerDescriptor(*fields)
    theirs, rest = zdo_t.PowerDescriptor.deserialize(octets)
    assert rest == b""
    assert theirs.serialize() == octets


@given(eui64s, octet, word, eui64s, octet)
def test_bindings_are_those_of_zigpy(
    source: int, endpoint: int, cluster: int, destination: int, destination_endpoint: int
) -> None:
    ours = Binding(source, endpoint, cluster, destination, destination_endpoint)
    theirs = zdo_t.MultiAddress()
    theirs.addrmode = t.uint8_t(3)
    theirs.ieee = ieee(destination)
    theirs.endpoint = t.uint8_t(destination_endpoint)
    expected = (
        ieee(source).serialize() + bytes((endpoint,)) + cluster.to_bytes(2, "little") + theirs.serialize()
    )
    assert ours.encode() == expected
    assert Binding.decode(expected) == ours


@given(word, word, clusters, clusters)
def test_match_requests_are_those_of_zigpy(
    short: int, profile: int, inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> None:
    ours = frames.MatchDescriptorRequest(short, profile, inputs, outputs)
    theirs = (
        t.NWK(short).serialize()
        + t.uint16_t(profile).serialize()
        + t.LVList[t.uint16_t]([t.uint16_t(each) for each in inputs]).serialize()
        + t.LVList[t.uint16_t]([t.uint16_t(each) for each in outputs]).serialize()
    )
    assert ours.encode() == theirs
    assert frames.MatchDescriptorRequest.decode(theirs) == ours


neighbours = st.builds(
    frames.NeighbourEntry,
    eui64s,
    eui64s,
    word,
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(0, 4),
    st.integers(0, 2),
    octet,
    octet,
)


@given(octet, octet, st.lists(neighbours, max_size=3).map(tuple))
def test_neighbour_tables_are_those_of_zigpy(
    total: int, start: int, entries: tuple[frames.NeighbourEntry, ...]
) -> None:
    octets = frames.mgmt_lqi_response(total, start, entries)
    theirs, rest = zdo_t.Neighbors.deserialize(octets[1:])
    assert (octets[0], rest, theirs.Entries, theirs.StartIndex) == (0, b"", total, start)
    for ours, other in zip(entries, theirs.NeighborTableList, strict=True):
        assert (other.ieee, other.nwk, other.lqi) == (ieee(ours.eui64), ours.short, ours.lqi)
        assert (other.device_type, other.rx_on_when_idle, other.relationship) == ours[3:6]
    assert frames.decode_mgmt_lqi(octets) == (total, entries)


@given(word, eui64s, octet)
def test_announcements_and_addresses_survive_a_round_trip(short: int, eui64: int, capability: int) -> None:
    announcement = frames.DeviceAnnouncement(short, eui64, capability)
    assert frames.DeviceAnnouncement.decode(announcement.encode()) == announcement
    for children in (None, (), (1, 2)):
        answer = frames.AddressResponse(0, eui64, short, 0, children)
        assert frames.AddressResponse.decode(answer.encode()) == answer


@given(st.binary(max_size=30))
def test_any_octets_decode_or_raise_a_frame_error(octets: bytes) -> None:
    for decode in (
        frames.NwkAddressRequest.decode,
        frames.IeeeAddressRequest.decode,
        frames.AddressResponse.decode,
        frames.MatchDescriptorRequest.decode,
        frames.EndpointList.decode,
        frames.SimpleDescriptorResponse.decode,
        frames.DeviceAnnouncement.decode,
        frames.decode_mgmt_lqi,
        Binding.decode,
        NodeDescriptor.decode,
    ):
        with suppress(FrameError):
            decode(octets)


# ---- answers


def hub_and_meter(**options: Any) -> tuple[Home, Device, int]:
    home = Home()
    meter = home.device(METER, router=True, **options)
    assert home.admit(meter) == Status.SUCCESS
    return home, meter, meter.node.short_address


def test_a_node_describes_itself() -> None:
    home, meter, short = hub_and_meter(manufacturer_code=0x1036)
    node = home.hub.ask(meter, ZdoCluster.NODE_DESC, frames.short_request(short))
    assert node is not None
    answer = frames.DescriptorResponse.decode(node)
    assert (answer.status, answer.short) == (ZdoStatus.SUCCESS, short)
    descriptor = NodeDescriptor.decode(answer.descriptor)
    assert (descriptor.logical_type, descriptor.manufacturer_code) == (1, 0x1036)
    active = home.hub.ask(meter, ZdoCluster.ACTIVE_EP, frames.short_request(short))
    assert frames.EndpointList.decode(active or b"") == (ZdoStatus.SUCCESS, short, (1,))
    request = frames.simple_descriptor_request(short, 1)
    assert frames.SimpleDescriptorResponse.decode(
        home.hub.ask(meter, ZdoCluster.SIMPLE_DESC, request) or b""
    ) == (ZdoStatus.SUCCESS, short, ENDPOINT)
    power = home.hub.ask(meter, ZdoCluster.POWER_DESC, frames.short_request(short))
    assert frames.DescriptorResponse.decode(power or b"").descriptor == PowerDescriptor().encode()


@pytest.mark.parametrize(
    ("endpoint", "status"), [(2, ZdoStatus.NOT_ACTIVE), (0, ZdoStatus.INVALID_ENDPOINT), (241, 0x82)]
)
def test_an_endpoint_that_is_not_there_is_named_as_such(endpoint: int, status: int) -> None:
    home, meter, short = hub_and_meter()
    request = frames.simple_descriptor_request(short, endpoint)
    assert frames.SimpleDescriptorResponse.decode(
        home.hub.ask(meter, ZdoCluster.SIMPLE_DESC, request) or b""
    ) == (status, short, None)


def test_descriptors_of_somebody_else_are_not_found() -> None:
    home, meter, _ = hub_and_meter()
    answer = home.hub.ask(meter, ZdoCluster.NODE_DESC, frames.short_request(0x7777))
    assert answer == bytes((ZdoStatus.DEVICE_NOT_FOUND,)) + b"\x77\x77"


@pytest.mark.parametrize(
    ("profile", "inputs", "outputs", "endpoints"),
    [
        (SMART_ENERGY, (METERING,), (), (1,)),
        (SMART_ENERGY, (), (0x0019,), (1,)),
        (0xFFFF, (METERING,), (), (1,)),
        (0x0104, (METERING,), (), ()),
        (SMART_ENERGY, (0x0019,), (METERING,), ()),
    ],
)
def test_clusters_are_matched_by_profile_and_direction(
    profile: int, inputs: tuple[int, ...], outputs: tuple[int, ...], endpoints: tuple[int, ...]
) -> None:
    home, meter, short = hub_and_meter()
    request = frames.MatchDescriptorRequest(short, profile, inputs, outputs).encode()
    answer = home.hub.ask(meter, ZdoCluster.MATCH_DESC, request)
    assert frames.EndpointList.decode(answer or b"") == (ZdoStatus.SUCCESS, short, endpoints)


def test_addresses_are_answered_by_the_device_and_by_the_parent_of_a_sleepy_one() -> None:
    home, meter, short = hub_and_meter()
    gas = home.device(GAS, sleepy=True)
    home.admit(gas)
    for eui64, where in ((HUB, 0), (GAS, gas.node.short_address)):
        request = frames.NwkAddressRequest(eui64).encode()
        answer = meter.ask(home.hub, ZdoCluster.NWK_ADDR, request)
        assert frames.AddressResponse.decode(answer or b"") == (0, eui64, where, 0, None)
    answer = home.hub.ask(meter, ZdoCluster.IEEE_ADDR, frames.IeeeAddressRequest(short).encode())
    assert frames.AddressResponse.decode(answer or b"") == (0, METER, short, 0, None)


def test_a_broadcast_address_request_is_answered_by_the_one_who_knows() -> None:
    home, _meter, _ = hub_and_meter()
    answers: list[bytes | None] = []
    request = frames.NwkAddressRequest(METER).encode()
    home.hub.node.zdo.request(0xFFFD, ZdoCluster.NWK_ADDR, request, answers.append)
    home.kernel.run_for(5 * SECOND)
    assert frames.AddressResponse.decode(answers[0] or b"").eui64 == METER


def test_bindings_are_kept_over_a_reboot_and_listed_and_removed() -> None:
    home, meter, _ = hub_and_meter()
    binding = Binding(METER, 1, METERING, HUB, 1)
    assert home.hub.ask(meter, ZdoCluster.BIND, binding.encode()) == b"\x00"
    meter.reboot()
    assert meter.node.zdo.bindings.bound(1, METERING) == [binding]
    home.kernel.run_for(40 * SECOND)
    table = home.hub.ask(meter, ZdoCluster.MGMT_BIND, b"\x00")
    assert table == b"\x00\x01\x00\x01" + binding.encode()
    assert home.hub.ask(meter, ZdoCluster.UNBIND, binding.encode()) == b"\x00"
    assert home.hub.ask(meter, ZdoCluster.UNBIND, binding.encode()) == bytes((ZdoStatus.NO_ENTRY,))


@pytest.mark.parametrize(
    ("binding", "status"),
    [
        (Binding(GAS, 1, METERING, HUB, 1), ZdoStatus.NOT_SUPPORTED),
        (Binding(METER, 9, METERING, HUB, 1), ZdoStatus.INVALID_ENDPOINT),
    ],
)
def test_a_binding_that_cannot_be_is_refused(binding: Binding, status: ZdoStatus) -> None:
    home, meter, _ = hub_and_meter()
    assert home.hub.ask(meter, ZdoCluster.BIND, binding.encode()) == bytes((status,))


def test_neighbours_and_routes_are_listed() -> None:
    home, meter, _short = hub_and_meter()
    table = meter.ask(home.hub, ZdoCluster.MGMT_LQI, b"\x00")
    total, entries = frames.decode_mgmt_lqi(table or b"")
    assert (total, [entry.eui64 for entry in entries]) == (1, [METER])
    assert entries[0].relationship == 1
    assert (meter.ask(home.hub, ZdoCluster.MGMT_RTG, b"\x00") or b"\xff")[0] == 0


def test_an_energy_scan_is_answered_when_it_is_done() -> None:
    home, meter, _ = hub_and_meter()
    mask = 1 << 11 | 1 << 15
    answer = meter.ask(home.hub, ZdoCluster.MGMT_NWK_UPDATE, mask.to_bytes(4, "little") + b"\x02\x01")
    assert answer is not None
    assert answer[:5] == b"\x00" + mask.to_bytes(4, "little")
    assert (answer[9], len(answer)) == (2, 12)


def test_an_energy_scan_during_another_is_refused_and_a_later_one_is_not() -> None:
    # Only its own host can ask a node that scans: it hears nobody else meanwhile.
    home, _, _ = hub_and_meter()
    request = (0x07FFF800).to_bytes(4, "little") + b"\x03\x01"
    answers: list[bytes | None] = []
    for pause_us in (SECOND // 10, 10 * SECOND, 10 * SECOND):
        home.hub.node.zdo.request(0, ZdoCluster.MGMT_NWK_UPDATE, request, answers.append)
        home.kernel.run_for(pause_us)
    assert [(answer or b"\xff")[0] for answer in answers] == [0xFC, 0x00, 0x00]


def test_permit_joining_opens_a_router() -> None:
    home, meter, _ = hub_and_meter()
    meter.node.nwk.permit_joining(0)
    assert home.hub.ask(meter, ZdoCluster.MGMT_PERMIT_JOINING, b"\x3c\x01") == b"\x00"
    assert meter.node.mac.association_permit


def test_a_smart_energy_device_leaves_only_under_its_link_key() -> None:
    home, meter, short = hub_and_meter()
    assert home.hub.ask(meter, ZdoCluster.MGMT_LEAVE, frames.mgmt_leave_request(0)) == bytes(
        (ZdoStatus.NOT_AUTHORIZED,)
    )
    assert meter.of(LeaveRequested) == [LeaveRequested(HUB, False, False)]
    asdu = b"\x01" + frames.mgmt_leave_request(0)
    home.hub.node.send(ApsdeRequest(short, 0, 0, ZdoCluster.MGMT_LEAVE, 0, asdu, secure=True))
    home.kernel.run_for(5 * SECOND)
    assert len(meter.of(NetworkDown)) == 1


@pytest.mark.parametrize("cluster", [0x0015, 0x0030, 0x7FFF])
def test_what_is_unknown_is_not_supported(cluster: int) -> None:
    home, meter, _ = hub_and_meter()
    assert home.hub.ask(meter, cluster, b"\x01\x02") == bytes((ZdoStatus.NOT_SUPPORTED,))


@pytest.mark.parametrize("cluster", [ZdoCluster.NODE_DESC, ZdoCluster.MATCH_DESC, ZdoCluster.BIND])
def test_a_malformed_request_is_answered_as_invalid(cluster: int) -> None:
    home, meter, _ = hub_and_meter()
    assert home.hub.ask(meter, cluster, b"\x01") == bytes((ZdoStatus.INVALID_REQUEST_TYPE,))


def test_silence_is_reported_as_none() -> None:
    home, meter, short = hub_and_meter()
    meter.node.power_off()
    answers: list[bytes | None] = []
    home.hub.node.zdo.request(short, ZdoCluster.NODE_DESC, frames.short_request(short), answers.append)
    home.kernel.run_for(20 * SECOND)
    assert answers == [None]


def test_a_host_gets_responses_and_announcements_and_the_stack_answers_requests() -> None:
    home = Home(pass_zdo=True)
    meter = home.device(METER)
    home.admit(meter)
    announced = home.hub.heard[0]
    assert (announced.cluster, announced.destination_endpoint) == (ZdoCluster.DEVICE_ANNCE, 0)
    home.hub.heard.clear()
    short = meter.node.short_address
    asdu = b"\x77" + frames.short_request(short)
    home.hub.node.send(ApsdeRequest(short, 0, 0, ZdoCluster.ACTIVE_EP, 0, asdu))
    home.kernel.run_for(5 * SECOND)
    [response] = home.hub.heard
    assert (response.cluster, response.asdu[:2]) == (0x8005, b"\x77\x00")
    assert meter.ask(home.hub, ZdoCluster.ACTIVE_EP, frames.short_request(0)) is not None
    own = ApsdeRequest(0, 0, 0, ZdoCluster.NODE_DESC, 0, b"\x78" + frames.short_request(0))
    home.hub.node.send(own)
    home.kernel.run_for(SECOND)
    assert (home.hub.heard[-1].cluster, home.hub.heard[-1].asdu[:2]) == (0x8002, b"\x78\x00")
