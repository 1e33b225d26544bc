"""The folder through which the parties exchange files, open to anyone who wants to look.

Names, where GG is the group id, INSTALLATION its id and N the attempt:

    MA_CGI_<supplier EUI-64>_<YYYYMMDD>_<HHMMSS>.xml      migration authorisation (pattern confirmed)
    <KIND>_GG_INSTALLATION_N.xml                          everything else; KIND as `FileKind.prefix`

A file appears under its name by a rename: whole or not at all.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import FileRejectedError
from harness.exchange.document import Answer, Document, FileKind
from harness.exchange.signature import CertificateLookup, SignedFile, sign_document, verify_file
from harness.files import make_run_folder, write_atomically
from harness.pki.authority import Credential
from hw_profiles.errors import FileRefusedError
from hw_profiles.regular_file import read_regular_file

FILE_LIMIT = 4 << 20
"""Octets of an exchanged file, which anybody may put into the folder; those of a home have a few thousand."""
MA_NAME = re.compile(r"MA_[A-Z]{3}_([0-9A-F]{2}-){7}[0-9A-F]{2}_\d{8}_\d{6}(\.\w+)?", re.IGNORECASE)


def file_name(document: Document, service_provider: str) -> str:
    """Return the name a document travels under."""
    if document.kind is FileKind.AUTHORISATION:
        created = datetime.fromtimestamp(document.created_unix_seconds, UTC)
        return f"MA_{service_provider}_{document.sender}_{created:%Y%m%d_%H%M%S}.xml"
    return f"{document.kind.prefix}_{document.group_id}_{document.installation}_{document.attempt}.xml"


class ExchangeFolder:
    """A folder of signed files."""

    def __init__(self, path: Path) -> None:
        """Use the folder; it is made by the first file that is published."""
        self.path = path

    def publish(self, name: str, document: Document, credential: Credential) -> Answer:
        """Sign a document and put it in the folder; returns how later files refer to it.

        Publishing the same octets again changes nothing; other octets under a name already taken raise
        `FileRejectedError`.
        """
        octets = sign_document(document, credential)
        make_run_folder(self.path)
        path = self.path / name
        if path.exists() and path.read_bytes() != octets:
            raise FileRejectedError("V05", f"{name} already exists with other content; use another attempt")
        write_atomically(path, octets)
        return Answer(name, hashlib.sha256(octets).hexdigest())

    def read(self, name: str, lookup: CertificateLookup) -> SignedFile:
        """Read and verify a file; raises `FileRejectedError` (V01 for a name or file that cannot be)."""
        if "/" in name or name.startswith("."):
            raise FileRejectedError("V01", f"{name!r} is not a file name of the exchange")
        try:
            octets = read_regular_file(self.path / name, FILE_LIMIT)
        except FileRefusedError as error:
            said = str(error).removeprefix(f"{self.path / name}: ")
            raise FileRejectedError("V01", f"{name}: {said}") from error
        signed = verify_file(octets, name, lookup)
        if signed.document.kind is FileKind.AUTHORISATION and not MA_NAME.fullmatch(name):
            raise FileRejectedError("V01", f"{name}: expected MA_XXX_<EUI-64>_<YYYYMMDD>_<HHMMSS>")
        return signed

    def names(self) -> list[str]:
        """Return the names of the files, sorted."""
        return sorted(path.name for path in self.path.glob("*.xml"))
