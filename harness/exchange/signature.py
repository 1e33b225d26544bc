"""XML signatures of the migration files: the suite DUIS uses (fact sheet 1.5).

Enveloped, exclusive canonicalisation, ECDSA P-256 with SHA-256, one reference with URI "" and a SHA-256
digest, the signer named by `X509IssuerSerial`. A signature whose `SignedInfo` is anything but the one this
module would write is refused, which leaves no room for wrapped or partial signatures.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from lxml import etree

from harness.errors import CertificateError, FileRejectedError
from harness.exchange.document import DSIG, Document, check_schema, from_xml, to_xml
from harness.pki.authority import Credential
from harness.pki.directory import certificate_id
from harness.pki.profile import Holder

EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_NAMESPACES: dict[Any, str] = {None: DSIG}
MAX_OCTETS = 16 * 1024 * 1024

CertificateLookup = Callable[[str], tuple[x509.Certificate, Holder]]
"""Returns the checked signing certificate of an id, and its holder; raises `CertificateError`."""


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A file whose signature holds."""

    name: str
    document: Document
    sha256: str
    signer: Holder


def _ds(parent: etree._Element, tag: str, text: str | None = None, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, etree.QName(DSIG, tag), attributes)
    element.text = text
    return element


def _canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def _signed_info(digest: bytes) -> etree._Element:
    root = etree.Element(etree.QName(DSIG, "Signature"), nsmap=_NAMESPACES)
    info = _ds(root, "SignedInfo")
    _ds(info, "CanonicalizationMethod", Algorithm=EXCLUSIVE_C14N)
    _ds(info, "SignatureMethod", Algorithm=ECDSA_SHA256)
    reference = _ds(info, "Reference", URI="")
    transforms = _ds(reference, "Transforms")
    _ds(transforms, "Transform", Algorithm=ENVELOPED)
    _ds(transforms, "Transform", Algorithm=EXCLUSIVE_C14N)
    _ds(reference, "DigestMethod", Algorithm=SHA256)
    _ds(reference, "DigestValue", base64.b64encode(digest).decode("ascii"))
    return info


def sign_document(document: Document, credential: Credential) -> bytes:
    """Return the signed XML of a document; equal inputs give equal octets (RFC 6979)."""
    root = to_xml(document)
    check_schema(root, document.kind.prefix)
    info = _signed_info(hashlib.sha256(_canonical(root)).digest())
    der = credential.key.sign(_canonical(info), ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    r, s = decode_dss_signature(der)
    value = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    signature = info.getparent()
    assert signature is not None
    _ds(signature, "SignatureValue", base64.b64encode(value).decode("ascii"))
    data = _ds(_ds(signature, "KeyInfo"), "X509Data")
    issuer_serial = _ds(data, "X509IssuerSerial")
    _ds(issuer_serial, "X509IssuerName", credential.certificate.issuer.rfc4514_string())
    _ds(issuer_serial, "X509SerialNumber", str(credential.certificate.serial_number))
    root.append(signature)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _parse(octets: bytes, name: str) -> etree._Element:
    if len(octets) > MAX_OCTETS:
        raise FileRejectedError("V01", f"{name}: {len(octets)} octets, at most {MAX_OCTETS} are read")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as error:
        raise FileRejectedError("V03", f"{name}: not XML: {error.msg}") from error
    information: Any = root.getroottree().docinfo
    if information.doctype or root.getprevious() is not None or root.getnext() is not None:
        raise FileRejectedError("V03", f"{name}: holds a document type, comment or processing instruction")
    if any(not isinstance(element.tag, str) for element in root.iter()):
        raise FileRejectedError("V03", f"{name}: holds a comment or processing instruction")
    return root


def _text(parent: etree._Element, path: str, name: str) -> str:
    found = parent.findall("/".join(f"{{{DSIG}}}{tag}" for tag in path.split("/")))
    if len(found) != 1 or not found[0].text:
        raise FileRejectedError("V04", f"{name}: the signature has no single {path}")
    return found[0].text


def _detach(root: etree._Element, name: str) -> etree._Element:
    signatures = root.findall(f".//{{{DSIG}}}Signature")
    if len(signatures) != 1 or signatures[0] is not root[-1] or signatures[0].tail:
        raise FileRejectedError("V04", f"{name}: expected one signature, at the very end of the root")
    root.remove(signatures[0])
    return signatures[0]


_XML_SPACE = str.maketrans("", "", " \t\r\n")
"""What XML Schema lets stand between the digits of base64Binary (XML Schema 2, 3.2.16)."""


def _value(signature: etree._Element, name: str) -> bytes:
    digits = _text(signature, "SignatureValue", name).translate(_XML_SPACE)
    try:
        value = base64.b64decode(digits, validate=True)
    except ValueError as error:
        raise FileRejectedError("V04", f"{name}: the signature value is not base64") from error
    if len(value) != 64:
        raise FileRejectedError("V04", f"{name}: signature value of {len(value)} octets, expected 64")
    return encode_dss_signature(int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big"))


def _certificate(
    signature: etree._Element, lookup: CertificateLookup, name: str
) -> tuple[x509.Certificate, Holder]:
    issuer = _text(signature, "KeyInfo/X509Data/X509IssuerSerial/X509IssuerName", name)
    serial = _text(signature, "KeyInfo/X509Data/X509IssuerSerial/X509SerialNumber", name)
    if not serial.isdecimal() or len(serial) > 40:
        raise FileRejectedError("V04", f"{name}: certificate serial {serial[:50]!r} is not a number")
    try:
        certificate, holder = lookup(f"{int(serial):032X}")
    except CertificateError as error:
        raise FileRejectedError("V04", f"{name}: {error}") from error
    if certificate.issuer.rfc4514_string() != issuer:
        raise FileRejectedError("V04", f"{name}: issuer {issuer!r} is not that of the certificate")
    return certificate, holder


def verify_file(octets: bytes, name: str, lookup: CertificateLookup) -> SignedFile:
    """Check schema, signature, signer and role of a file; raises `FileRejectedError` with V01, V03 or V04."""
    root = _parse(octets, name)
    document = from_xml(root, name)
    signature = _detach(root, name)
    expected = _canonical(_signed_info(hashlib.sha256(_canonical(root)).digest()))
    infos = signature.findall(f"{{{DSIG}}}SignedInfo")
    if len(infos) != 1 or _canonical(infos[0]) != expected:
        raise FileRejectedError("V04", f"{name}: the signature does not cover this content; it was altered")
    certificate, holder = _certificate(signature, lookup, name)
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise FileRejectedError("V04", f"{name}: {certificate_id(certificate)} holds no elliptic curve key")
    try:
        key.verify(_value(signature, name), expected, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise FileRejectedError("V04", f"{name}: the signature does not verify") from error
    _check_signer(document, holder, name)
    return SignedFile(name, document, hashlib.sha256(octets).hexdigest(), holder)


def _check_signer(document: Document, holder: Holder, name: str) -> None:
    if holder.role is not document.kind.signer:
        raise FileRejectedError(
            "V04", f"{name}: signed by {holder}, expected role {document.kind.signer.text}"
        )
    if f"{holder.eui64:016X}" != document.sender.replace("-", ""):
        raise FileRejectedError("V04", f"{name}: sent by {document.sender} but signed by {holder}")
