from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import harness.exchange.folder as folder_module
import harness.regime.party as party_module
from harness import files
from harness.errors import ContradictionError, FileRejectedError, RegimeError, UnreachableError
from harness.exchange.document import Document
from harness.facts import Kind
from harness.facts.enrolment import EnrolmentResult, KeyRotation, Transition
from harness.facts.terms import Retry, State
from harness.journal import Entry, Journal, read_entries, verify_journal
from harness.regime.case import DeviceTest, MigratingDevice
from harness.regime.control import NEW_CONTROLLER, OLD_CONTROLLER, UNPROVEN, check_control
from harness.regime.inventory import InventoryStatus
from harness.regime.parameters import RegimeParameters
from hw_profiles.installation import Supply
from tests.harness.regime.enrolment_bench import CHF, DEVICES, ESME, GSME, IHD, Bench, Crash

CONTROLLED = (CHF, ESME, GSME)
MOMENTS = ("before an entry", "before a file", "after a file")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def end_state(result: EnrolmentResult) -> tuple[object, ...]:
    obligations = [(item.role, item.device, item.owner) for item in result.obligations]
    files = sorted({item.name.split("_")[0] for item in result.files})
    return result.state, result.control, result.inventory, result.placements, obligations, files


async def test_a_dormant_home_is_commissioned_and_its_old_head_end_locked_out(bench: Bench) -> None:
    result = await bench.enrol()
    assert result.state is State.COMMISSIONED
    assert result.control == {device.name: NEW_CONTROLLER for device in CONTROLLED}
    assert {bench.world.rotations(device) for device in CONTROLLED} == {(1, 1)}
    assert result.inventory == {device.name: "Commissioned" for device in CONTROLLED} | {IHD.name: ""}
    assert all(placement.placed for placement in result.placements)
    assert (result.obligations, result.problems) == ((), ())
    assert len({item.name for item in result.files}) == 16
    assert verify_journal(bench.journal_path).holds
    control = check_control(read_entries(bench.journal_path))
    assert control.faults == []
    assert control.commissioned == [device.name for device in CONTROLLED]
    assert not bench.regime().smso.controls(ESME.eui64)


async def test_equal_seeds_give_equal_journals_and_files(tmp_path: Path) -> None:
    heads, files = [], []
    for name in ("a", "b"):
        bench = Bench(tmp_path / name)
        bench.folder.mkdir()
        await bench.enrol()
        heads.append(read_entries(bench.journal_path)[-1].hash)
        files.append([path.read_bytes() for path in sorted((bench.folder / "exchange").iterdir())])
    assert heads[0] == heads[1]
    assert files[0] == files[1]


