from __future__ import annotations

import errno
import os
import threading

import pytest

from harness.command import streams


@pytest.fixture(autouse=True)
def _prepared() -> None:
    streams.prepare()


@pytest.mark.parametrize(
    ("shown", "plain"),
    [
        ("\u25b8 install", "> install"),
        ("1.0.0 \u2192 2.0.0", "1.0.0 -> 2.0.0"),
        ("\u2026A1 \u00e9\udc80", "...A1 ??"),
    ],
)
def test_signs_that_an_encoding_lacks_are_shown_by_others(shown: str, plain: str) -> None:
    assert shown.encode("ascii", streams.PLAINLY).decode("ascii") == plain


def test_a_pipe_whose_reader_is_gone_takes_everything_and_loses_nothing_worth_telling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = streams._lasting("stdout", writing, "utf-8", line_buffering=True)
    stream.write("one\n")
    stream.write("two\n")
    stream.flush()
    assert streams._raw["stdout"].lost is not None
    assert streams._raw["stdout"].lost.errno == errno.EPIPE
    assert streams.lost() is None
    os.close(writing)
    del streams._raw["stdout"]


def test_a_slow_reader_of_a_descriptor_that_never_blocks_gets_everything() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    text, got = "x" * 300_000, bytearray()

    def read() -> None:
        while chunk := os.read(reading, 65536):
            got.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    stream = streams._lasting("stdout", writing, "utf-8", line_buffering=False)
    stream.write(text)
    stream.flush()
    os.close(writing)
    reader.join()
    os.close(reading)
    del streams._raw["stdout"]
    assert len(got) == len(text)
