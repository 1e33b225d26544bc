"""The run folder: everything a run writes, and everything it needs to be resumed.

    run.json            what was asked, and a digest of the inputs
    inputs/             copies of the installation file and all it names
    journal.sqlite      the journal                     world.sqlite      memory of the emulated devices
    capture.pcapng      the air                         zigbee_pc_keys    its keys, for Wireshark
    exchange/ smki/ parties/                            files, certificates and private state of the parties
    report.json report.html

The folder appears whole, with the first entry of its journal: it is either not there or can be resumed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from emulator.clock.kernel import MICROSECONDS, Kernel
from harness.errors import FolderInUseError, HarnessError, JournalError, RecordError
from harness.facts.campaign import REQUEST_FORMAT, Begun, Request
from harness.files import write_atomically
from harness.journal import FolderLock, Journal, campaign_key, lock_of, read_signing_key
from harness.product import product_version
from harness.report.html import render_html
from harness.report.model import CampaignReport
from harness.run_folder import (
    CAPTURE_FILE,
    INPUTS_FOLDER,
    JOURNAL_FILE,
    REPORT_HTML_FILE,
    REPORT_JSON_FILE,
    RUN_FILE,
    WORLD_FILE,
    digests_of,
)
from harness.workspace.images import Images, open_images
from harness.workspace.options import RunOptions
from hw_profiles.errors import FileRefusedError
from hw_profiles.installation import Installation, load_installation
from hw_profiles.loader import SHIPPED
from hw_profiles.records import decode
from hw_profiles.regular_file import TEXT_LIMIT, read_regular_file
from hw_profiles.whole_file import (
    PRIVATE_FOLDER,
    make_folders,
    sync_folder,
    sync_tree,
    unfinished,
    unfinished_folders,
    unfinished_name,
)

KEYS_FILE = "zigbee_pc_keys"
LARGEST_INPUT = 64 << 20
"""Octets of a file that is copied: more than any of those a run reads may have."""


class Workspace:
    """One run folder and the inputs of its run."""

    def __init__(
        self, folder: Path, request: Request, *, resumed: bool, signing_key: Path | None = None
    ) -> None:
        """Use `create` or `resume`."""
        self._key = _signing_key(signing_key, request.seed)
        self.folder = folder
        self.request = request
        self.resumed = resumed
        self.installation = self._installation()
        self.images = self._images(self.installation)

    @classmethod
    def create(cls, options: RunOptions, *, real_time: bool = False) -> Workspace:
        """Check the inputs, then make the folder with copies of them and an empty journal.

        The journal begins with the scenario, or with `real_time` at the time it is now. Raises an error of the inputs'
        own family, or `FolderInUseError`; then nothing is left behind.
        """
        assert options.installation is not None
        installation = load_installation(options.installation, options.model_folders)
        images = open_images(installation, options.image, options.catalogue_memory)
        images.check_stored()
        folder = options.out
        _require_free(folder)
        try:
            request = _prepare(folder, options, images, real_time=real_time)
        except (OSError, JournalError) as error:
            _require_free(folder)
            raise JournalError(f"{folder}: cannot begin a run there ({_why(error)})") from error
        return cls(folder, request, resumed=False, signing_key=options.signing_key)

    @classmethod
    def resume(cls, folder: Path, signing_key: Path | None = None) -> Workspace:
        """Take up the run in `folder`; raises `HarnessError` when it is none or its inputs were altered.

        `signing_key` is the key file it was begun with, None for a rehearsal's own key.
        """
        path = folder / RUN_FILE
        try:
            request = decode(Request, json.loads(read_regular_file(path, TEXT_LIMIT)), RUN_FILE, RecordError)
        except FileRefusedError as error:
            if path.exists():
                raise HarnessError(str(error)) from error
            raise HarnessError(f"{folder}: no {RUN_FILE}; give the folder of a run") from None
        except (ValueError, RecursionError, RecordError) as error:
            raise HarnessError(f"{path}: not the record of a run ({error}); start a new run") from error
        if request.format != REQUEST_FORMAT:
            raise HarnessError(
                f"{path}: format {request.format}, expected {REQUEST_FORMAT}; use the version that began it"
            )
        if _digest(digests_of(folder / INPUTS_FOLDER)) != request.inputs_sha256:
            raise HarnessError(f"{folder / INPUTS_FOLDER}: altered since the run began; start a new run")
        return cls(folder, request, resumed=True, signing_key=signing_key)

    def _installation(self) -> Installation:
        models = [self.folder / name for name in self.request.models]
        return load_installation(self.folder / self.request.installation, models)

    def _images(self, installation: Installation) -> Images:
        image = None if self.request.image is None else self.folder / self.request.image
        return open_images(installation, image)

    @property
    def journal_path(self) -> Path:
        """The journal file."""
        return self.folder / JOURNAL_FILE

    @property
    def world_path(self) -> Path:
        """The memory of the emulated devices."""
        return self.folder / WORLD_FILE

    @property
    def capture_path(self) -> Path:
        """The capture of the air."""
        return self.folder / CAPTURE_FILE

    @property
    def keys_path(self) -> Path:
        """The capture's keys for Wireshark."""
        return self.folder / KEYS_FILE

    @property
    def report_path(self) -> Path:
        """The report as JSON."""
        return self.folder / REPORT_JSON_FILE

    def open_journal(self, kernel: Kernel) -> Journal:
        """Open the journal with the campaign key, and clear away what a killed run had begun to write.

        Raises `HarnessError` when the catalogue is older than the one that the run began with.
        """
        journal = Journal.open(self.journal_path, clock=kernel, key=self._key)
        if journal.header.request != self.request:
            journal.close()
            raise HarnessError(
                f"{self.folder / RUN_FILE}: does not say what the journal says; put it back as it was"
            )
        try:
            self._require_no_older_catalogue(journal.header.catalogue_versions)
        except HarnessError:
            journal.close()
            raise
        for path in unfinished(self.folder):
            path.unlink(missing_ok=True)
        return journal

    def _require_no_older_catalogue(self, began_with: Mapping[str, int]) -> None:
        now = self.images.versions
        for role, version in began_with.items():
            if now.get(role, 0) < version:
                raise HarnessError(
                    f"{self.folder / INPUTS_FOLDER}: the catalogue's {role} is version {now.get(role, 'none')}, but "
                    f"the run began with version {version}; put the inputs back as they were, or start a new run"
                )

    def write_report(self, report: CampaignReport) -> None:
        """Write both forms of the report, each whole or not at all; the JSON last, for it says that all is there."""
        write_atomically(self.folder / REPORT_HTML_FILE, render_html(report).encode())
        write_atomically(self.report_path, report.to_json().encode())


