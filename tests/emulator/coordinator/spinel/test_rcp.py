"""The emulated co-processor as its host sees it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.air.fcs import fcs_ok
from emulator.air.frame import AddressMode, FrameType, MacFrame, encode_frame
from emulator.air.mac import Mac
from emulator.coordinator.spinel.codec import pack, pack_uint, unpack
from emulator.coordinator.spinel.hdlc import encode_hdlc
from emulator.coordinator.spinel.properties import Command, FrameFlag, Property, ScanState, SpinelStatus
from emulator.coordinator.spinel.raw_radio import QUEUE_LIMIT
from emulator.coordinator.spinel.rcp import MATCH_LIMIT
from emulator.stack.primitives import Status
from tests.emulator.coordinator.spinel.spinel_bench import CHILD, PAN, RADIO, Bench


def data_frame(destination: int, payload: bytes = b"hello", *, ack: bool = True, sequence: int = 9) -> bytes:
    return encode_frame(
        MacFrame(
            FrameType.DATA,
            sequence,
            AddressMode.SHORT,
            PAN,
            destination,
            AddressMode.SHORT,
            PAN,
            0,
            payload,
            ack_request=ack,
            pan_id_compression=True,
        )
    )


@pytest.fixture
def bench() -> Bench:
    return Bench()


# What it says of itself (fact sheet 6)


@pytest.mark.parametrize(
    ("name", "types", "value"),
    [
        (Property.PROTOCOL_VERSION, "ii", (4, 3)),
        (Property.INTERFACE_TYPE, "i", (3,)),
        (Property.RCP_API_VERSION, "i", (10,)),
        (Property.RCP_MIN_HOST_API_VERSION, "i", (4,)),
        (Property.HWADDR, "E", (RADIO,)),
        (Property.MAC_15_4_LADDR, "E", (RADIO,)),
        (Property.PHY_CHAN_SUPPORTED, "A(C)", (list(range(11, 27)),)),
        (Property.PHY_FREQ, "L", (2_405_000,)),
        (Property.PHY_RX_SENSITIVITY, "c", (-100,)),
        (Property.PHY_RSSI, "c", (-105,)),
        (Property.RADIO_CAPS, "i", (0x0F,)),
        (Property.CAPS, "A(i)", ([24, 34, 64, 513],)),
        (Property.LAST_STATUS, "i", (SpinelStatus.RESET_POWER_ON,)),
    ],
)
def test_identity_and_capabilities(bench: Bench, name: int, types: str, value: tuple[object, ...]) -> None:
    assert unpack(types, bench.get(name)) == value


def test_every_readable_property_can_be_read_and_every_written_one_reads_back(bench: Bench) -> None:
    for name in bench.rcp._getters:
        bench.get(name)
    bench.up(channel=20, short=0x1234)
    bench.set(Property.PHY_TX_POWER, "c", -7)
    bench.set(Property.PHY_CCA_THRESHOLD, "c", -60)
    bench.set(Property.MAC_15_4_LADDR, "E", CHILD)
    bench.set(Property.MAC_SCAN_MASK, "A(C)", [11, 26])
    bench.set(Property.MAC_SCAN_PERIOD, "S", 7)
    bench.set(Property.MAC_PROMISCUOUS_MODE, "C", 2)
    assert bench.get(Property.PHY_CHAN) == b"\x14"
    assert unpack("L", bench.get(Property.PHY_FREQ)) == (2_450_000,)
    assert unpack("c", bench.get(Property.PHY_TX_POWER)) == (-7,)
    assert unpack("E", bench.get(Property.MAC_15_4_LADDR)) == (CHILD,)
    assert unpack("E", bench.get(Property.HWADDR)) == (RADIO,)


def test_reset_forgets_everything_and_says_so_unasked(bench: Bench) -> None:
    bench.up()
    bench.set(Property.MAC_15_4_LADDR, "E", CHILD)
    bench.send(Command.RESET)
    assert bench.unasked == [(Property.LAST_STATUS, pack_uint(SpinelStatus.RESET_SOFTWARE))]
    assert bench.get(Property.PHY_ENABLED) == b"\x00"
    assert bench.get(Property.MAC_15_4_PANID) == b"\xff\xff"
    assert unpack("E", bench.get(Property.MAC_15_4_LADDR)) == (RADIO,)
    assert not bench.rcp.radio.tuned_promiscuous


# What it refuses


@pytest.mark.parametrize(
    "command", [Command.PROP_VALUE_GET, Command.PROP_VALUE_SET, Command.PROP_VALUE_INSERT]
)
def test_unknown_properties_are_not_found(bench: Bench, command: int) -> None:
    assert bench.status(command, pack_uint(66) + b"\x01") == SpinelStatus.PROP_NOT_FOUND


def test_what_cannot_be_written_is_not_found(bench: Bench) -> None:
    assert bench.set_status(Property.HWADDR, "E", 1) == SpinelStatus.PROP_NOT_FOUND


@pytest.mark.parametrize("command", [9, 18, 21, Command.PROP_VALUE_IS, 1000])
def test_unknown_commands_are_refused(bench: Bench, command: int) -> None:
    assert bench.status(command) == SpinelStatus.INVALID_COMMAND


def test_other_interfaces_do_not_exist(bench: Bench) -> None:
    assert bench.status(Command.NOOP, interface=1) == SpinelStatus.INVALID_INTERFACE


def test_values_too_short_are_parse_errors(bench: Bench) -> None:
    assert (
        bench.status(Command.PROP_VALUE_SET, pack_uint(Property.MAC_15_4_PANID) + b"\x01")
        == SpinelStatus.PARSE_ERROR
    )
    assert bench.status(Command.PROP_VALUE_GET, b"") == SpinelStatus.PARSE_ERROR
    assert (
        bench.status(Command.PROP_VALUE_SET, pack_uint(Property.STREAM_RAW) + b"\x09\x00")
        == SpinelStatus.PARSE_ERROR
    )


@pytest.mark.parametrize(
    ("name", "types", "value", "status"),
    [
        (Property.PHY_CHAN, "C", 10, SpinelStatus.INVALID_ARGUMENT),
        (Property.MAC_SCAN_MASK, "A(C)", [11, 27], SpinelStatus.INVALID_ARGUMENT),
        (Property.MAC_PROMISCUOUS_MODE, "C", 3, SpinelStatus.INVALID_ARGUMENT),
        (Property.MAC_SCAN_STATE, "C", ScanState.BEACON, SpinelStatus.UNIMPLEMENTED),
        (Property.MAC_SCAN_STATE, "C", ScanState.ENERGY, SpinelStatus.INVALID_STATE),
        (Property.MAC_SRC_MATCH_SHORT_ADDRESSES, "A(S)", list(range(MATCH_LIMIT + 1)), SpinelStatus.NOMEM),
    ],
)
def test_wrong_values_are_refused(bench: Bench, name: int, types: str, value: object, status: int) -> None:
    assert bench.set_status(name, types, value) == status


def test_an_address_somebody_else_has_is_refused_and_the_old_one_kept(bench: Bench) -> None:
    bench.child()
    assert bench.set_status(Property.MAC_15_4_LADDR, "E", CHILD) == SpinelStatus.ALREADY
    assert bench.rcp.radio.eui64 == RADIO
    assert bench.rcp.radio.attached


def test_transaction_zero_gets_no_answer(bench: Bench) -> None:
    bench.send(Command.PROP_VALUE_GET, pack_uint(Property.CAPS), transaction=0)
    bench.send(Command.PROP_VALUE_GET, pack_uint(66), transaction=0)
    assert bench.answers == []
    assert bench.unasked == []


@given(st.binary(max_size=80))
def test_nothing_from_the_link_raises(octets: bytes) -> None:
    bench = Bench()
    bench.up()
    bench.rcp.feed(octets)
    bench.rcp.feed(encode_hdlc(octets))
    bench.rcp.feed(encode_hdlc(b"\x85" + octets))
    bench.rcp.feed(encode_hdlc(b"\x85\x03" + octets))
    bench.rcp.feed(encode_hdlc(b"\x85\x03\x71" + pack("dD", octets, octets[::-1])))
    bench.run()


# Sending


def test_a_frame_is_acknowledged_by_its_addressee_and_reported(bench: Bench) -> None:
    _, listener = bench.child()
    bench.up()
    bench.answers.clear()
    bench.transmit(data_frame(1))
    assert bench.answers == [], "answered only when the transmission has ended"
    bench.run()
    status, pending, header_updated, ack = bench.outcome()
    assert (status, pending, header_updated) == (SpinelStatus.OK, False, True)
    (octets, *_) = unpack("dccSdd", ack)
    assert octets[:3] == b"\x02\x00\x09"
    assert fcs_ok(octets)
    assert listener.data == [(0, 1, b"hello")]


def test_a_frame_nobody_acknowledges_ends_in_no_ack_after_the_retries_asked_for(bench: Bench) -> None:
    bench.up()
    for retries in (0, 5):
        seen: list[bytes] = []
        bench.medium.capture = type(
            "Tap", (), {"frame": lambda self, *frame, seen=seen: seen.append(frame[2])}
        )()
        bench.answers.clear()
        bench.transmit(data_frame(0x4444), retries=retries)
        bench.run()
        assert bench.outcome()[0] == SpinelStatus.NO_ACK
        assert len(seen) == retries + 1
        assert all(fcs_ok(psdu) for psdu in seen)


def test_a_frame_that_wants_no_acknowledgement_is_done_when_sent(bench: Bench) -> None:
    _, listener = bench.child()
    bench.up()
    bench.answers.clear()
    bench.transmit(data_frame(0xFFFF, ack=False))
    bench.run()
    assert bench.outcome() == (SpinelStatus.OK, False, True, b"")
    assert listener.data == [(0, 0xFFFF, b"hello")]


def test_a_busy_channel_ends_in_cca_failure_unless_the_host_wants_no_csma(bench: Bench) -> None:
    bench.up()
    bench.medium.jam(15, 10_000_000)
    bench.answers.clear()
    bench.transmit(data_frame(0xFFFF, ack=False), retries=2)
    bench.run(2)
    assert bench.outcome()[0] == SpinelStatus.CCA_FAILURE
    bench.answers.clear()
    bench.transmit(data_frame(0xFFFF, ack=False), csma=False)
    bench.run()
    assert bench.outcome()[0] == SpinelStatus.OK


def test_a_frame_can_go_out_on_another_channel(bench: Bench) -> None:
    mac, listener = bench.child()
    mac.channel = 20
    bench.up()
    bench.transmit(data_frame(1), channel=20)
    bench.run()
    assert listener.data == [(0, 1, b"hello")]
    assert bench.rcp.radio.tuned_channel == 20


def test_frames_handed_over_together_go_out_in_order_and_too_many_are_refused(bench: Bench) -> None:
    _, listener = bench.child()
    bench.up()
    bench.answers.clear()
    for number in range(QUEUE_LIMIT + 2):
        bench.transmit(data_frame(1, bytes((number,)), sequence=number), transaction=1 + number % 15)
    bench.run(1)
    assert [payload[0] for _, _, payload in listener.data] == list(range(QUEUE_LIMIT + 1))
    statuses = [unpack("ii", answer.payload)[1] for answer in bench.answers]
    assert statuses.count(SpinelStatus.OK) == QUEUE_LIMIT + 1
    assert statuses.count(SpinelStatus.BUSY) == 1


@pytest.mark.parametrize(("octets", "channel"), [(2, 15), (126, 15), (20, 27), (20, 0)])
def test_frames_no_radio_could_send_are_refused(bench: Bench, octets: int, channel: int) -> None:
    bench.up()
    bench.answers.clear()
    bench.transmit(bytes(octets), channel=channel)
    (answer,) = bench.answers
    assert unpack("ii", answer.payload) == (Property.LAST_STATUS, SpinelStatus.INVALID_ARGUMENT)


def test_a_phy_that_is_off_sends_and_hears_nothing(bench: Bench) -> None:
    mac, listener = bench.child()
    bench.up()
    bench.set(Property.PHY_ENABLED, "b", False)
    bench.answers.clear()
    bench.transmit(data_frame(1))
    (answer,) = bench.answers
    assert unpack("ii", answer.payload) == (Property.LAST_STATUS, SpinelStatus.INVALID_STATE)
    mac.data(0, b"hello", listener.statuses.append)
    bench.run()
    assert listener.statuses == [Status.NO_ACK]
    assert bench.frames() == []


def test_a_reset_in_mid_transmission_leaves_no_answer_behind(bench: Bench) -> None:
    bench.up()
    bench.answers.clear()
    bench.transmit(data_frame(1))
    bench.send(Command.RESET)
    bench.run()
    assert bench.answers == []
    bench.up()
    bench.answers.clear()
    bench.transmit(data_frame(0xFFFF, ack=False))
    bench.run()
    assert bench.outcome()[0] == SpinelStatus.OK


# Receiving


def test_frames_for_the_radio_are_acknowledged_and_passed_up_with_their_metadata(bench: Bench) -> None:
    mac, listener = bench.child()
    bench.up()
    mac.data(0, b"hello", listener.statuses.append)
    bench.run()
    assert listener.statuses == [Status.SUCCESS]
    ((psdu, rssi, noise, flags, phy, _),) = bench.frames()
    assert fcs_ok(psdu)
    assert psdu[9:-2] == b"hello"
    assert -100 <= rssi <= 0
    assert noise == -105
    assert flags == FrameFlag.NONE
    channel, lqi, timestamp = unpack("CCX", phy)
    assert channel == 15
    assert lqi > 0
    assert 0 < timestamp <= bench.kernel.now


def test_frames_for_others_and_other_pans_stay_out(bench: Bench) -> None:
    mac, _ = bench.child()
    bench.child(short=2, eui64=CHILD + 1)
    stranger, _ = bench.child(short=3, eui64=CHILD + 2, pan=0x4444)
    bench.up()
    mac.data(2, b"to a neighbour")
    bench.run()
    stranger.data(0xFFFF, b"broadcast elsewhere")
    bench.run()
    assert bench.frames() == []
    mac.data(0xFFFF, b"broadcast here")
    bench.run()
    assert [frame[0][9:-2] for frame in bench.frames()] == [b"broadcast here"]


def test_a_beacon_request_reaches_the_host(bench: Bench) -> None:
    mac, _ = bench.child()
    bench.up()
    mac.scan([15], 0, lambda _: None)
    bench.run()
    ((psdu, *_),) = bench.frames()
    assert psdu[:2].hex() + psdu[3:-2].hex() == "0308ffffffff07"


def test_promiscuous_modes_pass_up_what_is_not_for_the_radio(bench: Bench) -> None:
    mac, _ = bench.child()
    bench.child(short=2, eui64=CHILD + 1)
    stranger, _ = bench.child(short=3, eui64=CHILD + 2, pan=0x4444)
    bench.up()
    for mode, expected in ((1, [b"here"]), (2, [b"here", b"there"])):
        bench.set(Property.MAC_PROMISCUOUS_MODE, "C", mode)
        bench.unasked.clear()
        mac.data(2, b"here")
        bench.run()
        stranger.data(0xFFFF, b"there")
        bench.run()
        assert [frame[0][9:-2] for frame in bench.frames() if frame[0][0] & 7 == FrameType.DATA] == expected
    bench.unasked.clear()
    mac.data(0, b"mine")
    bench.run()
    assert [frame[0][9:-2] for frame in bench.frames() if frame[0][0] & 7 == FrameType.DATA] == [b"mine"]


def test_the_stream_can_be_switched_off(bench: Bench) -> None:
    mac, listener = bench.child()
    bench.up()
    bench.set(Property.MAC_RAW_STREAM_ENABLED, "b", False)
    mac.data(0, b"hello", listener.statuses.append)
    bench.run()
    assert bench.frames() == []
    assert listener.statuses == [Status.NO_ACK]


# Source matching


def pending(bench: Bench, mac: Mac) -> bool:
    """Have a device poll; tell whether its data request was acknowledged with the frame-pending bit set."""
    bench.unasked.clear()
    mac.poll()
    bench.run(0.02)
    flags = {frame[3] for frame in bench.frames()}
    assert len(flags) == 1
    assert mac.transmitter.ack_pending == bool(flags & {FrameFlag.ACKED_WITH_PENDING})
    bench.run(1)
    return mac.transmitter.ack_pending


def test_without_source_matching_every_data_request_is_told_to_wait(bench: Bench) -> None:
    mac, _ = bench.child()
    bench.up()
    assert pending(bench, mac)


def test_the_source_match_tables_decide_who_is_told_to_wait(bench: Bench) -> None:
    mac, _ = bench.child()
    bench.up()
    bench.set(Property.MAC_SRC_MATCH_ENABLED, "b", True)
    for name, types, short, item in (
        (Property.MAC_SRC_MATCH_SHORT_ADDRESSES, "S", 1, 1),
        (Property.MAC_SRC_MATCH_EXTENDED_ADDRESSES, "E", 0xFFFF, CHILD),
    ):
        mac.short_address = short
        assert not pending(bench, mac)
        entry = pack_uint(name) + pack(types, item)
        assert bench.ask(Command.PROP_VALUE_INSERT, entry) == (
            Command.PROP_VALUE_INSERTED,
            name,
            pack(types, item),
        )
        assert pending(bench, mac)
        assert bench.ask(Command.PROP_VALUE_REMOVE, entry) == (
            Command.PROP_VALUE_REMOVED,
            name,
            pack(types, item),
        )
        assert bench.status(Command.PROP_VALUE_REMOVE, entry) == SpinelStatus.ITEM_NOT_FOUND
        assert not pending(bench, mac)
        bench.set(name, f"A({types})", [item])
        assert pending(bench, mac)
        bench.set(name, f"A({types})", [])
        assert not pending(bench, mac)


def test_the_source_match_table_is_bounded(bench: Bench) -> None:
    name = Property.MAC_SRC_MATCH_EXTENDED_ADDRESSES
    for item in range(MATCH_LIMIT):
        bench.ask(Command.PROP_VALUE_INSERT, pack_uint(name) + pack("E", item))
    assert (
        bench.status(Command.PROP_VALUE_INSERT, pack_uint(name) + pack("E", MATCH_LIMIT))
        == SpinelStatus.NOMEM
    )


# Energy scan


def test_an_energy_scan_measures_each_channel_and_returns(bench: Bench) -> None:
    mac, _ = bench.child()
    bench.up()
    bench.set(Property.MAC_SCAN_MASK, "A(C)", [14, 15])
    bench.set(Property.MAC_SCAN_PERIOD, "S", 50)
    bench.unasked.clear()
    bench.set(Property.MAC_SCAN_STATE, "C", ScanState.ENERGY)
    bench.run(0.06)
    mac.data(0xFFFF, b"noise")
    bench.run(0.1)
    told = [each for each in bench.unasked if each[0] != Property.STREAM_RAW]
    (first, second), end = told[:2], told[2:]
    assert first == (Property.MAC_ENERGY_SCAN_RESULT, pack("Cc", 14, -105))
    channel, peak = unpack("Cc", second[1])
    assert channel == 15
    assert peak > -100
    assert end == [(Property.MAC_SCAN_STATE, b"\x00")]
    assert bench.rcp.radio.tuned_channel == 15


def test_a_scan_can_be_stopped_and_meanwhile_nothing_is_sent(bench: Bench) -> None:
    bench.up()
    bench.set(Property.MAC_SCAN_STATE, "C", ScanState.ENERGY)
    bench.run(0.15)
    bench.answers.clear()
    bench.transmit(data_frame(1))
    (answer,) = bench.answers
    assert unpack("ii", answer.payload) == (Property.LAST_STATUS, SpinelStatus.INVALID_STATE)
    assert bench.set_status(Property.PHY_CHAN, "C", 12) == SpinelStatus.INVALID_STATE
    bench.set(Property.MAC_SCAN_STATE, "C", ScanState.IDLE)
    assert bench.rcp.radio.tuned_channel == 15
    bench.unasked.clear()
    bench.run(5)
    assert bench.unasked == []


def test_power_off_leaves_the_air(bench: Bench) -> None:
    bench.up()
    bench.set(Property.MAC_SCAN_STATE, "C", ScanState.ENERGY)
    bench.rcp.power_off()
    bench.run(5)
    assert bench.medium.radio(RADIO) is None
