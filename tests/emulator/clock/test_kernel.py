"""The event kernel: order, cancelling, scopes and randomness, checked against a plain list of what is due."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emulator.clock.kernel import FOREVER, Kernel, Scope, Timer


@given(st.lists(st.integers(0, 50), max_size=40))
def test_calls_come_by_time_and_among_equals_in_the_order_they_were_made(times: list[int]) -> None:
    kernel, called = Kernel(), list[tuple[int, int]]()
    scope = kernel.scope("a")

    def call(number: int, due_us: int) -> None:
        assert kernel.now == scope.now == due_us
        called.append((due_us, number))

    for number, due_us in enumerate(times):
        scope.call_at(due_us, call, number, due_us)
    kernel.run_until(50)
    assert called == sorted((due_us, number) for number, due_us in enumerate(times))


def test_a_time_already_past_means_as_soon_as_possible() -> None:
    kernel = Kernel(start_us=1000)
    called: list[int] = []
    kernel.scope("a").call_at(5, lambda: called.append(kernel.now))
    kernel.run_for(0)
    assert called == [1000]


def test_a_call_may_make_others_for_the_same_moment_and_they_come_after_those_there() -> None:
    kernel, called = Kernel(), list[str]()
    scope = kernel.scope("a")

    def first() -> None:
        called.append("first")
        scope.call_later(0, called.append, "third")

    scope.call_at(10, first)
    scope.call_at(10, called.append, "second")
    kernel.run_until(10)
    assert called == ["first", "second", "third"]


def test_a_timer_cancelled_before_its_time_or_after_does_nothing_more() -> None:
    kernel, called = Kernel(), list[str]()
    scope = kernel.scope("a")
    early = scope.call_later(10, called.append, "cancelled")
    late = scope.call_later(5, called.append, "fired")
    scope.cancel(early)
    kernel.run_for(20)
    scope.cancel(late)
    scope.cancel(None)
    assert called == ["fired"]
    assert kernel.next_due() is None


def test_a_scope_that_ends_takes_its_timers_and_nobody_else_s() -> None:
    kernel, called = Kernel(), list[str]()
    meter, hub = kernel.scope("meter"), kernel.scope("hub")
    meter.call_later(10, called.append, "meter")
    hub.call_later(20, called.append, "hub")
    meter.end()
    assert not meter.alive
    assert kernel.next_due() == 20
    meter.call_later(1, called.append, "after its end")
    kernel.run_for(30)
    assert called == ["hub"]


def test_a_step_runs_one_call_and_tells_whether_there_was_one() -> None:
    kernel, called = Kernel(), list[int]()
    scope = kernel.scope("a")
    scope.call_at(10, called.append, 10)
    scope.call_at(20, called.append, 20)
    assert not kernel.step(9)
    assert kernel.now == 0
    assert kernel.step(15)
    assert (kernel.now, called) == (10, [10])
    assert not kernel.step(15)
    assert kernel.step()
    assert not kernel.step()
    assert kernel.now == 20


def test_running_sets_the_time_though_nothing_is_due_and_never_backwards() -> None:
    kernel = Kernel()
    kernel.run_until(100)
    assert kernel.now == 100
    kernel.run_until(50)
    assert kernel.now == 100
    assert FOREVER > 10**18


def test_wall_clock_time_is_the_scenario_s() -> None:
    kernel = Kernel(epoch_unix_seconds=1_000_000_000, start_us=2_500_000)
    assert kernel.unix_us == 1_000_000_002_500_000
    assert kernel.unix_seconds == kernel.scope("a").unix_seconds == 1_000_000_002


@pytest.mark.parametrize(
    ("seed", "name", "same"), [(1, "meter", True), (2, "meter", False), (1, "hub", False)]
)
def test_a_random_stream_depends_on_seed_and_name_alone(seed: int, name: str, same: bool) -> None:
    def draws(kernel: Kernel, stream: str) -> list[int]:
        scope: Scope = kernel.scope(stream)
        return [scope.random.getrandbits(32) for _ in range(4)]

    before = Kernel(1)
    before.scope("somebody else").random.random()
    assert (draws(before, "meter") == draws(Kernel(seed), name)) is same


@pytest.mark.parametrize(
    ("seed", "label", "same"), [(1, "network key", True), (2, "network key", False), (1, "other", False)]
)
def test_rehearsal_secrets_follow_from_seed_and_label(seed: int, label: str, same: bool) -> None:
    assert (Kernel(1).secret("network key", 16) == Kernel(seed).secret(label, 16)) is same
    assert len(Kernel(1).secret("x", 40)) == 40


class KernelMachine(RuleBasedStateMachine):
    """Against a plain list of (due, order, number): the same calls, at the same times, in the same order."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = Kernel()
        self.scopes = [self.kernel.scope(name) for name in "ab"]
        self.timers: dict[int, Timer] = {}
        self.waiting: dict[int, tuple[int, int]] = {}
        self.called: list[tuple[int, int]] = []
        self.expected: list[tuple[int, int]] = []
        self.made = 0

    def _call(self, number: int) -> None:
        self.called.append((self.kernel.now, number))

    @rule(which=st.integers(0, 1), delay_us=st.integers(0, 30))
    def schedule(self, which: int, delay_us: int) -> None:
        number, self.made = self.made, self.made + 1
        self.timers[number] = self.scopes[which].call_later(delay_us, self._call, number)
        if self.scopes[which].alive:
            self.waiting[number] = (self.kernel.now + delay_us, which)

    @precondition(lambda self: self.timers)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.timers)))
        Scope.cancel(self.timers[number])
        self.waiting.pop(number, None)

    @rule(which=st.integers(0, 1))
    def power_cut(self, which: int) -> None:
        self.scopes[which].end()
        self.waiting = {number: each for number, each in self.waiting.items() if each[1] != which}
        self.scopes[which] = self.kernel.scope("again")

    @rule(duration_us=st.integers(0, 20))
    def run(self, duration_us: int) -> None:
        until = self.kernel.now + duration_us
        due = sorted((due_us, number) for number, (due_us, _) in self.waiting.items() if due_us <= until)
        self.expected += due
        for _, number in due:
            del self.waiting[number]
        self.kernel.run_for(duration_us)
        assert self.kernel.now == until

    @invariant()
    def the_calls_are_those_that_were_due(self) -> None:
        assert self.called == self.expected
        assert self.kernel.next_due() == min((due for due, _ in self.waiting.values()), default=None)


TestKernel = KernelMachine.TestCase
TestKernel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