def _require_free(folder: Path) -> None:
    """Raise an error of the folder's when it holds something already, or is where the command was given."""
    if not folder.name or folder.resolve() == Path.cwd():
        raise HarnessError(f"--out: {folder} is not a new folder; give the name of one to be made")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderInUseError(
            f"{folder} is not empty; choose another, or continue it: smets1 run --resume {folder}"
        )


_LOCK = "preparing.lock"


def _prepare(folder: Path, options: RunOptions, images: Images, *, real_time: bool) -> Request:
    """Make the folder of a run beside its place, and put it there when all of it is on disk."""
    key = _signing_key(options.signing_key, options.seed)
    make_folders(folder.parent)
    _clear_abandoned(folder)
    part = folder.with_name(unfinished_name(folder.name))
    part.mkdir(mode=PRIVATE_FOLDER)
    try:
        lock = FolderLock(part / _LOCK)
        try:
            request = _copy_inputs(part, options, images)
            write_atomically(part / RUN_FILE, request.to_json().encode())
            header = _header(request, images, digests_of(part / INPUTS_FOLDER))
            _begin_journal(part, header, key, begin_us(header.epoch_unix_seconds, real_time=real_time))
            (part / _LOCK).unlink()
            sync_tree(part)
            os.replace(part, folder)
        finally:
            lock.release()
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    sync_folder(folder.parent)
    return request


def _why(error: OSError | JournalError) -> str:
    """Return why a folder cannot be prepared, and what to do."""
    cause = error if isinstance(error, OSError) else error.__cause__ or error
    if isinstance(cause, OSError) and cause.errno not in _NO_ROOM:
        return f"{cause.strerror}; choose another folder or change its permissions"
    return f"{getattr(cause, 'strerror', cause)}; free some space or choose another folder"


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _clear_abandoned(folder: Path) -> None:
    """Remove what runs killed while they prepared `folder` left beside it: folders of this user, in use by nobody."""
    for part in unfinished_folders(folder.parent, folder.name):
        try:
            FolderLock(part / _LOCK).release()
        except FolderInUseError:
            continue
        shutil.rmtree(part)


