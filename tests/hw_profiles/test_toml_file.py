"""Any octets give a table or one line; any table gives an installation or one line."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.examples import DORMANT_SEMI
from hw_profiles.epcl import Epcl
from hw_profiles.errors import ProfileError
from hw_profiles.installation import InstallationRecord
from hw_profiles.loader import SHIPPED
from hw_profiles.model import Model
from hw_profiles.sequence import Sequence
from hw_profiles.toml_file import parse_table, read_record
from tests.toml_mutants import mutants, toml_text

EXAMPLE = DORMANT_SEMI.parent
DOCUMENTS = (
    (InstallationRecord, EXAMPLE / "installation.toml"),
    (Sequence, EXAMPLE / "sequence.toml"),
    (Epcl, EXAMPLE / "epcl.toml"),
    (Model, SHIPPED / "generic-gas-meter.toml"),
)


def _refusal(read: Callable[[], object]) -> str:
    with pytest.raises(ProfileError) as caught:
        read()
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert len(message) < 2000
    return message


def _record_or_line(read: Callable[[], object]) -> object:
    """Return what was read, or None when it was refused in one line that names the file."""
    try:
        return read()
    except ProfileError as error:
        message = str(error)
    assert message.startswith("f.toml: ")
    assert message.splitlines() == [message]
    return None


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"\xef\xbb\xbfid = 1", "f.toml: begins with a byte order mark; save it as UTF-8 without one"),
        ("id = 1".encode("utf-16"), "the byte order mark of UTF-16"),
        (b"id = '\xff'", "not UTF-8 text at octet 6"),
        (b"id = ", "not valid TOML"),
        (b"id = " + b"9" * 5000, "not valid TOML"),
        (b"id = " + b"[" * 100_000, "nested without end"),
        (b"id = " + b"{a=" * 100_000, "nested without end"),
        (b"a." * 500_000 + b"a = 1", "a key of more than 64 parts"),
        (b'"a". ' * 500_000 + b"a = 1", "a key of more than 64 parts"),
        (b"[" + b"a." * 500_000 + b"a]", "a key of more than 64 parts"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_soon(octets: bytes, words: str) -> None:
    began = time.monotonic()
    assert words in _refusal(lambda: parse_table(octets, "f.toml"))
    assert time.monotonic() - began < 5


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_octets_give_a_table_or_one_line(octets: bytes) -> None:
    table = _record_or_line(lambda: parse_table(octets, "f.toml"))
    assert table is None or table == tomllib.loads(octets.decode())


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_any_document_gives_a_record_or_one_line(data: st.DataObject) -> None:
    record, path = data.draw(st.sampled_from(DOCUMENTS))
    table = data.draw(mutants(path.read_text()))
    made: object = _record_or_line(lambda: read_record(record, table, "f.toml"))
    assert made is None or isinstance(made, record)


@given(st.sampled_from(DOCUMENTS).flatmap(lambda document: mutants(document[1].read_text())))
def test_a_mutant_written_is_the_mutant_read(table: dict[str, Any]) -> None:
    read = parse_table(toml_text(table).encode(), "f.toml")
    assert json.dumps(read, default=str) == json.dumps(table, default=str)


def test_a_value_however_deep_is_shown_short() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    message = _refusal(lambda: read_record(Sequence, {"id": deep}, "f.toml"))
    assert "id = [[[" in message


@pytest.mark.parametrize("key", ["a\nb", "\x1b[31m", "k" * 5000])
def test_a_key_of_any_kind_is_shown_on_one_line(key: str) -> None:
    assert repr(key)[1:4] in _refusal(lambda: read_record(Sequence, {key: 1}, "f.toml"))
