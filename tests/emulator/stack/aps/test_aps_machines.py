"""The machines of APS alone: acknowledged sending, duplicate rejection, reassembly and key counters (2.2.8, 4.4.1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emulator.clock.kernel import Kernel
from emulator.errors import NonVolatileError, SecurityError
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.aps.acknowledged import (
    ACK_WAIT_US,
    MAX_FRAME_RETRIES,
    SLEEPY_ACK_WAIT_US,
    AcknowledgedSending,
)
from emulator.stack.aps.duplicates import _PURGE_ENTRIES, UNACKNOWLEDGED_US, DuplicateTable
from emulator.stack.aps.fragmentation import INTERFRAME_DELAY_US, Fragment, Reassembled, Reassembler
from emulator.stack.aps.frames import ApsHeader, decode_header
from emulator.stack.aps.key_table import COUNTER_LIMIT, COUNTER_STEP, KeyTable
from emulator.stack.aps.service import ApsCommandIndication
from emulator.stack.events import KeyKind
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Confirm, Status

OTHER, THIRD = 0x1234, 0x4321
EUI64 = 0x000D6F0000000002
LIMIT = 20
"""Octets of an ASDU in one frame on this bench; fragments are two shorter."""


class Below:
    """A network layer that keeps what it is given, and the node above, which only listens."""

    eui64 = 0x00DB000000000001
    short_address = 0x0001

    def __init__(self) -> None:
        self.sent: list[tuple[int, ApsHeader, bytes]] = []
        self.expected_us: list[int] = []

    def data(
        self,
        destination: int,
        nsdu: bytes,
        confirm: Confirm | None = None,
        *,
        secure: bool = True,
        radius: int = 30,
    ) -> None:
        header = decode_header(nsdu)
        self.sent.append((destination, header, nsdu[header.length :]))

    def eui64_of(self, short: int) -> int | None:
        return None

    def learn(self, eui64: int, short: int) -> None:
        raise AssertionError("nothing is received here")

    def aps_data(self, indication: ApsdeIndication) -> None:
        raise AssertionError("nothing is received here")

    def aps_command(self, indication: ApsCommandIndication) -> None:
        raise AssertionError("nothing is received here")

    def aps_security_failure(self, source: int, reason: str) -> None:
        raise AssertionError("nothing is received here")

    def aps_answer_expected(self, wait_us: int) -> None:
        self.expected_us.append(wait_us)


class Bench:
    def __init__(self) -> None:
        self.kernel = Kernel()
        self.below = Below()
        self.sleepy: set[int] = set()
        self.sending = AcknowledgedSending(
            self.kernel.scope("aps"), self.below, self.below, ACK_WAIT_US, self.sleepy
        )
        self.counter = 0
        self.told: list[Status] = []

    def send(self, asdu: bytes = b"x", destination: int = OTHER, confirm: Confirm | None = None) -> None:
        request = ApsdeRequest(destination, 1, 0x0109, 0x0702, 1, asdu)
        self.counter = self.sending.send(request, confirm or self.told.append, None, LIMIT, self.counter)

    def acknowledge(self, counter: int | None = None, source: int = OTHER, **fields: int) -> None:
        header = ApsHeader(2, 1, 0x0702, 0x0109, 1, self.counter if counter is None else counter, 8)
        self.sending.acknowledge(source, header._replace(**fields))


# Acknowledged sending (2.2.8.4)


@pytest.mark.parametrize("lost", range(MAX_FRAME_RETRIES + 1))
def test_a_frame_acknowledged_within_three_retries_is_a_success(lost: int) -> None:
    bench = Bench()
    bench.send()
    bench.kernel.run_for(lost * ACK_WAIT_US)
    bench.acknowledge()
    bench.kernel.run_for(100 * ACK_WAIT_US)
    assert bench.told == [Status.SUCCESS]
    assert len(bench.below.sent) == lost + 1
    assert len({header.counter for _, header, _ in bench.below.sent}) == 1


@pytest.mark.parametrize(("asleep", "wait_us"), [(False, ACK_WAIT_US), (True, SLEEPY_ACK_WAIT_US)])
def test_four_silences_end_a_frame_after_four_waits(asleep: bool, wait_us: int) -> None:
    bench = Bench()
    if asleep:
        bench.sleepy.add(OTHER)
    bench.send()
    bench.kernel.run_for(4 * wait_us - 1)
    assert bench.told == []
    bench.kernel.run_for(1)
    assert bench.told == [Status.APS_NO_ACK]
    assert bench.below.expected_us == [wait_us] * 4


@pytest.mark.parametrize(("source", "offset"), [(THIRD, 0), (OTHER, 1)])
def test_another_s_acknowledgement_and_one_of_another_frame_end_nothing(source: int, offset: int) -> None:
    bench = Bench()
    bench.send()
    bench.acknowledge(bench.counter + offset, source)
    assert bench.told == []


def test_an_acknowledgement_that_comes_twice_is_told_once() -> None:
    bench = Bench()
    bench.send()
    bench.acknowledge()
    bench.acknowledge()
    assert bench.told == [Status.SUCCESS]


def test_counters_in_use_are_passed_over_and_when_all_are_the_frame_is_refused() -> None:
    bench = Bench()
    for _ in range(256):
        bench.send()
    assert sorted(header.counter for _, header, _ in bench.below.sent) == list(range(256))
    before = bench.counter
    bench.send()
    assert bench.counter == before
    bench.send(destination=THIRD)
    bench.kernel.run_for(0)
    assert bench.told == [Status.TRANSACTION_OVERFLOW]
    assert len(bench.below.sent) == 257


def test_fragments_follow_each_acknowledgement_after_the_interframe_delay() -> None:
    bench = Bench()
    bench.send(bytes(range(50)))
    sent = bench.below.sent
    for block in range(3):
        assert len(sent) == block + 1
        bench.acknowledge(fragmentation=1 if block == 0 else 2, block=block, bitfield=0xFF)
        bench.kernel.run_for(INTERFRAME_DELAY_US - 1)
        assert len(sent) == block + 1
        bench.kernel.run_for(1)
    assert [(header.fragmentation, header.block) for _, header, _ in sent] == [(1, 3), (2, 1), (2, 2)]
    assert b"".join(payload for _, _, payload in sent) == bytes(range(50))
    assert bench.told == [Status.SUCCESS]


@pytest.mark.parametrize(
    "fields",
    [
        {"fragmentation": 0},
        {"fragmentation": 1, "block": 0, "bitfield": 0xFE},
        {"fragmentation": 2, "block": 1, "bitfield": 0xFF},
    ],
)
def test_an_acknowledgement_that_is_not_of_the_block_sent_does_not_move_on(fields: dict[str, int]) -> None:
    bench = Bench()
    bench.send(bytes(50))
    bench.acknowledge(**fields)
    bench.kernel.run_for(INTERFRAME_DELAY_US)
    assert len(bench.below.sent) == 1
    bench.kernel.run_for(ACK_WAIT_US)
    assert [header.block for _, header, _ in bench.below.sent] == [3, 3]


def test_each_block_has_its_own_three_retries() -> None:
    bench = Bench()
    bench.send(bytes(30))
    bench.kernel.run_for(3 * ACK_WAIT_US)
    bench.acknowledge(fragmentation=1, block=0, bitfield=0xFF)
    bench.kernel.run_for(INTERFRAME_DELAY_US + 3 * ACK_WAIT_US)
    bench.acknowledge(fragmentation=2, block=1, bitfield=0xFF)
    assert bench.told == [Status.SUCCESS]
    assert len(bench.below.sent) == 8


def test_an_asdu_of_more_than_255_blocks_is_too_long_and_takes_no_counter() -> None:
    bench = Bench()
    before = bench.counter
    bench.send(bytes((LIMIT - 2) * 255 + 1))
    bench.kernel.run_for(0)
    assert bench.told == [Status.APS_ASDU_TOO_LONG]
    assert (bench.counter, bench.below.sent) == (before, [])


def test_what_is_under_way_when_the_network_ends_is_told_once_and_sends_no_more() -> None:
    bench = Bench()
    bench.send()
    bench.send(bytes(50), THIRD)
    bench.sending.abandon()
    bench.kernel.run_for(100 * ACK_WAIT_US)
    assert bench.told == [Status.NWK_INVALID_REQUEST] * 2
    assert len(bench.below.sent) == 2


class SendingMachine(RuleBasedStateMachine):
    """Every request is confirmed exactly once, as success only when its own acknowledgement came."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.open: dict[tuple[int, int], int] = {}
        self.told: dict[int, list[Status]] = {}
        self.acknowledged: set[int] = set()

    def _teller(self, number: int) -> Callable[[Status], None]:
        def tell(status: Status) -> None:
            self.told[number].append(status)
            self.open = {key: each for key, each in self.open.items() if each != number}

        return tell

    @precondition(lambda self: len(self.open) < 100)
    @rule(destination=st.sampled_from([OTHER, THIRD]))
    def send(self, destination: int) -> None:
        number = len(self.told)
        self.told[number] = []
        self.bench.send(b"x", destination, self._teller(number))
        assert (destination, self.bench.counter) not in self.open
        self.open[destination, self.bench.counter] = number

    @rule(destination=st.sampled_from([OTHER, THIRD]), counter=st.integers(0, 12))
    def acknowledge(self, destination: int, counter: int) -> None:
        number = self.open.get((destination, counter))
        if number is not None:
            self.acknowledged.add(number)
        self.bench.acknowledge(counter, destination)
        assert (destination, counter) not in self.open

    @rule(waits=st.sampled_from([0.5, 1, 4]))
    def time_passes(self, waits: float) -> None:
        self.bench.kernel.run_for(int(waits * ACK_WAIT_US))

    @invariant()
    def once_and_for_a_reason(self) -> None:
        for number, told in self.told.items():
            if number in self.acknowledged:
                assert told == [Status.SUCCESS]
            else:
                assert told in ([], [Status.APS_NO_ACK])


