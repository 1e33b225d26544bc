"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from emulator.coordinator.monikers import Kind
from harness.command.arguments import (
    MAX_SEED,
    moniker,
    octets,
    require_file,
    require_folders,
    seed,
    speed,
)
from harness.errors import HarnessError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1000", 1000),
        ("100K", 100_000),
        ("100m", 100_000_000),
        ("2G", 2_000_000_000),
        ("999999999999", 999_999_999_999),
    ],
)
def test_sizes_are_written_with_their_unit(text: str, size: int) -> None:
    assert octets(text) == size


@pytest.mark.parametrize("text", ["", "0", "999", "-5M", "1.5G", "5T", "M", "\u0665M", "9" * 13])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a size of at least 1000 octets"):
        octets(text)


def test_seeds_have_a_range() -> None:
    assert (seed("0"), seed(str(MAX_SEED))) == (0, MAX_SEED)
    for text in ("-1", str(MAX_SEED + 1), "1.0", "\u0661", "9" * 5000, ""):
        with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number from 0"):
            seed(text)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1001", "fast"])
def test_speeds_are_above_zero_and_finite(text: str) -> None:
    assert speed("0.5") == 0.5
    with pytest.raises(argparse.ArgumentTypeError, match="expected a number above 0"):
        speed(text)


@pytest.mark.parametrize("name", ["absent.toml", "x" * 300, "a\0b"])
def test_a_file_that_is_not_there_is_named_with_its_option(tmp_path: Path, name: str) -> None:
    require_file("--image", None)
    require_file("--image", tmp_path)
    with pytest.raises(HarnessError, match=r"--image: .*no such file; check the path"):
        require_file("--image", tmp_path / name)


@pytest.mark.parametrize("name", ["absent", "file", "x" * 300])
def test_a_models_folder_must_be_one(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    require_folders([tmp_path])
    with pytest.raises(HarnessError, match=r"--models: .*no such folder"):
        require_folders([tmp_path, tmp_path / name])


def test_a_radio_is_named_with_its_option() -> None:
    assert moniker("--radio", "wire:").kind is Kind.WIRE
    with pytest.raises(HarnessError, match="--radio: "):
        moniker("--radio", "carrier-pigeon:")