def dies(bench: Bench, monkeypatch: pytest.MonkeyPatch, where: str, n: int) -> None:
    """Arrange for the process to die at the n-th moment of a kind."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == n:
            raise Crash

    compose, write = Journal._compose, files.write_atomically

    def composing(self: Journal, *of: Any) -> Entry:
        tick()
        return compose(self, *of)

    def writing(path: Path, data: bytes, *, private: bool = False) -> None:
        if where == "before a file":
            tick()
        write(path, data, private=private)
        if where == "after a file":
            tick()

    if where == "before an entry":
        monkeypatch.setattr(Journal, "_compose", composing)
    else:
        for module in (party_module, folder_module):
            monkeypatch.setattr(module, "write_atomically", writing)


async def crash_and_resume(folder: Path, where: str, n: int) -> EnrolmentResult | None:
    """Die once, resume, and return the end; None when the run ended before the n-th moment."""
    bench = Bench(folder)
    bench.folder.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        dies(bench, monkeypatch, where, n)
        try:
            await bench.enrol()
        except Crash:
            pass
        else:
            return None
    result = await bench.enrol()
    place = f"crash {where} {n}"
    assert {bench.world.rotations(device) for device in CONTROLLED} == {(1, 1)}, place
    assert verify_journal(bench.journal_path).faults == [], place
    assert check_control(read_entries(bench.journal_path)).faults == [], place
    return result


async def crash_everywhere(tmp_path: Path, where: str, first: int, step: int) -> None:
    reference = Bench(tmp_path / "reference")
    reference.folder.mkdir()
    expected = end_state(await reference.enrol())
    n = first
    while (result := await crash_and_resume(tmp_path / str(n), where, n)) is not None:
        assert end_state(result) == expected, f"crash {where} {n}"
        n += step
    assert n > 40


@pytest.mark.parametrize("where", MOMENTS)
async def test_a_crash_at_any_moment_resumes_to_the_same_end(tmp_path: Path, where: str) -> None:
    await crash_everywhere(tmp_path, where, 3, 23)


@pytest.mark.sweep
@pytest.mark.parametrize("where", MOMENTS)
async def test_a_crash_at_every_moment_resumes_to_the_same_end(tmp_path: Path, where: str) -> None:
    await crash_everywhere(tmp_path, where, 1, 1)


async def test_a_lost_answer_to_a_rotation_never_rotates_twice(bench: Bench) -> None:
    bench.world.lose = lambda count: count > 6 and count % 2 == 1
    result = await bench.enrol()
    assert result.state is State.COMMISSIONED
    assert {bench.world.rotations(device) for device in CONTROLLED} == {(1, 1)}


async def test_silence_after_cut_over_stops_and_a_resumed_run_goes_forward(bench: Bench) -> None:
    bench.world.lose = lambda count: count > 6
    with pytest.raises(UnreachableError):
        await bench.enrol()
    bench.world.lose = lambda count: False
    result = await bench.enrol()
    assert result.state is State.COMMISSIONED
    assert {bench.world.rotations(device) for device in CONTROLLED} == {(1, 1)}
    assert verify_journal(bench.journal_path).holds


async def test_network_certificates_not_supplied_in_time_become_obligations(bench: Bench) -> None:
    bench.with_certificates(Supply.BEFORE_CUT_OFF, Supply.NEVER, Supply.NEVER)
    result = await bench.enrol()
    assert result.state is State.COMMISSIONED
    assert [(item.role, item.device) for item in result.obligations] == [
        ("DNO", ESME.name),
        ("GT", GSME.name),
    ]
    assert {item.owner for item in result.obligations} == {"Responsible Supplier"}
    days = (result.obligations[0].due_unix_seconds - bench.kernel.unix_seconds) / 86_400
    assert days == pytest.approx(7, abs=0.01)
    assert len(bench.regime().responsible_supplier.table("obligations")) == 2


async def test_a_certificate_that_comes_after_the_cut_off_ends_its_obligation(bench: Bench) -> None:
    bench.with_certificates(Supply.BEFORE_CUT_OFF, Supply.AFTER_CUT_OFF, Supply.NEVER)
    result = await bench.enrol()
    assert result.state is State.COMMISSIONED
    assert [(item.role, item.device) for item in result.obligations] == [("GT", GSME.name)]
    assert ("DNO", ESME.name) in [(item.role, item.device) for item in result.placements if item.placed]
    assert [moved.to for moved in bench.transitions()][-2:] == [
        State.CERTIFICATES_AWAITED,
        State.COMMISSIONED,
    ]
    assert len(bench.regime().responsible_supplier.table("obligations")) == 1


async def test_without_a_certificate_of_the_supplier_nothing_is_commissioned(bench: Bench) -> None:
    bench.with_certificates(Supply.NEVER, Supply.BEFORE_CUT_OFF, Supply.NEVER)
    result = await bench.enrol()
    assert not result.commissioned
    assert result.control == dict.fromkeys(result.control, OLD_CONTROLLER)
    assert {problem.code for problem in result.problems} == {"V06"}
    assert all(status != "Commissioned" for status in result.inventory.values())


async def test_a_network_certificate_of_another_area_is_placed_and_flagged(bench: Bench) -> None:
    bench.dno_distributor = "10"
    result = await bench.enrol()
    assert result.state is State.COMMISSIONED
    placement = next(item for item in result.placements if item.role == "DNO")
    assert placement.placed
    assert placement.reason.startswith("W01")
    assert [problem.code for problem in result.problems] == ["W01"]


async def test_a_silent_gas_meter_is_left_out_and_electricity_goes_on(bench: Bench) -> None:
    bench.world.silent.append(GSME.eui64)
    result = await bench.enrol()
    assert result.state is State.ELECTRICITY_ONLY
    assert result.control[GSME.name] == OLD_CONTROLLER
    assert bench.world.rotations(GSME) == (0, 0)
    assert result.inventory[GSME.name] == "Pending"
    assert [problem.code for problem in result.problems] == ["GT01"]
    assert check_control(read_entries(bench.journal_path)).faults == []


async def test_a_silent_display_is_reported_and_undoes_nothing(bench: Bench) -> None:
    bench.world.silent.append(IHD.eui64)
    result = await bench.enrol()
    assert result.state is State.COMMISSIONED
    assert [problem.code for problem in result.problems] == ["W02"]


async def test_a_silent_electricity_meter_leaves_control_with_the_smso(bench: Bench) -> None:
    bench.world.silent.append(ESME.eui64)
    result = await bench.enrol()
    assert (result.state, result.attempts) == (State.EXCLUSION_REVIEW, 5)
    assert set(result.control.values()) == {OLD_CONTROLLER}
    assert {bench.world.rotations(device) for device in CONTROLLED} == {(0, 0)}


def heals_in_the_pause(bench: Bench, after: int = 1) -> Callable[[Entry], None]:
    """Have every device answer again in the pause after an attempt."""

    def heal(entry: Entry) -> None:
        fact = entry.fact
        if isinstance(fact, Transition) and fact.to is State.RETRY_PAUSED and fact.attempt == after:
            bench.world.silent.clear()

    return heal


async def test_an_attempt_after_one_that_failed_may_succeed(bench: Bench) -> None:
    bench.world.silent.append(ESME.eui64)
    result = await bench.enrol(heals_in_the_pause(bench, after=4))
    assert (result.state, result.attempts) == (State.COMMISSIONED, 5)


async def test_a_wrong_critical_key_stops_before_cut_over(bench: Bench) -> None:
    from emulator.devices.control import provision, rehearsal_identity
    from emulator.nonvolatile import MemoryNonVolatile

    stranger = rehearsal_identity(bench.kernel.secret, ESME.eui64)._replace(critical=bytes(32))
    bench.world.memory[ESME.eui64] = MemoryNonVolatile()
    provision(bench.world.memory[ESME.eui64], stranger)
    result = await bench.enrol()
    assert result.state is State.AWAITING_RESOLUTION
    assert [(problem.code, problem.owner) for problem in result.problems] == [("V15", "DCO")]
    assert set(result.control.values()) == {OLD_CONTROLLER}


async def test_unlisted_firmware_is_ineligible_and_nothing_is_exchanged(bench: Bench) -> None:
    bench.case = replace(bench.case, devices=(CHF, replace(ESME, firmware="00000001"), GSME, IHD))
    result = await bench.enrol()
    assert (result.state, result.files) == (State.NOT_LISTED, ())
    assert [problem.code for problem in result.problems] == ["V09"]


async def test_a_bad_check_digit_is_refused_by_the_commissioning_party(bench: Bench) -> None:
    bench.case = replace(bench.case, mpan="1300001234561")
    result = await bench.enrol()
    assert result.state is State.AWAITING_RESOLUTION
    assert [problem.code for problem in result.problems] == ["V07"]


async def test_a_check_may_be_switched_off(tmp_path: Path) -> None:
    bench = Bench(tmp_path, parameters=RegimeParameters(disabled_checks=("V07",)))
    bench.case = replace(bench.case, mpan="1300001234561")
    assert (await bench.enrol()).state is State.COMMISSIONED


async def test_an_exhausted_day_defers_the_installation(tmp_path: Path) -> None:
    bench = Bench(tmp_path, parameters=RegimeParameters(daily_capacity=0, deferrals=2))
    result = await bench.enrol()
    assert (result.state, result.attempts) == (State.AWAITING_CAPACITY, 3)
    assert [(problem.code, problem.retry) for problem in result.problems] == [("V11", Retry.NEXT_DAY)]


async def test_days_without_capacity_cost_no_attempt(tmp_path: Path) -> None:
    bench = Bench(tmp_path, parameters=RegimeParameters(daily_capacity=0, attempts_before_exclusion=2))

    def kill(entry: Entry) -> None:
        if isinstance(entry.fact, Transition) and entry.fact.attempt == 7:
            raise Crash

    with pytest.raises(Crash):
        await bench.enrol(kill)
    bench.parameters = RegimeParameters()
    assert (await bench.enrol()).state is State.COMMISSIONED


async def test_a_released_smso_refuses_to_command(bench: Bench) -> None:
    from emulator.devices.control import ControlRole, probe_payload

    await bench.enrol()
    with pytest.raises(RegimeError, match="released"):
        bench.regime().smso.command(ESME.eui64, ControlRole.CRITICAL, probe_payload())


async def test_neither_new_controller_can_open_the_others_secrets(bench: Bench) -> None:
    from harness.exchange.document import FileKind

    await bench.enrol()
    regime = bench.regime()
    group = regime.s1sp.read("MGF_AA_example-home_1.xml", FileKind.GROUP).document
    for party, kind in ((regime.s1sp, FileKind.ENCRYPTED_DCO), (regime.dco, FileKind.ENCRYPTED_S1SP)):
        document = party.read(f"{kind.prefix}_AA_example-home_1.xml", kind).document
        with pytest.raises(FileRejectedError, match="V02"):
            party.take_secrets(document, group)


async def test_an_altered_file_stops_the_chain(bench: Bench) -> None:
    def alter(entry: Entry) -> None:
        if entry.kind is Kind.OUTCOME and entry.key.startswith("file/MCF/"):
            path = bench.folder / "exchange" / "MCF_AA_example-home_1.xml"
            path.write_bytes(path.read_bytes().replace(b"1234567810", b"7400000108"))

    result = await bench.enrol(alter)
    assert result.state is State.AWAITING_RESOLUTION
    assert [problem.code for problem in result.problems] == ["V04"]


async def test_a_gas_meter_that_falls_silent_before_its_keys_are_tried_is_left_out_too(bench: Bench) -> None:
    answer = bench.world.device_test

    async def then_silence(eui64: int) -> DeviceTest:
        result = await answer(eui64)
        if eui64 == GSME.eui64:
            bench.world.silent.append(eui64)
        return result

    bench.world.device_test = then_silence  # type: ignore[method-assign]
    result = await bench.enrol()
    assert result.state is State.ELECTRICITY_ONLY
    assert {problem.code for problem in result.problems} == {"GT01"}


PUBLISHED_BEFORE_CUT_OVER = 9


@pytest.mark.parametrize("n", range(PUBLISHED_BEFORE_CUT_OVER))
async def test_a_kill_between_a_file_and_its_counter_does_not_poison_later_attempts(
    n: int, tmp_path: Path
) -> None:
    bench = Bench(tmp_path)
    bench.world.silent.append(ESME.eui64)
    note, noted = party_module.Party._note_sent, iter(range(10_000))

    def dying(self: party_module.Party, document: Document) -> None:
        if next(noted) == n:
            raise Crash
        note(self, document)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(party_module.Party, "_note_sent", dying)
        with pytest.raises(Crash):
            await bench.enrol()
    result = await bench.enrol(heals_in_the_pause(bench))
    assert (result.state, [problem.code for problem in result.problems if problem.code == "V05"]) == (
        State.COMMISSIONED,
        [],
    )


async def test_a_key_rotated_before_the_journal_lost_its_tail_is_not_rotated_again(bench: Bench) -> None:
    def kill(entry: Entry) -> None:
        if isinstance(entry.fact, Transition) and entry.fact.to is State.CUT_OVER:
            raise Crash

    with pytest.raises(Crash):
        await bench.enrol(kill)
    older = bench.journal_path.read_bytes()
    assert (await bench.enrol()).state is State.COMMISSIONED
    bench.journal_path.write_bytes(older)
    with pytest.raises(RegimeError, match="already exists with other content"):
        await bench.enrol()
    assert {bench.world.rotations(device) for device in CONTROLLED} == {(1, 1)}


async def test_a_device_that_runs_another_firmware_than_was_requested_is_not_commissioned(
    bench: Bench,
) -> None:
    bench.world.running[ESME.eui64] = "00000001"
    with pytest.raises(ContradictionError, match="runs firmware 00000001"):
        await bench.enrol()
    assert bench.regime().dsp.status(ESME.name) == "Pending"
    bench.world.running.clear()
    assert (await bench.enrol()).state is State.COMMISSIONED


async def test_the_inventory_holds_the_firmware_that_was_requested_and_read_back(bench: Bench) -> None:
    """Pre-notified before an upgrade, commissioned after it."""
    earlier = replace(bench.case, devices=tuple(replace(device, firmware="00000001") for device in DEVICES))
    bench.regime().take_on(earlier)
    await bench.enrol()
    records = [bench.regime().dsp.record(device.eui64) for device in CONTROLLED]
    assert {record.firmware for record in records if record is not None} == {"00000002"}


@pytest.mark.parametrize(
    "status",
    [InventoryStatus.COMMISSIONED, InventoryStatus.DECOMMISSIONED, InventoryStatus.WITHDRAWN],
)
async def test_a_device_past_commissioning_is_refused_before_control_passes(
    bench: Bench, status: InventoryStatus
) -> None:
    regime = bench.regime()
    regime.take_on(bench.case)
    record = regime.dsp.table("inventory")[ESME.name]
    assert isinstance(record, dict)
    record["status"] = str(status)
    regime.dsp.save()
    result = await bench.enrol()
    assert result.state is State.EXCLUDED
    assert list(bench.regime().commissioning_party.table("exclusions")) == [bench.case.mpan]
    assert [(problem.code, problem.subject) for problem in result.problems] == [("V08", ESME.name)]
    assert str(status) in result.problems[0].text
    assert set(result.control.values()) == {OLD_CONTROLLER}


@pytest.mark.parametrize("supply", [Supply.NEVER, Supply.AFTER_CUT_OFF])
async def test_nothing_is_commissioned_without_a_certificate_of_the_supplier(
    bench: Bench, supply: Supply
) -> None:
    bench.with_certificates(supply, Supply.BEFORE_CUT_OFF, Supply.BEFORE_CUT_OFF)
    result = await bench.enrol()
    assert result.state is State.AWAITING_RESOLUTION
    assert [problem.code for problem in result.problems] == ["V06"]
    assert set(result.control.values()) == {OLD_CONTROLLER}


def altering(bench: Bench, prefix: str) -> Callable[[Entry], None]:
    """Alter a file as soon as it is published."""

    def alter(entry: Entry) -> None:
        if entry.kind is Kind.OUTCOME and entry.key.startswith(f"file/{prefix}/"):
            path = next((bench.folder / "exchange").glob(f"{prefix}_*"))
            path.write_bytes(path.read_bytes().replace(b"example-home", b"another-home"))

    return alter


@pytest.mark.parametrize(
    "prefix", ["DMS", "MA", "MCF", "MCVF", "SHF", "MGF", "MGEF-S1SP", "MGEF-DCO", "VIF-S1SP", "VIF-DCO"]
)
async def test_a_refused_file_before_cut_over_ends_the_attempt_until_that_is_resolved(
    bench: Bench, prefix: str
) -> None:
    result = await bench.enrol(altering(bench, prefix))
    assert result.state is State.AWAITING_RESOLUTION
    assert set(result.control.values()) == {OLD_CONTROLLER}
    assert check_control(read_entries(bench.journal_path)).faults == []


def silent_from(bench: Bench, device: int, to: State) -> Callable[[Entry], None]:
    """Have a device fall silent when the installation reaches a state."""

    def fall_silent(entry: Entry) -> None:
        if isinstance(entry.fact, Transition) and entry.fact.to is to:
            bench.world.silent.append(device)

    return fall_silent


@pytest.mark.parametrize(
    ("state", "code", "owner", "rotations"),
    [
        (State.CUT_OVER, "K01", UNPROVEN, (0, 0)),
        (State.KEYS_ROTATED, "GT01", NEW_CONTROLLER, (1, 1)),
        (State.COMMISSIONING, "GT01", NEW_CONTROLLER, (1, 1)),
    ],
)
async def test_gas_dead_after_cut_over_does_not_hold_electricity_back(
    bench: Bench, state: State, code: str, owner: str, rotations: tuple[int, int]
) -> None:
    result = await bench.enrol(silent_from(bench, GSME.eui64, state))
    assert result.state is State.ELECTRICITY_ONLY
    assert {name: result.inventory[name] for name in (CHF.name, ESME.name)} == {
        CHF.name: "Commissioned",
        ESME.name: "Commissioned",
    }
    assert result.inventory[GSME.name] == "Pending"
    assert [problem.code for problem in result.problems] == [code]
    assert result.control[GSME.name] == owner
    assert bench.world.rotations(GSME) == rotations
    assert verify_journal(bench.journal_path).open_intents == []
    assert check_control(read_entries(bench.journal_path)).faults == []


async def test_a_key_the_gas_meter_took_without_a_word_is_not_claimed(bench: Bench) -> None:
    """Its answer is lost every time: nobody knows whether it obeys the new key."""
    send = bench.world.send_control

    async def mute(eui64: int, envelope: bytes) -> bytes:
        response = await send(eui64, envelope)
        if eui64 == GSME.eui64 and bench.world.rotations(GSME) != (0, 0):
            raise UnreachableError("no answer over the WAN link; try again")
        return response

    bench.world.send_control = mute  # type: ignore[method-assign]
    result = await bench.enrol()
    assert result.state is State.ELECTRICITY_ONLY
    assert sum(bench.world.rotations(GSME)) == 1
    assert result.control[GSME.name] == UNPROVEN
    with bench.journal() as journal:
        done = [act for act in journal.facts(KeyRotation) if journal.done(act.key) is not None]
    assert GSME.name not in {act.subject for act in done}


@pytest.mark.parametrize("device", [CHF, ESME], ids=["hub", "electricity"])
async def test_a_hub_or_electricity_meter_dead_after_cut_over_is_waited_for(
    bench: Bench, device: MigratingDevice
) -> None:
    with pytest.raises(UnreachableError):
        await bench.enrol(silent_from(bench, device.eui64, State.CUT_OVER))
    bench.world.silent.clear()
    assert (await bench.enrol()).state is State.COMMISSIONED


async def test_a_file_refused_after_cut_over_stops_and_goes_on_once_it_is_put_right(bench: Bench) -> None:
    kept: dict[Path, bytes] = {}

    def alter(entry: Entry) -> None:
        if entry.kind is Kind.OUTCOME and entry.key.startswith("file/CRQ/"):
            path = next((bench.folder / "exchange").glob("CRQ_*"))
            kept[path] = path.read_bytes()
            path.write_bytes(kept[path].replace(b"example-home", b"another-home"))

    with pytest.raises(RegimeError, match=r"V04.*control has passed"):
        await bench.enrol(alter)
    for path, octets in kept.items():
        path.write_bytes(octets)
    assert (await bench.enrol()).state is State.COMMISSIONED
    assert {bench.world.rotations(each) for each in CONTROLLED} == {(1, 1)}
