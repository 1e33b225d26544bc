"""Every operation, result and alert of the WAN: round trips, and that both ends know them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.devices.comms_hub import wan_service
from emulator.errors import RecordError
from emulator.wan import operations as wan
from emulator.wan.alerts import ALERTS, Alert, decode_alert, encode_alert
from emulator.wan.messages import WanError, WanMessage, decode
from emulator.wan.results import Done, JobStatus
from tests.emulator.wan.any_record import record

ROOT = Path(__file__).parents[3]
FOR_OPERATORS = {wan.Mirror, wan.Permit, wan.ReadLog, wan.NetworkKey}
"""What an operator of a hub may ask and a campaign never does."""


@pytest.mark.parametrize("kind", wan.OPERATIONS.values(), ids=wan.OPERATIONS)
@given(data=st.data())
def test_operation_and_result_round_trip(kind: type[wan.Operation[Any]], data: st.DataObject) -> None:
    asked, result = data.draw(record(kind)), data.draw(record(kind.RESULT))
    assert wan.decode_operation(decode(wan.encode_operation(asked))) == asked
    assert wan.decode_result(asked, wan.encode_result(result)) == result


@pytest.mark.parametrize("kind", ALERTS.values(), ids=ALERTS)
@given(data=st.data())
def test_alert_round_trips(kind: type[Alert], data: st.DataObject) -> None:
    alert = data.draw(record(kind))
    assert decode_alert(encode_alert(alert)) == alert


def test_the_names_on_the_wire() -> None:
    assert " ".join(wan.OPERATIONS) == (
        "status discover topology read write command mirror permit read_log device_log control image_begin "
        "image_data image_commit schedule job release withdraw network_key"
    )
    assert " ".join(ALERTS) == (
        "transfer-started transfer-progress transfer-attempt-failed job-outcome device-joined device-left "
        "device-removed"
    )
    assert {kind for kind in wan.OPERATIONS.values() if kind.CRITICAL} == {
        wan.Release,
        wan.Withdraw,
        wan.NetworkKey,
    }


def test_the_octets_of_an_operation_and_its_result() -> None:
    asked = wan.ImageData("0" * 64, 3, b"\1\2")
    text = b'{"offset":3,"op":"image_data","sha256":"' + b"0" * 64 + b'"}'
    assert wan.encode_operation(asked) == len(text).to_bytes(2, "big") + text + b"\1\2"
    assert wan.encode_result(JobStatus("x", "none")) == b'\0\x26{"ok":{"device":"x","state":"none"}}'.replace(
        b"\x26", bytes((36,))
    )


def test_every_operation_is_answered_by_the_hub_and_every_alert_told_by_it() -> None:
    hub = "".join(path.read_text() for path in Path(wan_service.__file__).parent.glob("*.py"))
    for operation in wan.OPERATIONS.values():
        assert f"            wan.{operation.__name__}: " in hub
    for alert in ALERTS.values():
        assert f"alerts.{alert.__name__}(" in hub


def test_every_operation_is_asked_by_the_harness_or_an_operator() -> None:
    harness = "".join(path.read_text() for path in (ROOT / "harness").rglob("*.py"))
    asked = {kind for kind in wan.OPERATIONS.values() if f"wan.{kind.__name__}(" in harness}
    asked |= {wan.Control} if "call(Control(" in harness else set()
    assert asked == set(wan.OPERATIONS.values()) - FOR_OPERATORS


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"offset": -1}, "image_data: offset = -1: expected a number from 0 to 4294967295"),
        ({"offset": True}, "image_data: offset = True: expected a whole number"),
        ({"sha256": "00"}, "image_data: sha256 = '00': expected a SHA-256"),
        ({"more": 1}, "image_data: more: unknown key; expected one of offset, sha256"),
        ({"data": "00"}, "image_data: data: unknown key"),
    ],
)
def test_a_field_of_another_type_or_size_is_refused(changes: dict[str, Any], error: str) -> None:
    good = {"op": wan.ImageData.NAME, "sha256": "0" * 64, "offset": 0}
    with pytest.raises(RecordError, match=error):
        wan.decode_operation(WanMessage({**good, **changes}, b"x"))


def test_octets_that_are_no_octets_are_refused() -> None:
    fields = {"op": wan.Control.NAME, "device": "x", "envelope": "xyz"}
    with pytest.raises(RecordError, match=r"control: envelope = 'xyz': expected octets in hexadecimal"):
        wan.decode_operation(WanMessage(fields))


@pytest.mark.parametrize("name", [None, "explode", ["job"]])
def test_an_operation_that_there_is_not_is_refused(name: object) -> None:
    with pytest.raises(WanError, match="unknown-operation"):
        wan.decode_operation(WanMessage({"op": name}))


def test_octets_that_are_no_alert_are_none() -> None:
    for octets in (b"", b"\0\2{}", wan.encode_result(Done()), b'\0\x13{"alert":"unknown"}'):
        assert decode_alert(octets) is None
