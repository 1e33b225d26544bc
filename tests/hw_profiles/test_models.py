from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest

from hw_profiles.errors import ProfileError
from hw_profiles.loader import SHIPPED, load_model, model_ids, read_model
from hw_profiles.model import DeviceKind, IntegrityCoverage, Level, Model, Refresh, SeVersion, Verification


@pytest.mark.parametrize("model_id", model_ids())
def test_every_shipped_model_loads(model_id: str) -> None:
    model = load_model(model_id)
    assert model.id == model_id
    assert model.firmware_displayed(model.firmware[0].display) is model.firmware[0]


@pytest.mark.parametrize("model_id", model_ids())
def test_no_placeholder_is_presented_as_fact(model_id: str) -> None:
    model = load_model(model_id)
    if model.identity.manufacturer_code == 0x1002:
        assert model.confidence_of("identity.manufacturer_code").level is Level.PLACEHOLDER
    else:
        assert model.confidence_of("identity.manufacturer_code").level is Level.CONFIRMED
    if model.ota is not None and model_id != "develco-emi-like":
        assert model.confidence_of("ota.image_type").level is Level.PLACEHOLDER


def test_there_is_a_generic_model_of_every_kind_and_three_seeds_of_named_meters() -> None:
    models = [load_model(model_id) for model_id in model_ids()]
    generic = {model.kind for model in models if model.id.startswith("generic-")}
    assert generic == set(DeviceKind)
    named = [model for model in models if not model.id.startswith(("generic-", "develco-"))]
    assert len({model.identity.manufacturer_code for model in named}) >= 3


def test_the_develco_like_meter_has_the_public_images_identity() -> None:
    ota = load_model("develco-emi-like").ota
    assert ota is not None
    assert (ota.manufacturer_code, ota.image_type) == (0x1015, 0x0340)
    assert ota.verification is Verification.INTEGRITY
    assert ota.integrity_coverage == (IntegrityCoverage.SHORT_PADDING,)
    assert load_model("develco-emi-like").firmware_version(0x00040007) is not None


def test_the_elster_event_codes_are_the_published_ones() -> None:
    events = load_model("elster-as300-p").events
    codes = {event.value: code for event, code in events.items()}
    assert codes["firmware_activated"] == 260
    assert codes["firmware_rejected"] == 265


def test_models_are_hashable_of_immutable_parts() -> None:
    def frozen(record: object) -> bool:
        return not is_dataclass(record) or (
            getattr(type(record), "__dataclass_params__").frozen  # noqa: B009
            and all(frozen(getattr(record, field.name)) for field in fields(record))
        )

    assert frozen(load_model("generic-gas-meter"))


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ProfileError, match=r"model 'nokia-3310': unknown; expected one of .*generic-gas-meter"
    ):
        load_model("nokia-3310")


def _edited(folder: Path, old: str, new: str) -> Path:
    text = (SHIPPED / "generic-electricity-meter.toml").read_text()
    assert old in text
    path = folder / "generic-electricity-meter.toml"
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('security = { level = "recalled"', '# security = { level = "recalled"', "no confidence stated"),
        (
            "[confidence]",
            '[confidence]\n"ota.colour" = { level = "derived", source = "x" }',
            "names no field",
        ),
        ('id = "generic-electricity-meter"', 'id = "other"', "expected the file name"),
        ("slot_octets = 524288", "slot_octets = 524289", "a multiple of page_octets 2048"),
        ('kind = "ESME"', 'kind = "CHF"', "coordinator for a CHF"),
        ("ota_version = 0x01020000", "ota_version = 0x01000000", "each ota_version once"),
        ("block_size = 48", "block_size = 0", "ota.block_size = 0"),
        ('level = "recalled"', 'level = "certain"', "one of confirmed, derived, recalled, placeholder"),
    ],
)
def test_a_model_that_breaks_a_rule_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(ProfileError) as caught:
        read_model(_edited(tmp_path, old, new))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("electricity_s = 10", "electricity_s = 0.2", "0 for never, or 1 second or more"),
        (
            "[refresh]\nelectricity_s = 10\ngas_s = 1800\ntime_s = 86400\n",
            "",
            "a [refresh] table for an IHD or CAD",
        ),
    ],
)
def test_what_a_display_reads_is_said_of_displays_alone(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    text = (SHIPPED / "generic-in-home-display.toml").read_text()
    if not new:
        text = "\n".join(
            line for line in text.splitlines() if not line.startswith(("refresh =", '"refresh.'))
        )
    assert old in text
    path = tmp_path / "generic-in-home-display.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ProfileError, match=re.escape(words)):
        read_model(path)


def test_a_meter_has_no_habit_of_a_display() -> None:
    meter = replace(load_model("generic-electricity-meter"), refresh=Refresh())
    assert [(problem.key, problem.expected) for problem in meter.problems()] == [
        ("refresh", "a [refresh] table for an IHD or CAD, and only for these")
    ]


def test_a_folder_of_ones_own_comes_before_the_shipped_models(tmp_path: Path) -> None:
    _edited(tmp_path, 'model_identifier = "ESME"', 'model_identifier = "MINE"')
    assert load_model("generic-electricity-meter", [tmp_path]).identity.model_identifier == "MINE"
    assert load_model(str(tmp_path / "generic-electricity-meter.toml")).identity.model_identifier == "MINE"


def test_confidence_is_the_nearest_sections() -> None:
    model: Model = load_model("secure-liberty-100")
    assert model.confidence_of("ota.manufacturer_code").level is Level.DERIVED
    assert model.confidence_of("ota.block_size").level is Level.PLACEHOLDER
    assert model.confidence_of("nothing.stated").level is Level.PLACEHOLDER


def test_smart_energy_versions_are_ordered() -> None:
    assert SeVersion.SE_1_2A.at_least(SeVersion.SE_1_1B)
    assert not SeVersion.SE_1_0.at_least(SeVersion.SE_1_1)
