"""The time of a line: virtual for a peer in the emulation, real for one outside."""

from __future__ import annotations

import pytest

from emulator.clock.kernel import Kernel
from emulator.clock.line_clock import line_clock


def test_without_a_pace_it_is_the_scopes_own_time() -> None:
    scope = Kernel().scope("line")
    assert line_clock(scope, None) is scope


@pytest.mark.parametrize("pace", [0.5, 1.0, 50.0, 1000.0])
def test_with_a_pace_it_is_real_time(pace: float) -> None:
    kernel = Kernel()
    clock = line_clock(kernel.scope("line"), pace)
    rung: list[int] = []
    clock.call_later(400_000, lambda: rung.append(clock.now))
    kernel.run_for(int(399_000 * pace))
    assert rung == []
    kernel.run_for(int(2_000 * pace))
    assert rung == [400_000]


def test_a_timer_may_be_cancelled() -> None:
    kernel = Kernel()
    clock = line_clock(kernel.scope("line"), 10.0)
    rung: list[int] = []
    clock.cancel(clock.call_later(1, rung.append, 1))
    clock.cancel(None)
    kernel.run_for(1_000)
    assert rung == []


def test_it_ends_with_its_scope() -> None:
    kernel = Kernel()
    scope = kernel.scope("line")
    rung: list[int] = []
    line_clock(scope, 10.0).call_later(1, rung.append, 1)
    scope.end()
    kernel.run_for(1_000)
    assert rung == []
