"""Registration, step by step and refusal by refusal: find, agree, establish, discover (fact sheet 2.8).

The hub of these tests is a list of what was asked of it. Ten attempts follow each other at 32 s, then a device rests
for a quarter of an hour; three silences in a row make it look for its network again.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.crypto.suite import Suite
from emulator.devices.key_establishment import KeyEstablishmentShell
from emulator.devices.registration import (
    ATTEMPTS_IN_SUCCESSION,
    PAUSE_US,
    RETRY_US,
    SILENCES_ALLOWED,
    Registration,
    Service,
)
from emulator.nonvolatile import MemoryNonVolatile
from emulator.smart_energy.cbke.exchange import Failed, FailureCause
from emulator.smart_energy.cbke.machines import Established
from emulator.stack.node import Node
from emulator.stack.zdo.frames import EndpointList, MatchDescriptorRequest
from emulator.zcl.client import Values, ZclClient
from emulator.zcl.identifiers import KEY_ESTABLISHMENT, METERING, PRICE

HUB = 0x00DB1234567890A0
KEY = bytes(range(16))
SERVICES = (Service(PRICE), Service(METERING, server=False))


class Hub:
    """What a device asks of its hub, to be answered when the test says so."""

    def __init__(self, memory: MemoryNonVolatile | None = None) -> None:
        self.kernel = Kernel()
        self.memory = memory or MemoryNonVolatile()
        self.matches: list[tuple[MatchDescriptorRequest, Callable[[bytes | None], None]]] = []
        self.suite_questions: list[Callable[[Values | None], None]] = []
        self.exchanges: list[tuple[int, int, Suite]] = []
        self.link_keys: dict[int, bytes] = {}
        self.said: list[str] = []
        self.eui64: int | None = HUB
        self.shell = SimpleNamespace(on_established=None, on_failed=None, start=self._start)
        node = SimpleNamespace(
            zdo=SimpleNamespace(request=self._match),
            nwk=SimpleNamespace(eui64_of=lambda short: self.eui64),
            set_link_key=self.link_keys.__setitem__,
        )
        self.registration = Registration(
            self.kernel.scope("meter"),
            cast(Node, node),
            self.memory,
            client=cast(ZclClient, SimpleNamespace(read_attributes=self._read)),
            key_establishment=cast(KeyEstablishmentShell, self.shell),
            suites=(Suite.SUITE_2, Suite.SUITE_1),
            services=SERVICES,
        )
        self.registration.on_complete = lambda: self.said.append("complete")
        self.registration.on_failed = self.said.append
        self.registration.on_silence = lambda: self.said.append("silence")

    def _match(self, short: int, cluster: int, payload: bytes, done: Callable[[bytes | None], None]) -> None:
        self.matches.append((MatchDescriptorRequest.decode(payload), done))

    def _read(self, peer: Any, cluster: int, wanted: Any, done: Callable[[Values | None], None]) -> None:
        assert (cluster, peer.secure) == (KEY_ESTABLISHMENT, False)
        self.suite_questions.append(done)

    def _start(self, partner: int, endpoint: int, suite: Suite) -> None:
        self.exchanges.append((partner, endpoint, suite))

    # What it answers

    def names(self, *endpoints: int) -> None:
        self.matches.pop(0)[1](EndpointList(0, 0, endpoints).encode())

    def garbles(self) -> None:
        self.matches.pop(0)[1](b"\0")

    def is_silent(self) -> None:
        self.matches.pop(0)[1](None)

    def has_suites(self, bitmap: int | None) -> None:
        self.suite_questions.pop(0)(None if bitmap is None else {0x0000: bitmap})

    def establishes(self, key: bytes | None = KEY, *, initiated: bool = True) -> None:
        self.shell.on_established(Established(HUB, key, Suite.SUITE_1, initiated))

    def fails(self, detail: str = "timed out", wait_s: int = 0, *, initiated: bool = True) -> None:
        self.shell.on_failed(Failed(HUB, FailureCause.TIMED_OUT, None, wait_s, detail, initiated))

    def passes(self, microseconds: int) -> None:
        self.kernel.run_for(microseconds)

    @property
    def asks_for(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Clusters that the latest question looks for, as servers and as clients."""
        request = self.matches[-1][0]
        return tuple(request.input_clusters), tuple(request.output_clusters)


def established(hub: Hub) -> Hub:
    """Bring a device to where its key is established."""
    hub.registration.start()
    hub.names(1)
    hub.has_suites(0x0001)
    hub.establishes()
    return hub


