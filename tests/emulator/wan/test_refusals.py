"""Operations, results and alerts that are not whole: each field missed, mistyped or added, each message cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from emulator.errors import FrameError, RecordError
from emulator.wan import operations as wan
from emulator.wan.alerts import ALERTS, Alert, decode_alert, encode_alert
from emulator.wan.messages import ATTACHMENT_MAX, WanError, WanMessage, decode, encode
from tests.emulator.wan.any_record import record

OPERATIONS = pytest.mark.parametrize("kind", wan.OPERATIONS.values(), ids=wan.OPERATIONS)
ALERT_KINDS = pytest.mark.parametrize("kind", ALERTS.values(), ids=ALERTS)


def one(kind: type[Any]) -> Any:
    """Return one record of a kind."""
    found: list[Any] = []

    @settings(
        max_examples=1,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
    )
    @given(record(kind))
    def take(value: Any) -> None:
        found.append(value)

    take()
    return found[0]


def required(kind: type[Any], message: WanMessage) -> Iterator[str]:
    """Yield the names of fields that a message of a kind cannot be without, as they stand in it."""
    for field in fields(kind):
        if field.default is MISSING and field.default_factory is MISSING and field.name in message.fields:
            yield field.name


@OPERATIONS
def test_each_field_that_an_operation_cannot_do_without_is_missed_by_name(
    kind: type[wan.Operation[Any]],
) -> None:
    message = decode(wan.encode_operation(one(kind)))
    for name in required(kind, message):
        less = {key: value for key, value in message.fields.items() if key != name}
        with pytest.raises(RecordError, match=f"^{kind.NAME}: {name}: missing; expected "):
            wan.decode_operation(WanMessage(less, message.attachment))


@OPERATIONS
def test_each_field_of_another_type_is_named(kind: type[wan.Operation[Any]]) -> None:
    message = decode(wan.encode_operation(one(kind)))
    for name in set(message.fields) - {"op"}:
        for wrong in (1.5, [[1.5]], {"no such": 1.5}):
            try:
                read = wan.decode_operation(WanMessage({**message.fields, name: wrong}, message.attachment))
            except RecordError as refused:
                assert str(refused).startswith(f"{kind.NAME}: {name}")  # noqa: PT017
            else:
                # A value to be written is whatever JSON can say; the hub asks the attribute's type.
                assert getattr(read, name) == wrong
                assert (kind, name) == (wan.Write, "value")


@OPERATIONS
def test_a_field_that_an_operation_does_not_have_is_named(kind: type[wan.Operation[Any]]) -> None:
    message = decode(wan.encode_operation(one(kind)))
    with pytest.raises(RecordError, match=f"^{kind.NAME}: afterthought: unknown key"):
        wan.decode_operation(WanMessage({**message.fields, "afterthought": 1}, message.attachment))


@OPERATIONS
def test_an_operation_cut_anywhere_is_no_message(kind: type[wan.Operation[Any]]) -> None:
    octets = wan.encode_operation(one(kind))
    length = 2 + int.from_bytes(octets[:2], "big")
    for end in range(length):
        with pytest.raises(FrameError):
            decode(octets[:end])


@OPERATIONS
def test_a_result_that_is_not_the_operations_own_is_refused(kind: type[wan.Operation[Any]]) -> None:
    asked = one(kind)
    for octets in (
        encode(WanMessage({})),
        encode(WanMessage({"ok": 7})),
        encode(WanMessage({"ok": {"no such": 1}})),
    ):
        with pytest.raises((RecordError, FrameError, WanError)):
            wan.decode_result(asked, octets)


@OPERATIONS
def test_an_error_of_the_hub_is_raised_as_one_with_its_code(kind: type[wan.Operation[Any]]) -> None:
    octets = encode(WanMessage({"error": {"code": "device-unreachable", "text": "no answer"}}))
    with pytest.raises(WanError) as told:
        wan.decode_result(one(kind), octets)
    assert (told.value.code, told.value.text) == ("device-unreachable", "no answer")


@ALERT_KINDS
def test_an_alert_cut_anywhere_is_none(kind: type[Alert]) -> None:
    octets = encode_alert(one(kind))
    assert all(decode_alert(octets[:end]) is None for end in range(len(octets)))


@ALERT_KINDS
def test_an_alert_with_a_field_of_another_type_is_none(kind: type[Alert]) -> None:
    message = decode(encode_alert(one(kind)))
    for name in set(message.fields) - {"alert"}:
        assert decode_alert(encode(WanMessage({**message.fields, name: [[1.5]]}))) is None


# The frame of every message


@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=4),
    st.binary(max_size=40),
)
def test_a_message_is_read_as_it_was_written(fields_: dict[str, Any], attachment: bytes) -> None:
    assert decode(encode(WanMessage(fields_, attachment))) == WanMessage(fields_, attachment)


@given(st.binary(max_size=60))
def test_any_octets_are_a_message_or_a_frame_error(octets: bytes) -> None:
    try:
        message = decode(octets)
    except FrameError as refused:
        assert str(refused)  # noqa: PT017
        return
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "octets",
    [b"", b"\0", b"\0\2{", b"\0\2[]", b"\0\4null", b"\0\1x", b"\0\2\xff\xff", b"\0\3{}}", b"\xff\xff{}"],
)
def test_what_is_no_message_is_a_frame_error(octets: bytes) -> None:
    with pytest.raises(FrameError):
        decode(octets)


def test_an_attachment_of_a_piece_of_an_image_fits_a_control_envelope() -> None:
    from emulator.devices.control import MAX_PAYLOAD

    asked = wan.ImageData("0" * 64, 0xFFFFFFFF, bytes(ATTACHMENT_MAX))
    assert len(wan.encode_operation(asked)) + 1 <= MAX_PAYLOAD
