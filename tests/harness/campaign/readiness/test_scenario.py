"""Faults of a rehearsal that cannot all happen as they are written."""

from __future__ import annotations

import pytest

from harness.campaign.readiness.finding import Weight
from tests.harness.campaign.readiness.conftest import Check

PLACES = {
    "hub": 'firmware = "1.0.0"\nposition = [0.0, 0.0]',
    "electricity": 'firmware = "1.0.0"\nposition = [0.4, 0.0]',
    "gas": 'firmware = "1.1.0"\nposition = [4.5, 2.0]',
    "display": 'firmware = "1.0.0"\nposition = [7.0, 5.0]',
}


def _found(check: Check, **faults: str) -> list[str]:
    changes = [(PLACES[name], f"{PLACES[name]}\nfaults = [ {text} ]") for name, text in faults.items()]
    return [finding.line for finding in check(*changes).of(Weight.REFUSED)]


CUT = '{{ name = "power_cut", at_s = {}, parameters = {{ off_s = {} }} }}'


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        (
            f"{CUT.format(100, 100)}, {CUT.format(150, 10)}",
            "faults[1] = power_cut at 150 s: expected a time when",
        ),
        (f"{CUT.format(150, 10)}, {CUT.format(100, 100)}", "power_cut lasts until 200 s"),
        (f'{{ name = "unplugged", at_s = 50 }}, {CUT.format(100, 1)}', "unplugged lasts for good"),
        (f'{{ name = "power_cut", at_s = 50 }}, {CUT.format(109, 1)}', "lasts until 110 s"),
        (
            '{ name = "out_of_range", at_s = 5 }, { name = "link_loss", at_s = 9, parameters = { loss = 0.1 } }',
            "no other fault has the range",
        ),
        (
            '{ name = "corrupt_block", at_block = 1 }, { name = "corrupt_block", at_block = 2 }',
            "2 times corrupt_block",
        ),
    ],
)
def test_faults_that_contradict_each_other_are_refused(check: Check, faults: str, says: str) -> None:
    (line,) = _found(check, gas=faults)
    assert says in line


def test_a_long_fault_is_compared_with_all_that_begin_in_it(check: Check) -> None:
    cuts = ", ".join(CUT.format(*each) for each in ((100, 100), (120, 10), (150, 10)))
    assert len(_found(check, gas=cuts)) == 2


def test_there_is_one_wide_area_link_whichever_device_its_outage_is_written_at(check: Check) -> None:
    outage = '{ name = "wan_outage", at_s = 100 }'
    assert "no other fault has the wide-area link" in _found(check, hub=outage, gas=outage)[0]


@pytest.mark.parametrize(
    "faults",
    [
        f"{CUT.format(100, 100)}, {CUT.format(200, 100)}",
        f'{CUT.format(100, 100)}, {{ name = "out_of_range", at_s = 150, parameters = {{ for_s = 5 }} }}',
        '{ name = "corrupt_block", at_block = 1 }, { name = "stall", at_block = 2 }',
    ],
)
def test_faults_that_can_all_happen_are_taken(check: Check, faults: str) -> None:
    assert _found(check, gas=faults) == []


def test_a_fault_of_a_download_needs_a_device_that_downloads(check: Check) -> None:
    (line,) = _found(check, hub='{ name = "never_activates" }')
    assert "generic-comms-hub takes no firmware over the air" in line
