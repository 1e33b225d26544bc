"""The firmware catalogue: images known to be used in the field, in a signed repository.

A catalogue is a folder: `metadata` (TUF roles), `targets` (images and statements named by their SHA-256) and `staged`
(changes not published yet). The operator's keys lie in another folder, `<catalogue>.keys` unless told otherwise, and
each party's in one of its own, `<catalogue>.parties/<role>`; whoever only reads needs none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from re import fullmatch

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import TargetFile  # type: ignore[attr-defined]

from emulator.errors import FrameError
from emulator.smart_energy.ota.file import parse
from firmware_catalog.draft import Draft, stored_at
from firmware_catalog.errors import CatalogError
from firmware_catalog.files import IMAGE_LIMIT, METADATA_LIMIT, read_octets
from firmware_catalog.listing import Listing
from firmware_catalog.parties import PartyKind, manufacturer_role, owns, party_of, role_of, supplier_role
from firmware_catalog.provision import Image, describe, target_of
from firmware_catalog.records import Claims, Entry
from firmware_catalog.repository import DEFAULT_LIFETIMES, Access, Lifetimes, Writer, exclusive
from firmware_catalog.signing import Keys
from firmware_catalog.standing import Standing
from firmware_catalog.statements import Evidence, Said, Statement, make_statement
from firmware_catalog.trusted import last_fresh_moment, read_trusted, root_digest


def keys_folder(path: Path) -> Path:
    """Return where the operator's keys of a catalogue lie by default: beside it, not inside."""
    return path.parent / f"{path.name}.keys"


def parties_folder(path: Path) -> Path:
    """Return below which the parties' keys lie by default, each in a folder of its own, apart from the operator's."""
    return path.parent / f"{path.name}.parties"


def keys_of_catalogue(path: Path, folders: Iterable[Path] = (), seed: str | None = None) -> Keys:
    """Return the keys with which a catalogue is changed: those of a seed, of `folders`, or of the default folders."""
    if seed is not None:
        return Keys(seed=seed)
    return Keys(tuple(folders) or (keys_folder(path), parties_folder(path)))


