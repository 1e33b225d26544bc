from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_catalog.errors import CatalogError
from firmware_catalog.planning import upgrade_path
from firmware_catalog.records import Entry, Verification


def entry(version: int, *from_versions: int, models: tuple[str, ...] = ("meter",)) -> Entry:
    return Entry(
        id=f"{version:064x}",
        path=f"supplier/{version:08x}",
        octets=100,
        file_name="f.ota",
        supplier="S",
        manufacturer_code=0x1002,
        image_type=0x0E01,
        version=version,
        image_octets=100,
        header_text="",
        hardware_minimum=1,
        hardware_maximum=2,
        models=models,
        from_versions=from_versions,
        image_sha256="0" * 64,
        verification=Verification.NONE,
        added="",
        added_by="",
        findings=(),
    )


def _versions(entries: list[Entry], installed: int, target: int) -> list[int]:
    return [hop.version for hop in upgrade_path(entries, "meter", 1, installed, target)]


def test_no_path_is_needed_to_where_one_is() -> None:
    assert upgrade_path([], "meter", 1, 5, 5) == ()


def test_an_image_that_follows_anything_is_one_hop() -> None:
    assert _versions([entry(2, 1), entry(3)], 1, 3) == [3]


def test_constraints_make_a_path_of_two_hops() -> None:
    assert _versions([entry(3, 2), entry(2, 1)], 1, 3) == [2, 3]


def test_the_shortest_path_is_taken_and_among_equals_the_higher_versions() -> None:
    entries = [entry(9, 2, 3, 4), entry(4, 3), entry(2, 1), entry(3, 1)]
    assert _versions(entries, 1, 9) == [3, 9]


def test_a_path_may_go_down_where_the_images_allow_it() -> None:
    assert _versions([entry(1, 5), entry(7, 1)], 5, 7) == [1, 7]


def test_images_for_other_models_or_hardware_do_not_count() -> None:
    with pytest.raises(CatalogError, match="no image of the target version fits"):
        upgrade_path([entry(2, models=("other",))], "meter", 1, 1, 2)
    with pytest.raises(CatalogError, match="no image of the target version fits"):
        upgrade_path([entry(2)], "meter", 3, 1, 2)
    assert upgrade_path([entry(2, models=())], "meter", 2, 1, 2)
    anywhere = replace(entry(2), hardware_minimum=None, hardware_maximum=None)
    assert upgrade_path([anywhere], "meter", 77, 1, 2)


def test_a_gap_in_the_chain_is_named() -> None:
    with pytest.raises(CatalogError, match="it may only follow 0x00000003, 0x00000005"):
        upgrade_path([entry(9, 5, 3)], "meter", 1, 1, 9)


@given(
    st.lists(st.tuples(st.integers(0, 8), st.lists(st.integers(0, 8), max_size=3)), max_size=12),
    st.integers(0, 8),
    st.integers(0, 8),
)
def test_every_path_found_is_allowed_and_has_no_detour(
    images: list[tuple[int, list[int]]], installed: int, target: int
) -> None:
    entries = [entry(version, *allowed) for version, allowed in images]
    try:
        path = upgrade_path(entries, "meter", 1, installed, target)
    except CatalogError:
        return
    running = installed
    for hop in path:
        assert hop.may_follow(running)
        running = hop.version
    assert running == target
    assert len({hop.version for hop in path}) == len(path)


def test_an_image_made_for_one_device_leads_no_other_anywhere() -> None:
    alone = replace(entry(2), destination="00-00-00-00-00-00-00-05")
    assert upgrade_path([alone], "meter", 1, 1, 2, eui64=5) == (alone,)
    for other in (6, None):
        with pytest.raises(CatalogError, match="fits this model, hardware and device"):
            upgrade_path([alone], "meter", 1, 1, 2, eui64=other)
