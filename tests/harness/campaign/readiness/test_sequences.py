"""Steps that some device could not be given are found from the models, before a device is upgraded for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.campaign.readiness.check import check_files
from harness.campaign.readiness.finding import Weight
from tests.end_to_end.quick_scenario import SHIPPED_MODELS, changed, variant
from tests.harness.campaign.readiness.conftest import Check

WRITE = 'name = "update_period"\nvalue = 10\nverification = { name = "update_period", equals = 10 }'
ASKED = 'target = "{}"\ncondition = {{ firmware = "{}" }}'
OCTETS = 'type = "octets", equals = "31343030303031323334353635"'


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'name = "update_period"\nvalue',
            'name = "udpate_period"\nvalue',
            ("steps[1].name = 'udpate_period'", "did you mean update_period?", "for electricity"),
        ),
        ("value = 10\n", "value = 300\n", ("steps[1].value = 300: expected a number from 0 to 255",)),
        ("value = 10\n", "value = 4\n", ("steps[1].value = 4: expected a number from 5 to 255",)),
        ("value = 10\n", 'value = "10"\n', ("steps[1].value = '10': expected a number", "type uint8")),
        ("value = 10\n", "value = true\n", ("steps[1].value = True",)),
        ("value = 10\n", "value = 11\n", ("steps[1].verification = 11", "satisfies")),
        (
            'value = "33393338343234343033"',
            "value = 3938424403",
            ("steps[5].value = 3938424403", "hexadecimal"),
        ),
        ("value = 0x0600", "value = 0x2000", ("steps[6].value = 8192: expected a number from 0 to 5947",)),
        (
            'type = "uint48", at_least',
            'type = "uint32", at_least',
            ("condition.type = 'uint32': expected uint48",),
        ),
        ("attribute = 0x0000", "attribute = 0x7EEE", ("steps[4].condition.attribute = '0x7EEE'",)),
        (
            "cluster = 0x0702, attribute = 0x0000",
            "cluster = 0x0700, attribute = 0x0000",
            ("condition.cluster = '0x0700'", "serves: 0x0000"),
        ),
        (
            OCTETS,
            'type = "string", equals = "x"',
            ("steps[2].verification.type = 'string': expected octets",),
        ),
        (OCTETS, 'type = "octets", equals = 5', ("steps[2].verification.equals = 5",)),
        (
            OCTETS,
            'type = "octets", at_least = 5',
            ("steps[2].verification.at_least = 5", "neither more nor less"),
        ),
        (
            'precondition = { firmware = "2.0.0" }',
            'precondition = { firmware = "9.9.9" }',
            ("'9.9.9'", "1.0.0, 1.2.0"),
        ),
        (
            'condition = { firmware = "2.0.0" }',
            'condition = { firmware = "1.2.0" }',
            ("'1.2.0'", "is to run by then"),
        ),
    ],
)
def test_a_step_that_could_not_be_performed_is_refused(
    check: Check, old: str, new: str, says: tuple[str, ...]
) -> None:
    found = check((old, new), file="sequence.toml").of(Weight.REFUSED)
    assert found
    assert "sequence.toml: steps[" in found[0].place
    for words in says:
        assert words in found[0].line


def test_a_command_needs_its_cluster(check: Check) -> None:
    write = 'action = "write_attribute"\ntitle = "Electricity readings every 10 seconds"'
    command = (
        'action = "send_command"\ntitle = "x"\ncluster = 0x0705\ncommand = 1\n'
        'done_when = { cluster = 0x0705, attribute = 0x0000, type = "bitmap16", equals = 0 }'
    )
    found = check((write, command), (WRITE, ""), file="sequence.toml").of(Weight.REFUSED)
    assert [finding.place.partition(": ")[2] for finding in found] == [
        "steps[1].cluster",
        "steps[1].done_when.cluster",
    ]


def test_an_attribute_that_the_model_only_shows_is_not_written(check: Check) -> None:
    shown = 'name = "site_id"\ncluster = 0x0702\nattribute = 0x0307\ntype = "octets"\ndefault = ""\n'
    text = (SHIPPED_MODELS / "generic-gas-meter.toml").read_text()
    assert shown in text
    found = check((shown, f"{shown}writable = false\n"), file="models/generic-gas-meter.toml").of(
        Weight.REFUSED
    )
    assert [finding.place.rpartition(": ")[2] for finding in found] == ["steps[5].name"]
    assert "only shows it" in found[0].line


def test_two_sequences_of_one_id_would_hide_each_other(check: Check) -> None:
    (finding,) = check(('["sequence.toml"]', '["sequence.toml", "sequence.toml"]')).of(Weight.REFUSED)
    assert "an id of its own" in finding.line


def test_a_step_for_a_role_is_checked_for_each_device_of_it(check: Check) -> None:
    found = check(
        ('target = "electricity"\nname = "update_period"', 'target = "ESME"\nname = "udpate_period"'),
        file="sequence.toml",
    ).of(Weight.REFUSED)
    assert [finding.line.count("for electricity") for finding in found] == [1]


def test_of_a_hub_nothing_but_its_firmware_can_be_asked_through_itself(check: Check) -> None:
    old, new = 'target = "ESME"\ncondition = { cluster', 'target = "CHF"\ncondition = { cluster'
    (finding,) = check((old, new), file="sequence.toml").of(Weight.REFUSED)
    assert "of a hub itself only its firmware can be checked" in finding.line


def test_a_device_without_an_ota_client_cannot_say_what_it_runs(quick_home: Path, tmp_path: Path) -> None:
    path = variant(quick_home, tmp_path / "home")
    edits = (
        ("sequence.toml", ASKED.format("electricity", "2.0.0"), ASKED.format("display", "1.0.0")),
        ("models/generic-in-home-display.toml", "0x0019, ", ""),
    )
    for name, old, new in edits:
        file = path.parent / name
        file.write_text(changed(file.read_text(), ((old, new),)))
    (finding,) = check_files(path).of(Weight.REFUSED)
    assert "generic-in-home-display has no OTA client to ask" in finding.line


def test_the_firmware_of_a_hub_can_be_checked(check: Check) -> None:
    old, new = ASKED.format("electricity", "2.0.0"), ASKED.format("hub", "1.0.0")
    assert check((old, new), file="sequence.toml").findings == ()
