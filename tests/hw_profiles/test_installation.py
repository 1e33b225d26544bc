from __future__ import annotations

from pathlib import Path

import pytest

from harness.examples import DORMANT_SEMI as DORMANT
from harness.examples import EMI_PUBLIC_IMAGE
from hw_profiles.errors import ProfileError
from hw_profiles.installation import Installation, JoinsWith, Supply, load_installation
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


def test_a_device_that_joins_with_the_well_known_key_needs_no_install_code(tmp_path: Path) -> None:
    keyless = 'joins_with = "well-known-key"\n# "4173'
    installation = load_installation(_edited(tmp_path, 'install_code = "4173', keyless))
    assert installation.device("electricity").joins_with is JoinsWith.WELL_KNOWN_KEY
    assert installation.device("gas").joins_with is JoinsWith.INSTALL_CODE


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
        (
            'role = "CHF"',
            'role = "CHF"\njoins_with = "well-known-key"',
            "the hub forms the network and joins none",
        ),
        ('role = "IHD"', 'role = "IHD"\njoins_with = "magic"', "one of install-code, well-known-key"),
        ('install_code = "4173', 'install_code = ""\n# "4173', "the code on the device's label"),
        ('name = "display"', 'name = "gas"', "each device name once"),
        ("2026-03-02T08:00:00Z", "2026-03-02", "start = 2026-03-02: expected a date and time with an offset"),
        ("2026-03-02T08:00:00Z", "1999-12-31T23:59:59Z", "expected a time from 2000 to 2099"),
        (
            'between = ["hub", "gas"]',
            'between = ["gas", "gas"]',
            "links[0].between = ['gas', 'gas']: expected two",
        ),
        ('eui64 = "00-DB-12-34-56-78-90-A1"', 'eui64 = "00-00-00-00-00-00-00-00"', "devices[1].eui64"),
        ('eui64 = "00-DB-12-34-56-78-90-A1"', 'eui64 = "FF-ff-FF-FF-FF-FF-FF-FF"', "all ones everybody"),
        ("channel = 15", 'extended_pan_id = "00-00-00-00-00-00-00-00"', "network.extended_pan_id"),
        ('responsible = "90-B3', 'responsible = "90-B', "suppliers.responsible"),
        (
            "tier_2 = ",
            "tier_5 = ",
            "registers.tier_5 = 7400200: expected one of current_summation_delivered, tier_1",
        ),
        ("tier_2 = ", "teir_2 = ", "registers.teir_2"),
        ("tier_2 = 7400200", "tier_2 = 0xFFFFFFFFFFFF", "registers.tier_2 = 281474976710655"),
        ("tier_2 = 7400200", "tier_2 = -1", "registers.tier_2 = -1"),
        ("tier_2 = 7400200", "tier_2 = 7400201", "tier_1 + tier_2 = 18402318: expected tiers that add up to"),
        ("tier_2 = 7400200", "tier_2 = 7400199", "current_summation_delivered, 18402317"),
        ("tier_1 = 11002117", "tier_3 = 11002118", "tier_3 + tier_2 = 18402318"),
        ('id = "dormant-semi"', f'id = "{"a" * 41}"', "length 1 to 40"),
        (
            'provider = "Rehearsal Cellular"',
            'provider = "Rehearsal\\u0001Cellular"',
            "without control characters",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line_that_says_what_to_do(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    with pytest.raises(ProfileError) as caught:
        load_installation(_edited(tmp_path, old, new))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('"abc"', "update_period = 'abc': expected a number from 0 to 255, for a value of type uint8"),
        ("300", "update_period = 300: expected a number from 0 to 255, for a value of type uint8"),
        ("4", "update_period = 4: expected a number from 5 to 255, as the model's update_period takes"),
        ("-1", "update_period = -1"),
        ("5.5", "update_period = 5.5"),
        ("true", "update_period = True"),
        ("5, site_id = 5", "site_id = 5: expected a string of hexadecimal octets"),
        ('5, site_id = "0g"', "site_id = '0g': expected a string of hexadecimal octets"),
        (f'5, site_id = "{"00" * 255}"', "at most 254 of them"),
        ("5, udpate_period = 5", "udpate_period = 5: expected one of update_period, fast_poll_update_period"),
    ],
)
def test_a_configuration_value_is_of_its_attributes_type_and_range(
    tmp_path: Path, value: str, words: str
) -> None:
    place = 'name = "electricity"'
    path = _edited(tmp_path, place, f"{place}\nconfiguration = {{ update_period = {value} }}")
    with pytest.raises(ProfileError) as caught:
        load_installation(path)
    assert f"{path}: devices[1].configuration." in str(caught.value)
    assert words in str(caught.value)


def test_registers_and_configuration_at_their_limits_are_taken(tmp_path: Path) -> None:
    place = "current_summation_delivered = 18402317, tier_1 = 11002117, tier_2 = 7400200 }"
    limits = "current_summation_delivered = 0xFFFFFFFFFFFE, tier_2 = 0xFFFFFFFFFFFE }"
    path = _edited(tmp_path, place, limits + "\nconfiguration = { update_period = 255, site_id = '' }")
    device = load_installation(path).device("electricity")
    assert device.registers["tier_2"] == 0xFFFF_FFFF_FFFE
    assert device.configuration == {"update_period": 255, "site_id": ""}


def test_a_device_without_registers_is_given_none(tmp_path: Path) -> None:
    path = _edited(tmp_path, 'name = "display"', 'name = "display"\nregisters = { tier_1 = 1 }')
    with pytest.raises(ProfileError, match="nothing: the model has no registers"):
        load_installation(path)


def test_a_pair_of_devices_has_one_link(tmp_path: Path) -> None:
    again = '[[links]]\nbetween = ["gas", "hub"]\n\n[authorisation]'
    with pytest.raises(ProfileError, match=r"links\[1\].between = .*each pair of devices once"):
        load_installation(_edited(tmp_path, "[authorisation]", again))


def test_a_step_for_a_device_that_is_not_there_blames_the_sequence(tmp_path: Path) -> None:
    text = DORMANT.read_text()
    start, end = text.index('[[devices]]\nname = "gas"'), text.index('[[devices]]\nname = "display"')
    without_gas = text[:start] + text[end:]
    link = without_gas[without_gas.index("[[links]]") : without_gas.index("[authorisation]")]
    path = _edited(tmp_path, "", "")
    path.write_text(without_gas.replace(link, ""))
    with pytest.raises(
        ProfileError, match=r"sequence\.toml: steps\[5\]\.target = 'gas': expected a device of"
    ):
        load_installation(path)


def test_an_mpan_and_mprn_grouped_by_people_are_digits_from_then_on(tmp_path: Path) -> None:
    path = _edited(tmp_path, '"1400001234565"', '"14 0000 1234 565"')
    path.write_text(path.read_text().replace('"3938424403"', '"3938 424403"'))
    record = load_installation(path).record
    assert (record.mpan, record.mprn) == ("1400001234565", "3938424403")


def test_an_install_code_of_another_length_than_the_models_is_refused(tmp_path: Path) -> None:
    other = _edited(tmp_path, "1F068F1915FAC6A2A1A6", "41731CD68275F29505C2980A572AADAFAF2D")
    with pytest.raises(ProfileError, match="8 octets and a CRC, as generic-in-home-display has"):
        load_installation(other)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('target = "gas"', 'target = "gsa"', "sequence.toml: steps[5].target = 'gsa': expected a device of"),
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
