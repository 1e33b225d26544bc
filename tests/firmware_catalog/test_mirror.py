"""A copy of a shared catalogue: brought up to date over HTTP, whatever the server does."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import pytest

from emulator.smart_energy.ota.file import OtaElement, OtaHeader, OtaTag, build, pack
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.errors import CatalogError
from firmware_catalog.mirror import export, update
from firmware_catalog.sources import FolderSource, HttpSource, source_of
from firmware_catalog.statements import Evidence
from tests.firmware_catalog.forger import Forger

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SEED = "published"
USED = Evidence("Field record 17", "2019-03-01", "East Midlands", 41_000)


class Server(ThreadingHTTPServer):
    """Serves a folder; `cut` ends every image after so many octets, `longer` adds to every file."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.cut: int | None = None
        self.longer = b""
        self.ranges = True
        self.asked: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path, wanted = self.server.folder / self.path.lstrip("/"), self.headers.get("Range", "")
        self.server.asked.append((self.path, wanted))
        if not path.is_file():
            self.send_error(404)
            return
        start = int(wanted[6:-1]) if wanted and self.server.ranges else 0
        data = path.read_bytes()[start:] + self.server.longer
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: self.server.cut] if path.suffix == ".ota" else data)

    def log_message(self, format: str, *args: object) -> None:
        pass


def image(folder: Path, version: int) -> Path:
    path = folder / f"image-{version}.ota"
    parts = (OtaElement(OtaTag.UPGRADE_IMAGE, bytes(2_000)),)
    path.write_bytes(pack(build(OtaHeader(0x1002, 0x0E01, version), parts)))
    return path


@pytest.fixture
def shared(tmp_path: Path) -> Catalogue:
    made = Catalogue.create(tmp_path / "shared", now=NOW, seed=SEED)
    made.add(image(tmp_path, 2), "A", evidence=USED)
    return made


@pytest.fixture
def server(shared: Catalogue) -> Iterator[Server]:
    server = Server(shared.path)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def tree(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("over_http", [True, False])
def test_a_copy_has_everything_and_follows(
    shared: Catalogue, server: Server, tmp_path: Path, over_http: bool
) -> None:
    source = source_of(server.url if over_http else str(shared.path))
    home = tmp_path / "copy"
    copy = update(source, home, NOW, root_sha256=shared.root_sha256)
    assert copy.list() == shared.list()
    assert copy.check_stored() == shared.check_stored()
    shared.add(image(tmp_path, 3), "A")
    server.asked.clear()
    assert len(update(source, home, NOW).list()) == 2
    assert sum(path.endswith(".ota") for path, _ in server.asked) == (1 if over_http else 0)
    assert not (tmp_path / "copy.part").exists()


def test_a_download_that_is_cut_off_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.cut = 700
    for _ in range(2):
        with pytest.raises(CatalogError, match="cut off"):
            update(HttpSource(server.url), tmp_path / "copy", NOW)
    server.cut = None
    assert len(update(HttpSource(server.url), tmp_path / "copy", NOW).list()) == 1
    images = [wanted for path, wanted in server.asked if path.endswith(".ota")]
    assert images == ["", "bytes=700-", "bytes=1400-"]


def test_a_server_without_ranges_begins_again(server: Server, tmp_path: Path) -> None:
    server.cut, server.ranges = 700, False
    with pytest.raises(CatalogError, match="cut off"):
        update(HttpSource(server.url), tmp_path / "copy", NOW)
    server.cut = None
    assert update(HttpSource(server.url), tmp_path / "copy", NOW).check_stored() > 2_000


def test_endless_data_is_read_no_further_than_was_signed(server: Server, tmp_path: Path) -> None:
    source, name = HttpSource(server.url), "metadata/timestamp.json"
    server.longer = bytes(100_000)
    with pytest.raises(CatalogError, match="more than the 5000 octets expected"):
        source.read(name, 5_000)
    with pytest.raises(CatalogError, match="more than the 2000 octets expected"):
        source.download(name, tmp_path / "file", 2_000)


def test_a_server_that_drips_is_left(server: Server) -> None:
    ticks = count(0, 100)
    with pytest.raises(CatalogError, match="slower than 1000 octets a second"):
        HttpSource(server.url, lambda: next(ticks)).read("metadata/timestamp.json", 5_000)


def test_an_image_that_is_not_the_signed_one_changes_nothing(
    shared: Catalogue, server: Server, tmp_path: Path
) -> None:
    home = tmp_path / "copy"
    update(HttpSource(server.url), home, NOW)
    before = tree(home)
    shared.add(image(tmp_path, 3), "A")
    stored = next(path for path in (shared.path / "targets").rglob("*00000003*"))
    stored.write_bytes(stored.read_bytes().swapcase()[:-1] + b"x")
    with pytest.raises(CatalogError, match="not the file that was signed"):
        update(HttpSource(server.url), home, NOW)
    assert tree(home) == before


def test_an_older_state_or_another_catalogue_changes_nothing(
    shared: Catalogue, server: Server, tmp_path: Path
) -> None:
    home, memory = tmp_path / "copy", tmp_path / "memory"
    shutil.copytree(shared.path, tmp_path / "old")
    shared.add(image(tmp_path, 3), "A")
    update(HttpSource(server.url), home, NOW, memory=memory)
    before = tree(home)
    with pytest.raises(CatalogError, match="older than it was seen before"):
        update(FolderSource(tmp_path / "old"), home, NOW, memory=memory)
    Catalogue.create(tmp_path / "other", now=NOW, seed="other")
    with pytest.raises(CatalogError, match="this is another catalogue"):
        update(FolderSource(tmp_path / "other"), home, NOW)
    assert tree(home) == before


@pytest.mark.parametrize("name", ["../../evil", "supplier-a/x", "operator"])
def test_a_role_that_names_a_path_is_not_fetched(
    shared: Catalogue, server: Server, tmp_path: Path, name: str
) -> None:
    Forger(shared.path, SEED).snapshot(lambda signed: signed["meta"].update({f"{name}.json": {"version": 1}}))
    with pytest.raises(CatalogError, match="expected a party's"):
        update(HttpSource(server.url), tmp_path / "copy", NOW)
    assert not any("evil" in path for path, _ in server.asked)


def test_an_exported_folder_has_what_a_reader_needs_and_no_more(shared: Catalogue, tmp_path: Path) -> None:
    (shared.path / "targets" / "stray.ota").write_bytes(b"x")
    folder = tmp_path / "stick"
    assert export(shared, folder) == len(tree(folder)) == len(shared.files())
    assert update(FolderSource(folder), tmp_path / "copy", NOW).list() == shared.list()
    with pytest.raises(CatalogError, match="not empty"):
        export(shared, folder)


def test_what_is_no_source_says_so(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="expected http://, https:// or a folder"):
        source_of("ftp://example.org/")
    with pytest.raises(CatalogError, match="cannot be reached"):
        HttpSource("http://127.0.0.1:1/").read("metadata/timestamp.json", 10)
    with pytest.raises(CatalogError, match="not there"):
        update(FolderSource(tmp_path), tmp_path / "copy", NOW)
