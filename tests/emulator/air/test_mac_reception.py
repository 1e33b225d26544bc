"""What a MAC does with each kind of frame it hears (802.15.4-2006 7.5.6.2): a table of frames and their effects."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from emulator.air.beacon import BeaconPayload, encode_beacon_payload
from emulator.air.command import (
    AssociationRequest,
    AssociationResponse,
    AssociationStatus,
    Command,
    CoordinatorRealignment,
    DataRequest,
    Disassociation,
    Orphan,
    PanIdConflict,
    encode_command,
)
from emulator.air.fcs import with_fcs
from emulator.air.frame import AddressMode, FrameType, MacFrame, encode_frame
from emulator.air.mac import DUPLICATE_WINDOW_US, MAX_NPDU, Mac
from emulator.air.radio import ACK, ACK_PENDING, NO_ACK
from emulator.clock.kernel import Kernel
from emulator.errors import EmulatorError, FrameError
from emulator.status import Status
from tests.emulator.air.air_world import PAN, Air, Recorder

SHORT, EXTENDED, NONE = AddressMode.SHORT, AddressMode.EXTENDED, AddressMode.NONE
STRANGER = 0x00DB00000000AAAA
CHILD = 0x0B0B


class Heard(NamedTuple):
    """What the layer above was told."""

    data: int = 0
    joins: int = 0
    polls: int = 0
    beacons: int = 0
    beacon_requests: int = 0
    malformed: int = 0


class BeaconRecorder(Recorder):
    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel)
        self.beacons: list[bytes] = []

    def mac_beacon(self, payload: bytes) -> None:
        self.beacons.append(payload)


def coordinator() -> tuple[Air, Mac, BeaconRecorder]:
    air = Air()
    mac, _ = air.mac()
    above = BeaconRecorder(air.kernel)
    mac.listener = above
    return air, mac, above


def outcome(mac: Mac, above: BeaconRecorder) -> Heard:
    return Heard(
        len(above.data),
        len(above.joins),
        len(above.polls),
        len(above.beacons),
        above.beacon_requests,
        mac.malformed,
    )


def data(**fields: object) -> MacFrame:
    plain = MacFrame(FrameType.DATA, 1, SHORT, PAN, 0, SHORT, PAN, CHILD, b"npdu", pan_id_compression=True)
    return plain._replace(**fields)  # type: ignore[arg-type]


def command(of: Command, **fields: object) -> MacFrame:
    frame = data(frame_type=FrameType.COMMAND, payload=encode_command(of))
    return frame._replace(**fields)  # type: ignore[arg-type]


def beacon(pan: int, payload: bytes) -> MacFrame:
    return MacFrame(FrameType.BEACON, 1, source_mode=SHORT, source_pan=pan, source=5, payload=payload)


JOINER = {"source_mode": EXTENDED, "source_pan": 0xFFFF, "source": STRANGER, "pan_id_compression": False}
SUPERFRAME = encode_beacon_payload(BeaconPayload(False, True, b"z"))

RECEIVED = {
    "data for us": (data(), Heard(data=1)),
    "data of frame version 1": (data(version=1), Heard(data=1)),
    "data with the source PAN spelt out": (data(pan_id_compression=False), Heard(data=1)),
    "data from another PAN, spelt out": (data(pan_id_compression=False, source_pan=0x2222), Heard(data=1)),
    "data for another PAN": (data(destination_pan=0x2222, source_pan=0x2222), Heard()),
    "data for every PAN": (data(destination_pan=0xFFFF, pan_id_compression=False), Heard(data=1)),
    "data without a source": (
        data(source_mode=NONE, source_pan=None, source=None, pan_id_compression=False),
        Heard(),
    ),
    "data from an extended address": (data(source_mode=EXTENDED, source=STRANGER), Heard()),
    "data for an extended address": (
        data(destination_mode=EXTENDED, destination=0x00DB000000000000),
        Heard(),
    ),
    "association request": (command(AssociationRequest(0x8E), **JOINER), Heard(joins=1)),
    "data request of a child": (command(DataRequest()), Heard(polls=1)),
    "data request by EUI-64": (command(DataRequest(), source_mode=EXTENDED, source=STRANGER), Heard()),
    "beacon request": (
        MacFrame(FrameType.COMMAND, 1, SHORT, 0xFFFF, 0xFFFF, payload=b"\x07"),
        Heard(beacon_requests=1),
    ),
    "association response nobody waits for": (
        command(AssociationResponse(1, 0), source_mode=EXTENDED, source=STRANGER),
        Heard(),
    ),
    "disassociation": (command(Disassociation(1)), Heard()),
    "PAN ID conflict": (command(PanIdConflict()), Heard()),
    "orphan": (command(Orphan()), Heard()),
    "realignment": (command(CoordinatorRealignment(PAN, 0, 11, 0xFFFF)), Heard()),
    "command without a source": (
        command(
            AssociationRequest(0x8E), source_mode=NONE, source_pan=None, source=None, pan_id_compression=False
        ),
        Heard(),
    ),
    "unknown command": (command(DataRequest(), payload=b"\x09"), Heard(malformed=1)),
    "command with octets too many": (command(DataRequest(), payload=b"\x04\x00"), Heard(malformed=1)),
    "command without an identifier": (command(DataRequest(), payload=b""), Heard(malformed=1)),
    "beacon of our PAN": (beacon(PAN, SUPERFRAME), Heard(beacons=1)),
    "beacon of another PAN": (beacon(0x2222, SUPERFRAME), Heard()),
    "beacon cut short": (beacon(PAN, SUPERFRAME[:3]), Heard(malformed=1)),
    "beacon with a guaranteed time slot": (beacon(PAN, b"\xff\xcf\x01\x00"), Heard(malformed=1)),
}


@pytest.mark.parametrize(("frame", "heard"), RECEIVED.values(), ids=RECEIVED)
def test_each_kind_of_frame_has_its_effect_and_no_other(frame: MacFrame, heard: Heard) -> None:
    air, mac, above = coordinator()
    mac.indicate(with_fcs(encode_frame(frame)), 200)
    air.run()
    assert outcome(mac, above) == heard


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        ("418801641a00000b", "a plain data frame without its source"),
        ("6188", "frame control alone"),
        ("090001", "MAC security"),
        ("070001", "a reserved frame type"),
        ("412801641a00000b0b", "frame version 2"),
    ],
)
def test_octets_that_are_no_frame_are_counted_and_dropped(octets: str, why: str) -> None:
    air, mac, above = coordinator()
    mac.indicate(with_fcs(bytes.fromhex(octets)), 200)
    air.run()
    assert outcome(mac, above) == Heard(malformed=1), why


@pytest.mark.parametrize("kind", ["data", "association request", "data request of a child"])
@pytest.mark.parametrize(
    ("second", "pause_us", "taken"),
    [(1, 0, 1), (1, DUPLICATE_WINDOW_US - 1, 1), (1, DUPLICATE_WINDOW_US, 2), (2, 0, 2)],
)
def test_a_sequence_number_repeated_within_a_second_is_a_retry(
    kind: str, second: int, pause_us: int, taken: int
) -> None:
    frame = data(version=1) if kind == "data" else RECEIVED[kind][0]
    air, mac, above = coordinator()
    mac.indicate(with_fcs(encode_frame(frame)), 200)
    air.kernel.run_for(pause_us)
    mac.indicate(with_fcs(encode_frame(frame._replace(sequence=second))), 200)
    assert len(above.data) + len(above.joins) + len(above.polls) == taken


def test_sequence_numbers_of_two_sources_have_nothing_to_do_with_each_other() -> None:
    _, mac, above = coordinator()
    mac.indicate(with_fcs(encode_frame(data())), 200)
    mac.indicate(with_fcs(encode_frame(data(source=CHILD + 1))), 200)
    assert len(above.data) == 2


@pytest.mark.parametrize(
    ("coordinates", "permits", "answered", "admitted"),
    [(True, True, 1, 1), (True, False, 1, 0), (False, True, 0, 0), (False, False, 0, 0)],
)
def test_only_a_coordinator_answers_scans_and_only_an_open_one_passes_on_association_requests(
    coordinates: bool, permits: bool, answered: int, admitted: int
) -> None:
    air, mac, above = coordinator()
    mac.coordinator, mac.association_permit = coordinates, permits
    sniffer, _ = air.mac(joined=False)
    heard: list[bytes] = []
    sniffer.listen_to_all(lambda psdu, lqi, rssi: heard.append(psdu))
    mac.indicate(with_fcs(encode_frame(RECEIVED["beacon request"][0])), 200)
    mac.indicate(with_fcs(encode_frame(RECEIVED["association request"][0])), 200)
    air.run()
    assert len(heard) == answered
    assert len(above.joins) == admitted
    assert above.beacon_requests == 1


@pytest.mark.parametrize(
    ("held_for", "frame", "ack"),
    [
        (None, data(ack_request=True), ACK),
        (None, data(), NO_ACK),
        (None, command(DataRequest(), ack_request=True), ACK),
        (CHILD, command(DataRequest(), ack_request=True), ACK_PENDING),
        (CHILD + 1, command(DataRequest(), ack_request=True), ACK),
        (CHILD, data(ack_request=True), ACK),
        (CHILD, command(PanIdConflict(), ack_request=True), ACK),
        (
            STRANGER,
            command(DataRequest(), source_mode=EXTENDED, source=STRANGER, ack_request=True),
            ACK_PENDING,
        ),
        (CHILD, command(DataRequest(), source_mode=EXTENDED, source=STRANGER, ack_request=True), ACK),
    ],
)
def test_the_frame_pending_bit_is_set_for_a_data_request_of_whoever_has_something_held(
    held_for: int | None, frame: MacFrame, ack: int
) -> None:
    _, mac, _ = coordinator()
    if held_for == STRANGER:
        mac.associate_response(STRANGER, CHILD, 0)
    elif held_for is not None:
        mac.data(held_for, b"held", indirect=True)
    assert mac.accept(with_fcs(encode_frame(frame))) == ack


def test_a_scanning_mac_acknowledges_nothing() -> None:
    _, mac, _ = coordinator()
    mac.scan([15], 3, lambda _: None)
    assert mac.accept(with_fcs(encode_frame(data(ack_request=True)))) == NO_ACK


@pytest.mark.parametrize(
    ("frame", "effect"),
    [(data(), "data"), (data(version=1), "data"), (RECEIVED["association request"][0], "joins")],
)
def test_a_scanning_mac_takes_nothing_but_beacons(frame: MacFrame, effect: str) -> None:
    air, mac, above = coordinator()
    mac.scan([11], 3, lambda _: None)
    mac.indicate(with_fcs(encode_frame(frame)), 200)
    assert getattr(above, effect) == []
    air.run()
    mac.indicate(with_fcs(encode_frame(frame)), 200)
    assert len(getattr(above, effect)) == 1


# Requests that are refused


@pytest.mark.parametrize("octets", [MAX_NPDU + 1, 200])
def test_an_npdu_longer_than_the_frame_has_room_for_says_by_how_much(octets: int) -> None:
    _, mac, _ = coordinator()
    with pytest.raises(
        FrameError, match=rf"shorten the payload by {octets - MAX_NPDU} or fragment it in APS"
    ):
        mac.data(1, bytes(octets))


@pytest.mark.parametrize(
    ("mpdu", "message"),
    [(b"\x61\x88", "^MAC frame of 2 octets: expected at least 3$"), (bytes(126), "128 octets with FCS")],
)
def test_a_host_frame_of_an_impossible_length_is_refused(mpdu: bytes, message: str) -> None:
    _, mac, _ = coordinator()
    with pytest.raises(FrameError, match=message):
        mac.send_mpdu(mpdu)


@pytest.mark.parametrize("scan", ["scan", "energy_scan"])
def test_a_scan_of_channels_outside_11_to_26_names_them(scan: str) -> None:
    _, mac, _ = coordinator()
    with pytest.raises(EmulatorError, match=r"^MAC scan channels \[10, 27\]: expected 11 to 26$"):
        getattr(mac, scan)([10, 11, 27], 3, lambda _: None)


def test_a_second_association_before_the_first_has_ended_is_refused() -> None:
    air, _, _ = coordinator()
    child, _ = air.mac(joined=False)
    child.associate(11, PAN, 0, 0x8E, lambda status, short: None)
    with pytest.raises(EmulatorError, match=r"^MAC 00DB000000000001: an association is running, wait for"):
        child.associate(11, PAN, 0, 0x8E, lambda status, short: None)


# The child's half


def test_an_association_request_nobody_acknowledges_puts_everything_back() -> None:
    air = Air()
    child, _ = air.mac()
    child.channel, child.parent_address = 20, 7
    ended: list[tuple[int, int]] = []
    child.associate(11, 0x2222, 0, 0x8E, lambda status, short: ended.append((status, short)))
    assert (child.channel, child.pan_id, child.short_address, child.parent_address) == (11, 0x2222, 0xFFFF, 0)
    air.run()
    assert ended == [(Status.NO_ACK, 0xFFFF)]
    assert (child.channel, child.pan_id, child.short_address, child.parent_address) == (20, PAN, 0, 7)


@pytest.mark.parametrize("short", [0x0000, 0xFFF8, 0xFFFE, 0xFFFF])
def test_an_association_that_succeeds_without_an_address_of_its_own_is_a_refusal(short: int) -> None:
    # 802.15.4 lets a coordinator give 0xFFFE, "use your EUI-64"; ZigBee does not.
    air, mac, _ = coordinator()
    child, _ = air.mac(joined=False, x=3)
    ended: list[tuple[int, int]] = []
    child.associate(11, PAN, 0, 0x8E, lambda status, given: ended.append((status, given)))
    air.run(0.1)
    mac.associate_response(child.eui64, short, 0)
    air.run()
    assert ended == [(AssociationStatus.PAN_ACCESS_DENIED, 0xFFFF)]
    assert (child.pan_id, child.short_address) == (0xFFFF, 0xFFFF)


def test_polls_asked_for_together_share_one_data_request_and_its_outcome() -> None:
    air, _, above = coordinator()
    child, child_above = air.mac(x=3, sleepy=True)
    child.poll(child_above.confirm)
    child.poll(None)
    child.poll(child_above.confirm)
    air.run()
    assert child_above.statuses == [Status.NO_DATA, Status.NO_DATA]
    assert above.polls == [1]


def test_a_poll_whose_answer_is_lost_ends_with_no_data_after_a_response_wait() -> None:
    air, mac, _ = coordinator()
    child, child_above = air.mac(x=3, sleepy=True)
    mac.data(1, b"held", indirect=True)
    air.medium.interference.append(lambda now, source, to, psdu: None if b"held" in psdu else psdu)
    child.poll(child_above.confirm)
    air.run(0.45)
    assert child_above.statuses == []
    air.run(0.1)
    assert child_above.statuses == [Status.NO_DATA]


def test_a_broadcast_that_happens_to_come_while_polling_is_not_taken_for_the_answer() -> None:
    air, mac, _ = coordinator()
    child, child_above = air.mac(x=3)
    mac.data(1, b"held", indirect=True)
    air.medium.interference.append(lambda now, source, to, psdu: None if b"held" in psdu else psdu)
    child.poll(child_above.confirm)
    air.run(0.05)
    mac.data(0xFFFF, b"everybody")
    air.run(0.05)
    assert child_above.data == [(0, 0xFFFF, b"everybody")]
    assert child_above.statuses == []


@pytest.mark.parametrize(("more", "pending"), [(1, False), (2, True), (3, True)])
def test_a_held_frame_says_whether_another_waits_behind_it(more: int, pending: bool) -> None:
    air, mac, _ = coordinator()
    child, _ = air.mac(x=3, sleepy=True)
    heard: list[bytes] = []
    sniffer, _ = air.mac(joined=False)
    sniffer.listen_to_all(lambda psdu, lqi, rssi: heard.append(psdu))
    for _ in range(more):
        mac.data(1, b"held", indirect=True)
    child.poll()
    air.run()
    (held,) = [psdu for psdu in heard if b"held" in psdu]
    assert bool(held[0] & 0x10) is pending


@pytest.mark.parametrize("purge", ["purge", "purge_all"])
def test_a_purged_child_finds_nothing(purge: str) -> None:
    air, mac, above = coordinator()
    child, child_above = air.mac(x=3, sleepy=True)
    mac.data(1, b"held", above.confirm, indirect=True)
    mac.purge(1) if purge == "purge" else mac.purge_all()
    child.poll(child_above.confirm)
    air.run()
    assert above.statuses == [Status.TRANSACTION_EXPIRED]
    assert child_above.statuses == [Status.NO_DATA]


# Scanning


def beaconing(air: Air, *, x: float, pan: int, channel: int = 11) -> Mac:
    mac, _ = air.mac(x=x)
    mac.coordinator = True
    mac.pan_id, mac.channel = pan, channel
    mac.beacon_payload = bytes(15)
    return mac


def test_each_coordinator_is_reported_once_with_its_channel_pan_address_and_permission() -> None:
    air = Air()
    beaconing(air, x=0, pan=0x1111)
    closed = beaconing(air, x=5, pan=0x2222, channel=13)
    closed.association_permit = False
    scanner, _ = air.mac(joined=False, x=2)
    found: list[list[tuple[int, int, int, bool]]] = []
    scanner.scan(
        [11, 12, 13],
        4,
        lambda beacons: found.append(
            [(b.channel, b.pan_id, b.source, b.permit_association) for b in beacons]
        ),
    )
    air.run(2)
    assert found == [[(11, 0x1111, 0, True), (13, 0x2222, 1, False)]]


def test_the_best_heard_of_several_beacons_of_one_coordinator_is_kept() -> None:
    air, mac, _ = coordinator()
    found: list[list[tuple[int, int]]] = []
    mac.scan([11], 3, lambda beacons: found.append([(b.source, b.lqi) for b in beacons]))
    for lqi in (90, 200, 120):
        mac.indicate(with_fcs(encode_frame(beacon(0x2222, SUPERFRAME))), lqi)
    air.run()
    assert found == [[(5, 200)]]


def test_a_beacon_from_an_extended_address_names_no_parent_and_is_left_out() -> None:
    air, mac, _ = coordinator()
    found: list[object] = []
    mac.scan([11], 3, found.extend)
    frame = beacon(0x2222, SUPERFRAME)._replace(source_mode=EXTENDED, source=STRANGER)
    mac.indicate(with_fcs(encode_frame(frame)), 200)
    air.run()
    assert found == []


def test_scans_asked_for_during_a_scan_take_their_turns() -> None:
    air, mac, _ = coordinator()
    order: list[str] = []
    mac.scan([15, 16], 2, lambda _: order.append("first"))
    mac.energy_scan([17], 2, lambda _: order.append("second"))
    mac.scan([], 2, lambda _: order.append("nowhere"))
    air.run(2)
    assert order == ["first", "second", "nowhere"]
    assert mac.channel == 11


def test_a_scan_begun_by_the_end_of_another_comes_before_those_that_wait() -> None:
    air, mac, _ = coordinator()
    order: list[str] = []

    def ended(_: object) -> None:
        order.append("first")
        mac.scan([12], 2, lambda _: order.append("nested"))

    mac.scan([15], 2, ended)
    mac.scan([16], 2, lambda _: order.append("waiting"))
    air.run(2)
    assert order == ["first", "nested", "waiting"]


def test_a_channel_too_busy_to_ask_on_still_gets_its_dwell() -> None:
    air, mac, _ = coordinator()
    air.medium.jam(15, 10_000_000)
    ended: list[int] = []
    mac.scan([15], 3, lambda _: ended.append(air.kernel.now))
    air.run(1)
    assert len(ended) == 1
    assert ended[0] >= 138_240


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_jammed_channel_measures_0_dbm(when: str) -> None:
    air, mac, _ = coordinator()
    measured: list[dict[int, int]] = []
    if when == "before":
        air.medium.jam(15, 1_000_000)
    mac.energy_scan([15, 16], 3, measured.append)
    if when == "during":
        air.run(0.01)
        air.medium.jam(15, 1_000)
    air.run()
    assert measured == [{15: 0, 16: -105}]


def test_an_energy_scan_counts_a_frame_that_was_already_on_the_air() -> None:
    air, mac, _ = coordinator()
    neighbour, _ = air.mac(x=3)
    neighbour.data(0xFFFF, bytes(110))
    assert air.kernel.step()  # the clear channel assessment; the frame is on its way now
    air.kernel.run_for(1_000)
    measured: list[dict[int, int]] = []
    mac.energy_scan([11], 0, measured.append)
    air.run()
    assert measured[0][11] > -60
