from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.clock.kernel import Kernel
from harness.errors import FileRejectedError
from harness.exchange.document import Answer, Document, FileKind, Row, from_xml, to_xml
from harness.exchange.folder import ExchangeFolder, file_name
from harness.exchange.signature import sign_document, verify_file
from harness.pki.authority import RehearsalAuthority, Usage
from harness.pki.directory import certificate_id
from harness.pki.profile import Holder, check_organisation
from harness.pki.roles import RemotePartyRole as Role

AUTHORITY = RehearsalAuthority(Kernel(7).secret)
EUI64 = 0x90B3D51F30000A03
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PARTY = AUTHORITY.organisation(Role.COMMISSIONING_PARTY_FILE_SIGNING, EUI64, Usage.SIGNING)
STRANGER = AUTHORITY.organisation(Role.COMMISSIONING_PARTY_FILE_SIGNING, EUI64 + 1, Usage.SIGNING)
OTHER_ROLE = AUTHORITY.organisation(Role.S1SP_FILE_SIGNING, EUI64, Usage.SIGNING)
KNOWN = {certificate_id(item.certificate): item.certificate for item in (PARTY, STRANGER, OTHER_ROLE)}
DOCUMENT = Document(
    kind=FileKind.VALIDATION,
    sender="90-B3-D5-1F-30-00-0A-03",
    group_id="AA",
    installation="example-home",
    attempt=1,
    counter=1,
    created_unix_seconds=int(NOW.timestamp()),
    answers=(Answer("MCF_AA_example-home_1.xml", "00" * 32),),
    rows=(Row("Result", {"installation": "example-home", "outcome": "pass"}),),
)


def lookup(identifier: str) -> tuple[x509.Certificate, Holder]:
    from harness.errors import CertificateError

    if identifier not in KNOWN:
        raise CertificateError(f"certificate {identifier} is not published")
    certificate = KNOWN[identifier]
    holder = check_organisation(certificate, AUTHORITY.issuing.certificate, NOW, Usage.SIGNING)
    return certificate, holder


def test_a_signed_file_verifies_and_is_the_same_every_time() -> None:
    octets = sign_document(DOCUMENT, PARTY)
    assert octets == sign_document(DOCUMENT, PARTY)
    signed = verify_file(octets, "x", lookup)
    assert (signed.document, signed.signer.eui64) == (DOCUMENT, EUI64)


@given(
    st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), max_size=40),
    st.integers(1, 10**9),
)
def test_documents_round_trip(text: str, counter: int) -> None:
    values = {"installation": "h", "outcome": "fail", "code": "V07", "text": text}
    document = Document(
        kind=FileKind.VALIDATION,
        sender=DOCUMENT.sender,
        group_id="AA",
        installation="h",
        attempt=2,
        counter=counter,
        created_unix_seconds=counter,
        rows=(Row("Result", values),),
    )
    assert from_xml(to_xml(document), "x") == document


@settings(max_examples=150)
@given(st.integers(min_value=0), st.integers(1, 255))
def test_no_octet_can_change(position: int, change: int) -> None:
    octets = bytearray(sign_document(DOCUMENT, PARTY))
    position %= len(octets)
    octets[position] ^= change
    try:
        signed = verify_file(bytes(octets), "x", lookup)
    except FileRejectedError:
        return
    # A quote or a space of the XML syntax may change without changing what is signed.
    assert signed.document == DOCUMENT


def _with(octets: bytes, name: str, value: str) -> bytes:
    """Give the root another value of one attribute, as it stands in the file."""
    place = re.compile(rb'(<[A-Z][^>]*? %s=)"[^"]*"' % name.encode())
    replaced, count = place.subn(b'\\1"%s"' % value.encode(), octets, count=1)
    assert count == 1
    return replaced


_SPACE = st.sampled_from(["", " ", "&#10;", "&#9; "])
_TIMES = st.one_of(
    st.builds("{}{}".format, st.datetimes().map(datetime.isoformat), st.sampled_from(["", "Z", "+01:00"])),
    st.sampled_from(
        (
            *(
                "2026-01-01T24:00:00Z",
                "12026-01-01T00:00:00Z",
                "-0001-01-01T00:00:00Z",
                "2026-01-01T00:00:00.5Z",
            ),
            *(
                "0001-01-01T00:00:00Z",
                "2026-01-01T00:00:00-14:00",
                "2016-12-31T23:59:60Z",
                "2026-02-30T00:00:00Z",
            ),
        )
    ),
)
_COUNTS = st.sampled_from(["1", "+1", "007", "1" * 5000, "0" * 5000 + "1", "1.0", "1e3", "\u0661"])


@given(
    st.one_of(
        st.tuples(st.just("created"), _TIMES),
        st.tuples(st.sampled_from(["attempt", "counter"]), _COUNTS),
        st.tuples(st.sampled_from(["sender", "groupId", "installation", "kind"]), st.just("x")),
    ),
    _SPACE,
    _SPACE,
)
def test_whatever_form_a_header_has_the_file_is_read_or_refused(
    change: tuple[str, str], before: str, after: str
) -> None:
    name, value = change
    octets = _with(sign_document(DOCUMENT, PARTY), name, before + value + after)
    try:
        signed = verify_file(octets, "x", lookup)
    except FileRejectedError as refused:
        assert refused.code in ("V03", "V04")  # noqa: PT017
        return
    assert signed.document == DOCUMENT


