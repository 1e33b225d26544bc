"""A finished run to which something happened afterwards: what `verify` says, file by file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.evidence.finding import Finding, guarded, stated
from harness.evidence.folder import differences
from harness.evidence.signature import check_signer, read_fingerprint
from harness.evidence.verification import verify_run
from harness.journal.signing import campaign_key, fingerprint, public_point
from harness.run_folder import NOT_A_FILE
from tests.harness.evidence.conftest import OWN_KEY, TRUSTED
from tests.harness.facts.samples import begun

Damage = Callable[[Path], object]


def first(run: Path, pattern: str) -> Path:
    return sorted(run.glob(pattern))[0]


def altered(pattern: str) -> Damage:
    def damage(run: Path) -> None:
        path = first(run, pattern)
        octets = bytearray(path.read_bytes())
        octets[len(octets) // 2] ^= 1
        path.write_bytes(octets)

    return damage


def removed(pattern: str) -> Damage:
    return lambda run: first(run, pattern).unlink()


def linked(pattern: str) -> Damage:
    def damage(run: Path) -> None:
        path = first(run, pattern)
        path.rename(run.parent / "elsewhere")
        path.symlink_to(run.parent / "elsewhere")

    return damage


def added(name: str) -> Damage:
    return lambda run: (run / name).write_text("hello")


DAMAGES: list[tuple[str, Damage, str, str]] = [
    ("a file more", added("note.txt"), "files", "note.txt: added since"),
    ("a file more among the exchanged", added("exchange/note.xml"), "exchange", "note.xml: "),
    (
        "a file more among the inputs",
        added("inputs/home/note.toml"),
        "files",
        "inputs/home/note.toml: added since",
    ),
    ("the request is gone", removed("run.json"), "run.json", "missing"),
    ("the request is another", added("run.json"), "run.json", "does not say what the journal says"),
    ("the request is another, as a file", added("run.json"), "files", "run.json: altered, SHA-256 is "),
    ("a capture where none was", added("capture.pcapng"), "files", "capture.pcapng: added since"),
    ("a capture that is none", added("capture.pcapng"), "capture.pcapng", "holds 0 frames, 5 octets"),
    ("an input is altered", altered("inputs/home/*.toml"), "files", "altered, SHA-256 is "),
    ("an input is gone", removed("inputs/home/epcl.toml"), "files", "epcl.toml: missing"),
    ("an input is a link", linked("inputs/home/epcl.toml"), "files", f"epcl.toml: {NOT_A_FILE}"),
    ("an exchanged file is altered", altered("exchange/MCF*.xml"), "exchange", "MCF_"),
    (
        "an exchanged file is gone",
        removed("exchange/CRF*.xml"),
        "exchange",
        "in the journal, but missing or not valid",
    ),
    ("an exchanged file is a link", linked("exchange/CRF*.xml"), "files", NOT_A_FILE),
    (
        "the issuer is gone",
        removed("smki/issuing.pem"),
        "smki",
        "issuing.pem: cannot be read (there is no such file)",
    ),
    ("the root is altered", altered("smki/root.pem"), "", "root.pem"),
    ("a party's state is altered", altered("parties/*/state.json"), "files", "state.json: altered"),
    ("a party's key is gone", removed("parties/*/*.key.pem"), "files", ".key.pem: missing"),
    ("the page is gone", removed("report.html"), "report.html", "missing; make it with: smets1 report /"),
    ("the page is another", added("report.html"), "report.html", "does not show what the journal gives"),
    (
        "the report is gone",
        removed("report.json"),
        "report.json",
        "missing; make it with: smets1 run --resume /",
    ),
    ("the report is another", altered("report.json"), "report.json", ""),
    ("the report is no JSON", added("report.json"), "report.json", ""),
    ("a pipe lies there", lambda run: os.mkfifo(run / "pipe"), "files", "pipe: added since"),
    (
        "a folder of files lies there",
        lambda run: shutil.copytree(run / "smki", run / "more"),
        "files",
        "more/root.pem: ",
    ),
]


@pytest.mark.parametrize(
    ("damage", "subject", "words"), [row[1:] for row in DAMAGES], ids=[row[0] for row in DAMAGES]
)
def test_what_happened_to_a_file_is_found_and_nothing_is_touched(
    run: Path, damage: Damage, subject: str, words: str
) -> None:
    damage(run)
    before = sorted(run.rglob("*"))
    findings = verify_run(run, TRUSTED)
    wrong = [each for each in findings if each.holds is False]
    assert any(each.subject == (subject or each.subject) and words in each.detail for each in wrong), wrong
    assert all("\n" not in each.detail for each in findings)
    assert sorted(run.rglob("*")) == before


def test_an_empty_folder_more_is_nobodys_business(run: Path) -> None:
    (run / "empty").mkdir()
    assert all(finding.holds for finding in verify_run(run, TRUSTED))


# The parts


names = st.sampled_from(["a", "b", "c/d"])
digests = st.sampled_from(["00" * 32, "01" * 32, NOT_A_FILE])


@given(st.dictionaries(names, digests), st.dictionaries(names, digests))
def test_a_difference_is_told_once_for_each_name_that_has_one(
    expected: dict[str, str], found: dict[str, str]
) -> None:
    told = list(differences(expected, found))
    unlike = {name for name in {*expected, *found} if expected.get(name) != found.get(name)}
    # What is no file is none, whatever was sealed.
    unlike |= {name for name in expected if found.get(name) == NOT_A_FILE}
    assert [line.partition(": ")[0] for line in told] == sorted(unlike)


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        ({}, {}, []),
        ({"a": "00"}, {"a": "00"}, []),
        ({"a": "00"}, {}, ["a: missing"]),
        ({}, {"a": "00"}, ["a: added since"]),
        ({"a": "00"}, {"a": "01"}, ["a: altered, SHA-256 is 01"]),
        ({"a": "00"}, {"a": NOT_A_FILE}, ["a: not a regular file"]),
        ({"b": "0", "a": "0"}, {}, ["a: missing", "b: missing"]),
    ],
)
def test_how_a_difference_is_told(expected: dict[str, str], found: dict[str, str], told: list[str]) -> None:
    assert list(differences(expected, found)) == told


DIGITS = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "text",
    [
        DIGITS,
        DIGITS.upper(),
        f"  {DIGITS}\n",
        f"sha256:{DIGITS}",
        f"SHA256:{DIGITS.upper()}",
        ":".join(DIGITS),
    ],
)
def test_a_fingerprint_is_read_as_people_and_tools_write_it(text: str) -> None:
    assert read_fingerprint(text) == DIGITS


@pytest.mark.parametrize("text", ["", "x", DIGITS[:-1], DIGITS + "0", "g" * 64, f"md5:{DIGITS}"])
def test_what_is_no_fingerprint_is_refused_as_it_was_written(text: str) -> None:
    with pytest.raises(HarnessError) as refused:
        read_fingerprint(text)
    assert str(refused.value) == f"--trust: {text!r}: expected the 64 hexadecimal digits that verify prints"


def signer(point: bytes | str, checkpoints: int = 1, trusted: str | None = None) -> Finding:
    header = replace(begun(seed=7), public_key=point if isinstance(point, str) else point.hex())
    (finding,) = check_signer(header, checkpoints, trusted)
    return finding


OWN, REHEARSAL = public_point(OWN_KEY), public_point(campaign_key(7))


@pytest.mark.parametrize("point", ["", "zz", "04" + "00" * 64, OWN.hex()[:-2]])
def test_a_journal_that_names_no_key_was_signed_by_nobody(point: str) -> None:
    assert signer(point) == Finding("signature", False, "the journal names no key that could have signed it")


@pytest.mark.parametrize(
    ("point", "checkpoints", "trusted", "holds", "words"),
    [
        (OWN, 0, None, None, f"nothing is signed yet; {TRUSTED} is to sign"),
        (OWN, 0, TRUSTED, None, f"nothing is signed yet; {TRUSTED} is to sign"),
        (OWN, 1, None, True, f"by {TRUSTED}; whoever knows whose key that is asks with --trust"),
        (OWN, 1, TRUSTED, True, f"by the trusted key {TRUSTED}"),
        (OWN, 1, DIGITS, False, f"signed by {TRUSTED}, not by the trusted {DIGITS}"),
        (
            REHEARSAL,
            1,
            None,
            True,
            "a public rehearsal key: seed 7 makes it, so it says nothing of who signed",
        ),
        (REHEARSAL, 1, fingerprint(REHEARSAL), True, "a public rehearsal key: seed 7 makes it"),
        (REHEARSAL, 1, TRUSTED, False, f"not by the trusted {TRUSTED}"),
    ],
)
def test_whose_signature_it_is(
    point: bytes, checkpoints: int, trusted: str | None, holds: bool | None, words: str
) -> None:
    finding = signer(point, checkpoints, trusted)
    assert finding.holds is holds
    assert words in finding.detail


def test_one_finding_for_each_fault_and_one_for_none() -> None:
    assert list(stated("files", [], "all there")) == [Finding("files", True, "all there")]
    assert list(stated("files", iter(["a", "b"]), "all there")) == [
        Finding("files", False, "a"),
        Finding("files", False, "b"),
    ]


@pytest.mark.parametrize(
    ("error", "words"), [(ValueError("bad octet"), "bad octet"), (RecursionError(), "RecursionError")]
)
def test_whatever_a_damaged_file_does_to_its_reader_is_a_fault_of_that_file(
    error: Exception, words: str
) -> None:
    def check() -> list[Finding]:
        raise error

    assert guarded("control", check) == (Finding("control", False, f"cannot be read: {words}"),)