TestSending = SendingMachine.TestCase
TestSending.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


# Duplicates (2.2.8.4.3)

LIFETIME_US = 6_400_000


@pytest.mark.parametrize(
    ("pause_us", "source", "counter", "asdu", "duplicate"),
    [
        (0, OTHER, 7, b"x", True),
        (LIFETIME_US - 1, OTHER, 7, b"x", True),
        (LIFETIME_US, OTHER, 7, b"x", False),
        (0, THIRD, 7, b"x", False),
        (0, OTHER, 8, b"x", False),
        (0, OTHER, 7, b"y", False),
    ],
)
def test_a_duplicate_has_source_counter_and_octets_alike_within_the_time_of_all_retries(
    pause_us: int, source: int, counter: int, asdu: bytes, duplicate: bool
) -> None:
    table = DuplicateTable(LIFETIME_US)
    assert not table.seen(0, OTHER, 7, b"x")
    assert table.seen(pause_us, source, counter, asdu) is duplicate


def test_a_frame_that_wants_no_acknowledgement_is_a_duplicate_for_a_second_only() -> None:
    table = DuplicateTable(LIFETIME_US)
    assert not table.seen(0, OTHER, 7, b"x", UNACKNOWLEDGED_US)
    assert table.seen(UNACKNOWLEDGED_US - 1, OTHER, 7, b"x", UNACKNOWLEDGED_US)
    assert not table.seen(2 * UNACKNOWLEDGED_US, OTHER, 7, b"x", UNACKNOWLEDGED_US)


