"""Requests to stop a run: which signals end it like Ctrl-C, and which of them stay ignored when a shell says so."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from harness.command.stopping import stop_when_asked

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@pytest.mark.parametrize("number", SIGNALS, ids=[number.name for number in SIGNALS])
def test_each_request_ends_a_run_as_ctrl_c_does(number: signal.Signals) -> None:
    stop_when_asked()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_goes_where_an_event_loop_has_led_ctrl_c(number: signal.Signals) -> None:
    asked: list[int] = []
    stop_when_asked()
    signal.signal(signal.SIGINT, lambda given, frame: asked.append(given))
    signal.raise_signal(number)
    assert asked == [signal.SIGINT]


def test_a_job_in_the_background_is_not_ended_by_ctrl_c_but_by_a_service_manager() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop_when_asked()
    assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert callable(signal.getsignal(signal.SIGINT)), "the one that an event loop looks for"
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_a_run_under_nohup_outlives_its_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop_when_asked()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signal.raise_signal(signal.SIGHUP)


def test_a_request_is_one_also_where_nothing_handles_ctrl_c() -> None:
    stop_when_asked()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_another_thread_than_the_main_one_leaves_signals_alone() -> None:
    thread = threading.Thread(target=stop_when_asked)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
