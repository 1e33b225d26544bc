"""Verification: a whole run proves, on any medium, without a trace; what is damaged or not finished is said so."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from harness.command.main import main
from harness.errors import HarnessError
from harness.evidence.finding import Finding
from harness.evidence.verification import verify_run
from harness.facts.enrolment import Commissioned, KeyRotation
from harness.journal import Entry, campaign_key, fingerprint, read_entries
from harness.journal.signing import public_point, read_signing_key
from harness.report.stored import read_report
from harness.run_folder import digests_of
from tests.harness.campaign.conftest import PowerCut, Rig
from tests.harness.evidence.conftest import OWN_KEY, TRUSTED, write_key
from tests.harness.evidence.forger import chained, store


def faults(findings: tuple[Finding, ...]) -> list[str]:
    """Return what does not hold."""
    return [f"{finding.subject}: {finding.detail}" for finding in findings if finding.holds is False]


def open_ends(findings: tuple[Finding, ...]) -> list[str]:
    """Return what cannot be said yet."""
    return [finding.subject for finding in findings if finding.holds is None]


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def test_a_whole_run_proves_and_nothing_is_touched(run: Path) -> None:
    before, folders = digests_of(run), sorted(run.rglob("*"))
    assert all(finding.holds for finding in verify_run(run, TRUSTED))
    assert (digests_of(run), sorted(run.rglob("*"))) == (before, folders)


def test_what_is_printed_says_whose_key_and_how_it_ended(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(run), "--trust", f"SHA256:{TRUSTED.upper()}"]) == 0
    told = capsys.readouterr().out
    assert f"by the trusted key {TRUSTED}" in told
    assert "finished: commissioned" in told
    assert main(["verify", str(run)]) == 0
    assert "asks with --trust" in capsys.readouterr().out


def test_another_key_than_the_trusted_one_is_a_fault(run: Path) -> None:
    other = fingerprint(public_point(campaign_key(1)))
    assert any(f"not by the trusted {other}" in fault for fault in faults(verify_run(run, other)))
    with pytest.raises(HarnessError, match="64 hexadecimal digits"):
        verify_run(run, "my key")


def test_a_rehearsal_key_is_named_as_one(tmp_path: Path) -> None:
    Rig(tmp_path / "run").run(dry_run=True)
    signature = next(item for item in verify_run(tmp_path / "run") if item.subject == "signature")
    assert signature.holds
    assert "a public rehearsal key: seed 1 makes it" in signature.detail


def test_a_folder_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path / "gone")]) == 2
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "octets",
    [b"", b"not a journal" * 999, b"SQLite format 3\0" + b"\xff" * 9000],
    ids=["empty", "text", "junk"],
)
def test_a_damaged_journal_is_one_line(run: Path, octets: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "journal.sqlite").write_bytes(octets)
    assert main(["verify", str(run)]) == 1
    assert capsys.readouterr().out.startswith("FAIL  journal.sqlite: ")


@pytest.mark.parametrize(
    "change",
    [
        "time_us='now'",
        "details=x'ff00'",
        "details='[' ",
        "details='[1]'",
        "details='{\"version\":1e999}'",
        "kind='rumour'",
        "hash=7",
        "previous='text'",
        "action=4.5",
    ],
)
def test_a_row_of_other_types_is_one_line(run: Path, change: str, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(run / "journal.sqlite") as database:
        database.execute("DROP TRIGGER entry_no_update")
        database.execute(f"UPDATE entry SET {change} WHERE sequence=5")
    database.close()
    assert main(["verify", str(run)]) == 1
    captured = capsys.readouterr()
    assert "FAIL  journal.sqlite: " in captured.out
    assert captured.err == ""


def test_a_finished_run_without_its_final_signature_does_not_prove(run: Path) -> None:
    entries = read_entries(run / "journal.sqlite")
    for rest in (entries[:-1], entries[:-2], chained(entries, None)):
        store(run / "journal.sqlite", rest)
        assert any("no signature over a seal" in fault for fault in faults(verify_run(run, TRUSTED)))


# Unfinished runs


def killed(rig: Rig, at: int) -> None:
    """Kill a run once its journal has so many entries."""

    def cut(entry: Entry) -> None:
        if entry.sequence == at:
            raise PowerCut

    with pytest.raises(PowerCut):
        rig.run(cut)


@pytest.mark.parametrize("at", [3, 90, 160])
def test_what_holds_of_a_killed_run_is_said_and_that_it_is_not_finished(at: int, tmp_path: Path) -> None:
    rig = Rig(tmp_path / "run")
    killed(rig, at)
    findings = verify_run(rig.folder)
    assert faults(findings) == []
    assert set(open_ends(findings)) - {"signature"} == {"run", "files", "report.json"}
    assert ("signature" in open_ends(findings)) == (at < 100)
    next(iter((rig.folder / "inputs").rglob("sequence.toml"))).write_text("")
    assert any("sequence.toml: altered" in fault for fault in faults(verify_run(rig.folder)))


def test_a_stopped_run_proves_as_far_as_it_goes_also_while_it_goes_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "run")
    rig.prepare.append(lambda home: setattr(home, "wan_up", False))
    rig.run()
    stopped = verify_run(rig.folder)
    assert (faults(stopped), open_ends(stopped)) == ([], ["run"])
    assert rig.home is not None
    rig.home.wan_up = True
    killed(rig, len(rig.entries()) + 20)
    going_on = verify_run(rig.folder)
    assert faults(going_on) == []
    assert "report.json" not in open_ends(going_on)


# Keys


def test_a_run_is_signed_with_ones_own_key_and_resumed_only_with_it(tmp_path: Path) -> None:
    key = write_key(tmp_path / "key.pem")
    assert public_point(read_signing_key(key)) == public_point(OWN_KEY)
    rig = Rig(tmp_path / "run", signing_key=key)
    killed(rig, 40)
    rig.signing_key = None
    with pytest.raises(HarnessError, match="another campaign key"):
        rig.run()
    rig.signing_key = key
    rig.run()
    assert all(finding.holds for finding in verify_run(rig.folder, TRUSTED))


@pytest.mark.parametrize("text", ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_leaves_no_folder(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key.pem"
    path.write_text(text)
    with pytest.raises(HarnessError, match="openssl ecparam"):
        Rig(tmp_path / "run", signing_key=path).run()
    assert not (tmp_path / "run").exists()


def test_the_end_says_what_the_facts_say(run: Path) -> None:
    facts = [entry.fact for entry in read_entries(run / "journal.sqlite")]
    assert sum(isinstance(fact, KeyRotation) for fact in facts) == 6
    assert sum(isinstance(getattr(fact, "result", None), Commissioned) for fact in facts) == 3
    assert {device.inventory_status for device in read_report(run).devices} >= {"Commissioned"}


def test_a_report_that_was_lost_is_made_again_and_proves(run: Path) -> None:
    for name in ("report.json", "report.html"):
        (run / name).unlink()
    assert any("report.json: missing" in fault for fault in faults(verify_run(run, TRUSTED)))
    rig = Rig(run, signing_key=write_key(run.parent / "key.pem"))
    rig.run()
    assert all(finding.holds for finding in verify_run(run, TRUSTED))


def test_an_inventory_with_other_firmware_than_was_read_back_is_found(run: Path) -> None:
    """As of a regime that commissions with the version from before the upgrade: its journal is otherwise in order."""
    entries = read_entries(run / "journal.sqlite")
    spoilt = [
        replace(
            entry, details_json=entry.details_json.replace('"firmware":"02000000"', '"firmware":"01000000"')
        )
        if entry.kind == "outcome" and entry.action == "commission"
        else entry
        for entry in entries
    ]
    store(run / "journal.sqlite", chained(spoilt, OWN_KEY))
    assert any("commissioned with firmware 01000000, and said" in fault for fault in faults(verify_run(run)))


def test_the_inventory_has_the_firmware_from_after_the_upgrade(run: Path) -> None:
    firmware = {device.role.value: device.inventory_firmware for device in read_report(run).devices}
    assert (firmware["ESME"], firmware["GSME"]) == ("02000000", "01040000")


@pytest.mark.parametrize(
    "statement", ["DROP TRIGGER entry_no_update", "CREATE TABLE more (x)", "DROP INDEX entry_key"]
)
def test_a_journal_with_other_tables_or_triggers_is_found(run: Path, statement: str) -> None:
    database = sqlite3.connect(run / "journal.sqlite")
    database.execute(statement)
    database.close()
    assert any("tables and triggers" in fault for fault in faults(verify_run(run, TRUSTED)))
