"""The certificate repository: a folder of public certificates every party may read, and the trust checks."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from harness.errors import CertificateError
from harness.files import make_run_folder, write_atomically
from harness.pki.authority import Credential, RehearsalAuthority, Usage
from harness.pki.profile import Holder, check_authority, check_organisation, holder_of
from harness.pki.roles import RemotePartyRole
from hw_profiles.errors import FileRefusedError
from hw_profiles.regular_file import TEXT_LIMIT, read_regular_file

ROOT_FILE = "root.pem"
ISSUING_FILE = "issuing.pem"


def certificate_id(certificate: x509.Certificate) -> str:
    """Return what files call a certificate: its serial number in hexadecimal, 32 digits."""
    return f"{certificate.serial_number:032X}"


class CertificateDirectory:
    """Published certificates by id, under one root and issuing authority."""

    def __init__(self, folder: Path) -> None:
        """Read a published folder; raises `CertificateError` when root or issuer are missing or wrong."""
        self._folder = folder
        self.root = self._read(ROOT_FILE)
        self.issuing = self._read(ISSUING_FILE)

    @classmethod
    def publish(cls, folder: Path, authority: RehearsalAuthority) -> CertificateDirectory:
        """Publish an authority's root and issuing certificates and return the directory."""
        make_run_folder(folder)
        for name, credential in ((ROOT_FILE, authority.root), (ISSUING_FILE, authority.issuing)):
            write_atomically(folder / name, credential.certificate.public_bytes(Encoding.PEM))
        return cls(folder)

    def add(self, credential: Credential) -> str:
        """Publish an organisation's certificate and return its id."""
        identifier = certificate_id(credential.certificate)
        write_atomically(
            self._folder / f"{identifier}.pem", credential.certificate.public_bytes(Encoding.PEM)
        )
        return identifier

    def lookup(self, identifier: str) -> x509.Certificate:
        """Return the certificate with this id; raises `CertificateError`."""
        if len(identifier) != 32 or not set(identifier) <= set("0123456789ABCDEF"):
            raise CertificateError(f"certificate id {identifier!r}: expected 32 hexadecimal digits")
        return self._read(f"{identifier}.pem")

    def verified(self, identifier: str, at: datetime, usage: Usage) -> tuple[x509.Certificate, Holder]:
        """Return a certificate by id, checked up to the root, and its holder; raises `CertificateError`."""
        certificate = self.lookup(identifier)
        check_authority(self.issuing, self.root, at)
        return certificate, check_organisation(certificate, self.issuing, at, usage)

    def find(self, role: RemotePartyRole, usage: Usage, eui64: int | None = None) -> x509.Certificate:
        """Return the one published certificate of a role (and holder); raises `CertificateError`."""
        for path in sorted(self._folder.glob("*.pem")):
            if path.name in (ROOT_FILE, ISSUING_FILE):
                continue
            certificate = self._read(path.name)
            holder = holder_of(certificate)
            signing = certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
            if holder.role is role and signing is (usage is Usage.SIGNING) and eui64 in (None, holder.eui64):
                return certificate
        raise CertificateError(f"no {usage.value} certificate of role {role.text} is published")

    def _read(self, name: str) -> x509.Certificate:
        try:
            return x509.load_pem_x509_certificate(read_regular_file(self._folder / name, TEXT_LIMIT))
        except (FileRefusedError, ValueError) as error:
            raise CertificateError(f"certificate {self._folder / name}: {error}; publish it first") from error
