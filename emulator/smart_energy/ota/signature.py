"""Signatures of OTA files: made with a Smart Energy identity, verified the way a device verifies its
download.

The digest is AES-MMO over the whole file except the signature's own octets at its very end, so it covers the
header, the certificate and the signer's address (protocol facts 2.2, after 15-0324-02, 11.7.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emulator.crypto import ecdsa, ecqv
from emulator.crypto.authority import Identity
from emulator.crypto.certificates import parse_certificate
from emulator.crypto.curves import Point
from emulator.crypto.suite import Suite
from emulator.errors import EmulatorError, SecurityError
from emulator.eui64 import format_eui64
from emulator.smart_energy.ota.file import (
    ELEMENT_OCTETS,
    OtaElement,
    OtaFile,
    OtaHeader,
    OtaTag,
    build,
)
from emulator.smart_energy.ota.findings import findings, refusal
from emulator.smart_energy.ota.integrity import image_digest, matching_coverage, with_integrity_code
from hw_profiles.installation import FirmwareAuthority
from hw_profiles.model import IntegrityCoverage, Verification

_SIGNER_OCTETS = 8
_ELEMENT_HEADER = 6
_SIGNATURE_TAG = {Suite.SUITE_1: OtaTag.SIGNATURE_SUITE_1, Suite.SUITE_2: OtaTag.SIGNATURE_SUITE_2}
_CERTIFICATE_TAG = {Suite.SUITE_1: OtaTag.CERTIFICATE_SUITE_1, Suite.SUITE_2: OtaTag.CERTIFICATE_SUITE_2}


@dataclass(frozen=True, slots=True)
class FirmwareTrust:
    """Whose firmware a device takes: an issuer and its public key, and the signers allowed under it."""

    suite: Suite
    issuer: bytes
    public_key: Point
    signers: tuple[int, ...]


def trust_of(authority: FirmwareAuthority) -> FirmwareTrust:
    """Return the trust that an installation's firmware authority stands for.

    Raises `FrameError` or `CryptoError` when its public key is not a point of the suite's curve.
    """
    suite = Suite(authority.suite)
    return FirmwareTrust(
        suite,
        bytes.fromhex(authority.issuer.replace("-", "")),
        suite.parameters.curve.decompress(bytes.fromhex(authority.public_key)),
        tuple(int(signer.replace("-", ""), 16) for signer in authority.signers),
    )


def signing_octets(suite: Suite) -> int:
    """Return how many octets the certificate and signature sub-elements of `suite` add to a file."""
    tags = (_CERTIFICATE_TAG[suite], _SIGNATURE_TAG[suite])
    return sum(_ELEMENT_HEADER + ELEMENT_OCTETS[tag] for tag in tags)


def signature_digest(file: OtaFile, suite: Suite) -> bytes:
    """Return the digest that a signature of `suite`, the last sub-element of `file`, is made over."""
    return image_digest(file.image[: -suite.parameters.signature_octets])


def sign(file: OtaFile, identity: Identity) -> OtaFile:
    """Append the certificate and signature of `identity` to a file of sub-elements."""
    suite = identity.suite
    signer = identity.eui64.to_bytes(_SIGNER_OCTETS, "little")
    certificate = OtaElement(_CERTIFICATE_TAG[suite], identity.certificate)
    blank = OtaElement(_SIGNATURE_TAG[suite], signer + bytes(suite.parameters.signature_octets))
    unsigned = build(file.header, (*file.elements, certificate, blank))
    signature = ecdsa.sign(suite, identity.private_key, signature_digest(unsigned, suite))
    return OtaFile(unsigned.header, (*unsigned.elements[:-1], OtaElement(blank.tag, signer + signature)))


def build_signed(header: OtaHeader, image: bytes, identity: Identity, *, integrity: bool = True) -> OtaFile:
    """Make a signed file of one upgrade image, with an integrity code unless told otherwise."""
    file = build(header, (OtaElement(OtaTag.UPGRADE_IMAGE, image),))
    if integrity:
        file = with_integrity_code(file, following=signing_octets(identity.suite))
    return sign(file, identity)


def signature_suite(file: OtaFile) -> Suite | None:
    """Return the suite of the file's signature, or None when it has none."""
    for suite, tag in _SIGNATURE_TAG.items():
        if file.element(tag) is not None:
            return suite
    return None


