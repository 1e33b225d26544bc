"""The example catalogue read by python-tuf's own client, which shares no reading code of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater  # type: ignore[attr-defined]

from harness.examples import DORMANT_SEMI

CATALOGUE = DORMANT_SEMI.parent / "catalogue"


class FileFetcher(FetcherInterface):
    """Fetches file: URLs; what is absent is a 404, which ends the search for newer roots."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = Path(unquote(urlparse(url).path))
        if not path.is_file():
            raise DownloadHTTPError(f"{path} is absent", 404)
        return iter([path.read_bytes()])


@pytest.mark.parametrize("name", ["1002-0e01-01020000-55f4dd83", "1002-0601-01040000-ba5b8ae2"])
def test_a_standard_client_finds_and_verifies_the_images(tmp_path: Path, name: str) -> None:
    updater = Updater(
        str(tmp_path),
        (CATALOGUE / "metadata").as_uri() + "/",
        str(tmp_path),
        (CATALOGUE / "targets").as_uri() + "/",
        FileFetcher(),
        bootstrap=(CATALOGUE / "metadata" / "1.root.json").read_bytes(),
    )
    updater.refresh()
    target = updater.get_targetinfo(f"supplier-90-b3-d5-1f-30-03-00-00/1002/{name}.ota")
    assert target is not None
    path = updater.download_target(target, str(tmp_path / "image.ota"))
    assert len(Path(path).read_bytes()) == target.length
