"""Faults of a firmware upgrade, and which faults an installation file may name."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.faults.firmware import NO_FAULTS, FirmwareFaults
from hw_profiles.faults import Fault

BLOCK = 48


@given(st.integers(0, 50), st.integers(1, 60))
def test_a_corrupt_block_has_one_bit_wrong_however_the_image_is_cut(block: int, size: int) -> None:
    faults = FirmwareFaults.of((Fault("corrupt_block", at_block=block),))
    image = bytes(range(256)) * 12
    arrived = b"".join(
        faults.received(offset, image[offset : offset + size], BLOCK) for offset in range(0, len(image), size)
    )
    wrong = [offset for offset, pair in enumerate(zip(image, arrived, strict=True)) if pair[0] != pair[1]]
    assert wrong == [block * BLOCK]


@given(st.integers(0, 1000), st.binary(max_size=60))
def test_without_faults_nothing_changes(offset: int, data: bytes) -> None:
    assert NO_FAULTS.received(offset, data, BLOCK) == data
    assert not NO_FAULTS.stalls_at(offset, BLOCK)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("corrupt_block"),
        Fault("power_cut", at_block=3),
        Fault("link_loss", parameters=MappingProxyType({"loss": 1.5})),
        Fault("unplugged", parameters=MappingProxyType({"off_s": 5})),
        Fault("wan_outage", parameters=MappingProxyType({"for_s": "long"})),
    ],
)
def test_a_fault_that_means_nothing_is_refused(fault: Fault) -> None:
    assert list(fault.problems())
