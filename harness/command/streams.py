"""Standard output and error as a long command needs them: always there, and never the reason that a run ends.

Whoever reads the output may go away, its disk may fill, its encoding may lack a sign. A run is worth more than what it
shows: it goes on, signs that cannot be shown are shown plainly, and what else was lost is said at the end.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
from typing import Any, TextIO

PLAINLY = "smets1-plainly"
"""The error handler that shows a sign by others when the encoding lacks it."""
_PLAIN = {
    "\u25b8": ">",
    "\u2713": "+",
    "\u2192": "->",
    "\u2026": "...",
    "\u2013": "-",
    "\u2014": "-",
    "\u2501": "=",
    "\u2578": "=",
    "\u257a": "-",
    "\ufffd": "?",
}


class _Lasting(io.RawIOBase):
    """A descriptor that may fail: from then on what is written to it is dropped."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.lost: OSError | None = None
        """Why output was dropped, None while all of it was written."""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, octets: Any, /) -> int:
        """Write what the system takes; a reader that is slow is waited for, also by a descriptor that never blocks."""
        while self.lost is None:
            try:
                return os.write(self._descriptor, octets)
            except BlockingIOError:
                select.select((), (self._descriptor,), ())
            except OSError as error:
                self.lost = error
        return memoryview(octets).nbytes


_raw: dict[str, _Lasting] = {}


def prepare() -> None:
    """Put streams that last in the place of `sys.stdout` and `sys.stderr`, where those are the process's own."""
    _fill_gaps()
    codecs.register_error(PLAINLY, _shown_plainly)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _lasting(name, descriptor, "utf-8", line_buffering=False))
        elif name not in _raw and isinstance(stream, io.TextIOWrapper) and _is_own(stream, descriptor):
            stream.flush()
            setattr(
                sys, name, _lasting(name, descriptor, stream.encoding, line_buffering=stream.line_buffering)
            )


def _fill_gaps() -> None:
    """Lead descriptors that the process was started without nowhere, so that no file of a run gets their number."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            assert nowhere == descriptor, "the lowest number that is free"


def _is_own(stream: TextIO, descriptor: int) -> bool:
    try:
        return stream.fileno() == descriptor
    except (OSError, ValueError):
        return False


def _lasting(name: str, descriptor: int, encoding: str, *, line_buffering: bool) -> io.TextIOWrapper:
    raw = _raw[name] = _Lasting(descriptor)
    buffered = io.BufferedWriter(raw)
    return io.TextIOWrapper(buffered, encoding, PLAINLY, line_buffering=line_buffering)


def _shown_plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


def lost() -> OSError | None:
    """Return why standard output lacks something, None when it does not or its reader has had enough."""
    raw = _raw.get("stdout")
    if raw is None or raw.lost is None or raw.lost.errno == errno.EPIPE:
        return None
    return raw.lost


def write_document(text: str) -> None:
    """Write a document of ours to standard output: UTF-8, whatever the encoding of lines for people is."""
    stream = sys.stdout
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        stream.write(text)
        return
    stream.flush()
    buffer.write(text.encode())
    buffer.flush()
