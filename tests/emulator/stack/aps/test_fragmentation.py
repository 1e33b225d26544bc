from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.stack.aps.fragmentation import ALL_RECEIVED, Fragment, FragmentSender, Reassembled, Reassembler

SECOND = 1_000_000


def receiver(max_octets: int = 20_000) -> Reassembler:
    return Reassembler(max_octets, 10 * SECOND)


def index(fragment: Fragment) -> int:
    return 0 if fragment.fragmentation == 1 else fragment.block


def transfer(asdu: bytes, block_octets: int) -> list[Fragment]:
    sender = FragmentSender(asdu, block_octets)
    fragments = []
    while not sender.done:
        fragments.append(sender.fragment())
        assert sender.acknowledged(sender.index, ALL_RECEIVED)
    return fragments


def test_the_first_block_says_how_many_there_are_and_the_others_which_they_are() -> None:
    assert transfer(b"abcdefgh", 3) == [Fragment(1, 3, b"abc"), Fragment(2, 1, b"def"), Fragment(2, 2, b"gh")]


def test_more_than_255_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="256 blocks"):
        FragmentSender(bytes(256), 1)


def test_an_acknowledgement_that_says_missing_or_comes_again_does_not_move_the_window() -> None:
    sender = FragmentSender(b"abcd", 2)
    assert not sender.acknowledged(0, 0xFE)
    assert sender.acknowledged(0, 0xFF)
    assert not sender.acknowledged(0, 0x01)
    assert sender.fragment() == Fragment(2, 1, b"cd")


@given(st.binary(min_size=1, max_size=2000), st.integers(10, 82), st.data())
def test_loss_duplicates_and_reordering_never_change_the_asdu(
    asdu: bytes, block_octets: int, data: st.DataObject
) -> None:
    """A sender against a receiver over a link that loses and repeats: delivered once, whole."""
    sender, reassembler = FragmentSender(asdu, block_octets), receiver()
    delivered, now, losses = [], 0, 0
    while not sender.done:
        now += SECOND
        fragment = sender.fragment()
        fate = data.draw(st.sampled_from(["pass", "pass", "lose", "repeat", "lose ack"]))
        losses = losses + 1 if fate in ("lose", "lose ack") else 0
        if losses > 3:
            fate, losses = "pass", 0
        for _ in range({"lose": 0, "repeat": 2}.get(fate, 1)):
            outcome = reassembler.block(now, 0x1234, 7, fragment)
            if outcome.asdu is not None:
                delivered.append(outcome.asdu)
            if outcome.acknowledge and fate != "lose ack":
                sender.acknowledged(index(fragment), ALL_RECEIVED)
    assert delivered == [asdu]


@given(st.permutations(range(1, 6)))
def test_later_blocks_may_come_in_any_order(order: list[int]) -> None:
    fragments = transfer(bytes(range(60)), 10)
    reassembler = receiver()
    outcomes = [reassembler.block(0, 1, 1, fragments[0])]
    outcomes += [reassembler.block(0, 1, 1, fragments[position]) for position in order]
    assert all(outcome.acknowledge for outcome in outcomes)
    assert [outcome.asdu for outcome in outcomes if outcome.asdu is not None] == [bytes(range(60))]


def test_a_later_block_without_its_first_is_ignored() -> None:
    assert receiver().block(0, 1, 1, Fragment(2, 1, b"x")) == Reassembled(False)


def test_an_asdu_longer_than_allowed_is_not_acknowledged() -> None:
    reassembler = receiver(max_octets=5)
    assert reassembler.block(0, 1, 1, Fragment(1, 2, b"abc")).acknowledge
    assert not reassembler.block(0, 1, 1, Fragment(2, 1, b"def")).acknowledge
    assert not reassembler.block(0, 1, 1, Fragment(2, 1, b"d")).acknowledge


def test_a_transaction_without_progress_is_dropped() -> None:
    reassembler = receiver()
    reassembler.block(0, 1, 1, Fragment(1, 2, b"abc"))
    assert reassembler.block(11 * SECOND, 1, 1, Fragment(2, 1, b"def")) == Reassembled(False)


def test_blocks_of_a_finished_transaction_are_acknowledged_and_not_delivered_again() -> None:
    reassembler = receiver()
    for fragment in transfer(b"abcdef", 3):
        last = reassembler.block(0, 1, 1, fragment)
        assert last.acknowledge
    assert last.asdu == b"abcdef"
    assert reassembler.block(SECOND, 1, 1, Fragment(2, 1, b"def")) == Reassembled(True)


def test_another_asdu_under_the_same_counter_is_a_new_transaction() -> None:
    reassembler = receiver()
    for fragment in transfer(b"abcdef", 3):
        reassembler.block(0, 1, 1, fragment)
    assert [reassembler.block(SECOND, 1, 1, each).asdu for each in transfer(b"uvwxyz", 3)] == [
        None,
        b"uvwxyz",
    ]


def test_sources_and_counters_do_not_mix() -> None:
    reassembler = receiver()
    reassembler.block(0, 1, 1, Fragment(1, 2, b"a"))
    reassembler.block(0, 2, 1, Fragment(1, 2, b"b"))
    reassembler.block(0, 1, 2, Fragment(1, 2, b"c"))
    assert [reassembler.block(0, *key, Fragment(2, 1, b"!")).asdu for key in ((1, 1), (2, 1), (1, 2))] == [
        b"a!",
        b"b!",
        b"c!",
    ]


def test_transactions_that_never_finish_do_not_pile_up() -> None:
    reassembler = receiver()
    accepted = [reassembler.block(0, source, 1, Fragment(1, 2, b"a")).acknowledge for source in range(20)]
    assert sum(accepted) == 8