def registered() -> Hub:
    hub = established(Hub())
    hub.passes(250_000)
    hub.names(3)
    hub.names(4)
    return hub


def test_the_whole_way_from_finding_the_endpoint_to_the_services() -> None:
    hub = Hub()
    hub.registration.start()
    assert hub.asks_for == ((KEY_ESTABLISHMENT,), ())
    hub.names(7, 8)
    hub.has_suites(0x0001)
    assert hub.exchanges == [(HUB, 7, Suite.SUITE_1)]
    assert not hub.registration.complete
    hub.establishes()
    assert hub.registration.complete
    assert hub.link_keys == {HUB: KEY}
    assert hub.matches == [], "the confirmation travels first"
    hub.passes(250_000)
    assert hub.asks_for == ((PRICE,), ())
    hub.names(3)
    assert hub.asks_for == ((), (METERING,))
    hub.names(4)
    assert hub.said == ["complete"]
    assert hub.registration.services == {SERVICES[0]: 3, SERVICES[1]: 4}


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(0x0001, Suite.SUITE_1), (0x0002, Suite.SUITE_2), (0x0003, Suite.SUITE_2), (0xFFFF, Suite.SUITE_2)],
)
def test_the_suite_preferred_of_those_in_common_is_taken(offered: int, chosen: Suite) -> None:
    hub = Hub()
    hub.registration.start()
    hub.names(1)
    hub.has_suites(offered)
    assert [suite for _, _, suite in hub.exchanges] == [chosen]


def a_key_endpoint(hub: Hub) -> None:
    hub.names(1)


UNHAPPY: list[tuple[str, list[Callable[[Hub], None]], str]] = [
    ("no endpoint", [lambda hub: hub.names()], "the hub did not name a Key Establishment endpoint"),
    (
        "an answer that is cut",
        [lambda hub: hub.garbles()],
        "the hub did not name a Key Establishment endpoint",
    ),
    ("silence", [lambda hub: hub.is_silent()], "the hub does not answer"),
    (
        "no word of suites",
        [a_key_endpoint, lambda hub: hub.has_suites(None)],
        "the hub did not say which suites it has",
    ),
    (
        "another suite",
        [a_key_endpoint, lambda hub: hub.has_suites(0x0010)],
        "no suite in common with the hub's 0x0010",
    ),
    (
        "an exchange that fails",
        [a_key_endpoint, lambda hub: hub.has_suites(1), lambda hub: hub.fails("bad key confirm")],
        "bad key confirm",
    ),
]


@pytest.mark.parametrize(("steps", "reason"), [row[1:] for row in UNHAPPY], ids=[row[0] for row in UNHAPPY])
def test_what_goes_wrong_is_said_and_tried_again(steps: list[Callable[[Hub], None]], reason: str) -> None:
    hub = Hub()
    hub.registration.start()
    for step in steps:
        step(hub)
    assert hub.said == [reason]
    assert hub.matches == []
    hub.passes(RETRY_US - 1)
    assert hub.matches == []
    hub.passes(1)
    assert hub.asks_for == ((KEY_ESTABLISHMENT,), ())


def test_after_ten_failures_in_succession_it_rests_a_quarter_of_an_hour() -> None:
    hub = Hub()
    hub.registration.start()
    for _ in range(ATTEMPTS_IN_SUCCESSION - 1):
        hub.names()
        hub.passes(RETRY_US)
    hub.names()
    hub.passes(PAUSE_US - 1)
    assert hub.matches == []
    hub.passes(1)
    assert len(hub.matches) == 1
    assert len(hub.said) == ATTEMPTS_IN_SUCCESSION


@pytest.mark.parametrize(("wait_s", "rests_s"), [(0, 32), (30, 32), (60, 60), (254, 254)])
def test_a_terminate_says_how_long_its_sender_wants_to_rest(wait_s: int, rests_s: int) -> None:
    hub = Hub()
    hub.registration.start()
    hub.names(1)
    hub.has_suites(1)
    hub.fails("no resources", wait_s)
    hub.passes(rests_s * MICROSECONDS - 1)
    assert hub.matches == []
    hub.passes(1)
    assert len(hub.matches) == 1


def test_three_silences_in_a_row_make_it_look_for_its_network() -> None:
    hub = Hub()
    hub.registration.start()
    for _ in range(SILENCES_ALLOWED):
        hub.is_silent()
        hub.passes(RETRY_US)
    assert hub.said == ["the hub does not answer"] * SILENCES_ALLOWED + ["silence"]


