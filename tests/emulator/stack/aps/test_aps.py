"""The APS layer of two nodes over a link that stands in for the network layer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.clock.kernel import Kernel
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.aps.commands import SwitchKey, TransportNetworkKey
from emulator.stack.aps.key_table import COUNTER_STEP, KeyTable
from emulator.stack.aps.layer import MAX_NSDU_OCTETS, Aps, ApsCommandIndication
from emulator.stack.aps.security import KEY_TRANSPORT
from emulator.stack.events import KeyKind
from emulator.stack.primitives import (
    ApsdeIndication,
    ApsdeRequest,
    Confirm,
    NldeIndication,
    Security,
    Status,
)

KEY = bytes(range(16))
METERING = 0x0702
SMART_ENERGY = 0x0109
Filter = Callable[[int, bytes], int]


class Side:
    """One node: its APS over a fake network layer, and everything it reported."""

    def __init__(self, kernel: Kernel, eui64: int, short: int, **options: int) -> None:
        self.eui64 = eui64
        self.short_address = short
        self.peer: Side | None = None
        self.addresses: dict[int, int] = {}
        self.kernel = kernel
        self.memory = MemoryNonVolatile()
        self.keys = KeyTable(self.memory, lambda *_: None)
        self.aps = Aps(kernel.scope(f"{eui64:x}"), self, self.keys, self, **options)
        self.heard: list[ApsdeIndication] = []
        self.commands: list[ApsCommandIndication] = []
        self.failures: list[str] = []
        self.sent: list[bytes] = []
        self.copies: Filter = lambda _index, _nsdu: 1
        """How many copies of the frame numbered `index` arrive."""

    def data(
        self,
        destination: int,
        nsdu: bytes,
        confirm: Confirm | None = None,
        *,
        secure: bool = True,
        radius: int = 30,
    ) -> None:
        assert self.peer is not None
        assert len(nsdu) <= MAX_NSDU_OCTETS
        index = len(self.sent)
        self.sent.append(nsdu)
        indication = NldeIndication(self.short_address, None, destination, nsdu, secure, 200)
        scope = self.kernel.scope("air")
        for _ in range(self.copies(index, nsdu)):
            scope.call_later(5_000, self.peer.aps.nwk_data, indication)
        if confirm is not None:
            scope.call_later(5_000, confirm, Status.SUCCESS)

    def eui64_of(self, short: int) -> int | None:
        return self.addresses.get(short)

    def learn(self, eui64: int, short: int) -> None:
        self.addresses[short] = eui64

    def aps_data(self, indication: ApsdeIndication) -> None:
        self.heard.append(indication)

    def aps_command(self, indication: ApsCommandIndication) -> None:
        self.commands.append(indication)

    def aps_security_failure(self, source: int, reason: str) -> None:
        self.failures.append(reason)

    def aps_answer_expected(self, wait_us: int) -> None:
        pass


def link(*, keyed: bool = True, **options: int) -> tuple[Kernel, Side, Side]:
    kernel = Kernel(1)
    hub, meter = Side(kernel, 1, 0x0000, **options), Side(kernel, 2, 0x1234, **options)
    for one, other in ((hub, meter), (meter, hub)):
        one.peer = other
        one.learn(other.eui64, other.short_address)
        if keyed:
            one.keys.put(other.eui64, KEY, KeyKind.CBKE)
    return kernel, hub, meter


def request(asdu: bytes, *, ack: bool = True, secure: bool = True, destination: int = 0x1234) -> ApsdeRequest:
    return ApsdeRequest(destination, 1, SMART_ENERGY, METERING, 2, asdu, ack=ack, secure=secure)


@pytest.mark.parametrize("ack", [True, False])
@pytest.mark.parametrize("secure", [True, False])
def test_an_asdu_arrives_once_with_its_addressing_and_its_security(ack: bool, secure: bool) -> None:
    kernel, hub, meter = link()
    outcome: list[Status] = []
    hub.aps.data(request(b"hello", ack=ack, secure=secure), outcome.append)
    kernel.run_for(10_000_000)
    assert outcome == [Status.SUCCESS]
    [heard] = meter.heard
    assert (heard.source, heard.source_eui64, heard.destination, heard.asdu) == (0, 1, 0x1234, b"hello")
    assert (heard.destination_endpoint, heard.source_endpoint) == (1, 2)
    assert (heard.profile, heard.cluster) == (SMART_ENERGY, METERING)
    assert heard.security == (Security.APS if secure else Security.NWK)


def test_link_key_security_costs_nine_octets() -> None:
    _kernel, hub, _ = link()
    hub.aps.data(request(b"x" * 20, ack=False, secure=False))
    hub.aps.data(request(b"x" * 20, ack=False))
    assert [len(frame) for frame in hub.sent] == [28, 37]


@pytest.mark.parametrize(("secure", "octets"), [(False, 82), (True, 73)])
def test_the_longest_unfragmented_asdu_fills_the_frame(secure: bool, octets: int) -> None:
    kernel, hub, meter = link()
    hub.aps.data(request(bytes(octets), secure=secure))
    kernel.run_for(1_000_000)
    assert len(hub.sent) == 1
    assert len(hub.sent[0]) == MAX_NSDU_OCTETS
    assert len(meter.heard[0].asdu) == octets


def test_a_lost_frame_is_sent_again_after_the_ack_wait() -> None:
    kernel, hub, meter = link()
    hub.copies = lambda index, _: int(index > 1)
    outcome: list[Status] = []
    hub.aps.data(request(b"hello"), outcome.append)
    kernel.run_for(3_199_000)
    assert not meter.heard
    kernel.run_for(100_000)
    assert (len(meter.heard), outcome) == (1, [Status.SUCCESS])


def test_a_lost_acknowledgement_makes_no_second_indication() -> None:
    kernel, hub, meter = link()
    meter.copies = lambda index, _: int(index > 0)
    outcome: list[Status] = []
    hub.aps.data(request(b"hello"), outcome.append)
    kernel.run_for(10_000_000)
    assert (len(meter.heard), len(meter.sent), outcome) == (1, 2, [Status.SUCCESS])


def test_four_frames_without_an_acknowledgement_are_the_end() -> None:
    kernel, hub, _meter = link()
    hub.copies = lambda _index, _nsdu: 0
    outcome: list[Status] = []
    hub.aps.data(request(b"hello"), outcome.append)
    kernel.run_for(6_300_000)
    assert not outcome
    kernel.run_for(200_000)
    assert (len(hub.sent), outcome) == (4, [Status.APS_NO_ACK])


def test_a_sleepy_destination_is_given_longer() -> None:
    kernel, hub, _ = link()
    hub.aps.sleepy.add(0x1234)
    hub.copies = lambda _index, _nsdu: 0
    hub.aps.data(request(b"hello"))
    kernel.run_for(9_200_000)
    assert len(hub.sent) == 1
    kernel.run_for(100_000)
    assert len(hub.sent) == 2


def test_every_retry_has_a_fresh_frame_counter() -> None:
    kernel, hub, _ = link()
    hub.copies = lambda _index, _nsdu: 0
    hub.aps.data(request(b"hello"))
    kernel.run_for(10_000_000)
    assert [int.from_bytes(frame[9:13], "little") for frame in hub.sent] == [0, 1, 2, 3]


def test_a_replayed_frame_is_rejected_and_not_acknowledged() -> None:
    kernel, hub, meter = link()
    hub.copies = lambda _index, _nsdu: 2
    hub.aps.data(request(b"hello"))
    kernel.run_for(1_000_000)
    assert (len(meter.heard), len(meter.sent)) == (1, 1)
    assert "replayed" in meter.failures[0]


def test_a_frame_under_another_key_is_dropped_and_reported() -> None:
    kernel, hub, meter = link()
    meter.keys.put(1, bytes(16), KeyKind.CBKE)
    outcome: list[Status] = []
    hub.aps.data(request(b"hello"), outcome.append)
    kernel.run_for(10_000_000)
    assert outcome == [Status.APS_NO_ACK]
    assert not meter.heard
    assert len(meter.failures) == 4


def test_without_a_link_key_a_secured_request_fails_at_once() -> None:
    kernel, hub, _ = link(keyed=False)
    outcome: list[Status] = []
    hub.aps.data(request(b"hello"), outcome.append)
    assert not outcome
    kernel.run_for(0)
    assert (outcome, hub.sent) == ([Status.APS_SECURITY_FAIL], [])


def test_a_broadcast_is_neither_acknowledged_nor_secured() -> None:
    kernel, hub, meter = link()
    outcome: list[Status] = []
    hub.aps.data(request(b"notify", destination=0xFFFD, secure=True), outcome.append)
    hub.aps.data(request(b"notify", destination=0xFFFD, secure=False), outcome.append)
    kernel.run_for(1_000_000)
    assert outcome == [Status.APS_SECURITY_FAIL, Status.SUCCESS]
    assert [heard.destination for heard in meter.heard] == [0xFFFD]
    assert not meter.sent


def test_the_own_address_loops_back() -> None:
    kernel, hub, _ = link()
    outcome: list[Status] = []
    hub.aps.data(request(b"me", destination=0x0000), outcome.append)
    assert not hub.heard
    kernel.run_for(0)
    assert [heard.asdu for heard in hub.heard] == [b"me"]
    assert (outcome, hub.sent) == ([Status.SUCCESS], [])


def test_data_that_the_network_key_does_not_protect_is_not_heard() -> None:
    _kernel, _hub, meter = link()
    meter.aps.nwk_data(NldeIndication(0, 1, 0x1234, bytes.fromhex("00010207090102aa") + b"x", False, 255))
    assert not meter.heard


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize("octets", [83, 128, 1500])
def test_long_asdus_are_fragmented_and_put_together(octets: int, secure: bool) -> None:
    kernel, hub, meter = link(max_incoming_transfer=1500)
    outcome: list[Status] = []
    asdu = bytes(index & 0xFF for index in range(octets))
    hub.aps.data(request(asdu, ack=False, secure=secure), outcome.append)
    kernel.run_for(60_000_000)
    assert outcome == [Status.SUCCESS]
    assert [heard.asdu for heard in meter.heard] == [asdu]
    assert meter.heard[0].security == (Security.APS if secure else Security.NWK)


def test_fragments_are_fifty_milliseconds_apart() -> None:
    kernel, hub, _meter = link()
    hub.aps.data(request(bytes(120)))
    kernel.run_for(59_000)
    assert len(hub.sent) == 1
    kernel.run_for(2_000)
    assert len(hub.sent) == 2


def test_an_asdu_longer_than_the_receiver_takes_is_given_up() -> None:
    kernel, hub, meter = link(max_incoming_transfer=128)
    outcome: list[Status] = []
    hub.aps.data(request(bytes(129)), outcome.append)
    kernel.run_for(60_000_000)
    assert (outcome, meter.heard) == ([Status.APS_NO_ACK], [])


@given(st.lists(st.integers(0, 2), min_size=40, max_size=40), st.booleans())
def test_loss_and_duplicates_never_give_two_indications(fates: list[int], secure: bool) -> None:
    kernel, hub, meter = link(max_incoming_transfer=400)
    hub.copies = lambda index, _: fates[index % 20]
    meter.copies = lambda index, _: fates[20 + index % 20]
    outcomes: list[Status] = []
    for asdu in (b"short", bytes(200)):
        hub.aps.data(request(asdu, secure=secure), outcomes.append)
    kernel.run_for(120_000_000)
    heard = [each.asdu for each in meter.heard]
    assert len(outcomes) == 2
    assert len(heard) == len(set(heard))
    assert len(heard) >= outcomes.count(Status.SUCCESS)


def test_more_frames_than_counters_may_wait_for_one_destination() -> None:
    kernel, hub, meter = link()
    hub.copies = lambda index, _: int(index >= 257)
    outcomes: list[Status] = []
    for index in range(257):
        hub.aps.data(request(index.to_bytes(2, "big")), outcomes.append)
    kernel.run_for(10_000_000)
    assert outcomes.count(Status.TRANSACTION_OVERFLOW) == 1
    assert outcomes.count(Status.SUCCESS) == 256
    assert len({each.asdu for each in meter.heard}) == 256


def test_different_asdus_under_a_wrapped_counter_are_no_duplicates() -> None:
    kernel, hub, meter = link()
    for index in range(600):
        hub.aps.data(request(index.to_bytes(2, "big"), ack=False))
        kernel.run_for(6_000)
    assert [int.from_bytes(each.asdu, "big") for each in meter.heard] == list(range(600))


def test_equal_asdus_may_come_again_when_the_counter_has_wrapped() -> None:
    kernel, hub, meter = link()
    for _ in range(600):
        hub.aps.data(request(b"the same again", ack=False))
        kernel.run_for(6_000)
    assert len(meter.heard) == 600


def test_counters_go_on_after_a_reboot_and_old_frames_stay_rejected() -> None:
    kernel, hub, meter = link()
    hub.aps.data(request(b"one"))
    kernel.run_for(1_000_000)
    again = KeyTable(hub.memory, lambda *_: None)
    key = again.get(2)
    assert key is not None
    assert (key.octets, key.kind, key.take_counter()) == (KEY, KeyKind.CBKE, COUNTER_STEP)
    hub.aps.data(request(b"two"))
    kernel.run_for(1_000_000)
    rebooted = KeyTable(meter.memory, lambda *_: None).get(1)
    assert rebooted is not None
    assert rebooted.incoming > 0


def test_a_new_key_starts_new_counters_and_is_told_to_the_observer() -> None:
    told: list[tuple[str, bytes, str]] = []
    keys = KeyTable(MemoryNonVolatile(), lambda *each: told.append(each))
    first = keys.put(5, KEY, KeyKind.PRECONFIGURED)
    first.take_counter()
    assert keys.put(5, KEY, KeyKind.VERIFIED) is first
    assert keys.put(5, bytes(16), KeyKind.CBKE).outgoing == 0
    assert told == [
        ("preconfigured", KEY, "00-00-00-00-00-00-00-05"),
        ("cbke", bytes(16), "00-00-00-00-00-00-00-05"),
    ]


def test_commands_tell_what_protected_them() -> None:
    kernel, hub, meter = link()
    transport = TransportNetworkKey(bytes(16), 1, 2, 1)
    hub.aps.command(0x1234, transport, key=hub.keys.get(2), key_id=KEY_TRANSPORT, nwk_secure=False)
    hub.aps.command(0x1234, SwitchKey(1))
    kernel.run_for(1_000_000)
    secured, plain = meter.commands
    assert secured.command == transport
    assert (secured.key, secured.key_id, secured.nwk_secured) == (meter.keys.get(1), KEY_TRANSPORT, False)
    assert (plain.command, plain.key, plain.key_id, plain.nwk_secured) == (SwitchKey(1), None, None, True)


@given(st.binary(max_size=100), st.booleans())
def test_no_octets_from_the_air_raise(nsdu: bytes, secured: bool) -> None:
    _, _, meter = link()
    meter.aps.nwk_data(NldeIndication(0, 1, 0x1234, nsdu, secured, 255))
    assert not any(heard.security == Security.APS for heard in meter.heard)


def test_abandoning_confirms_everything_under_way() -> None:
    kernel, hub, _ = link()
    hub.copies = lambda _index, _nsdu: 0
    outcome: list[Status] = []
    hub.aps.data(request(b"hello"), outcome.append)
    hub.aps.abandon()
    kernel.run_for(20_000_000)
    assert outcome == [Status.NWK_INVALID_REQUEST]