def _header(request: Request, images: Images, inputs: Mapping[str, str]) -> Begun:
    installation = images.installation
    return Begun(
        product_version=product_version(),
        request=request,
        inputs=inputs,
        installation=installation.record.id,
        mpan=installation.record.mpan,
        epoch_unix_seconds=installation.start_unix_seconds,
        catalogue_versions=images.versions,
    )


def begin_us(epoch_unix_seconds: int, *, real_time: bool) -> int:
    """Return when a run begins, in microseconds of a scenario that began at `epoch_unix_seconds`."""
    return max(0, int(time.time() - epoch_unix_seconds) * MICROSECONDS) if real_time else 0


def _begin_journal(part: Path, header: Begun, key: ec.EllipticCurvePrivateKey, start_us: int) -> None:
    kernel = Kernel(header.request.seed, epoch_unix_seconds=header.epoch_unix_seconds, start_us=start_us)
    path = part / JOURNAL_FILE
    Journal.create(path, header, clock=kernel, key=key).close()
    lock_of(path).unlink()


# Copies


def _copy_inputs(part: Path, options: RunOptions, images: Images) -> Request:
    target, installation = part / INPUTS_FOLDER, images.installation
    files = list(_input_files(images))
    # The tree is kept, so that the relative paths inside the files still lead from one to another.
    root = Path(os.path.commonpath([path.parent for path in files]))
    for path in files:
        _copy(path, target / "home" / path.relative_to(root))
    models = []
    for index, folder in enumerate(options.model_folders):
        place = target / f"models-{index}"
        models.append(place.relative_to(part).as_posix())
        for path in _models_in(folder, installation):
            _copy(path, place / path.name)
    shipped = list(_shipped_models(options, installation))
    if shipped:
        # What a run is held against later must not change with the version of the product that looks at it.
        place = target / "models-shipped"
        models.append(place.relative_to(part).as_posix())
        for path in shipped:
            _copy(path, place / path.name)
    image = None
    if options.image is not None:
        place = target / "image" / options.image.name
        _copy(options.image, place)
        image = place.relative_to(part).as_posix()
    main = target / "home" / files[0].relative_to(root)
    return Request(
        main.relative_to(part).as_posix(),
        image,
        options.seed,
        options.dry_run,
        options.radio,
        tuple(models),
        _digest(digests_of(target)),
        options.capture,
        options.capture_limit,
    )


def _input_files(images: Images) -> Iterator[Path]:
    installation = images.installation
    home = _home(installation)
    yield home / installation.path.name
    for name in (installation.record.epcl, *installation.record.sequences):
        yield _beside(home, name)
    yield from _models_in(home / "models", installation)
    if installation.record.catalogue is not None:
        folder = _beside(home, installation.record.catalogue)
        yield from sorted(folder / name for name in images.catalogue_files)


def _home(installation: Installation) -> Path:
    return installation.path.parent.resolve()


def _beside(home: Path, name: str) -> Path:
    """Return where the installation file finds `name`: a link keeps its place, so that a copy has it there too."""
    return Path(os.path.normpath(home / name))


def _shipped_models(options: RunOptions, installation: Installation) -> Iterator[Path]:
    """Yield the files of the models that come with the product, and from nowhere else."""
    own = (*options.model_folders, _home(installation) / "models")
    found = {path.name for folder in own for path in _models_in(folder, installation)}
    yield from (path for path in _models_in(SHIPPED, installation) if path.name not in found)


def _models_in(folder: Path, installation: Installation) -> Iterator[Path]:
    """Yield the files of a folder that hold the models of this installation; others are no input of its run."""
    for model in sorted({device.model for device in installation.record.devices}):
        path = folder / f"{model}.toml"
        if path.is_file():
            yield path


def _copy(source: Path, target: Path) -> None:
    make_folders(target.parent, mode=PRIVATE_FOLDER)
    target.write_bytes(read_regular_file(source, LARGEST_INPUT))


def _digest(files: Mapping[str, str]) -> str:
    """Return one SHA-256 over the names and digests of files."""
    lines = "".join(f"{name}\n{digest}\n" for name, digest in files.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def _signing_key(path: Path | None, seed: int) -> ec.EllipticCurvePrivateKey:
    return campaign_key(seed) if path is None else read_signing_key(path)
