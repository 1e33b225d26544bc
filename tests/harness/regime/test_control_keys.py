"""Counters of envelopes: strictly rising, whenever the party is killed, and seldom written."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from emulator.devices.control import ControlRole, decode_envelope
from harness.regime.control_keys import COUNTER_BLOCK, ControlKeys, HeldKey

DEVICE = 0x00DB_1234_5678_90A1


class Disk:
    """Keeps what was saved; `killed` is the party that comes back with it."""

    def __init__(self) -> None:
        self.held: dict[int, HeldKey] = {}
        self.saved = "{}"
        self.writes = 0

    def save(self) -> None:
        self.writes += 1
        self.saved = json.dumps({str(eui64): key.to_json() for eui64, key in self.held.items()})

    def killed(self) -> None:
        self.held = {int(name): HeldKey.from_json(value) for name, value in json.loads(self.saved).items()}

    def keys(self) -> ControlKeys:
        return ControlKeys(ControlRole.CRITICAL, self.held, self.save, lambda label, size: bytes(size))


def disk() -> Disk:
    fresh = Disk()
    fresh.keys().take(DEVICE, HeldKey(bytes(16), 0, 0, b""))
    return fresh


@given(st.lists(st.sampled_from(["envelope", "kill"]), max_size=300))
def test_counters_rise_strictly_whenever_the_party_is_killed(steps: list[str]) -> None:
    party, counters = disk(), [0]
    for step in steps:
        if step == "kill":
            party.killed()
        else:
            counters.append(decode_envelope(party.keys().envelope(DEVICE, b"")).counter)
            assert counters[-1] > counters[-2]


def test_a_block_of_counters_costs_one_write() -> None:
    party = disk()
    before = party.writes
    for _ in range(3 * COUNTER_BLOCK):
        party.keys().envelope(DEVICE, b"")
    assert party.writes - before == 3
