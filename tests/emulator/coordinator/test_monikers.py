from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.coordinator.monikers import Kind, Moniker, MonikerError, parse


@pytest.mark.parametrize(
    ("text", "moniker", "address"),
    [
        ("inproc:", Moniker(Kind.INPROC), None),
        ("wire:", Moniker(Kind.WIRE), None),
        ("pty:", Moniker(Kind.PTY), None),
        ("tcp:", Moniker(Kind.TCP), None),
        ("pty:/tmp/ncp", Moniker(Kind.PTY, Path("/tmp/ncp")), "/tmp/ncp"),
        ("serial:/dev/ttyUSB0", Moniker(Kind.SERIAL, Path("/dev/ttyUSB0")), "/dev/ttyUSB0"),
        (
            "tcp:127.0.0.1:6638",
            Moniker(Kind.TCP, None, "127.0.0.1", 6638),
            "socket://127.0.0.1:6638",
        ),
        ("tcp:[::1]:6638", Moniker(Kind.TCP, None, "[::1]", 6638), "socket://[::1]:6638"),
    ],
)
def test_a_name_says_where_the_radio_is(text: str, moniker: Moniker, address: str | None) -> None:
    parsed = parse(text)
    assert parsed == moniker
    assert str(parsed) == text
    assert parsed.is_here == (address is None)
    if address is not None:
        assert parsed.address == address


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected inproc:"),
        ("inproc", "expected inproc:"),
        ("inproc:x", "nothing follows inproc:"),
        ("carrier-pigeon", "expected inproc:"),
        ("serial:", "which port"),
        ("tcp:host", "expected tcp:HOST:PORT"),
        ("tcp:host:0", "from 1 to 65535"),
        ("tcp:host:65536", "from 1 to 65535"),
        ("tcp::6638", "expected tcp:HOST:PORT"),
    ],
)
def test_what_names_no_radio_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(MonikerError, match=complaint) as error:
        parse(text)
    assert repr(text) in str(error.value)


@given(st.text(max_size=30))
def test_any_text_is_a_name_or_a_clear_error(text: str) -> None:
    try:
        moniker = parse(text)
    except MonikerError:
        return
    assert parse(str(moniker)) == moniker