class Catalogue:
    """A verified reading of a catalogue, and the means to change it."""

    def __init__(self, path: Path, listing: Listing, access: Access) -> None:
        """Use `create` or `open`."""
        self.path = path
        self._listing = listing
        self._access = access

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        now: datetime,
        keys: Iterable[Path] = (),
        seed: str | None = None,
        memory: Path | None = None,
        lifetimes: Lifetimes = DEFAULT_LIFETIMES,
    ) -> Catalogue:
        """Make an empty catalogue at `path`, signed at `now`.

        The operator's keys are made in the first of `keys`, or derived from a published `seed` for a rehearsal;
        `memory` is as for `open`. Raises `CatalogError` when there is a catalogue already or the folder cannot be
        written.
        """
        if (path / "metadata" / "timestamp.json").exists():
            raise CatalogError(f"catalogue {path}: there is one already; open it, or choose another folder")
        access = Access(now, keys_of_catalogue(path, keys, seed), lifetimes, memory)
        with exclusive(path):
            Writer(path, access).create()
        return cls(path, Listing(read_trusted(path, now, memory=memory)), access)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        now: datetime,
        keys: Iterable[Path] = (),
        seed: str | None = None,
        memory: Path | None = None,
        root_sha256: str | None = None,
        lifetimes: Lifetimes = DEFAULT_LIFETIMES,
    ) -> Catalogue:
        """Read and verify the catalogue at `path` at the reference time `now`.

        `memory` is the folder that keeps what was last seen, so that an older state is refused later (see
        `firmware_catalog.memory`). `root_sha256` pins the first root. Raises `CatalogError`.
        """
        view = read_trusted(path, now, memory=memory, root_sha256=root_sha256)
        return cls(path, Listing(view), Access(now, keys_of_catalogue(path, keys, seed), lifetimes, memory))

    @classmethod
    def open_stale(
        cls, path: Path, *, now: datetime, keys: Iterable[Path] = (), memory: Path | None = None
    ) -> Catalogue:
        """Read a catalogue whose timestamp may have expired, for `refresh` alone; all other rules hold.

        It is read as of the moment before its timestamp's expiry. Raises `CatalogError`.
        """
        opened = cls.open(path, now=min(now, last_fresh_moment(path)), keys=keys, memory=memory)
        return cls(path, opened._listing, replace(opened._access, now=now))

    @property
    def root_sha256(self) -> str:
        """SHA-256 of the first root, which an installation pins as `catalogue_root_sha256`."""
        return root_digest(self.path)

    @property
    def versions(self) -> dict[str, int]:
        """The version of every role, by its name."""
        return self._listing.view.versions

    @property
    def parties(self) -> tuple[str, ...]:
        """The roles of the parties, in order."""
        return tuple(role for role in self._listing.view.delegated if "." not in role)

    def files(self) -> tuple[Path, ...]:
        """Return the files that whoever reads this state of the catalogue needs, and no other that lies about."""
        view = self._listing.view
        names = [f"{number}.root.json" for number in range(1, view.root.version + 1)]
        others = ("snapshot", "targets", *view.delegated)
        names += ["timestamp.json", *(f"{self.versions[role]}.{role}.json" for role in others)]
        metadata = (self.path / "metadata" / name for name in names)
        return (*metadata, *(stored_at(self.path, target) for target in view.all_targets()))

    def list(self) -> tuple[Entry, ...]:
        """Return every image that is provided, in order of supplier and path."""
        return self._listing.entries

    def statements(self) -> tuple[Statement, ...]:
        """Return everything that parties say of images, in order of path."""
        return self._listing.statements

    def show(self, id: str) -> Entry:
        """Return the entry whose id starts with `id` (8 or more digits); raises `CatalogError`."""
        if not fullmatch(r"[0-9a-f]{8,64}", id.lower()):
            raise CatalogError(f"image {id!r}: expected an id of 8 to 64 hexadecimal digits, as `list` shows")
        found = [entry for entry in self.list() if entry.id.startswith(id.lower())]
        if not found:
            raise CatalogError(f"image {id}: not in catalogue {self.path}; see `smets1 catalog list`")
        if len({entry.id for entry in found}) > 1:
            raise CatalogError(f"image {id}: {len(found)} images start so; give more digits")
        return found[0]

    def image(self, id: str) -> str:
        """Return the SHA-256 of an image that is provided or staged, by 8 or more digits, or of any by all 64.

        Raises `CatalogError`.
        """
        if fullmatch(r"[0-9a-f]{64}", id):
            return id
        draft = self.draft()
        staged = {
            str(target.hashes.get("sha256"))
            for role in draft.roles
            for path, target in draft.latest(role).items()
            if owns(role, path) and "." in role
        }
        found = {digest for digest in staged if len(id) >= 8 and digest.startswith(id.lower())}
        return found.pop() if len(found) == 1 else self.show(id).id

    def find(self, manufacturer: int, image_type: int, version: int | None = None) -> tuple[Entry, ...]:
        """Return the entries of an OTA identity, of one version or of all, oldest version first."""
        found = [
            entry
            for entry in self.list()
            if (entry.manufacturer_code, entry.image_type) == (manufacturer, image_type)
            and version in (None, entry.version)
        ]
        return tuple(sorted(found, key=lambda entry: (entry.version, entry.path)))

    def standing(self, sha256: str) -> Standing:
        """Return all that the parties say of an image, by its full SHA-256; of one in no catalogue that is nothing."""
        return self._listing.standing(sha256)

    def fetch(self, id: str) -> bytes:
        """Return an image's octets, checked against the signed metadata, and that against the file itself.

        Raises `CatalogError`.
        """
        return self._fetch(self.show(id))

    def _fetch(self, entry: Entry) -> bytes:
        data = self._octets(
            self._listing.target(entry.path), IMAGE_LIMIT, f"image {entry.id[:12]} ({entry.identity})"
        )
        try:
            entry.require_file(parse(data))
        except FrameError as error:
            raise CatalogError(
                f"catalogue entry {entry.path}: {error}; its supplier must sign it again or withdraw it"
            ) from error
        return data

    def _octets(self, target: TargetFile, limit: int, name: str) -> bytes:
        data = read_octets(stored_at(self.path, target), min(limit, target.length))
        try:
            target.verify_length_and_hashes(data)
        except LengthOrHashMismatchError as error:
            raise CatalogError(
                f"{name}: the stored file is not the one that was signed; restore it from the supplier's copy"
            ) from error
        return data

    def check_stored(self) -> int:
        """Read every stored file against what is signed; returns how many octets. Raises `CatalogError`."""
        images = sum(len(self._fetch(entry)) for entry in self.list())
        documents = (self._listing.target(each.path) for each in self.statements())
        return images + sum(len(self._octets(each, METADATA_LIMIT, each.path)) for each in documents)

    def draft(self) -> Draft:
        """Return the changes that are staged."""
        return Draft(self.path, self._listing.view, self._access)

    def stage_party(self, kind: PartyKind, name: str) -> str:
        """Stage a party, with a key of its own made for it in its own folder; returns its role."""
        role = role_of(kind, name)
        signer = self._access.keys.make(role, parties_folder(self.path) / role)
        self.draft().delegate(role, [signer.public_key], 1)
        return role

    def stage_image(self, image: Image, supplier: str, claims: Claims) -> Entry:
        """Stage an image under its supplier's role, or more of one that is there.

        The manufacturer's role is delegated to the supplier's own keys where it is not yet delegated to others. Raises
        `CatalogError`, staging nothing, when a record of the same supplier is not what its file is.
        """
        draft, party = self.draft(), supplier_role(supplier)
        role = manufacturer_role(party, image.file.header.manufacturer_code)
        target = target_of(role, image)
        before = next((known for known in self.list() if known.path == target.path), None)
        entry = describe(target, image, supplier, claims, now=self._access.now, before=before)
        for known in self.list():
            if party_of(role) == known.path.partition("/")[0] and known.path != target.path:
                self._fetch(known)
        draft.require(party)
        if not draft.delegates(role):
            keys = draft.keys(party)
            draft.delegate(role, keys, min(len(keys), draft.threshold(party)))
        draft.put(role, target, image.data)
        return entry

    def stage_statement(self, kind: PartyKind, by: str, image: str, says: Said) -> Statement:
        """Stage what a party says of an image, dated at the reference time; raises `CatalogError`."""
        statement = make_statement(kind, by, image, self._access.now.date(), says)
        data = statement.octets
        target = TargetFile(len(data), {"sha256": statement.sha256}, statement.path)
        target.unrecognized_fields["custom"] = statement.custom
        self.draft().put(statement.role, target, data)
        return statement

    def publish(self) -> tuple[str, ...]:
        """Sign what is staged with the keys at hand and publish it; returns the roles. Raises `CatalogError`."""
        with exclusive(self.path):
            self._reload()
            draft = self.draft()
            draft.sign()
            published = draft.publish()
        self._reload()
        return published

    def add(
        self,
        file: Path,
        supplier: str,
        *,
        evidence: Evidence | None = None,
        models: Sequence[str] = (),
        from_versions: Sequence[int] = (),
        provenance: str = "",
        added_by: str = "",
    ) -> Entry:
        """Add an image, and the supplier's evidence of its use, in one step where all keys are at hand.

        Raises `CatalogError`, changing nothing, when the file is refused or a signing key is not at hand.
        """
        image = Image.read(file)
        Writer(self.path, self._access).require_keys(self._listing.view)
        if evidence is not None:
            make_statement(PartyKind.SUPPLIER, supplier, image.sha256, self._access.now.date(), evidence)
        try:
            if not self.draft().delegates(supplier_role(supplier)):
                self.stage_party(PartyKind.SUPPLIER, supplier)
            claims = Claims(tuple(models), tuple(from_versions), provenance, added_by=added_by)
            entry = self.stage_image(image, supplier, claims)
            if evidence is not None:
                self.stage_statement(PartyKind.SUPPLIER, supplier, entry.id, evidence)
            self.publish()
        except CatalogError:
            self.draft().discard()
            raise
        return entry

    def say(self, kind: PartyKind, by: str, image: str, says: Said) -> Statement:
        """Publish what a party says of an image in one step, where all keys are at hand; raises `CatalogError`."""
        if not self.draft().delegates(role_of(kind, by)):
            self.stage_party(kind, by)
        statement = self.stage_statement(kind, by, image, says)
        self.publish()
        return statement

    def refresh(self) -> None:
        """Sign the catalogue's freshness again at the reference time, before it expires."""
        with exclusive(self.path):
            Writer(self.path, self._access).refresh(self._listing.view)
        self._reload()

    def _reload(self) -> None:
        # What this user writes is seen too: the state before it, put back, is an older one.
        self._listing = Listing(read_trusted(self.path, self._access.now, memory=self._access.memory))
