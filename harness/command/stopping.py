"""Requests to stop: Ctrl-C, a service manager's SIGTERM, a terminal that is gone (SIGHUP). All end a run alike."""

from __future__ import annotations

import signal
import threading
from types import FrameType


def stop_when_asked() -> None:
    """Have SIGTERM and SIGHUP do what Ctrl-C does, also in a job that a shell began in the background.

    There a shell has SIGINT ignored, so that Ctrl-C ends what is in front of it only; `nohup` has SIGHUP ignored.
    Both stay so.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Kept from the process, yet with a handler: the one that an event loop puts there to end in good order.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)


def requests_to_stop() -> list[signal.Signals]:
    """Return the signals that ask for an end, for an event loop to hear; what a shell has ignored stays so."""
    asking = (signal.SIGINT, signal.SIGHUP)
    heard = [number for number in asking if signal.getsignal(number) is not signal.SIG_IGN]
    return [signal.SIGTERM, *heard]


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)
