"""Eligible product combinations: which devices form one, which firmware could make them one, what is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_profiles.epcl import Epcl, Product, load_epcl
from hw_profiles.errors import ProfileError
from hw_profiles.model import DeviceKind
from hw_profiles.toml_file import read_record

PROVIDER = "Rehearsal Cellular"


def device(kind: str, *firmware: str, **changes: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "manufacturer": "1002",
        "model": f"{kind}1",
        "hardware_version": 1,
        "firmware": list(firmware or ("01000000",)),
        **changes,
    }


def entry(identifier: str, *devices: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "provider": PROVIDER,
        "added": date(2025, 11, 3),
        "devices": list(devices or (device("CHF"), device("ESME"))),
        **changes,
    }


def listed(*entries: dict[str, Any]) -> Epcl:
    table = {"title": "List", "version": "1.0", "combinations": list(entries)}
    return read_record(Epcl, table, "epcl.toml")


def product(kind: str, firmware: str = "01000000", **changes: Any) -> Product:
    fields = {"manufacturer": "1002", "model": f"{kind}1", "hardware_version": 1, **changes}
    return Product(DeviceKind(kind), firmware=firmware, **fields)


PAIR = entry("RC-1", device("CHF"), device("ESME", "02000000", "01000000"))
DUAL = entry("RC-2", device("CHF"), device("ESME", "02000000"), device("GSME", "01040000"))
LIST = listed(PAIR, DUAL, entry("RC-3", provider="Another"))


def names(combinations: tuple[Any, ...]) -> list[str]:
    return [each.id for each in combinations]


COURSES: list[tuple[str, list[Product], list[str], list[str]]] = [
    ("what is listed", [product("CHF"), product("ESME")], ["RC-1"], ["RC-1", "RC-2"]),
    ("in both lists", [product("CHF"), product("ESME", "02000000")], ["RC-1", "RC-2"], ["RC-1", "RC-2"]),
    ("old firmware", [product("CHF"), product("ESME", "00000001")], [], ["RC-1", "RC-2"]),
    (
        "gas makes it another",
        [product("CHF"), product("ESME", "02000000"), product("GSME", "01040000")],
        ["RC-2"],
        ["RC-2"],
    ),
    ("old gas", [product("CHF"), product("ESME", "02000000"), product("GSME")], [], ["RC-2"]),
    ("a display that nobody lists", [product("CHF"), product("ESME"), product("IHD")], [], []),
    ("other hardware", [product("CHF"), product("ESME", hardware_version=2)], [], []),
    ("another model", [product("CHF"), product("ESME", model="OTHER")], [], []),
    ("another maker", [product("CHF"), product("ESME", manufacturer="1031")], [], []),
]


@pytest.mark.parametrize(
    ("products", "matching", "reachable"), [row[1:] for row in COURSES], ids=[r[0] for r in COURSES]
)
def test_what_devices_form_now_and_what_firmware_could_make_of_them(
    products: list[Product], matching: list[str], reachable: list[str]
) -> None:
    assert names(LIST.matching(products, PROVIDER)) == matching
    assert names(LIST.reachable(products, PROVIDER)) == reachable


def test_a_combination_is_one_of_its_communications_provider() -> None:
    products = [product("CHF"), product("ESME")]
    assert names(LIST.matching(products, "Another")) == ["RC-3"]
    assert LIST.matching(products, "Nobody") == LIST.reachable(products, "Nobody") == ()


@given(
    st.lists(st.sampled_from([product("CHF"), product("ESME"), product("ESME", "02000000"), product("GSME")]))
)
def test_what_forms_a_combination_can_be_reached_and_the_order_of_devices_does_not_matter(
    products: list[Product],
) -> None:
    matching = LIST.matching(products, PROVIDER)
    assert set(names(matching)) <= set(names(LIST.reachable(products, PROVIDER)))
    assert LIST.matching(products[::-1], PROVIDER) == matching


def test_an_entry_is_found_by_hardware_and_lists_each_of_its_firmware() -> None:
    combination = LIST.combinations[0]
    found = combination.device_for(product("ESME", "whatever"))
    assert found is not None
    assert found.firmware == ("02000000", "01000000"), "the preferred first"
    assert combination.device_for(product("GSME")) is None
    assert combination.lists(product("ESME", "01000000"))
    assert not combination.lists(product("ESME", "03000000"))


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (
        "no hub",
        entry("A-1", device("ESME"), device("GSME")),
        "devices = ['ESME', 'GSME']: expected a device of kind CHF",
    ),
    ("no electricity", entry("A-1", device("CHF"), device("GSME")), "expected a device of kind ESME"),
    ("one device", entry("A-1", device("CHF")), "devices"),
    ("seventeen devices", entry("A-1", *(device("ESME") for _ in range(17))), "length 2 to 16"),
    ("an id in small letters", entry("rc-1"), "capital letters and digits joined by hyphens"),
    ("no id", entry(""), "capital letters and digits joined by hyphens"),
    ("no provider", entry("A-1", provider=""), "length 1 to 40"),
    ("a date in words", entry("A-1", added="yesterday"), "added"),
    ("a group of one letter", entry("A-1", group_id="A"), "two capital letters"),
    ("a kind nobody knows", entry("A-1", device("CHF"), device("METER")), "kind"),
    (
        "hardware beyond sixteen bits",
        entry("A-1", device("CHF", hardware_version=65536), device("ESME")),
        "0xFFFF",
    ),
    ("no firmware", entry("A-1", device("CHF", firmware=[]), device("ESME")), "length 1 to 64"),
    (
        "firmware of nine characters",
        entry("A-1", device("CHF", "012345678"), device("ESME")),
        "length 1 to 8",
    ),
    ("a word more", entry("A-1", withdrawn=True), "withdrawn"),
]


@pytest.mark.parametrize(
    ("combination", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_an_entry_that_says_too_little_or_too_much_is_refused_by_its_place(
    combination: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ProfileError) as refused:
        listed(entry("Z-9"), combination)
    assert str(refused.value).startswith("epcl.toml: combinations[1].")
    assert expected in str(refused.value)


def test_no_two_entries_go_by_one_id_and_a_list_has_at_least_one() -> None:
    with pytest.raises(ProfileError, match="each combination id once"):
        listed(PAIR, PAIR)
    with pytest.raises(ProfileError, match="combinations"):
        listed()


def test_the_file_is_refused_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "epcl.toml"
    path.write_text('title = "List"\nversion = "1"\ncombinations = 3\n')
    with pytest.raises(ProfileError, match=f"^{path}: combinations = 3"):
        load_epcl(path)