def test_an_answer_in_between_starts_the_count_of_silences_anew() -> None:
    hub = Hub()
    hub.registration.start()
    for answer in (hub.is_silent, hub.is_silent, hub.names, hub.is_silent, hub.is_silent):
        answer()
        hub.passes(RETRY_US)
    assert "silence" not in hub.said


def test_a_service_that_the_hub_does_not_have_is_left_out() -> None:
    hub = established(Hub())
    hub.passes(250_000)
    hub.names()
    hub.names(4)
    assert hub.said == ["complete"]
    assert hub.registration.services == {SERVICES[1]: 4}


def test_silence_while_the_services_are_looked_for_begins_again_with_them_and_keeps_the_key() -> None:
    hub = established(Hub())
    hub.passes(250_000)
    hub.is_silent()
    hub.passes(RETRY_US)
    assert hub.asks_for == ((PRICE,), ())
    assert len(hub.exchanges) == 1


def test_what_was_found_is_picked_up_in_the_next_life_without_a_question() -> None:
    again = Hub(registered().memory)
    again.registration.start()
    assert again.said == ["complete"]
    assert again.registration.services == {SERVICES[0]: 3, SERVICES[1]: 4}
    assert again.matches == []


def test_a_life_that_ended_between_key_and_services_goes_on_with_the_services() -> None:
    again = Hub(established(Hub()).memory)
    again.registration.start()
    assert again.asks_for == ((PRICE,), ())


def test_forgetting_begins_with_the_key_again() -> None:
    hub = registered()
    hub.registration.forget()
    assert not hub.registration.complete
    assert hub.registration.services == {}
    hub.registration.start()
    assert hub.asks_for == ((KEY_ESTABLISHMENT,), ())


def test_a_start_while_one_is_under_way_changes_nothing() -> None:
    hub = Hub()
    hub.registration.start()
    hub.registration.start()
    assert len(hub.matches) == 1


LATE: list[tuple[str, Callable[[Hub], Callable[[], None]]]] = [
    ("an endpoint", lambda hub: lambda: hub.names(1)),
    ("nothing", lambda hub: hub.is_silent),
]


@pytest.mark.parametrize("late", [row[1] for row in LATE], ids=[row[0] for row in LATE])
def test_an_answer_of_a_network_that_was_left_is_void(late: Callable[[Hub], Callable[[], None]]) -> None:
    hub = Hub()
    hub.registration.start()
    hub.registration.forget()
    late(hub)()
    assert (hub.said, hub.suite_questions) == ([], [])
    hub.passes(PAUSE_US)
    assert hub.matches == []


@pytest.mark.parametrize("bitmap", [None, 0x0001])
def test_suites_of_a_network_that_was_left_are_void(bitmap: int | None) -> None:
    hub = Hub()
    hub.registration.start()
    hub.names(1)
    hub.registration.forget()
    hub.has_suites(bitmap)
    assert (hub.said, hub.exchanges) == ([], [])


def test_a_key_of_a_network_that_was_left_is_not_taken() -> None:
    hub = Hub()
    hub.registration.start()
    hub.names(1)
    hub.has_suites(1)
    hub.registration.forget()
    hub.establishes()
    hub.fails()
    assert (hub.link_keys, hub.registration.complete, hub.said) == ({}, False, [])


def test_services_of_a_network_that_was_left_are_not_looked_for() -> None:
    hub = established(Hub())
    hub.registration.forget()
    hub.passes(PAUSE_US)
    assert hub.matches == []


def test_a_key_that_the_hub_asked_for_is_used_and_registers_nobody() -> None:
    hub = Hub()
    hub.establishes(initiated=False)
    assert hub.link_keys == {HUB: KEY}
    assert not hub.registration.complete
    hub.fails(initiated=False)
    assert hub.said == []


def test_a_key_that_a_co_processor_keeps_to_itself_is_not_set_here() -> None:
    hub = Hub()
    hub.registration.start()
    hub.names(1)
    hub.has_suites(1)
    hub.establishes(None)
    assert (hub.link_keys, hub.registration.complete) == ({}, False)


def test_without_the_address_of_the_trust_centre_there_is_nobody_to_establish_a_key_with() -> None:
    hub = Hub()
    hub.eui64 = None
    hub.registration.start()
    hub.names(1)
    hub.has_suites(1)
    assert hub.exchanges == []
    assert hub.said == ["the address of the hub is not known"]
