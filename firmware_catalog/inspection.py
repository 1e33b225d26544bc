"""What can be said of an OTA file before anybody installs it: structure, integrity code, signature."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.crypto.certificates import parse_certificate
from emulator.crypto.suite import Suite
from emulator.errors import EmulatorError, FrameError, SecurityError
from emulator.eui64 import format_eui64
from emulator.smart_energy.ota.file import OtaFile, OtaTag, parse
from emulator.smart_energy.ota.findings import Finding, findings, refusal
from emulator.smart_energy.ota.integrity import matching_coverage
from emulator.smart_energy.ota.signature import FirmwareTrust, signature_suite, verify_signature
from firmware_catalog.errors import CatalogError
from firmware_catalog.files import IMAGE_LIMIT, read_octets
from hw_profiles.model import IntegrityCoverage

_COVERAGE_TEXT = {
    IntegrityCoverage.BEFORE_TAG: "covers everything before its tag",
    IntegrityCoverage.WITH_TAG_HEADER: "covers everything up to and including its tag and length",
    IntegrityCoverage.SHORT_PADDING: "covers everything before its tag, with non-standard 16-bit padding",
}
_CERTIFICATE_TAG = {Suite.SUITE_1: OtaTag.CERTIFICATE_SUITE_1, Suite.SUITE_2: OtaTag.CERTIFICATE_SUITE_2}


@dataclass(frozen=True, slots=True)
class Inspection:
    """The verdict on one file, whose octets are `data`. `coverage` is the reading under which its integrity code is
    right, if it has one.
    """

    file: OtaFile
    data: bytes
    sha256: str
    findings: tuple[Finding, ...]
    coverage: IntegrityCoverage | None

    @property
    def refused_because(self) -> str | None:
        """Why the file must not be used, or None when it may."""
        return refusal(self.findings)

    @property
    def accepted(self) -> bool:
        """Say whether the file may be used."""
        return self.refused_because is None

    @property
    def verdict(self) -> str:
        """One line: accepted or refused, and the reason."""
        reason = self.refused_because
        if reason is not None:
            return f"refused: {reason}"
        return f"accepted: {self._grounds()}"

    def _grounds(self) -> str:
        if self.coverage is not None:
            return "well formed, and its integrity code is right"
        if any(finding.code == "signature-verified" for finding in self.findings):
            return "well formed, and its signature verifies"
        if self.file.gbcs is not None:
            return "GBCS layout; its signature is for the GBCS key holder to verify"
        if signature_suite(self.file) is not None:
            return "well formed; its signature is not verified here"
        return "well formed; it carries neither integrity code nor signature to check"


def inspect_file(path: Path, trusts: Sequence[FirmwareTrust] = ()) -> Inspection:
    """Look into the OTA file at `path`; raises `CatalogError` naming it."""
    try:
        return inspect(read_octets(path, IMAGE_LIMIT), trusts)
    except FrameError as error:
        raise CatalogError(f"{path}: {error}") from error


def inspect(data: bytes, trusts: Sequence[FirmwareTrust] = ()) -> Inspection:
    """Look into an OTA file; raises `FrameError` when it is no OTA file at all.

    With `trusts`, a signature is verified as a device that trusts them would; without, it is only described.
    """
    file = parse(data)
    structure = findings(file)
    coverage, integrity = _integrity(file)
    found = (*structure, *integrity, *_signature(file, trusts))
    return Inspection(file, data, hashlib.sha256(data).hexdigest(), found, coverage)


def _integrity(file: OtaFile) -> tuple[IntegrityCoverage | None, tuple[Finding, ...]]:
    code = file.element(OtaTag.INTEGRITY_CODE)
    if code is None or len(code) != 16:
        return None, ()
    coverage = matching_coverage(file)
    if coverage is None:
        wrong = "the integrity code does not match the content in any known reading; the file was altered"
        return None, (Finding("integrity-wrong", wrong, True),)
    return coverage, (Finding("integrity", f"integrity code right: {_COVERAGE_TEXT[coverage]}"),)


def _signature(file: OtaFile, trusts: Sequence[FirmwareTrust]) -> Iterator[Finding]:
    suite = signature_suite(file)
    certificate = None if suite is None else file.element(_CERTIFICATE_TAG[suite])
    if suite is None or certificate is None:
        return
    try:
        fields = parse_certificate(suite, certificate)
    except EmulatorError:
        return  # the wrong length is already among the structural findings
    signer, issuer = format_eui64(fields.subject), fields.issuer.hex("-").upper()
    described = f"signed in suite {suite.value} by {signer} under issuer {issuer}"
    if not trusts:
        yield Finding("signature", f"{described}; not verified, as no authority was given")
        return
    try:
        verify_signature(file, suite, trusts)
    except SecurityError as error:
        yield Finding("signature-wrong", str(error), True)
    else:
        yield Finding("signature-verified", f"{described}; the signature verifies")
