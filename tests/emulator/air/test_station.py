"""When a station's receiver is on (802.15.4-2006 macRxOnWhenIdle), and its sequence numbers."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emulator.air.medium import Medium
from emulator.air.radio import DEAF, Radio
from emulator.air.station import Station
from emulator.clock.kernel import Kernel


def station(*, rx_on_when_idle: bool) -> tuple[Kernel, Station]:
    kernel = Kernel(1)
    return kernel, Station(
        kernel.scope("station"), Medium(kernel), 1, rx_on_when_idle=rx_on_when_idle, position=(0, 0)
    )


def test_switching_the_receiver_on_makes_it_hear_from_then_on_and_off_makes_it_deaf() -> None:
    kernel, sleepy = station(rx_on_when_idle=False)
    kernel.run_for(1000)
    assert sleepy.ready_us == DEAF
    sleepy.rx_on_when_idle = True
    assert (sleepy.rx_on_when_idle, sleepy.ready_us) == (True, 1000)
    kernel.run_for(1000)
    sleepy.rx_on_when_idle = True
    assert sleepy.ready_us == 1000
    sleepy.rx_on_when_idle = False
    assert (sleepy.rx_on_when_idle, sleepy.ready_us) == (False, DEAF)


def test_a_station_kept_awake_sleeps_only_when_every_reason_has_ended() -> None:
    kernel, sleepy = station(rx_on_when_idle=False)
    kernel.run_for(500)
    sleepy.stay_awake()
    kernel.run_for(500)
    sleepy.stay_awake()
    assert sleepy.ready_us == 500
    sleepy.may_sleep()
    assert sleepy.ready_us == 500
    sleepy.may_sleep()
    assert sleepy.ready_us == DEAF


def test_sequence_numbers_go_up_by_one_and_wrap_after_255() -> None:
    _, one = station(rx_on_when_idle=True)
    first = one.next_sequence()
    assert [one.next_sequence() for _ in range(256)] == [(first + n) % 256 for n in range(1, 257)]


@pytest.mark.parametrize("what", ["accept", "indicate", "sent"])
def test_a_radio_of_no_kind_says_which_class_forgot_to_answer(what: str) -> None:
    radio = Radio(Medium(Kernel()), 1, (0, 0))
    arguments = {"accept": (b"",), "indicate": (b"", 0), "sent": (None, True, False)}[what]
    with pytest.raises(NotImplementedError, match=r"^Radio$"):
        getattr(radio, what)(*arguments)


class ReceiverMachine(RuleBasedStateMachine):
    """The receiver is on exactly while idle listening is on or somebody has a reason to stay awake."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel, self.station = station(rx_on_when_idle=False)
        self.idle_on = False
        self.reasons = 0
        self.on_since = DEAF

    def _note(self) -> None:
        if not self.idle_on and not self.reasons:
            self.on_since = DEAF
        elif self.on_since == DEAF:
            self.on_since = self.kernel.now

    @rule(microseconds=st.integers(1, 1000))
    def time_passes(self, microseconds: int) -> None:
        self.kernel.run_for(microseconds)

    @rule(on=st.booleans())
    def listen_when_idle(self, on: bool) -> None:
        self.station.rx_on_when_idle = self.idle_on = on
        self._note()

    @rule()
    def stay_awake(self) -> None:
        self.station.stay_awake()
        self.reasons += 1
        self._note()

    @precondition(lambda self: self.reasons)
    @rule()
    def may_sleep(self) -> None:
        self.station.may_sleep()
        self.reasons -= 1
        self._note()

    @invariant()
    def it_is_on_since_the_first_reason(self) -> None:
        assert self.station.ready_us == self.on_since


TestReceiver = ReceiverMachine.TestCase
TestReceiver.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)
