from __future__ import annotations

from pathlib import Path

import pytest

from harness.examples import DORMANT_SEMI as DORMANT
from harness.examples import EMI_PUBLIC_IMAGE
from hw_profiles.errors import ProfileError
from hw_profiles.installation import Installation, Supply, load_installation
from hw_profiles.model import DeviceKind
from hw_profiles.sequence import Action, Condition, OnFailure


@pytest.fixture
def dormant() -> Installation:
    return load_installation(DORMANT)


def _edited(tmp_path: Path, old: str, new: str, name: str = "installation.toml") -> Path:
    for source in DORMANT.parent.glob("*.toml"):
        text = source.read_text()
        if source.name == name:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / source.name).write_text(text)
    return tmp_path / "installation.toml"


def test_the_example_loads_with_everything_it_names(dormant: Installation) -> None:
    assert dormant.record.dormant
    assert dormant.hub.address == 0x00DB1234567890A0
    assert [device.role for device in dormant.record.devices] == ["CHF", "ESME", "GSME", "IHD"]
    assert dormant.models["gas"].kind is DeviceKind.GSME
    assert dormant.installed_firmware("electricity").ota_version == 0x01000000
    assert dormant.start_unix_seconds == 1772438400
    assert dormant.record.authorisation.gt_certificate is Supply.NEVER
    assert dormant.catalogue == DORMANT.parent / "catalogue"


def test_the_example_is_not_eligible_yet_but_firmware_alone_can_make_it_so(dormant: Installation) -> None:
    provider = dormant.record.wan.provider
    products = [
        product
        for device in dormant.record.devices
        if (product := dormant.product(device.name, dormant.installed_firmware(device.name).ota_version))
    ]
    assert dormant.epcl.matching(products, provider) == ()
    (entry,) = dormant.epcl.reachable(products, provider)
    upgraded = [dormant.product("electricity", 0x02000000), dormant.product("gas", 0x01040000)]
    assert entry.covers([*(product for product in upgraded if product), products[0], products[3]])
    assert dormant.epcl.reachable(products, "another provider") == ()


def test_the_examples_sequence_has_every_kind_of_step_it_needs(dormant: Installation) -> None:
    (sequence,) = dormant.sequences
    actions = {step.action for step in sequence.steps}
    assert actions >= {Action.CHECK, Action.WRITE_ATTRIBUTE, Action.WAIT}
    assert {step.on_failure for step in sequence.steps} == set(OnFailure)
    assert dormant.targets("ESME") == (dormant.device("electricity"),)


def test_the_public_image_example_loads() -> None:
    installation = load_installation(EMI_PUBLIC_IMAGE)
    assert installation.models["electricity"].id == "develco-emi-like"
    assert installation.catalogue is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('mpan = "1400001234565"', 'mpan = "1400001234566"', "check digit 6, expected 5"),
        ('mprn = "3938424403"', 'mprn = "3938424404"', "check digits 04, expected 03"),
        ('install_code = "4173', 'install_code = "4174', "expected a valid install code"),
        ('model = "generic-gas-meter"', 'model = "generic-gas-metre"', "model 'generic-gas-metre': unknown"),
        ('model = "generic-gas-meter"', 'model = "generic-electricity-meter"', "a model of kind GSME"),
        ('firmware = "1.1.0"', 'firmware = "1.1.9"', "one that generic-gas-meter lists: 1.1.0, 1.4.0"),
        ('role = "IHD"', 'role = "TV"', "one of CHF, ESME, GSME, IHD, CAD"),
        ('eui64 = "00-DB-12-34-56-78-90-A1"', 'eui64 = "00-DB-12-34-56-78-90-A0"', "each EUI-64 once"),
        ("2026-03-02T08:00:00Z", "2026-03-02T08:00:00", "with an offset"),
        ("2026-03-02T08:00:00Z", '"Monday"', "start = 'Monday'"),
        ('between = ["hub", "gas"]', 'between = ["hub", "gsa"]', "one of hub, electricity, gas, display"),
        ("channel = 15", "channel = 27", "network.channel = 27: expected a number from 11 to 26"),
        ('epcl = "epcl.toml"', 'epcl = "other.toml"', "other.toml: cannot be read"),
        ("suite = 1", "suite = 2", "37 octets for suite 2"),
        ('name = "display"', 'name = "gas"', "each device name once"),
    ],
)
def test_bad_input_is_refused_in_one_line_that_says_what_to_do(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    with pytest.raises(ProfileError) as caught:
        load_installation(_edited(tmp_path, old, new))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_install_code_of_another_length_than_the_models_is_refused(tmp_path: Path) -> None:
    other = _edited(tmp_path, "1F068F1915FAC6A2A1A6", "41731CD68275F29505C2980A572AADAFAF2D")
    with pytest.raises(ProfileError, match="8 octets and a CRC, as generic-in-home-display has"):
        load_installation(other)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('target = "gas"', 'target = "gsa"', "device 'gsa': unknown"),
        ('condition = { firmware = "2.0.0" }\n', "", "condition = None: expected what to check"),
        ("seconds = 60", "", "seconds = None: expected how long to wait"),
        ('id = "gas-site"', 'id = "settle"', "each step id once"),
        ("value = 10\n", "", "value = None: expected the value to write"),
        ("retries = 3", "retries = 0", "a number of retries"),
        ('action = "wait"', 'action = "send_command"', "target = None"),
    ],
)
def test_a_sequence_that_cannot_be_run_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load_installation(_edited(tmp_path, old, new, "sequence.toml"))
    assert words in str(caught.value)


def test_conditions_compare_numbers_and_text() -> None:
    assert Condition(name="a", equals=10).holds(10)
    assert not Condition(name="a", equals=10).holds(11)
    assert Condition(name="a", at_least=5, at_most=7).holds(7)
    assert not Condition(name="a", at_least=5, at_most=7).holds(8)
    assert not Condition(name="a", at_least=5).holds("6")
    assert Condition(name="a", equals="ff").holds("ff")


def test_a_combination_without_a_hub_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="a device of kind CHF"):
        load_installation(_edited(tmp_path, 'kind = "CHF"', 'kind = "CAD"', "epcl.toml"))
