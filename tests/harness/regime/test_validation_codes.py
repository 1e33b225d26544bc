"""What keeps an installation from being enrolled, code by code: V01 to V11, each for each of its reasons.

The Requesting Party's common file and the supplier's authorisation are made as the parties make them; each case changes
one thing, and the Commissioning Party says what it finds, the first in the order of validation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from emulator.eui64 import format_eui64
from harness.errors import FileRejectedError, JournalError
from harness.exchange.document import ANSWERS, Answer, Document, FileKind, Row
from harness.facts.terms import Retry
from harness.pki.profile import holder_of
from harness.regime.inventory import COMMISSIONABLE, InventoryRecord, InventoryStatus
from harness.regime.parameters import RegimeParameters
from harness.regime.parties import device_rows, installation_row
from harness.regime.validation import BY_CODE
from harness.regime.world import Regime
from tests.harness.regime.enrolment_bench import CASE, CHF, EPCL, ESME, GSME, IHD, Bench

DAY = 86_400


class Files(NamedTuple):
    """A common file and the authorisation that it answers."""

    common: Document
    authorisation: Document

    def with_rows(self, change: Callable[[Row], Row | None], *, both: bool = False) -> Files:
        """Change, or leave out, rows of the common file, or of both."""

        def changed(document: Document) -> Document:
            rows = (change(row) for row in document.rows)
            return replace(document, rows=tuple(row for row in rows if row is not None))

        return Files(changed(self.common), changed(self.authorisation) if both else self.authorisation)


@pytest.fixture
def regime(tmp_path: Path) -> Regime:
    made = Bench(tmp_path).regime()
    made.take_on(CASE)
    return made


@pytest.fixture
def files(regime: Regime) -> Files:
    identifiers = regime.certificates()
    certificates = [Row("Certificate", {"role": role, "id": each}) for role, each in identifiers.items()]
    rows = (installation_row(CASE), *device_rows(CASE), *certificates)
    common = Document(
        kind=FileKind.COMMON,
        sender=regime.requesting_party.address,
        group_id="AA",
        installation=CASE.installation,
        attempt=1,
        counter=1,
        created_unix_seconds=regime.office.unix_seconds,
        rows=rows,
    )
    authorisation = replace(common, kind=FileKind.AUTHORISATION, sender=regime.responsible_supplier.address)
    return Files(common, authorisation)


def found(regime: Regime, files: Files) -> list[tuple[str, str, str]]:
    findings = regime.commissioning_party.validate(files.common, files.authorisation, EPCL, regime.dsp.record)
    return [(each.code, each.text, each.device) for each in findings]


def setting(element: str, **values: str) -> Callable[[Row], Row]:
    return lambda row: Row(element, {**row.values, **values}) if row.element == element else row


def of(device: str, **values: str) -> Callable[[Row], Row]:
    return lambda row: Row("Device", {**row.values, **values}) if row.get("eui64") == device else row


def certificate(role: str, identifier: str) -> Callable[[Row], Row]:
    return lambda row: (
        Row("Certificate", {"role": role, "id": identifier}) if row.get("role") == role else row
    )


def test_files_with_which_nothing_is_wrong_are_not_held_up(regime: Regime, files: Files) -> None:
    assert found(regime, files) == []


# The authorisation: V06


def test_v06_another_supplier_authorised(regime: Regime, files: Files) -> None:
    other = files._replace(
        authorisation=replace(files.authorisation, sender=regime.installing_supplier.address)
    )
    registered = format_eui64(CASE.responsible_supplier)
    text = f"authorised by {regime.installing_supplier.address}, registered is {registered}"
    assert found(regime, other) == [("V06", text, "")]


@pytest.mark.parametrize(("days", "is_over"), [(89, False), (90, False), (91, True)])
def test_v06_an_authorisation_ages(regime: Regime, files: Files, days: int, is_over: bool) -> None:
    made = files.authorisation.created_unix_seconds - days * DAY
    old = files._replace(authorisation=replace(files.authorisation, created_unix_seconds=made))
    assert found(regime, old) == ([("V06", f"the authorisation is {days} days old", "")] if is_over else [])


@pytest.mark.parametrize("change", [{"mpan": "1200001234567"}, {"mprn": "7654321012"}])
def test_v06_the_authorisation_is_for_another_home(
    regime: Regime, files: Files, change: dict[str, str]
) -> None:
    other = files.with_rows(setting("Installation", **change), both=True)
    mixed = files._replace(authorisation=other.authorisation)
    assert found(regime, mixed) == [("V06", "the authorisation names another MPAN or MPRN", "")]


def test_v06_no_certificate_of_the_supplier(regime: Regime, files: Files) -> None:
    without = files.with_rows(lambda row: None if row.get("role") == "supplier" else row, both=True)
    assert found(regime, without) == [
        ("V06", "it supplies no certificate of the supplier, and nothing is commissioned without", "")
    ]


# Who is who, V07


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mpan": "1300001234561"}, "MPAN '1300001234561': check digit 1, expected"),
        ({"mprn": "1234567890"}, "MPRN '1234567890': check digits 90, expected"),
    ],
)
def test_v07_a_check_digit_is_wrong(regime: Regime, files: Files, change: dict[str, str], words: str) -> None:
    ((code, text, _),) = found(regime, files.with_rows(setting("Installation", **change), both=True))
    assert (code, text[: len(words)]) == ("V07", words)


def test_v07_a_device_twice(regime: Regime, files: Files) -> None:
    twice = files.with_rows(of(GSME.name, eui64=ESME.name), both=True)
    assert found(regime, twice) == [("V07", "an EUI-64 appears twice", "")]


def test_v07_devices_that_nobody_authorised(regime: Regime, files: Files) -> None:
    less = files.with_rows(lambda row: None if row.get("eui64") == IHD.name else row)
    assert found(regime, less) == [("V07", "the devices are not those authorised", "")]
    more = Files(files.common, replace(files.authorisation, rows=less.common.rows))
    assert found(regime, more) == [("V07", "the devices are not those authorised", "")]


def test_v07_a_certificate_that_nobody_published(regime: Regime, files: Files) -> None:
    ((code, text, _),) = found(regime, files.with_rows(certificate("DNO", "0A" * 16), both=True))
    assert code == "V07"
    assert "0A0A" in text
    assert "publish it first" in text


@pytest.mark.parametrize(
    ("role", "of_role", "text"),
    [
        ("supplier", "DNO", "supplier certificate has role 03"),
        ("DNO", "supplier", "DNO certificate has role 02"),
        ("GT", "supplier", "GT certificate has role 02"),
    ],
)
def test_v07_a_certificate_of_another_role(
    regime: Regime, files: Files, role: str, of_role: str, text: str
) -> None:
    other = files.with_rows(certificate(role, regime.certificates()[of_role]), both=True)
    assert found(regime, other) == [("V07", text, "")]


def test_v07_a_certificate_of_another_supplier(regime: Regime, files: Files) -> None:
    other = files.with_rows(certificate("supplier", regime.installing_supplier.certificate()), both=True)
    owner = regime.installing_supplier.address
    assert found(regime, other) == [("V07", f"supplier certificate belongs to {owner}", "")]


# The inventory: V08


def test_v08_a_device_that_the_inventory_does_not_know(regime: Regime, files: Files) -> None:
    stranger = "00-DB-00-00-00-00-00-01"
    other = files.with_rows(of(GSME.name, eui64=stranger), both=True)
    assert found(regime, other) == [("V08", "not in the inventory", stranger)]


@pytest.mark.parametrize("status", list(InventoryStatus))
def test_v08_a_device_that_the_inventory_can_no_longer_commission(
    regime: Regime, files: Files, status: InventoryStatus
) -> None:
    def inventory(eui64: int) -> InventoryRecord | None:
        record = regime.dsp.record(eui64)
        return replace(record, status=status) if record is not None and eui64 == ESME.eui64 else record

    findings = regime.commissioning_party.validate(files.common, files.authorisation, EPCL, inventory)
    told = [(each.code, each.text, each.device) for each in findings]
    expected = [] if status in COMMISSIONABLE else [("V08", f"{status} in the inventory", ESME.name)]
    assert told == expected


# What is eligible: V09


@pytest.mark.parametrize(
    "change",
    [
        of(ESME.name, firmwareVersion="00000001"),
        of(CHF.name, hardwareVersion="2"),
        of(GSME.name, model="OTHER"),
        setting("Installation", wanProvider="OTHERNET"),
    ],
    ids=["firmware", "hardware", "model", "provider"],
)
def test_v09_what_nobody_lists_as_eligible(
    regime: Regime, files: Files, change: Callable[[Row], Row]
) -> None:
    ((code, text, _),) = found(regime, files.with_rows(change, both=True))
    assert code == "V09"
    assert text.startswith("not an eligible combination: CHF ")


def test_v09_a_display_does_not_decide(regime: Regime, files: Files) -> None:
    assert found(regime, files.with_rows(of(IHD.name, model="OTHER", firmwareVersion="9"), both=True)) == []


# Exclusion and the capacity of a day: V10 and V11


def test_v10_an_excluded_installation(regime: Regime, files: Files) -> None:
    regime.commissioning_party.exclude(CASE.mpan, "theft")
    assert found(regime, files) == [("V10", "excluded: theft", "")]


def test_v11_the_capacity_of_a_day_is_for_installations_and_not_for_attempts(tmp_path: Path) -> None:
    bench = Bench(tmp_path, parameters=RegimeParameters(daily_capacity=2))
    regime = bench.regime()
    regime.take_on(CASE)
    rows = (installation_row(CASE), *device_rows(CASE))
    certificates = [
        Row("Certificate", {"role": role, "id": each}) for role, each in regime.certificates().items()
    ]
    common = Document(
        kind=FileKind.COMMON,
        sender=regime.requesting_party.address,
        group_id="AA",
        installation="one",
        attempt=1,
        counter=1,
        created_unix_seconds=regime.office.unix_seconds,
        rows=(*rows, *certificates),
    )
    authorised = replace(common, kind=FileKind.AUTHORISATION, sender=regime.responsible_supplier.address)

    def asked(installation: str) -> list[tuple[str, str, str]]:
        return found(regime, Files(replace(common, installation=installation), authorised))

    assert [asked("one"), asked("one"), asked("two"), asked("one")] == [[], [], [], []]
    assert asked("three") == [("V11", "2 installations today already; try tomorrow", "")]
    bench.kernel.run_for(DAY * 1_000_000)
    assert asked("three") == []


WRONG = [
    ("V06", lambda row: None if row.get("role") == "supplier" else row),
    ("V07", setting("Installation", mpan="1300001234561")),
    ("V08", of(GSME.name, eui64="00-DB-00-00-00-00-00-01")),
    ("V09", of(ESME.name, firmwareVersion="00000001")),
]


@pytest.mark.parametrize(("code", "change"), WRONG, ids=[code for code, _ in WRONG])
def test_a_check_that_is_switched_off_finds_nothing(
    tmp_path: Path, regime: Regime, files: Files, code: str, change: Callable[[Row], Row | None]
) -> None:
    wrong = files.with_rows(change, both=True)
    assert [each for each, _, _ in found(regime, wrong)] == [code]
    lenient = Bench(tmp_path, parameters=RegimeParameters(disabled_checks=(code,))).regime()
    assert found(lenient, wrong) == []


def test_the_first_check_that_fails_is_the_one_that_is_told(regime: Regime, files: Files) -> None:
    regime.commissioning_party.exclude(CASE.mpan, "theft")
    worse = files.with_rows(of(ESME.name, firmwareVersion="00000001"), both=True)
    assert [code for code, _, _ in found(regime, worse)] == ["V09"]
    worst = worse.with_rows(of(GSME.name, eui64=ESME.name), both=True)
    assert [code for code, _, _ in found(regime, worst)] == ["V07"]


@pytest.mark.parametrize(
    ("code", "retry"),
    [
        ("V01", Retry.AUTOMATIC),
        ("V05", Retry.RESOLUTION),
        ("V08", Retry.NEVER),
        ("V10", Retry.NEVER),
        ("V11", Retry.NEXT_DAY),
        ("V13", Retry.AUTOMATIC),
        ("GT01", Retry.AUTOMATIC),
    ],
)
def test_what_a_retry_takes_follows_from_the_code(code: str, retry: Retry) -> None:
    assert BY_CODE[code].retry is retry


# What a party does not take: V01 and V05


def published(regime: Regime, files: Files, **changes: object) -> str:
    """Publish a schedule, an authorisation that answers it and a common file that answers that, and return its name."""
    changed = {"common": files.common, "authorisation": files.authorisation, **changes}
    schedule = replace(
        files.common,
        kind=FileKind.MIGRATION_SCHEDULE,
        rows=tuple(row for row in files.common.rows if row.element != "Certificate"),
    )
    first = regime.requesting_party.publish("DMS_AA_home_1.xml", schedule)
    authorisation = changed["authorisation"]
    assert isinstance(authorisation, Document)
    name = f"MA_CGI_{regime.responsible_supplier.address}_20260101_000000.xml"
    second = regime.responsible_supplier.publish(name, replace(authorisation, answers=(first,)))
    common = changed["common"]
    assert isinstance(common, Document)
    answers = (second,) if not common.answers else common.answers
    regime.requesting_party.publish("MCF_AA_home_1.xml", replace(common, answers=answers))
    return "MCF_AA_home_1.xml"


def refused(regime: Regime, name: str, kind: FileKind = FileKind.COMMON) -> str:
    with pytest.raises(FileRejectedError) as refusal:
        regime.commissioning_party.receive(name, kind)
    return str(refusal.value)


def test_a_file_that_answers_what_it_should_is_taken_also_twice(regime: Regime, files: Files) -> None:
    name = published(regime, files)
    taken = regime.commissioning_party.receive(name, FileKind.COMMON)
    assert taken == regime.commissioning_party.receive(name, FileKind.COMMON)
    assert taken.rows == files.common.rows


def test_v01_a_file_that_is_not_there(regime: Regime) -> None:
    assert refused(regime, "MCF_AA_home_1.xml").startswith("V01: MCF_AA_home_1.xml: cannot be read")


def test_v05_a_file_of_another_kind(regime: Regime, files: Files) -> None:
    name = published(regime, files)
    assert refused(regime, name, FileKind.GROUP) == f"V05: {name} is a MCF, expected MGF"


@pytest.mark.parametrize("answers", [0, 2])
def test_v05_a_file_that_answers_too_few_or_too_many(regime: Regime, files: Files, answers: int) -> None:
    many = tuple(Answer("x.xml", "0f" * 32) for _ in range(answers))
    regime.requesting_party.publish("MCF.xml", replace(files.common, answers=many))
    assert refused(regime, "MCF.xml") == f"V05: MCF.xml answers {answers} files, expected 1"


@pytest.mark.parametrize("change", [{"attempt": 2}, {"installation": "another"}])
def test_v05_a_file_that_answers_another_attempt_or_home(
    regime: Regime, files: Files, change: dict[str, object]
) -> None:
    name = published(regime, files, common=replace(files.common, **change))  # type: ignore[arg-type]
    assert "does not answer the MA_CGI_" in refused(regime, name)


def test_v05_a_file_that_answers_other_octets(regime: Regime, files: Files) -> None:
    published(regime, files)
    (authorisation,) = [name for name in regime.office.exchange.names() if name.startswith("MA_")]
    other = replace(files.common, counter=2, answers=(Answer(authorisation, "0f" * 32),))
    regime.requesting_party.publish("MCF_2.xml", other)
    assert refused(regime, "MCF_2.xml") == f"V05: MCF_2.xml does not answer the {authorisation} that is here"


@pytest.mark.parametrize("counter", [3, 2, 1])
def test_v05_a_counter_that_does_not_rise_is_a_replay(regime: Regime, files: Files, counter: int) -> None:
    name = published(regime, files, common=replace(files.common, counter=3))
    first = regime.commissioning_party.receive(name, FileKind.COMMON)
    again = replace(first, counter=counter, created_unix_seconds=first.created_unix_seconds + 1)
    regime.requesting_party.publish("MCF_again.xml", again)
    assert (
        refused(regime, "MCF_again.xml") == f"V05: MCF_again.xml: counter {counter} is not above 3: a replay"
    )
    regime.requesting_party.publish("MCF_later.xml", replace(again, counter=4))
    assert regime.commissioning_party.receive("MCF_later.xml", FileKind.COMMON).counter == 4


def test_every_kind_of_file_has_a_party_that_signs_it(regime: Regime) -> None:
    signing = [party.credential("signing") for party in regime.parties() if party.has_credential("signing")]
    assert {kind.signer for kind in ANSWERS} == {holder_of(each.certificate).role for each in signing}


# What a party keeps


@pytest.mark.parametrize(
    ("name", "octets", "words"),
    [
        ("state.json", b"{", "Expecting property name"),
        ("state.json", b"[]", "not a table of tables"),
        ("state.json", b'{"sent":[]}', "not a table of tables"),
        ("state.json", b"[" * 100_000, ""),
        ("state.json", b"\xff", "codec can't decode"),
        ("signing.key.pem", b"", ""),
        ("signing.key.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", ""),
        ("signing.pem", b"hello", ""),
    ],
)
def test_what_a_party_kept_and_somebody_damaged_is_named(
    tmp_path: Path, name: str, octets: bytes, words: str
) -> None:
    bench = Bench(tmp_path)
    bench.regime()
    path = tmp_path / "parties" / "requesting-party" / name
    path.write_bytes(octets)
    with pytest.raises(JournalError) as damaged:
        bench.regime().requesting_party.credential("signing")
    said = str(damaged.value)
    assert said.startswith(f"state of Requesting Party {path}: ")
    assert words in said
    assert said.endswith("; restore it or start a new run")


@pytest.mark.parametrize("kind", ["edwards", "passphrase"])
def test_a_key_of_another_kind_in_a_partys_folder_is_named(tmp_path: Path, kind: str) -> None:
    bench = Bench(tmp_path)
    bench.regime()
    path = tmp_path / "parties" / "requesting-party" / "signing.key.pem"
    if kind == "edwards":
        key = ed25519.Ed25519PrivateKey.generate()
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    else:
        own = ec.derive_private_key(5, ec.SECP256R1())
        path.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    with pytest.raises(JournalError, match="restore it or start a new run"):
        bench.regime().requesting_party.credential("signing")
