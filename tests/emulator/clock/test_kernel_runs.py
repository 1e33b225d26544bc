"""Runs of the kernel, and going on in time without a call of its own."""

from __future__ import annotations

from emulator.clock.kernel import FOREVER, Kernel


def test_a_call_goes_on_in_time_up_to_the_next_one() -> None:
    kernel = Kernel()
    scope = kernel.scope("device")
    seen: list[tuple[bool, int]] = []

    def call() -> None:
        for due_us in (150, 199, 200, 250):
            seen.append((kernel.run_on(due_us), kernel.now))

    scope.call_at(100, call)
    scope.call_at(200, lambda: None)
    kernel.run_until(1_000)
    assert seen == [(True, 150), (True, 199), (False, 199), (False, 199)]


def test_calls_cancelled_or_without_power_are_not_in_the_way() -> None:
    kernel = Kernel()
    scope, dead = kernel.scope("device"), kernel.scope("dead")
    moved: list[bool] = []
    scope.cancel(scope.call_at(150, lambda: None))
    dead.call_at(160, lambda: None)
    dead.end()
    scope.call_at(100, lambda: moved.append(kernel.run_on(200)))
    kernel.run_until(1_000)
    assert moved == [True]


def test_nobody_goes_on_past_the_end_of_the_run() -> None:
    kernel = Kernel()
    moved: list[bool] = []
    kernel.scope("device").call_at(100, lambda: moved.append(kernel.run_on(200)))
    kernel.run_until(199)
    assert (moved, kernel.now) == ([False], 199)


def test_a_step_is_one_call_alone() -> None:
    kernel = Kernel()
    moved: list[bool] = []
    kernel.scope("device").call_at(100, lambda: moved.append(kernel.run_on(200)))
    assert kernel.step()
    assert (moved, kernel.now) == ([False], 100)


def test_a_run_stops_when_something_is_there_and_can_be_drawn_nearer() -> None:
    kernel = Kernel()
    scope = kernel.scope("device")
    there: list[int] = []
    scope.call_at(100, there.append, 1)
    scope.call_at(200, kernel.draw_near, 250)
    scope.call_at(300, there.append, 2)
    assert kernel.run_calls(FOREVER, there, 10)
    assert (there, kernel.now) == ([1], 100)
    assert not kernel.run_calls(FOREVER, (), 10)
    assert (there, kernel.now) == ([1], 200)
    assert kernel.run_calls(FOREVER, (), 1)
    assert there == [1, 2]
