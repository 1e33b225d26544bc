"""The parties that take control over, and the one that keeps the inventory: what each takes, refuses and remembers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.devices.control import ControlRole
from emulator.eui64 import format_eui64
from harness.errors import FileRejectedError, RegimeError, UnreachableError
from harness.exchange.document import Document, FileKind, Row
from harness.regime.controllers import Controller, Dsp
from harness.regime.inventory import TRANSITIONS, InventoryRecord, InventoryStatus
from harness.regime.parties import open_bundle
from harness.regime.world import Regime
from hw_profiles.model import DeviceKind
from tests.harness.regime.enrolment_bench import CASE, CHF, ESME, GSME, IHD, Bench

CONTROLLED = (CHF, ESME, GSME)
BOTH = pytest.mark.parametrize("name", ["s1sp", "dco"])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def regime(bench: Bench) -> Regime:
    made = bench.regime()
    made.take_on(CASE)
    return made


def document(kind: FileKind, *rows: Row) -> Document:
    return Document(
        kind=kind,
        sender="90-B3-D5-1F-30-00-0A-02",
        group_id="AA",
        installation=CASE.installation,
        attempt=1,
        counter=1,
        created_unix_seconds=0,
        rows=rows,
    )


def handed_over(regime: Regime) -> list[Row]:
    return regime.smso.handover_rows([device.eui64 for device in CONTROLLED])


def group(regime: Regime) -> Document:
    points = [row for row in handed_over(regime) if row.element == "ControlPoint"]
    devices = [
        Row("Device", {"eui64": device.name, "kind": str(device.kind)}) for device in (*CONTROLLED, IHD)
    ]
    return document(FileKind.GROUP, *devices, *points)


def sealed_for(regime: Regime, name: str) -> list[Row]:
    return [row for row in handed_over(regime) if row.get("recipient") == name]


def party(regime: Regime, name: str) -> Controller:
    found: Controller = getattr(regime, name)
    return found


def take(regime: Regime, name: str, *rows: Row, of: Document | None = None) -> list[str]:
    controller = party(regime, name)
    return controller.take_secrets(document(FileKind.ENCRYPTED_S1SP, *rows), of or group(regime))


# Secrets


@BOTH
def test_each_controller_takes_the_secrets_that_are_for_it(regime: Regime, name: str) -> None:
    controller = party(regime, name)
    assert take(regime, name, *sealed_for(regime, controller.name)) == []
    keys = controller.control_keys(controller.role)
    assert all(keys.holds(device.eui64) for device in CONTROLLED)
    assert not keys.holds(IHD.eui64), "nobody controls a display"
    smso = regime.smso.control_keys(controller.role)
    assert {device: keys.held(device.eui64).key for device in CONTROLLED} == {
        device: smso.held(device.eui64).key for device in CONTROLLED
    }


def test_the_two_controllers_hold_different_keys_of_a_device(regime: Regime) -> None:
    for name in ("s1sp", "dco"):
        take(regime, name, *sealed_for(regime, party(regime, name).name))
    assert {regime.s1sp.role, regime.dco.role} == set(ControlRole)
    s1sp, dco = (each.control_keys(each.role).held(ESME.eui64).key for each in (regime.s1sp, regime.dco))
    assert s1sp != dco


@BOTH
@pytest.mark.parametrize("bundles", [0, 2])
def test_v02_no_bundle_or_two_of_them(regime: Regime, name: str, bundles: int) -> None:
    own = sealed_for(regime, party(regime, name).name)
    with pytest.raises(FileRejectedError, match=f"V02: {bundles} bundles for the {party(regime, name).name}"):
        take(regime, name, *(own * bundles))


@BOTH
@pytest.mark.parametrize("place", [0, 20, -3])
def test_v02_a_bundle_that_was_altered_or_is_for_another(regime: Regime, name: str, place: int) -> None:
    controller = party(regime, name)
    (own,) = sealed_for(regime, controller.name)
    digits = own["data"]
    at = place % (len(digits) - 4)
    other = "A" if digits[at] != "A" else "B"
    altered = Row("Sealed", {**own.values, "data": digits[:at] + other + digits[at + 1 :]})
    with pytest.raises(FileRejectedError, match=f"V02: secrets for the {controller.name}: "):
        take(regime, name, altered)
    (theirs,) = sealed_for(regime, "DCO" if controller.name == "S1SP" else "S1SP")
    with pytest.raises(FileRejectedError, match=r"V02[^;]*not for this key, or altered on the way"):
        take(regime, name, Row("Sealed", {**theirs.values, "recipient": controller.name}))


@BOTH
def test_v12_a_device_whose_secrets_are_missing_is_named(regime: Regime, name: str) -> None:
    rows = regime.smso.handover_rows([CHF.eui64, ESME.eui64])
    own = [row for row in rows if row.get("recipient") == party(regime, name).name]
    assert take(regime, name, *own) == [GSME.name]


def test_v12_a_device_without_a_control_point_is_named_too(regime: Regime) -> None:
    whole = group(regime)
    less = replace(
        whole,
        rows=tuple(row for row in whole.rows if (row.element, row["eui64"]) != ("ControlPoint", ESME.name)),
    )
    assert take(regime, "s1sp", *sealed_for(regime, "S1SP"), of=less) == [ESME.name]


BUNDLES = [
    b"",
    b"junk",
    b"[]",
    b"7",
    b'{"x":{}}',
    b'{"00-DB-12-34-56-78-90-A1":{}}',
    b'{"00-DB-12-34-56-78-90-A1":7}',
]


@pytest.mark.parametrize("octets", BUNDLES)
def test_v02_a_bundle_that_opens_and_is_none(octets: bytes) -> None:
    with pytest.raises(FileRejectedError, match="V02: the secrets are not what they should be"):
        open_bundle(octets)


# Keys


@BOTH
async def test_keys_agree_when_the_device_obeys_and_not_when_it_does_not_or_says_nothing(
    bench: Bench, regime: Regime, name: str
) -> None:
    controller = party(regime, name)
    take(regime, name, *sealed_for(regime, controller.name))
    send = bench.world.send_control
    assert await controller.keys_agree(ESME.eui64, send)
    await controller.rotate(ESME.eui64, 1, send)
    assert await controller.keys_agree(ESME.eui64, send)
    assert not await controller.keys_agree(IHD.eui64, send), "of a display there is no key"
    bench.world.silent.append(ESME.eui64)
    with pytest.raises(UnreachableError):
        await controller.keys_agree(ESME.eui64, send)


@BOTH
async def test_a_rotation_that_nobody_saw_end_is_settled_and_counted_once(
    bench: Bench, regime: Regime, name: str
) -> None:
    controller = party(regime, name)
    take(regime, name, *sealed_for(regime, controller.name))
    bench.world.lose = lambda count: count == 1
    assert controller.next_generation(ESME.eui64) == 1
    with pytest.raises(UnreachableError):
        await controller.rotate(ESME.eui64, 1, bench.world.send_control)
    again = party(bench.regime(), name)
    await again.settle(ESME.eui64, bench.world.send_control)
    await again.settle(ESME.eui64, bench.world.send_control)
    assert sorted(bench.world.rotations(ESME)) == [0, 1]
    assert again.next_generation(ESME.eui64) == 1, "the one that follows the key that was taken over"
    (row,) = again.rotated_rows([ESME.name])
    assert row["generation"] == "1"


async def test_the_old_head_end_is_locked_out_by_what_the_new_one_did(bench: Bench, regime: Regime) -> None:
    for name in ("s1sp", "dco"):
        controller = party(regime, name)
        take(regime, name, *sealed_for(regime, controller.name))
        await controller.rotate(ESME.eui64, 1, bench.world.send_control)
    regime.smso.release(ESME.eui64)
    for role in ControlRole:
        with pytest.raises(RegimeError, match=f"the SMSO has released {ESME.name}; ask the S1SP and the DCO"):
            regime.smso.command(ESME.eui64, role, b"")
        status = await regime.smso.locked_out(ESME.eui64, role, bench.world.send_control)
        assert status.name == "WRONG_GENERATION"
    assert regime.smso.controls(GSME.eui64)


# The inventory


def test_a_device_is_commissioned_step_by_step_and_again_without_harm(regime: Regime) -> None:
    record = regime.dsp.commission(ESME.eui64, "00000002", {"supplier": "0A"})
    assert [status for _, status in record.history] == [
        InventoryStatus.PENDING,
        InventoryStatus.INSTALLED_NOT_COMMISSIONED,
        InventoryStatus.COMMISSIONED,
    ]
    again = regime.dsp.commission(ESME.eui64, "00000002", {"DNO": "0B"})
    assert again.history == record.history
    assert again.credentials == {"supplier": "0A", "DNO": "0B"}


def test_what_the_inventory_holds_is_there_for_the_next_run(bench: Bench, regime: Regime) -> None:
    regime.dsp.commission(ESME.eui64, "00000002", {"supplier": "0A"})
    again = bench.regime().dsp
    assert again.record(ESME.eui64) == regime.dsp.record(ESME.eui64)
    assert (again.status(ESME.name), again.firmware(ESME.name)) == ("Commissioned", "00000002")
    again.notify(InventoryRecord(ESME.eui64, DeviceKind.ESME, "x", "y", "z"))
    assert again.status(ESME.name) == "Commissioned", "a device that is known is left as it is"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda dsp: dsp.commission(1, "2", {}), "00-00-00-00-00-00-00-01 is not known; pre-notify it first"),
        (
            lambda dsp: dsp.update_credentials(1, {}),
            "00-00-00-00-00-00-00-01 is not commissioned; nothing to update",
        ),
        (
            lambda dsp: dsp.update_credentials(ESME.eui64, {}),
            f"{ESME.name} is not commissioned; nothing to update",
        ),
        (lambda dsp: dsp.commission(IHD.eui64, "2", {}), f"{IHD.name} is None, cannot become"),
    ],
)
def test_what_the_inventory_cannot_do_is_said(
    regime: Regime, call: Callable[[Dsp], object], said: str
) -> None:
    with pytest.raises(RegimeError) as refused:
        call(regime.dsp)
    assert str(refused.value).startswith("inventory: ")
    assert said in str(refused.value)


def test_a_display_has_neither_status_nor_firmware(regime: Regime) -> None:
    assert (regime.dsp.status(IHD.name), regime.dsp.firmware(IHD.name)) == ("", "")
    assert (regime.dsp.status("00-00-00-00-00-00-00-01"), regime.dsp.firmware("00-00-00-00-00-00-00-01")) == (
        "",
        "",
    )


@pytest.mark.parametrize("origin", list(InventoryStatus))
def test_a_move_that_is_not_legal_names_those_that_are(origin: InventoryStatus) -> None:
    record = InventoryRecord(1, DeviceKind.ESME, "m", "x", "1", status=origin)
    for status in InventoryStatus:
        if status in TRANSITIONS[origin]:
            assert record.moved(status, 5).history == ((5, status),)
        else:
            said = f"is {origin}, cannot become {status}; allowed: {TRANSITIONS[origin][0]}"
            with pytest.raises(RegimeError, match=said):
                record.moved(status, 5)


@given(st.lists(st.sampled_from(list(InventoryStatus)), max_size=30))
def test_whatever_is_asked_of_it_a_record_moves_only_along_the_table(moves: list[InventoryStatus]) -> None:
    record = InventoryRecord.notified(InventoryRecord(1, DeviceKind.ESME, "m", "x", "1"), 0)
    for at, status in enumerate(moves, start=1):
        before = record
        try:
            record = record.moved(status, at)
        except RegimeError:
            assert status not in TRANSITIONS[before.status or status]
            assert record is before
    walked = [status for _, status in record.history]
    assert all(after in TRANSITIONS[before] for before, after in pairwise(walked))
    assert record.status is walked[-1]
    assert format_eui64(record.eui64).endswith("01")
