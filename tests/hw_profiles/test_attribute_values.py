from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_profiles.attribute_values import INTEGERS, ZCL_TYPES, ConfigurationAttribute, expected_instead, said
from hw_profiles.errors import ProfileError
from hw_profiles.toml_file import read_record

PERIOD = {"name": "period", "cluster": 0x0702, "attribute": 0x000A, "type": "uint8", "default": 30}


@pytest.mark.parametrize("type_name", INTEGERS)
def test_a_type_of_numbers_takes_its_bounds_and_nothing_beyond(type_name: str) -> None:
    bounds = INTEGERS[type_name]
    for value in (bounds.least, bounds.most):
        assert expected_instead(type_name, int(value)) is None
    for value in (bounds.least - 1, bounds.most + 1):
        assert type_name in str(expected_instead(type_name, int(value)))


@given(st.sampled_from(ZCL_TYPES), st.booleans() | st.integers() | st.floats() | st.text(max_size=300))
def test_any_value_is_of_a_type_or_something_else_is_expected(
    type_name: str, value: bool | int | float | str
) -> None:
    expected = expected_instead(type_name, value)
    if isinstance(value, bool):
        assert (expected is None) == (type_name == "bool")
    elif isinstance(value, float):
        assert expected is not None
    elif expected is None and type_name == "octets":
        assert len(bytes.fromhex(str(value))) <= 254


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"default": "30"}, "default = '30': expected a number from 0 to 255"),
        ({"default": 4, "minimum": 5}, "default = 4: expected a number from 5 to 255"),
        ({"minimum": 60, "maximum": 5}, "minimum = 60: expected at most maximum, 5"),
        ({"type": "octets", "default": "", "maximum": 5}, "no minimum or maximum for a value of type octets"),
        ({"type": "bool", "default": 1}, "default = 1: expected true or false"),
        ({"shown_as": "time-of-day"}, "expected type uint16 for a time-of-day, not uint8"),
    ],
)
def test_an_attribute_whose_default_it_would_refuse_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ProfileError) as caught:
        read_record(ConfigurationAttribute, {**PERIOD, **change}, "m.toml")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("type_name", "value", "shown_as", "read"),
    [
        ("uint16", 0x0600, "time-of-day", "06:00"),
        ("uint16", 0x173B, "time-of-day", "23:59"),
        ("uint16", 0x0600, "", "1536"),
        ("bitmap16", 5, "", "0x0005"),
        ("octets", "31343030", "", "1400"),
        ("octets", "00ff", "", "00ff"),
        ("octets", "", "", ""),
        ("bool", True, "", "True"),
    ],
)
def test_a_value_is_said_as_people_read_it(
    type_name: str, value: bool | int | str, shown_as: str, read: str
) -> None:
    assert said(type_name, value, shown_as) == read