def verify_signature(file: OtaFile, suite: Suite, trusts: Sequence[FirmwareTrust]) -> int:
    """Check the signature of `suite` by every rule of protocol facts 2.2 and return the signer's EUI-64.

    Raises `SecurityError` naming the rule that fails.
    """
    name = f"OTA file {file.header.identity}"
    signed = file.element(_SIGNATURE_TAG[suite])
    certificate = file.element(_CERTIFICATE_TAG[suite])
    if signed is None or certificate is None:
        missing = "signature" if signed is None else "certificate"
        raise SecurityError(
            f"{name}: no suite {suite.value} {missing}; expected an image signed for this device"
        )
    if file.elements[-1].tag != _SIGNATURE_TAG[suite] or len(signed) != ELEMENT_OCTETS[_SIGNATURE_TAG[suite]]:
        raise SecurityError(f"{name}: the signature is not the last sub-element, whole")
    signer = int.from_bytes(signed[:_SIGNER_OCTETS], "little")
    try:
        fields = parse_certificate(suite, certificate)
        fields.check_signature()
        trust = _trust_for(name, suite, fields.issuer, trusts)
        if fields.subject != signer:
            subject = format_eui64(fields.subject)
            raise SecurityError(f"{name}: signer {format_eui64(signer)} is not the certificate's {subject}")
        if signer not in trust.signers:
            raise SecurityError(f"{name}: signer {format_eui64(signer)} is not on the device's list")
        public_key = ecqv.reconstruct_public_key(suite, certificate, trust.public_key)
        genuine = ecdsa.verify(suite, public_key, signature_digest(file, suite), signed[_SIGNER_OCTETS:])
    except SecurityError:
        raise
    except EmulatorError as error:
        raise SecurityError(f"{name}: certificate not acceptable: {error}") from error
    if not genuine:
        raise SecurityError(
            f"{name}: signature of {format_eui64(signer)} does not verify; the image was altered"
        )
    return signer


def _trust_for(name: str, suite: Suite, issuer: bytes, trusts: Sequence[FirmwareTrust]) -> FirmwareTrust:
    for trust in trusts:
        if trust.suite is suite and trust.issuer == issuer:
            return trust
    shown = issuer.hex("-").upper()
    raise SecurityError(f"{name}: unknown certificate issuer {shown}; expected one this device trusts")


def verify_image(
    file: OtaFile,
    verification: Verification,
    coverage: Sequence[IntegrityCoverage] = tuple(IntegrityCoverage),
    trusts: Sequence[FirmwareTrust] = (),
) -> None:
    """Check a finished download as far as `verification` goes; each level includes what the lower ones check.

    `coverage` are the readings of the integrity code that the device accepts. An integrity code is demanded
    only by `integrity`, but one that is there must be right. Raises `SecurityError` saying what is wrong.
    """
    if verification is Verification.NONE:
        return
    name = f"OTA file {file.header.identity}"
    reason = refusal(findings(file))
    if reason is not None:
        raise SecurityError(f"{name}: {reason}")
    if verification is Verification.STRUCTURE:
        return
    if file.element(OtaTag.INTEGRITY_CODE) is None:
        if verification is Verification.INTEGRITY:
            raise SecurityError(f"{name}: no integrity code; expected one, as this device demands")
    elif matching_coverage(file, coverage) is None:
        readings = ", ".join(coverage)
        raise SecurityError(f"{name}: the integrity code is wrong in every reading accepted ({readings})")
    if verification is Verification.ECDSA_1:
        verify_signature(file, Suite.SUITE_1, trusts)
    elif verification is Verification.ECDSA_2:
        verify_signature(file, Suite.SUITE_2, trusts)
