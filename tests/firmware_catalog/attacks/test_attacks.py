"""Every attack is stopped, and goes through where the code that stops it is taken out.

`pytest -v tests/firmware_catalog/attacks` names each twice: once against the product, once against its mutant.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_catalog.errors import CatalogError
from tests.firmware_catalog.attacks import of_content, of_metadata
from tests.firmware_catalog.attacks.lab import Attack, Lab, applied, pristine

ATTACKS = [*of_metadata.ATTACKS, *of_content.ATTACKS]
each_attack = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)


@pytest.fixture(scope="module", autouse=True)
def _cleared() -> Iterator[None]:
    yield
    shutil.rmtree(pristine())
    pristine.cache_clear()


def test_there_are_many_attacks_and_each_has_a_name_of_its_own() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 60


def test_a_catalogue_that_nobody_attacks_is_read_and_admits_its_images(tmp_path: Path) -> None:
    lab = Lab(tmp_path).see()
    lab.admit("A", home="A")
    lab.admit("B", home="B")


@each_attack
def test_the_attack_is_stopped_in_one_line(tmp_path: Path, attack: Attack) -> None:
    with pytest.raises(CatalogError, match=attack.words) as stopped:
        attack.run(Lab(tmp_path))
    assert "\n" not in str(stopped.value)


@each_attack
def test_it_goes_through_where_the_protection_is_taken_out(tmp_path: Path, attack: Attack) -> None:
    said = _stopped(attack, Lab(tmp_path))
    assert (said is not None) == attack.again, f"stopped all the same: {said}"
    assert said is None or not re.search(attack.words, said)


def _stopped(attack: Attack, lab: Lab) -> str | None:
    """Return why an attack is stopped in spite of its mutants."""
    with applied(attack.mutants):
        try:
            attack.run(lab)
        except CatalogError as error:
            return str(error)
    return None
