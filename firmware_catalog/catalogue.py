"""The firmware catalogue: images known to be used in the field, in a signed repository.

A catalogue is a folder: `metadata` (TUF roles) and `targets` (images named by their SHA-256). Its keys lie in
another folder, `<catalogue>.keys` unless told otherwise; whoever only reads needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from re import fullmatch, sub

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import TargetFile, Targets  # type: ignore[attr-defined]

from emulator.errors import FrameError
from emulator.smart_energy.ota.file import parse
from firmware_catalog.errors import CatalogError
from firmware_catalog.files import IMAGE_LIMIT, read_octets, write_atomically
from firmware_catalog.inspection import Inspection, inspect_file
from firmware_catalog.records import Claims, Entry, Evidence, checked, from_custom, header_claims, to_custom
from firmware_catalog.repository import DEFAULT_LIFETIMES, Access, Lifetimes, Writer, exclusive
from firmware_catalog.signing import Keys
from firmware_catalog.trusted import ROLE_NAME, TrustedView, last_fresh_moment, read_trusted, root_digest


def keys_folder(path: Path) -> Path:
    """Return where a catalogue's keys lie by default: beside it, not inside."""
    return path.parent / f"{path.name}.keys"


class Catalogue:
    """A verified reading of a catalogue, and the means to add to it."""

    def __init__(self, path: Path, view: TrustedView, access: Access) -> None:
        """Use `create` or `open`."""
        self.path = path
        self._view = view
        self._access = access
        self._entries = tuple(_entry(target) for target in view.all_targets())

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        now: datetime,
        keys: Path | None = None,
        seed: str | None = None,
        memory: Path | None = None,
        lifetimes: Lifetimes = DEFAULT_LIFETIMES,
    ) -> Catalogue:
        """Make an empty catalogue at `path`, signed at `now`.

        Keys are made in `keys`, or derived from a published `seed` for a rehearsal; `memory` is as for `open`. Raises
        `CatalogError` when there is a catalogue already or the folder cannot be written.
        """
        if (path / "metadata" / "timestamp.json").exists():
            raise CatalogError(f"catalogue {path}: there is one already; open it, or choose another folder")
        source = Keys(seed=seed) if seed is not None else Keys(folder=keys or keys_folder(path))
        access = Access(now, source, lifetimes, memory)
        with exclusive(path):
            Writer(path, access).create()
        return cls(path, read_trusted(path, now, memory=memory), access)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        now: datetime,
        keys: Path | None = None,
        seed: str | None = None,
        memory: Path | None = None,
        root_sha256: str | None = None,
        lifetimes: Lifetimes = DEFAULT_LIFETIMES,
    ) -> Catalogue:
        """Read and verify the catalogue at `path` at the reference time `now`.

        `memory` is the folder that keeps what was last seen, so that an older state is refused later (see
        `firmware_catalog.memory`). `root_sha256` pins the first root. Raises `CatalogError`.
        """
        source = Keys(seed=seed) if seed is not None else Keys(folder=keys or keys_folder(path))
        view = read_trusted(path, now, memory=memory, root_sha256=root_sha256)
        return cls(path, view, Access(now, source, lifetimes, memory))

    @classmethod
    def open_stale(
        cls, path: Path, *, now: datetime, keys: Path | None = None, memory: Path | None = None
    ) -> Catalogue:
        """Read a catalogue whose timestamp may have expired, for `refresh` alone; all other rules hold.

        It is read as of the moment before its timestamp's expiry. Raises `CatalogError`.
        """
        opened = cls.open(path, now=min(now, last_fresh_moment(path)), keys=keys, memory=memory)
        return cls(path, opened._view, replace(opened._access, now=now))

    @property
    def root_sha256(self) -> str:
        """SHA-256 of the first root, which an installation pins as `catalogue_root_sha256`."""
        return root_digest(self.path)

    @property
    def versions(self) -> dict[str, int]:
        """The version of every role, by its name."""
        return self._view.versions

    def files(self) -> tuple[Path, ...]:
        """Return the files that whoever reads this state of the catalogue needs, and no other that lies about."""
        top = ("snapshot", "targets")
        versions = self.versions
        names = [f"{number}.root.json" for number in range(1, versions["root"] + 1)]
        names += [
            "timestamp.json",
            *(f"{versions[role]}.{role}.json" for role in (*top, *self._view.suppliers)),
        ]
        metadata = (self.path / "metadata" / name for name in names)
        return (*metadata, *(self._stored(target) for target in self._view.all_targets()))

    def list(self) -> tuple[Entry, ...]:
        """Return every entry, in order of supplier and id."""
        return self._entries

    def show(self, id: str) -> Entry:
        """Return the entry whose id starts with `id` (8 or more digits); raises `CatalogError`."""
        if not fullmatch(r"[0-9a-f]{8,64}", id.lower()):
            raise CatalogError(f"image {id!r}: expected an id of 8 to 64 hexadecimal digits, as `list` shows")
        found = [entry for entry in self._entries if entry.id.startswith(id.lower())]
        if not found:
            raise CatalogError(f"image {id}: not in catalogue {self.path}; see `smets1 catalog list`")
        if len({entry.id for entry in found}) > 1:
            raise CatalogError(f"image {id}: {len(found)} images start so; give more digits")
        return found[0]

    def find(self, manufacturer: int, image_type: int, version: int | None = None) -> tuple[Entry, ...]:
        """Return the entries of an OTA identity, of one version or of all, oldest version first."""
        found = [
            entry
            for entry in self._entries
            if (entry.manufacturer_code, entry.image_type) == (manufacturer, image_type)
            and version in (None, entry.version)
        ]
        return tuple(sorted(found, key=lambda entry: (entry.version, entry.path)))

    def fetch(self, id: str) -> bytes:
        """Return an image's octets, checked against the signed metadata, and that against the file's own header.

        Raises `CatalogError`.
        """
        entry = self.show(id)
        target = next(target for target in self._view.all_targets() if target.path == entry.path)
        data = read_octets(self._stored(target), IMAGE_LIMIT)
        try:
            target.verify_length_and_hashes(data)
        except LengthOrHashMismatchError as error:
            raise CatalogError(
                f"image {entry.id[:12]} ({entry.identity}): the stored file is not the one that was signed; "
                "restore it from the supplier's copy"
            ) from error
        try:
            entry.require_header(parse(data).header)
        except FrameError as error:
            raise CatalogError(
                f"catalogue entry {entry.path}: {error}; its supplier must sign it again or withdraw it"
            ) from error
        return data

    def require_for_dormant(self, id: str) -> Entry:
        """Return the entry when its evidence of prior field use is complete.

        Raises `CatalogError` naming what is missing: a dormant meter gets only known/used firmware.
        """
        entry = self.show(id)
        name = f"image {entry.id[:12]} ({entry.identity})"
        if entry.evidence is None:
            raise CatalogError(
                f"{name}: no evidence of prior field use, so it must not go to a dormant meter; "
                "add it again with --evidence"
            )
        missing = entry.evidence.missing(self._access.now.date())
        if missing:
            raise CatalogError(
                f"{name}: its evidence of prior field use lacks {', '.join(missing)}; add it again so"
            )
        return entry

    def add(
        self,
        file: Path,
        supplier: str,
        *,
        evidence: Evidence | None = None,
        models: Sequence[str] = (),
        from_versions: Sequence[int] = (),
        added_by: str = "",
    ) -> Entry:
        """Add an image file under its Installing Supplier's own role, or say more of one that is there.

        Raises `CatalogError`, changing nothing, when the file is refused or a signing key is not at hand.
        """
        looked = inspect_file(file)
        data = looked.data
        if looked.refused_because is not None:
            raise CatalogError(f"{file}: {looked.refused_because}")
        role = supplier_role(supplier)
        target = self._target(role, looked, data)
        entry = _describe(target, file.name, supplier, looked)
        claims = self._claims(entry, Claims(evidence, tuple(models), tuple(from_versions), added_by))
        entry = checked(_with_claims(entry, claims, self._access.now))
        self._require_honest(role, entry)
        target.unrecognized_fields["custom"] = to_custom(entry)
        with exclusive(self.path):
            self._reload()
            self._publish(role, target, data)
        self._reload()
        return entry

    def _require_honest(self, role: str, entry: Entry) -> None:
        """Refuse to sign again a record of the same supplier that is not what its file is."""
        for known in self._entries:
            if known.path.startswith(f"{role}/") and known.path != entry.path:
                self.fetch(known.id)

    def _claims(self, entry: Entry, claims: Claims) -> Claims:
        """Keep what was said of the image before, where nothing new is said."""
        before = next((known for known in self._entries if known.path == entry.path), None)
        if before is None:
            return claims
        return replace(
            claims,
            evidence=claims.evidence or before.evidence,
            models=claims.models or before.models,
            from_versions=claims.from_versions or before.from_versions,
        )

    def refresh(self) -> None:
        """Sign the catalogue's freshness again at the reference time, before it expires."""
        with exclusive(self.path):
            Writer(self.path, self._access).refresh(self._view)
        self._reload()

    def _publish(self, role: str, target: TargetFile, data: bytes) -> None:
        writer = Writer(self.path, self._access)
        old = self._view.suppliers.get(role)
        listed = {**({} if old is None else old.targets), target.path: target}
        targets = Targets(
            version=1 if old is None else old.version + 1,
            expires=writer.targets_expiry(),
            targets=dict(sorted(listed.items())),
        )
        write_atomically(self._stored(target), data)
        writer.publish_supplier(self._view, role, targets)

    def _reload(self) -> None:
        # What this user writes is seen too: the state before it, put back, is an older one.
        self._view = read_trusted(self.path, self._access.now, memory=self._access.memory)
        self._entries = tuple(_entry(target) for target in self._view.all_targets())

    def _stored(self, target: TargetFile) -> Path:
        folder, _, name = target.path.rpartition("/")
        return self.path / "targets" / folder / f"{target.hashes['sha256']}.{name}"

    @staticmethod
    def _target(role: str, looked: Inspection, data: bytes) -> TargetFile:
        header = looked.file.header
        name = f"{header.manufacturer_code:04x}-{header.image_type:04x}-{header.file_version:08x}"
        path = f"{role}/{name}-{looked.sha256[:8]}.ota"
        return TargetFile(len(data), {"sha256": looked.sha256}, path)


