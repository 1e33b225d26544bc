"""Every kind of migration file: read as it was written, and refused (V03) for anything its schema does not have."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from emulator.clock.kernel import Kernel
from emulator.eui64 import parse_eui64
from harness.errors import CertificateError, FileRejectedError
from harness.exchange.document import (
    ANSWERS,
    DSIG,
    NAMESPACE,
    Answer,
    Document,
    FileKind,
    Row,
    from_xml,
    to_xml,
)
from harness.exchange.folder import MA_NAME, ExchangeFolder, file_name
from harness.exchange.signature import MAX_OCTETS, sign_document, verify_file
from harness.pki.authority import Credential, RehearsalAuthority, Usage
from harness.pki.directory import certificate_id
from harness.pki.profile import Holder, holder_of
from harness.pki.roles import RemotePartyRole
from tests.harness.exchange.documents import (
    CERTIFICATE,
    DEVICE,
    INSTALLATION,
    METER,
    RESULT,
    ROTATED,
    SENDER,
    every_row,
    whole,
)

AUTHORITY = RehearsalAuthority(Kernel(7).secret)
KINDS = pytest.mark.parametrize("kind", list(FileKind), ids=lambda kind: kind.prefix)


@cache
def credential(role: RemotePartyRole) -> Credential:
    return AUTHORITY.organisation(role, parse_eui64(SENDER), Usage.SIGNING)


def lookup(identifier: str) -> tuple[x509.Certificate, Holder]:
    for role in {kind.signer for kind in FileKind}:
        certificate = credential(role).certificate
        if certificate_id(certificate) == identifier:
            return certificate, holder_of(certificate)
    raise CertificateError(f"certificate {identifier} is not published")


def refusal(document: Document) -> str:
    """Return why a document is refused, which is always by its schema."""
    with pytest.raises(FileRejectedError) as refused:
        from_xml(to_xml(document), "x.xml")
    assert refused.value.code == "V03"
    return str(refused.value)


@KINDS
def test_a_whole_file_of_each_kind_is_read_as_it_was_written(kind: FileKind) -> None:
    assert from_xml(to_xml(whole(kind)), "x.xml") == whole(kind)


@KINDS
def test_a_file_of_each_kind_signed_by_its_role_verifies(kind: FileKind) -> None:
    octets = sign_document(whole(kind), credential(kind.signer))
    signed = verify_file(octets, "x.xml", lookup)
    assert (signed.document, signed.signer) == (whole(kind), Holder(kind.signer, parse_eui64(SENDER)))


@KINDS
def test_no_other_role_may_sign_a_file(kind: FileKind) -> None:
    other = next(each.signer for each in FileKind if each.signer is not kind.signer)
    octets = sign_document(whole(kind), credential(other))
    with pytest.raises(FileRejectedError, match=f"expected role {kind.signer.text}") as refused:
        verify_file(octets, "x.xml", lookup)
    assert refused.value.code == "V04"


@KINDS
def test_the_files_that_a_kind_answers_come_before_it(kind: FileKind) -> None:
    order = list(FileKind)
    assert all(order.index(answered) < order.index(kind) for answered in ANSWERS[kind])


def test_every_kind_but_the_two_schedules_answers_another() -> None:
    begin = {kind for kind, answered in ANSWERS.items() if not answered}
    assert begin == {FileKind.FIRMWARE_SCHEDULE, FileKind.MIGRATION_SCHEDULE}
    assert set(ANSWERS) == set(FileKind)


@KINDS
def test_each_kind_has_a_name_of_its_own(kind: FileKind) -> None:
    document = whole(kind)
    assert FileKind.of_prefix(kind.prefix) is kind
    name = file_name(document, "CGI")
    if kind is FileKind.AUTHORISATION:
        assert MA_NAME.fullmatch(name)
    else:
        assert name == f"{kind.prefix}_AA_home_1.xml"
        assert name != file_name(replace(document, attempt=2), "CGI")


@pytest.mark.parametrize("prefix", ["", "mcf", "MGEF", "VIF", "MCF "])
def test_a_prefix_that_no_kind_has_is_refused_with_those_there_are(prefix: str) -> None:
    with pytest.raises(FileRejectedError, match=r"V03.*not one of \['DFS', 'DMS', 'MA', 'MCF'"):
        FileKind.of_prefix(prefix)


# Headers


@pytest.mark.parametrize(
    "name", ["kind", "sender", "groupId", "installation", "attempt", "counter", "created"]
)
def test_each_header_must_be_there(name: str) -> None:
    root = to_xml(whole(FileKind.VALIDATION))
    del root.attrib[name]
    with pytest.raises(FileRejectedError, match=f"The attribute '{name}' is required but missing"):
        from_xml(root, "x.xml")


HEADERS: list[tuple[str, list[str]]] = [
    ("sender", ["", "90B3D51F30000A03", "90-b3-d5-1f-30-00-0a-03", "90-B3-D5-1F-30-00-0A", "x"]),
    ("groupId", ["", "A", "AAA", "aa", "A1"]),
    ("installation", ["", "x" * 41]),
    ("attempt", ["", "0", "-1", "+1", "01", "1.0", "99999999999", "one"]),
    ("counter", ["", "0", "-1", "+1", "01", "1e3"]),
    (
        "created",
        ["", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00+00:00", "2026-01-01T24:00:00Z"],
    ),
    ("kind", ["", "x" * 41]),
]


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in HEADERS for value in values], ids=str
)
def test_each_header_has_one_form(name: str, value: str) -> None:
    root = to_xml(whole(FileKind.VALIDATION))
    root.set(name, value)
    with pytest.raises(FileRejectedError) as refused:
        from_xml(root, "x.xml")
    assert refused.value.code == "V03"
    assert f"attribute '{name}'" in str(refused.value)


@pytest.mark.parametrize("prefix", ["MCF", "VIF-DCO", "CF-S1SP"])
def test_a_file_of_one_kind_in_the_element_of_another_is_refused(prefix: str) -> None:
    root = to_xml(whole(FileKind.VALIDATION))
    root.set("kind", prefix)
    with pytest.raises(FileRejectedError, match=f"V03.*kind {prefix} in a MigrationCommonValidationFile"):
        from_xml(root, "x.xml")


def test_a_kind_that_nobody_knows_is_refused() -> None:
    root = to_xml(whole(FileKind.VALIDATION))
    root.set("kind", "XYZ")
    with pytest.raises(FileRejectedError, match=r"V03.*file kind 'XYZ': not one of"):
        from_xml(root, "x.xml")


# Rows

OPTIONAL = {
    ("Installation", "mprn"),
    ("Installation", "cutOff"),
    ("Installation", "certificatesToFollow"),
    ("Result", "device"),
    ("Result", "code"),
    ("Result", "text"),
    ("Commission", "mpxn"),
    ("Placement", "certificate"),
    ("Placement", "holder"),
    ("Placement", "warning"),
}
PLACES = [(kind, row, name) for kind, row in every_row() for name in row.values]


@pytest.mark.parametrize(
    ("kind", "row", "name"), PLACES, ids=[f"{row.element}.{name}" for _, row, name in PLACES]
)
def test_an_attribute_of_a_row_may_be_left_out_exactly_when_it_is_optional(
    kind: FileKind, row: Row, name: str
) -> None:
    less = Row(row.element, {key: value for key, value in row.values.items() if key != name})
    document = whole(kind)
    changed = replace(document, rows=tuple(less if each is row else each for each in document.rows))
    if (row.element, name) in OPTIONAL:
        assert from_xml(to_xml(changed), "x.xml") == changed
        assert less.get(name) is None
    else:
        assert f"The attribute '{name}' is required but missing" in refusal(changed)


@pytest.mark.parametrize(("kind", "row"), list(every_row()), ids=[row.element for _, row in every_row()])
def test_a_row_has_no_attribute_more(kind: FileKind, row: Row) -> None:
    more = Row(row.element, {**row.values, "afterthought": "1"})
    document = whole(kind)
    changed = replace(document, rows=tuple(more if each is row else each for each in document.rows))
    assert "The attribute 'afterthought' is not allowed" in refusal(changed)


WRONG: dict[str, list[str]] = {
    "eui64": ["", "00DB1234567890A1", "00-db-12-34-56-78-90-a1", "00-DB-12-34-56-78-90"],
    "device": ["", "x", "00-DB"],
    "holder": ["x"],
    "responsibleSupplier": ["", "EDF"],
    "installingSupplier": ["90-B3"],
    "kind": ["", "esme", "METER", "HCALCS"],
    "mpan": ["", "130000123456", "13000012345601", "1300 0012 34560"],
    "mprn": ["12345", "123456789012", "x"],
    "mpxn": ["x", "12345678901234"],
    "dormant": ["", "1", "True", "yes"],
    "placed": ["0", "TRUE"],
    "certificatesToFollow": ["0"],
    "cutOff": ["2026-01-08", "tomorrow"],
    "due": ["", "2026-02-30T00:00:00Z"],
    "wanProvider": ["", "x" * 41],
    "manufacturer": ["", "x" * 41],
    "model": [""],
    "hardwareVersion": ["", "-1", "65536", "01", "0x1"],
    "firmwareVersion": ["", "123456789"],
    "role": ["", "owner", "CRITICAL"],
    "id": ["", "0a" * 16, "0A" * 15, "0A" * 17],
    "certificate": ["0a" * 16],
    "outcome": ["", "passed", "maybe"],
    "code": ["", "7", "V7", "V007", "v07"],
    "text": ["x" * 251],
    "warning": ["x" * 251],
    "point": ["", "02" + "ab" * 64, "04" + "AB" * 64, "04" + "ab" * 63],
    "recipient": ["", "SMSO", "s1sp"],
    "data": ["not base64!", "====", "a"],
    "generation": ["", "-1", "256", "01"],
    "status": ["", "commissioned", "Gone"],
}
CASES = [(kind, row, name, value) for kind, row, name in PLACES for value in WRONG.get(name, ())]


@pytest.mark.parametrize(
    ("kind", "row", "name", "value"),
    CASES,
    ids=[f"{row.element}.{name}={value}" for _, row, name, value in CASES],
)
def test_a_value_that_its_attribute_cannot_have_is_refused_by_name(
    kind: FileKind, row: Row, name: str, value: str
) -> None:
    changed = Row(row.element, {**row.values, name: value})
    document = whole(kind)
    said = refusal(replace(document, rows=tuple(changed if each is row else each for each in document.rows)))
    assert f"attribute '{name}'" in said
    assert said.startswith("V03: x.xml line ")


def test_every_attribute_but_the_free_ones_has_a_value_above_that_it_cannot_have() -> None:
    free = {"installation", "owner"}
    assert {name for _, _, name in PLACES} - set(WRONG) == free


@KINDS
def test_a_row_that_a_kind_does_not_have_is_refused(kind: FileKind) -> None:
    own = {row.element for row in whole(kind).rows}
    stranger = next(row for row in (ROTATED, RESULT, CERTIFICATE) if row.element not in own)
    document = replace(whole(kind), rows=(*whole(kind).rows, stranger))
    assert f"{stranger.element}': This element is not expected" in refusal(document)


def test_there_are_at_most_eight_answers() -> None:
    answers = tuple(Answer(f"{number}.xml", "0f" * 32) for number in range(9))
    document = whole(FileKind.VALIDATION)
    assert from_xml(to_xml(replace(document, answers=answers[:8])), "x.xml").answers == answers[:8]
    assert "Answers': This element is not expected" in refusal(replace(document, answers=answers))


@pytest.mark.parametrize("sha256", ["", "0f" * 31, "0F" * 32, "zz" * 32])
def test_an_answer_names_a_file_by_its_digest(sha256: str) -> None:
    document = replace(whole(FileKind.VALIDATION), answers=(Answer("MCF_AA_home_1.xml", sha256),))
    assert "attribute 'sha256'" in refusal(document)


def test_rows_are_found_by_their_element_in_their_order() -> None:
    second = Row("Device", {**DEVICE.values, "eui64": SENDER})
    document = replace(whole(FileKind.COMMON), rows=(INSTALLATION, DEVICE, CERTIFICATE, second))
    assert [row["eui64"] for row in document.having("Device")] == [METER, SENDER]
    assert list(document.having("Sealed")) == []


def test_an_element_of_another_language_is_refused_in_a_file_and_passed_over_in_its_signature() -> None:
    root = to_xml(whole(FileKind.VALIDATION))
    etree.SubElement(root, etree.QName("urn:elsewhere", "Result"))
    with pytest.raises(FileRejectedError, match="not expected"):
        from_xml(root, "x.xml")
    root = to_xml(whole(FileKind.VALIDATION))
    etree.SubElement(root, etree.QName(DSIG, "Signature"))
    assert from_xml(root, "x.xml") == whole(FileKind.VALIDATION)


# Signatures

OCTETS = sign_document(whole(FileKind.VALIDATION), credential(FileKind.VALIDATION.signer))


def between(tag: str, value: str) -> bytes:
    """Return the signed file with other text in one element of its signature."""
    begin = OCTETS.index(f"<{tag}>".encode()) + len(tag) + 2
    end = OCTETS.index(f"</{tag}>".encode())
    return OCTETS[:begin] + value.encode() + OCTETS[end:]


def without(tag: str) -> bytes:
    begin = OCTETS.index(f"<{tag}".encode())
    end = OCTETS.index(f"</{tag}>".encode()) + len(tag) + 3
    return OCTETS[:begin] + OCTETS[end:]


SIGNATURES: list[tuple[str, bytes, str]] = [
    ("no value", between("SignatureValue", ""), "the signature has no single SignatureValue"),
    ("value is missing", without("SignatureValue"), "the signature has no single SignatureValue"),
    ("value is no base64", between("SignatureValue", "*"), "the signature value is not base64"),
    ("value is short", between("SignatureValue", "AAAA"), "signature value of 3 octets, expected 64"),
    ("value of zeros", between("SignatureValue", "A" * 86 + "=="), "the signature does not verify"),
    ("no key is named", without("KeyInfo"), "the signature has no single KeyInfo/X509Data/X509IssuerSerial"),
    (
        "no serial",
        without("X509SerialNumber"),
        "has no single KeyInfo/X509Data/X509IssuerSerial/X509SerialNumber",
    ),
    ("serial is no number", between("X509SerialNumber", "0x1F"), "certificate serial '0x1F' is not a number"),
    ("serial is endless", between("X509SerialNumber", "1" * 41), "is not a number"),
    ("serial of nobody", between("X509SerialNumber", "1"), f"certificate {1:032X} is not published"),
    (
        "another issuer",
        between("X509IssuerName", "CN=Else"),
        "issuer 'CN=Else' is not that of the certificate",
    ),
    (
        "what is signed is missing",
        without("SignedInfo"),
        "the signature does not cover this content; it was altered",
    ),
    (
        "another digest",
        between("DigestValue", "AAAA"),
        "the signature does not cover this content; it was altered",
    ),
    ("another method", OCTETS.replace(b"ecdsa-sha256", b"ecdsa-sha384"), "does not cover this content"),
    ("part of the file", OCTETS.replace(b'URI=""', b'URI="#part"'), "does not cover this content"),
    ("no signature", without("Signature"), "expected one signature, at the very end of the root"),
    (
        "text after the signature",
        OCTETS.replace(b"</Signature></", b"</Signature>\n</"),
        "expected one signature, at the very end of the root",
    ),
]


@pytest.mark.parametrize(
    ("octets", "words"), [row[1:] for row in SIGNATURES], ids=[row[0] for row in SIGNATURES]
)
def test_a_signature_that_is_not_whole_is_refused_for_its_reason(octets: bytes, words: str) -> None:
    with pytest.raises(FileRejectedError) as refused:
        verify_file(octets, "x.xml", lookup)
    assert refused.value.code == "V04"
    assert words in str(refused.value)


def test_two_signatures_are_one_too_many() -> None:
    begin, end = OCTETS.index(b"<Signature "), OCTETS.index(b"</Signature>") + len(b"</Signature>")
    twice = OCTETS[:end] + OCTETS[begin:end] + OCTETS[end:]
    with pytest.raises(FileRejectedError, match=r"V0[34]"):
        verify_file(twice, "x.xml", lookup)


def test_a_file_larger_than_any_is_not_parsed() -> None:
    with pytest.raises(
        FileRejectedError, match=f"V01.*{MAX_OCTETS + 1} octets, at most {MAX_OCTETS} are read"
    ):
        verify_file(b" " * (MAX_OCTETS + 1), "x.xml", lookup)


def test_entities_do_not_grow() -> None:
    bomb = (
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x xmlns="%s">&b;</x>'
        % NAMESPACE.encode()
    )
    with pytest.raises(FileRejectedError, match=r"V03.*document type"):
        verify_file(bomb, "x.xml", lookup)


@settings(max_examples=40)
@given(st.integers(0, len(OCTETS) - 1))
def test_a_file_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(FileRejectedError):
        verify_file(OCTETS[:length], "x.xml", lookup)


# Names


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("MA_CGI_90-B3-D5-1F-30-00-0A-03_20260101_000000.xml", True),
        ("MA_CGI_90-B3-D5-1F-30-00-0A-03_20260101_000000", True),
        ("ma_cgi_90-b3-d5-1f-30-00-0a-03_20260101_000000.XML", True),
        ("MA_CG_90-B3-D5-1F-30-00-0A-03_20260101_000000.xml", False),
        ("MA_CGI_90B3D51F30000A03_20260101_000000.xml", False),
        ("MA_CGI_90-B3-D5-1F-30-00-0A-03_2026011_000000.xml", False),
        ("MA_CGI_90-B3-D5-1F-30-00-0A-03_20260101.xml", False),
        ("MA_AA_home_1.xml", False),
    ],
)
def test_an_authorisation_goes_by_its_own_pattern_and_no_other(
    tmp_path: Path, name: str, is_one: bool
) -> None:
    folder = ExchangeFolder(tmp_path)
    folder.publish(name, whole(FileKind.AUTHORISATION), credential(FileKind.AUTHORISATION.signer))
    if is_one:
        assert folder.read(name, lookup).document == whole(FileKind.AUTHORISATION)
    else:
        with pytest.raises(FileRejectedError, match=r"V01.*expected MA_XXX_<EUI-64>_<YYYYMMDD>_<HHMMSS>"):
            folder.read(name, lookup)