def test_a_header_value_between_spaces_is_the_value() -> None:
    root = to_xml(DOCUMENT)
    for name in ("created", "attempt", "counter"):
        root.set(name, f" {root.get(name)} ")
    assert from_xml(root, "x") == DOCUMENT


@pytest.mark.parametrize("space", ["\n", "\r\n", " ", "\t"])
def test_a_signature_value_may_be_broken_into_lines(space: str) -> None:
    octets = sign_document(DOCUMENT, PARTY)
    begin, end = octets.index(b"<SignatureValue>") + 16, octets.index(b"</SignatureValue>")
    digits = octets[begin:end]
    folded = space.encode().join((b"", digits[:76], digits[76:], b""))
    signed = verify_file(octets[:begin] + folded + octets[end:], "x", lookup)
    assert signed.document == DOCUMENT
    with pytest.raises(FileRejectedError, match="not base64"):
        verify_file(octets[:begin] + b"\xc2\xa0" + digits + octets[end:], "x", lookup)


@pytest.mark.parametrize(
    "kind",
    [FileKind.FIRMWARE_SCHEDULE, FileKind.MIGRATION_SCHEDULE, FileKind.AUTHORISATION, FileKind.COMMON],
)
def test_a_file_about_an_installation_that_names_none_is_refused(kind: FileKind) -> None:
    with pytest.raises(FileRejectedError, match="Installation") as raised:
        from_xml(to_xml(replace(DOCUMENT, kind=kind, answers=(), rows=())), "x")
    assert raised.value.code == "V03"


ROGUE = RehearsalAuthority(Kernel(8).secret).organisation(
    Role.COMMISSIONING_PARTY_FILE_SIGNING, EUI64, Usage.SIGNING
)


@pytest.mark.parametrize(
    ("octets", "code", "message"),
    [
        (sign_document(DOCUMENT, STRANGER), "V04", "signed by"),
        (sign_document(DOCUMENT, OTHER_ROLE), "V04", "expected role C2"),
        (sign_document(DOCUMENT, ROGUE), "V04", "not published"),
        (sign_document(DOCUMENT, PARTY).replace(b'"pass"', b'"fail"'), "V04", "altered"),
        (sign_document(DOCUMENT, PARTY).replace(b'"pass"', b'"perhaps"'), "V03", "perhaps"),
        (sign_document(DOCUMENT, PARTY).replace(b"<Result", b"<!-- --><Result"), "V03", "comment"),
        (b"<!DOCTYPE x [<!ENTITY e 'x'>]>" + sign_document(DOCUMENT, PARTY)[38:], "V03", "document type"),
        (b"not xml", "V03", "not XML"),
        (b"<x/>", "V03", "x"),
    ],
)
def test_a_bad_file_is_refused_for_its_reason(octets: bytes, code: str, message: str) -> None:
    with pytest.raises(FileRejectedError, match=message) as raised:
        verify_file(octets, "x", lookup)
    assert raised.value.code == code


def test_an_unsigned_file_is_refused() -> None:
    from lxml import etree

    with pytest.raises(FileRejectedError, match="one signature"):
        verify_file(etree.tostring(to_xml(DOCUMENT)), "x", lookup)


@pytest.mark.parametrize("altered", [False, True])
def test_xmlsec1_agrees(tmp_path: Path, altered: bool) -> None:
    if shutil.which("xmlsec1") is None:
        pytest.skip("xmlsec1 is not installed")
    octets = sign_document(DOCUMENT, PARTY)
    (tmp_path / "file.xml").write_bytes(octets.replace(b'"pass"', b'"fail"') if altered else octets)
    (tmp_path / "key.pem").write_bytes(PARTY.certificate.public_bytes(Encoding.PEM))
    command = ["xmlsec1", "--verify", "--pubkey-cert-pem", "key.pem", "file.xml"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (run.returncode == 0) is not altered, run.stderr


def test_the_folder_never_replaces_a_file_with_another(tmp_path: Path) -> None:
    folder = ExchangeFolder(tmp_path)
    answer = folder.publish("MCVF.xml", DOCUMENT, PARTY)
    assert folder.publish("MCVF.xml", DOCUMENT, PARTY) == answer
    with pytest.raises(FileRejectedError, match="other content"):
        folder.publish("MCVF.xml", replace(DOCUMENT, counter=2), PARTY)
    assert folder.read("MCVF.xml", lookup).sha256 == answer.sha256
    assert folder.names() == ["MCVF.xml"]


@pytest.mark.parametrize(
    "name", ["../x.xml", ".hidden", "absent.xml", "pipe.xml", "zero.xml", "folder.xml", "large.xml"]
)
def test_a_name_or_file_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe.xml")
    (tmp_path / "zero.xml").symlink_to("/dev/zero")
    (tmp_path / "folder.xml").mkdir()
    with (tmp_path / "large.xml").open("wb") as large:
        large.truncate(1 << 34)
    with pytest.raises(FileRejectedError, match="V01"):
        ExchangeFolder(tmp_path).read(name, lookup)


def test_an_authorisation_is_named_after_its_sender_and_time() -> None:
    document = replace(DOCUMENT, kind=FileKind.AUTHORISATION)
    assert file_name(document, "CGI") == "MA_CGI_90-B3-D5-1F-30-00-0A-03_20260101_000000.xml"