def supplier_role(supplier: str) -> str:
    """Return the name of a supplier's role: its name in lower case, words joined by hyphens."""
    role = "supplier-" + sub(r"[^a-z0-9]+", "-", supplier.lower()).strip("-")
    if not fullmatch(ROLE_NAME, role):
        raise CatalogError(f"supplier {supplier!r}: expected a name or EUI-64 of 1 to 60 letters and digits")
    return role


def _describe(target: TargetFile, file_name: str, supplier: str, looked: Inspection) -> Entry:
    header = looked.file.header
    return Entry(
        id=looked.sha256,
        path=target.path,
        octets=target.length,
        file_name=file_name,
        supplier=supplier,
        **header_claims(header),
        models=(),
        from_versions=(),
        evidence=None,
        added="",
        added_by="",
        findings=tuple(finding.text for finding in looked.findings),
    )


def _with_claims(entry: Entry, claims: Claims, now: datetime) -> Entry:
    if entry.version in claims.from_versions:
        raise CatalogError(
            f"image {entry.identity}: cannot be installed over itself; correct the from-versions"
        )
    return replace(
        entry,
        evidence=claims.evidence,
        models=claims.models,
        from_versions=claims.from_versions,
        added=now.replace(microsecond=0).isoformat(),
        added_by=claims.added_by,
    )


def _entry(target: TargetFile) -> Entry:
    entry = from_custom(target.path, target.hashes.get("sha256"), target.length, target.custom)
    role = target.path.partition("/")[0]
    if supplier_role(entry.supplier) != role:
        raise CatalogError(
            f"catalogue entry {entry.path}: supplier = {entry.supplier!r}: expected the supplier of role {role}; "
            "it must sign in its own name"
        )
    return entry