def test_a_duplicate_heard_is_remembered_from_then_on() -> None:
    table = DuplicateTable(LIFETIME_US)
    for step in range(5):
        assert table.seen(step * (LIFETIME_US - 1), OTHER, 7, b"x") is (step > 0)


def test_what_has_expired_is_forgotten_when_there_is_much() -> None:
    table = DuplicateTable(LIFETIME_US)
    for source in range(_PURGE_ENTRIES):
        table.seen(0, source, 0, b"x")
    table.seen(1, _PURGE_ENTRIES, 0, b"x")
    assert len(table._entries) == _PURGE_ENTRIES + 1
    table.seen(LIFETIME_US, _PURGE_ENTRIES + 1, 0, b"x")
    assert len(table._entries) == 2


# Reassembly


@pytest.mark.parametrize(
    "fragment", [Fragment(1, 0, b"none at all"), Fragment(2, 0, b"later"), Fragment(2, 9, b"beyond")]
)
def test_a_block_that_fits_no_transaction_is_neither_acknowledged_nor_kept(fragment: Fragment) -> None:
    reassembler = Reassembler(1000, LIFETIME_US)
    assert reassembler.block(0, OTHER, 7, fragment) == Reassembled(False)
    assert reassembler.block(0, OTHER, 7, Fragment(1, 2, b"a")) == Reassembled(True)
    assert reassembler.block(0, OTHER, 7, Fragment(2, 2, b"beyond")) == Reassembled(False)
    assert reassembler.block(0, OTHER, 7, Fragment(2, 1, b"b")) == Reassembled(True, b"ab")


