"""Where a shared catalogue is read from: a folder, or HTTP(S); no further than asked for, and not at a crawl.

What comes from there is verified by whoever asks; here it is only bounded, in octets and in time. A download that is
cut off goes on where it stopped.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import quote, urlparse

from firmware_catalog.errors import CatalogError, CatalogStorageError
from firmware_catalog.files import read_octets

CHUNK_OCTETS = 64 << 10
SILENCE_S = 30.0
"""How long a server may say nothing."""
GRACE_S = 30.0
SLOWEST_OCTETS_PER_S = 1000
"""How slow a download may be after the grace: a server that drips keeps its reader from newer firmware."""
Clock = Callable[[], float]


class AbsentError(CatalogError):
    """There is no such file at the source."""


class Source(Protocol):
    """A catalogue somewhere."""

    def read(self, name: str, limit: int) -> bytes:
        """Return a file of at most `limit` octets; raises `AbsentError` or `CatalogError`."""

    def download(self, name: str, path: Path, length: int) -> None:
        """Bring a file of `length` octets to `path`, going on with what is there; raises `CatalogError`."""


def source_of(place: str) -> Source:
    """Return the source that a URL or a folder's path names; raises `CatalogError` for another kind of URL."""
    scheme = urlparse(place).scheme
    if scheme in ("http", "https"):
        return HttpSource(place)
    if "://" in place:
        raise CatalogError(f"{place}: expected http://, https:// or a folder")
    return FolderSource(Path(place))


class FolderSource:
    """A catalogue in a folder, one on a share say."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str, limit: int) -> bytes:
        """Return a file, as `Source.read`."""
        path = self._folder / name
        if not path.is_file():
            raise AbsentError(f"{path}: not there")
        return read_octets(path, limit)

    def download(self, name: str, path: Path, length: int) -> None:
        """Copy a file, as `Source.download`."""
        path.write_bytes(self.read(name, length))


class HttpSource:
    """A catalogue under a URL."""

    def __init__(self, url: str, clock: Clock = time.monotonic) -> None:
        self._url = url.rstrip("/")
        self._clock = clock

    def read(self, name: str, limit: int) -> bytes:
        """Return a file, as `Source.read`."""
        with self._open(name, 0) as response:
            return b"".join(self._pieces(name, response, limit))

    def download(self, name: str, path: Path, length: int) -> None:
        """Bring a file, as `Source.download`: with a range of octets where the server has them."""
        held = path.stat().st_size if path.is_file() else 0
        if held >= length:
            path.unlink()
            held = 0
        with self._open(name, held) as response:
            resumed = held > 0 and response.status == 206
            try:
                with path.open("ab" if resumed else "wb") as file:
                    self._fill(name, response, file, length - (held if resumed else 0))
            except OSError as error:
                raise CatalogStorageError(
                    f"{path}: cannot be written ({error.strerror}); free space"
                ) from error

    def _fill(self, name: str, response: HTTPResponse, file: BinaryIO, due: int) -> None:
        for piece in self._pieces(name, response, due):
            file.write(piece)
            due -= len(piece)
        if due:
            raise CatalogError(
                f"{self._url}/{name}: cut off, {due} octets are missing; run it again to go on"
            )

    def _pieces(self, name: str, response: HTTPResponse, limit: int) -> Iterator[bytes]:
        """Yield what comes, as it comes; raises `CatalogError` beyond the limit, or below the slowest rate."""
        began, total = self._clock(), 0
        while piece := self._piece(name, response):
            total += len(piece)
            if total > limit:
                raise CatalogError(
                    f"{self._url}/{name}: more than the {limit} octets expected; do not use this source"
                )
            if self._clock() - began > GRACE_S + total / SLOWEST_OCTETS_PER_S:
                raise CatalogError(
                    f"{self._url}/{name}: slower than {SLOWEST_OCTETS_PER_S} octets a second; try again, or elsewhere"
                )
            yield piece

    def _piece(self, name: str, response: HTTPResponse) -> bytes:
        try:
            return response.read1(CHUNK_OCTETS)
        except (OSError, HTTPException) as error:
            raise CatalogError(f"{self._url}/{name}: cut off ({error}); run it again to go on") from error

    def _open(self, name: str, start: int) -> HTTPResponse:
        url = f"{self._url}/{quote(name)}"
        request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
        try:
            opened: HTTPResponse = urllib.request.urlopen(request, timeout=SILENCE_S)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (403, 404):
                raise AbsentError(f"{url}: not there ({error.code})") from error
            raise CatalogError(
                f"{url}: the server says {error.code} {error.reason}; try again later"
            ) from error
        except (OSError, HTTPException) as error:
            raise CatalogError(f"{url}: cannot be reached ({error}); try again later") from error
        return opened
