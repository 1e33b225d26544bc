"""Link status (ZigBee PRO 3.4.8, 3.6.3.4): what is reported, what is believed, and how long silence is forgiven."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.nwk.commands import (
    LinkStatus,
    LinkStatusEntry,
    NwkCommand,
    pack_link_status,
    unpack_link_status,
)
from emulator.stack.nwk.layer import NodeType, NwkTiming
from emulator.stack.nwk.link_status import ENTRIES_PER_FRAME, _covers
from emulator.stack.nwk.neighbours import Neighbour, NeighbourTable, Relationship, link_cost
from tests.emulator.stack.nwk.nwk_bench import OWN_SHORT, Bench, Stranger

A = Stranger(0x0101)
ROUTERS = 0xFFFC


def reports(bench: Bench) -> list[LinkStatus]:
    return [unpack_link_status(each.payload[1:]) for each in bench.commands(NwkCommand.LINK_STATUS)]


def hears(
    bench: Bench, *entries: LinkStatusEntry, first: bool = True, last: bool = True, lqi: int = 255
) -> None:
    bench.hear(A, pack_link_status(LinkStatus(entries, first, last)), ROUTERS, radius=1, lqi=lqi)


@pytest.mark.parametrize(
    ("device_type", "speaks"),
    [(NodeType.COORDINATOR, True), (NodeType.ROUTER, True), (NodeType.END_DEVICE, False)],
)
def test_routers_and_the_coordinator_report_every_fifteen_seconds(
    device_type: NodeType, speaks: bool
) -> None:
    bench = Bench(device_type)
    bench.run(61.5)
    assert len(reports(bench)) == (5 if speaks else 0)
    for sent in bench.commands(NwkCommand.LINK_STATUS):
        assert (sent.hop, sent.header.destination, sent.header.radius) == (0xFFFF, ROUTERS, 1)
        assert sent.header.source_eui64 == bench.nwk.eui64


def test_a_report_names_each_router_with_both_costs_in_order_of_address_and_no_end_device() -> None:
    bench = Bench()
    bench.knows(Stranger(0x0300), lqi=60, outgoing_cost=5)
    bench.knows(Stranger(0x0200), lqi=20, outgoing_cost=0)
    bench.knows(Stranger(0x0400), Relationship.UNAUTHENTICATED_CHILD)
    bench.child(0x0500)
    bench.child(0x0600, router=True)
    bench.nwk.links.send()
    assert reports(bench) == [
        LinkStatus(
            (
                LinkStatusEntry(0x0000, 1, 1),
                LinkStatusEntry(0x0200, 7, 0),
                LinkStatusEntry(0x0300, 3, 5),
                LinkStatusEntry(0x0600, 1, 1),
            )
        )
    ]


@pytest.mark.parametrize(("routers", "frames"), [(0, 1), (1, 1), (24, 1), (25, 2), (48, 2), (49, 3)])
def test_more_routers_than_fit_are_spread_over_frames_marked_first_and_last(
    routers: int, frames: int
) -> None:
    bench = Bench()
    bench.nwk.neighbours.by_short.clear()
    for number in range(routers):
        bench.knows(Stranger(0x0100 + number))
    bench.nwk.links.send()
    sent = reports(bench)
    assert len(sent) == frames
    assert [report.first for report in sent] == [True] + [False] * (frames - 1)
    assert [report.last for report in sent] == [False] * (frames - 1) + [True]
    assert [entry.short_address for report in sent for entry in report.entries] == list(
        range(0x0100, 0x0100 + routers)
    )
    assert all(len(report.entries) <= ENTRIES_PER_FRAME for report in sent)


def test_a_stranger_becomes_a_neighbour_and_usable_once_it_reports_us() -> None:
    bench = Bench()
    hears(bench, LinkStatusEntry(0x0999, 1, 1), lqi=80)
    neighbour = bench.nwk.neighbours.by_short[A.short]
    assert (neighbour.eui64, neighbour.device_type, neighbour.lqi) == (A.eui64, NodeType.ROUTER, 80)
    assert not neighbour.direct
    hears(bench, LinkStatusEntry(OWN_SHORT, 3, 0))
    assert (neighbour.outgoing_cost, neighbour.direct) == (3, True)


@pytest.mark.parametrize(("incoming", "direct"), [(1, True), (3, True), (5, False), (7, False)])
def test_a_link_is_used_without_a_route_only_when_both_directions_are_good(
    incoming: int, direct: bool
) -> None:
    bench = Bench()
    bench.knows(A, outgoing_cost=0)
    hears(bench, LinkStatusEntry(OWN_SHORT, incoming, 1))
    assert bench.nwk.neighbours.by_short[A.short].direct is direct


@pytest.mark.parametrize(
    ("entries", "first", "last", "cost"),
    [
        ((0x0001, 0xFFF0), True, True, 0),
        ((), True, True, 0),
        ((0x0001, 0x0002), True, False, 1),
        ((0x0001, 0x0002), True, True, 0),
        ((0xF000, 0xF001), False, True, 1),
        ((0xF000, 0xF001), True, True, 0),
        ((0x0001, 0xF001), False, False, 0),
    ],
)
def test_a_router_that_no_longer_names_us_where_it_would_have_does_not_hear_us(
    entries: tuple[int, ...], first: bool, last: bool, cost: int
) -> None:
    # A report in parts says nothing of addresses outside the part's range.
    bench = Bench()
    neighbour = bench.knows(A, outgoing_cost=1)
    hears(bench, *(LinkStatusEntry(each, 1, 1) for each in entries), first=first, last=last)
    assert neighbour.outgoing_cost == cost


@given(st.lists(st.integers(0, 0xFFF7), unique=True, max_size=60), st.integers(0, 0xFFF7))
def test_of_the_parts_of_one_report_exactly_one_covers_an_address(addresses: list[int], own: int) -> None:
    ordered = sorted(addresses)
    starts = range(0, max(1, len(ordered)), ENTRIES_PER_FRAME)
    parts = [
        LinkStatus(
            tuple(LinkStatusEntry(each, 1, 1) for each in ordered[start : start + ENTRIES_PER_FRAME]),
            start == 0,
            start == starts[-1],
        )
        for start in starts
    ]
    covering = [part for part in parts if _covers(part, own)]
    if own in ordered:
        assert [own in [entry.short_address for entry in part.entries] for part in covering] == [True]
    else:
        assert len(covering) <= 1


@pytest.mark.parametrize(
    ("relationship", "forgotten"),
    [(Relationship.SIBLING, True), (Relationship.PARENT, False), (Relationship.CHILD, False)],
)
def test_three_silent_periods_end_a_link_and_forty_a_sibling(
    relationship: Relationship, forgotten: bool
) -> None:
    bench = Bench(timing=NwkTiming(link_status_period_us=15_000_000))
    neighbour = bench.knows(A, relationship)
    bench.run(3 * 15 - 2)
    assert (neighbour.outgoing_cost, neighbour.direct) == (1, True)
    bench.run(17)
    assert (neighbour.outgoing_cost, neighbour.direct) == (0, False)
    bench.run(15 * 42)
    assert (A.short not in bench.nwk.neighbours.by_short) is forgotten


def test_a_silent_router_is_left_out_of_reports_and_its_word_brings_it_back() -> None:
    bench = Bench()
    bench.knows(A)
    bench.run(70)
    bench.forget_past()
    bench.nwk.links.send()
    assert A.short not in [entry.short_address for entry in reports(bench)[0].entries]
    hears(bench, LinkStatusEntry(OWN_SHORT, 1, 1))
    bench.nwk.links.send()
    assert A.short in [entry.short_address for entry in reports(bench)[1].entries]


def test_an_address_that_another_device_has_now_is_that_device() -> None:
    bench = Bench()
    bench.knows(A, outgoing_cost=3)
    usurper = Stranger(A.short, 0x00DB0000EEEE0000)
    bench.hear(usurper, pack_link_status(LinkStatus(())), ROUTERS, radius=1)
    neighbour = bench.nwk.neighbours.by_short[A.short]
    assert (neighbour.eui64, neighbour.outgoing_cost) == (usurper.eui64, 0)


def test_a_lone_coordinator_is_silent_but_its_table_still_ages() -> None:
    bench = Bench(NodeType.COORDINATOR)
    bench.nwk.state.alone = True
    neighbour = bench.knows(A)
    bench.run(70)
    assert reports(bench) == []
    assert not neighbour.direct


# The table the costs live in (3.6.1.5)


@pytest.mark.parametrize(
    ("lqi", "cost"),
    [(255, 1), (100, 1), (99, 2), (76, 2), (75, 3), (50, 3), (49, 5), (30, 5), (29, 7), (0, 7)],
)
def test_quality_becomes_a_cost_of_1_to_7(lqi: int, cost: int) -> None:
    assert link_cost(lqi) == cost


def test_a_full_table_gives_up_the_sibling_unheard_for_longest_and_never_family() -> None:
    table = NeighbourTable(MemoryNonVolatile())
    for number in range(128):
        neighbour = Neighbour(number, number, NodeType.ROUTER)
        neighbour.heard_us = 1000 - number
        neighbour.relationship = Relationship.CHILD if number > 100 else Relationship.SIBLING
        table.add(neighbour)
    table.add(Neighbour(500, 500, NodeType.ROUTER))
    assert 100 not in table.by_short
    assert 127 in table.by_short
    assert len(table.by_short) == 128
    table.add(Neighbour(501, 500, NodeType.ROUTER))
    assert len(table.by_short) == 128


def test_a_full_table_of_nothing_but_family_still_takes_another() -> None:
    table = NeighbourTable(MemoryNonVolatile())
    for number in range(128):
        neighbour = Neighbour(number, number, NodeType.END_DEVICE)
        neighbour.relationship = Relationship.CHILD
        table.add(neighbour)
    table.add(Neighbour(500, 500, NodeType.ROUTER))
    assert len(table.by_short) == 129


def test_only_the_neighbour_that_is_meant_is_removed() -> None:
    table = NeighbourTable(MemoryNonVolatile())
    old, new = Neighbour(1, 7, NodeType.ROUTER), Neighbour(2, 7, NodeType.ROUTER)
    table.add(old)
    table.add(new)
    table.remove(old)
    assert table.by_short == {7: new}
    assert table.by_eui64(1) is None
    assert table.by_eui64(2) is new
