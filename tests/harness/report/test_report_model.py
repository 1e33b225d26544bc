"""The report record and its canonical JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ReportError
from harness.facts.enrolment import HandedOver
from harness.facts.terms import Verdict
from harness.report.model import (
    CampaignReport,
    DeviceReport,
    Link,
    Obligation,
    PhaseReport,
    TransferReport,
)


def _edited(report: CampaignReport, **changes: Any) -> str:
    return json.dumps({**json.loads(report.to_json()), **changes})


def test_a_report_reads_back_as_it_was_written(report: CampaignReport) -> None:
    assert CampaignReport.from_json(report.to_json()) == report


def test_json_is_canonical(report: CampaignReport) -> None:
    text = report.to_json()
    assert CampaignReport.from_json(text).to_json() == text
    assert text.endswith("}\n")


def test_mapping_order_does_not_show(report: CampaignReport) -> None:
    forth: Mapping[str, Any] = {"a": 1, "b": {"c": 2, "d": 3}}
    back: Mapping[str, Any] = {"b": {"d": 3, "c": 2}, "a": 1}
    assert replace(report, end_state=forth).to_json() == replace(report, end_state=back).to_json()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "schema_version"),
        ('{"schema_version": 2}', "schema_version"),
        ('{"schema_version": 3}', "report: product_version: missing"),
    ],
)
def test_what_is_not_a_report_is_refused(text: str, where: str) -> None:
    with pytest.raises(ReportError, match=where):
        CampaignReport.from_json(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unheard_of": 1}, r"report: unheard_of: unknown key"),
        ({"seed": "one"}, r"report: seed = 'one': expected a whole number"),
        ({"seed": True}, r"report: seed = True"),
        ({"result": "splendid"}, r"report: result = 'splendid': expected one of commissioned"),
        ({"devices": {}}, r"report: devices = {}: expected an array of a table"),
        ({"devices": [1]}, r"report: devices\[0\] = 1: expected a table"),
        ({"end_state": []}, r"report: end_state = \[\]: expected a table"),
    ],
)
def test_an_edited_field_is_named(report: CampaignReport, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ReportError, match=message):
        CampaignReport.from_json(_edited(report, **changes))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused(report: CampaignReport, number: str) -> None:
    text = report.to_json().replace('"off_air_seconds": 94.0', f'"off_air_seconds": {number}')
    with pytest.raises(ReportError, match="off_air_seconds"):
        CampaignReport.from_json(text)


def test_a_position_has_two_coordinates(report: CampaignReport) -> None:
    device = json.loads(report.to_json())["devices"][0]
    with pytest.raises(ReportError, match=r"position_m.*an array of 2"):
        CampaignReport.from_json(_edited(report, devices=[{**device, "position_m": [1.0]}]))


_times = st.integers(0, 2**50)
_words = st.text(max_size=12)
_numbers = st.floats(allow_nan=False, allow_infinity=False)
_devices = st.builds(
    DeviceReport,
    position_m=st.tuples(_numbers, _numbers),
    links=st.lists(st.builds(Link, peer=_words, lqi=st.integers(0, 255)), max_size=2).map(tuple),
    battery_before_percent=st.none() | _numbers,
    off_air_seconds=_numbers,
)
_transfers = st.builds(
    TransferReport,
    progress=st.lists(st.tuples(_times, _times), max_size=3).map(tuple),
    retries=st.dictionaries(_words, _times, max_size=2),
    octets_per_second=_numbers,
    ended_us=st.none() | _times,
)
_reports = st.builds(
    CampaignReport,
    product_version=_words,
    installation_id=_words,
    mpan=_words,
    mprn=st.none() | _words,
    seed=st.integers(0, 2**63),
    radio=_words,
    result=st.sampled_from(Verdict),
    ended_us=_times,
    devices=st.lists(_devices, max_size=2).map(tuple),
    transfers=st.lists(_transfers, max_size=2).map(tuple),
    phases=st.lists(st.from_type(PhaseReport), max_size=2).map(tuple),
    obligations=st.lists(st.from_type(Obligation), max_size=2).map(tuple),
    files=st.lists(st.from_type(HandedOver), max_size=2).map(tuple),
)


@given(_reports)
def test_any_report_survives_the_round_trip(each: CampaignReport) -> None:
    assert CampaignReport.from_json(each.to_json()) == each


@given(
    st.recursive(st.none() | st.integers() | _words, lambda inner: st.dictionaries(_words, inner, max_size=3))
)
def test_any_other_json_is_refused_and_never_crashes(value: object) -> None:
    with pytest.raises(ReportError):
        CampaignReport.from_json(json.dumps(value))