def test_a_transaction_of_one_block_is_whole_at_once_and_its_repeat_only_acknowledged() -> None:
    reassembler = Reassembler(1000, LIFETIME_US)
    assert reassembler.block(0, OTHER, 7, Fragment(1, 1, b"a")) == Reassembled(True, b"a")
    assert reassembler.block(1, OTHER, 7, Fragment(1, 1, b"a")) == Reassembled(True)


def test_with_eight_under_way_a_ninth_waits_and_a_finished_one_makes_room() -> None:
    reassembler = Reassembler(1000, LIFETIME_US)
    for counter in range(8):
        assert reassembler.block(0, OTHER, counter, Fragment(1, 2, b"a")).acknowledge
    assert not reassembler.block(0, OTHER, 8, Fragment(1, 2, b"a")).acknowledge
    assert reassembler.block(0, OTHER, 3, Fragment(2, 1, b"b")).asdu == b"ab"
    assert reassembler.block(0, OTHER, 8, Fragment(1, 2, b"a")).acknowledge


# Link keys (4.4.1.1)

KEY = bytes(range(16))


def table(memory: MemoryNonVolatile) -> KeyTable:
    return KeyTable(memory, lambda kind, key, label: None)


@pytest.mark.parametrize("used", [0, 1, COUNTER_STEP - 1, COUNTER_STEP, COUNTER_STEP + 1, 3 * COUNTER_STEP])
def test_a_counter_is_never_used_twice_however_the_power_goes(used: int) -> None:
    memory = MemoryNonVolatile()
    key = table(memory).put(EUI64, KEY, KeyKind.CBKE)
    counters = [key.take_counter() for _ in range(used)]
    assert counters == list(range(used))
    again = table(memory).get(EUI64)
    assert again is not None
    assert again.take_counter() >= used
    assert again.outgoing - used <= COUNTER_STEP + 1


def test_a_key_whose_counter_is_used_up_says_so_and_which() -> None:
    key = table(MemoryNonVolatile()).put(EUI64, KEY, KeyKind.CBKE)
    key.outgoing = key.reserved = COUNTER_LIMIT
    with pytest.raises(
        SecurityError, match=r"^link key with .*: frame counter used up, establish a new key$"
    ):
        key.take_counter()


@pytest.mark.parametrize(("counter", "replay"), [(9, True), (10, False), (11, False), (5000, False)])
def test_a_counter_below_the_next_expected_is_a_replay(counter: int, replay: bool) -> None:
    key = table(MemoryNonVolatile()).put(EUI64, KEY, KeyKind.CBKE)
    key.accept(9)
    if replay:
        with pytest.raises(SecurityError, match=r"frame counter 9 replayed, expected at least 10$"):
            key.accept(counter)
        assert key.incoming == 10
    else:
        key.accept(counter)
        assert key.incoming == counter + 1


def test_the_same_key_put_again_keeps_its_counters_and_another_starts_afresh() -> None:
    keys = table(MemoryNonVolatile())
    key = keys.put(EUI64, KEY, KeyKind.PRECONFIGURED)
    key.take_counter()
    keys.located(EUI64, 0x1234)
    assert keys.put(EUI64, KEY, KeyKind.CBKE) is key
    assert (key.kind, key.outgoing) == (KeyKind.CBKE, 1)
    other = keys.put(EUI64, bytes(16), KeyKind.CBKE)
    assert (other.outgoing, other.incoming, other.short) == (0, 0, 0x1234)


def test_keys_are_listed_located_and_forgotten_by_partner() -> None:
    memory = MemoryNonVolatile()
    keys = table(memory)
    keys.put(EUI64, KEY, KeyKind.CBKE)
    keys.put(EUI64 + 1, KEY, KeyKind.APPLICATION)
    keys.located(EUI64, 0x1234)
    keys.located(EUI64 + 7, 0x1234)
    assert [each.eui64 for each in table(memory).all()] == [EUI64, EUI64 + 1]
    restored = table(memory).get(EUI64)
    assert restored is not None
    assert (restored.short, restored.kind, restored.octets) == (0x1234, KeyKind.CBKE, KEY)
    keys.remove(EUI64)
    assert keys.get(EUI64) is None
    keys.clear()
    assert table(memory).all() == []
    assert keys.get(None) is None


def test_a_stored_key_of_another_length_says_which_token_to_remove() -> None:
    memory = MemoryNonVolatile()
    memory.put(f"aps.key.{EUI64:016x}", b"short")
    with pytest.raises(
        NonVolatileError, match=rf"stored record of 5 octets, expected \d+; remove token aps.key.{EUI64:016x}"
    ):
        table(memory)
